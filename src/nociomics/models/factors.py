"""Factors of measurements that not everybody has: fitted and scored without imputing anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_ROUNDS = 8
_FEWEST_PEOPLE = 40
_LEAST_NOISE = 1e-3
_MOST_STEPS, _ENOUGH = 1000, 1e-2
_MOST_TURNS, _TURNED = 100, 1e-6


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


def fit_factors(standard: np.ndarray, count: int) -> Factors:
    """Fit factors to people of whom not everything was measured.

    Missing entries are replaced, inside the fit only and round by round, by what the factors expect of
    them. Fewer than 40 people, or no columns, give no factors.

    Parameters
    ----------
    standard : ndarray of shape (n_people, n_columns)
        Standardised; NaN where not measured.
    count : int
        At most this many factors; never more than one per 20 people.
    """
    columns = standard.shape[1]
    count = min(count, columns, len(standard) // 20)
    if columns == 0 or len(standard) < _FEWEST_PEOPLE:
        return Factors(np.zeros((columns, 0)), np.ones(columns))
    missing = np.isnan(standard)
    lacking = np.flatnonzero(missing.any(axis=1))
    filled = np.nan_to_num(standard)
    noise = np.ones(columns)
    for _ in range(_ROUNDS if len(lacking) else 1):
        loadings, noise = _most_likely(np.cov(filled.T, bias=True).reshape(columns, columns), count, noise, len(filled))
        found = Factors(loadings, np.maximum(noise, _LEAST_NOISE))
        expected = found.scores(standard[lacking]) @ loadings.T
        filled[lacking] = np.where(missing[lacking], expected, standard[lacking])
    return _ordered(Factors(_varimax(found.loadings), found.noise))


def _most_likely(covariance: np.ndarray, count: int, noise: np.ndarray, people: int) -> tuple[np.ndarray, np.ndarray]:
    """Find loadings and noise of greatest likelihood, starting from a noise.

    References
    ----------
    Eigenvectors of the scaled covariance, then the noise that they leave: Barber 2012, Bayesian Reasoning and Machine
    Learning, algorithm 21.1.
    """
    variance = np.diag(covariance)
    noise, before = np.maximum(noise, 1e-12), -np.inf
    for _ in range(_MOST_STEPS):
        root = np.sqrt(noise) + 1e-12
        values, vectors = np.linalg.eigh(covariance / root[:, None] / root[None, :])
        largest = np.maximum(values[-count:], 0.0)
        loadings = np.sqrt(np.maximum(largest - 1.0, 0.0)) * vectors[:, -count:] * root[:, None]
        rest = max(float(values.sum() - largest.sum()), 0.0)
        likelihood = (
            -0.5
            * people
            * float(np.log(np.maximum(largest, 1e-12)).sum() + rest + np.log(np.maximum(noise, 1e-12)).sum())
        )
        noise = np.maximum(variance - (loadings**2).sum(axis=1), 1e-12)
        if likelihood - before < _ENOUGH:
            break
        before = likelihood
    return loadings, noise


def _varimax(loadings: np.ndarray) -> np.ndarray:
    """Turn factors so that each column loads on few of them (Kaiser 1958, Psychometrika 23:187)."""
    if loadings.shape[1] < 2:
        return loadings
    turn, before = np.eye(loadings.shape[1]), 0.0
    for _ in range(_MOST_TURNS):
        turned = loadings @ turn
        left, singular, right = np.linalg.svd(
            loadings.T @ (turned**3 - turned * (turned**2).sum(axis=0) / len(loadings))
        )
        turn, size = left @ right, float(singular.sum())
        if before and size < before * (1 + _TURNED):
            break
        before = size
    return np.asarray(loadings @ turn)


def _ordered(factors: Factors) -> Factors:
    loadings = factors.loadings
    sign = np.sign(loadings[np.abs(loadings).argmax(axis=0), np.arange(loadings.shape[1])])
    order = np.argsort(-(loadings**2).sum(axis=0), kind="stable")
    return Factors((loadings * sign)[:, order], factors.noise)
