"""ComBat that is learned once and applied to new people: batch shifts and spreads, drawn towards their batch's mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

FEWEST_PER_BATCH = 10
BATCH_UNSEEN = "batch_unseen"
_TOLERANCE = 1e-4
_MOST_ROUNDS = 1000


@dataclass(frozen=True)
class FrozenComBat:
    """What ComBat learned of its training people; neither outcome nor treatment ever enters.

    Attributes
    ----------
    batches : list of str, length B
        Batches with enough people, sorted.
    mean, variance : ndarray of shape (n_columns,)
        Mean over batches weighted by their people, and variance within batches.
    shift, spread : ndarray of shape (B, n_columns)
        Additive and multiplicative part of each batch on the standardised scale (gamma* and delta*), shrunken.

    References
    ----------
    Johnson, Li and Rabinovic, Biostatistics 2007;8:118 (parametric empirical Bayes); `sva::ComBat` of Bioconductor.
    """

    batches: list[str]
    mean: np.ndarray
    variance: np.ndarray
    shift: np.ndarray
    spread: np.ndarray

    def known(self, batch: np.ndarray) -> np.ndarray:
        """Whether each person's batch was learned."""
        return np.isin(batch.astype(str), self.batches)

    def transform(self, values: np.ndarray, batch: np.ndarray) -> np.ndarray:
        """Take the batch out of each row, one row at a time; a batch that is not known leaves its rows as they are.

        Parameters
        ----------
        values : ndarray of shape (n_people, n_columns)
            NaN where not measured, and there alone afterwards.
        batch : ndarray of str, shape (n_people,)
            ``""`` where unknown.
        """
        corrected = np.array(values, dtype=float)
        size = np.sqrt(self.variance)
        for place, name in enumerate(self.batches):
            rows = batch == name
            if not rows.any():
                continue
            part = corrected[rows]  # each step in its place: many people are much memory
            part -= self.mean
            part /= size
            part -= self.shift[place]
            part /= np.sqrt(self.spread[place])
            part *= size
            part += self.mean
            corrected[rows] = part
        return corrected

    def with_batches_of(self, values: np.ndarray, batch: np.ndarray) -> FrozenComBat:
        """Learn location and scale of further batches from at least 10 people each, without any outcome.

        What was learned before stays as it is. The people given are then corrected with the help of each other:
        only for whole new batches, never for a single new person.
        """
        further = [name for name in _large_batches(batch) if name not in self.batches]
        if not further:
            return self
        standard = (values - self.mean) / np.sqrt(self.variance)
        learned = [_shrunken(standard[batch == name]) for name in further]
        order = np.argsort([*self.batches, *further], kind="stable")
        return replace(
            self,
            batches=sorted([*self.batches, *further]),
            shift=np.vstack([self.shift, *[shift for shift, _ in learned]])[order],
            spread=np.vstack([self.spread, *[spread for _, spread in learned]])[order],
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything learned, as plain JSON values."""
        arrays = {name: getattr(self, name).tolist() for name in ("mean", "variance", "shift", "spread")}
        return {"batches": list(self.batches), **arrays}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> FrozenComBat:
        """Rebuild from `to_dict`."""
        mean = np.asarray(stored["mean"], dtype=float)
        shape = (len(stored["batches"]), mean.size)
        shift, spread = (np.asarray(stored[name], dtype=float).reshape(shape) for name in ("shift", "spread"))
        return cls(list(stored["batches"]), mean, np.asarray(stored["variance"], dtype=float), shift, spread)


def fit_combat(values: np.ndarray, batch: np.ndarray, fewest: int = FEWEST_PER_BATCH) -> FrozenComBat:
    """Learn batch effects with parametric empirical Bayes, as `sva::ComBat` does without covariates.

    Parameters
    ----------
    values : ndarray of shape (n_people, n_columns)
        On a scale where batches shift and stretch (log2 for expression); NaN where not measured.
    batch : ndarray of str, shape (n_people,)
        ``""`` where unknown.
    fewest : int
        Smaller batches are not learned: their rows pass through.

    Notes
    -----
    A column that does not vary within one of the batches is left uncorrected, as `sva` does. With missing values `sva`
    divides the pooled variance by one less; here the divisor is always the number of values.
    """
    batches = _large_batches(batch, fewest)
    width = values.shape[1]
    if not batches:
        return FrozenComBat([], np.zeros(width), np.ones(width), np.empty((0, width)), np.empty((0, width)))
    parts = [values[batch == name] for name in batches]
    counts = np.array([(~np.isnan(part)).sum(axis=0) for part in parts])
    means = np.array([_mean(part) for part in parts])
    total = np.maximum(counts.sum(axis=0), 1)
    mean = (counts * means).sum(axis=0) / total
    squares = np.array([np.nansum((part - own) ** 2, axis=0) for part, own in zip(parts, means, strict=True)])
    pooled = squares.sum(axis=0) / total
    usable = (squares > 1e-12 * counts).all(axis=0) & (counts >= 2).all(axis=0)
    variance = np.where(usable, pooled, 1.0)
    shift, spread = np.zeros((len(batches), width)), np.ones((len(batches), width))
    if usable.any():
        size = np.sqrt(variance[usable])
        for place, part in enumerate(parts):
            shift[place, usable], spread[place, usable] = _shrunken((part[:, usable] - mean[usable]) / size)
    return FrozenComBat(batches, mean, variance, shift, spread)


def _large_batches(batch: np.ndarray, fewest: int = FEWEST_PER_BATCH) -> list[str]:
    names, counts = np.unique(batch.astype(str), return_counts=True)
    return sorted(str(name) for name, count in zip(names, counts, strict=True) if name and count >= fewest)


def _mean(part: np.ndarray) -> np.ndarray:
    """Return column means over what was measured, 0 where nothing was."""
    known = ~np.isnan(part)
    return np.asarray(np.where(known, part, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _shrunken(standard: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return shift and spread of one batch's standardised columns, drawn towards those of its other columns."""
    count = (~np.isnan(standard)).sum(axis=0)
    own = count >= 2
    shift, spread = np.zeros(standard.shape[1]), np.ones(standard.shape[1])
    values, n = standard[:, own], count[own]
    first = _mean(values)
    second = np.nansum((values - first) ** 2, axis=0) / np.maximum(n - 1, 1)
    moving = second > 0
    if moving.sum() < 2:  # one column has nothing to be drawn towards
        shift[np.flatnonzero(own)[moving]], spread[np.flatnonzero(own)[moving]] = first[moving], second[moving]
        return shift, spread
    places = np.flatnonzero(own)[moving]
    shift[places], spread[places] = _solved(values[:, moving], n[moving], first[moving], second[moving])
    return shift, spread


def _solved(values: np.ndarray, n: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Alternate the posterior means of shift and spread until neither moves, with `sva`'s stopping rule."""
    prior_mean, prior_variance = first.mean(), first.var(ddof=1)
    middle, wide = second.mean(), second.var(ddof=1)
    if wide < 1e-12 or prior_variance < 1e-12:
        return first, second
    shape, rate = (2 * wide + middle**2) / wide, (middle * wide + middle**3) / wide
    known, total, squares = ~np.isnan(values), np.nansum(values, axis=0), np.nansum(values**2, axis=0)
    count = known.sum(axis=0)
    shift, spread = first, second
    for _ in range(_MOST_ROUNDS):
        new_shift = (prior_variance * n * first + spread * prior_mean) / (prior_variance * n + spread)
        errors = squares - 2 * new_shift * total + count * new_shift**2
        new_spread = (0.5 * errors + rate) / (n / 2 + shape - 1)
        # relative to the signed old value, as in sva: a negative shift does not hold the loop up
        moved = max(
            _largest_share(np.abs(new_shift - shift), shift), _largest_share(np.abs(new_spread - spread), spread)
        )
        shift, spread = new_shift, new_spread
        if moved <= _TOLERANCE:
            break
    return shift, spread


def _largest_share(change: np.ndarray, old: np.ndarray) -> float:
    return float(np.divide(change, old, out=np.zeros_like(change), where=old != 0).max())
