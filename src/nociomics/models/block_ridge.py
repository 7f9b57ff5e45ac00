"""Ridge with a penalty of its own for every block of columns, all of them learned from the data at once.

Each block's coefficients are taken as draws from a normal distribution around 0. How wide it is, per block, is what
makes the outcomes seen most likely (restricted maximum likelihood): a block that tells nothing gets width 0 and falls
out, and no fold has to be spent on choosing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky
from scipy.linalg.lapack import dtrtri
from scipy.optimize import minimize

_ROUNDS = 60
# of the outcome's own variation: from nothing at all to far more than there is
_BOUNDS = (-14.0, 3.0)
_SIGNAL_AT_FIRST = 0.3
# the log-likelihood is a sum: a hundredth of a unit changes no prediction
_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Widths:
    """How far coefficients of each block may lie from 0.

    Attributes
    ----------
    variances : ndarray of shape (n_blocks,)
        Of one coefficient, in squared outcome points per squared unit of the column.
    noise : float
        Variance of the outcome that nothing explains.
    """

    variances: np.ndarray
    noise: float


@dataclass(frozen=True)
class BlockRidge:
    """Coefficients of columns and how each block was shrunk.

    Attributes
    ----------
    coefficients : ndarray of shape (n_columns,)
        Posterior means.
    widths : Widths
        Learned with them.
    leave_one_out : ndarray of shape (n_people,)
        Expectation of each person without that person's outcome, at the widths learned from everybody.
    """

    coefficients: np.ndarray
    widths: Widths
    leave_one_out: np.ndarray


def fit_block_ridge(columns: np.ndarray, outcome: np.ndarray, block: np.ndarray, fixed: int = 1) -> BlockRidge:
    """Fit coefficients and the width of every block.

    Parameters
    ----------
    columns : ndarray of shape (n_people, n_columns)
        Centred, within whatever has a mean of its own.
    outcome : ndarray of shape (n_people,)
        Centred in the same way.
    block : ndarray of shape (n_columns,)
        Number of each column's block, from 0.
    fixed : int
        How many means were taken off.

    References
    ----------
    Patterson & Thompson 1971, Biometrika 58:545 (restricted likelihood); MacKay 1992, Neural Computation 4:415 (the
    gradient by effective numbers of parameters).
    """
    blocks = int(block.max()) + 1 if len(block) else 0
    free = len(outcome) - fixed
    squares = (columns**2).sum(axis=0) / max(len(outcome), 1)
    problem = _Problem(columns, outcome, block, blocks, fixed)
    widths = most_likely_widths(problem.loss, np.bincount(block, squares, blocks), float(outcome @ outcome), free)
    if not widths.variances.any():
        return BlockRidge(np.zeros(len(block)), widths, np.zeros(len(outcome)))
    coefficients, leverage = problem.solution(widths.variances, widths.noise)
    without = outcome - (outcome - columns @ coefficients) / np.maximum(1 - leverage, 1e-3)
    return BlockRidge(coefficients, widths, without)


def most_likely_widths(
    loss: Callable[[np.ndarray], tuple[float, np.ndarray]], power: np.ndarray, square: float, free: int
) -> Widths:
    """Find the widths of greatest restricted likelihood.

    Parameters
    ----------
    loss : callable
        Takes logarithms of the variance of a coefficient of each block and of the noise, gives the negative logarithm
        of the likelihood and its slopes.
    power : ndarray of shape (n_blocks,)
        Mean over people of the sum of squares of each block's columns.
    square : float
        Sum of squares of the outcome.
    free : int
        People less the means that were taken off.

    Returns
    -------
    Widths
        All 0 where the outcome does not vary.
    """
    size, blocks = square / max(free, 1), len(power)
    if size < 1e-12 or blocks == 0 or free <= 1:
        return Widths(np.zeros(blocks), max(size, 1e-12))
    # the search runs in shares of the outcome's variation, whatever the units
    units = np.log(size) - np.r_[np.log(np.maximum(power, 1e-12)), 0.0]

    def in_shares(logs: np.ndarray) -> tuple[float, np.ndarray]:
        value, slopes = loss(logs + units)
        return value - 0.5 * free * np.log(size), slopes

    start = np.r_[np.full(blocks, np.log(_SIGNAL_AT_FIRST / blocks)), np.log(1 - _SIGNAL_AT_FIRST)]
    found = minimize(
        in_shares,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[_BOUNDS] * (blocks + 1),
        options={"maxiter": _ROUNDS, "ftol": _TOLERANCE / free, "gtol": _TOLERANCE},
    )
    widths = np.exp(found.x + units)
    return Widths(widths[:-1], float(widths[-1]))


def solve_block_ridge(columns: np.ndarray, outcome: np.ndarray, block: np.ndarray, widths: Widths) -> np.ndarray:
    """Fit coefficients at known widths; columns and outcome centred as in `fit_block_ridge`."""
    root = np.sqrt(widths.variances)[block] if len(block) else np.zeros(0)
    used = root > 0
    scaled = columns[:, used] * root[used]
    coefficients = np.zeros(len(block))
    if scaled.shape[1] <= len(outcome):
        inner = scaled.T @ scaled
        inner[np.diag_indices_from(inner)] += widths.noise
        coefficients[used] = root[used] * cho_solve((cholesky(inner, lower=True), True), scaled.T @ outcome)
    else:
        inner = scaled @ scaled.T
        inner[np.diag_indices_from(inner)] += widths.noise
        coefficients[used] = root[used] * (scaled.T @ cho_solve((cholesky(inner, lower=True), True), outcome))
    return coefficients


class _Problem:
    """The restricted likelihood; in the space of columns or of people, whichever is smaller."""

    def __init__(self, columns: np.ndarray, outcome: np.ndarray, block: np.ndarray, blocks: int, fixed: int) -> None:
        self.columns, self.outcome, self.block, self.blocks = columns, outcome, block, blocks
        self.people = len(outcome) - fixed
        self.narrow = columns.shape[1] <= len(outcome)
        self.sizes = np.bincount(block, minlength=blocks).astype(float)
        if self.narrow:
            self.gram, self.product = columns.T @ columns, columns.T @ outcome
        self.square = float(outcome @ outcome)

    def loss(self, logs: np.ndarray) -> tuple[float, np.ndarray]:
        """Negative log-likelihood and its gradient, at logs of the blocks' variances and of the noise."""
        root, noise = np.exp(0.5 * logs[:-1])[self.block], float(np.exp(logs[-1]))
        weights, used, logarithm = self._narrow(root, noise) if self.narrow else self._wide(root, noise)
        squares = np.bincount(self.block, weights**2, self.blocks)
        parameters = np.bincount(self.block, used, self.blocks)
        explained = self._explained(root * weights)
        value = 0.5 * (self.people * np.log(noise) + logarithm + (self.square - explained) / noise)
        left = self.square - 2 * explained + self._fitted_square(root * weights)
        slope = np.r_[0.5 * (parameters - squares), 0.5 * (self.people - parameters.sum() - left / noise)]
        return float(value), slope

    def solution(self, variances: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients, and how much of each person's expectation is that person's own outcome."""
        root = np.sqrt(variances)[self.block]
        scaled = self.columns * root
        if self.narrow:
            factor = cholesky(noise * np.eye(len(root)) + scaled.T @ scaled, lower=True)
            coefficients = root * cho_solve((factor, True), scaled.T @ self.outcome)
            half = np.linalg.solve(factor, scaled.T)
            return coefficients, (half**2).sum(axis=0) + self._own_share()
        covariance = scaled @ scaled.T + noise * np.eye(len(self.outcome))
        inverse = cho_solve((cholesky(covariance, lower=True), True), np.eye(len(self.outcome)))
        return root * (scaled.T @ (inverse @ self.outcome)), 1 - noise * np.diag(inverse) + self._own_share()

    def _own_share(self) -> float:
        return (len(self.outcome) - self.people) / len(self.outcome)

    def _narrow(self, root: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray, float]:
        inner = self.gram * root[:, None] * root[None, :] / noise
        inner[np.diag_indices_from(inner)] += 1
        factor = cholesky(inner, lower=True, overwrite_a=True, check_finite=False)
        weights = cho_solve((factor, True), root * self.product, check_finite=False) / noise
        # only the inverse's diagonal counts: squares of the inverse triangle, a fifth of the work of the whole inverse
        triangle, _ = dtrtri(factor, lower=1)
        return weights, 1 - (triangle**2).sum(axis=0), 2 * float(np.log(np.diag(factor)).sum())

    def _wide(self, root: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray, float]:
        scaled = self.columns * root
        inner = scaled @ scaled.T / noise
        inner[np.diag_indices_from(inner)] += 1
        factor = cholesky(inner, lower=True)
        back = cho_solve((factor, True), scaled) / noise
        weights = back.T @ self.outcome
        return weights, (scaled * back).sum(axis=0), 2 * float(np.log(np.diag(factor)).sum())

    def _explained(self, coefficients: np.ndarray) -> float:
        if self.narrow:
            return float(coefficients @ self.product)
        return float((self.columns @ coefficients) @ self.outcome)

    def _fitted_square(self, coefficients: np.ndarray) -> float:
        if self.narrow:
            return float(coefficients @ self.gram @ coefficients)
        fitted = self.columns @ coefficients
        return float(fitted @ fitted)
