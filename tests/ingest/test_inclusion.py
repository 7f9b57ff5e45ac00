"""Who is in: durations by date, families of codes, and counts of why people are out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nociomics.ingest.inclusion import included
from nociomics.ingest.notes import Notes
from nociomics.tables.study import Inclusion

from .study_folder import PEOPLE, csv_text, fatal, only_fatal, read_in, study_of

CODES = ["MG30.01", "MG30", "mg30.0", " MG30.51", "MG301", "M54.5", None, "MG30.0; M79.7", "MG30.02&XK9K"]


def people(**columns: list[Any]) -> pl.DataFrame:
    rows = len(next(iter(columns.values())))
    return pl.DataFrame({"__row": range(2, rows + 2), "patient_id": [f"P{i}" for i in range(rows)], **columns})


def kept(rule: dict[str, Any], notes: Notes | None = None, **columns: list[Any]) -> tuple[list[str], str]:
    name = next(iter(columns))
    frame, flow = included(people(**columns), {name: Inclusion.model_validate(rule)}, notes or Notes("patients"))
    assert frame is not None
    return frame["patient_id"].to_list(), flow["reason"][-1]


def test_a_family_takes_what_lies_below_and_guesses_nothing() -> None:
    notes = Notes("patients")
    ids, reason = kept({"family": ["MG30"]}, notes, icd=CODES)
    assert ids == ["P0", "P1", "P8"]
    assert reason == (
        "icd in the family MG30 (chronic pain: lasts or returns for more than three months): "
        "5 do not meet it, 1 have no value"
    )
    assert [(finding.severity, finding.count) for finding in notes.findings] == [("warning", 2), ("warning", 1)]
    assert kept({"family": ["MG30.0", "M54"]}, icd=CODES)[0] == ["P0", "P5", "P8"]


def test_an_unknown_family_is_refused_with_the_nearest() -> None:
    notes = Notes("patients")
    included(people(icd=CODES), {"icd": Inclusion.model_validate({"family": ["MG30.9"]})}, notes)
    (finding,) = notes.findings
    assert finding.severity == "fatal" and "is no code of ICD-11 under MG30" in finding.message


@pytest.mark.parametrize(
    ("rule", "values", "ids"),
    [
        ({"none_of": ["other"]}, ["a", "other", None], ["P0"]),
        ({"none_of": ["2"]}, [1.0, 2.0, None], ["P0"]),
        ({"one_of": ["2"]}, [1.0, 2.0, None], ["P1"]),
        ({"at_least": 3, "at_most": 12}, [2.99, 3.0, 12.0, 13.0, None], ["P1", "P2"]),
    ],
)
def test_rules_by_value(rule: dict[str, Any], values: list[Any], ids: list[str]) -> None:
    assert kept(rule, column=values)[0] == ids


def by_date(end: str) -> tuple[dict[str, str | bytes | None], dict[str, Any]]:
    rows = [f"{p},2023-10-01,{end if i == 0 else '2024-06-01'}" for i, p in enumerate(PEOPLE)]
    source = {
        "path": "patients.csv",
        "derive": {"pain_months": {"months_from": "onset", "months_to": "visit_date"}},
        "keep": ["pain_months"],
    }
    study = study_of(patients=source, include={"pain_months": {"at_least": 3}})
    study["target"] = None
    return {"patients.csv": csv_text("patient_id,onset,visit_date", rows)}, study


@pytest.mark.parametrize(("end", "number"), [("2023-12-31", 59), ("2024-01-01", 60), ("2024-01-02", 60)])
def test_three_months_of_pain_are_counted_by_date(tmp_path: Path, end: str, number: int) -> None:
    read = read_in(tmp_path, *by_date(end))
    assert fatal(read) == [] and read.patients is not None and read.patients.height == number


def test_a_visit_before_the_onset_is_fatal(tmp_path: Path) -> None:
    message = only_fatal(read_in(tmp_path, *by_date("2023-09-01")))
    assert 'column "visit_date": 1 row (first: line 2) lie before "onset"' in message


def test_a_rule_on_another_table_says_that_only_patients_count(tmp_path: Path) -> None:
    message = only_fatal(read_in(tmp_path, {}, study_of(include={"p1": {"at_least": 3}})))
    assert "Rules take columns of the table patients only" in message
