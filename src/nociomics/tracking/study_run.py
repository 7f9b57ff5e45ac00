"""One run of MLflow for a finished study: its numbers, its data and its model."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nociomics.tables.files import read_table
from nociomics.tables.finding import FINDINGS
from nociomics.tracking.store import as_our_error, experiment, initialise_store, mlflow_module, tracking_to

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

_log = logging.getLogger(__name__)

_INTERVAL = {"value": "", "lower": "_ci_low", "upper": "_ci_high"}
_LONGEST_TAG = 5000  # MLflow keeps 8000 characters of a tag and drops the rest without a word
_SHOWN_DIGEST = 12  # MLflow takes 36 at most; the whole digest is a tag beside it
_CHAMPION = "champion"
_SEVERITIES = ("fatal", "warning", "info")


@dataclass(frozen=True)
class StudyRun:
    """What a finished run has to tell, in plain values.

    Parameters
    ----------
    study : str
        Name of the experiment and of the registered model.
    parameters : mapping
        Settings of the run; one MLflow parameter each.
    metrics : mapping of str to mapping
        Name -> ``value, lower, upper, n, method`` as in ``evaluation/metrics.json``; null when not known.
    gate : mapping
        As in ``evaluation/gate.json``; ``performance_passed`` decides on the alias, absent counts as false.
    datasets : mapping of str to (str, int)
        Table -> SHA-256 of its file and number of rows.
    commit, config_hash : str
        Commit of the code, SHA-256 of the study's settings.
    conclusion : str
        One sentence for the reader, first line of the description.
    report : Path, optional
        The self-contained page, stored as ``report.html``.
    bundle : Path, optional
        Folder of the exported model; without it (a study without a target) no model is logged.
    input_example, output_example : pandas DataFrame, optional
        A few rows of the model's input and output. They are stored in the open, so they must be made up
        (medians, say), never a person's. Both or neither.
    requirements : tuple of str
        What the model needs when it is loaded, such as ``polars==2.1.0``.
    tags : mapping
        Further tags.
    artifacts : Path, optional
        Folder of the artifacts of a new experiment. Default: beside a SQLite store, else as the server says.
    findings : Path, optional
        ``quality/findings.parquet``: stored as ``quality/findings.csv``, which the browser shows, and counted by
        severity in ``data_quality/fatal``, ``data_quality/warning`` and ``data_quality/info``.
    quality_report : Path, optional
        The data-quality page, stored as ``quality/report.html``.
    """

    study: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, Any]]
    gate: Mapping[str, Any]
    datasets: Mapping[str, tuple[str, int]]
    commit: str
    config_hash: str
    conclusion: str
    report: Path | None = None
    bundle: Path | None = None
    input_example: pd.DataFrame | None = None
    output_example: pd.DataFrame | None = None
    requirements: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: Path | None = None
    findings: Path | None = None
    quality_report: Path | None = None


@dataclass(frozen=True)
class TrackedRun:
    """Where a run is to be found in the store; the model's fields are null when none was logged."""

    run_id: str
    experiment_id: str
    model_version: str | None = None
    model_uri: str | None = None
    alias: str | None = None


def log_study(run: StudyRun, uri: str) -> TrackedRun:
    """Log one run, with its data, numbers, pages and model, in the experiment named after the study.

    The model becomes a new version of the registered model of the same name. It gets the alias ``champion`` only
    when the gate says that it passed; a version that failed leaves an earlier champion where it is.

    Parameters
    ----------
    run : StudyRun
        The finished study.
    uri : str
        As `tracking_uri` gives it; `initialise_store` is called first.

    Raises
    ------
    NociomicsError
        As `initialise_store`, and when the store refuses the run.
    """
    initialise_store(uri)
    mlflow = mlflow_module()
    numbers, absent = _numbers(run.metrics)
    with as_our_error(uri), tracking_to(mlflow, uri):
        experiment_id = experiment(mlflow, run.study, run.artifacts, uri)
        name = f"{run.study} {run.commit[:7]}".strip()
        with mlflow.start_run(experiment_id=experiment_id, run_name=name, tags=_tags(run, absent)) as active:
            mlflow.log_params({name: str(value) for name, value in sorted(run.parameters.items())})
            _log_datasets(mlflow, run)
            _log_files(mlflow, run)
            model = _log_model(mlflow, run)
            mlflow.log_metrics(numbers, model_id=model.model_id if model else None)
            _log_quality(mlflow, run)
        tracked = _register(mlflow, run, model, TrackedRun(active.info.run_id, experiment_id))
    _log.info("logged run %s of %s: %d numbers, %d null", tracked.run_id, run.study, len(numbers), len(absent))
    return tracked


def _numbers(metrics: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, float], list[str]]:
    """Return the numbers to log, by name, and the names of those that are null.

    >>> _numbers({"auroc": {"value": 0.7, "lower": 0.6, "upper": None}})
    ({'test/auroc': 0.7, 'test/auroc_ci_low': 0.6}, ['test/auroc_ci_high'])
    """
    every = {
        (name if "/" in name else f"test/{name}") + suffix: metric.get(part)
        for name, metric in metrics.items()
        for part, suffix in _INTERVAL.items()
    }
    known = known_numbers(every)
    return known, [name for name in sorted(every) if name not in known]


def known_numbers(values: Mapping[str, float | None]) -> dict[str, float]:
    """Return what MLflow can take, by name: numbers that are neither null nor infinite.

    >>> known_numbers({"k": 2, "gain": None, "share": float("nan")})
    {'k': 2.0}
    """
    return {name: float(value) for name, value in sorted(values.items()) if value is not None and math.isfinite(value)}


