"""What MLflow is given of a study: the headline first, values as in the tables, words that claim no more."""

from __future__ import annotations

import polars as pl
import pytest

from nociomics.report.tracked_study import (
    comparator_numbers,
    evaluation_pictures,
    experiment_note,
    gate_table,
    importance_picture,
    metrics_table,
    modality_shares,
    run_note,
    study_numbers,
    table_columns,
)
from tests.report.demo import TARGET


def figure(value: float | None, lower: float | None = None, upper: float | None = None) -> dict[str, object]:
    return {"value": value, "lower": lower, "upper": upper, "n": 534, "method": "bootstrap"}


METRICS = {
    "adverse_auroc": figure(0.65, 0.59, 0.71),
    "auroc": figure(0.6398678, 0.59, 0.68),
    "auroc_clinical_only": figure(0.62, 0.57, 0.67),
    "auroc_gain_over_clinical_only": figure(0.02, -0.02, 0.05),
    "brier": figure(0.23, 0.22, 0.24),
    "calibration_slope": figure(0.8, 0.53, 1.11),
    "n": figure(534),
    "policy_gain": figure(None),
}
GATE = {
    "headline": "auroc",
    "performance_passed": True,
    "individual_explanations": True,
    "individual_recommendations": False,
    "reasons": ["Predictions are better than chance."],
}


def test_the_first_numbers_by_name_are_the_headline_with_its_interval() -> None:
    numbers = study_numbers(METRICS, GATE)
    assert numbers["headline/auroc"] == numbers["test/auroc"] == METRICS["auroc"]["value"]
    assert (numbers["headline/auroc_ci_low"], numbers["headline/auroc_ci_high"]) == (0.59, 0.68)
    assert numbers["headline/policy_gain"] is None
    assert sorted(numbers)[0] == "headline/auroc"
    assert "test/adverse_auroc" not in numbers, "few numbers: the rest is in the table"
    assert table_columns(METRICS, GATE)[:4] == (
        "headline/auroc",
        "headline/auroc_ci_low",
        "headline/auroc_ci_high",
        "fold/auroc",
    )
    assert set(comparator_numbers(METRICS, GATE)) == {
        "evaluation/auroc",
        "evaluation/auroc_clinical_only",
        "evaluation/auroc_gain_over_clinical_only",
    }


def test_every_figure_is_in_the_table_with_the_headline_on_top() -> None:
    table = metrics_table(METRICS, GATE)
    assert set(table["metric"]) == set(METRICS)
    assert table["metric"].to_list()[:3] == ["auroc", "auroc_clinical_only", "auroc_gain_over_clinical_only"]
    told = {row["metric"]: row for row in table.iter_rows(named=True)}
    assert all(told[name]["value"] == pytest.approx(METRICS[name]["value"]) for name in ("auroc", "brier"))
    assert told["policy_gain"]["value"] is None


def test_the_gate_is_told_in_questions() -> None:
    told = dict(gate_table(GATE).iter_rows())
    assert told["a treatment may be recommended to one person"] == "no"
    assert told["exploratory (few events per feature)"] == "not known"
    assert told["reason"] == "Predictions are better than chance."


def test_the_note_begins_with_the_finding_and_gives_the_interval_of_each_figure() -> None:
    note = run_note(
        ["The model predicts better than chance.", "Read it as exploratory."], METRICS, GATE, ("report.html",)
    )
    assert note.startswith("**The model predicts better than chance.** Read it as exploratory.")
    assert "| AUROC | 0.64 (0.59 to 0.68) | 534 |" in note
    assert "| gain over the clinical variables alone | 0.02 (−0.02 to 0.05) | 534 | 0: it adds nothing |" in note
    assert "Policy gain" not in note, "what was not measured has no row"
    assert "The gate is not passed" in run_note(["Nothing."], METRICS, {**GATE, "performance_passed": False}, ())


def test_the_experiment_tells_what_is_predicted_and_by_what_it_is_judged() -> None:
    note = experiment_note("demo", TARGET, GATE, None)
    assert "**Study demo.**" in note and "bpi_severity_week12" in note and "headline/auroc" in note
    assert "Nothing is predicted" in experiment_note("demo", None, None, None)


def test_pictures_are_files_of_their_own() -> None:
    curves = {"calibration": {"predicted": [0.2, 0.4, 0.6], "observed": [0.25, 0.4, 0.5]}}
    pictures = evaluation_pictures(METRICS, GATE, curves)
    assert sorted(pictures) == ["calibration", "models"]
    assert all(picture.startswith("<svg") and "http://www.w3.org/2000/svg" in picture for picture in pictures.values())
    assert evaluation_pictures({}, {}, {}) == {}


def test_shares_of_modalities_add_up_and_a_closed_gate_has_none() -> None:
    importance = pl.DataFrame(
        {
            "level": ["modality", "modality", "modality", "feature"],
            "name": ["pgx", "questionnaires", "pgx", "x"],
            "mean_abs_shap": [0.1, 0.6, 0.1, 9.0],
        }
    )
    shares = modality_shares(importance)
    assert shares == {
        "explanations/share_pgx": pytest.approx(0.25),
        "explanations/share_questionnaires": pytest.approx(0.75),
    }
    assert modality_shares(None) == {} and importance_picture(None) == {}
