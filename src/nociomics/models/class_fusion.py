"""Logistic models of classes, and log-odds of several models brought together by non-negative weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from nociomics.models.logistic import logistic_path

# log-odds of arms lie about half a unit apart: with a few events in each, their differences are mostly chance
_ARMS_APART = 0.5
# the factor of fused log-odds lies near 1; then it is shrunk by what choosing forms, penalties and shares promised
_FACTOR_SD, _EXACT, _CHOSEN_PER_MODEL = 0.3, 1e-3, 1.0


@dataclass(frozen=True)
class Design:
    """What a logistic model of some columns is fitted to: people's rows, and the way back to ``width`` columns."""

    rotated: np.ndarray
    unrotated: Callable[[np.ndarray], np.ndarray]
    width: int


class Fusion:
    """The people with a class, and what is fitted to them."""

    def __init__(self, classes: np.ndarray, arm: np.ndarray, arms: int, n_classes: int, folds: np.ndarray) -> None:
        self.classes, self.arm, self.arms, self.n_classes, self.folds = classes, arm, arms, n_classes, folds

    def out_of_fold(self, columns: np.ndarray, strengths: tuple[float, ...]) -> list[np.ndarray]:
        """Log-odds (n_people, n_classes) of each inner fold from the other folds, without intercepts, per strength."""
        logits = [np.zeros((len(self.classes), self.n_classes)) for _ in strengths]
        design = self.design(columns)
        for fold in np.unique(self.folds):
            train, test = np.flatnonzero(self.folds != fold), np.flatnonzero(self.folds == fold)
            for place, weights in enumerate(self.fit_weights(design, train, strengths)):
                logits[place][test] = np.einsum("nq,nqc->nc", columns[test], weights[self.arm[test]])
        return logits

    def design(self, columns: np.ndarray) -> Design:
        """Columns, columns per arm and marks of the arms, in as few dimensions as there are people.

        An L2 penalty is the same in the columns' own row space, where a wide matrix becomes narrow; everybody's space
        holds that of any of them, so folds and refits share it.
        """
        parts = [columns]
        if self.arms > 1:
            parts += [columns * (self.arm == a)[:, None] for a in range(self.arms)]
            parts.append(5.0 * (self.arm[:, None] == np.arange(self.arms)))  # barely penalised
        wide = np.hstack(parts)
        if wide.shape[1] <= len(wide):
            return Design(wide, np.asarray, columns.shape[1])
        # by the products of people: far less work than taking the wide matrix itself apart
        squares, left = np.linalg.eigh(wide @ wide.T)
        kept = squares > 1e-10 * max(float(squares[-1]), 1e-300)
        singular, left = np.sqrt(squares[kept]), left[:, kept]
        return Design(left * singular, lambda own: np.asarray(((own / singular) @ left.T) @ wide), columns.shape[1])

    def fit_weights(self, design: Design, rows: np.ndarray, strengths: tuple[float, ...]) -> list[np.ndarray]:
        """Penalised logistic weights of shape (n_arms, n_columns, n_classes) from the given people, per strength."""
        width = design.width
        if width == 0 or len(np.unique(self.classes[rows])) < self.n_classes:
            return [np.zeros((self.arms, width, self.n_classes)) for _ in strengths]
        found = logistic_path(design.rotated[rows], self.classes[rows], self.n_classes, strengths)
        return [self._per_arm(design.unrotated(own), width) for own in found]

    def _per_arm(self, coefficients: np.ndarray, width: int) -> np.ndarray:
        weights = np.repeat(coefficients[None, :, :width], self.arms, axis=0)
        if self.arms > 1:
            for a in range(self.arms):
                weights[a] += coefficients[:, (a + 1) * width : (a + 2) * width]
        return np.asarray(weights.transpose(0, 2, 1))

    def log_loss(self, logits: np.ndarray) -> float:
        """Log loss of one modality's log-odds beside class and arm intercepts fitted to them."""
        intercepts, shares = self.fuse([logits])
        return self._loss(intercepts[self.arm] + shares[0] * logits)

    def fuse(
        self, models: list[np.ndarray], centre: np.ndarray | float | None = None, sd: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fit intercepts (n_arms, n_classes) and one non-negative weight per model to out-of-fold log-odds.

        Parameters
        ----------
        models : list of ndarray of shape (n_people, n_classes)
            Log-odds out of fold.
        centre : float or ndarray of shape (n_models,), optional
            What the weights are drawn towards, with standard deviation ``sd``; equal ones that add up to 1 when left
            out.
        """
        count = len(models)
        free = self.arms * self.n_classes
        stacked = np.asarray(models).reshape(count, len(self.classes), self.n_classes)
        prior = np.full(count, 1.0 / max(count, 1)) if centre is None else np.broadcast_to(np.asarray(centre), count)

        happened = (self.classes[:, None] == np.arange(self.n_classes)).astype(float)
        received = (self.arm[:, None] == np.arange(self.arms)).astype(float)

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            intercepts = parameters[:free].reshape(self.arms, self.n_classes)
            shares = parameters[free:]
            logits = intercepts[self.arm] + np.tensordot(shares, stacked, axes=1)
            moved = logits - logits.max(axis=1, keepdims=True)
            raised = np.exp(moved)
            total = raised.sum(axis=1)
            error = raised / total[:, None] - happened
            towards = np.einsum("mnc,nc->m", stacked, error) + (shares - prior) / sd**2
            value = float(np.log(total).sum() - (happened * moved).sum())
            value += 0.5 * np.sum((shares - prior) ** 2) / sd**2
            slope = received.T @ error
            apart = (intercepts - intercepts.mean(axis=0)) / _ARMS_APART**2
            value += 0.5e-3 * np.sum(intercepts**2) + 0.5 * np.sum(apart * intercepts)
            return value, np.concatenate([(slope + 1e-3 * intercepts + apart).ravel(), towards])

        start = np.concatenate([np.zeros(free), prior])
        bounds = [(None, None)] * free + [(0.0, None)] * count
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
        return found.x[:free].reshape(self.arms, self.n_classes), found.x[free:]

    def calibrated(self, models: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Fuse, and bring all shares to one temperature that makes the log-odds as sure as they should be.

        Shares of people who helped to find them promise too much. So each inner fold is fused by the shares of the
        other folds, and one factor is fitted to these log-odds. Forms and penalties were still chosen on everybody:
        the factor is shrunk by chi2 / (chi2 + number of models), chi2 being what the log-odds explain.

        References
        ----------
        Van Houwelingen & Le Cessie 1990, Statistics in Medicine 9:1303 (heuristic shrinkage), in a form that stays
        above 0.
        """
        shares = self.fuse(models)[1]
        if not len(shares):
            return self.fuse(models)
        fused = self._crossed(models, shares)
        factor = float(self.fuse([fused], 1.0, _FACTOR_SD)[1][0])
        intercepts, _ = self.fuse([fused], 0.0, _EXACT)
        with_it, _ = self.fuse([fused], factor, _EXACT)
        explained = self._loss(intercepts[self.arm]) - self._loss(with_it[self.arm] + factor * fused)
        chi2 = max(2 * len(self.classes) * explained, 0.0)
        factor *= chi2 / (chi2 + _CHOSEN_PER_MODEL * len(shares))
        return self.fuse([fused], factor, _EXACT)[0], factor * shares

    def log_likelihood(self, models: list[np.ndarray]) -> float:
        """Log-likelihood of everybody's class by models fused with the shares of the other inner folds."""
        if not models:
            return -len(self.classes) * self._loss(self.fuse([])[0][self.arm])
        fused = self._crossed(models, self.fuse(models)[1])
        intercepts, factor = self.fuse([fused], 1.0, _FACTOR_SD)
        return -len(self.classes) * self._loss(intercepts[self.arm] + factor[0] * fused)

    def _crossed(self, models: list[np.ndarray], shares: np.ndarray) -> np.ndarray:
        """Fuse each inner fold's log-odds by the shares of the other folds; ``shares`` where these lack a class."""
        fused = np.zeros((len(self.classes), self.n_classes))
        for fold in np.unique(self.folds):
            rest, here = np.flatnonzero(self.folds != fold), np.flatnonzero(self.folds == fold)
            own = shares
            if len(np.unique(self.classes[rest])) == self.n_classes:
                part = Fusion(self.classes[rest], self.arm[rest], self.arms, self.n_classes, self.folds[rest])
                own = part.fuse([one[rest] for one in models])[1]
            fused[here] = np.tensordot(own, np.asarray([one[here] for one in models]), axes=1)
        return fused

    def drawn(self, rng: np.random.Generator) -> np.ndarray:
        """People drawn with replacement within arm and class."""
        cells = self.arm * self.n_classes + self.classes
        places = [np.flatnonzero(cells == cell) for cell in np.unique(cells)]
        return np.concatenate([rng.choice(inside, size=len(inside), replace=True) for inside in places])

    def _loss(self, logits: np.ndarray) -> float:
        return float(-np.mean(log_softmax(logits, axis=1)[np.arange(len(self.classes)), self.classes]))
