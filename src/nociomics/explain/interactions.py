"""Which features act together in one prediction: interventional Shapley interaction values, exact, on request."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations
from math import factorial

import numpy as np
import polars as pl

from nociomics.errors import NociomicsError
from nociomics.explain.shap_values import Explainer
from nociomics.explain.tree_leaves import Leaf, leaves_of
from nociomics.models.arm_learners import ArmFunction, LinearArms
from nociomics.models.feature_blocks import Encoded
from nociomics.models.response import ResponseModel
from nociomics.models.value_model import ValueModel

_CELLS = 10_000_000  # of people, treatments and pairs at a time
_TABLED = 6  # columns on the way to a leaf up to which all patterns are weighed at once
_SCHEMA = {
    "patient_id": pl.String, "treatment": pl.String, "feature": pl.String, "with_feature": pl.String,
    "interaction": pl.Float64,
}  # fmt: skip


def explain_interactions(
    model: ResponseModel, features: pl.DataFrame, background: np.ndarray, seed: int, top: int
) -> pl.DataFrame:
    """Tell each person's largest interactions under every treatment, as in `tables.results.INTERACTIONS`.

    A pair stands twice, with half of the interaction in each row. The row of a feature with itself holds what is left
    of its Shapley value, pairs that are not listed included: so all rows of a feature add up to its value.

    Parameters
    ----------
    features : DataFrame, one row per person
        As in `FEATURES`.
    background : ndarray of shape (n_background, n_columns)
        Encoded training people.
    top : int
        Pairs to list per person and treatment.

    Raises
    ------
    NociomicsError
        For a model of class probabilities.
    """
    if not isinstance(model, ValueModel):
        raise NociomicsError(
            "Interactions are worked out for outcomes in points or units only: probabilities of classes bend, so that "
            "all columns act together. Use `nociomics explain predictions`."
        )
    explainer = Explainer(model, background, seed)
    width, arms = len(explainer.columns), len(model.arms_)
    at_once = max(1, _CELLS // max(1, width * width * arms))
    frames = [pl.DataFrame(schema=_SCHEMA)]
    for first in range(0, features.height, at_once):
        people = features[first : first + at_once]
        encoded = explainer.encode(people)
        pairs = pair_values(model, encoded, Encoded(background, encoded.columns))
        values = explainer.whole(encoded).values[:, :, 0]
        names = [column.name for column in explainer.columns]
        frames += list(_rows(people["patient_id"].to_list(), model.arms_, names, pairs, values, top))
    return pl.concat(frames)


def pair_values(model: ValueModel, people: Encoded, others: Encoded) -> np.ndarray:
    """Half of each pair's interaction, in points: shape (n_people, n_arms, n_columns, n_columns), diagonal 0.

    References
    ----------
    Interaction index of Grabisch & Roubens 1999, International Journal of Game Theory 28:547; halves of it as in
    Lundberg et al. 2020, Nature Machine Intelligence 2:56.
    """
    columns, against = model.inputs_.transform(people), model.inputs_.transform(others)
    found = np.zeros((len(columns), len(model.arms_), columns.shape[1], columns.shape[1]))
    for place, function in enumerate(model.whole_):
        own = _of_function(function, people.values, columns, others.values, against)
        level = own.mean(axis=1, keepdims=True)
        found += model.level_shares_[place] * level + model.effect_shares_[place] * (own - level)
    return found


def _of_function(
    function: ArmFunction, encoded: np.ndarray, columns: np.ndarray, others: np.ndarray, against: np.ndarray
) -> np.ndarray:
    width = columns.shape[1]
    if isinstance(function, LinearArms):
        return _of_products(function, columns, against)
    found = np.zeros((len(columns), len(function.grown), width, width))
    size = encoded.shape[1]
    for arm, trees in enumerate(function.grown):
        if size:
            found[:, arm, :size, :size] = tree_pairs(leaves_of(trees, 2), encoded, others)
    return found


def _of_products(function: LinearArms, people: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Products of scores: of x'Mx a pair gets M_ij E[(x_i - z_i)(x_j - z_j)], z being the background."""
    width, arms = people.shape[1], len(function.coefficients)
    found = np.zeros((len(people), arms, width, width))
    if not function.factors.size:
        return found
    mean = others.mean(axis=0)
    away = people - mean
    together = away[:, :, None] * away[:, None, :] + (others - mean).T @ (others - mean) / len(others)
    for arm, products in enumerate(function.products):
        found[:, arm] = together * (function.factors @ products @ function.factors.T)
    found[:, :, np.arange(width), np.arange(width)] = 0.0
    return found


