"""Do patients differ in which treatment helps? Two tests on predictions that never saw the patient's outcome."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nociomics.evaluate.bootstrap import bootstrap_draws
from nociomics.evaluate.estimate import FloatArray, IntArray, finite
from nociomics.evaluate.policy import RATE_RESAMPLES, autoc_statistic

LEVEL = 0.05


@dataclass(frozen=True)
class SlopeTest:
    """Best linear predictor: slope of the doubly robust contrast on the centred prediction, and one-sided p."""

    slope: float
    se: float
    p: float
    n: int


@dataclass(frozen=True)
class ContrastTest:
    """One treatment against the reference, over all repeats."""

    treatment: str
    reference: str
    slope: float | None
    slope_se: float | None
    p: float
    p_holm: float
    autoc: float | None
    autoc_se: float | None
    passed: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def centre_within(values: FloatArray, fold: IntArray) -> FloatArray:
    """Take each fold's mean off its values, so that folds of a cross-validation are compared within only."""
    number = np.unique(fold, return_inverse=True)[1]
    means = np.bincount(number, weights=values) / np.bincount(number)
    return np.asarray(values - means[number])


def blp_test(contrast: FloatArray, tau: FloatArray, fold: IntArray | None = None) -> SlopeTest:
    """Regress the doubly robust contrast on the centred predicted effect (HC1 errors).

    Parameters
    ----------
    contrast : array of float, shape (n,)
        Doubly robust score of one arm minus that of the reference.
    tau : array of float, shape (n,)
        Predicted effect, from models that did not see this person's outcome.
    fold : array of int, shape (n,), optional
        The prediction is centred within folds; over all people when left out.

    Returns
    -------
    SlopeTest
        Slope 1: the predicted differences are as large as the true ones. p is one-sided (slope above 0), and 1
        when the prediction is the same for everyone.

    References
    ----------
    Chernozhukov, Demirer, Duflo and Fernandez-Val, Econometrica 2025;93:1121 (BLP of the CATE).
    """
    from scipy.stats import t

    n = tau.size
    centred = centre_within(tau, np.zeros(n, dtype=np.int64) if fold is None else fold)
    spread = float(centred @ centred)
    if n < 3 or spread <= 1e-12 * n * max(1.0, float(np.abs(tau).max()) ** 2):
        return SlopeTest(float("nan"), float("nan"), 1.0, n)
    slope = float(centred @ contrast) / spread
    residual = contrast - contrast.mean() - slope * centred
    se = float(np.sqrt(n / (n - 2) * (centred**2 @ residual**2)) / spread)
    if se == 0:
        return SlopeTest(slope, 0.0, 0.0 if slope > 0 else 1.0, n)
    return SlopeTest(slope, se, float(t.sf(slope / se, n - 2)), n)


def holm(p: FloatArray) -> FloatArray:
    """Return Holm-adjusted p values, in the order given.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def contrast_tests(
    scores: FloatArray, expected: FloatArray, fold: IntArray, arms: list[str], reference: int, seed: int = 1
) -> list[ContrastTest]:
    """Test every treatment against the reference.

    A contrast passes when the median over repeats of its one-sided p, Holm-adjusted over contrasts, is below
    0.05 and its AUTOC (mean over repeats) is above 0.

    Parameters
    ----------
    scores, expected : array of float, shape (repeats, n, K)
        Doubly robust scores and out-of-fold expectations.
    fold : array of int, shape (repeats, n)
        Outer fold of each person in each repeat.
    arms : list of str, length K
    reference : int
        Number of the reference arm.
    """
    others = [k for k in range(len(arms)) if k != reference]
    tests = [_slopes(scores, expected, fold, k, reference) for k in others]
    p = np.array([float(np.median([test.p for test in repeats])) for repeats in tests])
    adjusted = holm(p)
    found = []
    for place, k in enumerate(others):
        rate, rate_se = _mean_autoc(scores, expected, fold, k, reference, seed)
        slopes, errors = (np.array([getattr(test, name) for test in tests[place]]) for name in ("slope", "se"))
        found.append(
            ContrastTest(
                treatment=arms[k],
                reference=arms[reference],
                slope=finite(float(np.median(slopes))),
                slope_se=finite(float(np.median(errors))),
                p=float(p[place]),
                p_holm=float(adjusted[place]),
                autoc=finite(rate),
                autoc_se=finite(rate_se),
                passed=bool(adjusted[place] < LEVEL and rate > 0),
            )
        )
    return found


def _slopes(scores: FloatArray, expected: FloatArray, fold: IntArray, k: int, reference: int) -> list[SlopeTest]:
    contrast = scores[:, :, k] - scores[:, :, reference]
    tau = expected[:, :, k] - expected[:, :, reference]
    return [blp_test(contrast[r], tau[r], fold[r]) for r in range(scores.shape[0])]


def _mean_autoc(
    scores: FloatArray, expected: FloatArray, fold: IntArray, k: int, reference: int, seed: int
) -> tuple[float, float]:
    """AUTOC averaged over repeats; its error from people drawn the same way in all repeats."""
    parts = []
    for r in range(scores.shape[0]):
        tau = centre_within(expected[r, :, k] - expected[r, :, reference], fold[r])
        parts.append(autoc_statistic(tau, scores[r, :, k] - scores[r, :, reference]))

    def mean(weights: FloatArray) -> FloatArray:
        return np.asarray(np.mean([part(weights) for part in parts], axis=0))

    n = scores.shape[1]
    draws = bootstrap_draws(mean, np.arange(n), resamples=RATE_RESAMPLES, seed=seed)
    return float(mean(np.ones((1, n)))[0]), float(draws.std(ddof=1))
