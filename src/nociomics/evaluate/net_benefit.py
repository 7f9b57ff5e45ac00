"""Net benefit: what acting on a prediction brings, beside treating everyone and treating no one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nociomics.evaluate.estimate import FloatArray


@dataclass(frozen=True)
class NetBenefit:
    """Net benefit at each threshold, in true positives per person; all arrays of one length."""

    thresholds: FloatArray
    model: FloatArray
    treat_all: FloatArray
    treat_none: FloatArray


def net_benefit(y: ArrayLike, p: ArrayLike, thresholds: ArrayLike) -> NetBenefit:
    """Return the net benefit of treating whoever has p at or above a threshold.

    Parameters
    ----------
    y : array of 0/1
    p : array of float
        Predicted probabilities.
    thresholds : array of float
        Strictly between 0 and 1; a threshold t weighs a false positive as t / (1 - t) true positives.

    Raises
    ------
    ValueError
        When a threshold is not strictly between 0 and 1.

    References
    ----------
    Vickers and Elkin, Med Decis Making 2006;26:565.

    Examples
    --------
    >>> net_benefit([0, 1], [0.2, 0.8], [0.5]).model.tolist()
    [0.5]
    """
    events = np.asarray(y, dtype=np.float64)
    places = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    if not ((places > 0) & (places < 1)).all():
        raise ValueError("thresholds must lie strictly between 0 and 1")
    gains = np.stack([treatment_gains(events, np.asarray(p), float(place)) for place in places])
    everyone = events.mean() - (1 - events.mean()) * places / (1 - places)
    return NetBenefit(places, gains.mean(axis=1), everyone, np.zeros_like(places))


def treatment_gains(y: FloatArray, p: FloatArray, threshold: float) -> FloatArray:
    """Return each row's part of the net benefit: 1, minus the odds of the threshold, or 0 when untreated."""
    return np.where(p >= threshold, y - (1 - y) * threshold / (1 - threshold), 0.0)
