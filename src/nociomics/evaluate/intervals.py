"""How often prediction intervals hold, on people whose errors did not set their width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nociomics.evaluate.estimate import FloatArray, IntArray
from nociomics.models.intervals import LEVEL, conformal_quantile, row_widths


@dataclass(frozen=True)
class Coverage:
    """Whether each row lay within its interval, and the half-widths with and without features."""

    covered: FloatArray
    half_width: FloatArray
    marginal_half_width: FloatArray


def cross_fitted_coverage(
    y: FloatArray,
    expected: FloatArray,
    fold: IntArray,
    level: float = LEVEL,
    group: Sequence[str | None] | None = None,
) -> Coverage:
    """Check intervals on people whose residuals did not set the width.

    For each fold the half-width comes from the residuals of the other folds, in the way of the exported model
    (a width of its own for each group of at least 60 people there); the marginal half-width ignores all features
    (distance from the mean of the other folds) and shows what the features are worth.

    Parameters
    ----------
    y, expected : array of float, shape (n,)
        Observed, and expected from models that did not see the person.
    fold : array of int, shape (n,)
        Outer folds of *one* repeat.
    group : sequence of str or None, length n, optional
        Treatment received.

    Returns
    -------
    Coverage
        One entry per row; NaN in all three when the other folds are too few for the level.
    """
    names = np.array(list(group) if group is not None else [None] * y.size, dtype=object)
    inside, half, marginal = (np.full(y.size, np.nan) for _ in range(3))
    for one in np.unique(fold):
        here = fold == one
        if here.all():
            continue
        widths = row_widths(y[~here] - expected[~here], names[~here].tolist(), names[here].tolist(), level)
        if not np.isfinite(widths).all():
            continue
        half[here] = widths
        marginal[here] = conformal_quantile(y[~here] - y[~here].mean(), level)
        inside[here] = np.abs(y[here] - expected[here]) <= widths
    return Coverage(inside, half, marginal)
