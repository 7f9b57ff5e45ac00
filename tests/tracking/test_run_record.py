"""A run in plain values: settings one by one, numbers that exist, tables that show nobody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from nociomics.tracking.run_record import RunRecord, flattened, places, tree_digest, write_artifacts

RECORD = RunRecord(
    "study", metrics={"a": 1.0}, parameters={"seed": 1}, children=(RunRecord("data"), RunRecord("evaluation"))
)


def test_every_leaf_of_the_settings_is_one_parameter() -> None:
    settings = {"target": {"response": {"fall_percent": 30.0, "at_most": None}, "kind": "change"}, "shares": [0.5, 1]}
    assert flattened(settings) == {
        "shares": "0.5, 1",
        "target.kind": "change",
        "target.response.fall_percent": "30.0",
    }


@pytest.mark.parametrize("column", ["patient_id", "patient_a", "sample_id"])
def test_a_table_that_names_people_is_refused(column: str) -> None:
    with pytest.raises(ValueError, match="names people"):
        RunRecord("study", tables={"effects": pl.DataFrame({column: ["P1"]})})


def test_the_digest_follows_numbers_and_settings_of_the_whole_tree_and_no_words() -> None:
    same = tree_digest(RECORD)
    assert tree_digest(replace(RECORD, note="other words", pages={"report.html": Path("elsewhere")})) == same
    assert tree_digest(replace(RECORD, metrics={"a": 2.0})) != same
    assert tree_digest(replace(RECORD, parameters={"seed": 2})) != same
    assert tree_digest(replace(RECORD, tags={"code.commit": "f00"})) != same
    assert tree_digest(replace(RECORD, children=(RunRecord("data", metrics={"n": 1}), RunRecord("evaluation")))) != same


def test_parents_come_before_those_below_them() -> None:
    assert [(place, above) for place, above, _ in places(RECORD)] == [("", None), ("/data", ""), ("/evaluation", "")]


def test_artifacts_lie_where_the_browser_looks_for_them(tmp_path: Path) -> None:
    assert not write_artifacts(RECORD, tmp_path)
    page = tmp_path / "made.html"
    page.write_text("<p/>")
    full = RunRecord(
        "x",
        tables={"metrics": pl.DataFrame({"metric": ["auroc"], "value": [0.64]})},
        figures={"models": "<svg/>"},
        documents={"gate": {"reasons": ["ok"]}},
        pages={"quality/report.html": page},
    )
    assert write_artifacts(full, tmp_path / "out")
    stored = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert stored == {"tables/metrics.csv", "figures/models.svg", "gate.json", "quality/report.html"}
    assert (tmp_path / "out" / "tables" / "metrics.csv").read_text() == "metric,value\nauroc,0.64\n"
