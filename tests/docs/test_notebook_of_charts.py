"""The notebook of charts makes every chart of the report, from tables alone."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from tests.report import demo

from nociomics.report.charts_figures import cohort_figures

_NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "03_every_chart_of_the_report.py"


def results(folder: Path) -> Path:
    """A run's tables, as far as the notebook reads them."""
    data = demo.cohort()
    tables = {
        "harmonised/cohort_flow": data.flow,
        "harmonised/feature_catalogue": data.catalogue,
        "evaluation/arms": data.arms,
        "explanations/importance": data.importance,
        "explanations/stability": data.stability,
        "explanations/dependence": data.dependence,
    }
    for name, table in tables.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert table is not None
        table.write_parquet(folder / f"{name}.parquet")
    told = {"evaluation/metrics": data.metrics, "evaluation/gate": data.gate, "evaluation/curves": data.curves}
    for name, words in {**told, "strata/summary": data.strata_summary}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(words), encoding="utf-8")
    return folder


def test_it_makes_as_many_charts_as_the_report_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOCIOMICS_RESULTS", str(results(tmp_path / "run")))
    monkeypatch.setenv("NOCIOMICS_CHARTS", str(tmp_path / "charts"))
    names = runpy.run_path(str(_NOTEBOOK))
    assert len(names["shown"]) == len(cohort_figures(demo.cohort()))
    pictures = list((tmp_path / "charts").glob("*.svg"))
    assert len(pictures) == len(names["shown"])
    assert all("<script" not in picture.read_text(encoding="utf-8") for picture in pictures)


def test_what_a_run_did_not_measure_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOCIOMICS_RESULTS", str(tmp_path))
    monkeypatch.delenv("NOCIOMICS_CHARTS", raising=False)
    names = runpy.run_path(str(_NOTEBOOK))
    assert names["shown"] == {}
    assert "calibration: not measured" in capsys.readouterr().out
