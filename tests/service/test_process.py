"""A real process: it starts, answers many at once, takes a new model under load, and ends in good order."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.export.bundles import CLOSED, write_small_bundle
from tests.service.conftest import SECRET

_COMMAND = "from nociomics.cli import main; main()"
_BODY = json.dumps({"rows": [{"age": 50.0, "sex": "F", "pcs_total": 20.0}]})


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def ask(port: int, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
    line.request(method, path, body, headers)
    answer = line.getresponse()
    content = answer.read()
    line.close()
    return answer.status, content


@contextmanager
def served(model: Path, *options: str, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    command = [sys.executable, "-c", _COMMAND, "serve", str(model), "--port", str(port), *options]
    environment = {**os.environ, "NOCIOMICS_TOKEN": SECRET}
    with log.open("wb") as lines:
        process = subprocess.Popen(command, stderr=lines, stdout=lines, env=environment)
    try:
        until = time.monotonic() + 60
        while True:
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            try:
                if ask(port, "GET", "/ready")[0] == 200:
                    break
            except OSError:
                time.sleep(0.2)
        yield process, port
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture(scope="module")
def models(exported, study, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(exported, folder / "one")
    shutil.copytree(write_small_bundle(study, tmp_path_factory.mktemp("other"), CLOSED), folder / "two")
    point(folder, "one")
    return folder


def point(folder: Path, name: str) -> None:
    (folder / "next").write_text(json.dumps({"champion": name}), encoding="utf-8")
    os.replace(folder / "next", folder / "champion.json")


def name_of(port: int) -> str:
    return str(json.loads(ask(port, "GET", "/ready")[1])["model"])


def test_a_new_model_under_load_and_a_good_end(models, tmp_path):
    log = tmp_path / "log"
    with served(models, log=log) as (process, port):
        statuses: list[int] = []
        ended = threading.Event()

        def keep_asking() -> None:
            while not ended.is_set():
                statuses.append(ask(port, "POST", "/predict", _BODY)[0])

        clients = [threading.Thread(target=keep_asking) for _ in range(6)]
        for client in clients:
            client.start()
        point(models, "two")
        process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 30
        while name_of(port) != "two" and time.monotonic() < until:
            time.sleep(0.1)
        assert name_of(port) == "two"
        point(models, "missing")
        assert ask(port, "POST", "/admin/reload", "{}")[0] == 409
        assert name_of(port) == "two"
        ended.set()
        for client in clients:
            client.join()
        point(models, "one")
        assert set(statuses) == {200} and len(statuses) >= len(clients)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    assert {"answered", "Application shutdown complete."} <= {line["message"] for line in lines}


def test_killed_during_a_reload_nothing_is_lost(models, tmp_path):
    with served(models, log=tmp_path / "log") as (process, port):
        before = ask(port, "POST", "/predict", _BODY)[1]
        process.send_signal(signal.SIGHUP)
        process.kill()
    with served(models, log=tmp_path / "log") as (_, port):
        assert ask(port, "POST", "/predict", _BODY)[1] == before


@pytest.mark.parametrize(
    ("options", "environment", "word"),
    [
        ([], {}, "needs a token"),
        (["--no-token", "--host", "0.0.0.0"], {}, "this machine alone"),
        ([], {"NOCIOMICS_TOKEN": "short"}, "at least 16 characters"),
    ],
)
def test_a_start_that_is_not_safe_is_refused_in_one_line(exported, options, environment, word):
    own = {key: value for key, value in os.environ.items() if key != "NOCIOMICS_TOKEN"}
    command = [sys.executable, "-c", _COMMAND, "serve", str(exported), *options]
    done = subprocess.run(command, capture_output=True, text=True, env={**own, **environment}, timeout=60, check=False)
    assert done.returncode == 1 and word in done.stderr and "Traceback" not in done.stderr


def test_a_folder_that_is_no_model_is_refused_in_one_line(tmp_path):
    command = [sys.executable, "-c", _COMMAND, "serve", str(tmp_path), "--no-token"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "is not an exported model" in done.stderr and "Traceback" not in done.stderr
