"""How far outcomes lie from their expectation, where that depends on the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

# a spread that doubles over two standard deviations of the baseline is within one standard deviation of this prior
_PRIOR_SD = 0.35
_FEWEST = 20


@dataclass(frozen=True)
class Spread:
    """Standard deviation of an outcome around its expectation.

    Attributes
    ----------
    sd : float
        At the mean baseline, in points; the same for everyone where ``slope`` is 0.
    slope : float
        Change of its logarithm per standard deviation of the baseline.
    centre, scale : float
        Mean and standard deviation of the baseline, in points.
    low, high : float
        Smallest and largest baseline learned from: beyond them the spread stays as it is there.
    """

    sd: float
    slope: float = 0.0
    centre: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 0.0

    def at(self, baseline: np.ndarray) -> np.ndarray:
        """Return each person's standard deviation in points; at an unknown baseline (NaN), that of the mean one."""
        known = np.where(np.isnan(baseline), self.centre, baseline)
        within = np.minimum(np.maximum(known, self.low), self.high) if self.slope else known
        return np.asarray(self.sd * np.exp(self.slope * (within - self.centre) / self.scale))

    def to_dict(self) -> dict[str, float]:
        """Return it as plain JSON values."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Spread:
        """Rebuild from `to_dict`."""
        return cls(**stored)


def fit_spread(residual: np.ndarray, baseline: np.ndarray) -> Spread:
    """Learn the spread from errors out of fold.

    A fall by half asks for three points of somebody who began at six and for thirty of somebody who began at sixty:
    where the spread grows with the baseline, one spread for all puts the probability of a response in the wrong order.

    Parameters
    ----------
    residual : ndarray of shape (n_people,)
        Outcome minus expectation, in points, from models that did not see the person.
    baseline : ndarray of shape (n_people,)
        In points; NaN where unknown.

    Returns
    -------
    Spread
        The same for everyone with fewer than 20 known baselines, or when these do not vary.

    References
    ----------
    Multiplicative heteroscedasticity by maximum likelihood: Harvey 1976, Econometrica 44:461.
    """
    overall = float(np.sqrt(np.mean(residual**2)))
    known = ~np.isnan(baseline)
    x, r = baseline[known], residual[known]
    if len(x) < _FEWEST or x.std() < 1e-9 or overall < 1e-12:
        return Spread(overall)
    centre, scale = float(x.mean()), float(x.std())
    z, squared = (x - centre) / scale, (r / overall) ** 2

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        log_sd = parameters[0] + parameters[1] * z
        ratio = squared * np.exp(-2 * log_sd)
        value = np.sum(log_sd + ratio / 2) + 0.5 * (parameters[1] / _PRIOR_SD) ** 2
        slopes = 1 - ratio
        return float(value), np.array([slopes.sum(), slopes @ z + parameters[1] / _PRIOR_SD**2])

    found = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-5, 5), (-1.5, 1.5)])
    return Spread(overall * float(np.exp(found.x[0])), float(found.x[1]), centre, scale, float(x.min()), float(x.max()))
