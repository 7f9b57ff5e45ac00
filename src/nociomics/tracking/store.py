"""The tracking store: made once and safely, named without its password, shown by a command line."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import shlex
import sqlite3
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from nociomics.errors import NociomicsError
from nociomics.tables.files import written_whole

_log = logging.getLogger(__name__)

_SQLITE = "sqlite:///"

_SETTINGS = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",  # the folder we are called from is not the model's project
}

# SQLite needs locks that hold between machines; these file systems do not promise them.
_NETWORK_FILE_SYSTEMS = frozenset(
    "nfs nfs3 nfs4 cifs smbfs smb3 smb2 lustre gpfs beegfs ceph glusterfs fuse.glusterfs fuse.sshfs fuse.s3fs "
    "fuse.ceph-fuse fuse.gcsfuse fuse.juicefs fuse.rclone fuse.blobfuse fuse.blobfuse2 afs orangefs pvfs2 panfs ocfs2 "
    "gfs2 wekafs dvs davfs".split()
)


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
        with as_our_error(uri):
            mlflow_module().MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    else:
        raise NociomicsError(
            f'the tracking store "{without_password(uri)}" is of a kind that MLflow no longer writes to. Set '
            "MLFLOW_TRACKING_URI to sqlite:///<file>, to a database or to http(s)://<server>, or leave it unset."
        )


VIEW = "nociomics"
"""Name of the view of the table of runs that `experiment_page` stores with an experiment."""


def runs_table_link(uri: str, experiment_id: str, host: str = "127.0.0.1", port: int = 5000) -> str:
    """Return the link to the experiment's table of runs, with the columns that matter.

    MLflow opens an experiment on its page for language models, which shows no runs of ours, and a table of runs
    without any figure; the query mends both.

    Examples
    --------
    >>> runs_table_link("sqlite:///results/mlflow.db", "1")
    'http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=nociomics'
    """
    base = without_password(uri).rstrip("/") if uri.startswith("http") else f"http://{host}:{port}"
    return f"{base}/#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}"


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


def mlflow_module() -> ModuleType:
    """Import MLflow, set up as this program needs it."""
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
def as_our_error(uri: str) -> Iterator[None]:
    """Turn what MLflow refuses into a `NociomicsError` that shows no password."""
    from_mlflow = mlflow_module().exceptions.MlflowException
    try:
        yield
    except from_mlflow as error:
        reason = str(error).replace(uri, without_password(uri)).split("\n")[0]
        raise NociomicsError(
            f"the tracking store {without_password(uri)} refused: {reason} "
            "The results themselves are complete; mend the store and run the same command again."
        ) from error


@contextlib.contextmanager
def tracking_to(mlflow: ModuleType, uri: str) -> Iterator[None]:
    """Let MLflow write to a store, and forget it afterwards."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)  # writes the variable too, which would outlive the call
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


def without_password(uri: str) -> str:
    """Return the address as it may be shown.

    >>> without_password("postgresql://u:secret@host/db?sslpassword=x")
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
            with as_our_error(f"{_SQLITE}{database}"):
                _open_sqlite(database, database.parent / "artifacts")


def _open_sqlite(database: Path, artifacts: Path) -> None:
    """Let MLflow create or check its tables, and let go of the file."""
    mlflow_module()
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


def experiment(mlflow: ModuleType, study: str, artifacts: Path | None, uri: str) -> str:
    """Return the id of the study's experiment, made when it is new, also when another process is faster.

    Parameters
    ----------
    study : str
        Its name.
    artifacts : Path or None
        Folder of the artifacts of a new experiment. Default: beside a SQLite store, else as the server says.
    """
    from mlflow.exceptions import MlflowException

    client = mlflow.MlflowClient()
    known = client.get_experiment_by_name(study)
    if known is None:
        try:
            made: str = client.create_experiment(study, artifact_location=_artifact_location(study, artifacts, uri))
            return made
        except MlflowException:
            known = client.get_experiment_by_name(study)
            if known is None:
                raise
    if known.lifecycle_stage == "deleted":
        raise NociomicsError(
            f'the experiment "{study}" was deleted in the tracking store. '
            f"Restore it (mlflow experiments restore --experiment-id {known.experiment_id}), or rename the study."
        )
    found: str = known.experiment_id
    return found


def _artifact_location(study: str, artifacts: Path | None, uri: str) -> str | None:
    if artifacts is not None:
        return (artifacts.resolve() / study).as_uri()
    return (_sqlite_path(uri).parent / "artifacts" / study).as_uri() if uri.startswith(_SQLITE) else None
