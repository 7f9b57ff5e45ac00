"""Bins with round edges: they show the shape of a cohort and no person's value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

MOST_BINS = 24
FEWEST = 5  # quartiles of fewer values would come near to telling a person's
_TAIL = 0.005
_SAME = 1e-9  # closer than this, numbers are one number
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Bins:
    """A histogram: ``edges`` has one number more than ``counts``; an open end has an infinite edge."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


def round_bins(values: Floats, log: bool = False, whole: bool = False) -> Bins:
    """Count values in at most 26 bins with round edges.

    A few values far away would press all others into one bin: what lies further out than the middle
    99% is wide falls into an open bin at its end.

    Parameters
    ----------
    values : array of float
        Finite; on the log axis only those above 0 are counted.
    log : bool
        Edges are evenly spaced in log10; they are given in the values' own unit.
    whole : bool
        Values are whole numbers (scores, answers): each bin holds at least one of them, in its middle.

    Examples
    --------
    >>> round_bins(np.array([0.0, 1.0, 1.0, 3.0]), whole=True)
    Bins(edges=(-0.5, 0.5, 1.5, 2.5, 3.5), counts=(1, 2, 0, 1))
    >>> bins = round_bins(np.array([1.0] * 300 + [2.0] * 300 + [5000.0]))
    >>> bins.edges[-2:], bins.counts[-1]
    ((3.1, inf), 1)
    """
    shown = np.log10(values[values > 0]) if log else values
    if shown.size == 0:
        return Bins((), ())
    low, high = _reach(shown)
    span = high - low if high - low > _SAME * max(abs(low), abs(high)) else 0.0
    step = _step(span, whole)
    first = (math.floor(low) - 0.5) if whole else math.floor(low / step + 1e-9) * step
    number = max(1, math.floor((high - first) / step + 1e-9) + 1)
    inner = first + step * np.arange(number + 1)
    edges = np.round(inner, max(0, 3 - math.floor(math.log10(step))))  # a step of 0.1 is no exact number
    if float(shown.min()) < edges[0]:
        edges = np.concatenate([[-np.inf], edges])
    if float(shown.max()) >= edges[-1]:
        edges = np.concatenate([edges, [np.inf]])
    counts = np.bincount(np.searchsorted(edges, shown, side="right") - 1, minlength=edges.size - 1)
    told = [_from_log(edge) if log else float(edge) for edge in edges]
    return Bins(tuple(told), tuple(int(count) for count in counts))


def _from_log(edge: float) -> float:
    if math.isinf(edge):
        return 0.0 if edge < 0 else math.inf
    return float(f"{10.0**edge:.6g}")


def _reach(shown: Floats) -> tuple[float, float]:
    """Where the closed bins begin and end."""
    near, far = (float(value) for value in np.quantile(shown, [_TAIL, 1 - _TAIL]))
    width = far - near
    low, high = float(shown.min()), float(shown.max())
    if width > 0:
        low, high = max(low, near - width), min(high, far + width)
    else:
        low, high = max(low, near - 1), min(high, far + 1)
    return low, high


def _step(span: float, whole: bool) -> float:
    """Smallest round step that makes few enough bins."""
    if span <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / MOST_BINS))
    step = next(power * factor for factor in _STEPS if span / (power * factor) <= MOST_BINS)
    return float(max(1, math.ceil(step))) if whole else step


def quartiles(values: Floats) -> tuple[float | None, float | None, float | None]:
    """Lower quartile, median, upper quartile; nulls for fewer than five values."""
    if values.size < FEWEST:
        return None, None, None
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)
