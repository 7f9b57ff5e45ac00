from __future__ import annotations

import polars as pl
import pytest

from nociomics.evaluate.estimate import Estimate
from nociomics.evaluate.gate import build_gate, closed_by_permutation, explanation_verdict
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


def observational(share_inside: float) -> dict:
    """The gate of a cohort with strong differences, of whom this share has a fair chance of every arm."""
    cohort = randomised_cohort(1, 1.0)
    rows = cohort.target_rows.with_columns(assignment=pl.lit("observational"))
    inside = pl.col("patient_id").rank("dense") <= share_inside * rows.height
    fair = pl.when(inside).then(1 / 3).when(pl.col("treatment") == "cbt").then(0.01).otherwise(0.495)
    propensity = cohort.out_of_fold.unique(["patient_id", "treatment"]).select(
        "patient_id", "treatment", propensity=fair
    )
    return evaluate_study(cohort.out_of_fold, rows, CHANGE, propensity=propensity, resamples=50).gate


def test_without_randomisation_an_open_gate_speaks_of_adjusted_association():
    gate = observational(0.95)
    assert gate["individual_recommendations"] is True
    words = " ".join(gate["reasons"])
    assert "adjusted association" in words
    assert "380 of 400 people had a fair chance of every treatment" in words
    assert "caus" not in words


def test_without_randomisation_too_little_overlap_closes_the_gate():
    gate = observational(0.6)
    assert gate["heterogeneity"]["passed"] is True
    assert gate["individual_recommendations"] is False
    assert any("fewer than 80%" in reason for reason in gate["reasons"])


def test_without_randomisation_the_gains_whole_interval_must_lie_above_zero():
    found = [
        evaluate_study(
            cohort.out_of_fold,
            cohort.target_rows.with_columns(assignment=pl.lit("observational")),
            CHANGE,
            propensity=cohort.out_of_fold.unique(["patient_id", "treatment"]).select(
                "patient_id", "treatment", propensity=pl.lit(1 / 3)
            ),
            resamples=20,
        )
        for cohort in (randomised_cohort(seed, 0.35, people=300) for seed in range(8))
    ]
    unsure = [one for one in found if one.metrics["policy_gain"]["lower"] <= 0]
    assert unsure
    assert not any(one.gate["individual_recommendations"] for one in unsure)


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


def test_a_permutation_test_that_fails_closes_both_gates_and_one_that_was_not_run_changes_nothing():
    gate = {"individual_explanations": True, "individual_recommendations": True, "reasons": ["better than chance"]}
    assert closed_by_permutation(gate, None, 0) == closed_by_permutation(gate, 0.049, 200) == gate
    assert closed_by_permutation(gate, 0.1, 9) == gate  # the smallest that 9 refits can give
    shut = closed_by_permutation(gate, 0.05, 200)
    assert not shut["individual_explanations"] and not shut["individual_recommendations"]
    assert shut["reasons"][0] == "better than chance" and "shuffled outcomes" in shut["reasons"][1]
