"""How close predicted points or units come to what was observed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from nociomics.evaluate.bootstrap import Statistic, point, weighted_ratio
from nociomics.evaluate.discrimination import tie_bounds
from nociomics.evaluate.estimate import FloatArray


def mae(y: ArrayLike, predicted: ArrayLike) -> float:
    """Return the mean absolute error, in the outcome's own unit."""
    return float(np.mean(np.abs(np.asarray(y) - np.asarray(predicted))))


def rmse(y: ArrayLike, predicted: ArrayLike) -> float:
    """Return the root of the mean squared error, in the outcome's own unit."""
    return float(np.sqrt(np.mean((np.asarray(y) - np.asarray(predicted)) ** 2)))


def r2(y: ArrayLike, predicted: ArrayLike) -> float:
    """Return 1 - squared error / squared error of the mean; below 0: worse than the mean; NaN when y is constant.

    Examples
    --------
    >>> r2([1, 2, 3], [2, 2, 2])
    0.0
    """
    observed = np.asarray(y, dtype=np.float64)
    return point(r2_statistic(observed, np.asarray(predicted, dtype=np.float64)), observed.size)


def r2_statistic(y: FloatArray, predicted: FloatArray) -> Statistic:
    """Return R2 as a statistic of row weights."""
    centred = y - y.mean()
    squares, loss = centred**2, (y - predicted) ** 2

    def statistic(weights: FloatArray) -> FloatArray:
        total = weights.sum(axis=1)
        spread = weights @ squares - weighted_ratio((weights @ centred) ** 2, total)
        return 1 - weighted_ratio(weights @ loss, np.where(spread > 1e-12 * total, spread, 0.0))

    return statistic


def spearman(y: ArrayLike, predicted: ArrayLike) -> float:
    """Return the rank correlation, ties at their mean rank; NaN when either is constant.

    Examples
    --------
    >>> round(spearman([1, 2, 3], [10, 30, 20]), 6)
    0.5
    """
    observed = np.asarray(y, dtype=np.float64)
    return point(spearman_statistic(observed, np.asarray(predicted, dtype=np.float64)), observed.size)


def spearman_statistic(y: FloatArray, predicted: FloatArray) -> Statistic:
    """Return the rank correlation as a statistic of row weights; ranks are those of the resample."""
    places = [tie_bounds(y), tie_bounds(predicted)]

    def statistic(weights: FloatArray) -> FloatArray:
        total = weights.sum(axis=1, keepdims=True)
        first, second = (_centred_ranks(weights, *place) / np.maximum(total, 1) for place in places)
        spread = (weights * first**2).sum(axis=1) * (weights * second**2).sum(axis=1)
        usable = np.where(spread > 1e-18 * total[:, 0] ** 2, spread, 0.0)
        return weighted_ratio((weights * first * second).sum(axis=1), np.sqrt(usable))

    return statistic


def _centred_ranks(weights: FloatArray, order: np.ndarray, low: np.ndarray, high: np.ndarray) -> FloatArray:
    below = np.zeros((weights.shape[0], order.size + 1))
    np.cumsum(weights[:, order], axis=1, out=below[:, 1:])
    ranks = np.empty_like(weights)
    # The mean rank over all drawn rows is always half their number.
    ranks[:, order] = (below[:, low] + below[:, high] - below[:, -1:]) / 2
    return ranks


def coverage(y: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> float:
    """Return the share of outcomes within their interval, ends included.

    Examples
    --------
    >>> coverage([1, 5], [0, 0], [2, 2])
    0.5
    """
    observed = np.asarray(y)
    return float(np.mean((observed >= np.asarray(lower)) & (observed <= np.asarray(upper))))
