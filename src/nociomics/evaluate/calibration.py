"""Do predicted probabilities mean what they say: recalibration, smoothed curve, Brier, log loss and their kin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nociomics.evaluate.bootstrap import Statistic, point, weighted_ratio
from nociomics.evaluate.estimate import FloatArray

_ITERATIONS = 60
_CONVERGED = 1e-10
_CELLS = 2_000_000
_GRID = 400


@dataclass(frozen=True)
class Recalibration:
    """Logistic regression of the event on the predicted log-odds: slope 1 and intercept 0 are ideal."""

    slope: float
    slope_se: float
    intercept: float
    intercept_se: float


@dataclass(frozen=True)
class CalibrationError:
    """Mean, median and 90th percentile of |smoothed observed share - predicted probability|."""

    ici: float
    e50: float
    e90: float
    maximum: float


def log_odds(p: FloatArray) -> FloatArray:
    """Return ln(p / (1 - p)); infinite for 0 and 1."""
    with np.errstate(divide="ignore"):
        return np.log(p) - np.log1p(-p)


def logistic_recalibration(y: ArrayLike, p: ArrayLike) -> Recalibration:
    """Fit event ~ intercept + slope x log-odds(p), without any penalty.

    Parameters
    ----------
    y : array of 0/1
    p : array of float
        Strictly between 0 and 1.

    Returns
    -------
    Recalibration
        All NaN when a p is 0 or 1, when p is constant, or when the log-odds separate the events.
    """
    events, score = _as_floats(y), log_odds(_as_floats(p))
    parameters, information = _fit_logistic(events, score, np.ones((1, events.size)))
    if not np.isfinite(parameters).all():
        return Recalibration(*[float("nan")] * 4)
    errors = np.sqrt(np.diag(np.linalg.inv(information[0])))
    return Recalibration(float(parameters[0, 1]), float(errors[1]), float(parameters[0, 0]), float(errors[0]))


def slope_statistic(y: FloatArray, p: FloatArray) -> Statistic:
    """Return the calibration slope as a statistic of row weights."""
    score = log_odds(p)
    return lambda weights: _fit_logistic(y, score, weights)[0][:, 1]


def calibration_in_the_large(y: ArrayLike, p: ArrayLike) -> tuple[float, float]:
    """Return the intercept (and its SE) of a logistic model with the predicted log-odds as offset.

    Above 0 the predictions are too low on the whole, below 0 too high.
    """
    from scipy.special import expit

    events, score = _as_floats(y), log_odds(_as_floats(p))
    value = float(_fit_offset(events, score, np.ones((1, events.size)))[0])
    fitted = expit(value + score)
    information = float((fitted * (1 - fitted)).sum())
    return value, float(information**-0.5) if np.isfinite(value) and information > 0 else float("nan")


def in_the_large_statistic(y: FloatArray, p: FloatArray) -> Statistic:
    """Return calibration-in-the-large as a statistic of row weights."""
    score = log_odds(p)
    return lambda weights: _fit_offset(y, score, weights)


def integrated_calibration_index(y: ArrayLike, p: ArrayLike) -> CalibrationError:
    """Return ICI, E50, E90 and the largest error against a loess curve (degree 2, span 0.75).

    References
    ----------
    Austin and Steyerberg, Stat Med 2019;38:4051 (ICI).
    """
    predicted = _as_floats(p)
    return calibration_error(predicted, smoothed_share(y, predicted))


def calibration_error(predicted: FloatArray, observed: FloatArray) -> CalibrationError:
    """Summarise the distance between predicted probabilities and the smoothed observed share."""
    gap = np.abs(observed - predicted)
    e50, e90 = np.quantile(gap, [0.5, 0.9])
    return CalibrationError(float(gap.mean()), float(e50), float(e90), float(gap.max()))


def smoothed_share(y: ArrayLike, p: ArrayLike, span: float = 0.75, degree: int = 2) -> FloatArray:
    """Return the smoothed observed share at each p; above 400 distinct p the curve is interpolated."""
    predicted = _as_floats(p)
    places = np.unique(predicted)
    if places.size > _GRID:
        places = np.unique(np.quantile(places, np.linspace(0, 1, _GRID)))
    return np.interp(predicted, places, loess(predicted, _as_floats(y), places, span, degree))


def smooth_curve(y: ArrayLike, p: ArrayLike, points: int = 101) -> tuple[FloatArray, FloatArray]:
    """Return predicted probability (even steps over its range) and smoothed observed share, for drawing.

    The share is as the smoother gives it: it may leave 0 to 1 at the ends of the range.
    """
    predicted = _as_floats(p)
    places = np.unique(np.linspace(predicted.min(), predicted.max(), points))
    return places, loess(predicted, _as_floats(y), places)


def loess(x: FloatArray, y: FloatArray, at: FloatArray, span: float = 0.75, degree: int = 2) -> FloatArray:
    """Smooth y over x by local polynomials with tricube weights.

    Parameters
    ----------
    x, y : array of float, shape (n,)
    at : array of float
        Where the curve is wanted.
    span : float
        Share of the points in each neighbourhood.
    degree : {0, 1, 2}
        Of the local polynomial.

    Returns
    -------
    array of float, shape of `at`
        Fitted directly at each place (R's default interpolates between a few; they agree to about 1e-3).

    References
    ----------
    Cleveland and Devlin, JASA 1988;83:596.
    """
    nearest = min(x.size, max(degree + 1, int(np.floor(span * x.size + 1e-5)))) - 1
    step = max(1, _CELLS // max(x.size, 1))
    parts = [_local_fits(x, y, at[start : start + step], nearest, degree) for start in range(0, at.size, step)]
    return np.concatenate(parts)


def _local_fits(x: FloatArray, y: FloatArray, at: FloatArray, nearest: int, degree: int) -> FloatArray:
    offset = x[None, :] - at[:, None]
    distance = np.abs(offset)
    width = np.maximum(np.partition(distance, nearest, axis=1)[:, nearest], np.finfo(np.float64).tiny * 1e8)
    near = distance < width[:, None]
    near |= distance == 0
    scaled = np.where(near, offset, 0.0) / width[:, None]
    weight = np.where(near, (1 - np.abs(scaled) ** 3) ** 3, 0.0)
    powers = [weight * scaled**k for k in range(2 * degree + 1)]
    moments = np.stack([power.sum(axis=1) for power in powers])
    index = np.add.outer(np.arange(degree + 1), np.arange(degree + 1))
    left = np.moveaxis(moments[index], -1, 0)
    right = np.stack([powers[k] @ y for k in range(degree + 1)], axis=1)
    # Few distinct x leave the polynomial undetermined; the pseudo-inverse then takes the flattest one.
    solved = np.linalg.pinv(left, rcond=1e-12, hermitian=True) @ right[:, :, None]
    return np.asarray(solved[:, 0, 0])


def brier(y: ArrayLike, p: ArrayLike) -> float:
    """Return the mean squared distance between event and predicted probability.

    Examples
    --------
    >>> brier([0, 1], [0.5, 0.5])
    0.25
    """
    return float(np.mean((_as_floats(y) - _as_floats(p)) ** 2))


def scaled_brier(y: ArrayLike, p: ArrayLike) -> float:
    """Return 1 - Brier / Brier of predicting the event share for everyone; NaN without both classes."""
    events = _as_floats(y)
    return point(scaled_brier_statistic(events, _as_floats(p)), events.size)


def scaled_brier_statistic(y: FloatArray, p: FloatArray) -> Statistic:
    """Return the scaled Brier score as a statistic of row weights."""
    loss = (y - p) ** 2

    def statistic(weights: FloatArray) -> FloatArray:
        total = weights.sum(axis=1)
        share = weighted_ratio(weights @ y, total)
        return 1 - weighted_ratio(weighted_ratio(weights @ loss, total), share * (1 - share))

    return statistic


def log_loss(y: ArrayLike, p: ArrayLike) -> float:
    """Return the mean negative log-likelihood; infinite when an event had probability 0 (nothing is clipped)."""
    return float(np.mean(log_losses(_as_floats(y), _as_floats(p))))


def log_losses(y: FloatArray, p: FloatArray) -> FloatArray:
    """Return each row's negative log-likelihood."""
    with np.errstate(divide="ignore"):
        return -np.log(np.where(y > 0, p, 1 - p))


def nagelkerke(y: ArrayLike, p: ArrayLike) -> float:
    """Return Nagelkerke's R2 of the predictions as they are, as R's `val.prob` reports it.

    Share of the greatest possible likelihood gain over the event share; below 0 when worse than it, NaN
    without both classes.
    """
    events = _as_floats(y)
    share = events.mean()
    if not 0 < share < 1:
        return float("nan")
    baseline = log_loss(events, np.full(events.size, share))
    gain = baseline - log_loss(events, p)
    return float(np.expm1(-2 * gain) / np.expm1(-2 * baseline))


def spiegelhalter(y: ArrayLike, p: ArrayLike) -> tuple[float, float]:
    """Return Spiegelhalter's z and its two-sided p; small p: the probabilities are not calibrated.

    References
    ----------
    Spiegelhalter, Stat Med 1986;5:421.
    """
    from scipy.stats import norm

    events, predicted = _as_floats(y), _as_floats(p)
    variance = np.sum((1 - 2 * predicted) ** 2 * predicted * (1 - predicted))
    if variance == 0:
        return float("nan"), float("nan")
    z = float(np.sum((events - predicted) * (1 - 2 * predicted)) / np.sqrt(variance))
    return z, 2 * float(norm.sf(abs(z)))


def _as_floats(values: ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=np.float64)


def _fit_logistic(y: FloatArray, score: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Newton's method for intercept and slope, all resamples at once; NaN where it does not converge."""
    from scipy.special import expit

    resamples = weights.shape[0]
    parameters = np.zeros((resamples, 2))
    information = np.full((resamples, 2, 2), np.nan)
    settled = np.zeros(resamples, dtype=bool)
    if not np.isfinite(score).all():
        return np.full((resamples, 2), np.nan), information
    design = np.stack([np.ones_like(score), score, score**2], axis=1)
    for _ in range(_ITERATIONS):
        active = np.flatnonzero(~settled & np.isfinite(parameters).all(axis=1))
        if active.size == 0:
            break
        fitted = expit(parameters[active, :1] + parameters[active, 1:] * score)
        gradient = (weights[active] * (y - fitted)) @ design[:, :2]
        moments = (weights[active] * fitted * (1 - fitted)) @ design
        step = _solve_two(moments, gradient)
        parameters[active] += step
        information[active] = moments[:, [[0, 1], [1, 2]]]
        settled[active] = np.abs(step).max(axis=1) < _CONVERGED
    parameters[~settled] = np.nan
    return parameters, information


def _solve_two(moments: FloatArray, gradient: FloatArray) -> FloatArray:
    zero, one, two = moments.T
    determinant = zero * two - one**2
    usable = np.where(determinant > 1e-12 * zero * two, determinant, np.nan)
    first = (two * gradient[:, 0] - one * gradient[:, 1]) / usable
    second = (zero * gradient[:, 1] - one * gradient[:, 0]) / usable
    return np.stack([first, second], axis=1)


def _fit_offset(y: FloatArray, score: FloatArray, weights: FloatArray) -> FloatArray:
    from scipy.special import expit

    value = np.zeros((weights.shape[0], 1))
    events, total = weights @ y, weights.sum(axis=1)
    possible = (events > 0) & (events < total)
    if not np.isfinite(score).all():
        return np.full(weights.shape[0], np.nan)
    for _ in range(_ITERATIONS):
        fitted = expit(value + score)
        information = (weights * fitted * (1 - fitted)).sum(axis=1)
        step = weighted_ratio(events - (weights * fitted).sum(axis=1), information)
        step = np.clip(np.where(possible, step, 0.0), -2, 2)
        value[:, 0] += step
        if np.abs(step).max(initial=0.0) < _CONVERGED:
            return np.where(possible, value[:, 0], np.nan)
    return np.full(weights.shape[0], np.nan)
