"""Interactions of pairs: those of the definition, those of shap, and rows that add up to the Shapley value."""

from itertools import combinations, product
from math import factorial

import numpy as np
import polars as pl
import pytest
import shap
import xgboost

from nociomics.errors import NociomicsError
from nociomics.explain.interactions import _of_products, explain_interactions, pair_values, tree_pairs
from nociomics.explain.shap_values import explain_people
from nociomics.explain.tree_leaves import leaves_of
from nociomics.export.background import background_people
from nociomics.models.arm_learners import LinearArms
from nociomics.models.feature_blocks import Encoded
from nociomics.models.response import fit_response
from nociomics.tables.results import INTERACTIONS
from tests.models.small_study import BLOCKS, QUICK, small_study


def defined(predict, person: np.ndarray, others: np.ndarray, i: int, j: int) -> float:
    """Half of the interaction of two columns, over every set of the other columns."""
    width = len(person)
    rest = [column for column in range(width) if column not in (i, j)]

    def worth(inside: tuple[int, ...]) -> float:
        mixed = others.copy()
        mixed[:, inside] = person[list(inside)]
        return float(predict(mixed).mean())

    total = 0.0
    for size in range(len(rest) + 1):
        weight = factorial(size) * factorial(width - size - 2) / factorial(width - 1)
        for inside in combinations(rest, size):
            total += weight * (
                worth((*inside, i, j)) - worth((*inside, i)) - worth((*inside, j)) + worth(inside)
            )  # fmt: skip
    return total / 2


def small_trees(depth: int = 3, width: int = 5) -> tuple[xgboost.Booster, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, width)).round(1)
    y = x[:, 0] * x[:, 1] + x[:, 2] * (x[:, 3] > 0) + 0.1 * rng.normal(size=300)
    x[::11, 1] = np.nan
    trees = xgboost.train(
        {"max_depth": depth, "base_score": 0.0, "nthread": 1}, xgboost.DMatrix(x, y), num_boost_round=8
    )
    return trees, x[:6], x[100:115]


def test_pairs_of_trees_are_those_of_the_definition():
    trees, people, others = small_trees()
    found = tree_pairs(leaves_of(trees, 2), people, others)

    def predict(values: np.ndarray) -> np.ndarray:
        return np.asarray(trees.inplace_predict(values, predict_type="margin"))

    for row in (0, 3):
        for i, j in combinations(range(5), 2):
            assert found[row, i, j] == pytest.approx(defined(predict, people[row], others, i, j), abs=1e-5)
    np.testing.assert_allclose(found, found.transpose(0, 2, 1))
    assert np.abs(found).max() > 0.1


def test_pairs_of_trees_are_those_of_shap():
    """Where every mixture of values is as frequent, shap's values along the paths are those against a background."""
    grid = np.array(list(product([0.0, 1.0], repeat=4)))
    y = grid[:, 0] * grid[:, 1] + 2 * grid[:, 2] * (1 - grid[:, 3]) + grid[:, 0] * grid[:, 1] * grid[:, 2]
    settings = {"max_depth": 4, "base_score": 0.0, "nthread": 1, "min_child_weight": 0, "lambda": 0}
    trees = xgboost.train(settings, xgboost.DMatrix(grid, y), num_boost_round=5)
    explainer = shap.TreeExplainer(trees, feature_perturbation="tree_path_dependent")
    expected = np.asarray(explainer.shap_interaction_values(grid))
    found = tree_pairs(leaves_of(trees, 2), grid, grid)
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(found[:, off], expected[:, off], atol=1e-5)
    assert np.abs(expected[:, off]).max() > 0.1


def test_deep_ways_are_weighed_by_the_patterns_that_occur(monkeypatch):
    trees, people, others = small_trees(depth=6)
    tabled = tree_pairs(leaves_of(trees, 2), people, others)
    monkeypatch.setattr("nociomics.explain.interactions._TABLED", 1)
    np.testing.assert_allclose(tree_pairs(leaves_of(trees, 2), people, others), tabled, atol=1e-12)


def test_pairs_of_products_are_those_of_the_definition():
    rng = np.random.default_rng(3)
    people, others = rng.normal(size=(3, 4)), rng.normal(size=(7, 4))
    products = rng.normal(size=(1, 2, 2))
    function = LinearArms(
        rng.normal(size=(1, 4)), rng.normal(size=1), rng.normal(size=(4, 2)), products + products.transpose(0, 2, 1)
    )
    found = _of_products(function, people, others)
    for row in range(3):
        for i, j in combinations(range(4), 2):
            expected = defined(lambda x: function.predict(x)[:, 0], people[row], others, i, j)
            assert found[row, 0, i, j] == pytest.approx(expected, abs=1e-9)


@pytest.fixture(scope="module")
def fitted():
    study = small_study(people=80, effect=3.0)
    settings = QUICK.model_copy(update={"candidates": ["ridge", "forest", "boosted"]})
    model = fit_response(study.training, study.target, BLOCKS, settings, 2, seed=1)
    return study, model, background_people(model, study.features, study.rows, 20, 1)


def test_rows_of_a_feature_add_up_to_its_shapley_value(fitted):
    study, model, background = fitted
    found = INTERACTIONS.check(explain_interactions(model, study.features[:8], background, 1, top=10))
    values = explain_people(model, study.features[:8], background, 1)
    names = [column.name for column in values.columns]
    sums = found.group_by("patient_id", "treatment", "feature").agg(pl.col("interaction").sum())
    assert sums.height > 20
    for row in sums.iter_rows(named=True):
        person, arm = (
            study.features["patient_id"].to_list().index(row["patient_id"]),
            model.arms_.index(row["treatment"]),
        )
        expected = values.values[person, arm, 0, names.index(row["feature"])]
        assert row["interaction"] == pytest.approx(expected, abs=1e-9)
    pairs = found.filter(pl.col("feature") != pl.col("with_feature"))
    assert pairs.group_by("patient_id", "treatment").len()["len"].max() <= 20
    turned = pairs.rename({"feature": "with_feature", "with_feature": "feature"}).select(pairs.columns)
    assert pairs.sort(pairs.columns).equals(turned.sort(pairs.columns))


def test_the_largest_pairs_come_first_to_be_kept(fitted):
    study, model, background = fitted
    encoded = model.encode(study.features[:3])
    every = np.abs(pair_values(model, encoded, Encoded(background, encoded.columns)))
    one = explain_interactions(model, study.features[:3], background, 1, top=1)
    kept = one.filter(pl.col("feature") != pl.col("with_feature"))
    for person, name in enumerate(study.features["patient_id"][:3]):
        for place, arm in enumerate(model.arms_):
            own = kept.filter((pl.col("patient_id") == name) & (pl.col("treatment") == arm))
            assert own["interaction"].abs().max() == pytest.approx(every[person, place].max())


def test_classes_are_refused_and_nobody_is_an_empty_table(fitted):
    study, model, background = fitted
    assert INTERACTIONS.check(explain_interactions(model, study.features.clear(), background, 1, 5)).height == 0
    classes = small_study("binary", people=80)
    other = fit_response(classes.training, classes.target, BLOCKS, QUICK, 2, seed=1)
    with pytest.raises(NociomicsError, match="points or units only"):
        explain_interactions(other, classes.features[:2], background, 1, 5)
