"""The services of the compose file as plain processes: its own command lines, with its paths and ports moved aside.

A container's path is where its volumes, secrets and configs put it. Here each of them is a folder or file below a
temporary folder, so a command that names a path which nothing puts there fails, as it would in the container.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "workflow" / "deploy" / "compose.yaml"
PAGE = ROOT / "docs" / "deploy.md"
PATIENCE = 600  # seconds for one step; a quiet machine needs about ten
_SOCKETS = "/var/run/postgresql"
_WANTED = ("pg8000", "flask_wtf")


def why_not() -> str | None:
    """Say what the team's server lacks on this machine; null when it can be started."""
    absent = [name for name in _WANTED if find_spec(name) is None]
    if absent:
        return f"the extra team is not installed: {', '.join(absent)} lacking"
    if _postgres() is None:
        return "PostgreSQL is not installed (apt-get install postgresql)"
    if os.geteuid() == 0 and "postgres" not in {entry.pw_name for entry in pwd.getpwall()}:
        return "PostgreSQL does not run as root, and there is no user postgres"
    return None


def _postgres() -> Path | None:
    """Return the folder of initdb: Debian keeps one per version, outside PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    elsewhere = shutil.which("initdb")
    return found[-1].parent if found else Path(elsewhere).parent if elsewhere else None


def _as_postgres() -> dict[str, Any]:
    """Return who runs PostgreSQL, for `subprocess`: it refuses to be root."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Team:
    """The compose file in a temporary folder.

    Parameters
    ----------
    folder : Path
        Holds a folder per named volume, and the files of secrets and configs.
    variables : mapping of str to str
        What docs/deploy.md exports before ``docker compose up``.
    ports : mapping of str to int
        Port of a container -> port here.
    """

    folder: Path
    variables: Mapping[str, str]
    ports: Mapping[str, int]
    file: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        """Read the file as Compose does, with the variables put in."""
        self.file = _interpolated(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")), self.variables)

    def service(self, name: str) -> dict[str, Any]:
        """Return a service of the file."""
        found: dict[str, Any] = self.file["services"][name]
        return found

    def places(self, name: str) -> dict[str, Path]:
        """Path in the container -> path here, for all that the service has been given."""
        one = self.service(name)
        places: dict[str, Path] = {}
        for volume in one.get("volumes", ()):
            source, target = volume.split(":")[:2]
            places[target] = Path(source) if "/" in source else self.folder / source
        for secret in one.get("secrets", ()):
            places[f"/run/secrets/{secret}"] = Path(self.file["secrets"][secret]["file"])
        for config in one.get("configs", ()):
            places[config["target"]] = self.folder / config["source"]
        return places

    def moved(self, name: str, text: str) -> str:
        """Put the paths and ports of here into a text of the service."""
        for target, place in self.places(name).items():
            text = re.sub(rf"(?<![\w./]){re.escape(target)}(?![\w.-])", str(place), text)
        for port, here in self.ports.items():
            text = re.sub(rf"(?<!\d){port}(?!\d)", str(here), text)
        return text.replace("0.0.0.0", "127.0.0.1")  # nothing of a test listens to others

    def words(self, name: str) -> list[str]:
        """Return the command line of a service."""
        one = self.service(name)
        return [self.moved(name, word) for word in [*one.get("entrypoint", ()), *one.get("command", ())]]

    def environment(self, name: str) -> dict[str, str]:
        """Return what the image and the file set, and nothing of ours but where the programs are."""
        binaries = _postgres()
        path = f"{Path(sys.executable).parent}:{binaries}:{os.environ['PATH']}"
        kept = {key: os.environ[key] for key in ("PYTHONPATH", "OMP_NUM_THREADS") if key in os.environ}
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        own = {key: self.moved(name, str(value)) for key, value in self.service(name).get("environment", {}).items()}
        return {"PATH": path, "HOME": str(home), "PGPORT": str(self.ports["5432"]), **kept, **own}

    def write_configs(self) -> None:
        """Write the files that the compose file holds itself."""
        for name in self.file["services"]:
            for config in self.service(name).get("configs", ()):
                content = self.file["configs"][config["source"]]["content"]
                (self.folder / config["source"]).write_text(self.moved(name, content), encoding="utf-8")

    def is_healthy(self, name: str) -> bool:
        """Run the service's own health check."""
        kind, *words = self.service(name)["healthcheck"]["test"]
        assert kind == "CMD"
        command = [self.moved(name, word) for word in words]
        return (
            subprocess.run(command, env=self.environment(name), capture_output=True, timeout=PATIENCE).returncode == 0
        )

    @contextmanager
    def running(self, name: str, *further: str, **owner: Any) -> Iterator[subprocess.Popen[bytes]]:
        """Start a service, wait until it is healthy, and end it with all that it started."""
        empty = self.folder / f"{name}_working_folder"
        empty.mkdir(exist_ok=True)
        around = {"env": self.environment(name), "cwd": empty, "start_new_session": True, **owner}
        with self.log(name).open("ab") as log:
            process = subprocess.Popen([*self.words(name), *further], stdout=log, stderr=log, **around)
        try:
            end = time.monotonic() + PATIENCE
            while not self.is_healthy(name):
                assert process.poll() is None, f"{name} ended while it started: {self.log(name).read_text()}"
                assert time.monotonic() < end, f"{name} was not healthy in time: {self.log(name).read_text()}"
                time.sleep(0.3)
            yield process
        finally:
            _end(process, signal.SIGTERM if name != "database" else signal.SIGINT)  # PostgreSQL's fast shutdown

    def log(self, name: str) -> Path:
        """Return the file that has what a service said."""
        return self.folder / f"{name}.log"

    @contextmanager
    def database(self) -> Iterator[subprocess.Popen[bytes]]:
        """PostgreSQL, made at the first start as its image makes it: user, database, then the files for a new one."""
        data = self.places("database")["/var/lib/postgresql/data"]
        # the files of a test need not survive a power cut; where its socket is, the image has compiled in
        quick = ("-D", str(data), "-c", "fsync=off", "-c", f"unix_socket_directories={self.sockets}")
        if not data.exists():
            self._made_as_the_image_does(data, quick)
        with self.running("database", *quick, **_as_postgres()) as process:
            yield process

    @property
    def sockets(self) -> Path:
        """Folder of PostgreSQL's socket."""
        return self.places("database")[_SOCKETS]

    def _made_as_the_image_does(self, data: Path, quick: tuple[str, ...]) -> None:
        for place in (data, self.sockets):
            place.mkdir(mode=0o700)
            if owner := _as_postgres():
                shutil.chown(place, owner["user"], owner["group"])
        set_by = self.environment("database")
        method = set_by["POSTGRES_HOST_AUTH_METHOD"]
        self._run("initdb", "-D", str(data), "-U", set_by["POSTGRES_USER"], "-A", method, "--no-sync")
        control = ["pg_ctl", "-D", str(data), "-w"]
        options = " ".join([*quick[2:], "-c listen_addresses="])  # this one answers on its socket alone
        self._run(*control, "-l", str(self.sockets / "first.log"), "-o", options, "start")
        try:
            self.sql("postgres", f"create database {set_by['POSTGRES_DB']}")
            for config in self.service("database")["configs"]:
                self.sql("postgres", (self.folder / config["source"]).read_text(encoding="utf-8"))
        finally:
            self._run(*control, "-m", "fast", "stop")

    def sql(self, database: str, text: str) -> str:
        """Let PostgreSQL's own client run a text, and return what it prints."""
        words = ["psql", "-h", str(self.sockets), "-U", "mlflow", "-d", database, "-v", "ON_ERROR_STOP=1", "-Atc", text]
        return self._run(*words).strip()

    def _run(self, *command: str) -> str:
        around = {"env": self.environment("database"), "cwd": "/", **_as_postgres()}
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **around)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def upgrade(self) -> None:
        """Run the service that makes the tables, to its end."""
        done = subprocess.run(
            self.words("upgrade"), env=self.environment("upgrade"), capture_output=True, text=True, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stderr

    @property
    def tracking_url(self) -> str:
        """Address of MLflow's server."""
        return f"http://127.0.0.1:{self.ports['5000']}"

    def secret(self, name: str) -> str:
        """Return a secret of the compose file."""
        return Path(self.file["secrets"][name]["file"]).read_text(encoding="utf-8")

    def client_environment(self) -> dict[str, str]:
        """Return the three variables by which docs/deploy.md sends a study to the server."""
        return {
            "MLFLOW_TRACKING_URI": self.tracking_url,
            "MLFLOW_TRACKING_USERNAME": self.variables["TRACKING_ADMIN"],
            "MLFLOW_TRACKING_PASSWORD": self.secret("admin_password"),
        }


def _interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """Put variables into a compose file: ``${A}``, ``${A:-default}``, ``${A:?why}``, and ``$$`` for a dollar."""
    if isinstance(value, dict):
        return {key: _interpolated(one, variables) for key, one in value.items()}
    if isinstance(value, list):
        return [_interpolated(one, variables) for one in value]
    if not isinstance(value, str):
        return value

    def put(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        name, how, word = found["name"], found["how"], found["word"]
        if variables.get(name):
            return variables[name]
        assert how != ":?", f"the compose file wants {name}: {word}"
        return word or ""

    return re.sub(r"\$\$|\$\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<word>[^}]*))?\}", put, value)


def _end(process: subprocess.Popen[bytes], word: signal.Signals) -> None:
    """Ask a process and those it started to end, and wait for it; kill what does not."""
    if process.poll() is None:
        process.send_signal(word) if word == signal.SIGINT else os.killpg(process.pid, word)
    try:
        process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(url: str, credentials: str | None = None) -> int:
    """Return the status of a request; 0 when nobody answers.

    Parameters
    ----------
    credentials : str, optional
        Value of the header Authorization.
    """
    request = urllib.request.Request(url)
    if credentials is not None:
        request.add_header("Authorization", credentials)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0


@contextmanager
def prepared_team(model: Path | None = None) -> Iterator[Team]:
    """A folder with secrets, made as docs/deploy.md says, and the compose file read for it; nothing runs yet.

    Parameters
    ----------
    model : Path, optional
        Folder of an exported model, for who starts the service.
    """
    # not below pytest's own folder, which its user keeps to itself and which other sessions clear away; and short,
    # because the address of a socket has 107 characters at most
    folder = Path(tempfile.mkdtemp(prefix="team-"))
    folder.chmod(0o755)  # PostgreSQL has a user of its own
    with ExitStack() as at_the_end:
        at_the_end.callback(shutil.rmtree, folder)
        variables = {
            **_exported_by_the_page(folder),
            "OWNER_UID": str(os.getuid()),
            "OWNER_GID": str(os.getgid()),
            "TRACKING_ADMIN": "team-admin",
            "MODEL": str(model or folder / "no-model"),
            "ARTIFACTS": str(folder / "artifacts"),
        }
        ports = {port: free_port() for port in ("5000", "5432", "8080")}
        made = Team(folder, variables, ports)
        made.write_configs()
        yield made


def _exported_by_the_page(folder: Path) -> dict[str, str]:
    """Run the first commands of docs/deploy.md, which make the secrets, with a home of their own."""
    commands = re.search(r"```sh\n(export SECRETS=.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert commands is not None
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    subprocess.run(["sh", "-euc", commands[1]], env=environment, check=True, capture_output=True, timeout=PATIENCE)
    return {"SECRETS": str(folder / "nociomics-secrets")}


@contextmanager
def running_tracking(team: Team) -> Iterator[Team]:
    """PostgreSQL, its tables, and MLflow's server, started in the order of the compose file."""
    with team.database():
        team.upgrade()
        with team.running("tracking"):
            yield team
