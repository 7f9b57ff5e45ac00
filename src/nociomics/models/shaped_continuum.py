"""One continuum of uneven shape: the rival that several strata have to beat."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

_SHAPE_LIMIT = 3.0
_STEPS = 1500


def shape_gain(scores: np.ndarray) -> float:
    """Return twice the log-likelihood that skewed, flat or long-tailed factors gain over normal ones.

    Each factor has a sinh-arcsinh distribution, and the normal copula holds the factors together: people still differ
    by degree only. A mixture of normal distributions fits such a continuum better than one normal distribution does,
    which is no sign of types.

    Parameters
    ----------
    scores : ndarray of shape (n_people, n_factors)
        Factor scores.

    Returns
    -------
    float
        0 or more; each factor has two numbers of shape.

    References
    ----------
    Jones & Pewsey 2009, Biometrika 96:761, doi:10.1093/biomet/asp053.
    """
    people, width = scores.shape
    spread = np.cov(scores.T, bias=True).reshape(width, width)
    plain = -0.5 * people * (np.linalg.slogdet(spread)[1] + width * (1 + np.log(2 * np.pi)))
    margins, normal = 0.0, np.empty_like(scores)
    deviation = scores.std(axis=0)
    for place, column in enumerate(((scores - scores.mean(axis=0)) / deviation).T):
        log, normal[:, place] = _sinh_arcsinh(_fitted(column), column)
        margins += float(log.sum()) - people * np.log(deviation[place])
    standard = (normal - normal.mean(axis=0)) / normal.std(axis=0)
    together = np.cov(standard.T, bias=True).reshape(width, width)
    distance = np.sum(standard * np.linalg.solve(together, standard.T).T) - np.sum(standard**2)
    copula = -0.5 * (people * np.linalg.slogdet(together)[1] + distance)
    return max(2 * (margins + float(copula) - float(plain)), 0.0)


def _fitted(standard: np.ndarray) -> np.ndarray:
    """Location, log scale, skewness and log tail weight of greatest likelihood."""
    skewed = 0.3 * np.sign(float(np.mean(standard**3)))
    starts = (np.zeros(4), np.array([float(np.median(standard)), 0.0, skewed, 0.0]))
    found = [
        minimize(
            lambda shape: -float(_sinh_arcsinh(shape, standard)[0].sum()),
            start,
            method="Nelder-Mead",
            options={"maxiter": _STEPS, "xatol": 1e-3, "fatol": 1e-3},
        )
        for start in starts
    ]
    return np.asarray(min(found, key=lambda one: one.fun).x)


def _sinh_arcsinh(shape: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-density of each value, and the normal value that it stands for."""
    location, log_scale, skewness, log_tail = np.clip(shape, -_SHAPE_LIMIT, _SHAPE_LIMIT)
    scale, tail = np.exp(log_scale), np.exp(log_tail)
    centred = (values - location) / scale
    bent = np.clip(tail * np.arcsinh(centred) - skewness, -30.0, 30.0)
    normal = np.sinh(bent)
    log = norm.logpdf(normal) + np.log(np.cosh(bent)) + log_tail - 0.5 * np.log1p(centred**2) - log_scale
    return log, normal
