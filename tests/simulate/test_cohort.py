from __future__ import annotations

import logging
from dataclasses import fields

import numpy as np
import polars as pl
import pytest

from nociomics.simulate.cohort import Cohort, patient_ids, simulate_cohort

_TABLES = [field.name for field in fields(Cohort) if field.name not in ("settings", "truth")]


def _same(one: Cohort, other: Cohort, table: str) -> bool:
    return getattr(one, table).equals(getattr(other, table))


def _log_cpm(cohort: Cohort) -> dict[str, np.ndarray]:
    counts = cohort.expression.drop("patient_id").cast(pl.Float64).to_numpy()
    level = np.log2((counts + 0.5) / (counts.sum(axis=1, keepdims=True) + 1) * 1e6)
    return dict(zip(cohort.expression["patient_id"], level - level.mean(axis=0), strict=True))


def test_another_seed_gives_other_patients_of_the_same_world(cohort: Cohort) -> None:
    other = simulate_cohort(600, seed=2)
    assert not any(_same(cohort, other, table) for table in _TABLES if table != "variants")
    assert _same(cohort, other, "variants")
    for name in ("variants", "genes", "sites"):
        assert cohort.truth[name].equals(other.truth[name]), name


def test_another_world_gives_other_constants(cohort: Cohort) -> None:
    other = simulate_cohort(600, seed=1, world=1)
    for name in ("variants", "genes", "sites"):
        assert not cohort.truth[name].equals(other.truth[name]), name


def test_every_row_is_someone_of_the_patients_table(cohort: Cohort) -> None:
    ids = set(cohort.patients["patient_id"])
    assert len(ids) == cohort.patients.height == 600
    for table in _TABLES:
        if table != "variants":
            assert set(getattr(cohort, table)["patient_id"]) <= ids, table
    for table in ("questionnaires", "treatments", "outcomes"):
        assert getattr(cohort, table)["patient_id"].equals(cohort.patients["patient_id"]), table


def test_about_one_percent_enrol_twice(large_cohorts: list[Cohort]) -> None:
    for cohort in large_cohorts:
        pairs = cohort.truth["duplicates"]
        assert pairs.height == 40
        people = [*pairs["patient_id"], *pairs["same_person_as"]]
        assert len(set(people)) == 80
        assert set(people) <= set(cohort.genotypes["patient_id"]) & set(cohort.expression["patient_id"])


@pytest.mark.parametrize(("patients", "second"), [(1, 0), (99, 0), (100, 1), (149, 1), (300, 3)])
def test_second_enrolments_need_a_hundred_patients(patients: int, second: int) -> None:
    cohort = simulate_cohort(patients, seed=3)
    assert cohort.patients.height == patients
    assert cohort.truth["duplicates"].height == second


def test_a_second_enrolment_has_the_same_body(large_cohorts: list[Cohort]) -> None:
    cohort = large_cohorts[0]
    rows = {
        table: {row[0]: row[1:] for row in getattr(cohort, table).iter_rows()} for table in ("genotypes", "diplotypes")
    }
    patients = cohort.patients.drop("site").rows_by_key("patient_id", unique=True)
    for second, first in cohort.truth["duplicates"].iter_rows():
        calls = [
            pair for pair in zip(rows["genotypes"][second], rows["genotypes"][first], strict=True) if None not in pair
        ]
        assert len(calls) > 280
        assert all(one == other for one, other in calls)
        assert rows["diplotypes"][second] == rows["diplotypes"][first]
        assert patients[second] == patients[first]


def test_a_second_enrolment_has_the_same_expression_up_to_noise(large_cohorts: list[Cohort]) -> None:
    for cohort in large_cohorts:
        level, pairs = _log_cpm(cohort), cohort.truth["duplicates"]
        correlations = [np.corrcoef(level[second], level[first])[0, 1] for second, first in pairs.iter_rows()]
        assert min(correlations) >= 0.98
        assert max(correlations) < 1


def test_different_people_have_different_expression(cohort: Cohort) -> None:
    once = set(cohort.patients["patient_id"]) - set(cohort.truth["duplicates"]["patient_id"])
    level = np.array([values for person, values in _log_cpm(cohort).items() if person in once])
    correlations = np.corrcoef(level) - np.eye(len(level))
    assert correlations.max() < 0.9


def test_a_second_enrolment_is_measured_and_treated_anew(large_cohorts: list[Cohort]) -> None:
    cohort = large_cohorts[0]
    pairs = cohort.truth["duplicates"]
    for table in ("questionnaires", "outcomes"):
        rows = {row[0]: row[1:] for row in getattr(cohort, table).iter_rows()}
        assert all(rows[second] != rows[first] or None in rows[second] for second, first in pairs.iter_rows()), table
    values = {key: [row[1] for row in rows] for key, rows in cohort.biomarkers.rows_by_key("patient_id").items()}
    both = [(values[a], values[b]) for a, b in pairs.iter_rows() if a in values and b in values]
    assert both
    assert all(one != other for one, other in both)
    arms = dict(cohort.treatments.select("patient_id", "arm").iter_rows())
    assert 0 < sum(arms[second] == arms[first] for second, first in pairs.iter_rows()) < pairs.height


def test_a_second_enrolment_comes_later(large_cohorts: list[Cohort]) -> None:
    drawn = dict(large_cohorts[0].expression_samples.select("patient_id", "collected_at").iter_rows())
    assert all(drawn[second] > drawn[first] for second, first in large_cohorts[0].truth["duplicates"].iter_rows())


@pytest.mark.parametrize("table", ["expression_samples", "biomarkers"])
def test_blood_is_drawn_in_the_morning_before_treatment_starts(cohort: Cohort, table: str) -> None:
    drawn = getattr(cohort, table).join(cohort.treatments, on="patient_id")
    at = drawn["collected_at"].str.to_datetime("%Y-%m-%dT%H:%M")
    assert (at < drawn["started_at"].str.to_datetime("%Y-%m-%d")).all()
    hour = at.dt.hour() + at.dt.minute() / 60
    assert 7.5 <= hour.min()
    assert hour.max() < 11


def test_ids_have_as_many_digits_as_the_largest() -> None:
    assert patient_ids(2).to_list() == ["P0001", "P0002"]
    assert patient_ids(12345)[0] == "P00001"


def test_the_log_counts_and_names_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="nociomics"):
        simulate_cohort(100, seed=1)
    assert "100 enrolments of 99 people" in caplog.text
    assert "P0" not in caplog.text
