"""`nociomics serve` as a process of its own, and what asks it."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.service.conftest import SECRET

COMMAND = "from nociomics.cli import main; main()"


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
def served(
    model: Path, *options: str, log: Path, program: str = COMMAND
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    command = [sys.executable, "-c", program, "serve", str(model), "--port", str(port), *options]
    environment = {**os.environ, "NOCIOMICS_TOKEN": SECRET}
    with log.open("wb") as lines:
        process = subprocess.Popen(command, stderr=lines, stdout=lines, env=environment)
    try:
        until = time.monotonic() + 300
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
