"""Leaves of boosted trees, and what they add while columns are switched."""

import numpy as np
import polars as pl
import pytest

from nociomics.explain.shap_values import explain_people
from nociomics.explain.tree_leaves import LeavesBetween, leaves_of
from nociomics.export.background import background_people
from nociomics.models.boosted_classes import ClassRows, Size, fit_class_trees
from nociomics.models.response import fit_response, predict_response
from tests.explain.exact import exact_values
from tests.models.small_study import ARMS, BLOCKS, QUICK, small_study

PARAMETERS = {"depth": 2, "rate": 0.2, "leaf": 1, "rounds": 30}
WIDTH = 5


def grown(n_classes: int, depth: int):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(200, WIDTH))
    values[rng.random(values.shape) < 0.1] = np.nan
    filled = np.nan_to_num(values)
    classes = (filled[:, 0] * filled[:, 1] > 0).astype(int) + (n_classes == 3) * (filled[:, 2] > 0.5).astype(int)
    rows = ClassRows(values, classes, np.zeros(200, dtype=int), n_classes, 1)
    return fit_class_trees(rows, Size(30), {**PARAMETERS, "depth": depth}, 1), values


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_leaves_add_up_to_the_trees(n_classes, depth):
    trees, values = grown(n_classes, depth)
    others = LeavesBetween(leaves_of(trees.of_arm(0), n_classes), values[:1], values, 1.0).of_others()
    logits = trees.logits(values)[:, 0]
    np.testing.assert_allclose(others - others[:, :1], logits - logits[:, :1], atol=1e-5)


@pytest.mark.parametrize("depth", [2, 4])
def test_each_step_is_the_difference_of_two_predictions_of_mixed_people(depth):
    trees, values = grown(2, depth)
    people, others = values[:4], values[50:57]
    between = LeavesBetween(leaves_of(trees.of_arm(0), 2), people, others, 0.7)
    order = np.array([3, 0, 4, 2, 1])
    mixed = np.repeat(others[None], 4, axis=0)
    before = np.stack([trees.logits(one)[:, 0, 1] for one in mixed])
    for column in order:
        mixed[:, :, column] = people[:, None, column]
        after = np.stack([trees.logits(one)[:, 0, 1] for one in mixed])
        switched = between.switched(column, np.argsort(order))
        np.testing.assert_allclose(switched[:, :, 1], 0.7 * (after - before), atol=1e-5)
        before = after


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
@pytest.mark.parametrize("arms", [ARMS, ()], ids=["arms", "no arms"])
def test_a_model_of_trees_is_explained_near_the_definition_and_adds_up(kind, arms):
    study = small_study(kind, people=150, arms=arms, effect=3.0)
    few = ["patient_id", "bpi_severity", "pcs_total", "il6_pg_per_ml", "crp_mg_per_l", "cyp2d6_activity_score"]
    study = study.changed(
        features=study.features.select(few), catalogue=study.catalogue.filter(pl.col("feature").is_in(few))
    )
    settings = QUICK.model_copy(update={"candidates": ["boosted_classes"]})
    model = fit_response(study.training, study.target, BLOCKS, settings, 1, seed=1)
    assert model.trees_ and model.tree_share_ > 0
    background = background_people(model, study.features, study.rows, 15, 1)
    people = study.features[:5]
    found = explain_people(model, people, background, seed=1)
    predicted = predict_response(model, people, np.full(5, np.nan))
    shown = predicted.p_class if kind == "multiclass" else predicted.expected[:, :, None]
    np.testing.assert_allclose(found.base[None] + found.values.sum(axis=3), shown, atol=1e-4)
    encoded = model.encode(people)
    kept = slice(None) if kind == "multiclass" else slice(1, 2)

    def predict(values: np.ndarray) -> np.ndarray:
        return model.probabilities(type(encoded)(values, encoded.columns))[:, :, kept]

    exact = exact_values(predict, encoded.values[0], background)
    assert np.abs(np.moveaxis(exact, 0, -1) - found.values[0]).max() < 0.02
