from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from nociomics.errors import TableError
from nociomics.evaluate.study_metrics import evaluate_study
from nociomics.tables.study import Target
from tests.evaluate.cohorts import CHANGE, binary_cohort, plain_targets, randomised_cohort

BINARY = Target(kind="binary", outcome="y")
CONTRACT = {
    "change": "auroc brier calibration_slope calibration_in_the_large ici net_benefit policy_gain policy_value "
    "coverage_90 mae spearman log_loss r2 n n_events",
    "binary": "auroc brier calibration_slope calibration_in_the_large ici net_benefit log_loss n n_events",
    "multiclass": "accuracy balanced_accuracy macro_f1 log_loss auroc n",
    "continuous": "coverage_90 mae rmse r2 spearman n",
}


@pytest.fixture(scope="module")
def change():
    cohort = randomised_cohort(1, 1.0, people=300, repeats=3)
    flat = cohort.out_of_fold.with_columns(p_response=pl.col("p_response").mean().over("treatment"))
    others = {"treatment_only": flat, "clinical_only": cohort.out_of_fold}
    catalogue = pl.DataFrame({"feature": [f"x{i}" for i in range(40)]})
    result = evaluate_study(
        cohort.out_of_fold, cohort.target_rows, CHANGE, others, cohort.splits, 1, catalogue, resamples=200
    )
    return cohort, result


def assert_sound(result):
    json.dumps([result.metrics, result.gate, result.curves, result.subgroups], allow_nan=False)
    for name, one in result.metrics.items():
        assert set(one) == {"value", "lower", "upper", "n", "method"}, name
        assert one["method"], name
        if one["value"] is None:
            assert one["method"].startswith("not computed: "), name
            assert len(one["method"]) > len("not computed: "), name
        elif one["lower"] is not None:
            assert one["lower"] <= one["value"] <= one["upper"], name


def test_a_change_has_every_figure_of_the_contract(change):
    _, result = change
    assert set(CONTRACT["change"].split()) <= set(result.metrics)
    assert_sound(result)
    assert all(one["value"] is not None for one in result.metrics.values())


def test_the_headline_is_the_mean_within_folds_of_the_arm_received(change):
    cohort, result = change
    rows = cohort.out_of_fold.join(
        cohort.target_rows.select("patient_id", "treatment", "responded"), on=["patient_id", "treatment"]
    ).drop_nulls("responded")
    folds = [roc_auc_score(part["responded"], part["p_response"]) for part in rows.partition_by("repeat", "outer_fold")]
    assert result.gate["headline"] == "auroc"
    assert result.metrics["auroc"]["value"] == pytest.approx(np.mean(folds))
    pooled = roc_auc_score(rows["responded"], rows["p_response"])
    assert result.metrics["auroc_pooled"]["value"] == pytest.approx(pooled)
    assert result.metrics["auroc"]["n"] == cohort.target_rows["responded"].count()


def test_comparators_are_paired(change):
    _, result = change
    same, worse = (result.metrics[f"auroc_gain_over_{name}"] for name in ("clinical_only", "treatment_only"))
    assert (same["value"], same["lower"], same["upper"]) == (0, 0, 0)
    assert worse["lower"] > 0
    difference = result.metrics["auroc"]["value"] - result.metrics["auroc_treatment_only"]["value"]
    assert worse["value"] == pytest.approx(difference)


def test_the_policy_is_worth_what_the_generator_says(change):
    cohort, result = change
    value, fixed = result.metrics["policy_value"], result.metrics["policy_value_best_fixed"]
    assert value["lower"] < cohort.value["model"] + 0.05
    assert value["value"] == pytest.approx(cohort.value["model"], abs=0.4)
    assert result.metrics["policy_gain"]["value"] == pytest.approx(value["value"] - fixed["value"])
    assert {row["policy"] for row in result.curves["policies"]} == {"model", "best_fixed", "uniform", "usual", "fixed"}


def test_too_few_events_per_feature_make_it_exploratory(change):
    _, result = change
    assert result.gate["exploratory"] is True
    assert result.metrics["minimum_n"]["value"] > result.metrics["minimum_n"]["n"]


