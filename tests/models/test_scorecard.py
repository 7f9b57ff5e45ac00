"""The scorecard: few questions, a tree or points, the same answer from its plain numbers."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

from nociomics.models.scorecard import Scorecard, chosen_columns, fit_scorecard, medians, stratified_folds

RNG = np.random.default_rng(2)
VALUES = RNG.normal(size=(400, 12))


def box() -> np.ndarray:
    """Strata cut out by two thresholds: a tree can tell them."""
    return np.where(VALUES[:, 3] > 0.2, np.where(VALUES[:, 7] > -0.3, 2, 1), 0)


def slope() -> np.ndarray:
    """Strata along a sum of six variables: points tell them better than three questions."""
    return (VALUES[:, :6].sum(axis=1) > 0).astype(np.int64)


def test_strata_made_by_thresholds_are_told_by_a_tree_that_asks_for_them() -> None:
    card = fit_scorecard(VALUES[:300], box()[:300], 1)
    assert card.kind == "tree" and card.variables == (3, 7)
    assert (card.place(VALUES[300:]) == box()[300:]).mean() > 0.95


def test_strata_along_a_sum_are_told_by_points() -> None:
    card = fit_scorecard(VALUES[:300], slope()[:300], 1)
    assert card.kind == "points" and set(card.variables) <= set(range(6))
    assert (card.place(VALUES[300:]) == slope()[300:]).mean() > 0.75
    assert all(0 <= point <= 5 and isinstance(point, int) for row in card.rule["points"] for point in row)


@pytest.mark.parametrize("labels", [box(), slope()], ids=["tree", "points"])
def test_a_card_that_went_through_json_places_everybody_alike(labels: np.ndarray) -> None:
    card = fit_scorecard(VALUES, labels, 1)
    stored = json.loads(json.dumps(asdict(card)))
    again = Scorecard(stored["kind"], tuple(stored["variables"]), tuple(stored["filled"]), stored["rule"])
    assert np.array_equal(card.place(VALUES), again.place(VALUES))


def test_the_tree_is_scikit_learns() -> None:
    card = fit_scorecard(VALUES, box(), 1)
    tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=8, random_state=0).fit(VALUES[:, card.variables], box())
    assert np.array_equal(card.place(VALUES), tree.predict(VALUES[:, card.variables]))


@given(st.integers(0, 10_000), st.integers(2, 4))
def test_a_card_asks_at_most_six_things_whatever_it_is_given(seed: int, strata: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(60, 9))
    values[rng.random(values.shape) < 0.2] = np.nan
    labels = np.concatenate([np.arange(strata), rng.integers(0, strata, 60 - strata)])
    card = fit_scorecard(values, labels, 1)
    assert len(card.variables) <= 6
    assert np.isfinite(card.filled).all()
    assert set(card.place(values)) <= set(range(strata))


def test_what_is_not_measured_is_taken_as_the_median_of_the_training_people() -> None:
    card = fit_scorecard(VALUES, box(), 1)
    nothing = np.full((1, 12), np.nan)
    usual = np.median(VALUES, axis=0)[None, :]
    assert card.place(nothing) == card.place(usual)
    assert medians(np.array([[np.nan], [np.nan]])).tolist() == [0.0]


def test_a_copy_of_a_chosen_column_is_not_chosen_too() -> None:
    doubled = np.column_stack([VALUES[:, 0], VALUES[:, 0] * 2 + 1, VALUES[:, 1]])
    chosen = chosen_columns(doubled, VALUES[:, :1] + 0.5 * VALUES[:, 1:2])
    assert len(chosen) == 2 and 2 in chosen


def test_constant_columns_tell_nothing() -> None:
    assert chosen_columns(np.ones((50, 3)), VALUES[:50, :2]) == ()
    card = fit_scorecard(np.ones((50, 3)), np.arange(50) % 2, 1)
    assert card.variables == ()
    assert len(set(card.place(np.ones((5, 3))))) == 1


def test_folds_hold_every_stratum_in_equal_parts() -> None:
    labels = np.array([0] * 40 + [1] * 20)
    folds = stratified_folds(labels, 4, 1)
    assert [np.bincount(labels[folds == fold]).tolist() for fold in range(4)] == [[10, 5]] * 4
