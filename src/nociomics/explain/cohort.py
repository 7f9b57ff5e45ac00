"""Explain a whole cohort by chunks: the tables of people go to whoever writes them, means stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from nociomics.errors import BundleError
from nociomics.explain.dependence import DependenceView
from nociomics.explain.explanation_tables import base_frame, check_additive, shap_frame
from nociomics.explain.global_view import GlobalView
from nociomics.explain.shap_values import Deviations, Explainer
from nociomics.models.response import ResponseModel
from nociomics.tables.progress import Progress

# values of one chunk, all treatments and columns: some 300 bytes each with their row of the table
_VALUES_AT_ONCE = 1_500_000


@dataclass(frozen=True)
class CohortExplanation:
    """What is said of the cohort, and how well it adds up.

    Attributes
    ----------
    bases, importance, stability, dependence : DataFrame
        As in `BASE_VALUES`, `IMPORTANCE`, `EXPLANATION_STABILITY` and `DEPENDENCE`.
    people : int
        Explained, each checked.
    gap : float
        Largest distance between a prediction and what its explanation adds up to.
    """

    bases: pl.DataFrame
    importance: pl.DataFrame
    stability: pl.DataFrame
    dependence: pl.DataFrame
    people: int
    gap: float


def people_to_explain(
    model: ResponseModel, features: pl.DataFrame, predictions: pl.DataFrame, wanted: list[str] | None = None
) -> pl.DataFrame:
    """Take those who have a prediction.

    Parameters
    ----------
    features, predictions : DataFrame
        As in `FEATURES` and `PREDICTIONS`.
    wanted : list of str, optional
        Ids of those who are asked for; everybody when left out.

    Raises
    ------
    BundleError
        When features of predicted people are lacking, the tables share no column with the model, or somebody who is
        asked for has no prediction.
    """
    fine = predictions.filter(pl.col("status") == "ok")["patient_id"].unique()
    absent = len(set(fine) - set(features["patient_id"]))
    if absent:
        raise BundleError(
            f"{absent} people have a prediction but no row of features: the two tables are of different cohorts or "
            "versions. Predict these people again with `nociomics predict`."
        )
    needed = model.blocks_.input_features()
    if needed and not set(needed) & set(features.columns):
        raise BundleError(
            f"None of the {len(needed)} features that the model reads is a column of the features: there is nothing to "
            "explain by. Give the harmonised features of this study (harmonised/features.parquet)."
        )
    if wanted:
        unknown = len(set(wanted) - set(fine))
        if unknown:
            raise BundleError(
                f"{unknown} of the {len(set(wanted))} patients asked for have no prediction. "
                "Check their ids against response/predictions.parquet, as written there."
            )
        fine = fine.filter(fine.is_in(wanted))
    return features.filter(pl.col("patient_id").is_in(fine.to_list()))


def explain_cohort(
    model: ResponseModel,
    features: pl.DataFrame,
    background: np.ndarray,
    seed: int,
    predictions: pl.DataFrame,
    write: Callable[[pl.DataFrame], None],
) -> CohortExplanation:
    """Explain people chunk by chunk, and check every chunk.

    Parameters
    ----------
    features, predictions : DataFrame
        As in `FEATURES` and `PREDICTIONS`.
    background : ndarray of shape (n_background, n_columns)
        Encoded training people.
    write : callable
        Is given the table of each chunk, as in `SHAP_VALUES`; at least once, if with no rows.

    Raises
    ------
    ArithmeticError
        When an explanation does not add up to its prediction: a fault of the program.
    """
    explainer = Explainer(model, background, seed)
    columns, arms = explainer.columns, model.arms_
    bases = base_frame(explainer, arms)
    view = GlobalView(columns, features.height, explainer.refits, seed)
    categories = {name: [f"{name}_{level}" for level in entry[2]] for name, entry in model.blocks_.categories_.items()}
    bins = DependenceView(columns, categories, features, background, explainer.refits)
    at_once = max(1, _VALUES_AT_ONCE // max(1, len(columns) * len(arms) * len(explainer.outputs)))
    progress = Progress("explanations", "people", features.height)
    gap = 0.0
    for first in range(0, max(features.height, 1), at_once):
        people = features[first : first + at_once]
        encoded = explainer.encode(people)
        found = explainer.whole(encoded)
        view.add(found.values)
        bins.add(people, found.shown, found.values)
        spread = Deviations(found.values.shape)
        for refit, values in enumerate(explainer.of_refits(encoded)):
            spread.add(values)
            view.add_refit(refit, first, values)
            bins.add_refit(refit, values)
        frame = shap_frame(replace(found, spread=spread.standard()), people, arms)
        gap = max(gap, check_additive(frame, bases, predictions))
        write(frame)
        progress.advance(people.height)
    shown = (arms, explainer.outputs)
    return CohortExplanation(
        bases, view.importance(*shown), view.stability(*shown), bins.table(*shown), features.height, gap
    )
