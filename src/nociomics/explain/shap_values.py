"""Interventional Shapley values: what moved each person's prediction away from the average person's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from nociomics.explain.probability_values import Orders, probability_values, two_class_values
from nociomics.explain.tree_leaves import Leaf, LeavesBetween, leaves_of
from nociomics.explain.tree_tables import TreeTables
from nociomics.models.arm_learners import ArmFunction, LinearArms
from nociomics.models.class_model import ClassModel
from nociomics.models.feature_blocks import Encoded, EncodedColumn
from nociomics.models.response import ResponseModel
from nociomics.models.value_model import ValueModel

# fewer refits tell too little about how far apart they lie
FEWEST_REFITS = 2
# the spread over refits of a probability's values is told well enough by few of the background and one pair of orders
_ORDERS, _ORDERS_OF_REFITS, _BACKGROUND_OF_REFITS = 4, 1, 20
# of more than two classes, orders tell the values less well: 4 agree to .98 with 4 others, 16 to .99
_ORDERS_OF_CLASSES = 16
_FEW_OF_BACKGROUND = 10


@dataclass(frozen=True)
class Explanation:
    """Shapley values of some people, per treatment and output.

    Attributes
    ----------
    values : ndarray of shape (n_people, n_arms, n_outputs, n_columns)
        In outcome points, or probability for classes.
    base : ndarray of shape (n_arms, n_outputs)
        Mean prediction over the background people.
    columns : tuple of EncodedColumn
        What each column is.
    shown : ndarray of shape (n_people, n_columns)
        The model's own value of each column; NaN where not measured.
    outputs : tuple of str or None
        Class names of a multiclass target, else ``(None,)``.
    spread : ndarray, as ``values``
        Standard deviation of each value over the model's bootstrap refits; NaN for a model without refits.
    """

    values: np.ndarray
    base: np.ndarray
    columns: tuple[EncodedColumn, ...]
    shown: np.ndarray
    outputs: tuple[str | None, ...]
    spread: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0, 0)))


class Explainer:
    """Explains people's predictions under every treatment, as many at a time as one likes.

    Lines, products of scores and trees are exact, and every row of the background counts. Class probabilities, of
    log-odds by lines and trees together, are averaged over paired orders of the columns, forwards and backwards; they
    add up exactly for any number of orders. The values are those of the model that predicts; its bootstrap refits
    tell how far they would move had other people of the same kind been studied.

    Parameters
    ----------
    model : ValueModel or ClassModel
        The exported model.
    background : ndarray of shape (n_background, n_columns)
        Encoded training people; NaN where not measured.
    seed : int
        Seeds the orders for class probabilities.
    quick : bool
        Go through orders for a few of the background only, where two classes' log-odds are lines.

    References
    ----------
    Lundberg et al. 2020, Nature Machine Intelligence 2:56, doi:10.1038/s42256-019-0138-9 (TreeSHAP);
    Strumbelj & Kononenko 2014, Knowledge and Information Systems 41:647 (orders).
    """

    def __init__(self, model: ResponseModel, background: np.ndarray, seed: int, *, quick: bool = False) -> None:
        self.model, self.seed, self.quick = model, seed, quick
        self.against = Encoded(background, model.blocks_.columns_)
        if isinstance(model, ValueModel):
            self.columns: tuple[EncodedColumn, ...] = model.inputs_.columns_
            self.outputs: tuple[str | None, ...] = (None,)
            self.base = model.expected(self.against).mean(axis=0)[:, None]
            self.refits = len(model.functions_)
        else:
            self.columns = self.against.columns
            self.outputs = tuple(model.classes_) if model.target.kind == "multiclass" else (None,)
            self.base = model.probabilities(self.against).mean(axis=0)[:, self._kept]
            self.refits = len(model.weights_) if model.refits > 1 else 0
        self._parts: dict[int | None, list[_Part]] = {}
        self._leaves: dict[tuple[int | None, int], list[Leaf]] = {}

    @property
    def _kept(self) -> slice:
        """Classes that are shown: of two, the second alone."""
        return slice(1, 2) if self.outputs == (None,) else slice(None)

    def encode(self, features: pl.DataFrame) -> Encoded:
        """Model columns of people."""
        return self.model.encode(features)

    def whole(self, people: Encoded) -> Explanation:
        """Explain the model that predicts, without the spread between its refits."""
        values, shown = self._values(people, None), people.values
        if isinstance(self.model, ValueModel):
            width = people.values.shape[1]
            shown = np.hstack([shown, self.model.inputs_.transform(people)[:, width:]])
        return Explanation(values, self.base, self.columns, shown, self.outputs)

    def of_refits(self, people: Encoded) -> Iterator[np.ndarray]:
        """Explain each bootstrap refit in turn: values of shape (n_people, n_arms, n_outputs, n_columns)."""
        for refit in range(self.refits):
            yield self._values(people, refit)

    def _values(self, people: Encoded, refit: int | None) -> np.ndarray:
        if isinstance(self.model, ValueModel):
            return self._of_values(self.model, people, refit)
        return self._of_classes(self.model, people, refit)

    def _of_values(self, model: ValueModel, people: Encoded, refit: int | None) -> np.ndarray:
        columns, others = model.inputs_.transform(people), model.inputs_.transform(self.against)
        values = np.zeros((len(columns), len(model.arms_), 1, len(self.columns)))
        for place, part in enumerate(self._learners(model, refit)):
            own = part.values(people.values, columns, others)
            level = own.mean(axis=1, keepdims=True)
            values[:, :, 0, :] += model.level_shares_[place] * level + model.effect_shares_[place] * (own - level)
        baseline = model.baseline_column()
        if baseline is not None:
            line = model.baseline_part(people.values) - model.baseline_part(self.against.values).mean()
            values[:, :, 0, baseline] += line[:, None]
        return values

    def _learners(self, model: ValueModel, refit: int | None) -> list[_Part]:
        """Learners of the model or of a refit, their trees made ready once."""
        if refit not in self._parts:
            functions = model.whole_ if refit is None else model.functions_[refit]
            self._parts[refit] = [_Part(one, self.against.values) for one in functions]
        return self._parts[refit]

    def _of_classes(self, model: ClassModel, people: Encoded, refit: int | None) -> np.ndarray:
        against = self.against
        few_classes = len(model.classes_) == 2
        count = _ORDERS if few_classes or model.trees_ else _ORDERS_OF_CLASSES
        quick = self.quick and few_classes and not model.trees_
        if quick:
            count = _ORDERS_OF_REFITS
        if refit is not None:
            rows = np.linspace(0, len(against.values) - 1, min(_BACKGROUND_OF_REFITS, len(against.values))).astype(int)
            against, count = Encoded(against.values[rows], against.columns), _ORDERS_OF_REFITS
        weights = model.weights_.mean(axis=0) if refit is None else model.weights_[refit]
        trees = model.trees_[0 if refit is None else refit + 1] if model.trees_ else None
        own, others = model.linear_inputs(people), model.linear_inputs(against)
        values = np.zeros((len(own), len(model.arms_), len(self.outputs), own.shape[1]))
        orders = Orders(own.shape[1], count, self.seed)
        for arm in range(len(model.arms_)):
            between = None
            if trees is not None:
                if (refit, arm) not in self._leaves:
                    self._leaves[refit, arm] = leaves_of(trees.of_arm(arm), len(model.classes_))
                read = (model.tree_inputs(people), model.tree_inputs(against))
                between = LeavesBetween(self._leaves[refit, arm], *read, model.tree_share_)
            lines = (own, others, weights[arm], model.intercepts_[arm], orders)
            moved = two_class_values(*lines, _FEW_OF_BACKGROUND) if quick else probability_values(*lines, between)
            values[:, arm] = moved[:, self._kept]
        return values


class _Part:
    """One learner, ready to be explained under each arm."""

    def __init__(self, function: ArmFunction, background: np.ndarray) -> None:
        self.function = function
        self.tables: list[TreeTables] = []
        if not isinstance(function, LinearArms) and background.shape[1]:
            self.tables = [TreeTables(one, background) for one in function.grown]

    def values(self, encoded: np.ndarray, columns: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Values of shape (n_people, n_arms, n_columns).

        Trees read encoded values, of which the first columns are made; linear functions read the linear inputs.
        """
        if isinstance(self.function, LinearArms):
            return linear_values(self.function, columns, others)
        found = np.zeros((len(columns), len(self.function.grown), columns.shape[1]))
        for arm, tables in enumerate(self.tables):
            found[:, arm, : encoded.shape[1]] = tables.values(encoded)
        return found


