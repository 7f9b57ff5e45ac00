"""Strata in MLflow: a run of their own, below the study's run."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nociomics.tracking.run_record import RunRecord
from nociomics.tracking.store import mlflow_module
from nociomics.tracking.study_run import StudyRun, log_study


def test_strata_are_a_run_with_settings_numbers_figures_and_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    page = tmp_path / "page.html"
    page.write_text("<p>strata</p>")
    record = RunRecord(
        name="strata",
        note="The data support at least 2 strata.",
        parameters={"strata": {"factors": 4}},
        metrics={"strata/k": 2, "strata/bic_gain": 11.5, "strata/agreement": None, "strata/between": float("nan")},
        tags={"stage": "strata"},
        figures={"factor_map": "<svg/>"},
        tables={"markers": pl.DataFrame({"of": ["S1"], "difference": [0.7]})},
        documents={"summary": {"k": 2}},
        pages={"strata/report.html": page},
    )
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    above = log_study(StudyRun("demo", RunRecord("demo")), uri)
    tracked = log_study(StudyRun("demo", record, parent=above.run_id), uri)
    alone = log_study(StudyRun("demo", record), uri)
    client = mlflow_module().MlflowClient(uri)
    logged = client.get_run(tracked.run_id)
    assert logged.info.status == "FINISHED"
    assert logged.data.metrics == {"strata/k": 2.0, "strata/bic_gain": 11.5}
    assert logged.data.tags["metrics.null"] == "strata/agreement, strata/between"
    assert logged.data.params == {"strata.factors": "4"}
    assert logged.data.tags["mlflow.parentRunId"] == above.run_id
    assert logged.data.tags["mlflow.note.content"] == record.note
    folder = tmp_path / "artifacts" / "demo" / tracked.run_id / "artifacts"
    stored = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert stored == {"summary.json", "figures/factor_map.svg", "tables/markers.csv", "strata/report.html"}
    assert pl.read_csv(folder / "tables" / "markers.csv")["difference"].to_list() == [0.7]
    assert "mlflow.parentRunId" not in client.get_run(alone.run_id).data.tags
