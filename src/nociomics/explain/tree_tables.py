"""Interventional Shapley values of boosted trees, exact for the whole background, by tables of patterns.

A person meets a leaf only through which questions on the way to it are answered "left": with d questions that is one of
2^d patterns, and the background is one count per pattern. So everything that the background has to say is worked out
once per leaf, and a person's values are looked up: the work grows with people plus background, not with their product.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xgboost

_ROWS = 4096  # people at a time: their patterns of one tree stay in the processor's cache
_KEPT_BYTES = 1 << 28  # tables beyond this are made anew for every call
_DENSE = 8  # up to so many columns on one way, all patterns are weighed by one matrix


@dataclass(frozen=True)
class _Tree:
    """Questions of one tree, parents first, and the ends: questions of which one or both answers are leaves."""

    column: np.ndarray
    limit: np.ndarray
    unmeasured_left: np.ndarray
    parent: list[int]
    parent_left: list[int]
    depth: list[int]
    ends: list[_End]
    constant: float


@dataclass(frozen=True)
class _End:
    """A question with a leaf behind it: the questions that lead there, and what its left and right leaf add."""

    question: int
    columns: tuple[int, ...]
    slots: tuple[int, ...]
    wanted: tuple[int, ...]
    adds: tuple[float, float]


@dataclass(frozen=True)
class _Table:
    """What an end adds to each of its columns, per pattern: shape (n_columns of the way, 2^d)."""

    question: int
    columns: tuple[int, ...]
    adds: np.ndarray


class TreeTables:
    """Explains trees against a background, of which every row counts.

    Parameters
    ----------
    trees : Booster
        Numeric splits; the sum of its leaves is explained, whatever it is the margin of.
    background : ndarray of shape (n_background, n_columns)
        As the trees read them, NaN where not measured.

    References
    ----------
    Shapley values of a product of conditions as an integral of its multilinear extension: Owen 1972, Management Science
    18:P64. Patterns of a path counted once per background: Nadel & Wettenstein 2026, AAAI 40:24476,
    doi:10.1609/aaai.v40i29.39630.
    """

    def __init__(self, trees: xgboost.Booster, background: np.ndarray) -> None:
        self.width = background.shape[1]
        model = json.loads(trees.save_raw("json"))["learner"]["gradient_booster"]["model"]
        self._trees = [_read(tree) for tree in model["trees"]]
        others = np.ascontiguousarray(background.astype(np.float32).T)
        self._counts = [_counted(tree, others) for tree in self._trees]
        size = sum(8 * len(set(end.columns)) * len(c) for t, cs in zip(self._trees, self._counts, strict=True)
                   for end, c in zip(t.ends, cs, strict=True))  # fmt: skip
        self._kept = list(self._made()) if size <= _KEPT_BYTES else None

    def _made(self) -> Iterator[list[_Table]]:
        batch = 64
        for first in range(0, len(self._trees), batch):
            yield from _tables(self._trees[first : first + batch], self._counts[first : first + batch])

    def values(self, people: np.ndarray) -> np.ndarray:
        """Shapley values of shape (n_people, n_columns), in what the leaves are in.

        Parameters
        ----------
        people : ndarray of shape (n_people, n_columns)
            NaN where not measured.
        """
        found = np.zeros((self.width, len(people)))
        read = np.ascontiguousarray(people.astype(np.float32).T)
        for tree, tables in zip(self._trees, self._kept if self._kept is not None else self._made(), strict=True):
            for first in range(0, len(people), _ROWS):
                _look_up(tree, tables, read[:, first : first + _ROWS], found[:, first : first + _ROWS])
        return found.T


def _look_up(tree: _Tree, tables: list[_Table], people: np.ndarray, found: np.ndarray) -> None:
    patterns = _patterns(tree, people)
    added = np.empty(people.shape[1])
    for table in tables:
        place = patterns[table.question].astype(np.intp)
        for column, adds in zip(table.columns, table.adds, strict=True):
            np.take(adds, place, out=added, mode="clip")
            found[column] += added


def _read(tree: dict[str, Any]) -> _Tree:
    """Read one tree of XGBoost's JSON."""
    left, right = tree["left_children"], tree["right_children"]
    if left[0] == -1:
        empty = np.zeros(0)
        return _Tree(empty.astype(int), empty, empty.astype(bool), [], [], [], [], tree["split_conditions"][0])
    nodes, parent, turned, depth, ends = [0], [-1], [0], [1], []
    ways: list[tuple[int, ...]] = [(1,)]  # answers that lead to the left leaf; the last one turns for the right
    read: list[tuple[int, ...]] = [(tree["split_indices"][0],)]
    for place, node in enumerate(nodes):  # grows while it is read
        adds = [0.0, 0.0]
        for side, child in enumerate((left[node], right[node])):
            if left[child] == -1:
                adds[side] = float(np.float32(tree["split_conditions"][child]))
                continue
            nodes.append(child)
            parent.append(place)
            turned.append(1 - side)
            depth.append(depth[place] + 1)
            ways.append((*ways[place][:-1], 1 - side, 1))
            read.append((*read[place], tree["split_indices"][child]))
        if left[left[node]] == -1 or left[right[node]] == -1:
            names = list(dict.fromkeys(read[place]))
            slots = tuple(names.index(column) for column in read[place])
            ends.append(_End(place, tuple(names), slots, ways[place], (adds[0], adds[1])))
    at = np.array(nodes)
    return _Tree(
        np.array(tree["split_indices"])[at],
        np.array(tree["split_conditions"], dtype=np.float32)[at],
        np.array(tree["default_left"], dtype=bool)[at],
        parent,
        turned,
        depth,
        ends,
        0.0,
    )


