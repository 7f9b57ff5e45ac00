"""What MLflow is told about the data."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nociomics.tables.files import write_table
from nociomics.tables.finding import FINDINGS, Finding, findings_frame
from nociomics.tracking.store import mlflow_module
from nociomics.tracking.study_run import StudyRun, finding_counts, log_study


def findings() -> pl.DataFrame:
    return findings_frame(
        [
            Finding("biomarkers", "unit", "warning", 40, "lab.csv: the unit is doubtful. Ask the laboratory."),
            Finding("outcomes", None, "info", 3, "3 people have no row in this table."),
            Finding("outcomes", "pain", "info", 2, "2 people have no outcome."),
        ]
    )


def test_a_severity_that_did_not_occur_is_counted_as_none() -> None:
    assert finding_counts(findings()) == {"data_quality/fatal": 0, "data_quality/warning": 1, "data_quality/info": 2}


def test_findings_and_their_page_are_in_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    table, page = tmp_path / "findings.parquet", tmp_path / "quality.html"
    write_table(findings(), FINDINGS, table)
    page.write_text("<p>quality</p>")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    run = StudyRun("demo", {}, {}, {}, {}, "0" * 40, "0" * 64, "Nothing.", findings=table, quality_report=page)
    tracked = log_study(run, uri)
    client = mlflow_module().MlflowClient(uri)
    assert client.get_run(tracked.run_id).data.metrics["data_quality/warning"] == 1
    assert {entry.path for entry in client.list_artifacts(tracked.run_id, "quality")} == {
        "quality/findings.csv",
        "quality/report.html",
    }
    stored = pl.read_csv(tmp_path / "artifacts" / "demo" / tracked.run_id / "artifacts" / "quality" / "findings.csv")
    assert stored["message"].to_list() == findings()["message"].to_list()
