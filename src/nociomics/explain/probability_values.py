"""Shapley values of probabilities, by switching columns from one person's to another's in paired orders."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import expit

from nociomics.explain.tree_leaves import LeavesBetween

_CELLS = 1 << 16  # pairs of people at a time, so that their log-odds stay in the processor's cache


class Orders:
    """Orders of columns: some drawn, and each of them backwards too."""

    def __init__(self, columns: int, count: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.drawn = [rng.permutation(columns) for _ in range(count)]

    def __iter__(self) -> Iterator[np.ndarray]:
        for order in self.drawn:
            yield order
            yield order[::-1]

    def __len__(self) -> int:
        return 2 * len(self.drawn)


def probability_values(
    people: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
    intercepts: np.ndarray,
    orders: Orders,
    trees: LeavesBetween | None = None,
) -> np.ndarray:
    """Mean change of each class's probability when a column switches from a background person's to the person's.

    Parameters
    ----------
    people, others : ndarray of shape (n_people, n_columns), (n_others, n_columns)
        What the log-odds are linear in.
    weights, intercepts : ndarray of shape (n_columns, n_classes), (n_classes,)
        Log-odds.
    trees : LeavesBetween, optional
        What trees add to the log-odds of the same people and others.

    Returns
    -------
    ndarray of shape (n_people, n_classes, n_columns)
    """
    columns, classes = weights.shape
    start = others @ weights + intercepts + (trees.of_others() if trees is not None else 0.0)
    at_once = max(1, _CELLS // max(len(others) * classes, 1)) if trees is None else max(len(people), 1)
    # columns that move nothing need not be switched
    moving = np.any(weights != 0, axis=1)
    if trees is not None:
        moving[list(trees.of_column)] = True
    found = np.zeros((len(people), classes, columns))
    for first in range(0, len(people), at_once):
        rows = slice(first, first + at_once)
        total = found[rows]
        for order in orders:
            logits = np.repeat(start.T[:, None, :], total.shape[0], axis=1)
            before = _mean_probability(logits)
            place = np.argsort(order)
            for column in order[moving[order]]:
                difference = people[rows, column, None] - others[None, :, column]
                for one in np.flatnonzero(weights[column]):
                    logits[one] += weights[column, one] * difference
                if trees is not None:
                    logits += np.moveaxis(trees.switched(column, place), 2, 0)
                after = _mean_probability(logits)
                total[:, :, column] += after - before
                before = after
    return found / max(len(orders), 1)


def two_class_values(
    people: np.ndarray, others: np.ndarray, weights: np.ndarray, intercepts: np.ndarray, orders: Orders, few: int
) -> np.ndarray:
    """Values of the probabilities of two classes by lines: all others along the straight way, orders for few of them.

    Switching all columns together, little by little, has a closed form and comes near to switching them one by one in
    every order. How far the two are apart is learned from a few of the others, and added.

    Parameters
    ----------
    people, others, weights, intercepts, orders
        As in `probability_values`.
    few : int
        Of the others, for whom orders are gone through.

    Returns
    -------
    ndarray of shape (n_people, 2, n_columns)

    References
    ----------
    Values along the straight way: Aumann & Shapley 1974, Values of Non-Atomic Games.
    """
    rows = np.linspace(0, len(others) - 1, min(few, len(others))).astype(int)
    weight, start = weights[:, 1] - weights[:, 0], intercepts[1] - intercepts[0]
    apart = probability_values(people, others[rows], weights, intercepts, orders)[:, 1]
    apart -= _along_the_way(people, others[rows], weight, start)
    second = _along_the_way(people, others, weight, start) + apart
    return np.stack([-second, second], axis=1)


def _along_the_way(people: np.ndarray, others: np.ndarray, weight: np.ndarray, start: float) -> np.ndarray:
    """Share of each column in the straight way from the others' log-odds to the person's: (n_people, n_columns)."""
    own, theirs = people @ weight + start, others @ weight + start
    steep = _steepness(own[:, None], theirs[None, :])
    return np.asarray(weight * (people * steep.mean(axis=1)[:, None] - steep @ others / max(len(others), 1)))


def _steepness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean slope of the logistic curve between two log-odds."""
    distance = one - other
    near = np.abs(distance) < 1e-6
    middle = expit((one + other) / 2)
    rise = expit(one) - expit(other)
    return np.asarray(np.where(near, middle * (1 - middle), rise / np.where(near, 1.0, distance)))


def _mean_probability(logits: np.ndarray) -> np.ndarray:
    """Mean probability over the others: from log-odds (n_classes, n_people, n_others) to (n_people, n_classes)."""
    if len(logits) == 2:
        moved = np.subtract(logits[0], logits[1])
        with np.errstate(over="ignore"):  # infinitely much against it is a probability of 0
            np.exp(moved, out=moved)
        moved += 1.0
        np.reciprocal(moved, out=moved)
        second = moved.mean(axis=1)
        return np.column_stack([1.0 - second, second])
    raised = np.exp(logits - logits.max(axis=0))
    raised /= raised.sum(axis=0)
    return np.asarray(raised.mean(axis=2).T)
