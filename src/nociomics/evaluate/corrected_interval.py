"""Intervals of cross-validated figures that know that the models were learned from a sample too."""

from __future__ import annotations

import numpy as np
from scipy import stats

from nociomics.evaluate.estimate import Estimate, FloatArray, estimate

CORRECTED = "the wider of that and the corrected t interval over folds (Nadeau and Bengio)"


def corrected_interval(per_fold: FloatArray, folds_per_repeat: float) -> tuple[float, float]:
    """Return the 95 % interval of a mean over folds, corrected for training parts that overlap.

    Parameters
    ----------
    per_fold : array of float, shape (folds over all repeats,)
        The figure in each outer fold; NaN where it is undefined.
    folds_per_repeat : float
        So many folds divide everybody once: a fold is ``1 / (folds - 1)`` of what its model learned from.

    Returns
    -------
    lower, upper : float
        NaN with fewer than two folds.

    References
    ----------
    Nadeau and Bengio, Machine Learning 2003;52:239, doi:10.1023/A:1024068626366.
    """
    known = per_fold[np.isfinite(per_fold)]
    if known.size < 2 or folds_per_repeat <= 1:
        return float("nan"), float("nan")
    variance = (1 / known.size + 1 / (folds_per_repeat - 1)) * float(known.var(ddof=1))
    reach = float(stats.t.ppf(0.975, known.size - 1)) * float(np.sqrt(variance))
    return float(known.mean()) - reach, float(known.mean()) + reach


def widened(found: Estimate, per_fold: FloatArray, repeats: int, bounds: tuple[float, float]) -> Estimate:
    """Widen a figure's interval to the corrected one wherever that reaches further.

    Parameters
    ----------
    found : Estimate
        With the interval over people.
    per_fold : array of float, shape (folds over all repeats,)
        The figure in each outer fold.
    repeats : int
        How often everybody was divided.
    bounds : tuple of float
        Smallest and largest value that the figure can have: an interval says nothing beyond.

    Notes
    -----
    Resampling people leaves the models as they are. Where these are nearly constant, as they should be when there
    is nothing to learn, that interval is far too narrow.
    """
    if found.value is None or found.lower is None or found.upper is None:
        return found
    lower, upper = corrected_interval(per_fold, per_fold.size / max(repeats, 1))
    if not (np.isfinite(lower) and np.isfinite(upper)):
        return found
    interval = (max(min(found.lower, lower), bounds[0]), min(max(found.upper, upper), bounds[1]))
    return estimate(found.value, found.n, f"{found.method}; {CORRECTED}", interval)
