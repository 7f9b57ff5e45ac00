"""What MLflow is told about the strata: a run of their own, below the study's run."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nociomics.tracking.store import mlflow_module
from nociomics.tracking.strata_run import StrataRun, log_strata


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)


def test_strata_are_a_run_with_settings_numbers_figures_and_tables(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>strata</p>")
    run = StrataRun(
        study="demo",
        parameters={"strata.factors": 4},
        metrics={"k": 2, "bic_gain": 11.5, "agreement": None, "share_between": float("nan")},
        commit="0123456789",
        config_hash="ef" * 32,
        conclusion="The data support at least 2 strata.",
        page=page,
        figures={"factor_map": "<svg/>"},
        tables={"markers": pl.DataFrame({"of": ["S1"], "difference": [0.7]})},
        documents={"summary": {"k": 2}},
        parent="a" * 32,
    )
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    tracked = log_strata(run, uri)
    client = mlflow_module().MlflowClient(uri)
    logged = client.get_run(tracked.run_id)
    assert logged.info.status == "FINISHED"
    assert logged.data.metrics == {"strata/k": 2.0, "strata/bic_gain": 11.5}
    assert logged.data.tags["metrics.null"] == "strata/agreement, strata/share_between"
    assert logged.data.params == {"strata.factors": "4"}
    assert logged.data.tags["mlflow.parentRunId"] == "a" * 32
    assert logged.data.tags["mlflow.note.content"] == run.conclusion
    folder = tmp_path / "artifacts" / "demo" / tracked.run_id / "artifacts"
    stored = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert stored == {"summary.json", "figures/factor_map.svg", "tables/markers.csv", "strata/report.html"}
    assert pl.read_csv(folder / "tables" / "markers.csv")["difference"].to_list() == [0.7]


def test_without_a_study_run_the_strata_stand_alone(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    tracked = log_strata(StrataRun("demo", {}, {"k": 1}, "", "", "Dimensions, not types."), uri)
    tags = mlflow_module().MlflowClient(uri).get_run(tracked.run_id).data.tags
    assert "mlflow.parentRunId" not in tags and tags["stage"] == "strata"
