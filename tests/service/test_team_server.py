"""The team's tracking server of docs/deploy.md, started for real: PostgreSQL, artifact proxy, passwords."""

from __future__ import annotations

import base64
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

_PATIENCE = 150  # seconds; a quiet machine needs about ten
_WANTED = ("psycopg2", "flask_wtf")


def _postgres() -> Path | None:
    """Return the folder of initdb: Debian keeps one per version, outside PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    elsewhere = shutil.which("initdb")
    return found[-1].parent if found else Path(elsewhere).parent if elsewhere else None


def _why_not() -> str | None:
    absent = [name for name in _WANTED if find_spec(name) is None]
    if absent:
        return f"the extra team is not installed: {', '.join(absent)} lacking"
    if _postgres() is None:
        return "PostgreSQL is not installed (apt-get install postgresql)"
    if os.geteuid() == 0 and (shutil.which("runuser") is None or not _has_user("postgres")):
        return "PostgreSQL does not run as root, and there is no user postgres or no runuser"
    return None


def _has_user(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


pytestmark = pytest.mark.skipif(_why_not() is not None, reason=str(_why_not()))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True)
class Database:
    """A running PostgreSQL and the environment in which clients find its password."""

    url: str
    environment: dict[str, str]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A cluster of its own in a temporary folder, on a loopback port, with a password from a file."""
    binaries, port = _postgres(), _free_port()
    assert binaries is not None
    # not below pytest's own folder, which its user keeps to itself and which other sessions clear away
    folder = Path(tempfile.mkdtemp(prefix="nociomics-postgres-"))
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")
    word, passwords = secrets.token_hex(16), folder / "password"
    passwords.write_text(word)
    if as_user:
        shutil.chown(passwords, "postgres")
    passwords.chmod(0o600)

    def run(*command: str) -> None:
        subprocess.run([*as_user, *command], check=True, cwd=folder, capture_output=True, timeout=_PATIENCE)

    data = str(folder / "data")
    run(str(binaries / "initdb"), "-D", data, "-U", "mlflow", "-A", "scram-sha-256", "--pwfile", str(passwords))
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    control, log = str(binaries / "pg_ctl"), str(folder / "log")
    run(control, "-D", data, "-w", "-o", settings, "-l", log, "start")
    try:
        own = tmp_path_factory.mktemp("client") / "pgpass"
        own.write_text(f"127.0.0.1:{port}:*:mlflow:{word}\n")
        own.chmod(0o600)
        environment = {**os.environ, "PGPASSFILE": str(own)}
        for name in ("mlflow", "mlflow_auth"):
            create = [str(binaries / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "mlflow", name]
            subprocess.run(create, check=True, env=environment, capture_output=True, timeout=_PATIENCE)
        yield Database(f"postgresql+psycopg2://mlflow@127.0.0.1:{port}", environment)
    finally:
        run(control, "-D", data, "-m", "fast", "-w", "stop")
        shutil.rmtree(folder)


@dataclass(frozen=True)
class Server:
    """A running tracking server, its people and where it keeps artifacts."""

    url: str
    name: str
    word: str
    artifacts: Path

    def status(self, path: str, name: str | None = None, word: str | None = None) -> int:
        """Return the status of a request, with or without credentials."""
        request = urllib.request.Request(f"{self.url}{path}")
        if name is not None:
            request.add_header("Authorization", "Basic " + base64.b64encode(f"{name}:{word}".encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return int(error.code)


@pytest.fixture(scope="module")
def server(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server as docs/deploy.md starts it: the database upgraded once, then one worker without jobs."""
    folder = tmp_path_factory.mktemp("mlflow")
    name, word, port = "team-admin", secrets.token_hex(16), _free_port()
    settings = folder / "auth.ini"
    settings.write_text(_AUTH.format(url=f"{database.url}/mlflow_auth"))
    environment = {
        **database.environment,
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_AUTH_ADMIN_USERNAME": name,
        "MLFLOW_AUTH_ADMIN_PASSWORD": word,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(32),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }
    mlflow = [sys.executable, "-m", "mlflow"]
    upgrade = [*mlflow, "db", "upgrade", f"{database.url}/mlflow"]
    subprocess.run(upgrade, check=True, env=environment, cwd=folder, capture_output=True, timeout=_PATIENCE)
    command = [*mlflow, "server", "--backend-store-uri", f"{database.url}/mlflow"]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--serve-artifacts", "--app-name", "basic-auth"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    started = Server(f"http://127.0.0.1:{port}", name, word, folder / "artifacts")
    try:
        _wait(started, process)
        yield started
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


_AUTH = """[mlflow]
default_permission = NO_PERMISSIONS
database_uri = {url}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
grant_default_workspace_access = false
"""


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        assert process.poll() is None, "the server ended while it started"
        try:
            if server.status("/health") == 200:
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.5)
    pytest.fail("the server was not ready in time")


_EXPERIMENT = "/api/2.0/mlflow/experiments/get?experiment_id=0"


def test_nobody_gets_in_without_credentials(server: Server) -> None:
    assert server.status(_EXPERIMENT) == 401
    assert server.status(_EXPERIMENT, server.name, "wrong") == 401
    assert server.status("/api/2.0/mlflow-artifacts/artifacts") == 401
    assert server.status(_EXPERIMENT, server.name, server.word) == 200


_CLIENT = """
import json, mlflow, os, sys
from pathlib import Path
mlflow.set_experiment("cohort")
file = Path(sys.argv[1]) / "gate.json"
file.write_text('{"individual_recommendations": false}')
with mlflow.start_run() as run:
    mlflow.log_metrics({"test/auroc": 0.64})
    mlflow.log_artifact(str(file))
back = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="gate.json")
found = mlflow.get_run(run.info.run_id)
print(json.dumps([found.data.metrics, found.info.artifact_uri, Path(back).read_text()]))
"""


def test_a_run_with_an_artifact_goes_through_the_server(server: Server, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": server.url,
        "MLFLOW_TRACKING_USERNAME": server.name,
        "MLFLOW_TRACKING_PASSWORD": server.word,
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    command = [sys.executable, "-c", _CLIENT, str(tmp_path)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=_PATIENCE)
    assert done.returncode == 0, done.stderr
    metrics, uri, text = json.loads(done.stdout.splitlines()[-1])
    assert metrics == {"test/auroc": 0.64}
    assert uri.startswith("mlflow-artifacts:"), "clients must not need the artifact store themselves"
    assert json.loads(text) == {"individual_recommendations": False}
    assert [path.name for path in server.artifacts.rglob("gate.json")] == ["gate.json"]


def test_the_run_is_in_the_database_and_no_password_in_a_process_list(database: Database, server: Server) -> None:
    binaries = _postgres()
    assert binaries is not None
    where = database.url.rpartition("@")[2]
    host, _, port = where.partition(":")
    count = "select count(*) from metrics where key = 'test/auroc'"
    command = [str(binaries / "psql"), "-h", host, "-p", port, "-U", "mlflow", "-d", "mlflow", "-Atc", count]
    done = subprocess.run(command, env=database.environment, capture_output=True, text=True, timeout=_PATIENCE)
    assert done.stdout.strip() == "1", done.stderr
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert any(b"--serve-artifacts" in line for line in lines)
    assert not any(server.word.encode() in line for line in lines)
