"""A light installation says what it lacks, in one sentence and without a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nociomics.cli.workflow_extra import PACKAGES, as_lacking_extra, require_workflow
from nociomics.errors import NociomicsError

_SAID = "pip install 'nociomics[workflow]'"


def without_workflow(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command where none of the extra's packages can be imported: None in sys.modules says they are not there."""
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({PACKAGES!r})); "
        f"sys.argv = ['nociomics', *{words!r}]; from nociomics.cli import main; main()"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


def test_tracking_without_mlflow_is_one_clear_error(tmp_path: Path) -> None:
    done = without_workflow("track", "initialise", "--results", str(tmp_path), "--output", str(tmp_path / "made.json"))
    assert done.returncode == 1
    assert "mlflow is not installed" in done.stderr and _SAID in done.stderr
    assert "Traceback" not in done.stderr


def test_what_needs_no_workflow_goes_on(tmp_path: Path) -> None:
    assert without_workflow("--version").stdout.startswith("nociomics ")
    done = without_workflow("predict", str(tmp_path), str(tmp_path / "study.yaml"), "-o", str(tmp_path / "out.parquet"))
    assert done.returncode == 1 and _SAID not in done.stderr


def test_an_import_that_is_a_bug_stays_one() -> None:
    assert as_lacking_extra(ModuleNotFoundError("No module named 'nociomics.shoe'", name="nociomics.shoe")) is None
    found = as_lacking_extra(ModuleNotFoundError("No module named 'mlflow.pyfunc'", name="mlflow.pyfunc"))
    assert "mlflow is not installed" in str(found)


def test_running_a_study_asks_for_all_of_it_first(monkeypatch: pytest.MonkeyPatch) -> None:
    require_workflow()
    monkeypatch.setattr("nociomics.cli.workflow_extra.find_spec", lambda name: None if name == "jinja2" else object())
    with pytest.raises(NociomicsError, match="jinja2 is not installed"):
        require_workflow()
