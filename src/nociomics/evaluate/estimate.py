"""One figure with its interval, the number of people behind it and how it was found."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """A figure of a run.

    Parameters
    ----------
    value, lower, upper : float, optional
        The figure and its 95 % interval; null when it cannot be computed, and then `method` says why.
    n : int
        People (not rows) behind it.
    method : str
        How it was found, in words, or why there is none.
    """

    value: float | None
    lower: float | None
    upper: float | None
    n: int
    method: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form: keys value, lower, upper, n, method; no NaN."""
        return asdict(self)


def finite(value: float) -> float | None:
    """Return a plain float, or null for NaN and infinity, which JSON lacks.

    Examples
    --------
    >>> finite(float("nan")) is None, finite(0.5)
    (True, 0.5)
    """
    return float(value) if math.isfinite(value) else None


def estimate(value: float, n: int, method: str, interval: tuple[float, float] | None = None) -> Estimate:
    """Build an `Estimate`; NaN becomes null."""
    lower, upper = interval if interval is not None else (math.nan, math.nan)
    return Estimate(finite(value), finite(lower), finite(upper), int(n), method)


def not_computed(reason: str, n: int) -> Estimate:
    """Build an `Estimate` without a value; the reason stands where the method would."""
    return Estimate(None, None, None, int(n), f"not computed: {reason}")
