"""Overlap and balance: who could have got what, and how alike weighting makes the groups."""

import numpy as np
import polars as pl
import pytest
from scipy.special import softmax

from nociomics.evaluate.overlap import (
    e_value,
    effective_size,
    overlap_metrics,
    overlap_report,
    standardised_differences,
)
from nociomics.evaluate.panel import Panel, panel_scores
from nociomics.evaluate.policy_metrics import evaluate_policies
from nociomics.evaluate.study_metrics import evaluate_study
from tests.evaluate.cohorts import CHANGE, randomised_cohort


def observational(people: int = 3000, seed: int = 1) -> tuple[Panel, pl.DataFrame, pl.DataFrame, np.ndarray]:
    """Sicker people get b more often and do worse whatever they get; b helps everybody by 0.5."""
    rng = np.random.default_rng(seed)
    sick, other = rng.normal(size=people), rng.normal(size=people)
    chance = softmax(np.column_stack([np.zeros(people), sick]), axis=1)
    arm = (rng.random(people) < chance[:, 1]).astype(np.int64)
    truth = np.column_stack([-sick, -sick + 0.5])
    y = truth[np.arange(people), arm] + rng.normal(size=people)
    ids = [f"P{place:04d}" for place in range(people)]
    fold = np.arange(people)[None, :] % 5
    panel = Panel(["a", "b"], arm, y, np.zeros((1, people, 2)), fold, ids, [0], 1, randomised=False)
    propensity = pl.concat(
        pl.DataFrame({"patient_id": ids, "propensity": chance[:, k]}).with_columns(
            repeat=pl.lit(0, pl.Int64), treatment=pl.lit(name)
        )
        for k, name in enumerate(("a", "b"))
    )
    return panel, propensity, pl.DataFrame({"patient_id": ids, "sick": sick, "other": other}), truth


def test_weighting_balances_what_decided_the_treatment():
    panel, propensity, covariates, _ = observational()
    scores = panel_scores(panel, propensity)
    report = overlap_report(panel, scores, evaluate_policies(panel, scores), propensity, covariates, binary=False)
    sick = report["balance"]["rows"][0]
    assert sick["covariate"] == "sick"
    assert sick["before"] > 0.8
    assert sick["after"] < 0.15
    assert (report["balance"]["above_before"], report["balance"]["covariates"]) == (1, 2)
    assert all(row["effective"] < row["people"] for row in report["arms"])


def test_the_weighted_difference_is_near_the_truth_where_the_raw_one_has_the_wrong_sign():
    panel, propensity, _, truth = observational()
    raw = panel.y[panel.arm == 1].mean() - panel.y[panel.arm == 0].mean()
    assert raw < 0
    scores = panel_scores(panel, propensity)
    found = {
        row["treatment"]: row["value"] for row in evaluate_policies(panel, scores).rows if row["policy"] == "fixed"
    }
    assert found["b"] - found["a"] == pytest.approx(0.5, abs=0.15)
    np.testing.assert_allclose([found["a"], found["b"]], truth[scores.people].mean(axis=0), atol=0.15)


def test_people_outside_overlap_are_counted_and_left_out():
    panel, propensity, covariates, _ = observational()
    scores = panel_scores(panel, propensity)
    least = propensity.group_by("patient_id").agg(pl.col("propensity").min())
    outside = least.filter(pl.col("propensity") < 0.05).height
    report = overlap_report(panel, scores, None, propensity, covariates, binary=False)
    assert 0 < outside == report["outside"] == panel.n - scores.people.size
    assert sum(row["below"] for row in report["arms"]) == outside
    assert report["clipped"] == 0
    assert report["sensitivity"] == []
    metrics = overlap_metrics(report)
    assert metrics["outside_overlap"].value == pytest.approx(outside / panel.n)
    assert "adjusted association" in metrics["largest_smd"].method


