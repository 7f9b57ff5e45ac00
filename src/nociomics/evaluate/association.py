"""How far groups of people go with something else: corrected for bias, with an interval and a permutation p."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from nociomics.evaluate.bootstrap import Statistic, bootstrap_draws, percentile_interval, point
from nociomics.evaluate.estimate import FloatArray, IntArray, finite

RESAMPLES = 500
PERMUTATIONS = 999
FEWEST_PEOPLE = 20


@dataclass(frozen=True)
class Association:
    """A strength of association; everything but ``measure`` and ``n`` is null where it cannot be computed."""

    measure: str
    value: float | None
    lower: float | None
    upper: float | None
    p: float | None
    n: int


def numbered(labels: list[str | None]) -> IntArray:
    """Give labels numbers in the order of their names; -1 where there is none.

    Examples
    --------
    >>> numbered(["b", None, "a"]).tolist()
    [1, -1, 0]
    """
    places = {name: place for place, name in enumerate(sorted({label for label in labels if label is not None}))}
    return np.array([-1 if label is None else places[label] for label in labels], dtype=np.int64)


def categories_together(first: IntArray, second: IntArray, seed: int) -> Association:
    """Cramer's V of two groupings, corrected for bias.

    Parameters
    ----------
    first, second : array of int, one per person
        Numbers of the groups, -1 where not known.

    References
    ----------
    Bergsma W. A bias-correction for Cramer's V and Tschuprow's T. J Korean Stat Soc 2013;42:323-8. A resample
    repeats people, which adds the same bias once more: it is taken off twice there.
    """
    known = (first >= 0) & (second >= 0)
    rows, columns = _dense(first[known]), _dense(second[known])
    n = int(known.sum())
    if n < FEWEST_PEOPLE or min(rows.max(initial=0), columns.max(initial=0)) < 1:
        return Association("cramers_v", None, None, None, None, n)
    shape = (int(rows.max()) + 1, int(columns.max()) + 1)
    cells = np.eye(shape[0] * shape[1])[rows * shape[1] + columns]
    value = float(_cramers_v((np.ones((1, n)) @ cells).reshape(1, *shape), 1)[0])
    draws = bootstrap_draws(
        lambda weights: _cramers_v((weights @ cells).reshape(-1, *shape), 2),
        np.arange(n),
        resamples=RESAMPLES,
        seed=seed,
    )
    rng = np.random.default_rng([seed, 1])
    expected = np.outer(np.bincount(rows), np.bincount(columns)) / n

    def chi_squared(order: IntArray) -> float:
        counts = np.bincount(rows[order] * shape[1] + columns, minlength=expected.size).reshape(shape)
        return float(((counts - expected) ** 2 / expected).sum())

    return _found("cramers_v", value, draws, _permuted(chi_squared, n, rng), n)


def group_and_number(groups: IntArray, values: FloatArray, seed: int) -> Association:
    """Correlation ratio of a number in groups: the root of the share of its variance that lies between them.

    Corrected for the number of groups (epsilon squared, Kelley 1935), so that it is about 0 for groups by lot; for
    two groups and a 0/1 value it lies on the scale of Cramer's V.

    Parameters
    ----------
    groups : array of int, one per person
        -1 where not known.
    values : array of float, one per person
        NaN where not measured.
    """
    known = (groups >= 0) & np.isfinite(values)
    member, numbers = _dense(groups[known]), values[known]
    n = int(known.sum())
    if n < FEWEST_PEOPLE or member.max(initial=0) < 1 or np.ptp(numbers) < 1e-12:
        return Association("correlation_ratio", None, None, None, None, n)
    inside = np.eye(int(member.max()) + 1)[member]
    centred = numbers - numbers.mean()
    value = float(_ratio(np.ones((1, n)), inside, centred, 1)[0])
    draws = bootstrap_draws(
        lambda weights: _ratio(weights, inside, centred, 2), np.arange(n), resamples=RESAMPLES, seed=seed
    )
    sizes = inside.sum(axis=0)
    rng = np.random.default_rng([seed, 1])

    def between(order: IntArray) -> float:
        return float((np.bincount(member, centred[order]) ** 2 / sizes).sum())

    return _found("correlation_ratio", value, draws, _permuted(between, n, rng), n)


def numbers_together(first: FloatArray, second: FloatArray, seed: int) -> Association:
    """Spearman's rank correlation of two numbers; NaN where not measured."""
    known = np.isfinite(first) & np.isfinite(second)
    n = int(known.sum())
    ranks = [rankdata(values[known]) if n else values[known] for values in (first, second)]
    if n < FEWEST_PEOPLE or min(np.ptp(rank) for rank in ranks) < 1e-12:
        return Association("correlation", None, None, None, None, n)
    one, two = (rank - rank.mean() for rank in ranks)
    statistic = _correlation(one, two)
    rng = np.random.default_rng([seed, 1])
    draws = bootstrap_draws(statistic, np.arange(n), resamples=RESAMPLES, seed=seed)
    p = _permuted(lambda order: abs(float(one[order] @ two)), n, rng)
    return _found("correlation", point(statistic, n), draws, p, n)


