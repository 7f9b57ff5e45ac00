"""Figures by subgroup: any trait, with intervals, and nothing about a group so small that it points at people."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nociomics.evaluate.received import received_rows
from nociomics.evaluate.subgroups import TOO_FEW, subgroup_table, subgroup_traits, with_coverage
from tests.evaluate.cohorts import CHANGE, randomised_cohort


@pytest.fixture(scope="module")
def received() -> pl.DataFrame:
    cohort = randomised_cohort(0, 1.0, people=300, repeats=2)
    return with_coverage(received_rows(cohort.out_of_fold, cohort.target_rows, CHANGE))


def with_sex(received: pl.DataFrame, small: int) -> pl.DataFrame:
    """The first people are X, all others F."""
    first = received["patient_id"].unique().sort().head(small).to_list()
    return received.with_columns(
        sex=pl.when(pl.col("patient_id").is_in(first)).then(pl.lit("X")).otherwise(pl.lit("F"))
    )


def test_every_group_of_every_trait_has_its_figures(received):
    rows = subgroup_table(with_sex(received, 60), ["sex", "group"], 100, 1)
    levels = {("sex", "F"), ("sex", "X"), ("group", "site0"), ("group", "site1")}
    assert {(row["trait"], row["level"]) for row in rows} == levels
    assert {row["metric"] for row in rows} == {"auroc", "calibration_in_the_large", "coverage_90"}
    assert all(row["lower"] <= row["value"] <= row["upper"] and row["n"] >= 20 for row in rows)


@pytest.mark.parametrize("small", [1, 5, 19])
def test_of_a_small_group_neither_figure_nor_count_is_told(received, small):
    rows = subgroup_table(with_sex(received, small), ["sex"], 50, 1)
    hidden = [row for row in rows if row["level"] == "X"]
    assert len(hidden) == 3
    for row in hidden:
        assert row["note"] == TOO_FEW
        assert [row[name] for name in ("n", "value", "lower", "upper", "accepted")] == [None] * 5


def test_fewer_than_five_people_with_the_event_hide_what_is_about_events(received):
    events = received.filter(pl.col("event") == 1)["patient_id"].unique().sort()
    calm = received.filter(pl.col("event") == 0)["patient_id"].unique().sort()
    chosen = [*events.head(4), *calm.head(40)]
    people = received.filter(pl.col("patient_id").is_in(chosen)).with_columns(sex=pl.lit("F"))
    found = {row["metric"]: row for row in subgroup_table(people, ["sex"], 50, 1)}
    assert found["auroc"]["note"] == found["calibration_in_the_large"]["note"] == TOO_FEW
    assert found["coverage_90"]["value"] is not None and found["coverage_90"]["n"] == 44


def test_coverage_of_two_hundred_people_is_held_to_its_promise(received):
    rows = subgroup_table(with_sex(received, 60), ["sex"], 50, 1)
    judged = {row["level"]: row["accepted"] for row in rows if row["metric"] == "coverage_90"}
    assert judged == {"F": True, "X": None}
    missed = received.with_columns(sex=pl.lit("F"), covered=pl.lit(0.5))
    assert [row["accepted"] for row in subgroup_table(missed, ["sex"], 50, 1)][-1] is False


def test_a_subgroup_that_is_predicted_wrongly_is_seen():
    """Probabilities are right for F and twice too high in odds for X: calibration in the large tells them apart."""
    rng = np.random.default_rng(1)
    p = rng.uniform(0.2, 0.8, 2000)
    sex = np.repeat(["F", "X"], 1000)
    true = np.where(sex == "X", p / (p + 2 * (1 - p)), p)
    frame = pl.DataFrame(
        {
            "patient_id": [f"P{i:04d}" for i in range(2000)],
            "repeat": 0,
            "outer_fold": np.arange(2000) % 5,
            "event": (rng.random(2000) < true).astype(float),
            "p_response": p,
            "covered": pl.Series([None] * 2000, dtype=pl.Float64),
            "sex": sex,
        }
    )
    found = {(row["level"], row["metric"]): row for row in subgroup_table(frame, ["sex"], 200, 1)}
    wrong, right = (found[level, "calibration_in_the_large"] for level in ("X", "F"))
    assert wrong["upper"] < 0 and wrong["value"] == pytest.approx(-np.log(2), abs=0.2)
    assert right["lower"] < 0 < right["upper"]


def test_the_traits_of_a_study_are_those_that_it_names():
    features = pl.DataFrame(
        {
            "patient_id": ["a", "b"],
            "age": [39.9, 65.0],
            "sex": ["F", "M"],
            "ancestry": ["EUR", "AFR"],
            "ancestry_pc1": [0.1, 0.2],
            "measured": ["all", "no expression"],
            "smoker": ["yes", "no"],
        }
    )
    traits = subgroup_traits(features)
    assert traits.columns == ["patient_id", "sex", "ancestry", "measured", "age_band"]
    assert traits["age_band"].to_list() == ["under 40", "65 and over"]


def test_a_trait_of_many_levels_is_no_grouping():
    people = pl.DataFrame({"patient_id": [f"P{i}" for i in range(60)], "population": [f"G{i}" for i in range(60)]})
    assert subgroup_traits(people).columns == ["patient_id"]


def test_coverage_needs_an_observation():
    cohort = randomised_cohort(0, 1.0, people=100, repeats=1)
    received = with_coverage(received_rows(cohort.out_of_fold, cohort.target_rows, CHANGE))
    assert received["covered"].count() == received["observed"].count() < received.height
