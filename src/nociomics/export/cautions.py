"""Why a person should not get an answer of their own: unlike those the model learned from, or too little measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from nociomics.export.gate import Admitted

ATYPICAL = "atypical: far from everyone that the model was built on"
UNSEEN_BATCH = "measured in a batch that the model does not know"


def cautions(bundle: Any, people: Admitted) -> list[list[str]]:
    """Collect, person by person, every reason for doubt that the measurements themselves give.

    Parameters
    ----------
    bundle : Bundle
        As loaded by `nociomics.export.bundle.load_bundle`.
    people : Admitted
        Whom the gate let through.

    Returns
    -------
    list of list of str
        Reasons in words, without any value; an empty list when there is none.
    """
    reasons: list[list[str]] = [[] for _ in people.status]
    for row in np.flatnonzero(bundle.compiled.atypical(people)):
        reasons[row].append(ATYPICAL)
    for row in np.flatnonzero(bundle.compiled.response.unseen_batches(people)):
        reasons[row].append(UNSEEN_BATCH)
    lacking = bundle.compiled.lacking(people)
    return [[*found, *more] for found, more in zip(reasons, lacking, strict=True)]


def outside_overlap(bundle: Any, people: Admitted) -> list[list[str]]:
    """Name, person by person, the treatments that hardly anyone like this person got; none in a randomised study."""
    arms = bundle.model.arms_
    if bundle.propensity is None or len(arms) < 2:
        return [[] for _ in people.status]
    outside = bundle.propensity.outside_overlap(people.features, arms)
    return [[arm for arm, away in zip(arms, row, strict=True) if away] for row in outside]


def overlap_reason(arms: list[str]) -> str:
    """Say which comparison the data cannot carry."""
    return f"outside overlap, hardly anyone like this person got {', '.join(arms)}: no comparison"
