"""The notebooks run as scripts on the result of a run."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("notebook", sorted((_ROOT / "notebooks").glob("*.py")), ids=lambda path: path.stem)
def test_a_notebook_runs_on_the_demo(
    notebook: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = Path(os.environ.get("NOCIOMICS_RESULTS", _ROOT / "results" / "demo"))
    if not (results / "report.html").is_file():
        pytest.skip("no finished run is here: `make demo` makes one (or set NOCIOMICS_RESULTS and NOCIOMICS_TRUTH)")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("NOCIOMICS_RESULTS", str(results))
    monkeypatch.setenv("NOCIOMICS_TRUTH", os.environ.get("NOCIOMICS_TRUTH", str(_ROOT / "demo" / "truth")))
    names = runpy.run_path(str(notebook))
    told = capsys.readouterr().out
    assert names["gate"]["best_fixed"] in told
    assert "strata:" in told


def test_a_notebook_says_what_it_is_asked_in_its_name_and_holds_no_output() -> None:
    for notebook in (_ROOT / "notebooks").glob("*"):
        assert notebook.suffix == ".py", f"{notebook.name}: notebooks are jupytext percent scripts"
        text = notebook.read_text(encoding="utf-8")
        assert "format_name: percent" in text
        assert "# %% [markdown]" in text
