"""A run of its own for the strata, below the study's run when there is one."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nociomics.tracking.store import as_our_error, experiment, initialise_store, mlflow_module, tracking_to
from nociomics.tracking.study_run import TrackedRun, known_numbers

if TYPE_CHECKING:
    import polars as pl

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StrataRun:
    """What the strata have to tell, in plain values.

    Parameters
    ----------
    study : str
        Name of the experiment.
    parameters : mapping
        Settings; one MLflow parameter each.
    metrics : mapping of str to float or None
        Logged as ``strata/<name>``; what is null is named in the tag ``metrics.null``.
    commit, config_hash : str
        Commit of the code, SHA-256 of the study's settings.
    conclusion : str
        The finding, shown as the run's description.
    page : Path, optional
        The strata page, stored as ``strata/report.html``.
    figures : mapping of str to str
        Name -> picture as SVG text, stored as ``figures/<name>.svg``.
    tables : mapping of str to DataFrame
        Name -> table that shows nobody, stored as ``tables/<name>.csv``.
    documents : mapping of str to mapping
        Name -> what is stored as ``<name>.json``.
    parent : str, optional
        The study's run, under which MLflow shows this one.
    artifacts : Path, optional
        As in `StudyRun`.
    """

    study: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float | None]
    commit: str
    config_hash: str
    conclusion: str
    page: Path | None = None
    figures: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parent: str | None = None
    artifacts: Path | None = None


def log_strata(run: StrataRun, uri: str) -> TrackedRun:
    """Log the strata as a run of their own, with numbers, figures and tables.

    Parameters
    ----------
    run : StrataRun
        What was found.
    uri : str
        As `tracking_uri` gives it; `initialise_store` is called first.

    Raises
    ------
    NociomicsError
        As `initialise_store`, and when the store refuses the run.
    """
    initialise_store(uri)
    mlflow = mlflow_module()
    numbers = known_numbers({f"strata/{name}": value for name, value in run.metrics.items()})
    absent = sorted({f"strata/{name}" for name in run.metrics} - set(numbers))
    with as_our_error(uri), tracking_to(mlflow, uri):
        experiment_id = experiment(mlflow, run.study, run.artifacts, uri)
        name = f"{run.study} strata {run.commit[:7]}".strip()
        with mlflow.start_run(experiment_id=experiment_id, run_name=name, tags=_tags(run, absent)) as active:
            mlflow.log_params({name: str(value) for name, value in sorted(run.parameters.items())})
            mlflow.log_metrics(numbers)
            _log_files(mlflow, run)
    _log.info("logged strata %s of %s: %d numbers, %d null", active.info.run_id, run.study, len(numbers), len(absent))
    return TrackedRun(active.info.run_id, experiment_id)


def _tags(run: StrataRun, absent: list[str]) -> dict[str, str]:
    ours = {
        "study": run.study,
        "stage": "strata",
        "git.commit": run.commit,
        "config.sha256": run.config_hash,
        "metrics.null": ", ".join(absent),
        "mlflow.note.content": run.conclusion,
        "mlflow.parentRunId": run.parent or "",
    }
    return {name: text for name, text in ours.items() if text}


def _log_files(mlflow: ModuleType, run: StrataRun) -> None:
    """Store the page, the figures and the tables; rows of people stay where they are."""
    for name, document in sorted(run.documents.items()):
        mlflow.log_dict(dict(document), f"{name}.json")
    with tempfile.TemporaryDirectory() as folder:
        for name, picture in run.figures.items():
            place = Path(folder) / "figures" / f"{name}.svg"
            place.parent.mkdir(exist_ok=True)
            place.write_text(picture, encoding="utf-8")
        for name, table in run.tables.items():
            place = Path(folder) / "tables" / f"{name}.csv"
            place.parent.mkdir(exist_ok=True)
            table.write_csv(place)
        if run.page is not None:
            place = Path(folder) / "strata" / "report.html"
            place.parent.mkdir()
            place.write_bytes(run.page.read_bytes())
        mlflow.log_artifacts(folder)
