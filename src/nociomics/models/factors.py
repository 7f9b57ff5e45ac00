"""Factors of measurements that not everybody has: fitted and scored without imputing anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_ROUNDS = 8
_FEWEST_PEOPLE = 40
_PEOPLE_PER_FACTOR = 30
_LEAST_NOISE = 1e-3
_COMPONENT_NOISE = 0.05  # a component is taken as measured nearly without error
_MOST_STEPS, _STEPS_BETWEEN, _ENOUGH = 1000, 10, 1e-2
_MOST_TURNS, _TURNED = 100, 1e-6


@dataclass(frozen=True)
class Information:
    """What measurements say about factors: people who were measured alike share a precision.

    Attributes
    ----------
    precision : ndarray of shape (n_patterns, n_factors, n_factors)
        Inverse spread of the factors' estimate from the measurements alone; singular where they do not tell a factor.
    member : ndarray of shape (n_people,)
        Pattern of each person.
    pull : ndarray of shape (n_people, n_factors)
        Precision times estimate.
    """

    precision: np.ndarray
    member: np.ndarray
    pull: np.ndarray

    def posterior(self, mean: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (n_people, n_factors) and spread per pattern of the factors, given a normal prior."""
        inverse = np.linalg.inv(spread)
        own = np.linalg.inv(self.precision + inverse)
        pulled = self.pull + inverse @ mean
        return np.asarray((own[self.member] @ pulled[:, :, None])[:, :, 0]), own


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
        measured = ~np.isnan(standard)
        return self._scores(np.where(measured, standard, 0.0), *np.unique(measured, axis=0, return_inverse=True))

    def _scores(self, filled: np.ndarray, patterns: np.ndarray, member: np.ndarray) -> np.ndarray:
        """Score people, 0 where not measured, by what each pattern of measured columns determines."""
        weights = self.loadings / self.noise[:, None]
        precision = np.eye(self.loadings.shape[1]) + (patterns[:, None, :] * self.loadings.T) @ weights
        own = np.linalg.inv(precision)[member.reshape(-1)]
        return np.asarray(((filled @ weights)[:, None, :] @ own)[:, 0, :])

    def information(self, standard: np.ndarray) -> Information:
        """Return what the measured columns of each person say about that person's factors."""
        measured = ~np.isnan(standard)
        patterns, member = np.unique(measured, axis=0, return_inverse=True)
        weights = self.loadings / self.noise[:, None]
        precision = (patterns[:, None, :] * self.loadings.T) @ weights
        return Information(precision, member.reshape(-1), np.where(measured, standard, 0.0) @ weights)

    def log_likelihood(self, standard: np.ndarray) -> float:
        """Log-likelihood of what was measured of all people, factors having variance 1."""
        measured = ~np.isnan(standard)
        patterns, member = np.unique(measured, axis=0, return_inverse=True)
        total = 0.0
        for place, columns in enumerate(patterns):
            values = standard[np.ix_(member.reshape(-1) == place, columns)]
            if columns.any():
                spread = self.loadings[columns] @ self.loadings[columns].T + np.diag(self.noise[columns])
                _, log_determinant = np.linalg.slogdet(spread)
                distance = float(np.sum(values * np.linalg.solve(spread, values.T).T))
                total -= 0.5 * (distance + len(values) * (log_determinant + columns.sum() * np.log(2 * np.pi)))
        return float(total)

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
    patterns, member = np.unique(~missing[lacking], axis=0, return_inverse=True)
    known = filled[lacking].copy()
    noise, rounds = np.ones(columns), _ROUNDS if len(lacking) else 1
    for number in range(1, rounds + 1):
        # what is filled in still changes: only the last round is worth its last digits
        steps = _MOST_STEPS if number == rounds else _STEPS_BETWEEN
        covariance = np.cov(filled.T, bias=True).reshape(columns, columns)
        loadings, noise = _most_likely(covariance, count, noise, len(filled), steps)
        found = Factors(loadings, np.maximum(noise, _LEAST_NOISE))
        if number < rounds:
            expected = found._scores(known, patterns, member) @ loadings.T
            filled[lacking] = np.where(missing[lacking], expected, known)
    return _ordered(Factors(_varimax(found.loadings), found.noise))


def choose_factors(standard: np.ndarray, most: int) -> Factors:
    """Fit as many factors as the Bayesian information criterion asks for, at most ``most`` or one per 30 people.

    References
    ----------
    With Sclove's adjustment of the sample's size (1987, doi:10.1007/BF02294360): the plain criterion takes too few, and
    a factor too few loses more of the strata than one too many.
    """
    best, best_criterion = fit_factors(standard, 1), np.inf
    columns = standard.shape[1]
    for count in range(1, min(most, len(standard) // _PEOPLE_PER_FACTOR) + 1):
        found = fit_factors(standard, count)
        if found.loadings.shape[1] < count:
            break
        parameters = columns * (count + 1) - count * (count - 1) / 2
        criterion = -2 * found.log_likelihood(standard) + parameters * np.log((len(standard) + 2) / 24)
        if criterion > best_criterion:  # it has one valley: what comes behind it is not looked at
            break
        best, best_criterion = found, criterion
    return best


def component_factors(standard: np.ndarray, most: int) -> Factors:
    """Take the first columns as factors: for components of one wide block, which have nothing in common."""
    columns = standard.shape[1]
    count = min(most, columns, len(standard) // 20) if len(standard) >= _FEWEST_PEOPLE else 0
    noise = np.ones(columns)
    noise[:count] = _COMPONENT_NOISE
    return Factors(np.sqrt(1 - noise[:, None]) * np.eye(columns)[:, :count], noise)


def _most_likely(
    covariance: np.ndarray, count: int, noise: np.ndarray, people: int, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find loadings and noise of greatest likelihood, starting from a noise.

    References
    ----------
    Eigenvectors of the scaled covariance, then the noise that they leave: Barber 2012, Bayesian Reasoning and Machine
    Learning, algorithm 21.1.
    """
    variance = np.diag(covariance)
    noise, before = np.maximum(noise, 1e-12), -np.inf
    for _ in range(steps):
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