def explain_people(model: ResponseModel, features: pl.DataFrame, background: np.ndarray, seed: int) -> Explanation:
    """Explain every person's prediction under every treatment, with the spread between refits; see `Explainer`.

    Parameters
    ----------
    features : DataFrame, one row per person
        As in `FEATURES`.
    """
    explainer = Explainer(model, background, seed)
    people = explainer.encode(features)
    found = explainer.whole(people)
    spread = Deviations(found.values.shape)
    for values in explainer.of_refits(people):
        spread.add(values)
    return Explanation(found.values, found.base, found.columns, found.shown, found.outputs, spread.standard())


class Deviations:
    """Standard deviation of arrays that come one after the other, and are not kept.

    References
    ----------
    Welford 1962, Technometrics 4:419.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count, self.mean, self.squares = 0, np.zeros(shape), np.zeros(shape)

    def add(self, values: np.ndarray) -> None:
        """Take one more in."""
        self.count += 1
        moved = values - self.mean
        self.mean += moved / self.count
        moved *= values - self.mean
        self.squares += moved

    def standard(self) -> np.ndarray:
        """Return the standard deviation; NaN of fewer than two."""
        if self.count < FEWEST_REFITS:
            return np.full(self.mean.shape, np.nan)
        return np.sqrt(self.squares / (self.count - 1))


def linear_values(function: LinearArms, people: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Explain lines and products of factor scores exactly: shape (n_people, n_arms, n_columns).

    For a product of two columns, each gets half of what both switched together bring beyond what each brings
    alone: with M the symmetric matrix of products, column i gets the sum over j of M_ij E[(x_i - z_i)(x_j + z_j)], z
    being the background.
    """
    mean = others.mean(axis=0)
    values = (people - mean)[:, None, :] * function.coefficients[None, :, :]
    if not function.factors.size:
        return np.asarray(values)
    for arm, products in enumerate(function.products):
        back = products @ function.factors.T  # scores to columns: M = factors @ back

        def times(columns: np.ndarray, back: np.ndarray = back) -> np.ndarray:
            return np.asarray((columns @ function.factors) @ back)

        at_people, at_mean = times(people), times(mean[None])[0]
        at_others = (others * times(others)).mean(axis=0)
        values[:, arm] += people * (at_people + at_mean) - mean * at_people - at_others
    return np.asarray(values)
