"""Factors of measurements that not everybody has: fitted and scored without imputing anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.decomposition import FactorAnalysis

_ROUNDS = 8
_FEWEST_PEOPLE = 40


@dataclass(frozen=True)
class Factors:
    """A factor model of standardised columns.

    Attributes
    ----------
    loadings : ndarray of shape (n_columns, n_factors)
        Varimax-rotated; strongest factor first, its largest loading positive.
    noise : ndarray of shape (n_columns,)
        Variance of each column that no factor explains.
    """

    loadings: np.ndarray
    noise: np.ndarray

    def scores(self, standard: np.ndarray) -> np.ndarray:
        """Score each person by the factors expected given the columns measured of that person; 0 when none was.

        Parameters
        ----------
        standard : ndarray of shape (n_people, n_columns)
            Standardised; NaN where not measured.

        Returns
        -------
        ndarray of shape (n_people, n_factors)

        References
        ----------
        Regression scores: f = (I + L'L/psi)^-1 L'x/psi over the measured columns (Thomson 1951).
        """
        count = self.loadings.shape[1]
        scores = np.zeros((len(standard), count))
        if count == 0 or not len(standard):
            return scores
        patterns, member = np.unique(~np.isnan(standard), axis=0, return_inverse=True)
        for place, measured in enumerate(patterns):
            rows = member.reshape(-1) == place
            weights = self.loadings[measured] / self.noise[measured][:, None]
            precision = np.eye(count) + self.loadings[measured].T @ weights
            scores[rows] = standard[np.ix_(rows, measured)] @ weights @ np.linalg.inv(precision)
        return scores

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"loadings": self.loadings.tolist(), "noise": self.noise.tolist(), "count": self.loadings.shape[1]}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Factors:
        """Rebuild from `to_dict`."""
        noise = np.asarray(stored["noise"], dtype=float)
        return cls(np.asarray(stored["loadings"], dtype=float).reshape(len(noise), stored["count"]), noise)


def fit_factors(standard: np.ndarray, count: int, seed: int) -> Factors:
    """Fit factors to people of whom not everything was measured.

    Missing entries are replaced, inside the fit only and round by round, by what the factors expect of
    them. Fewer than 40 people, or no columns, give no factors.

    Parameters
    ----------
    standard : ndarray of shape (n_people, n_columns)
        Standardised; NaN where not measured.
    count : int
        At most this many factors; never more than one per 20 people.
    seed : int
        Seeds the analysis.
    """
    columns = standard.shape[1]
    count = min(count, columns, len(standard) // 20)
    if columns == 0 or len(standard) < _FEWEST_PEOPLE:
        return Factors(np.zeros((columns, 0)), np.ones(columns))
    missing = np.isnan(standard)
    filled = np.nan_to_num(standard)
    for _ in range(_ROUNDS if missing.any() else 1):
        analysis = FactorAnalysis(count, rotation="varimax" if count > 1 else None, random_state=seed).fit(filled)
        found = _ordered(Factors(analysis.components_.T, np.maximum(analysis.noise_variance_, 1e-3)))
        filled = np.where(missing, found.scores(standard) @ found.loadings.T, standard)
    return found


def _ordered(factors: Factors) -> Factors:
    loadings = factors.loadings
    sign = np.sign(loadings[np.abs(loadings).argmax(axis=0), np.arange(loadings.shape[1])])
    order = np.argsort(-(loadings**2).sum(axis=0), kind="stable")
    return Factors((loadings * sign)[:, order], factors.noise)
