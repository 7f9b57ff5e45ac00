"""A real process: it starts, answers many at once, takes a new model under load, and ends in good order."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest

from nociomics.service.input_counts import InputCounts
from tests.export.bundles import CLOSED, write_small_bundle
from tests.service.conftest import SECRET
from tests.service.served_process import COMMAND, ask, served

_BODY = json.dumps({"rows": [{"age": 50.0, "sex": "F", "pcs_total": 20.0}]})
# a program whose second look at a model stops in the middle: its files are read, and nothing has taken its place yet
_STOPPING = """
import pathlib, sys, time
from nociomics.cli import main
from nociomics.export import bundle

check, looks = bundle.check_golden, []

def stop_at_the_second(*given):
    looks.append(1)
    if len(looks) > 1:
        pathlib.Path({reached!r}).touch()
        time.sleep(600)
    return check(*given)

bundle.check_golden = stop_at_the_second
main()
"""
_GIGABYTE = 1 << 30


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
        until = time.monotonic() + 180
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
        assert process.wait(120) == 0
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    assert {"answered", "Application shutdown complete."} <= {line["message"] for line in lines}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def wait_for(reached: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 180
    while not reached.exists():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)


def test_killed_in_the_middle_of_a_reload_nothing_is_lost(models, tmp_path):
    """The old model answers until the end; the next process takes what the files name, and goes on with the counts."""
    reached, counts = tmp_path / "reached", tmp_path / "counts.json"
    digest = hashlib.sha256((models / "one" / "manifest.json").read_bytes()).hexdigest()
    earlier = InputCounts.of_bundle(models / "one")
    earlier.add(pl.DataFrame({"patient_id": [str(n) for n in range(12)], "age": [50.0] * 12}), ["ok"] * 12)
    assert earlier.write(counts, digest)
    told, log = ("--counts", str(counts)), tmp_path / "log"
    program = _STOPPING.format(reached=str(reached))
    with served(models, *told, log=log, program=program) as (process, port):
        before = ask(port, "POST", "/predict", _BODY)
        point(models, "two")
        files, counted = contents(models), counts.read_bytes()
        process.send_signal(signal.SIGHUP)
        wait_for(reached, process)
        assert name_of(port) == "one" and ask(port, "POST", "/predict", _BODY) == before
        process.kill()
        process.wait()
    assert contents(models) == files and counts.read_bytes() == counted
    with served(models, *told, log=log) as (_, port):
        assert name_of(port) == "two"
        point(models, "one")
        assert ask(port, "POST", "/admin/reload", "{}")[0] == 200
        assert ask(port, "POST", "/predict", _BODY) == before


def most_memory(process: subprocess.Popen[bytes]) -> int:
    """KiB that a process had at most since it began."""
    text = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1])


def pour(port: int, token: str, chunked: bool) -> tuple[int, bytes]:
    """Send a gigabyte to /predict until the other side has enough; return how much it took, and its answer."""
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {_GIGABYTE}"
    head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{length}\r\n"
    part = b" " * (1 << 20)
    chunk = b"%x\r\n%s\r\n" % (len(part), part) if chunked else part
    taken = 0
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            while taken < _GIGABYTE:
                line.sendall(chunk)
                taken += len(part)
        with contextlib.suppress(ConnectionError):
            return taken, line.recv(200)
    return taken, b""


@pytest.fixture(scope="module")
def hardened(exported, tmp_path_factory):
    """A process that takes bodies of 4 MiB, its port, and its log."""
    log = tmp_path_factory.mktemp("hardened") / "log"
    with served(exported, "--max-megabytes", "4", log=log) as (process, port):
        yield process, port, log


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory of another process is read from /proc")
def test_a_gigabyte_is_refused_before_it_is_taken_in(hardened):
    process, port, _ = hardened
    ask(port, "POST", "/predict", _BODY)
    before = most_memory(process)
    for token, status in ((SECRET, b"413"), ("of somebody else", b"401")):
        for chunked in (True, False):
            taken, answer = pour(port, token, chunked)
            assert taken < _GIGABYTE / 4
            # an answer that comes while the other side still sends may be lost with the connection
            assert not answer or answer.startswith(b"HTTP/1.1 " + status)
    assert most_memory(process) - before < 64 * 1024
    assert ask(port, "POST", "/predict", _BODY)[0] == 200


def test_clients_that_go_away_are_no_fault(hardened):
    process, port, log = hardened
    head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {SECRET}\r\n"
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
            line.sendall(f'{head}Content-Type: application/json\r\nContent-Length: 4000\r\n\r\n{{"rows"'.encode())
    until = time.monotonic() + 180
    while log.read_text(encoding="utf-8").count('"broken_off"') < 5:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    assert ask(port, "POST", "/predict", _BODY)[0] == 200
    assert 'status="500"' not in ask(port, "GET", "/metrics")[1].decode()
    assert '"fault"' not in log.read_text(encoding="utf-8")


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
    command = [sys.executable, "-c", COMMAND, "serve", str(exported), *options]
    done = subprocess.run(command, capture_output=True, text=True, env={**own, **environment}, timeout=300, check=False)
    assert done.returncode == 1 and word in done.stderr and "Traceback" not in done.stderr


def test_a_folder_that_is_no_model_is_refused_in_one_line(tmp_path):
    command = [sys.executable, "-c", COMMAND, "serve", str(tmp_path), "--no-token"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1 and "is not an exported model" in done.stderr and "Traceback" not in done.stderr
