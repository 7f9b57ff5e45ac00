"""The TRIPOD+AI checklist: every item once, answered by the run or left to the authors, and never made up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from nociomics.knowledge.tripod import AUTHORS, load_tripod
from nociomics.report.tripod import FILL_IN, NOT_DONE, Answer, TripodData, tripod_page, tripod_rows
from nociomics.report.tripod_answers import ANSWERS
from nociomics.tables.study import Study

# Collins 2024: 27 items, of which these have letters
_LETTERED = {
    3: "abc",
    5: "ab",
    6: "abc",
    8: "abc",
    9: "abc",
    12: "abcdefg",
    18: "abcdef",
    20: "abc",
    23: "ab",
    27: "abc",
}


def study(**target: Any) -> Study:
    named = {"kind": "change", "outcome": "pain_week12", "baseline": "pain", "treatment": "arm", "groups": "site"}
    return Study.model_validate(
        {
            "study": "small",
            "source": "an invented cohort",
            "tables": {"patients": "patients.csv"},
            "target": {**named, "response": {"fall_percent": 30}, **target},
            "include": {"pain_months": {"at_least": 3}},
        }
    )


def figure(value: float | None, lower: float | None = None, upper: float | None = None) -> dict[str, Any]:
    return {"value": value, "lower": lower, "upper": upper, "n": 84, "method": "not computed: too few"}


def data() -> TripodData:
    catalogue = pl.DataFrame(
        {
            "feature": ["age", "crp_mg_per_l"],
            "modality": ["clinical", "biomarkers"],
            "missing_share": [0.0, 0.1],
            "source_file": ["patients.csv", "cytokines.csv"],
        }
    )
    return TripodData(
        study=study(),
        flow=pl.DataFrame(
            {
                "step": ["people", "with outcome", "analysable"],
                "people": [90, 84, 84],
                "left_out": [0, 6, 6],
                "reason": ["everyone", "pain_week12 is not observed", "sum of the steps above"],
            }
        ),
        catalogue=catalogue,
        findings=pl.DataFrame({"severity": ["warning", "info", "info"]}),
        arms=pl.DataFrame({"treatment": ["drug", "talk"], "people": [44, 46], "with_outcome": [40, 44]}),
        splits=pl.DataFrame({"repeat": [0, 0, 1, 1], "outer_fold": [0, 1, 0, 1], "inner_fold": [0, 1, 1, 0]}),
        target_rows=pl.DataFrame(
            {"treatment": ["drug", "talk"], "assignment": ["randomised"] * 2, "group": ["s1", "s2"]}
        ),
        metrics={
            "n": figure(84),
            "n_events": figure(30),
            "auroc": figure(0.61, 0.5, 0.72),
            "calibration_slope": figure(None),
            "auroc_held_out_groups": figure(0.57, 0.42, 0.7),
            "minimum_n": figure(500),
            "events_per_feature": figure(15.0),
        },
        gate={
            "headline": "auroc",
            "individual_recommendations": False,
            "individual_explanations": False,
            "best_fixed": "talk",
            "heterogeneity": {"tested": True},
            "reasons": [],
            "exploratory": False,
        },
        curves={"subgroups": [{"trait": "sex"}, {"trait": "site"}]},
        learners=["ridge", "forest"],
        provenance={"nociomics": "1.0", "commit": "abc"},
    )


def told(one: TripodData, item: str) -> Answer:
    return {row.item.item: row for row in tripod_rows(one)}[item]


def test_the_checklist_has_every_item_once_and_in_order() -> None:
    expected = [f"{n}{letter}" for n in range(1, 28) for letter in _LETTERED.get(n, " ")]
    assert [item.item for item in load_tripod()] == [name.strip() for name in expected]


def test_every_answer_is_asked_for_and_every_question_has_its_answer() -> None:
    asked = {item.answer for item in load_tripod()}
    assert asked == set(ANSWERS) | {AUTHORS}
    assert all(item.left_to_authors for item in load_tripod() if item.answer == AUTHORS)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("1", "fall in pain to pain_week12"),
        ("5a", "an invented cohort. Features came from"),
        ("6a", "2 groups by the column site"),
        ("6b", "pain_months at least 3"),
        ("6c", "drug (44) and talk (46); assignment: randomised"),
        ("8a", "A response is a fall of at least 30% from baseline"),
        ("10", "84 people have an outcome; Riley's criteria ask for 500"),
        ("11", "1 of 2 features lack a value of somebody"),
        ("12a", "2 outer and 2 inner folds, 2 repeats"),
        ("12c", "ridge and forest"),
        ("12e", "Not computed: Calibration slope"),
        ("14", "by sex and site"),
        ("20a", "with outcome: 84 (6 left out: pain_week12 is not observed)"),
        ("21", "84 people and 30 events"),
        ("23a", "AUROC 0.61 (0.50 to 0.72)"),
        ("23b", "0.57 (0.42 to 0.70)"),
        ("26", "There is no external validation."),
    ],
)
def test_an_item_says_what_the_run_knows(item: str, words: str) -> None:
    assert words in str(told(data(), item).told)


@pytest.mark.parametrize("item", ["2", "3a", "5b", "8c", "17", "18a", "18c", "19"])
def test_what_no_program_can_know_is_left_to_the_authors(item: str) -> None:
    row = told(data(), item)
    assert (row.told is None and row.left == "The whole item") or str(row.left).startswith("The whole item")


def test_what_was_not_measured_is_said_and_not_made_up() -> None:
    bare = replace(data(), metrics={}, curves={}, gate={})
    assert told(bare, "21").told == "Not computed."
    assert told(bare, "23b").told == "Not computed."
    assert told(bare, "14").told == "Performance was not measured in subgroups."
    assert "minimum size was not computed" in str(told(bare, "10").told)


def test_choices_by_clinicians_are_a_limit() -> None:
    chosen = pl.DataFrame({"treatment": ["drug", "talk"], "assignment": ["observational"] * 2, "group": ["a", "b"]})
    words = "Treatments were not randomised: their differences are adjusted associations."
    assert words in str(told(replace(data(), target_rows=chosen), "26").told)
    assert words not in str(told(data(), "26").told)


def test_people_of_a_rare_treatment_are_counted() -> None:
    rare = pl.DataFrame({"treatment": [None], "people": [6], "with_outcome": [6]}, schema=data().arms.schema)
    row = told(replace(data(), arms=pl.concat([data().arms, rare])), "6c")
    assert "6 people got none, or one too rare to learn from." in str(row.told)


def test_a_study_of_classes_without_treatments_has_its_page() -> None:
    plain = study(kind="multiclass", outcome="type", baseline=None, treatment=None, groups=None, response=None)
    nobody = pl.DataFrame(
        {"treatment": [None], "assignment": [None], "group": [None]},
        schema_overrides={"treatment": pl.String, "assignment": pl.String, "group": pl.String},
    )
    page = tripod_page(replace(data(), study=plain, target_rows=nobody))
    assert "The study names no treatment; none enters the model." in page
    assert "The probability of each class." in page


def test_the_page_stands_alone_and_is_the_same_twice() -> None:
    page = tripod_page(data())
    assert page == tripod_page(data())
    assert page.count(FILL_IN) + page.count(NOT_DONE) >= 15 and NOT_DONE in page
    assert "http" not in page and "<script" not in page
    assert 'href="../report.html"' in page
    assert "Of 52 items this run answers" in page
