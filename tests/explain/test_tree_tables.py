"""Trees against a background of any size: the definition, shap, and every row of the background."""

import numpy as np
import pytest
import shap
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from nociomics.explain import tree_tables
from nociomics.explain.tree_tables import TreeTables
from tests.explain.exact import exact_values

WIDTH = 6


def grown(depth: int, rounds: int = 12, forest: int = 1, seed: int = 1, people: int = 300):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(people, WIDTH)).round(1)  # so that some values lie on a limit
    values[rng.random(values.shape) < 0.1] = np.nan
    known = np.nan_to_num(values)
    outcome = known[:, 0] * known[:, 1] + np.sin(3 * known[:, 2]) + known[:, 3] + 0.3 * rng.normal(size=people)
    options = {"max_depth": depth, "num_parallel_tree": forest, "subsample": 0.8, "nthread": 1, "seed": seed}
    rows = xgboost.DMatrix(values.astype(np.float32), outcome, nthread=1)
    return xgboost.train(options, rows, rounds), values


def margins(trees, values):
    return np.asarray(trees.predict(xgboost.DMatrix(values.astype(np.float32), nthread=1)), dtype=float)


@pytest.mark.parametrize("depth", [1, 2, 4, 6])
def test_values_are_those_of_the_definition(depth):
    trees, values = grown(depth)
    background = values[100:130]
    found = TreeTables(trees, background).values(values[:3])
    for row in range(3):
        exact = exact_values(lambda mixed: margins(trees, mixed), values[row], background)
        np.testing.assert_allclose(found[row], exact, atol=1e-5)


@pytest.mark.parametrize("depth", [3, 6, 11])
def test_values_are_those_of_shap_for_the_hundred_that_it_takes(depth):
    trees, values = grown(depth, forest=1)
    background = values[200:300]
    reference = shap.TreeExplainer(trees, background.astype(np.float32), feature_perturbation="interventional")
    found = TreeTables(trees, background).values(values[:40])
    np.testing.assert_allclose(found, reference.shap_values(values[:40].astype(np.float32)), atol=1e-6)


def test_every_row_of_a_large_background_counts():
    trees, values = grown(4)
    found = TreeTables(trees, values).values(values[:50])
    expected = margins(trees, values)
    np.testing.assert_allclose(found.sum(axis=1), expected[:50] - expected.mean(), atol=1e-5)
    halves = [TreeTables(trees, part).values(values[:50]) for part in (values[:150], values[150:])]
    np.testing.assert_allclose(found, np.mean(halves, axis=0), atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 8), st.integers(1, 3), st.integers(0, 10_000), st.integers(1, 40))
def test_values_add_up_whatever_the_trees(depth, forest, seed, background):
    trees, values = grown(depth, rounds=3, forest=forest, seed=seed, people=80)
    found = TreeTables(trees, values[:background]).values(values)
    expected = margins(trees, values)
    np.testing.assert_allclose(found.sum(axis=1), expected - expected[:background].mean(), atol=1e-4)


def test_columns_that_no_tree_asks_get_nothing_and_a_forest_is_one_round_of_many():
    trees, values = grown(2, rounds=1, forest=10)
    wider = np.hstack([values, np.ones((len(values), 1))])
    found = TreeTables(trees, values[:60]).values(values[:5])
    assert trees.num_boosted_rounds() == 1 and np.abs(found).max() > 0.1
    with_more = TreeTables(trees, wider[:60]).values(wider[:5])
    np.testing.assert_array_equal(with_more, np.hstack([found, np.zeros((5, 1))]))


def test_a_tree_without_a_question_moves_nobody():
    rows = xgboost.DMatrix(np.zeros((10, 2), dtype=np.float32), np.arange(10.0), nthread=1)
    found = TreeTables(xgboost.train({"max_depth": 3, "nthread": 1}, rows, 2), np.zeros((4, 2))).values(np.ones((3, 2)))
    np.testing.assert_array_equal(found, np.zeros((3, 2)))


def test_the_parts_that_keep_memory_bounded_change_nothing(monkeypatch):
    trees, values = grown(5)
    found = TreeTables(trees, values).values(values)
    monkeypatch.setattr(tree_tables, "_ROWS", 7)
    monkeypatch.setattr(tree_tables, "_KEPT_BYTES", 0)
    monkeypatch.setattr(tree_tables, "_DENSE", 2)
    np.testing.assert_allclose(TreeTables(trees, values).values(values), found, atol=1e-12)
