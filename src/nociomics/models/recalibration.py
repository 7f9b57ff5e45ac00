"""Probabilities brought into line with what was seen out of fold."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

_NEAREST = 1e-6
_LARGEST_STEPS = 60
# the spread of errors out of fold has set the slope already: it may move a little, the level freely
_PRIOR_SD = (1.0, 0.1)


def fit_recalibration(probability: np.ndarray, responded: np.ndarray) -> tuple[float, float]:
    """Fit intercept and slope of the log-odds to what happened.

    Parameters
    ----------
    probability : ndarray of shape (n_people,)
        Predicted out of fold.
    responded : ndarray of shape (n_people,)
        0 or 1; NaN where not observed.

    Returns
    -------
    intercept, slope : float
        (0, 1) leaves probabilities as they are, and is returned when nobody or everybody responded.

    References
    ----------
    Platt 1999; Van Calster et al. 2019, BMC Medicine 17:230, doi:10.1186/s12916-019-1466-7.
    """
    known = ~np.isnan(responded) & ~np.isnan(probability)
    y, x = responded[known], _log_odds(probability[known])
    if not len(y) or y.min() == y.max():
        return 0.0, 1.0

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        line = parameters[0] + parameters[1] * x
        error = expit(line) - y
        away = np.array([parameters[0] / _PRIOR_SD[0], (parameters[1] - 1) / _PRIOR_SD[1]])
        value = np.sum(np.logaddexp(0, line) - y * line) + 0.5 * away @ away
        return float(value), np.array([error.sum(), error @ x]) + away / np.array(_PRIOR_SD)

    found = minimize(loss, np.array([0.0, 1.0]), jac=True, method="L-BFGS-B", bounds=[(None, None), (0.05, None)])
    return float(found.x[0]), float(found.x[1])


def recalibrate(probability: np.ndarray, line: tuple[float, float]) -> np.ndarray:
    """Apply an intercept and slope to the log-odds of probabilities; NaN stays NaN.

    Examples
    --------
    >>> recalibrate(np.array([0.2, 0.5]), (0.0, 1.0)).round(6).tolist()
    [0.2, 0.5]
    """
    return np.asarray(expit(line[0] + line[1] * _log_odds(probability)))


def outcome_step(outcome: np.ndarray) -> float:
    """Return the step in which an outcome comes (1 for whole points), or 0 for one without steps.

    Examples
    --------
    >>> outcome_step(np.array([0.0, 1.0, 3.0, 2.0])), outcome_step(np.array([6.25, 5.5, 5.75]))
    (1.0, 0.25)
    >>> outcome_step(np.array([0.1234, 5.8, 3.3333]))
    0.0
    """
    distinct = np.unique(np.round(outcome, 9))
    if len(distinct) < 2:
        return 0.0
    step = float(np.diff(distinct).min())
    steps = (distinct - distinct[0]) / step
    even = np.allclose(steps, np.round(steps), atol=1e-6) and abs(distinct[0] / step - round(distinct[0] / step)) < 1e-6
    return step if even and steps[-1] <= _LARGEST_STEPS else 0.0


def _log_odds(probability: np.ndarray) -> np.ndarray:
    # beyond one in a million the normal tail says nothing
    return np.asarray(logit(np.clip(probability, _NEAREST, 1 - _NEAREST)))
