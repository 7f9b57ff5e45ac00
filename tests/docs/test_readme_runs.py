"""The README's example with one's own tables, its commands run word by word and with fewer refits than by default."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from tests.workflow.study_runs import SMALL_SETTINGS
from tests.workflow.warm_steps import warm_steps

from nociomics.simulate.cohort import simulate_cohort
from nociomics.simulate.folder import write_cohort

README = Path(__file__).resolve().parents[2] / "README.md"
TABLES = ("patients", "questionnaires", "treatments", "outcomes")


def own_tables(folder: Path, seed: int, study: str) -> None:
    whole = folder.parent / f"simulated-{seed}"
    write_cohort(simulate_cohort(100, seed), whole)
    folder.mkdir()
    for table in TABLES:
        shutil.copy(whole / f"{table}.csv", folder)
    (folder / "study.yaml").write_text(study)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.S)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    study = next(block for block in blocks("yaml") if block.startswith("study: mine"))
    own_tables(folder / "mine", 1, study + SMALL_SETTINGS)
    own_tables(folder / "new", 2, study.replace("study: mine", "study: new"))
    commands = next(block for block in blocks("sh") if "check mine/study.yaml" in block)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for line in commands.splitlines():
        done = subprocess.run(
            shlex.split(line, comments=True),
            cwd=folder,
            env={**os.environ, "PATH": path, **warm_steps()},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    return folder


def test_the_run_leaves_a_report_and_a_model(ran: Path) -> None:
    assert "mine" in (ran / "results" / "mine" / "report.html").read_text()
    assert (ran / "results" / "mine" / "export" / "model" / "manifest.json").is_file()


def test_new_patients_are_all_answered(ran: Path) -> None:
    predictions = pl.read_parquet(ran / "new" / "predictions.parquet")
    assert predictions["patient_id"].n_unique() == 100
    assert predictions["treatment"].n_unique() == 4
    assert (predictions["status"] == "ok").all()
    assert (ran / "new" / "effects.parquet").is_file()
    assert (ran / "new" / "assignments.parquet").is_file()
