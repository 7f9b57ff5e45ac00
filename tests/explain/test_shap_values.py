"""Shapley values of the response models, beside shap, beside their definition, and against the predictions."""

import numpy as np
import polars as pl
import pytest
import shap

from nociomics.explain.explanation_tables import base_frame, check_additive, shap_frame
from nociomics.explain.shap_values import Explainer, explain_people, linear_values
from nociomics.export.background import background_people
from nociomics.models.arm_learners import LinearArms
from nociomics.models.feature_blocks import Encoded
from nociomics.models.response import fit_response, predict_response
from nociomics.tables.results import BASE_VALUES, SHAP_VALUES
from tests.explain.exact import exact_values
from tests.models.small_study import ARMS, BLOCKS, CLASSES, QUICK, SmallStudy, numeric_study, small_study

KINDS = ("change", "continuous", "binary", "multiclass")


def fitted(study: SmallStudy, count: int = 20):
    model = fit_response(study.training, study.target, BLOCKS, QUICK, QUICK.refits, seed=1)
    return model, background_people(model, study.features, study.rows, count, 1)


def four_columns(kind: str) -> SmallStudy:
    """A study with four columns of which some values are missing, but never a whole block."""
    study = small_study(kind, people=80, arms=() if kind == "multiclass" else ARMS)
    driver = study.features.select(pl.col("pcs_total").fill_null(29), pl.col("il6_pg_per_ml").fill_null(2).log(2))
    rng = np.random.default_rng(7)
    values = np.hstack([driver.to_numpy(), rng.normal(size=(80, 2))])
    values[::9, 2] = np.nan
    values[::11, 0] = np.nan
    features, catalogue = numeric_study({f"score_{place}": values[:, place] for place in range(4)})
    features = features.with_columns(study.features["patient_id"])
    target = study.target.model_copy(update={"baseline": "score_3"}) if kind == "change" else study.target
    return study.changed(features=features, catalogue=catalogue, target=target)


@pytest.mark.parametrize("kind", ["change", "continuous"])
def test_linear_and_forest_parts_are_those_of_shap(kind):
    study = small_study(kind)
    settings = QUICK.model_copy(update={"candidates": ["ridge", "forest", "boosted"]})
    model = fit_response(study.training, study.target, BLOCKS, settings, QUICK.refits, seed=1)
    background = background_people(model, study.features, study.rows, 20, 1)
    encoded = model.encode(study.features)
    width = encoded.values.shape[1]
    people, others = (model.inputs_.transform(Encoded(v, encoded.columns)) for v in (encoded.values, background))
    learners = np.zeros((len(model.learners_), len(people), 2, people.shape[1]))
    for place, one in enumerate(model.whole_):
        for arm in range(2):
            if isinstance(one, LinearArms):
                linear = shap.LinearExplainer((one.coefficients[arm], one.intercepts[arm]), others)
                learners[place, :, arm] = linear.shap_values(people)
            else:
                trees = shap.TreeExplainer(one.trees[arm], background, feature_perturbation="interventional")
                learners[place, :, arm, :width] = trees.shap_values(encoded.values)
    means = learners.mean(axis=2, keepdims=True)
    expected = np.tensordot(model.level_shares_, means, axes=1) + np.tensordot(
        model.effect_shares_, learners - means, axes=1
    )
    if kind == "change":
        place, slope = model.baseline_column(), model.line_[0]
        line = slope * np.nan_to_num(encoded.values[:, place] - model.line_[1])
        expected[:, :, place] += (line - (slope * np.nan_to_num(background[:, place] - model.line_[1])).mean())[:, None]
    found = explain_people(model, study.features, background, seed=1)
    np.testing.assert_allclose(found.values[:, :, 0], expected, atol=1e-6)


def test_products_of_scores_are_explained_as_the_definition_says():
    rng = np.random.default_rng(3)
    people, others = rng.normal(size=(4, 5)), rng.normal(size=(7, 5))
    products = rng.normal(size=(2, 3, 3))
    function = LinearArms(
        rng.normal(size=(2, 5)), rng.normal(size=2), rng.normal(size=(5, 3)), products + products.transpose(0, 2, 1)
    )
    found = linear_values(function, people, others)
    for row in range(4):
        np.testing.assert_allclose(found[row].T, exact_values(function.predict, people[row], others), atol=1e-9)