def _patterns(tree: _Tree, people: np.ndarray) -> list[np.ndarray]:
    """Answers on the way to and at each question, one bit each, the question's own the lowest; others' ways too."""
    kind = np.uint8 if max(tree.depth, default=0) <= 8 else np.uint32
    found: list[np.ndarray] = []
    for place, parent in enumerate(tree.parent):
        values = people[tree.column[place]]
        left = ~(values >= tree.limit[place]) if tree.unmeasured_left[place] else values < tree.limit[place]
        own = left.view(np.uint8).astype(kind, copy=False)
        found.append(own if parent < 0 else (found[parent] << kind(1)) | own)
    return found


def _counted(tree: _Tree, others: np.ndarray) -> list[np.ndarray]:
    """Share of the background with each pattern, per end."""
    patterns = _patterns(tree, others)
    return [
        np.bincount(patterns[end.question], minlength=1 << tree.depth[end.question]) / max(others.shape[1], 1)
        for end in tree.ends
    ]


def _tables(trees: list[_Tree], counts: list[list[np.ndarray]]) -> Iterator[list[_Table]]:
    """Work out the tables of some trees together, ends of the same size at once."""
    groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for number, tree in enumerate(trees):
        for place, end in enumerate(tree.ends):
            groups.setdefault((len(end.slots), len(end.columns)), []).append((number, place))
    found: list[list[_Table]] = [[] for _ in trees]
    for (_, columns), members in groups.items():
        ends = [trees[number].ends[place] for number, place in members]
        shares = np.array([counts[number][place] for number, place in members])
        slots, wanted = (np.array([getattr(end, name) for end in ends]) for name in ("slots", "wanted"))
        adds = np.array([end.adds for end in ends])
        total = _leaf_tables(shares, slots, wanted, columns) * adds[:, 0, None, None]
        wanted[:, -1] = 0
        total += _leaf_tables(shares, slots, wanted, columns) * adds[:, 1, None, None]
        for (number, _), end, table in zip(members, ends, total, strict=True):
            found[number].append(_Table(end.question, end.columns, table))
    yield from found


def _leaf_tables(shares: np.ndarray, slots: np.ndarray, wanted: np.ndarray, columns: int) -> np.ndarray:
    """Values of leaves that add 1, per column and pattern of answers: shape (n_leaves, n_columns, 2^d).

    Parameters
    ----------
    shares : ndarray of shape (n_leaves, 2^d)
        Background per pattern of answers, the first question's in the highest bit.
    slots, wanted : ndarray of shape (n_leaves, d)
        Which column each question asks, and the answer (1 is left) that leads to the leaf.
    """
    leaves, questions = slots.shape
    pattern = np.arange(1 << questions)
    broken = np.zeros((leaves, len(pattern)), dtype=np.int64)
    for place in range(questions):
        answer = (pattern >> (questions - 1 - place)) & 1
        broken |= (answer != wanted[:, place, None]).astype(np.int64) << slots[:, place, None]
    kept = ((1 << columns) - 1) ^ broken  # bit of a column: all its conditions on the way hold
    offset = np.arange(leaves)[:, None] << columns
    met = np.bincount((kept + offset).ravel(), weights=shares.ravel(), minlength=leaves << columns)
    met = met.reshape(leaves, 1 << columns)
    by_column = (
        (met @ _weights(columns)).reshape(leaves, columns, -1) if columns <= _DENSE else _of_product(met, columns)
    )
    return np.take_along_axis(by_column, kept[:, None, :], axis=2)


@cache
def _weights(columns: int) -> np.ndarray:
    """Weigh what each pattern of another person brings to each column and own pattern: (2^k, k * 2^k)."""
    return _of_product(np.eye(1 << columns), columns).reshape(1 << columns, -1)


def _of_product(shares: np.ndarray, columns: int) -> np.ndarray:
    """Shapley values of a product of k conditions per own pattern, others spread as given: (n, k, 2^k).

    Each condition is asked of the person with chance q and else of the other; the change by one of them, over q from 0
    to 1, is its value. That is a polynomial in q of degree k - 1: Gauss-Legendre takes it exactly.
    """
    rows = len(shares)
    points, weights = np.polynomial.legendre.leggauss((columns + 1) // 2)
    found = np.zeros((rows, columns, 1 << columns))
    switch = np.array([[0.0, -1.0], [1.0, 0.0]])  # own answer by the other's
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        mixed = np.array([[0.0, 1 - point], [point, 1.0]])
        for column in range(columns):
            total = shares
            for bit in range(columns):
                matrix = switch if bit == column else mixed
                parts = total.reshape(rows, 1 << (columns - 1 - bit), 2, 1 << bit)
                total = np.einsum("ob,nhbl->nhol", matrix, parts).reshape(rows, -1)
            found[:, column] += weight * total
    return found
