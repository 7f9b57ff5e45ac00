"""A process that has imported everything, from which the steps of a workflow are forked.

A step of a small study spends nine tenths of its time on importing. With ``warm_steps`` in its environment, a run goes
as always (Snakemake, its shell, the log of each step) until Python starts for `nociomics`: then a fork of one warm
process does the step. One whole run of tests/workflow/ is made without it, and must give the same bytes.
"""

from __future__ import annotations

import functools
import gc
import importlib
import json
import os
import pkgutil
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

_CLIENT = Path(__file__).with_name("warm_client")


@functools.cache
def warm_steps() -> dict[str, str]:
    """Variables with which steps are forked from a warm process, which ends with this one."""
    address = Path(tempfile.mkdtemp(prefix="warm-")) / "line"
    quiet = {
        name: value for name, value in os.environ.items() if not name.startswith(("NOCIOMICS_", "MLFLOW_", "COV_"))
    }
    # It ends when the pipe closes, which it does with this process, however that ends.
    server = subprocess.Popen(
        [sys.executable, __file__, str(address)], env=quiet, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    _KEPT.append(server)
    return {"WARM_STEPS": str(address), "PYTHONPATH": str(_CLIENT)}


_KEPT: list[subprocess.Popen[bytes]] = []


def _import_everything() -> None:
    import nociomics

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("pandas", "scipy.special", "scipy.stats", "shap", "sklearn.linear_model", "xgboost"):
            importlib.import_module(name)
    for module in pkgutil.walk_packages(nociomics.__path__, "nociomics."):
        importlib.import_module(module.name)
    # These two kinds wait for work that importing gives none of; a pool that has begun could not be forked.
    threads = {(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()}
    assert {name for name in threads if not name.startswith(("python", "jemalloc_bg", "polars-ooc"))} == set()


def _serve(address: str) -> list[str] | None:
    """Fork at every call; return the words of the command in the fork that shall run it, and None at the end."""
    import select

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(address)
        door.listen(16)
        os.write(1, b"ready\n")
        while True:
            readable, _, _ = select.select([door, 0], [], [])
            if 0 in readable:
                shutil.rmtree(Path(address).parent)
                return None
            line, _ = door.accept()
            if os.fork() == 0:
                return _watch(door, line)
            line.close()


def _watch(door: socket.socket, line: socket.socket) -> list[str]:
    """Run the step in a fork of this one, and say how it ended."""
    door.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, streams, _, _ = socket.recv_fds(line, 8, 3)
    with line.makefile("rb") as asked:
        words, folder, environment = json.loads(asked.read(int.from_bytes(length, "big")))
    step = os.fork()
    if step == 0:
        line.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        return words
    for stream in streams:
        os.close(stream)
    line.sendall(f"{step}\n".encode())
    code = os.waitstatus_to_exitcode(os.waitpid(step, 0)[1])
    line.sendall(f"{code if code >= 0 else 128 - code}\n".encode())
    os._exit(0)


def _main() -> None:
    _import_everything()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # watchers need no burial
    gc.freeze()  # what was imported is for good: forks need not look through it, nor copy it
    words = _serve(sys.argv[1])
    if words is not None:
        from nociomics.cli import main

        sys.argv = words
        main()


if __name__ == "__main__":
    _main()
