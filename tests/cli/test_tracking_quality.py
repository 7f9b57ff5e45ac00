"""What MLflow is told about the data, and where the figures of a run come from."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nociomics.cli.track_records import file_digest, finding_counts, seconds
from nociomics.tables.finding import Finding, findings_frame


def findings() -> pl.DataFrame:
    return findings_frame(
        [
            Finding("biomarkers", "unit", "warning", 40, "lab.csv: the unit is doubtful. Ask the laboratory."),
            Finding("outcomes", None, "info", 3, "3 people have no row in this table."),
            Finding("outcomes", "pain", "info", 2, "2 people have no outcome."),
        ]
    )


def test_a_severity_that_did_not_occur_is_counted_as_none() -> None:
    assert finding_counts(findings()) == {"quality/fatal": 0, "quality/warning": 1, "quality/info": 2}


def test_a_table_is_named_by_the_digest_of_its_file_and_its_rows(tmp_path: Path) -> None:
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    pl.DataFrame({"x": [1, 2]}).write_parquet(first)
    pl.DataFrame({"x": [1, 3]}).write_parquet(second)
    assert file_digest(first)[1] == 2
    assert file_digest(first) != file_digest(second)


def test_a_duration_is_known_only_when_every_rule_was_timed(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "fit.tsv").write_text("s\th:m:s\n2.5\t0:00:02\n1.5\t0:00:01\n")
    assert seconds(tmp_path, "fit") == 4.0
    assert seconds(tmp_path) == 4.0
    assert seconds(tmp_path, "fit", "absent") is None
    assert seconds(tmp_path / "elsewhere") is None
