"""Learners of an expected outcome under each treatment: ridge x arm, lasso x arm, a forest per arm."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass

import numpy as np
import xgboost
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LassoCV, Ridge, RidgeCV

from nociomics.models.settings import ResponseSettings

_RIDGE_PENALTIES = np.logspace(-1, 5, 25)
_LASSO_PENALTIES = 25


@dataclass(frozen=True)
class LinearArms:
    """One linear function per arm.

    Attributes
    ----------
    coefficients : ndarray of shape (n_arms, n_columns)
        Outcome points per unit of the standardised column.
    intercepts : ndarray of shape (n_arms,)
        Outcome points.
    """

    coefficients: np.ndarray
    intercepts: np.ndarray

    def predict(self, columns: np.ndarray) -> np.ndarray:
        """Return expected outcomes of shape (n_people, n_arms)."""
        return np.asarray(columns @ self.coefficients.T + self.intercepts)


@dataclass(frozen=True)
class Penalty:
    """A penalty chosen by cross-validation and the mean squared error it was chosen at."""

    kind: str
    strength: float
    squared_error: float


def choose_penalty(
    kind: str, columns: np.ndarray, outcome: np.ndarray, arm: np.ndarray, arms: int, folds: np.ndarray
) -> Penalty:
    """Choose the penalty strength of ridge (leave-one-out) or lasso (the study's inner folds).

    Parameters
    ----------
    kind : {"ridge", "lasso"}
        Which penalty.
    columns : ndarray of shape (n_people, n_columns)
        From `LinearInputs`.
    outcome : ndarray of shape (n_people,)
        What is modelled, in points.
    arm : ndarray of shape (n_people,)
        Index of the arm received.
    arms : int
        Number of arms.
    folds : ndarray of shape (n_people,)
        Inner fold of each person.
    """
    design, centred = _within_arm(columns, outcome, arm, arms)
    if design.shape[1] == 0:
        return Penalty(kind, 1.0, float(np.mean(centred**2)))
    if kind == "ridge":
        ridge = RidgeCV(alphas=_RIDGE_PENALTIES, fit_intercept=False, store_cv_results=True).fit(design, centred)
        return Penalty(kind, float(ridge.alpha_), float(np.min(ridge.cv_results_.mean(axis=0))))
    pairs = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in np.unique(folds)]
    with warnings.catch_warnings():
        # the path's far end need not converge: the chosen penalty is refitted below to full precision
        warnings.simplefilter("ignore", ConvergenceWarning)
        lasso = LassoCV(alphas=_LASSO_PENALTIES, cv=pairs, fit_intercept=False, tol=1e-3, max_iter=5000).fit(
            design, centred
        )
    return Penalty(kind, float(lasso.alpha_), float(lasso.mse_path_.mean(axis=1).min()))


def fit_linear(penalty: Penalty, columns: np.ndarray, outcome: np.ndarray, arm: np.ndarray, arms: int) -> LinearArms:
    """Fit main effects and arm-specific deviations at a given penalty; arm means are not penalised."""
    width = columns.shape[1]
    design, centred = _within_arm(columns, outcome, arm, arms)
    if width == 0:
        weights = np.zeros(0)
    elif penalty.kind == "ridge":
        weights = Ridge(alpha=penalty.strength, fit_intercept=False).fit(design, centred).coef_
    else:
        model = Lasso(alpha=penalty.strength, fit_intercept=False, tol=1e-4, max_iter=50_000)
        weights = model.fit(design, centred).coef_
    main = weights[:width]
    own = weights[width:].reshape(arms, width) if arms > 1 else np.zeros((1, width))
    coefficients = main + own
    intercepts = np.array([np.mean(outcome[arm == a] - columns[arm == a] @ coefficients[a]) for a in range(arms)])
    return LinearArms(coefficients, intercepts)


def _within_arm(columns: np.ndarray, outcome: np.ndarray, arm: np.ndarray, arms: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns, and columns per arm, with outcome: all as differences from the mean of the person's arm."""
    design = [columns]
    if arms > 1:
        design += [columns * (arm == a)[:, None] for a in range(arms)]
    stacked = np.hstack(design)
    centred = outcome.astype(float).copy()
    for a in range(arms):
        rows = arm == a
        stacked[rows] -= stacked[rows].mean(axis=0)
        centred[rows] -= centred[rows].mean()
    return stacked, centred


def fit_forests(
    values: np.ndarray,
    outcome: np.ndarray,
    arm: np.ndarray,
    arms: int,
    settings: ResponseSettings,
    trees: int,
    seed: int,
) -> list[xgboost.Booster]:
    """Fit one random forest per arm on the encoded columns; trees take missing values as they are.

    Returns
    -------
    list of Booster, one per arm
        Predicting outcome points.
    """
    return [_fit_forest(values[arm == a], outcome[arm == a], settings, trees, seed * arms + a) for a in range(arms)]


def _fit_forest(
    values: np.ndarray, outcome: np.ndarray, settings: ResponseSettings, trees: int, seed: int
) -> xgboost.Booster:
    parameters = {
        "objective": "reg:squarederror",
        "base_score": float(outcome.mean()),
        "learning_rate": 1.0,
        "num_parallel_tree": trees,
        "max_depth": settings.tree_depth,
        "min_child_weight": settings.leaf_people,
        "subsample": 0.8,
        "colsample_bynode": 0.4,
        "reg_lambda": 1.0,
        "max_bin": 64,
        "tree_method": "hist",
        "seed": seed % 2**31,
        "nthread": 1,
    }
    return _one_tree_per_round(xgboost.train(parameters, _matrix(values, outcome), num_boost_round=1))


def _one_tree_per_round(forest: xgboost.Booster) -> xgboost.Booster:
    """Store a forest's trees as rounds of one tree each: the same sum, in the only form that shap reads."""
    stored = json.loads(forest.save_raw("json"))
    model = stored["learner"]["gradient_booster"]["model"]
    model["gbtree_model_param"]["num_parallel_tree"] = "1"
    model["iteration_indptr"] = list(range(len(model["trees"]) + 1))
    plain = xgboost.Booster({"nthread": 1})
    plain.load_model(bytearray(json.dumps(stored).encode()))
    return plain


def predict_forest(forest: xgboost.Booster, values: np.ndarray) -> np.ndarray:
    """Predict the outcome of each person, in points, as float64."""
    if len(values) == 0:
        return np.zeros(0)
    return np.asarray(forest.predict(_matrix(values)), dtype=float)


def _matrix(values: np.ndarray, outcome: np.ndarray | None = None) -> xgboost.DMatrix:
    if values.shape[1] == 0:  # XGBoost refuses a matrix without columns: a constant one splits nowhere
        values = np.zeros((len(values), 1))
    return xgboost.DMatrix(values.astype(np.float32), label=outcome, nthread=1)
