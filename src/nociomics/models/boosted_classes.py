"""Boosted trees for classes: shallow ones of everybody, and on top, where that helps, some of each treatment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nociomics.models.tree_library import tree_library, tree_rows

if TYPE_CHECKING:
    import xgboost

# of the table's rounds: how many are tried; the first two say whether more are worth it
_TRIED = (0.125, 0.25, 0.5, 1.0)
FIRST_SIZES = 2
# rounds of a treatment's own trees per round of everybody's: a quarter of the people, a quarter of the trees
_OWN = 0.25
# trees of a treatment with fewer people than this are everybody's
_FEWEST_OF_AN_ARM = 20


@dataclass(frozen=True)
class Size:
    """How many rounds of trees: everybody's, and each treatment's own after them."""

    rounds: int
    own: int = 0


@dataclass(frozen=True)
class ClassRows:
    """People with a class, as trees see them; rows are people.

    Attributes
    ----------
    values : ndarray of shape (n_people, n_encoded)
        Encoded columns; NaN where not measured.
    classes, arm : ndarray of shape (n_people,)
        Number of the class, number of the arm received.
    n_classes, arms : int
        How many there are.
    """

    values: np.ndarray
    classes: np.ndarray
    arm: np.ndarray
    n_classes: int
    arms: int

    def taken(self, rows: np.ndarray) -> ClassRows:
        """Take some of the people, in the order given."""
        return ClassRows(self.values[rows], self.classes[rows], self.arm[rows], self.n_classes, self.arms)


@dataclass(frozen=True)
class ClassTrees:
    """Log-odds of classes by trees on the encoded columns; missing values go the way that training chose.

    Attributes
    ----------
    grown : list of Booster
        One for everybody, or one per arm.
    n_classes, arms : int
        How many there are.
    """

    grown: list[xgboost.Booster]
    n_classes: int
    arms: int

    def logits(self, values: np.ndarray) -> np.ndarray:
        """Return log-odds of shape (n_people, n_arms, n_classes), of which only differences between classes count."""
        if len(values) == 0:
            return np.zeros((0, self.arms, self.n_classes))
        rows = tree_rows(values)
        found = np.stack([_margins(one, rows, self.n_classes) for one in self.grown], axis=1)
        return found if len(self.grown) == self.arms else np.repeat(found, self.arms, axis=1)

    def of_arm(self, arm: int) -> xgboost.Booster:
        """Trees that speak for an arm."""
        return self.grown[arm if len(self.grown) == self.arms else 0]

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write one file of trees per entry of ``grown``."""
        for place, one in enumerate(self.grown):
            one.save_model(str(folder / f"{name}_{place}.ubj"))
        return {"files": len(self.grown), "classes": self.n_classes, "arms": self.arms}

    @classmethod
    def load(cls, stored: Mapping[str, Any], folder: Path, name: str) -> ClassTrees:
        """Read what `save` wrote."""
        grown = []
        for place in range(stored["files"]):
            trees = tree_library().Booster()
            trees.load_model(str(folder / f"{name}_{place}.ubj"))
            trees.set_param({"nthread": 1})
            grown.append(trees)
        return cls(grown, stored["classes"], stored["arms"])


def fit_class_trees(rows: ClassRows, size: Size, parameters: Mapping[str, float], seed: int) -> ClassTrees:
    """Boost shallow trees by log loss.

    Everybody's trees start from each arm's own shares of the classes, so that they learn how people differ, not arms.
    An arm's own trees go on from there with that arm's people: what they add is how the arm differs.

    Parameters
    ----------
    parameters : mapping of str to float
        ``depth``, ``rate``, ``leaf`` (smallest sum of second derivatives in a leaf; at most a quarter per person).
    """
    start = _shares(rows)
    common = _boost(rows, start, size.rounds, parameters, seed)
    if size.own == 0 or rows.arms < 2:
        return ClassTrees([common], rows.n_classes, rows.arms)
    grown = []
    for arm in range(rows.arms):
        inside = np.flatnonzero(rows.arm == arm)
        if len(inside) < _FEWEST_OF_AN_ARM or len(np.unique(rows.classes[inside])) < 2:
            grown.append(common)
        else:
            grown.append(_boost(rows.taken(inside), start[inside], size.own, parameters, seed + arm + 1, common))
    return ClassTrees(grown, rows.n_classes, rows.arms)