def test_the_same_seed_gives_the_same_numbers(change):
    cohort, _ = change
    first, again, other = (
        evaluate_study(cohort.out_of_fold, cohort.target_rows, CHANGE, seed=seed, resamples=50) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.metrics["brier"]["lower"] != other.metrics["brier"]["lower"]


def test_row_order_and_names_do_not_matter(change):
    cohort, _ = change
    renamed = [
        frame.with_columns(patient_id="Q" + pl.col("patient_id")) for frame in (cohort.out_of_fold, cohort.target_rows)
    ]
    shuffled = [frame.sample(fraction=1.0, shuffle=True, seed=3) for frame in renamed]
    first = evaluate_study(cohort.out_of_fold, cohort.target_rows, CHANGE, resamples=50)
    second = evaluate_study(*shuffled, CHANGE, resamples=50)
    for name, one in first.metrics.items():
        assert second.metrics[name]["value"] == pytest.approx(one["value"], abs=1e-9), name
        assert second.metrics[name]["lower"] == pytest.approx(one["lower"], abs=1e-9), name
    assert second.gate["individual_recommendations"] == first.gate["individual_recommendations"]


def test_subgroups_by_sex_site_and_arm(change):
    cohort, _ = change
    traits = cohort.target_rows.select("patient_id", sex=pl.lit("F"))
    result = evaluate_study(cohort.out_of_fold, cohort.target_rows, CHANGE, traits=traits, resamples=50)
    assert {row["trait"] for row in result.subgroups} == {"sex", "site", "arm"}


def test_other_folds_are_refused_for_comparators_too(change):
    cohort, _ = change
    moved = cohort.out_of_fold.with_columns(outer_fold=pl.col("outer_fold") + 1)
    with pytest.raises(TableError, match="clinical_only"):
        evaluate_study(cohort.out_of_fold, cohort.target_rows, CHANGE, {"clinical_only": moved}, cohort.splits)


def test_a_binary_study_without_treatments():
    made, rows = binary_cohort(0, 1.5)
    result = evaluate_study(made, rows, BINARY, resamples=100)
    assert set(CONTRACT["binary"].split()) <= set(result.metrics)
    assert "policy_value" not in result.metrics
    assert_sound(result)
    assert result.gate["individual_explanations"] is True
    assert result.gate["individual_recommendations"] is False
    assert result.gate["best_fixed"] is None
    assert any("no treatments" in reason for reason in result.gate["reasons"])


def test_chance_predictions_close_the_explanations():
    made, rows = binary_cohort(0, 1.5)
    noise = made.with_columns(p_response=pl.col("p_response").shuffle(seed=1))
    assert evaluate_study(noise, rows, BINARY, resamples=100).gate["individual_explanations"] is False


@pytest.mark.parametrize("spoil", ["no events", "no predictions", "few people"])
def test_what_cannot_be_computed_is_null_with_the_reason(spoil):
    made, rows = binary_cohort(0, 1.5, people=40)
    if spoil == "no events":
        rows = rows.with_columns(pl.lit(0.0).alias(name) for name in ("outcome", "response_value", "responded"))
    elif spoil == "no predictions":
        made = made.with_columns(p_response=pl.lit(None, dtype=pl.Float64))
    else:
        rows = rows.head(7)
    result = evaluate_study(made, rows, BINARY, resamples=30)
    assert set(CONTRACT["binary"].split()) <= set(result.metrics)
    assert_sound(result)
    assert result.metrics["auroc"]["value"] is None
    assert result.metrics["ici"]["value"] is None
    assert result.gate["individual_explanations"] is False


def test_a_certain_prediction_that_failed_has_no_finite_log_loss():
    made, rows = binary_cohort(0, 1.5)
    result = evaluate_study(made.with_columns(p_response=pl.lit(0.0)), rows, BINARY, resamples=30)
    assert result.metrics["log_loss"]["value"] is None
    assert result.metrics["calibration_slope"]["value"] is None
    assert result.metrics["auroc"]["value"] == 0.5
    assert_sound(result)


def test_classes():
    rng = np.random.default_rng(0)
    n, names = 150, ["mild", "moderate", "severe"]
    label = rng.integers(0, 3, n)
    p = rng.dirichlet(np.ones(3), n) * 0.6 + 0.4 * np.eye(3)[label]
    ids = [f"P{i:04d}" for i in range(n)]
    made = pl.DataFrame({"patient_id": ids, "repeat": 0, "outer_fold": np.arange(n) % 5}).with_columns(
        pl.lit(None, dtype=pl.String).alias("treatment"),
        pl.lit(None, dtype=pl.Float64).alias("expected"),
        pl.lit(None, dtype=pl.Float64).alias("p_response"),
        *[pl.Series(f"p_{name}", p[:, k]) for k, name in enumerate(names)],
    )
    rows = plain_targets(ids, label.astype(float), label=[names[k] for k in label])
    flat = made.with_columns(pl.lit(1 / 3).alias(f"p_{name}") for name in names)
    target = Target(kind="multiclass", outcome="type")
    result = evaluate_study(made, rows, target, {"clinical_only": flat}, resamples=100)
    assert set(CONTRACT["multiclass"].split()) <= set(result.metrics)
    assert_sound(result)
    assert result.gate["headline"] == "accuracy"
    assert result.metrics["accuracy"]["value"] == np.mean(p.argmax(axis=1) == label)
    assert result.metrics["accuracy_gain_over_clinical_only"]["lower"] > 0
    assert result.gate["individual_explanations"] is True


def test_a_continuous_outcome():
    rng = np.random.default_rng(0)
    n = 200
    expected = rng.normal(size=n)
    ids = [f"P{i:04d}" for i in range(n)]
    made = pl.DataFrame(
        {"patient_id": ids, "repeat": 0, "outer_fold": np.arange(n) % 5, "expected": expected}
    ).with_columns(treatment=pl.lit(None, dtype=pl.String), p_response=pl.lit(None, dtype=pl.Float64))
    rows = plain_targets(ids, expected + rng.normal(size=n))
    target = Target(kind="continuous", outcome="dose")
    flat = made.with_columns(expected=rng.normal(size=n))
    result = evaluate_study(made, rows, target, {"clinical_only": flat}, resamples=100)
    assert set(CONTRACT["continuous"].split()) <= set(result.metrics)
    assert "auroc" not in result.metrics
    assert_sound(result)
    assert result.gate["headline"] == "spearman"
    assert result.gate["individual_explanations"] is True
    assert result.metrics["spearman_gain_over_clinical_only"]["lower"] > 0
    assert result.metrics["half_width_90"]["value"] < result.metrics["marginal_half_width_90"]["value"]
