"""Many boosters at once, for few people: their nodes as arrays, walked level by level."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

# above so many people each booster on its own is faster
FEW_PEOPLE = 32


class PackedTrees:
    """Regression trees of several boosters, with the sums that XGBoost makes, to the last bit of single precision.

    Parameters
    ----------
    boosters : sequence of Booster
        Of squared error: what they predict is their base score and their leaves.
    """

    def __init__(self, boosters: Sequence[Any]) -> None:
        forests = [trees_of(one) for one in boosters]
        nodes = [tree for _, trees in forests for tree in trees]
        offsets = np.cumsum([0, *[len(tree["left_children"]) for tree in nodes]])
        self.roots = offsets[:-1].astype(np.int64)
        self.left = _joined([np.array(t["left_children"]) for t in nodes], offsets)
        self.right = _joined([np.array(t["right_children"]) for t in nodes], offsets)
        self.column = _flat([t["split_indices"] for t in nodes], np.int64)
        self.limit = _flat([t["split_conditions"] for t in nodes], np.float32)
        self.first = _flat([t["default_left"] for t in nodes], bool)
        self.base = np.array([base for base, _ in forests], dtype=np.float32)
        sizes = [len(trees) for _, trees in forests]
        self.order = [(np.flatnonzero(np.array(sizes) == size), size) for size in sorted(set(sizes))]
        self.starts = np.cumsum([0, *sizes])

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Return the boosters' predictions, float64 of shape (n_people, n_boosters).

        Parameters
        ----------
        values : ndarray of shape (n_people, n_columns)
            NaN where not measured.
        """
        found = np.empty((len(values), len(self.base)))
        for row, person in enumerate(values.astype(np.float32)):
            leaves = self.limit[self._leaves(person)]
            for which, size in self.order:
                of_trees = leaves[self.starts[which][:, None] + np.arange(size)]
                # one after the other, as XGBoost adds them: sums of single precision depend on the order
                terms = np.hstack([self.base[which][:, None], of_trees])
                found[row, which] = np.add.accumulate(terms, axis=1, dtype=np.float32)[:, -1]
        return found

    def _leaves(self, person: np.ndarray) -> np.ndarray:
        unmeasured = np.isnan(person)
        if not len(person):  # grown on a constant column
            person, unmeasured = np.zeros(1, dtype=np.float32), np.zeros(1, dtype=bool)
        node = self.roots.copy()
        inner = np.flatnonzero(self.left[node] >= 0)
        while inner.size:
            at = node[inner]
            column = self.column[at]
            goes_left = np.where(unmeasured[column], self.first[at], person[column] < self.limit[at])
            node[inner] = np.where(goes_left, self.left[at], self.right[at])
            inner = inner[self.left[node[inner]] >= 0]
        return node


def trees_of(booster: Any) -> tuple[float, list[dict[str, Any]]]:
    """Return a booster's base score and its trees, as XGBoost writes them."""
    stored = json.loads(booster.save_raw("json"))["learner"]
    base = stored["learner_model_param"]["base_score"]
    return float(np.float32(base.strip("[]"))), stored["gradient_booster"]["model"]["trees"]


def _joined(children: list[np.ndarray], offsets: np.ndarray) -> np.ndarray:
    """Children's places among all nodes; -1 at a leaf."""
    if not children:
        return np.zeros(0, dtype=np.int64)
    moved = [np.where(own >= 0, own + start, -1) for own, start in zip(children, offsets, strict=False)]
    return np.concatenate(moved).astype(np.int64)


def _flat(lists: list[list[Any]], kind: Any) -> np.ndarray:
    return np.concatenate([np.asarray(one, dtype=kind) for one in lists]) if lists else np.zeros(0, dtype=kind)
