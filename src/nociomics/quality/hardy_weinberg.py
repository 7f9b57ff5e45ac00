"""The exact test of Hardy-Weinberg equilibrium, for many variants at once."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

_SAME = 1e-9
"""Logarithms of probabilities that differ by less are equal."""
_NEGLIGIBLE = 1e-17


def hardy_weinberg_p(copies: np.ndarray, *, mid_p: bool = False) -> np.ndarray:
    """Test whether the genotypes of each variant are as their alleles mixed at random.

    Given the alleles, the number of heterozygotes has an exact distribution; p is the probability of all numbers
    that are at most as probable as the one seen. With ``mid_p``, those equally probable count half.

    Parameters
    ----------
    copies : ndarray of int, shape (variants, 3)
        People with no, one and two copies of the allele.
    mid_p : bool
        Count the observed probability half; less conservative for rare alleles.

    Returns
    -------
    ndarray of float, shape (variants,)
        NaN where nobody was called.

    References
    ----------
    Wigginton, Cutler, Abecasis: American Journal of Human Genetics 2005, 76:887-893; mid-p: Graffelman, Moreno:
    Statistical Applications in Genetics and Molecular Biology 2013, 12:433-448.

    Examples
    --------
    >>> hardy_weinberg_p(np.array([[79, 57, 4], [1, 0, 1], [5, 0, 0]])).round(4).tolist()
    [0.1514, 0.3333, 1.0]
    """
    het, homs = copies[:, 1], np.sort(copies[:, [0, 2]], axis=1)
    base = np.int64(copies.sum(axis=1).max(initial=0) + 1)
    keys = (het.astype(np.int64) * base + homs[:, 0]) * base + homs[:, 1]
    _, first, where = np.unique(keys, return_index=True, return_inverse=True)
    different = np.column_stack([het, homs])[first]
    found = np.full(len(different), np.nan)
    called = different.sum(axis=1) > 0
    found[called] = _p(_Heterozygotes(different[called]), mid_p)
    return found[where]


class _Heterozygotes:
    """How probable each number of heterozygotes is; the numbers of one variant are ``parity + 2 * step``."""

    def __init__(self, triples: np.ndarray) -> None:
        het, fewer = triples[:, 0], triples[:, 1]
        self.people = triples.sum(axis=1)
        self.rare = het + 2 * fewer
        self.parity = self.rare % 2
        self.last = (self.rare - self.parity) // 2
        self.seen = (het - self.parity) // 2
        others = 2 * self.people - self.rare
        self._constant = _log_factorial(self.people) + _log_factorial(self.rare) + _log_factorial(others)
        self._constant -= _log_factorial(2 * self.people)
        centre = (self.rare * (others / np.maximum(2 * self.people, 1)) - self.parity) / 2
        near = np.clip(np.floor(centre).astype(np.int64)[:, None] + np.arange(-1, 3), 0, self.last[:, None])
        logs = np.column_stack([self.log_probability(step) for step in near.T])
        self.mode = near[np.arange(len(near)), np.argmax(logs, axis=1)]

    def homs(self, step: np.ndarray, which: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        het = self.parity[which] + 2 * step
        rare = (self.rare[which] - het) // 2
        return rare, self.people[which] - het - rare

    def log_probability(self, step: np.ndarray) -> np.ndarray:
        het = self.parity + 2 * step
        rare, common = self.homs(step)
        found: np.ndarray = (
            self._constant - _log_factorial(rare) - _log_factorial(het) - _log_factorial(common) + het * np.log(2.0)
        )
        return found

    def tail(self, start: np.ndarray, upward: bool, which: np.ndarray) -> np.ndarray:
        """Sum the probabilities from a step outwards; 0 where the step lies outside."""
        inside = which & (start >= 0) & (start <= self.last)
        term = np.where(inside, np.exp(self.log_probability(np.clip(start, 0, self.last))), 0.0)
        total, step = term.copy(), start.copy()
        active = np.flatnonzero(inside)
        while len(active):
            term[active] *= self._ratio(step[active], upward, active)
            step[active] += 1 if upward else -1
            total[active] += term[active]
            active = active[term[active] > _NEGLIGIBLE * total[active]]
        return total

    def _ratio(self, step: np.ndarray, upward: bool, which: np.ndarray) -> np.ndarray:
        """Of a step's neighbour to its own probability; 0 at the end."""
        het = (self.parity[which] + 2 * step).astype(float)
        rare, common = self.homs(step, which)
        up = 4.0 * rare * common, (het + 2) * (het + 1)
        down = het * (het - 1), 4.0 * (rare + 1) * (common + 1)
        above, below = up if upward else down
        found: np.ndarray = above / below
        return found


def _log_factorial(number: np.ndarray) -> np.ndarray:
    found: np.ndarray = gammaln(number + 1.0)
    return found


def _p(numbers: _Heterozygotes, mid_p: bool) -> np.ndarray:
    seen = numbers.log_probability(numbers.seen)
    # two neighbours may be equally probable, and then either is the mode
    equal = (numbers.seen != numbers.mode) & (np.abs(numbers.log_probability(numbers.mode) - seen) <= _SAME)
    above = np.where(equal, numbers.seen < numbers.mode, numbers.seen >= numbers.mode)
    numbers.mode = np.where(equal, numbers.seen, numbers.mode)
    other = _as_improbable(numbers, seen, above)
    p = np.where(
        above,
        numbers.tail(numbers.seen, True, above) + numbers.tail(other, False, above),
        numbers.tail(numbers.seen, False, ~above) + numbers.tail(other, True, ~above),
    )
    if mid_p:
        inside = (other >= 0) & (other <= numbers.last)
        beyond = numbers.log_probability(np.clip(other, 0, numbers.last))
        p -= np.exp(seen) * (1 + equal + (inside & (np.abs(beyond - seen) <= _SAME))) / 2
    found: np.ndarray = np.minimum(p, 1.0)  # sums of rounded terms may exceed 1 by some 1e-12
    return found


def _as_improbable(numbers: _Heterozygotes, seen: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Find, beyond the mode, the nearest step that is at most as probable; one past the end where none is."""
    # between the mode and the far end probabilities only fall, so halving finds the place
    near = numbers.mode.copy()
    far = np.where(above, -1, numbers.last + 1)
    while True:
        open_ = np.abs(far - near) > 1
        if not open_.any():
            return far
        middle = np.where(open_, (near + far) // 2, near)
        low = numbers.log_probability(middle) <= seen + _SAME
        far = np.where(open_ & low, middle, far)
        near = np.where(open_ & ~low, middle, near)
