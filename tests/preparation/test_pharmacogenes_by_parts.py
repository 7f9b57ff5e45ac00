"""Pharmacogenes are called some people at a time; nobody's call or advice depends on who stands beside them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nociomics import preparation
from nociomics.cli.pharmacogenes import call
from nociomics.pharmacogenomics.assessment import assess
from nociomics.pharmacogenomics.features import CALL_COLUMNS, pharmacogene_features
from nociomics.preparation import call_pharmacogenes_by_parts, call_study_pharmacogenes
from nociomics.tables.contract import empty_frame
from nociomics.tables.files import read_table
from nociomics.tables.ingested import TREATMENT_HISTORY
from nociomics.tables.results import PGX_CALLS, PGX_RECOMMENDATIONS
from tests.pharmacogenomics.people import person

PEOPLE = [f"P{number}" for number in range(1, 8)]
CHANGES = [{}, {"rs4244285": "A/G"}, {"rs4244285": "A/A"}, {}, {"rs12248560": "C/T"}, {"rs4244285": "A/G"}]


@pytest.fixture
def tables() -> dict[str, pl.DataFrame]:
    rows = [person(["CYP2C19", "COMT"], one, patient=who) for who, one in zip(PEOPLE, CHANGES, strict=False)]
    listed = {"patient_id": ["P3", "P6"], "drug": ["paroxetine", "codeine"]}
    called = {"patient_id": PEOPLE[2:], "gene": ["CYP2D6"] * 5}
    return {
        "patients": pl.DataFrame({"patient_id": PEOPLE}),
        "pharmacogene_genotypes": pl.concat(rows),
        "diplotypes": pl.DataFrame({**called, "diplotype": ["*1/*4", "*4/*4", "*1/*1", "*1/*4", "no result"]}),
        "treatment_history": pl.concat([empty_frame(TREATMENT_HISTORY), pl.DataFrame(listed)], how="diagonal_relaxed"),
    }


@pytest.mark.parametrize("at_once", [1, 3, 7])
def test_the_number_of_parts_changes_no_call_no_advice_and_no_feature(
    tables: dict[str, pl.DataFrame], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = call_study_pharmacogenes(tables)
    assert whole is not None
    monkeypatch.setattr(preparation, "_CALLED_AT_ONCE", at_once)
    parts = call_pharmacogenes_by_parts(tables)
    assert parts is not None
    found = list(parts)
    assert len(found) == -(-len(PEOPLE) // at_once)
    assert_frame_equal(pl.concat(found), whole)
    advice = pl.concat([assess(part).recommendations for part in found])
    assert_frame_equal(advice, assess(whole).recommendations)
    few = pl.concat([part.select(CALL_COLUMNS) for part in found])
    for ours, theirs in zip(pharmacogene_features(few), pharmacogene_features(whole), strict=True):
        assert_frame_equal(ours, theirs)


def test_the_command_writes_what_everybody_at_once_would_get(
    tables: dict[str, pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "_CALLED_AT_ONCE", 2)
    for name, frame in tables.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
    calls, advice = tmp_path / "calls.parquet", tmp_path / "advice.parquet"
    given = {name.removeprefix("pharmacogene_"): tmp_path / f"{name}.parquet" for name in tables}
    call(calls=calls, recommendations=advice, **given)
    whole = call_study_pharmacogenes(tables)
    assert whole is not None
    assert_frame_equal(read_table(calls, PGX_CALLS), whole)
    assert_frame_equal(read_table(advice, PGX_RECOMMENDATIONS), assess(whole).recommendations)


def test_a_study_of_nobody_gets_tables_without_rows(tables: dict[str, pl.DataFrame]) -> None:
    nobody = {name: frame.clear() for name, frame in tables.items()}
    found = list(call_pharmacogenes_by_parts(nobody) or [])
    assert [part.height for part in found] == [0]


def test_a_study_without_genotypes_and_outside_calls_has_no_calls(tables: dict[str, pl.DataFrame]) -> None:
    assert call_pharmacogenes_by_parts({"patients": tables["patients"]}) is None
