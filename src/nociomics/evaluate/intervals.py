"""Prediction intervals from out-of-fold residuals, and how often they hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from nociomics.evaluate.estimate import FloatArray, IntArray

LEVEL = 0.9


@dataclass(frozen=True)
class Coverage:
    """Whether each row lay within its interval, and the half-widths with and without features."""

    covered: FloatArray
    half_width: FloatArray
    marginal_half_width: FloatArray


def conformal_quantile(residuals: FloatArray, level: float = LEVEL) -> float:
    """Return the half-width that covers a new person with at least the given probability.

    The k-th smallest absolute residual, k = ceil((n + 1) x level): the finite-sample correction. When n is too
    small for the level no finite width keeps the promise, and the answer is infinite.

    Parameters
    ----------
    residuals : array of float
        Observed minus expected, from models that did not see the person; NaN is left out.
    level : float
        0.9 for a 90 % interval.

    References
    ----------
    Vovk, Gammerman and Shafer 2005; Lei et al., JASA 2018;113:1094.

    Examples
    --------
    >>> conformal_quantile(np.arange(1.0, 11.0), level=0.5), conformal_quantile(np.array([1.0]))
    (6.0, inf)
    """
    sizes = np.sort(np.abs(residuals[np.isfinite(residuals)]))
    rank = int(np.ceil((sizes.size + 1) * level - 1e-9))
    return float(sizes[rank - 1]) if 0 < rank <= sizes.size else float("inf")


def cross_fitted_coverage(y: FloatArray, expected: FloatArray, fold: IntArray, level: float = LEVEL) -> Coverage:
    """Check intervals on people whose residuals did not set the width.

    For each fold the half-width comes from the residuals of the other folds; the marginal half-width ignores all
    features (distance from the mean of the other folds) and shows what the features are worth.

    Parameters
    ----------
    y, expected : array of float, shape (n,)
        Observed, and expected from models that did not see the person.
    fold : array of int, shape (n,)
        Outer folds of *one* repeat.

    Returns
    -------
    Coverage
        One entry per row; NaN in all three when the other folds are too few for the level.
    """
    inside, half, marginal = (np.full(y.size, np.nan) for _ in range(3))
    for one in np.unique(fold):
        here = fold == one
        if here.all():
            continue
        mean = y[~here].mean()
        width = conformal_quantile(y[~here] - expected[~here], level)
        if not np.isfinite(width):
            continue
        half[here] = width
        marginal[here] = conformal_quantile(y[~here] - mean, level)
        inside[here] = np.abs(y[here] - expected[here]) <= width
    return Coverage(inside, half, marginal)


def conformal_half_width(out_of_fold: pl.DataFrame, target_rows: pl.DataFrame, level: float = LEVEL) -> float | None:
    """Half-width of an interval around `expected`, from the study's own errors out of fold.

    Each person counts once: the mean over repeats of the prediction for the treatment received.

    Parameters
    ----------
    out_of_fold, target_rows : DataFrame
        As in their contracts.

    Returns
    -------
    float or None
        In outcome points; None when too few people have an outcome for the level.
    """
    mean = out_of_fold.group_by("patient_id", "treatment").agg(pl.col("expected").mean())
    own = target_rows.join(mean, on=["patient_id", "treatment"], how="left", nulls_equal=True)
    residuals = (own["response_value"].cast(pl.Float64) - own["expected"]).drop_nulls().to_numpy()
    half = conformal_quantile(residuals, level)
    return half if np.isfinite(half) else None
