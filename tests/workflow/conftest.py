"""Runs of small studies, each made once for all tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.workflow.study_runs import made_once, run, simulated, without

CHANGE = """target:
  kind: change
  outcome: bpi_severity_week12
  baseline: bpi_severity
  response: {fall_percent: 30}
  treatment: arm
  groups: site
  adverse_event: adverse_event
"""


@dataclass(frozen=True)
class Run:
    """A study file and the results of its run."""

    study: Path
    results: Path


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study file of a simulated cohort with every table; nothing was run."""
    made = made_once(tmp_path_factory, "simulated", lambda folder: simulated(folder / "small", seed=1))
    return made / "small" / "study.yaml"


@pytest.fixture(scope="session")
def finished(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The whole workflow of that study, every step a program of its own."""
    made = made_once(tmp_path_factory, "first_run", lambda folder: run(study, folder, warm=False))
    return Run(study, made / "results" / "small")


@pytest.fixture(scope="session")
def finished_again(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same in another folder, by warm steps; MLflow, whose runs have names of their own, is left out."""
    skip = ("--", "--omit-from", "initialise_tracking")
    made = made_once(tmp_path_factory, "second_run", lambda folder: run(study, folder, *skip))
    return Run(study, made / "results" / "small")


@pytest.fixture(scope="session")
def new_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study file of other patients of the same world."""
    made = made_once(tmp_path_factory, "new_cohort", lambda folder: simulated(folder / "new", 2, 40))
    return made / "new" / "study.yaml"


@pytest.fixture(scope="session")
def light_study(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study without a target: patients and questionnaires."""
    keep = ("patients", "questionnaires")
    made = made_once(tmp_path_factory, "light", lambda folder: without(study, folder / "light", keep))
    return made / "light" / "study.yaml"


@pytest.fixture(scope="session")
def without_omics(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The finished run of a study that has no omics."""

    def make(folder: Path) -> None:
        keep = ("patients", "questionnaires", "treatments", "outcomes")
        run(without(study, folder / "plain", keep, CHANGE), folder)

    made = made_once(tmp_path_factory, "without_omics", make)
    return Run(made / "plain" / "study.yaml", made / "results" / "plain")
