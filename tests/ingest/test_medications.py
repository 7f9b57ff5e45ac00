"""A medication list on its own."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nociomics.ingest.medications import read_medications

PEOPLE = ["P1", "P2", "P3"]


def read(tmp_path: Path, text: str, name: str = "taken.csv") -> tuple[pl.DataFrame | None, list[str]]:
    (tmp_path / name).write_text(text, encoding="utf-8")
    frame, findings = read_medications(tmp_path / name, PEOPLE)
    return frame, [f"{finding.severity}: {finding.message}" for finding in findings]


def test_a_list_without_dates_has_no_columns_of_dates(tmp_path: Path) -> None:
    frame, told = read(tmp_path, "patient_id,drug\nP1,Paroxetine 20 mg\nP2,ibuprofen\n")
    assert frame is not None
    assert frame.columns == ["patient_id", "drug"]
    assert frame["drug"].to_list() == ["Paroxetine 20 mg", "ibuprofen"]
    assert [line for line in told if line.startswith(("fatal", "warning"))] == []


def test_start_and_end_get_the_names_of_the_treatment_history(tmp_path: Path) -> None:
    frame, _ = read(tmp_path, "patient_id;drug;start;end;route\nP1;paroxetine;01.02.2025;;oral\n")
    assert frame is not None
    assert frame.columns == ["patient_id", "drug", "started_at", "stopped_at", "route"]
    assert str(frame["started_at"][0]).startswith("2025-02-01")
    assert frame["stopped_at"].to_list() == [None]


def test_rows_without_a_drug_or_of_nobody_are_counted_and_left_out(tmp_path: Path) -> None:
    frame, told = read(tmp_path, "patient_id,drug\nP1,paroxetine\nP2,\nP3,codeine\nP9,codeine\n")
    assert frame is not None
    assert frame["patient_id"].to_list() == ["P1", "P3"]
    assert any("1 row (first: line 3) name no drug" in line for line in told)
    assert any("1 row (first: line 5)" in line for line in told)


def test_every_problem_is_told_at_once_without_a_value(tmp_path: Path) -> None:
    _, told = read(tmp_path, "patient_id,drug,start,end\nP1,paroxetine,soon,\nP2,codeine,2025-02-01,2025-01-01\n")
    fatal = [line for line in told if line.startswith("fatal")]
    assert len(fatal) == 2
    assert "are not dates" in fatal[0]
    assert "stop before they start" in fatal[1]
    assert not any(word in line for line in told for word in ("P1", "paroxetine", "soon"))


def test_a_list_without_drugs_is_refused(tmp_path: Path) -> None:
    frame, told = read(tmp_path, "patient_id,drugs\nP1,paroxetine\n")
    assert frame is None
    assert any('has no column "drug". Did you mean "drugs"?' in line for line in told)


def test_ids_of_other_people_are_fatal(tmp_path: Path) -> None:
    _, told = read(tmp_path, "patient_id,drug\np1,paroxetine\np2,codeine\np3,codeine\n")
    assert any(line.startswith("fatal") and "upper and lower case" in line for line in told)
