"""Tell MLflow about a finished study: one run, its numbers, its data and its model.

The only module that speaks to MLflow. The stages write plain files and never wait for a tracker; what they found is
handed to `log_study` at the end. MLflow is imported inside the functions, because it takes seconds.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import math
import os
import re
import shlex
import sqlite3
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from nociomics.errors import NociomicsError
from nociomics.tables.files import read_table, written_whole
from nociomics.tables.finding import FINDINGS

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

_log = logging.getLogger(__name__)

_SQLITE = "sqlite:///"
_INTERVAL = {"value": "", "lower": "_ci_low", "upper": "_ci_high"}
_LONGEST_TAG = 5000  # MLflow keeps 8000 characters of a tag and drops the rest without a word
_SHOWN_DIGEST = 12  # MLflow takes 36 at most; the whole digest is a tag beside it
_CHAMPION = "champion"
_SEVERITIES = ("fatal", "warning", "info")

_SETTINGS = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",  # the folder we are called from is not the model's project
}

# SQLite needs locks that hold between machines; these file systems do not promise them.
_NETWORK_FILE_SYSTEMS = frozenset(
    "nfs nfs3 nfs4 cifs smbfs smb3 smb2 lustre gpfs beegfs ceph glusterfs fuse.glusterfs fuse.sshfs fuse.s3fs "
    "fuse.ceph-fuse fuse.gcsfuse afs orangefs pvfs2 panfs ocfs2 gfs2".split()
)


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


def tracking_uri(results: Path) -> str:
    """Return ``MLFLOW_TRACKING_URI`` when it is set, else a SQLite file in the results folder.

    Parameters
    ----------
    results : Path
        The folder that holds the results of all studies.
    """
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{Path(results).resolve() / 'mlflow.db'}"


def initialise_store(uri: str) -> None:
    """Make the tracking store ready, one process at a time; a store that is ready is only looked at.

    MLflow migrates a fresh SQLite file table by table, and two processes that do so at once destroy it for good. So
    the file is made under a lock, beside its place, and renamed when whole: an interrupt leaves no half-made store.

    Parameters
    ----------
    uri : str
        As `tracking_uri` gives it.

    Raises
    ------
    NociomicsError
        When a SQLite file lies on a network file system, is no finished MLflow store or one of another MLflow
        version, or when a server does not answer.
    """
    if uri.startswith(_SQLITE):
        _initialise_sqlite(_sqlite_path(uri))
    elif re.match(r"(https?|postgresql|mysql|mssql)\b", uri):
        with _as_our_error(uri):
            _mlflow().MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    else:
        raise NociomicsError(
            f'the tracking store "{_without_password(uri)}" is of a kind that MLflow no longer writes to. Set '
            "MLFLOW_TRACKING_URI to sqlite:///<file>, to a database or to http(s)://<server>, or leave it unset."
        )


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
    mlflow = _mlflow()
    numbers, absent = _numbers(run.metrics)
    with _as_our_error(uri), _tracking_to(mlflow, uri):
        experiment_id = _experiment(mlflow, run, uri)
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


def runs_table_link(uri: str, experiment_id: str, host: str = "127.0.0.1", port: int = 5000) -> str:
    """Return the link to the experiment's table of runs.

    MLflow opens an experiment on its page for language models, which shows no runs of ours; the query mends that.

    Examples
    --------
    >>> runs_table_link("sqlite:///results/mlflow.db", "1")
    'http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning'
    """
    base = _without_password(uri).rstrip("/") if uri.startswith("http") else f"http://{host}:{port}"
    return f"{base}/#/experiments/{experiment_id}/runs?workflowType=machine_learning"


def server_command(uri: str, host: str = "127.0.0.1", port: int = 5000) -> str | None:
    """Return the command line that shows the store in a browser; null when the store is a server already.

    A store whose address may hold a password is named by its variable. The two settings keep the server from
    reporting its use and from starting eight further processes.
    """
    if uri.startswith("http"):
        return None
    store = shlex.quote(uri) if uri.startswith(_SQLITE) else '"$MLFLOW_TRACKING_URI"'
    # this installation's own, since a fresh machine has no other on its path
    program = shlex.quote(os.path.relpath(Path(sys.executable).parent / "mlflow"))
    return (
        f"MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false {program} server "
        f"--backend-store-uri {store} --host {host} --port {port} --workers 1"
    )


def _mlflow() -> ModuleType:
    os.environ.update(_SETTINGS)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # its 7 keep a run with a dead server for minutes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own modules, not our use of them
        import mlflow
        import mlflow.pyfunc
    for chatty in ("mlflow", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # It warns that pip is absent, which is so in every environment that uv made.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    return mlflow


@contextlib.contextmanager
def _as_our_error(uri: str) -> Iterator[None]:
    from_mlflow = _mlflow().exceptions.MlflowException
    try:
        yield
    except from_mlflow as error:
        reason = str(error).replace(uri, _without_password(uri)).split("\n")[0]
        raise NociomicsError(
            f"the tracking store {_without_password(uri)} refused: {reason} "
            "The results themselves are complete; mend the store and run the same command again."
        ) from error


@contextlib.contextmanager
def _tracking_to(mlflow: ModuleType, uri: str) -> Iterator[None]:
    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)  # writes the variable too, which would outlive the call
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


def _without_password(uri: str) -> str:
    """Return the address as it may be shown.

    >>> _without_password("postgresql://u:secret@host/db?sslpassword=x")
    'postgresql://host/db'
    """
    parts = urlsplit(uri)
    if "@" not in parts.netloc and not parts.query:
        return uri
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _sqlite_path(uri: str) -> Path:
    return Path(uri.removeprefix(_SQLITE).partition("?")[0]).resolve()


def _initialise_sqlite(database: Path) -> None:
    kind = network_file_system(database)
    if kind:
        raise NociomicsError(
            f"{database}: lies on a network file system ({kind}), where a SQLite file breaks when two machines "
            "write to it. Set MLFLOW_TRACKING_URI to a file on a local disk (sqlite:////local/mlflow.db), or to a "
            "tracking server (http://...)."
        )
    with _locked(database):
        if not database.exists() or database.stat().st_size == 0:
            with written_whole(database) as draft:
                _open_sqlite(draft, database.parent / "artifacts")
            _log.info("made the tracking store %s", database)
        elif not _is_finished_store(database):
            raise NociomicsError(
                f"{database}: is not a finished MLflow store. Nothing was changed. Move the file away (a new one is "
                "made then), or set MLFLOW_TRACKING_URI to another place."
            )
        else:
            with _as_our_error(f"{_SQLITE}{database}"):
                _open_sqlite(database, database.parent / "artifacts")


def _open_sqlite(database: Path, artifacts: Path) -> None:
    """Let MLflow create or check its tables, and let go of the file."""
    _mlflow()
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store: Any = SqlAlchemyStore(f"{_SQLITE}{database}", artifacts.as_uri())  # type: ignore[no-untyped-call]
    store.engine.dispose()


def _is_finished_store(database: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            versions = connection.execute("select version_num from alembic_version").fetchall()
            drafts = connection.execute("select 1 from sqlite_master where name like '_alembic_tmp_%'").fetchall()
    except sqlite3.DatabaseError:
        return False
    return len(versions) == 1 and not drafts


@contextlib.contextmanager
def _locked(database: Path) -> Iterator[None]:
    """Hold the store's lock; the operating system frees it when the process ends, however it ends."""
    lock = database.with_name(f"{database.name}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = lock.open("a")
    except OSError as error:
        raise NociomicsError(
            f"{database.parent}: the tracking store cannot be made here: {error.strerror or error}. "
            "Choose another folder, or set MLFLOW_TRACKING_URI."
        ) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def network_file_system(path: Path, mounts: str | None = None) -> str | None:
    """Return the type of the network file system that holds a path, or null on a local disk.

    Parameters
    ----------
    path : Path
        Absolute; it need not exist yet.
    mounts : str, optional
        Text of ``/proc/mounts``; read when left out, and taken as empty where there is none.
    """
    if mounts is None:
        listing = Path("/proc/mounts")
        mounts = listing.read_text(encoding="utf-8", errors="replace") if listing.exists() else ""
    kind, longest = "", -1
    for _, raw, of_mount, *_rest in (line.split() for line in mounts.splitlines() if line.count(" ") >= 3):
        place = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), raw))
        # Of two mounts at one place the later hides the earlier.
        if path.is_relative_to(place) and len(place.parts) >= longest:
            kind, longest = of_mount, len(place.parts)
    return kind if kind in _NETWORK_FILE_SYSTEMS else None


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
    known = {name: float(value) for name, value in sorted(every.items()) if value is not None and math.isfinite(value)}
    return known, [name for name in sorted(every) if name not in known]


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


def _experiment(mlflow: ModuleType, run: StudyRun, uri: str) -> str:
    """Return the id of the study's experiment, made when it is new, also when another process is faster."""
    from mlflow.exceptions import MlflowException

    client = mlflow.MlflowClient()
    known = client.get_experiment_by_name(run.study)
    if known is None:
        try:
            made: str = client.create_experiment(run.study, artifact_location=_artifact_location(run, uri))
            return made
        except MlflowException:
            known = client.get_experiment_by_name(run.study)
            if known is None:
                raise
    if known.lifecycle_stage == "deleted":
        raise NociomicsError(
            f'the experiment "{run.study}" was deleted in the tracking store. '
            f"Restore it (mlflow experiments restore --experiment-id {known.experiment_id}), or rename the study."
        )
    found: str = known.experiment_id
    return found


def _artifact_location(run: StudyRun, uri: str) -> str | None:
    if run.artifacts is not None:
        return (run.artifacts.resolve() / run.study).as_uri()
    return (_sqlite_path(uri).parent / "artifacts" / run.study).as_uri() if uri.startswith(_SQLITE) else None


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
