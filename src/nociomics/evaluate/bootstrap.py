"""Bootstrap over people: all rows of one person are drawn, or left out, together.

A resample is a row of weights: how often each person was drawn. Every figure is written once, as a
statistic of such weights, so that the point estimate (all weights 1) and a thousand resamples run
through the same vectorised code.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from nociomics.evaluate.estimate import FloatArray, IntArray

Statistic = Callable[[FloatArray], FloatArray]
"""Weights (resamples x rows) in, one figure per resample out; NaN where it is undefined."""

RESAMPLES = 1000
_CELLS = 4_000_000
_USABLE_SHARE = 0.9


def point(statistic: Statistic, n_rows: int) -> float:
    """Return a statistic of the data as they are.

    Examples
    --------
    >>> point(mean_statistic(np.array([1.0, 3.0])), 2)
    2.0
    """
    return float(statistic(np.ones((1, n_rows)))[0])


def bootstrap_draws(statistic: Statistic, people: IntArray, *, resamples: int = RESAMPLES, seed: int = 1) -> FloatArray:
    """Draw people with replacement and return the statistic of each resample.

    Parameters
    ----------
    statistic : Statistic
        Takes weights (resamples x rows).
    people : array of int, one per row
        Person of each row, numbered 0 to persons - 1.
    resamples : int
        How many.
    seed : int
        Same seed, same people: differences of two statistics are paired by it.

    Returns
    -------
    array of float, one per resample
        NaN where a resample does not allow the figure (no events in it).

    Examples
    --------
    >>> draws = bootstrap_draws(mean_statistic(np.array([2.0, 2.0])), np.array([0, 1]), resamples=3)
    >>> draws.tolist()
    [2.0, 2.0, 2.0]
    """
    n_people = int(people.max()) + 1
    step = max(1, _CELLS // max(people.size, 1))
    drawn = _times_drawn(n_people, resamples, seed)
    parts = [
        statistic(drawn[start : start + step][:, people].astype(np.float64)) for start in range(0, resamples, step)
    ]
    return np.concatenate(parts)


@lru_cache(maxsize=4)
def _times_drawn(n_people: int, resamples: int, seed: int) -> np.ndarray:
    """How often each resample holds each person, (resamples, n_people); figures of the same people share it."""
    drawn = np.random.default_rng(seed).multinomial(n_people, np.full(n_people, 1.0 / n_people), size=resamples)
    small = drawn.astype(np.uint16)
    small.flags.writeable = False
    return small


def percentile_interval(draws: FloatArray, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of bootstrap draws.

    Undefined draws are left out; when more than a tenth is undefined there is no interval (NaN, NaN).

    Examples
    --------
    >>> [round(end, 6) for end in percentile_interval(np.arange(101.0), level=0.9)]
    [5.0, 95.0]
    """
    usable = draws[np.isfinite(draws)]
    if usable.size < max(2, _USABLE_SHARE * draws.size):
        return float("nan"), float("nan")
    lower, upper = np.quantile(usable, [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)


def bootstrap_interval(
    statistic: Statistic, people: IntArray, *, resamples: int = RESAMPLES, seed: int = 1, level: float = 0.95
) -> tuple[float, float, float]:
    """Return a statistic with its percentile interval over people.

    Returns
    -------
    tuple of float
        Value, lower, upper; NaN where undefined.
    """
    draws = bootstrap_draws(statistic, people, resamples=resamples, seed=seed)
    return (point(statistic, people.size), *percentile_interval(draws, level))


def difference(first: Statistic, second: Statistic) -> Statistic:
    """Return the statistic first minus second, both on the same resampled people (paired)."""
    return lambda weights: first(weights) - second(weights)


def paired_difference(
    first: Statistic,
    second: Statistic,
    people: IntArray,
    *,
    resamples: int = RESAMPLES,
    seed: int = 1,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Return first minus second with its interval; both see the same people in every resample."""
    return bootstrap_interval(difference(first, second), people, resamples=resamples, seed=seed, level=level)


def mean_statistic(values: FloatArray) -> Statistic:
    """Return the weighted mean of one value per row, such as a loss."""
    fixed = np.asarray(values, dtype=np.float64)
    return lambda weights: weighted_ratio(weights @ fixed, weights.sum(axis=1))


def mean_interval(
    values: FloatArray, people: IntArray, *, resamples: int = RESAMPLES, seed: int = 1, level: float = 0.95
) -> tuple[float, float, float]:
    """Return the mean over rows with its interval over people; rows are summed per person first, for speed."""
    sums, counts = np.bincount(people, weights=values), np.bincount(people)

    def statistic(weights: FloatArray) -> FloatArray:
        return weighted_ratio(weights @ sums, weights @ counts)

    return bootstrap_interval(statistic, np.arange(counts.size), resamples=resamples, seed=seed, level=level)


def mean_within(groups: IntArray, make: Callable[[IntArray], Statistic]) -> Statistic:
    """Return the plain mean of a statistic computed within each group of rows.

    Pooling the folds of a cross-validation mixes their intercepts; the mean within folds does not.

    Parameters
    ----------
    groups : array of int, one per row
        Fold of each row.
    make : callable
        From the row numbers of one group to the statistic of these rows.

    Returns
    -------
    Statistic
        A group in which the figure is undefined is left out of the mean; NaN when all are.
    """
    parts = [(rows, make(rows)) for rows in (np.flatnonzero(groups == group) for group in np.unique(groups))]

    def statistic(weights: FloatArray) -> FloatArray:
        values = np.stack([part(weights[:, rows]) for rows, part in parts])
        defined = np.isfinite(values)
        return weighted_ratio(np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0))

    return statistic


def weighted_ratio(top: FloatArray, bottom: FloatArray | IntArray) -> FloatArray:
    """Divide, with NaN where the divisor is 0."""
    result = np.full(np.shape(top), np.nan)
    np.divide(top, bottom, out=result, where=bottom != 0)
    return result
