"""Explain a whole cohort by chunks: the tables of people go to whoever writes them, means stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

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
    bases, importance, stability : DataFrame
        As in `BASE_VALUES`, `IMPORTANCE` and `EXPLANATION_STABILITY`.
    people : int
        Explained, each checked.
    gap : float
        Largest distance between a prediction and what its explanation adds up to.
    """

    bases: pl.DataFrame
    importance: pl.DataFrame
    stability: pl.DataFrame
    people: int
    gap: float


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
    at_once = max(1, _VALUES_AT_ONCE // max(1, len(columns) * len(arms) * len(explainer.outputs)))
    progress = Progress("explanations", "people", features.height)
    gap = 0.0
    for first in range(0, max(features.height, 1), at_once):
        people = features[first : first + at_once]
        encoded = explainer.encode(people)
        found = explainer.whole(encoded)
        view.add(found.values)
        spread = Deviations(found.values.shape)
        for refit, values in enumerate(explainer.of_refits(encoded)):
            spread.add(values)
            view.add_refit(refit, first, values)
        frame = shap_frame(replace(found, spread=spread.standard()), people, arms)
        gap = max(gap, check_additive(frame, bases, predictions))
        write(frame)
        progress.advance(people.height)
    return CohortExplanation(
        bases, view.importance(arms, explainer.outputs), view.stability(arms, explainer.outputs), features.height, gap
    )