def _tags(run: StudyRun, absent: list[str]) -> dict[str, str]:
    ours = {
        "study": run.study,
        "git.commit": run.commit,
        "config.sha256": run.config_hash,
        "metrics.null": ", ".join(absent),
        "gate.performance_passed": str(_passed(run)).lower(),
        "mlflow.note.content": _description(run),
    }
    digests = {f"data.digest.{table}": digest for table, (digest, _) in run.datasets.items()}
    return {name: text for name, text in sorted({**run.tags, **digests, **ours}.items()) if text}


def _passed(run: StudyRun) -> bool:
    return run.gate.get("performance_passed") is True


def _description(run: StudyRun) -> str:
    """Return the run's page in Markdown: the conclusion, then every metric with its interval."""
    rows = [
        f"| {name} | {_shown(metric.get('value'))} | {_shown(metric.get('lower'))} to {_shown(metric.get('upper'))} "
        f"| {'' if metric.get('n') is None else metric['n']} |"
        for name, metric in sorted(run.metrics.items())
    ]
    reasons = [f"- {reason}" for reason in run.gate.get("reasons") or ()]
    verdict = "The gate is passed." if _passed(run) else "The gate is not passed; the model has no alias."
    table = ["| metric | value | interval | n |", "| --- | --- | --- | --- |", *rows] if rows else []
    return "\n".join([run.conclusion, "", *table, "", verdict, "", *reasons])[:_LONGEST_TAG].strip()


def _shown(value: Any) -> str:
    return "unknown" if value is None or not math.isfinite(value) else f"{value:.3f}"


def _log_datasets(mlflow: ModuleType, run: StudyRun) -> None:
    """Name each table by its digest; its rows stay where they are."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    for table, (digest, rows) in sorted(run.datasets.items()):
        source = CodeDatasetSource(tags={"study": run.study, "table": table})
        dataset = MetaDataset(source, name=table, digest=digest[:_SHOWN_DIGEST])  # type: ignore[abstract]
        mlflow.log_input(dataset, context="study", tags={"sha256": digest, "rows": str(rows)})


def _log_files(mlflow: ModuleType, run: StudyRun) -> None:
    mlflow.log_dict({name: dict(metric) for name, metric in run.metrics.items()}, "metrics.json")
    mlflow.log_dict(dict(run.gate), "gate.json")
    if run.report is not None:
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "report.html"
            page.write_bytes(run.report.read_bytes())
            mlflow.log_artifact(str(page))


def _log_quality(mlflow: ModuleType, run: StudyRun) -> None:
    """Log what was found about the data: how much, and every finding."""
    with tempfile.TemporaryDirectory() as folder:
        if run.findings is not None:
            findings = read_table(run.findings, FINDINGS)
            mlflow.log_metrics(finding_counts(findings))
            table = Path(folder) / "findings.csv"
            findings.write_csv(table)
            mlflow.log_artifact(str(table), "quality")
        if run.quality_report is not None:
            page = Path(folder) / "report.html"
            page.write_bytes(run.quality_report.read_bytes())
            mlflow.log_artifact(str(page), "quality")


def finding_counts(findings: pl.DataFrame) -> dict[str, float]:
    """Count findings by severity, under the names that MLflow shows.

    Parameters
    ----------
    findings : DataFrame
        As in `FINDINGS`.

    Returns
    -------
    dict of str to float
        A severity that did not occur is 0, so that runs can be compared.
    """
    found = findings["severity"].to_list()
    return {f"data_quality/{severity}": float(found.count(severity)) for severity in _SEVERITIES}


def _log_model(mlflow: ModuleType, run: StudyRun) -> Any:
    """Log the bundle as files with the script that reads them: MLflow stores no pickle and guesses nothing."""
    if run.bundle is None:
        return None
    from mlflow.models import infer_signature

    example = _in_plain_types(run.input_example)
    output = _in_plain_types(run.output_example)
    signature = None if example is None or output is None else infer_signature(example, output)
    with tempfile.TemporaryDirectory() as folder:
        # It is kept as a text file, since as a module it would bring MLflow into every import of the room.
        script = Path(folder) / "pyfunc_model.py"
        script.write_text((files("nociomics.export") / "pyfunc_model.py.txt").read_text(encoding="utf-8"))
        return mlflow.pyfunc.log_model(
            name="model",
            python_model=str(script),
            artifacts={"bundle": str(run.bundle.resolve())},
            pip_requirements=list(run.requirements),
            signature=signature,
            input_example=example,
        )


def _in_plain_types(frame: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the frame as MLflow's schema wants it: whole numbers as floats (a null must fit), text as objects."""
    if frame is None:
        return None
    whole = {name: "float64" for name in frame.select_dtypes("integer").columns}
    text = {name: "object" for name in frame.select_dtypes("string").columns}
    plain = frame.astype({**whole, **text})
    plain.columns = plain.columns.astype("object")
    return plain


def _register(mlflow: ModuleType, run: StudyRun, model: Any, tracked: TrackedRun) -> TrackedRun:
    if model is None:
        return tracked
    version = str(mlflow.register_model(model.model_uri, run.study, tags={"git.commit": run.commit}).version)
    if _passed(run):
        mlflow.MlflowClient().set_registered_model_alias(run.study, _CHAMPION, version)
    alias = _CHAMPION if _passed(run) else None
    return replace(tracked, model_version=version, model_uri=f"models:/{run.study}/{version}", alias=alias)
