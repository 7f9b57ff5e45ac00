"""The notebooks run as scripts on the results of runs."""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Any

import pytest
from tests.workflow.study_runs import command, made_once, run

_ROOT = Path(__file__).resolve().parents[2]
_NOTEBOOKS = _ROOT / "notebooks"
_TABLES = """study: {name}
seed: 1
tables:
  patients: patients.csv
  biomarkers: cytokines.csv
  questionnaires: questionnaires.csv
  treatments: treatments.csv
  outcomes: outcomes.csv
target:
  kind: change
  outcome: bpi_severity_week12
  baseline: bpi_severity
  response: {{fall_percent: 30}}
  treatment: arm
folds: {{outer_folds: 3, inner_folds: 3, repeats: 1}}
response: {{refits: 2, refits_in_folds: 1, trees: 4, candidates: [ridge]}}
resampling: {{permutations: 0, learning_shares: []}}
tracking: {{enabled: false}}
"""


def test_the_demos_notebook_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    results = Path(os.environ.get("NOCIOMICS_RESULTS", _ROOT / "results" / "demo"))
    if not (results / "report.html").is_file():
        pytest.skip("no finished run is here: `make demo` makes one (or set NOCIOMICS_RESULTS and NOCIOMICS_TRUTH)")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("NOCIOMICS_RESULTS", str(results))
    monkeypatch.setenv("NOCIOMICS_TRUTH", os.environ.get("NOCIOMICS_TRUTH", str(_ROOT / "demo" / "truth")))
    names = runpy.run_path(str(_NOTEBOOKS / "01_what_did_the_demo_find.py"))
    told = capsys.readouterr().out
    assert names["gate"]["best_fixed"] in told
    assert "strata:" in told


# -- a trial and a register of one world, run as far as their figures


@pytest.fixture(scope="module")
def two_studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> None:
        for assignment in ("randomised", "observational"):
            cohort = folder / assignment
            words = ("--patients", 300, "--seed", 1, "--assignment", assignment)
            _succeeds("nociomics", "simulate", cohort, *words, cwd=folder)
            (cohort / "study.yaml").write_text(_TABLES.format(name=assignment), encoding="utf-8")
            wanted = f"results/{assignment}/evaluation/gate.json"
            run(cohort / "study.yaml", folder, "--", wanted)

    return made_once(tmp_path_factory, "two_trials", make)


def _succeeds(*words: object, cwd: Path) -> None:
    finished = command(*words, cwd=cwd)
    assert finished.returncode == 0, finished.stderr


@pytest.fixture(scope="module")
def walked(two_studies: Path) -> tuple[dict[str, Any], str]:
    """Names and words of the notebook on the two studies."""
    return _walk(two_studies, two_studies)


def _walk(results: Path, truth: Path) -> tuple[dict[str, Any], str]:
    import contextlib
    import io

    told = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(told):
        patch.setenv("MPLBACKEND", "Agg")
        for study in ("randomised", "observational"):
            patch.setenv(f"NOCIOMICS_{study.upper()}", str(results / "results" / study))
            patch.setenv(f"NOCIOMICS_{study.upper()}_TRUTH", str(truth / study / "truth"))
        names = runpy.run_path(str(_NOTEBOOKS / "02_two_trials.py"))
    return names, told.getvalue()


def test_propensities_are_of_the_register_alone(walked: tuple[dict[str, Any], str]) -> None:
    names, told = walked
    assert "randomised: no propensities, since the lot decided" in told
    chances = names["propensities"]["observational"]
    assert sorted(chances["treatment"].unique()) == ["CBT", "NSAID", "SNRI", "tramadol"]
    assert "outside overlap:" in told


def test_only_the_trial_speaks_of_differences_between_treatments(walked: tuple[dict[str, Any], str]) -> None:
    names, told = walked
    assert len(names["differences"]["randomised"]) == 6 and names["differences"]["observational"] == []
    assert "randomised: difference between treatments;" in told
    assert "observational: adjusted association, not an effect;" in told


def test_estimates_stand_beside_the_truth(walked: tuple[dict[str, Any], str]) -> None:
    names, _ = walked
    for study, rows in names["means"].items():
        assert rows.columns == ["treatment", "as_seen", "estimated", "lower", "upper", "true"], study
        assert rows["true"].null_count() == 0
    trial = names["means"]["randomised"]
    assert (trial["as_seen"] - trial["true"]).abs().max() < 1, "by lot, what is seen is near the truth"


def test_every_gate_says_why(walked: tuple[dict[str, Any], str]) -> None:
    names, told = walked
    for gate in names["gates"].values():
        assert all(reason in told for reason in gate["reasons"])


def test_without_the_truth_the_notebook_says_so(two_studies: Path, tmp_path: Path) -> None:
    names, told = _walk(two_studies, tmp_path)
    assert told.count("no truth here: these were real tables") == 2
    assert "the true chances are not here" in told
    assert "true" not in names["means"]["randomised"].columns


def test_a_notebook_says_what_it_is_asked_in_its_name_and_holds_no_output() -> None:
    for notebook in _NOTEBOOKS.glob("*"):
        assert notebook.suffix == ".py", f"{notebook.name}: notebooks are jupytext percent scripts"
        text = notebook.read_text(encoding="utf-8")
        assert "format_name: percent" in text
        assert "# %% [markdown]" in text