@pytest.mark.parametrize("kind", ["change", "continuous"])
def test_values_are_those_of_the_definition(kind):
    study = four_columns(kind)
    model, background = fitted(study, count=12)
    assert model.inputs_.indicated_ == []
    encoded = model.encode(study.features)
    assert np.isnan(encoded.values).any() and np.isnan(background).any()
    found = explain_people(model, study.features, background, seed=1)

    def predict(values: np.ndarray) -> np.ndarray:
        return model.expected(Encoded(values, encoded.columns))

    for row in (0, 9, 11, 40):
        exact = exact_values(predict, encoded.values[row], background)
        np.testing.assert_allclose(found.values[row, :, 0].T, exact, atol=1e-5)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_values_of_classes_are_near_those_of_the_definition(kind):
    study = four_columns(kind)
    model, background = fitted(study, count=12)
    encoded = model.encode(study.features)
    found = explain_people(model, study.features, background, seed=1)

    def predict(values: np.ndarray) -> np.ndarray:
        return model.probabilities(Encoded(values, encoded.columns))

    shown = slice(None) if kind == "multiclass" else slice(1, 2)
    for row in (0, 9, 40):
        exact = exact_values(predict, encoded.values[row], background)[:, :, shown]
        np.testing.assert_allclose(found.values[row].transpose(2, 0, 1), exact, atol=0.01)
        assert np.abs(exact).max() > 0.05  # so that the tolerance says something


@pytest.mark.parametrize("arms", [ARMS, ()], ids=["arms", "no arms"])
@pytest.mark.parametrize("kind", KINDS)
def test_values_add_up_to_the_prediction(kind, arms):
    study = small_study(kind, people=72, arms=arms)
    model, background = fitted(study)
    predicted = predict_response(model, study.features, study.baseline)
    shown = predicted.p_class if kind == "multiclass" else predicted.expected[:, :, None]
    found = explain_people(model, study.features, background, seed=1)
    assert np.isnan(model.encode(study.features).values).any()
    assert found.values.shape == (72, max(len(arms), 1), 3 if kind == "multiclass" else 1, len(found.columns))
    assert found.outputs == (tuple(sorted(CLASSES)) if kind == "multiclass" else (None,))
    np.testing.assert_allclose(found.base[None] + found.values.sum(axis=3), shown, atol=1e-4)


def test_the_base_is_the_mean_prediction_of_the_background():
    study = small_study(people=72)
    model, background = fitted(study)
    found = explain_people(model, study.features, background, seed=1)
    mean = model.refit_expected(Encoded(background, model.blocks_.columns_)).mean(axis=(0, 1))
    np.testing.assert_allclose(found.base[:, 0], mean)


def test_the_contrast_of_two_arms_adds_up_to_their_effect():
    study = small_study(people=72)
    model, background = fitted(study)
    found = explain_people(model, study.features, background, seed=1)
    contrast = found.values[:, 0, 0] - found.values[:, 1, 0]
    expected = predict_response(model, study.features, study.baseline).expected
    effect = expected[:, 0] - expected[:, 1]
    np.testing.assert_allclose(found.base[0, 0] - found.base[1, 0] + contrast.sum(axis=1), effect, atol=2e-5)


def test_a_person_alone_is_explained_as_among_others():
    study = small_study("binary", people=72)
    model, background = fitted(study)
    together = explain_people(model, study.features, background, seed=1).values
    alone = explain_people(model, study.features[5:6], background, seed=1).values
    np.testing.assert_allclose(alone[0], together[5], atol=1e-9)


def test_a_model_of_treatments_alone_has_nothing_to_explain():
    study = small_study(people=72)
    bare = study.changed(catalogue=study.catalogue.clear())
    model, background = fitted(bare)
    found = explain_people(model, bare.features, background, seed=1)
    assert found.values.shape == (72, 2, 1, 0)
    assert shap_frame(found, bare.features, model.arms_).is_empty()


