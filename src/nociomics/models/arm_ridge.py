"""Ridge with a width per block, for columns that have an effect common to all arms and a deviation in each.

The whole design of such a model, columns and then columns x arm, is wide and mostly empty: a deviation meets the people
of its own arm alone. So arms are solved one by one, and common effects from what the arms leave. The answer is that of
`block_ridge` on the whole design, for a fifth of its work with four arms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nociomics.models.block_ridge import Widths, most_likely_widths


@dataclass(frozen=True)
class ArmSums:
    """Sums over people that all such models need, taken of differences from the mean of the person's arm.

    Attributes
    ----------
    grams : ndarray of shape (n_arms, n_columns, n_columns)
        Products of the columns over each arm's people; 0 for an arm without people.
    products : ndarray of shape (n_arms, n_columns)
        Products of the columns with the outcome.
    square : float
        Sum of squares of the outcome.
    people, means : int
        How many people, and how many arms' means were taken off.
    """

    grams: np.ndarray
    products: np.ndarray
    square: float
    people: int
    means: int


@dataclass(frozen=True)
class ArmBlocks:
    """Number of the block of each column's common effect, and of its deviations, counted together from 0."""

    common: np.ndarray
    own: np.ndarray

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return int(max(self.common.max(initial=-1), self.own.max(initial=-1))) + 1


def arm_sums(columns: np.ndarray, outcome: np.ndarray, arm: np.ndarray, arms: int) -> ArmSums:
    """Sum people up, as differences from the mean of their arm.

    Parameters
    ----------
    columns : ndarray of shape (n_people, n_columns)
        Nothing missing.
    outcome, arm : ndarray of shape (n_people,)
        Outcome points; index of the arm received.
    arms : int
        Number of arms.
    """
    centred, rest = columns.astype(float), outcome.astype(float)
    for a in np.unique(arm):
        centred[arm == a] -= centred[arm == a].mean(axis=0)
        rest[arm == a] -= rest[arm == a].mean()
    return sums_of(centred, rest, arm, arms)


def sums_of(columns: np.ndarray, outcome: np.ndarray, arm: np.ndarray, arms: int) -> ArmSums:
    """Sum up people who stand as differences from means already."""
    width, given = columns.shape[1], np.unique(arm)
    grams, products = np.zeros((arms, width, width)), np.zeros((arms, width))
    for a in given:
        inside = columns[arm == a]
        grams[a], products[a] = inside.T @ inside, inside.T @ outcome[arm == a]
    return ArmSums(grams, products, float(outcome @ outcome), len(outcome), len(given))


def learn_arm_widths(sums: ArmSums, blocks: ArmBlocks) -> Widths:
    """Learn how wide each block is by restricted maximum likelihood, as `block_ridge.fit_block_ridge` does."""
    squares = np.einsum("ajj->j", sums.grams) / max(sums.people, 1)
    power = np.bincount(blocks.common, squares, blocks.count) + np.bincount(blocks.own, squares, blocks.count)
    free = sums.people - sums.means

    def loss(logs: np.ndarray) -> tuple[float, np.ndarray]:
        variances, noise = np.exp(logs[:-1]), float(np.exp(logs[-1]))
        found = _posterior(sums, blocks, variances, noise)
        both = np.r_[blocks.common, np.tile(blocks.own, len(sums.grams))]
        squared = np.bincount(both, found.weights.ravel() ** 2, blocks.count)
        used = np.bincount(both, found.used.ravel(), blocks.count)
        total = _total(blocks, variances, found.weights)
        explained = float((total * sums.products).sum())
        fitted = float((total * (sums.grams @ total[:, :, None])[:, :, 0]).sum())
        value = 0.5 * (free * np.log(noise) + found.logarithm + (sums.square - explained) / noise)
        slope = 0.5 * (free - used.sum() - (sums.square - 2 * explained + fitted) / noise)
        return value, np.r_[0.5 * (used - squared), slope]

    return most_likely_widths(loss, power, sums.square, free)


def solve_arm_ridge(sums: ArmSums, blocks: ArmBlocks, widths: Widths) -> np.ndarray:
    """Coefficients of shape (n_arms, n_columns) at known widths: common effect and deviation added up."""
    found = _posterior(sums, blocks, widths.variances, widths.noise)
    return _total(blocks, widths.variances, found.weights)


@dataclass(frozen=True)
class _Posterior:
    """Of effects in units of their width, (1 + n_arms, n_columns), common ones first.

    ``weights`` are their means, ``used`` is how far the data determine each (0 to 1), ``logarithm`` that of the
    determinant of their precision.
    """

    weights: np.ndarray
    used: np.ndarray
    logarithm: float


def _posterior(sums: ArmSums, blocks: ArmBlocks, variances: np.ndarray, noise: float) -> _Posterior:
    """Solve each arm's deviations given the common effects, then these: the arrow of a matrix that this is."""
    root = np.sqrt(variances)
    common, own = root[blocks.common], root[blocks.own]
    unit = np.eye(len(common))
    met = own[:, None] * sums.grams / noise
    precision = unit + met * own
    inverse = np.linalg.inv(precision)
    # how the deviations answer to a common effect, and what is left of the grams for the common effects
    answer = inverse @ met
    # (the difference of the two, written without one: where a width is large they agree in all but their last digits)
    grams = sums.grams / noise
    left = np.linalg.solve(unit + grams * own**2, grams)
    left = (left + left.transpose(0, 2, 1)) / 2
    shared = unit + common[:, None] * left.sum(axis=0) * common
    shared_inverse = np.linalg.inv(shared)
    response = own * sums.products / noise
    alone = (inverse @ response[:, :, None])[:, :, 0]
    towards = (sums.products / noise - (met.transpose(0, 2, 1) @ alone[:, :, None])[:, :, 0]).sum(axis=0)
    main = shared_inverse @ (common * towards)
    answer = answer * common
    deviations = alone - answer @ main
    spread = np.einsum("ajj->aj", inverse) + ((answer @ shared_inverse) * answer).sum(axis=2)
    factors = np.linalg.cholesky(np.concatenate([precision, shared[None]]))
    logarithm = 2 * float(np.log(np.einsum("ajj->aj", factors)).sum())
    used = 1 - np.vstack([np.diag(shared_inverse), spread])
    return _Posterior(np.vstack([main, deviations]), used, logarithm)


def _total(blocks: ArmBlocks, variances: np.ndarray, weights: np.ndarray) -> np.ndarray:
    root = np.sqrt(variances)
    return np.asarray(root[blocks.common] * weights[0] + root[blocks.own] * weights[1:])
