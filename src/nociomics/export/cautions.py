"""Why a person should not get an answer of their own: unlike those the model learned from, or too little measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

ATYPICAL = "atypical: far from everyone that the model was built on"
UNSEEN_BATCH = "measured in a batch that the model does not know"


def cautions(bundle: Any, features: pl.DataFrame) -> list[list[str]]:
    """Collect, person by person, every reason for doubt that the measurements themselves give.

    Parameters
    ----------
    bundle : Bundle
        As loaded by `nociomics.export.bundle.load_bundle`.
    features : DataFrame, one row per person
        As in `FEATURES`.

    Returns
    -------
    list of list of str
        Reasons in words, without any value; an empty list when there is none.
    """
    reasons: list[list[str]] = [[] for _ in range(features.height)]
    for row in np.flatnonzero(_atypical(bundle, features)):
        reasons[row].append(ATYPICAL)
    for row in np.flatnonzero(bundle.model.blocks_.unseen_batches(features)):
        reasons[row].append(UNSEEN_BATCH)
    if bundle.reliance is not None:
        lacking = bundle.reliance.lacking(features)
        reasons = [[*found, *more] for found, more in zip(reasons, lacking, strict=True)]
    return reasons


def outside_overlap(bundle: Any, features: pl.DataFrame) -> list[list[str]]:
    """Name, person by person, the treatments that hardly anyone like this person got; none in a randomised study."""
    arms = bundle.model.arms_
    if bundle.propensity is None or len(arms) < 2:
        return [[] for _ in range(features.height)]
    outside = bundle.propensity.outside_overlap(features, arms)
    return [[arm for arm, away in zip(arms, row, strict=True) if away] for row in outside]


def overlap_reason(arms: list[str]) -> str:
    """Say which comparison the data cannot carry."""
    return f"outside overlap, hardly anyone like this person got {', '.join(arms)}: no comparison"


def _atypical(bundle: Any, features: pl.DataFrame) -> np.ndarray:
    marked = bundle.strata.assign(features)["atypical"]
    return np.asarray(marked.fill_null(False).to_numpy(), dtype=bool)
