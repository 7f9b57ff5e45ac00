"""Learners of an expected outcome under each treatment: ridge x arm, lasso x arm, trees per arm."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cho_solve, cholesky

from nociomics.models.arm_lasso import errors_along_path, solve_arm_lasso, strongest_penalty
from nociomics.models.arm_ridge import ArmBlocks, ArmSums, arm_sums, solve_arm_ridge, sums_of
from nociomics.models.block_ridge import Widths
from nociomics.models.settings import ResponseSettings
from nociomics.models.tree_library import Growing, grow, tree_library, tree_rows

if TYPE_CHECKING:
    import xgboost

_RIDGE_PENALTIES = np.logspace(-1, 5, 25)
# shares of the penalty that leaves no column in; weaker ones were never chosen and cost most of the time
_LASSO_SHARES = np.logspace(0, -2, 15)
# share of the absolute penalty in an elastic net
_MIXED = 0.5
# trees of fewer people than this are their mean
_FEWEST_FOR_TREES = 3


@dataclass(frozen=True)
class ArmData:
    """People to learn from, as arrays; rows are people.

    Attributes
    ----------
    columns : ndarray of shape (n_people, n_columns)
        From `LinearInputs`: standardised, nothing missing.
    values : ndarray of shape (n_people, n_encoded)
        Encoded columns; NaN where not measured.
    outcome : ndarray of shape (n_people,)
        What is modelled, in points.
    arm, folds : ndarray of shape (n_people,)
        Index of the arm received; inner fold.
    arms : int
        Number of arms.
    block : ndarray of shape (n_columns,)
        Number of each column's modality.
    factors : ndarray of shape (n_columns, n_factors)
        Weights that make factor scores of the columns; learned without any outcome.
    by_chance : bool
        Whether the arms were drawn at random.
    """

    columns: np.ndarray
    values: np.ndarray
    outcome: np.ndarray
    arm: np.ndarray
    folds: np.ndarray
    arms: int
    block: np.ndarray
    factors: np.ndarray
    by_chance: bool = True

    def taken(self, rows: np.ndarray) -> ArmData:
        """Take some of the people, in the order given."""
        return replace(
            self,
            columns=self.columns[rows],
            values=self.values[rows],
            outcome=self.outcome[rows],
            arm=self.arm[rows],
            folds=self.folds[rows],
        )

    def received(self, expected: np.ndarray) -> np.ndarray:
        """Each person's expectation under the arm received, of all arms' (n_people, n_arms)."""
        return np.asarray(expected[np.arange(len(self.arm)), self.arm])


@dataclass(frozen=True)
class LinearArms:
    """One linear function per arm, and products of factor scores where they were asked for.

    Attributes
    ----------
    coefficients : ndarray of shape (n_arms, n_columns)
        Outcome points per unit of the standardised column.
    intercepts : ndarray of shape (n_arms,)
        Outcome points.
    factors : ndarray of shape (n_columns, n_factors)
        Weights of the scores whose products count; no factors when none do.
    products : ndarray of shape (n_arms, n_factors, n_factors)
        Outcome points per product of two scores, symmetric.
    """

    coefficients: np.ndarray
    intercepts: np.ndarray
    factors: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    products: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0)))

    def predict(self, columns: np.ndarray) -> np.ndarray:
        """Return expected outcomes of shape (n_people, n_arms)."""
        expected = np.asarray(columns @ self.coefficients.T + self.intercepts)
        if self.factors.size:
            scores = columns @ self.factors
            expected = expected + np.einsum("ni,aij,nj->na", scores, self.products, scores)
        return expected

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Plain JSON values; no file is written."""
        stored = {"coefficients": self.coefficients.tolist(), "intercepts": self.intercepts.tolist()}
        if self.factors.size:
            stored |= {"factors": self.factors.tolist(), "products": self.products.tolist()}
        return stored

    @classmethod
    def load(cls, stored: Mapping[str, Any], folder: Path, name: str) -> LinearArms:
        """Rebuild from what `save` returned."""
        intercepts = np.asarray(stored["intercepts"], dtype=float)
        coefficients = np.asarray(stored["coefficients"], dtype=float).reshape(len(intercepts), -1)
        if "factors" not in stored:
            return cls(coefficients, intercepts)
        factors, products = (np.asarray(stored[part], dtype=float) for part in ("factors", "products"))
        return cls(coefficients, intercepts, factors, products)


@dataclass(frozen=True)
class TreeArms:
    """Trees per arm on the encoded columns; they take missing values as they are.

    Attributes
    ----------
    grown : list of Booster
        Per arm, as they were trained: a forest is one round of many trees.
    """

    grown: list[xgboost.Booster]

    @cached_property
    def trees(self) -> list[xgboost.Booster]:
        """The same sums with one tree per round, the only form that shap reads."""
        return [_one_tree_per_round(one) for one in self.grown]

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Return expected outcomes of shape (n_people, n_arms)."""
        if len(values) == 0:
            return np.zeros((0, len(self.grown)))
        rows = tree_rows(values)
        return np.column_stack([np.asarray(one.predict(rows), dtype=float) for one in self.grown])

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write one file of trees per arm."""
        for arm, one in enumerate(self.trees):
            one.save_model(str(folder / f"{name}_{arm}.ubj"))
        return {"trees_of_arms": len(self.trees)}

    @classmethod
    def load(cls, stored: Mapping[str, Any], folder: Path, name: str) -> TreeArms:
        """Read what `save` wrote."""
        return cls([_load_trees(folder / f"{name}_{arm}.ubj") for arm in range(stored["trees_of_arms"])])


