"""Strata of yes-or-no answers: latent classes, and latent traits as the rival that needs no classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import norm

_STEPS, _STILL = 500, 1e-5
_SHORT = 20
_PRIOR_PEOPLE = 1.0  # each class starts with one average person: no answer is ever impossible
_NODES = {1: 41, 2: 13, 3: 7}
_TRAIT_STEPS = 150


@dataclass(frozen=True)
class LatentClasses:
    """Classes within which answers are independent of each other.

    Attributes
    ----------
    shares : ndarray of shape (k,)
    chances : ndarray of shape (k, n_columns)
        Chance of yes.

    References
    ----------
    Lazarsfeld & Henry 1968; pain classes by these: Fop, Smart & Murphy 2017, doi:10.1214/17-AOAS1061.
    """

    shares: np.ndarray
    chances: np.ndarray

    def log_density(self, answers: np.ndarray) -> np.ndarray:
        """Log of share times chance of what was answered: shape (n_people, k); NaN where not answered."""
        known, yes = ~np.isnan(answers), np.nan_to_num(answers)
        return np.asarray(
            np.log(self.shares) + yes @ np.log(self.chances).T + (known - yes) @ np.log(1 - self.chances).T
        )

    def membership(self, answers: np.ndarray) -> np.ndarray:
        """Posterior probability of each class: shape (n_people, k)."""
        return _posterior(self.log_density(answers))[0]

    def tail(self, answers: np.ndarray) -> np.ndarray:
        """Chance that a member of the nearest class answers as unlikely as each person did; a normal approximation."""
        known = ~np.isnan(answers)
        best = np.zeros(len(answers))
        for share, chances, column in zip(self.shares, self.chances, self.log_density(answers).T, strict=True):
            log = column - np.log(share)
            expected = chances * np.log(chances) + (1 - chances) * np.log(1 - chances)
            spread = chances * (1 - chances) * np.log(chances / (1 - chances)) ** 2
            deviation = np.sqrt(np.maximum(known @ spread, 1e-12))
            best = np.maximum(best, norm.cdf((log - known @ expected) / deviation))
        return best

    def ordered(self) -> LatentClasses:
        """Sort classes by falling mean chance of yes, then by the columns: no seed decides a name."""
        keys = (*self.chances.T[::-1], self.chances.mean(axis=1))
        order = np.lexsort(tuple(-key for key in keys))
        return LatentClasses(self.shares[order], self.chances[order])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"shares": self.shares.tolist(), "chances": self.chances.tolist()}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> LatentClasses:
        """Rebuild from `to_dict`."""
        return cls(np.asarray(stored["shares"], dtype=float), np.asarray(stored["chances"], dtype=float))


def fit_classes(answers: np.ndarray, k: int, starts: int, rng: np.random.Generator) -> tuple[LatentClasses, float]:
    """Fit k latent classes, and return them with their log-likelihood.

    Parameters
    ----------
    answers : ndarray of shape (n_people, n_columns)
        1, 0 or NaN.
    k, starts : int
        Classes; random starts, all tried for a few steps, the best two to the end.
    rng : numpy.random.Generator
        Of the starts.
    """
    if k == 1:
        return _climb(answers, np.ones((len(answers), 1)), 1)
    runs = [_climb(answers, rng.dirichlet(np.full(k, 0.5), len(answers)), _SHORT) for _ in range(starts)]
    runs.sort(key=lambda run: -run[1])
    return max((_climb(answers, one.membership(answers), _STEPS) for one, _ in runs[:2]), key=lambda run: run[1])


def trait_likelihood(answers: np.ndarray, traits: int) -> float:
    """Log-likelihood of answers that depend on 1 to 3 normal traits by logistic curves: a continuum without classes.

    References
    ----------
    Marginal maximum likelihood of the two-parameter model: Bock & Aitkin 1981, doi:10.1007/BF02293801.
    """
    axis = np.linspace(-3.5, 3.5, _NODES[traits])
    nodes = np.stack(np.meshgrid(*([axis] * traits), indexing="ij"), axis=-1).reshape(-1, traits)
    log_prior = norm.logpdf(nodes).sum(axis=1)
    log_prior -= np.log(np.exp(log_prior).sum())
    design = np.column_stack([np.ones(len(nodes)), nodes])
    known, yes = ~np.isnan(answers), np.nan_to_num(answers)
    slopes = _first_slopes(answers, traits)
    before = -np.inf
    for _ in range(_TRAIT_STEPS):
        chance = np.clip(expit(design @ slopes.T), 1e-9, 1 - 1e-9)
        weight, likelihood = _posterior(log_prior + yes @ np.log(chance).T + (known - yes) @ np.log(1 - chance).T)
        if likelihood - before < 1e-3:
            break
        before = likelihood
        slopes = _newton(slopes, design, weight.T @ yes, weight.T @ known.astype(float))
    return likelihood


def trait_parameters(columns: int, traits: int) -> int:
    """Free numbers of a model of latent traits."""
    return columns * (traits + 1) - traits * (traits - 1) // 2


def class_parameters(columns: int, k: int) -> int:
    """Free numbers of k latent classes."""
    return k - 1 + k * columns


def _climb(answers: np.ndarray, membership: np.ndarray, steps: int) -> tuple[LatentClasses, float]:
    known, yes = (~np.isnan(answers)).astype(float), np.nan_to_num(answers)
    average = yes.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    before = -np.inf
    for _ in range(steps):
        shares = np.maximum(membership.mean(axis=0), 1e-12)
        chances = (membership.T @ yes + _PRIOR_PEOPLE * average) / (membership.T @ known + _PRIOR_PEOPLE)
        classes = LatentClasses(shares, np.clip(chances, 1e-6, 1 - 1e-6))
        membership, likelihood = _posterior(classes.log_density(answers))
        if likelihood - before < _STILL:
            break
        before = likelihood
    return classes, likelihood


def _posterior(log: np.ndarray) -> tuple[np.ndarray, float]:
    largest = log.max(axis=1, keepdims=True)
    weight = np.exp(log - largest)
    total = weight.sum(axis=1, keepdims=True)
    return weight / total, float((largest + np.log(total)).sum())


def _first_slopes(answers: np.ndarray, traits: int) -> np.ndarray:
    """Start from intercepts of the shares of yes, and slopes along the first principal axes."""
    share = np.clip(np.nanmean(answers, axis=0), 0.02, 0.98)
    centred = np.nan_to_num((answers - share) / np.sqrt(share * (1 - share)))
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return np.column_stack([np.log(share / (1 - share)), 2.0 * np.sqrt(len(share) / 3) * vectors[:, ::-1][:, :traits]])


def _newton(slopes: np.ndarray, design: np.ndarray, yes: np.ndarray, people: np.ndarray) -> np.ndarray:
    """One damped step of logistic regression per column; ``yes`` and ``people`` are expected counts per node."""
    found = np.empty_like(slopes)
    for column, own in enumerate(slopes):
        chance = expit(design @ own)
        gradient = design.T @ (yes[:, column] - people[:, column] * chance) - 0.01 * own
        curve = (design * (people[:, column] * chance * (1 - chance))[:, None]).T @ design
        step = np.linalg.solve(curve + (0.01 + 1e-6) * np.eye(design.shape[1]), gradient)
        found[column] = own + step / max(1.0, float(np.abs(step).max()) / 2.0)
    return found
