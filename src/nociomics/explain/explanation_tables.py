"""Shapley values as tables, and the check that they add up."""

from __future__ import annotations

import numpy as np
import polars as pl

from nociomics.explain.shap_values import Explainer, Explanation

ADDITIVE_TO = 1e-4


def shap_frame(explanation: Explanation, features: pl.DataFrame, arms: list[str | None]) -> pl.DataFrame:
    """Lay Shapley values out as in `tables.results.SHAP_VALUES`.

    ``feature_value`` is the person's own value in the feature's unit where the column is a feature, and
    the model's column otherwise (a component, a category's 0/1, a missing-block mark).
    """
    people, n_arms, outputs, width = explanation.values.shape
    names = [column.name for column in explanation.columns]
    shown = (
        np.column_stack([_own_value(features, name, explanation.shown[:, place]) for place, name in enumerate(names)])
        if width
        else np.empty((people, 0))
    )
    axes = np.indices((people, n_arms, outputs, width)).reshape(4, -1)
    frame = pl.DataFrame(
        {
            "patient_id": features["patient_id"].gather(axes[0]),
            "treatment": pl.Series(arms, dtype=pl.String).gather(axes[1]),
            "feature": pl.Series(names, dtype=pl.String).gather(axes[3]),
            "modality": pl.Series([c.modality for c in explanation.columns], dtype=pl.String).gather(axes[3]),
            "group": pl.Series([c.group for c in explanation.columns], dtype=pl.String).gather(axes[3]),
            "feature_value": pl.Series(shown[axes[0], axes[3]], dtype=pl.Float64).fill_nan(None),
            "shap_value": explanation.values.reshape(-1),
            "shap_sd": pl.Series(_spread(explanation).reshape(-1), dtype=pl.Float64).fill_nan(None),
        }
    )
    if explanation.outputs == (None,):
        return frame
    return frame.with_columns(pl.Series("class", explanation.outputs, dtype=pl.String).gather(axes[2]))


def _spread(explanation: Explanation) -> np.ndarray:
    if explanation.spread.shape == explanation.values.shape:
        return explanation.spread
    return np.full(explanation.values.shape, np.nan)


def _own_value(features: pl.DataFrame, name: str, encoded: np.ndarray) -> np.ndarray:
    if name in features.columns and features[name].dtype.is_numeric():
        return features[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return encoded


def base_frame(explanation: Explanation | Explainer, arms: list[str | None]) -> pl.DataFrame:
    """Lay base values out as in `tables.results.BASE_VALUES`."""
    rows = [
        {"treatment": arm, "base_value": float(explanation.base[a, o]), "class": name}
        for a, arm in enumerate(arms)
        for o, name in enumerate(explanation.outputs)
    ]
    schema = {"treatment": pl.String, "base_value": pl.Float64, "class": pl.String}
    frame = pl.DataFrame(rows, schema=schema)
    return frame.drop("class") if explanation.outputs == (None,) else frame


def check_additive(values: pl.DataFrame, bases: pl.DataFrame, predictions: pl.DataFrame) -> float:
    """Return the largest |base + sum of Shapley values - prediction|, or raise when it is over 1e-4.

    Parameters
    ----------
    values, bases, predictions : DataFrame
        As in `SHAP_VALUES`, `BASE_VALUES` and `PREDICTIONS`; people without a prediction are not looked at.

    Raises
    ------
    ArithmeticError
        A fault of the program, never of the data: nothing may be shown then.
    """
    keys = [name for name in ("treatment", "class") if name in bases.columns]
    sums = values.group_by("patient_id", *keys).agg(pl.col("shap_value").sum())
    sums = sums.join(bases, on=keys, how="left", nulls_equal=True)
    if "class" in keys:
        shown = (
            predictions.filter(pl.col("status") == "ok")
            .unpivot(
                [f"p_{name}" for name in bases["class"].unique()],
                index=["patient_id", "treatment"],
                variable_name="class",
                value_name="shown",
            )
            .with_columns(pl.col("class").str.strip_prefix("p_"))
        )
    else:
        shown = predictions.filter(pl.col("status") == "ok").select("patient_id", "treatment", shown="expected")
    both = sums.join(shown, on=["patient_id", *keys], how="inner", nulls_equal=True)
    gaps = (both["base_value"] + both["shap_value"] - both["shown"]).abs().fill_null(float("nan")).to_numpy()
    largest = float(np.max(gaps, initial=0.0))  # NaN when any of them is
    if not largest <= ADDITIVE_TO:
        raise ArithmeticError(
            f"Shapley values miss the predictions by up to {largest:.2e}, more than {ADDITIVE_TO:.0e}."
        )
    return largest