ArmFunction = LinearArms | TreeArms


def load_function(stored: Mapping[str, Any], folder: Path, name: str) -> ArmFunction:
    """Rebuild a learned function of either kind."""
    kind = TreeArms if "trees_of_arms" in stored else LinearArms
    return kind.load(stored, folder, name)


def expected_of(function: ArmFunction, columns: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Predict (n_people, n_arms): linear functions read the columns, trees the encoded values."""
    return function.predict(columns if isinstance(function, LinearArms) else values)


@dataclass(frozen=True)
class Penalty:
    """A penalty chosen by cross-validation and the mean squared error it was chosen at."""

    kind: str
    strength: float
    squared_error: float


def choose_penalty(
    kind: str, columns: np.ndarray, outcome: np.ndarray, arm: np.ndarray, arms: int, folds: np.ndarray
) -> Penalty:
    """Choose the penalty strength: ridge by leave-one-out, the others over the study's inner folds.

    Parameters
    ----------
    kind : {"ridge", "lasso", "elastic_net"}
        Which penalty.
    columns : ndarray of shape (n_people, n_columns)
        From `LinearInputs`.
    outcome : ndarray of shape (n_people,)
        What is modelled, in points.
    arm : ndarray of shape (n_people,)
        Index of the arm received.
    arms : int
        Number of arms.
    folds : ndarray of shape (n_people,)
        Inner fold of each person.
    """
    design, centred = within_arm(columns, outcome, arm, arms)
    if design.shape[1] == 0:
        return Penalty(kind, 1.0, float(np.mean(centred**2)))
    if kind == "ridge":
        errors = _errors_left_out(design, centred)
        return Penalty(kind, float(_RIDGE_PENALTIES[np.argmin(errors)]), float(errors.min()))
    ratio = 1.0 if kind == "lasso" else _MIXED
    main = design[:, : columns.shape[1]]
    largest = strongest_penalty(sums_of(main, centred, arm, arms), ratio)
    if largest < 1e-12:
        return Penalty(kind, 1.0, float(np.mean(centred**2)))
    parts = [sums_of(main[folds == one], centred[folds == one], arm[folds == one], arms) for one in np.unique(folds)]
    errors = errors_along_path(parts, largest * _LASSO_SHARES, ratio)
    return Penalty(kind, float(largest * _LASSO_SHARES[np.argmin(errors)]), float(errors.min()))


def _errors_left_out(design: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Mean squared error of each ridge penalty, every person left out once, from one decomposition."""
    left, singular, _ = np.linalg.svd(design, full_matrices=False)
    kept = singular[:, None] ** 2 / (singular[:, None] ** 2 + _RIDGE_PENALTIES)
    fitted = left @ (kept * (left.T @ outcome)[:, None])
    own = left**2 @ kept
    return np.asarray((((outcome[:, None] - fitted) / np.maximum(1 - own, 1e-9)) ** 2).mean(axis=0))


def fit_linear(penalty: Penalty, columns: np.ndarray, outcome: np.ndarray, arm: np.ndarray, arms: int) -> LinearArms:
    """Fit main effects and arm-specific deviations at a given penalty; arm means are not penalised."""
    sums = arm_sums(columns, outcome, arm, arms)
    if columns.shape[1] == 0:
        coefficients = np.zeros((arms, 0))
    elif penalty.kind != "ridge":
        coefficients = solve_arm_lasso(sums, penalty.strength, 1.0 if penalty.kind == "lasso" else _MIXED)
    else:
        coefficients = _ridge(sums, penalty.strength)
    rest = outcome - (columns * coefficients[arm]).sum(axis=1)
    return LinearArms(coefficients, arm_means(rest, arm, arms))


def _ridge(sums: ArmSums, strength: float) -> np.ndarray:
    """One penalty for every effect; without arms there are no deviations."""
    if len(sums.grams) == 1:
        inner = sums.grams[0] + strength * np.eye(sums.grams.shape[1])
        return np.asarray(cho_solve((cholesky(inner, lower=True), True), sums.products[0]))[None]
    together = np.zeros(sums.grams.shape[1], dtype=int)
    return solve_arm_ridge(sums, ArmBlocks(together, together), Widths(np.ones(1), strength))


def arm_means(outcome: np.ndarray, arm: np.ndarray, arms: int) -> np.ndarray:
    """Mean of each arm's people; everybody's where an arm has nobody.

    Examples
    --------
    >>> arm_means(np.array([1.0, 2.0, 6.0]), np.array([0, 0, 1]), 3).tolist()
    [1.5, 6.0, 3.0]
    """
    return np.array([float((outcome[arm == a] if (arm == a).any() else outcome).mean()) for a in range(arms)])


def within_arm(columns: np.ndarray, outcome: np.ndarray, arm: np.ndarray, arms: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns, and columns per arm, with outcome: all as differences from the mean of the person's arm."""
    design = [columns]
    if arms > 1:
        design += [columns * (arm == a)[:, None] for a in range(arms)]
    stacked = np.hstack(design)
    centred = outcome.astype(float).copy()
    for a in np.unique(arm):
        rows = arm == a
        stacked[rows] -= stacked[rows].mean(axis=0)
        centred[rows] -= centred[rows].mean()
    return stacked, centred


def fit_forests(
    values: np.ndarray,
    outcome: np.ndarray,
    arm: np.ndarray,
    arms: int,
    settings: ResponseSettings,
    trees: int,
    seed: int,
) -> list[xgboost.Booster]:
    """Fit one random forest per arm on the encoded columns; trees take missing values as they are.

    Returns
    -------
    list of Booster, one per arm
        Predicting outcome points.
    """
    means = arm_means(outcome, arm, arms)
    return [_fit_forest(values, outcome, arm == a, means[a], settings, trees, seed * arms + a) for a in range(arms)]


def _fit_forest(
    values: np.ndarray,
    outcome: np.ndarray,
    inside: np.ndarray,
    mean: float,
    settings: ResponseSettings,
    trees: int,
    seed: int,
) -> xgboost.Booster:
    parameters = {
        "objective": "reg:squarederror",
        "base_score": float(mean),
        "learning_rate": 1.0,
        "num_parallel_tree": trees,
        "max_depth": settings.tree_depth,
        "min_child_weight": settings.leaf_people,
        "subsample": 0.8,
        "colsample_bynode": 0.4,
        "reg_lambda": 1.0,
        "max_bin": 32,
        "tree_method": "hist",
        "seed": seed % 2**31,
        "nthread": 1,
    }
    if inside.sum() < _FEWEST_FOR_TREES:
        return _only_a_mean(parameters, values, mean)
    return grow(parameters, tree_rows(values[inside], outcome[inside]), 1)


def _only_a_mean(parameters: Mapping[str, Any], values: np.ndarray, mean: float) -> xgboost.Booster:
    """One tree without a split: an arm of hardly anybody has its mean."""
    return grow(_mean_alone(parameters), tree_rows(values, np.full(len(values), mean)), 1)


def _mean_alone(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {**parameters, "num_parallel_tree": 1, "max_depth": 1}


def _one_tree_per_round(forest: xgboost.Booster) -> xgboost.Booster:
    """Store a forest's trees as rounds of one tree each: the same sum, in the only form that shap reads."""
    if forest.num_boosted_rounds() > 1:
        return forest
    stored = json.loads(forest.save_raw("json"))
    model = stored["learner"]["gradient_booster"]["model"]
    model["gbtree_model_param"]["num_parallel_tree"] = "1"
    model["iteration_indptr"] = list(range(len(model["trees"]) + 1))
    plain: xgboost.Booster = tree_library().Booster({"nthread": 1})
    plain.load_model(bytearray(json.dumps(stored).encode()))
    return plain


def predict_forest(forest: xgboost.Booster, values: np.ndarray) -> np.ndarray:
    """Predict the outcome of each person, in points, as float64."""
    if len(values) == 0:
        return np.zeros(0)
    return np.asarray(forest.predict(tree_rows(values)), dtype=float)


def fit_boosted(
    values: np.ndarray, outcome: np.ndarray, arm: np.ndarray, arms: int, parameters: Mapping[str, float], seed: int
) -> TreeArms:
    """Boost shallow trees per arm; all arms start from their own mean."""
    grown = [
        one.more(int(parameters.get("rounds", 60))) for one in boosting(values, outcome, arm, arms, parameters, seed)
    ]
    return TreeArms(grown)


def boosting(
    values: np.ndarray, outcome: np.ndarray, arm: np.ndarray, arms: int, parameters: Mapping[str, float], seed: int
) -> list[Growing]:
    """Set up boosted trees, one per arm, that no round has been grown of."""
    found = []
    for a, mean in enumerate(arm_means(outcome, arm, arms)):
        inside = arm == a
        options = {
            "objective": "reg:squarederror",
            "base_score": float(mean),
            "learning_rate": float(parameters.get("rate", 0.05)),
            "max_depth": int(parameters.get("depth", 2)),
            "min_child_weight": int(parameters.get("leaf", 10)),
            "subsample": 0.7,
            "colsample_bynode": 0.4,
            "reg_lambda": 5.0,
            "max_bin": 32,
            "tree_method": "hist",
            "seed": (seed * arms + a) % 2**31,
            "nthread": 1,
        }
        if inside.sum() < _FEWEST_FOR_TREES:
            found.append(Growing(_mean_alone(options), tree_rows(values, np.full(len(values), mean)), 1))
        else:
            found.append(Growing(options, tree_rows(values[inside], outcome[inside])))
    return found


def _load_trees(path: Path) -> xgboost.Booster:
    trees: xgboost.Booster = tree_library().Booster()
    trees.load_model(str(path))
    trees.set_param({"nthread": 1})
    return trees
