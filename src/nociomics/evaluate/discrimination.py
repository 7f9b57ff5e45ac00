"""How well a score separates events from non-events: AUROC, DeLong variance, interval and paired test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nociomics.evaluate.bootstrap import Statistic, point, weighted_ratio
from nociomics.evaluate.estimate import FloatArray, IntArray


@dataclass(frozen=True)
class PairedTest:
    """DeLong's test of two scores on the same people: difference of AUROCs, its z and two-sided p."""

    difference: float
    standard_error: float
    z: float
    p: float


def auroc(y: ArrayLike, score: ArrayLike) -> float:
    """Return the probability that an event scores higher than a non-event, ties counted half.

    Parameters
    ----------
    y : array of 0/1
        Events.
    score : array of float
        Higher means more likely; any monotone scale.

    Returns
    -------
    float
        0 to 1; NaN when there are no events or no non-events.

    Examples
    --------
    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    events = np.asarray(y, dtype=np.float64)
    return point(auroc_statistic(events, np.asarray(score, dtype=np.float64)), events.size)


def auroc_statistic(y: FloatArray, score: FloatArray) -> Statistic:
    """Return the AUROC as a statistic of row weights; scores are sorted once for all resamples."""
    order, low, high = tie_bounds(score)
    is_event = y[order] > 0
    low, high = low[is_event], high[is_event]

    def statistic(weights: FloatArray) -> FloatArray:
        ordered = weights[:, order]
        events = ordered[:, is_event]
        below = np.zeros((weights.shape[0], y.size + 1))
        np.cumsum(np.where(is_event, 0.0, ordered), axis=1, out=below[:, 1:])
        won = (events * (below[:, low] + below[:, high])).sum(axis=1) / 2
        return weighted_ratio(won, events.sum(axis=1) * below[:, -1])

    return statistic


def tie_bounds(values: FloatArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return the sorting order and, per sorted place, where its run of equal values begins and ends.

    Examples
    --------
    >>> [part.tolist() for part in tie_bounds(np.array([2.0, 1.0, 2.0]))]
    [[1, 0, 2], [0, 1, 1], [1, 3, 3]]
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    low = np.searchsorted(ordered, ordered, side="left")
    high = np.searchsorted(ordered, ordered, side="right")
    return order, low, high


def delong_variance(y: ArrayLike, score: ArrayLike) -> tuple[float, float]:
    """Return the AUROC and its variance by DeLong's structural components.

    For one fixed test set; out-of-fold predictions of a cross-validation want the bootstrap over people.

    Returns
    -------
    tuple of float
        AUROC and variance; NaN with fewer than two events or two non-events.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837.
    """
    area, covariance = _delong(np.asarray(y), [np.asarray(score, dtype=np.float64)])
    return float(area[0]), float(covariance[0, 0])


def delong_interval(y: ArrayLike, score: ArrayLike, level: float = 0.95) -> tuple[float, float, float]:
    """Return AUROC, lower and upper by DeLong's variance and the normal approximation, kept within 0 to 1."""
    from scipy.stats import norm

    area, variance = delong_variance(y, score)
    half = float(norm.ppf((1 + level) / 2) * np.sqrt(variance))
    lower, upper = np.clip([area - half, area + half], 0.0, 1.0)
    return area, float(lower), float(upper)


def delong_paired_test(y: ArrayLike, first: ArrayLike, second: ArrayLike) -> PairedTest:
    """Test whether two scores of the same people have the same AUROC.

    Returns
    -------
    PairedTest
        First minus second; two equal scores have difference 0 and p = 1.
    """
    from scipy.stats import norm

    scores = [np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)]
    area, covariance = _delong(np.asarray(y), scores)
    gap = float(area[0] - area[1])
    error = float(np.sqrt(max(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], 0.0)))
    if error == 0.0:
        return PairedTest(gap, 0.0, 0.0 if gap == 0 else float(np.copysign(np.inf, gap)), 1.0 if gap == 0 else 0.0)
    z = gap / error
    return PairedTest(gap, error, z, 2 * float(norm.sf(abs(z))))


def _delong(y: np.ndarray, scores: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
    is_event = y > 0
    if min(is_event.sum(), (~is_event).sum()) < 2:
        area = np.array([auroc(y, score) for score in scores])
        return area, np.full((len(scores), len(scores)), np.nan)
    placements = [_placements(score[is_event], score[~is_event]) for score in scores]
    of_events = np.stack([events for events, _ in placements])
    of_others = np.stack([others for _, others in placements])
    covariance = np.cov(of_events) / of_events.shape[1] + np.cov(of_others) / of_others.shape[1]
    return of_events.mean(axis=1), np.atleast_2d(covariance)


def _placements(events: FloatArray, others: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Per event the share of non-events below it, per non-event the share of events above it; ties half."""
    return _share_below(events, others), 1 - _share_below(others, events)


def _share_below(values: FloatArray, reference: FloatArray) -> FloatArray:
    ordered = np.sort(reference)
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    return below / (2 * ordered.size)
