"""How many people of the cohort are like one person: close on the dimensions that the strata stage found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NEAR = 0.5  # our own choice: standard deviations, root mean square over the dimensions
_AT_ONCE = 2_000_000
MEANING = "within half a standard deviation on the dimensions found (root mean square), this person not counted"


def similar_counts(scores: NDArray[np.float64], places: Sequence[int]) -> list[int | None]:
    """Count the others whose dimensions lie within half a standard deviation (root mean square).

    Parameters
    ----------
    scores : ndarray of shape (n_people, n_dimensions)
        As in `FACTOR_SCORES`; NaN rows are people of whom too little was measured, who are like nobody known.
    places : sequence of int
        Rows to count for.

    Returns
    -------
    list of int or None
        None for a person without scores, and where there are no dimensions.

    Examples
    --------
    >>> similar_counts(np.array([[0.0], [0.1], [3.0], [np.nan]]), [0, 2, 3])
    [1, 0, None]
    """
    known: NDArray[np.bool_] = np.zeros(len(scores), dtype=np.bool_)
    if scores.shape[1]:
        known = np.asarray(np.isfinite(scores).all(axis=1), dtype=np.bool_)
    if not known.any():
        return [None] * len(places)
    spread = scores[known].std(axis=0)
    scaled = scores / np.where(spread > 0, spread, 1.0)
    everyone = scaled[known]
    found: list[int | None] = []
    step = max(1, _AT_ONCE // len(everyone))
    for first in range(0, len(places), step):
        rows = np.asarray(places[first : first + step])
        near = _near(scaled[rows], everyone)
        found += [int(number) - 1 if is_known else None for number, is_known in zip(near, known[rows], strict=True)]
    return found


def _near(some: NDArray[np.float64], everyone: NDArray[np.float64]) -> NDArray[np.int64]:
    squares = np.zeros((len(some), len(everyone)))
    for dimension in range(everyone.shape[1]):
        squares += (some[:, dimension, None] - everyone[None, :, dimension]) ** 2
    return np.asarray(np.sum(squares <= NEAR**2 * everyone.shape[1], axis=1), dtype=np.int64)