@pytest.fixture(scope="module")
def laid_out() -> tuple[SmallStudy, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    study = small_study(people=72)
    model, background = fitted(study)
    found = explain_people(model, study.features, background, seed=1)
    expected = predict_response(model, study.features, study.baseline).expected
    predictions = pl.concat(
        pl.DataFrame({"patient_id": study.features["patient_id"], "treatment": arm, "expected": expected[:, place]})
        for place, arm in enumerate(ARMS)
    ).with_columns(status=pl.lit("ok"))
    return study, shap_frame(found, study.features, model.arms_), base_frame(found, model.arms_), predictions


def test_values_keep_their_contract_and_show_what_the_person_had(laid_out):
    study, values, bases, _ = laid_out
    SHAP_VALUES.check(values)
    assert BASE_VALUES.check(bases)["treatment"].to_list() == list(ARMS)
    own = values.filter((pl.col("feature") == "il6_pg_per_ml") & (pl.col("treatment") == "cbt")).sort("patient_id")
    assert own["feature_value"].to_list() == study.features["il6_pg_per_ml"].to_list()  # pg/mL, not its logarithm
    assert own["feature_value"].null_count() > 0
    assert own["modality"].unique().to_list() == ["biomarkers"] and own["group"].unique().to_list() == ["IL6"]
    names = values["feature"].unique().to_list()
    assert "sex_M" in names and "expression_component_01" in names and "expression_missing" in names


def test_a_table_of_classes_names_them():
    study = small_study("multiclass", people=72, arms=())
    model, background = fitted(study)
    found = explain_people(model, study.features[:3], background, seed=1)
    values, bases = shap_frame(found, study.features[:3], model.arms_), base_frame(found, model.arms_)
    SHAP_VALUES.check(values)
    BASE_VALUES.check(bases)
    assert values["class"].unique().sort().to_list() == bases["class"].to_list() == sorted(CLASSES)
    assert values["treatment"].null_count() == values.height
    assert bases["base_value"].sum() == pytest.approx(1)
    predicted = predict_response(model, study.features[:3], study.baseline[:3])
    shown = pl.DataFrame({"patient_id": study.features["patient_id"][:3], "status": ["ok"] * 3}).with_columns(
        pl.lit(None, dtype=pl.String).alias("treatment"),
        *[pl.Series(f"p_{name}", predicted.p_class[:, 0, place]) for place, name in enumerate(predicted.classes)],
    )
    assert check_additive(values, bases, shown) <= 1e-4
    wrong = shown.with_columns(pl.col(f"p_{CLASSES[1]}") + 0.001)
    with pytest.raises(ArithmeticError, match="miss the predictions"):
        check_additive(values, bases, wrong)


def test_additivity_is_checked_on_everybody_with_a_prediction(laid_out):
    _, values, bases, predictions = laid_out
    assert check_additive(values, bases, predictions) <= 1e-4
    first = pl.col("patient_id") == "P000"
    off = predictions.with_columns(
        expected=pl.when(first).then(pl.col("expected") + 0.001).otherwise(pl.col("expected"))
    )
    with pytest.raises(ArithmeticError, match=r"by up to 1\.00e-03"):
        check_additive(values, bases, off)
    silent = off.with_columns(status=pl.when(first).then(pl.lit("rejected: age")).otherwise(pl.col("status")))
    assert check_additive(values, bases, silent) <= 1e-4


def test_a_value_that_is_no_number_never_passes_for_additive(laid_out):
    _, values, bases, predictions = laid_out
    broken = values.with_columns(
        shap_value=pl.when(pl.col("patient_id") == "P000").then(float("nan")).otherwise(pl.col("shap_value"))
    )
    with pytest.raises(ArithmeticError):
        check_additive(broken, bases, predictions)


def test_the_background_is_the_same_whatever_the_ids_and_their_order():
    study = small_study(people=72)
    model, background = fitted(study)
    turned = background_people(
        model,
        study.features.reverse().with_columns(patient_id=pl.Series([f"X{i}" for i in range(72)])),
        study.rows.reverse(),
        20,
        1,
    )
    np.testing.assert_array_equal(turned, background)
    assert background.shape == (20, len(model.blocks_.columns_))
    assert len(background_people(model, study.features, study.rows, 500, 1)) == study.rows["response_value"].count()


def test_the_quick_way_for_two_classes_adds_up_and_is_near_the_definition():
    study = four_columns("binary")
    model, background = fitted(study, count=12)
    encoded = model.encode(study.features)
    quick = Explainer(model, background, 1, quick=True).whole(encoded)
    shown = model.probabilities(encoded)[:, :, 1]
    np.testing.assert_allclose(quick.base[None, :, 0] + quick.values.sum(axis=3)[:, :, 0], shown, atol=1e-9)

    def predict(values: np.ndarray) -> np.ndarray:
        return model.probabilities(Encoded(values, encoded.columns))

    for row in (0, 9, 40):
        exact = exact_values(predict, encoded.values[row], background)[:, :, 1]
        np.testing.assert_allclose(quick.values[row, :, 0].T, exact, atol=0.03)
        assert np.abs(exact).max() > 0.1