def _found(measure: str, value: float, draws: FloatArray, p: float, n: int) -> Association:
    lower, upper = percentile_interval(draws)
    return Association(measure, finite(value), finite(lower), finite(upper), p, n)


def _dense(groups: IntArray) -> IntArray:
    """Count the groups that are left from 0."""
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _permuted(statistic: Callable[[IntArray], float], n: int, rng: np.random.Generator) -> float:
    """Share of permutations of people that reach the statistic, the data's own order among them."""
    own = statistic(np.arange(n))
    reached = sum(statistic(rng.permutation(n)) >= own - 1e-12 * abs(own) for _ in range(PERMUTATIONS))
    return float((1 + reached) / (1 + PERMUTATIONS))


def _cramers_v(tables: FloatArray, times: int) -> FloatArray:
    """Cramer's V of each table; the bias of its phi squared is taken off so many times."""
    n = tables.sum(axis=(1, 2))
    row, column = tables.sum(axis=2), tables.sum(axis=1)
    expected = row[:, :, None] * column[:, None, :] / n[:, None, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        cells = np.where(expected > 0, (tables - expected) ** 2 / expected, 0.0)
    rows, columns = (np.maximum((sums > 0).sum(axis=1), 1) for sums in (row, column))
    phi = cells.sum(axis=(1, 2)) / n - times * (rows - 1) * (columns - 1) / (n - 1)
    limit = np.minimum(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(limit > 0, np.minimum(1.0, np.sqrt(np.maximum(phi, 0.0) / limit)), np.nan)


def _ratio(weights: FloatArray, inside: FloatArray, values: FloatArray, times: int) -> FloatArray:
    n = weights.sum(axis=1)
    sizes, sums = weights @ inside, (weights * values) @ inside
    mean = (weights @ values) / n
    total = weights @ values**2 - n * mean**2
    with np.errstate(invalid="ignore", divide="ignore"):
        between = np.where(sizes > 0, sums**2 / sizes, 0.0).sum(axis=1) - n * mean**2
        groups = np.maximum((sizes > 0).sum(axis=1), 1)
        share = between / total
        for _ in range(times):
            share = 1 - (1 - share) * (n - 1) / (n - groups)
        return np.where(total > 0, np.sqrt(np.clip(share, 0.0, 1.0)), np.nan)


def _correlation(first: FloatArray, second: FloatArray) -> Statistic:
    products = np.column_stack([first, second, first * second, first**2, second**2])

    def statistic(weights: FloatArray) -> FloatArray:
        n = weights.sum(axis=1)
        one, two, both, one2, two2 = (weights @ products).T / n
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((both - one * two) / np.sqrt((one2 - one**2) * (two2 - two**2)))

    return statistic
