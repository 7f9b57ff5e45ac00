"""The candidates as scikit-learn estimators, for whoever wants one learner alone, without treatments."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from nociomics.models.arm_learners import ArmData, expected_of
from nociomics.models.block_arms import factor_weights
from nociomics.models.boosted_classes import ClassRows
from nociomics.models.candidates import candidates_for, fit, tune
from nociomics.models.class_model import fit_classes_alone
from nociomics.models.settings import ResponseSettings

_FOLDS = 5
_FACTORS = 4


class CandidateRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """One learner of the table of candidates for a value, without treatments.

    Parameters
    ----------
    candidate : str
        A name in config/models/candidates.csv.
    seed : int
        Of trees and factors.
    """

    def __init__(self, candidate: str = "block_ridge", seed: int = 1) -> None:
        self.candidate = candidate
        self.seed = seed

    def fit(self, X: Any, y: Any) -> CandidateRegressor:
        """Learn from columns of numbers (n_people, n_columns) and a value for each person."""
        X, y = validate_data(self, X, y, y_numeric=True, ensure_min_samples=2, dtype=np.float64)
        self.centre_, scale = X.mean(axis=0), X.std(axis=0)
        self.scale_ = np.where(scale > 1e-12, scale, 1.0)
        columns = (X - self.centre_) / self.scale_
        nobody = np.zeros(len(X), dtype=int)
        data = ArmData(
            columns,
            columns,
            y.astype(float),
            nobody,
            np.arange(len(X)) % min(_FOLDS, len(X)),
            1,
            np.zeros(columns.shape[1], dtype=int),
            factor_weights(columns, columns.shape[1], _FACTORS),
        )
        (chosen,) = candidates_for("continuous", 1, [self.candidate])
        settings = ResponseSettings()
        self.function_ = fit(tune(chosen, data), data, settings, settings.trees, self.seed)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict the value of each person."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        columns = (X - self.centre_) / self.scale_
        return np.asarray(expected_of(self.function_, columns, columns)[:, 0])


class CandidateClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """One learner of the table of candidates for classes, without treatments; penalty or trees by inner folds.

    Without modalities there is nothing to fuse: ``late_fusion`` is ``plain_l2`` here.

    Parameters
    ----------
    candidate : str
        A name in config/models/candidates.csv.
    seed : int
        Of trees.
    """

    def __init__(self, candidate: str = "plain_l2", seed: int = 1) -> None:
        self.candidate = candidate
        self.seed = seed

    def fit(self, X: Any, y: Any) -> CandidateClassifier:
        """Learn from columns of numbers (n_people, n_columns) and a class for each person."""
        X, y = validate_data(self, X, y, ensure_min_samples=2, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, place = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("y has one class only: there is nothing to tell apart.")
        self.centre_, scale = X.mean(axis=0), X.std(axis=0)
        self.scale_ = np.where(scale > 1e-12, scale, 1.0)
        folds = np.empty(len(X), dtype=int)
        for one in range(len(self.classes_)):  # every fold gets its share of each class
            inside = np.flatnonzero(place == one)
            folds[inside] = np.arange(len(inside)) % _FOLDS
        (chosen,) = candidates_for("binary", 1, [self.candidate])
        people = ClassRows((X - self.centre_) / self.scale_, place, np.zeros(len(X), dtype=int), len(self.classes_), 1)
        self.function_ = fit_classes_alone(chosen, people, folds, self.seed)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Log-odds: of the second class against the first, or of every class."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        logits = self.function_((X - self.centre_) / self.scale_)
        return np.asarray(logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each class."""
        from scipy.special import expit, softmax

        odds = self.decision_function(X)
        if odds.ndim == 1:
            return np.column_stack([expit(-odds), expit(odds)])
        return np.asarray(softmax(odds, axis=1))

    def predict(self, X: Any) -> np.ndarray:
        """Name the likeliest class."""
        odds = self.decision_function(X)
        places = (odds > 0).astype(int) if odds.ndim == 1 else odds.argmax(axis=1)
        return np.asarray(self.classes_[places])
