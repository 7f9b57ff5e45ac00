"""Learners of the difference between two treatments: the effect itself is modelled, prognosis only stands aside.

Both take nuisances out of (inner) fold, and both end in a lasso for the effect, so that nothing is claimed where the
data say nothing. What comes out is a linear function per arm: prognosis plus the person's effect.
"""

from __future__ import annotations

import logging
import warnings

import numpy as np

from nociomics.models.arm_learners import ArmData, LinearArms, expected_of, fit_boosted
from nociomics.models.block_arms import fit_block_arms

_LOG = logging.getLogger(__name__)
# how many, and the weakest as a share of the strongest: weaker ones were never chosen and cost most of the time
_PENALTIES, _WEAKEST = 15, 0.01
# an arm of fewer people says nothing of an effect that could be cross-fitted
_FEWEST_PER_ARM = 3
# an observed treatment that nearly everyone like this person got tells little: weights are bounded for variance
_LEAST_CHANCE = 0.02


def fit_residual_learner(data: ArmData) -> LinearArms:
    """Fit the R-learner: outcome less its mean, on treatment less its chance times the effect.

    References
    ----------
    Nie & Wager 2021, Biometrika 108:299, doi:10.1093/biomet/asaa076.
    """
    if _one_sided(data):
        return fit_block_arms(data, {})
    treated = (data.arm == 1).astype(float)
    chance, mean = treatment_chance(data), _mean_outcome(data)
    left = treated - chance
    effect, offset = _lasso(data.columns, (data.outcome - mean) / left, data.folds, left**2)
    return _with_prognosis(data, effect, offset, chance)


def fit_doubly_robust_learner(data: ArmData) -> LinearArms:
    """Fit the DR-learner: lasso of the doubly robust score of each person's effect.

    References
    ----------
    Kennedy 2023, Electronic Journal of Statistics 17:3008, doi:10.1214/23-EJS2157.
    """
    if _one_sided(data):
        return fit_block_arms(data, {})
    treated = (data.arm == 1).astype(float)
    chance = treatment_chance(data)
    under = _both_arms(data)
    score = under[:, 1] - under[:, 0]
    score += (data.outcome - data.received(under)) * np.where(treated == 1, 1 / chance, -1 / (1 - chance))
    effect, offset = _lasso(data.columns, score, data.folds, np.ones(len(score)))
    return _with_prognosis(data, effect, offset, chance)


def treatment_chance(data: ArmData) -> np.ndarray:
    """Chance of the second arm: its share where arms were drawn, else a logistic model out of inner fold."""
    from sklearn.linear_model import LogisticRegression

    treated = data.arm == 1
    if data.by_chance or data.columns.shape[1] == 0:
        return np.full(len(treated), treated.mean())
    chance = np.empty(len(treated))
    for train, test in _folds(data):
        if treated[train].all() or not treated[train].any():
            chance[test] = treated.mean()
            continue
        model = LogisticRegression(C=0.05, max_iter=2000).fit(data.columns[train], treated[train])
        chance[test] = model.predict_proba(data.columns[test])[:, 1]
    return np.asarray(np.clip(chance, _LEAST_CHANCE, 1 - _LEAST_CHANCE))


def _one_sided(data: ArmData) -> bool:
    """Whether hardly anybody got one of the arms: prognosis and arm means are then all that can be learned."""
    fewest = int(np.bincount(data.arm, minlength=2).min())
    if fewest < _FEWEST_PER_ARM:
        _LOG.info("effect learners: an arm of %d people: nothing beyond the arms' means is learned there", fewest)
    return fewest < _FEWEST_PER_ARM or len(np.unique(data.folds)) < 2


def _folds(data: ArmData) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.flatnonzero(data.folds != one), np.flatnonzero(data.folds == one)) for one in np.unique(data.folds)]


def _both_arms(data: ArmData) -> np.ndarray:
    """Predict both arms out of inner fold: the mean of block ridge and boosted trees."""
    under = np.zeros((len(data.outcome), 2))
    for train, test in _folds(data):
        part = data.taken(train)
        trees = fit_boosted(part.values, part.outcome, part.arm, 2, {}, 1)
        for function in (fit_block_arms(part, {}), trees):
            under[test] += expected_of(function, data.columns[test], data.values[test]) / 2
    return under


def _mean_outcome(data: ArmData) -> np.ndarray:
    under, chance = _both_arms(data), treatment_chance(data)
    return np.asarray((1 - chance) * under[:, 0] + chance * under[:, 1])


def _lasso(columns: np.ndarray, score: np.ndarray, folds: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients and offset of a weighted lasso whose penalty is chosen over the inner folds."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LassoCV

    if columns.shape[1] == 0:
        return np.zeros(0), float(np.average(score, weights=weight))
    pairs = [(np.flatnonzero(folds != one), np.flatnonzero(folds == one)) for one in np.unique(folds)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the far end of the path is not the one that is kept
        model = LassoCV(alphas=_PENALTIES, eps=_WEAKEST, cv=pairs, tol=1e-3, max_iter=5000).fit(columns, score, weight)
    return np.asarray(model.coef_), float(model.intercept_)


def _with_prognosis(data: ArmData, effect: np.ndarray, offset: float, chance: np.ndarray) -> LinearArms:
    """Prognosis of what the effect leaves, then the effect added by arm."""
    treated = (data.arm == 1).astype(float)
    own = (treated - chance) * (data.columns @ effect + offset)
    together = ArmData(
        data.columns,
        data.values,
        data.outcome - own,
        np.zeros_like(data.arm),
        data.folds,
        1,
        data.block,
        data.factors,
        data.by_chance,
    )
    prognosis = fit_block_arms(together, {"factors": 1})
    share = float(treated.mean())
    coefficients = np.vstack(
        [prognosis.coefficients[0] - share * effect, prognosis.coefficients[0] + (1 - share) * effect]
    )
    level = prognosis.intercepts[0]
    return LinearArms(coefficients, np.array([level - share * offset, level + (1 - share) * offset]))
