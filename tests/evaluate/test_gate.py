from __future__ import annotations

import polars as pl
import pytest

from nociomics.evaluate.estimate import Estimate
from nociomics.evaluate.gate import build_gate, explanation_verdict
from nociomics.evaluate.study_metrics import evaluate_study
from tests.evaluate.cohorts import CHANGE, randomised_cohort

SEEDS = range(20)  # small cohorts: twenty of them must stay quick


def gate(seed, heterogeneity):
    cohort = randomised_cohort(seed, heterogeneity, people=300)
    return evaluate_study(cohort.out_of_fold, cohort.target_rows, CHANGE, seed=seed, resamples=40).gate


def test_closed_in_nearly_all_cohorts_without_heterogeneity():
    assert sum(gate(seed, 0.0)["individual_recommendations"] for seed in SEEDS) <= 3


def test_open_in_nearly_all_cohorts_with_strong_heterogeneity():
    found = [gate(seed, 1.0) for seed in SEEDS]
    assert sum(one["individual_recommendations"] for one in found) >= 19
    assert all(one["heterogeneity"]["passed"] for one in found if one["individual_recommendations"])


def test_outcomes_without_any_tie_to_the_predictions_show_neither():
    found = []
    for seed in SEEDS:
        cohort = randomised_cohort(seed, 1.0, people=300, repeats=2)
        other = cohort.target_rows.select(pl.exclude("patient_id")).sample(fraction=1.0, shuffle=True, seed=seed)
        rows = pl.concat([cohort.target_rows.select("patient_id"), other], how="horizontal")
        found.append(evaluate_study(cohort.out_of_fold, rows, CHANGE, seed=seed, resamples=100).gate)
    assert sum(one["individual_explanations"] for one in found) <= 3
    assert sum(one["individual_recommendations"] for one in found) <= 2
    closed = next(one for one in found if not one["individual_explanations"])
    assert any("not shown to be better than chance" in reason for reason in closed["reasons"])


def test_permuted_treatments_close_the_gate():
    passed = 0
    for seed in range(10):
        cohort = randomised_cohort(seed, 1.0)
        arms = cohort.target_rows["treatment"].shuffle(seed=seed)
        rows = cohort.target_rows.with_columns(treatment=arms)
        passed += evaluate_study(cohort.out_of_fold, rows, CHANGE, resamples=50).gate["individual_recommendations"]
    assert passed <= 2


def test_the_best_arm_for_all_is_named_when_closed():
    closed = next(one for one in (gate(seed, 0.0) for seed in SEEDS) if not one["individual_recommendations"])
    assert closed["best_fixed"] in {"cbt", "nsaid", "snri"}
    assert any(f"recommended for all: {closed['best_fixed']}" in reason for reason in closed["reasons"])


def test_classes_are_not_ranked():
    gate = build_gate((True, "better than chance"), 3, None, None, None, ordered=False)
    assert gate["individual_recommendations"] is False
    assert "no class is said to be better" in gate["reasons"][1]


def test_an_observational_study_without_propensities_stays_closed():
    cohort = randomised_cohort(1, 1.0)
    rows = cohort.target_rows.with_columns(assignment=pl.lit("observational"))
    result = evaluate_study(cohort.out_of_fold, rows, CHANGE, resamples=50)
    assert result.gate["individual_recommendations"] is False
    assert result.gate["best_fixed"] is not None
    assert result.metrics["policy_gain"]["value"] is None
    assert any("adjusted association" in reason for reason in result.gate["reasons"])


def test_an_observational_study_with_propensities_is_tested():
    cohort = randomised_cohort(1, 1.0)
    rows = cohort.target_rows.with_columns(assignment=pl.lit("observational"))
    propensity = cohort.out_of_fold.unique(["patient_id", "treatment"]).select(
        "patient_id", "treatment", propensity=pl.lit(1 / 3)
    )
    result = evaluate_study(cohort.out_of_fold, rows, CHANGE, propensity=propensity, resamples=50)
    assert result.gate["individual_recommendations"] is True
    assert result.gate["heterogeneity"]["assignment"] == "observational"
    assert "adjusted association" in result.metrics["policy_gain"]["method"]


@pytest.mark.parametrize(
    ("metric", "lower", "chance", "shown"),
    [
        ("auroc", 0.51, 0.5, True),
        ("auroc", 0.5, 0.5, False),
        ("spearman", 0.01, 0, True),
        ("accuracy", 0.4, 0.45, False),
    ],
)
def test_the_interval_must_lie_above_chance(metric, lower, chance, shown):
    headline = Estimate(lower + 0.1, lower, lower + 0.2, 100, "")
    assert explanation_verdict(metric, headline, chance)[0] is shown


def test_no_interval_no_explanation():
    assert explanation_verdict("auroc", Estimate(0.9, None, None, 12, "x"), 0.5)[0] is False