def tried_sizes(
    rows: ClassRows, folds: np.ndarray, parameters: Mapping[str, float], seed: int
) -> Iterator[tuple[Size, np.ndarray]]:
    """Log-odds out of fold (n_people, n_classes) for growing numbers of everybody's trees, smallest first.

    A caller who has seen enough stops asking, and nothing larger is grown.
    """
    most = int(parameters.get("rounds", 80))
    rounds = sorted({max(1, round(share * most)) for share in _TRIED})
    for tried in (rounds[:FIRST_SIZES], rounds[FIRST_SIZES:]):
        if not tried:
            return
        logits = {one: np.zeros((len(rows.classes), rows.n_classes)) for one in tried}
        for train, test in _parts(folds):
            part = rows.taken(train)
            trees = _boost(part, _shares(part), tried[-1], parameters, seed)
            held = tree_rows(rows.values[test])
            for one in tried:
                logits[one][test] = _margins(trees, held, rows.n_classes, one)
        yield from ((Size(one), logits[one]) for one in tried)


def with_own_trees(
    rows: ClassRows, folds: np.ndarray, size: Size, parameters: Mapping[str, float], seed: int
) -> tuple[Size, np.ndarray]:
    """Add trees of each arm's own: the size, and its log-odds out of fold under the arm received."""
    both = Size(size.rounds, max(1, round(_OWN * size.rounds)))
    logits = np.zeros((len(rows.classes), rows.n_classes))
    for train, test in _parts(folds):
        found = fit_class_trees(rows.taken(train), both, parameters, seed).logits(rows.values[test])
        logits[test] = found[np.arange(len(test)), rows.arm[test]]
    return both, logits


def _parts(folds: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for fold in np.unique(folds):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(train):
            yield train, test


def _shares(rows: ClassRows) -> np.ndarray:
    """Log-odds of the classes in each person's arm: (n_people,) of the second of two, else (n_people, n_classes)."""
    counts = np.zeros((rows.arms, rows.n_classes))
    np.add.at(counts, (rows.arm, rows.classes), 1)
    log_share = np.log((counts + counts.sum(axis=0) / max(counts.sum(), 1)) / (counts.sum(axis=1, keepdims=True) + 1))
    log_share = np.maximum(log_share, np.log(1e-3))
    start = log_share[:, 1] - log_share[:, 0] if rows.n_classes == 2 else log_share
    return np.asarray(start[rows.arm])


def _boost(
    rows: ClassRows,
    start: np.ndarray,
    rounds: int,
    parameters: Mapping[str, float],
    seed: int,
    before: xgboost.Booster | None = None,
) -> xgboost.Booster:
    two = rows.n_classes == 2
    options = {
        "objective": "binary:logistic" if two else "multi:softprob",
        **({} if two else {"num_class": rows.n_classes}),
        "base_score": 0.5,
        "learning_rate": float(parameters.get("rate", 0.1)),
        "max_depth": int(parameters.get("depth", 2)),
        "min_child_weight": float(parameters.get("leaf", 3)),
        "subsample": 0.7,
        "colsample_bynode": 0.4,
        "reg_lambda": 5.0,
        "max_bin": 32,
        "tree_method": "hist",
        "seed": seed % 2**31,
        "nthread": 1,
    }
    data = tree_rows(rows.values, rows.classes)
    data.set_base_margin(start)
    trees: xgboost.Booster = tree_library().Booster(options, [data], model_file=before)
    first = before.num_boosted_rounds() if before is not None else 0
    for number in range(first, first + rounds):
        trees.update(data, number)
    return trees.reset()


def _margins(trees: xgboost.Booster, rows: xgboost.DMatrix, n_classes: int, rounds: int = 0) -> np.ndarray:
    """Sum of the trees' leaves, as float64: (n_people, n_classes)."""
    found = np.asarray(trees.predict(rows, output_margin=True, iteration_range=(0, rounds)), dtype=float)
    if n_classes == 2:
        return np.column_stack([np.zeros(len(found)), found])
    return found.reshape(-1, n_classes)
