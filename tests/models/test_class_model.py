"""The model of class probabilities."""

import json

import numpy as np
import polars as pl
import pytest

from nociomics.models.response import fit_response, load_response, predict_response
from tests.models.small_study import ARMS, BLOCKS, CLASSES, QUICK, SmallStudy, small_study


def fitted(study: SmallStudy, refits: int = 2):
    return fit_response(study.training, study.target, BLOCKS, QUICK, refits, seed=1)


@pytest.mark.parametrize("arms", [ARMS, ()], ids=["arms", "no arms"])
@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_a_stored_model_predicts_bit_for_bit_the_same(kind, arms, tmp_path):
    study = small_study(kind, people=72, arms=arms)
    model = fitted(study)
    again = load_response(json.loads(json.dumps(model.save(tmp_path), allow_nan=False, sort_keys=True)), tmp_path)
    assert not list(tmp_path.iterdir())  # everything is in the JSON: of so few people no trees are grown
    encoded = model.encode(study.features)
    np.testing.assert_array_equal(again.encode(study.features).values, encoded.values)
    np.testing.assert_array_equal(again.refit_probabilities(encoded), model.refit_probabilities(encoded))
    np.testing.assert_array_equal(again.probabilities(encoded), model.probabilities(encoded))


@pytest.mark.parametrize(("kind", "classes"), [("binary", ["0", "1"]), ("multiclass", sorted(CLASSES))])
def test_probabilities_of_all_classes_add_up_to_one(kind, classes):
    study = small_study(kind, people=72)
    model = fitted(study)
    assert model.classes_ == classes
    probability = model.probabilities(model.encode(study.features))
    assert probability.shape == (72, 2, len(classes))
    np.testing.assert_allclose(probability.sum(axis=2), 1, atol=1e-12)
    assert (probability > 0).all()


def test_a_binary_outcome_is_predicted_as_the_probability_of_1():
    study = small_study("binary", people=120, arms=(), effect=3.0)
    predicted = predict_response(fitted(study), study.features, study.baseline)
    known = study.rows["outcome"].is_not_null().to_numpy()
    outcome = study.rows["outcome"].to_numpy()[known]
    assert predicted.p_class is None and predicted.classes == []
    np.testing.assert_array_equal(predicted.expected, predicted.p_response)
    assert predicted.expected[known, 0][outcome == 1].mean() > predicted.expected[known, 0][outcome == 0].mean() + 0.2


def test_classes_have_no_expectation():
    study = small_study("multiclass", people=72)
    predicted = predict_response(fitted(study), study.features, study.baseline)
    assert np.isnan(predicted.expected).all() and predicted.p_response is None
    assert predicted.p_class.shape == (72, 2, 3)


def test_a_person_of_whom_nothing_was_measured_gets_the_share_of_each_class():
    study = small_study("multiclass", people=120, arms=(), effect=0.0)
    nobody = study.features[:1].with_columns(pl.lit(None, dtype=t).alias(n) for n, t in study.features.schema.items())
    model = fitted(study)
    probability = model.probabilities(model.encode(nobody))[0, 0]
    counts = study.rows["label"].drop_nulls().value_counts().sort("label")["count"]
    np.testing.assert_allclose(probability, counts / counts.sum(), atol=0.05)


def test_a_modality_that_a_person_lacks_adds_nothing():
    study = small_study("binary", people=72)
    model = fitted(study)
    encoded = model.encode(study.features)
    inside = [place for place, column in enumerate(encoded.columns) if column.modality == "expression"]
    lacking = study.features["expression_batch"].is_null().to_numpy()
    assert lacking.any()
    assert (model.linear_inputs(encoded)[np.ix_(lacking, inside)] == 0).all()


def test_a_single_refit_is_the_model_of_everybody_once():
    study = small_study("binary", people=72)
    one, several = fitted(study, refits=1), fitted(study, refits=3)
    encoded = one.encode(study.features)
    np.testing.assert_allclose(one.probabilities(encoded), several.probabilities(encoded), atol=1e-9)
    np.testing.assert_array_equal(one.refit_probabilities(encoded)[0], one.probabilities(encoded))
    assert several.refit_probabilities(encoded).std(axis=0).max() > 0