def tree_pairs(leaves: list[Leaf], people: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Half of each pair's interaction in the sum of leaves: shape (n_people, n_columns, n_columns).

    Parameters
    ----------
    people, others : ndarray of shape (n_people, n_columns), (n_others, n_columns)
        As the trees read them, NaN where not measured.
    """
    width = people.shape[1]
    found = np.zeros((width, width, len(people)))
    own, theirs = people.astype(np.float32), others.astype(np.float32)
    for leaf in leaves:
        columns = sorted({condition.column for condition in leaf.way})
        if len(columns) < 2:
            continue
        kept, met = _kept(leaf, columns, own), _kept(leaf, columns, theirs)
        share = np.bincount(met, minlength=1 << len(columns)) / len(others)
        for (one, other), values in zip(combinations(columns, 2), _of_leaf(share, len(columns), kept), strict=True):
            found[one, other] += leaf.adds / 2 * values
    found += found.transpose(1, 0, 2)
    return np.moveaxis(found, 2, 0)


def _kept(leaf: Leaf, columns: list[int], values: np.ndarray) -> np.ndarray:
    """Which columns let each row through to a leaf, one bit each."""
    through = np.ones((len(columns), len(values)), dtype=bool)
    for condition in leaf.way:
        through[columns.index(condition.column)] &= condition.holds(values[:, condition.column])
    return np.asarray((through * (1 << np.arange(len(columns)))[:, None]).sum(axis=0))


def _of_leaf(share: np.ndarray, columns: int, kept: np.ndarray) -> np.ndarray:
    """Interaction of each pair of a leaf's columns in each row: shape (n_pairs, n_rows)."""
    if columns <= _TABLED:
        table = np.tensordot(_weights(columns), share, axes=([2], [0]))
        return np.asarray(table[:, kept])
    distinct, place = np.unique(kept, return_inverse=True)
    there = np.flatnonzero(share)
    return np.asarray((_weigh(distinct, there, columns) @ share[there])[:, place])


@cache
def _weights(columns: int) -> np.ndarray:
    patterns = np.arange(1 << columns)
    return _weigh(patterns, patterns, columns)


def _weigh(own: np.ndarray, theirs: np.ndarray, columns: int) -> np.ndarray:
    """Weigh own against others' patterns, per pair of columns: shape (n_pairs, n_own, n_theirs).

    A leaf is a product of conditions, each asked of the person with chance q and else of the other. Its second
    derivative by two of them, over q from 0 to 1, is a beta integral: q for each other condition that only the person
    meets, 1 - q for each that only the other meets, and nothing where neither does.
    """
    bits = np.arange(columns)
    mine, other = ((patterns[:, None] >> bits) & 1 for patterns in (own, theirs))
    only_mine = (mine[:, None] & (1 - other[None])).astype(int)
    only_theirs = ((1 - mine[:, None]) & other[None]).astype(int)
    neither = ((1 - mine[:, None]) & (1 - other[None])).astype(int)
    integral = np.array(
        [[factorial(a) * factorial(b) / factorial(a + b + 1) for b in range(columns + 1)] for a in range(columns + 1)]
    )
    found = np.zeros((columns * (columns - 1) // 2, len(own), len(theirs)))
    for row, (i, j) in enumerate(combinations(range(columns), 2)):
        rest = [bit for bit in range(columns) if bit not in (i, j)]
        switched = (only_mine[..., i] - only_theirs[..., i]) * (only_mine[..., j] - only_theirs[..., j])
        open_way = neither[..., rest].sum(axis=-1) == 0
        found[row] = switched * open_way * integral[only_mine[..., rest].sum(-1), only_theirs[..., rest].sum(-1)]
    return found


def _rows(
    people: list[str], arms: list[str | None], names: list[str], pairs: np.ndarray, values: np.ndarray, top: int
) -> Iterator[pl.DataFrame]:
    first, second = np.triu_indices(len(names), 1)
    for person, arm in np.ndindex(len(people), len(arms)):
        halves = pairs[person, arm][first, second]
        order = np.argsort(-np.abs(halves), kind="stable")[:top]
        order = order[halves[order] != 0]
        left = values[person, arm].copy()
        rows = []
        for at in order:
            for one, other in ((first[at], second[at]), (second[at], first[at])):
                rows.append((names[one], names[other], float(halves[at])))
                left[one] -= halves[at]
        alone = sorted({int(place) for at in order for place in (first[at], second[at])})
        rows += [(names[place], names[place], float(left[place])) for place in alone]
        yield pl.DataFrame([(people[person], arms[arm], *row) for row in rows], schema=_SCHEMA, orient="row")
