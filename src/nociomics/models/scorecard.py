"""A scorecard of a few bedside variables that stands in for the strata model: a small tree, or points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

Kind = Literal["tree", "points"]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
MOST_VARIABLES = 6
_DEPTH = 3
_MOST_POINTS = 5
_KINDS: tuple[Kind, ...] = ("tree", "points")
_INNER_FOLDS = 3


@dataclass(frozen=True)
class Scorecard:
    """Places a person by at most six variables.

    Attributes
    ----------
    kind : {"tree", "points"}
        What ``rule`` holds.
    variables : tuple of int
        Columns that are asked for.
    filled : tuple of float
        What stands for a variable that was not measured: the median of the training people.
    rule : dict
        tree: ``nodes``, each ``variable, at_most, then, otherwise`` or ``stratum``. points: ``cuts`` (two per
        variable: at most the first is level 0, above the second level 2), ``points`` per stratum and variable
        (times the level) and ``start`` per stratum; most points win, ties go to the stratum that stands first in
        ``by_size``.
    """

    kind: Kind
    variables: tuple[int, ...]
    filled: tuple[float, ...]
    rule: dict[str, Any]

    def place(self, values: FloatArray) -> IntArray:
        """Place people.

        Parameters
        ----------
        values : ndarray of shape (n_people, n_columns)
            All columns that the card was learned from; NaN where not measured.

        Returns
        -------
        ndarray of int
            Number of the stratum of each.
        """
        asked = values[:, list(self.variables)]
        asked = np.where(np.isnan(asked), np.array(self.filled), asked)
        return _down_the_tree(self.rule, asked) if self.kind == "tree" else _most_points(self.rule, asked)


def fit_scorecard(values: FloatArray, labels: IntArray, seed: int) -> Scorecard:
    """Learn a card; whether a tree or points, is chosen by three folds inside these people.

    Parameters
    ----------
    values : ndarray of shape (n_people, n_columns)
        Bedside variables; NaN where not measured.
    labels : ndarray of int
        Stratum of each, numbered from 0 without gaps.
    seed : int
        Seeds the inner folds.
    """
    folds = stratified_folds(labels, _INNER_FOLDS, seed)
    right = dict.fromkeys(_KINDS, 0)
    for fold in range(_INNER_FOLDS):
        inside, held = folds != fold, folds == fold
        for kind in _KINDS:
            card = _fit(values[inside], labels[inside], kind)
            right[kind] += int((card.place(values[held]) == labels[held]).sum())
    return _fit(values, labels, max(_KINDS, key=right.__getitem__))


def stratified_folds(labels: IntArray, folds: int, seed: int) -> IntArray:
    """Deal the people of every stratum out to folds in turn."""
    rng = np.random.default_rng([seed, 31])
    member = np.zeros(len(labels), dtype=np.int64)
    for start, label in enumerate(np.unique(labels)):
        places = rng.permutation(np.flatnonzero(labels == label))
        member[places] = (np.arange(len(places)) + start) % folds
    return member


def chosen_columns(values: FloatArray, goals: FloatArray, most: int = MOST_VARIABLES) -> tuple[int, ...]:
    """Choose columns one after the other, each the one that explains most of what the earlier ones left.

    Parameters
    ----------
    values : ndarray of shape (n_people, n_columns)
        Without NaN.
    goals : ndarray of shape (n_people, n_goals)
        What is to be explained: membership of each stratum, or factor scores.
    """
    left, rest = goals - goals.mean(axis=0), values - values.mean(axis=0)
    spread = np.sqrt((rest**2).sum(axis=0))
    chosen: list[int] = []
    for _ in range(min(most, values.shape[1])):
        length = np.sqrt((rest**2).sum(axis=0))
        # what earlier columns tell already has no length left, and is not taken again
        usable = length > 1e-6 * np.maximum(spread, 1e-12)
        unit = np.where(usable, rest / np.where(usable, length, 1.0), 0.0)
        explained = ((unit.T @ left) ** 2).sum(axis=1)
        best = int(explained.argmax())
        if not usable[best] or explained[best] <= 1e-9 * max(float((goals**2).sum()), 1e-12):
            break
        chosen.append(best)
        direction = unit[:, best : best + 1]
        left, rest = left - direction @ (direction.T @ left), rest - direction @ (direction.T @ rest)
    return tuple(sorted(chosen))


def medians(values: FloatArray) -> FloatArray:
    """Median of each column; 0 where nobody has a value."""
    known = ~np.isnan(values)
    return np.array(
        [np.median(column[here]) if here.any() else 0.0 for column, here in zip(values.T, known.T, strict=True)]
    )


def _fit(values: FloatArray, labels: IntArray, kind: Kind) -> Scorecard:
    middle = medians(values)
    filled = np.where(np.isnan(values), middle, values)
    if kind == "tree":
        variables, rule = _fit_tree(filled, labels)
    else:
        variables, rule = _fit_points(filled, labels)
    return Scorecard(kind, variables, tuple(float(middle[place]) for place in variables), rule)


def _fit_tree(values: FloatArray, labels: IntArray) -> tuple[tuple[int, ...], dict[str, Any]]:
    smallest = max(5, len(labels) // 50)

    def grown(columns: FloatArray) -> DecisionTreeClassifier:
        return DecisionTreeClassifier(max_depth=_DEPTH, min_samples_leaf=smallest, random_state=0).fit(columns, labels)

    # a tree of three levels can ask for seven variables: the least telling one then goes
    telling = np.argsort(-grown(values).feature_importances_, kind="stable")[:MOST_VARIABLES]
    offered = np.sort(telling)
    tree = grown(values[:, offered]).tree_
    nodes: list[dict[str, Any]] = []
    _grow(tree, 0, nodes)
    used = sorted({node["variable"] for node in nodes if "variable" in node})
    for node in nodes:
        if "variable" in node:
            node["variable"] = used.index(node["variable"])
    return tuple(int(offered[place]) for place in used), {"nodes": nodes}


def _answers(tree: Any, node: int) -> set[int]:
    """Strata at which the people of a node can end."""
    if tree.children_left[node] < 0:
        return {int(tree.value[node, 0].argmax())}
    return _answers(tree, tree.children_left[node]) | _answers(tree, tree.children_right[node])


def _grow(tree: Any, node: int, nodes: list[dict[str, Any]]) -> int:
    """Copy a node with all below it, without questions whose answer changes nothing; return its number."""
    place = len(nodes)
    answers = _answers(tree, node)
    if len(answers) == 1:
        nodes.append({"stratum": answers.pop()})
        return place
    nodes.append({"variable": int(tree.feature[node]), "at_most": float(tree.threshold[node])})
    nodes[place]["then"] = _grow(tree, tree.children_left[node], nodes)
    nodes[place]["otherwise"] = _grow(tree, tree.children_right[node], nodes)
    return place


def _down_the_tree(rule: dict[str, Any], asked: FloatArray) -> IntArray:
    nodes = rule["nodes"]
    at = np.zeros(len(asked), dtype=np.int64)
    for _ in range(_DEPTH):
        for number, node in enumerate(nodes):
            here = np.flatnonzero(at == number)
            if "variable" in node and here.size:
                # scikit-learn compares in single precision; the card must do the same to agree with its tree
                low = asked[here, node["variable"]].astype(np.float32) <= node["at_most"]
                at[here] = np.where(low, node["then"], node["otherwise"])
    return np.array([nodes[place]["stratum"] for place in at], dtype=np.int64)


def _fit_points(values: FloatArray, labels: IntArray) -> tuple[tuple[int, ...], dict[str, Any]]:
    strata = int(labels.max()) + 1
    cuts = np.quantile(values, [1 / 3, 2 / 3], axis=0).T
    levels = _levels(values, cuts)
    variables = chosen_columns(levels, np.eye(strata)[labels])
    sizes = np.bincount(labels, minlength=strata)
    by_size = [int(place) for place in np.argsort(-sizes, kind="stable")]
    if not variables:
        nothing: list[list[int]] = [[] for _ in range(strata)]
        return (), {"cuts": [], "points": nothing, "start": [0] * strata, "by_size": by_size}
    learned = LogisticRegression(C=1.0, max_iter=1000).fit(levels[:, variables], labels)
    slopes, start = learned.coef_, learned.intercept_
    if strata == 2:
        slopes, start = np.vstack([np.zeros_like(slopes[0]), slopes[0]]), np.array([0.0, start[0]])
    slopes, start = slopes - slopes.min(axis=0), start - start.min()
    each = _MOST_POINTS / max(float(slopes.max()), 1e-9)
    return variables, {
        "cuts": cuts[list(variables)].tolist(),
        "points": np.rint(slopes * each).astype(int).tolist(),
        "start": np.rint(start * each).astype(int).tolist(),
        "by_size": by_size,
    }


def _levels(values: FloatArray, cuts: FloatArray) -> FloatArray:
    return np.asarray((values > cuts[:, 0]).astype(np.float64) + (values > cuts[:, 1]))


def _most_points(rule: dict[str, Any], asked: FloatArray) -> IntArray:
    start, order = np.array(rule["start"], dtype=np.float64), np.array(rule["by_size"])
    sums = np.tile(start, (len(asked), 1))
    if rule["cuts"]:
        sums = sums + _levels(asked, np.array(rule["cuts"])) @ np.array(rule["points"], dtype=np.float64).T
    return np.asarray(order[sums[:, order].argmax(axis=1)], dtype=np.int64)
