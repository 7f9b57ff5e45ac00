"""Leaves of boosted trees as products of conditions, so that columns can be switched one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xgboost


@dataclass(frozen=True)
class Condition:
    """One step down a tree: values below a limit, or not below it, and whether the unmeasured come along."""

    column: int
    limit: np.float32
    below: bool
    unmeasured: bool

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Whether each of some values of the column, in single precision, goes this way."""
        known = ~np.isnan(values)
        return np.where(known, (values < self.limit) == self.below, self.unmeasured)


@dataclass(frozen=True)
class Leaf:
    """What a leaf adds to the log-odds of a class, and the way to it."""

    adds: float
    output: int
    way: tuple[Condition, ...]


def leaves_of(trees: xgboost.Booster, n_classes: int) -> list[Leaf]:
    """List every leaf of boosted trees; those of two classes speak for the second one."""
    model = json.loads(trees.save_raw("json"))["learner"]["gradient_booster"]["model"]
    found = []
    for tree, output in zip(model["trees"], model["tree_info"], strict=True):
        found += [Leaf(adds, output if n_classes > 2 else 1, way) for adds, way in _ways(tree, 0, ())]
    return found


def _ways(tree: dict[str, Any], node: int, way: tuple[Condition, ...]) -> Iterator[tuple[float, tuple[Condition, ...]]]:
    left, right = tree["left_children"][node], tree["right_children"][node]
    if left == -1:
        yield float(np.float32(tree["split_conditions"][node])), way
        return
    column, limit = tree["split_indices"][node], np.float32(tree["split_conditions"][node])
    first = bool(tree["default_left"][node])
    yield from _ways(tree, left, (*way, Condition(column, limit, below=True, unmeasured=first)))
    yield from _ways(tree, right, (*way, Condition(column, limit, below=False, unmeasured=not first)))


class LeavesBetween:
    """Trees between people and a background: what they add while a person's columns replace another's, one by one.

    A leaf is reached when all conditions on the way hold. Some are asked of the person, those on columns already
    switched, and the rest of the other one: so a leaf is a product of a part that only the person decides and a part
    that only the other decides.

    Parameters
    ----------
    leaves : list of Leaf
        Of one booster.
    people, others : ndarray of shape (n_people, n_columns), (n_others, n_columns)
        As the trees read them, NaN where not measured.
    factor : float
        What the trees' log-odds count.
    """

    def __init__(self, leaves: list[Leaf], people: np.ndarray, others: np.ndarray, factor: float) -> None:
        self.outputs = 1 + max((leaf.output for leaf in leaves), default=0)
        self.adds = factor * np.array([leaf.adds for leaf in leaves])
        self.output = np.array([leaf.output for leaf in leaves], dtype=int)
        read = (people.astype(np.float32), others.astype(np.float32))
        # per leaf and column of its way: whether people and others go there
        self.steps: list[dict[int, tuple[np.ndarray, np.ndarray]]] = [_asked(leaf, *read) for leaf in leaves]
        self.of_column: dict[int, list[int]] = {}
        for place, steps in enumerate(self.steps):
            for column in steps:
                self.of_column.setdefault(column, []).append(place)
        self.shape = (len(people), len(others))

    def of_others(self) -> np.ndarray:
        """Log-odds of the others, before anything is switched: shape (n_others, n_classes)."""
        found = np.zeros((self.shape[1], self.outputs))
        for adds, output, steps in zip(self.adds, self.output, self.steps, strict=True):
            there = np.ones(self.shape[1])
            for _, theirs in steps.values():
                there = there * theirs
            found[:, output] += adds * there
        return found

    def switched(self, column: int, place: np.ndarray) -> np.ndarray:
        """Change of the log-odds when a column switches: shape (n_people, n_others, n_classes).

        Parameters
        ----------
        place : ndarray of shape (n_columns,)
            Each column's place in the order of switching.
        """
        change = np.zeros((*self.shape, self.outputs))
        leaves = np.array(self.of_column.get(column, []), dtype=int)
        if not len(leaves):
            return change
        own, theirs = np.ones((self.shape[0], len(leaves))), np.ones((self.shape[1], len(leaves)))
        after, before = own.copy(), theirs.copy()
        for rank, leaf in enumerate(leaves):
            for step, (person, other) in self.steps[leaf].items():
                if step == column:
                    after[:, rank], before[:, rank] = person, other
                elif place[step] < place[column]:
                    own[:, rank] *= person
                else:
                    theirs[:, rank] *= other
        for output in np.unique(self.output[leaves]):
            inside = self.output[leaves] == output
            weighted = own[:, inside] * self.adds[leaves][inside]
            change[:, :, output] = (weighted * after[:, inside]) @ theirs[:, inside].T
            change[:, :, output] -= weighted @ (theirs * before)[:, inside].T
        return change


def _asked(leaf: Leaf, people: np.ndarray, others: np.ndarray) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for condition in leaf.way:
        own, theirs = (condition.holds(rows[:, condition.column]).astype(float) for rows in (people, others))
        had = found.get(condition.column, (1.0, 1.0))
        found[condition.column] = (had[0] * own, had[1] * theirs)
    return found