def test_an_arm_that_nobody_could_get_leaves_nobody_to_compare():
    panel, propensity, covariates, _ = observational(200)
    none = propensity.with_columns(propensity=pl.when(pl.col("treatment") == "b").then(0.0).otherwise(1.0))
    assert panel_scores(panel, none) is None
    report = overlap_report(panel, None, None, none, covariates, binary=False)
    assert report["outside"] == 200
    assert report["balance"]["covariates"] == 0
    assert overlap_metrics(report)["largest_smd"].value is None


def test_missing_values_are_left_out_of_a_difference():
    values = np.array([[0.0, 1.0], [2.0, np.nan], [1.0, 1.0], [3.0, 1.0]])
    found = standardised_differences(values, np.array([0, 0, 1, 1]), np.ones(4), 2)
    assert found[0] == pytest.approx(1.0)
    assert np.isnan(found[1])  # it does not vary


def test_weights_of_the_inverse_chance_remove_a_difference():
    values = np.array([[1.0], [0.0], [1.0], [0.0]])
    chance = np.array([0.8, 0.2, 0.2, 0.8])
    repeated = np.repeat(np.arange(4), [8, 2, 2, 8])
    arm = np.array([0, 0, 1, 1])[repeated]
    assert standardised_differences(values[repeated], arm, np.ones(20), 2)[0] == pytest.approx(1.5)
    assert standardised_differences(values[repeated], arm, 1 / chance[repeated], 2)[0] == pytest.approx(0, abs=1e-12)


def test_effective_size_is_the_number_of_people_only_when_weights_are_equal():
    assert effective_size(np.full(7, 3.0)) == pytest.approx(7)
    assert effective_size(np.array([10.0, 1.0, 1.0])) < 1.5


@pytest.mark.parametrize(
    ("ratio", "expected"), [(3.9, 7.26), (0.8, 1.81), (1.0, 1.0)], ids=["risk", "protection", "nothing"]
)
def test_e_values_are_those_of_the_paper(ratio, expected):
    """VanderWeele and Ding 2017: 3.9 gives 7.26, 0.80 gives 1.81."""
    assert e_value(ratio) == pytest.approx(expected, abs=0.005)


def test_an_interval_that_reaches_zero_needs_no_hidden_trait():
    panel, propensity, covariates, _ = observational(150, seed=3)
    scores = panel_scores(panel, propensity)
    report = overlap_report(panel, scores, evaluate_policies(panel, scores), propensity, covariates, binary=False)
    for row in report["sensitivity"]:
        if row["lower"] <= 0 <= row["upper"]:
            assert row["e_value_limit"] == 1.0
        else:
            assert 1 < row["e_value_limit"] < row["e_value"]


def test_a_whole_evaluation_carries_overlap_and_the_sensitivity_to_missing_outcomes():
    cohort = randomised_cohort(1, 1.0)
    rows = cohort.target_rows.with_columns(assignment=pl.lit("observational"))
    keys = cohort.out_of_fold.select("patient_id", pl.col("repeat").cast(pl.Int64), "treatment").unique()
    covariates = rows.select("patient_id", age=pl.int_range(pl.len()).cast(pl.Float64))
    found = evaluate_study(
        cohort.out_of_fold,
        rows,
        CHANGE,
        propensity=keys.with_columns(propensity=pl.lit(1 / 3)),
        observation=keys.select("patient_id", "repeat").unique().with_columns(observed=pl.lit(0.9)),
        covariates=covariates,
        batches=rows.select("patient_id"),
        resamples=20,
    )
    assert found.curves["overlap"]["outside"] == 0
    assert found.metrics["policy_gain"]["method"].count("adjusted association") == 1
    assert found.metrics["e_value"]["value"] > 1
    assert found.metrics["auroc_ipcw"]["value"] == pytest.approx(found.metrics["auroc"]["value"])
    assert 0 < found.metrics["outcome_missing"]["value"] < 0.2
    assert found.gate["confounded"] is False
    randomised = evaluate_study(cohort.out_of_fold, cohort.target_rows, CHANGE, covariates=covariates, resamples=5)
    assert "overlap" not in randomised.curves
