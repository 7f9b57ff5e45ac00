"""What drives predictions in the whole cohort: signed sums first, sizes after."""

from __future__ import annotations

import polars as pl


def feature_importance(values: pl.DataFrame) -> pl.DataFrame:
    """Mean size of each feature's Shapley values.

    Parameters
    ----------
    values : DataFrame
        As in `tables.results.SHAP_VALUES`.

    Returns
    -------
    DataFrame, one row per feature and treatment
        ``feature, modality, group, treatment, mean_abs_shap`` in outcome points, largest first.
    """
    keys = ["feature", "modality", "group", "treatment"]
    means = values.group_by(keys).agg(mean_abs_shap=pl.col("shap_value").abs().mean())
    return means.sort("mean_abs_shap", "feature", "treatment", descending=[True, False, False])


def modality_importance(values: pl.DataFrame) -> pl.DataFrame:
    """Mean size of each modality's part of a prediction, after its features' signed values were summed.

    Returns
    -------
    DataFrame, one row per modality and treatment
        ``modality, treatment, mean_abs_shap`` in outcome points.
    """
    keys = ["patient_id", "treatment", *(["class"] if "class" in values.columns else []), "modality"]
    sums = values.group_by(keys).agg(pl.col("shap_value").sum())
    means = sums.group_by("modality", "treatment").agg(mean_abs_shap=pl.col("shap_value").abs().mean())
    return means.sort("mean_abs_shap", "modality", "treatment", descending=[True, False, False])
