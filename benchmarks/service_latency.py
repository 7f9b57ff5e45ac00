"""The service beside `mlflow models serve` of the same model: latency, batches, many clients, memory, CDS Hooks.

Run ``python benchmarks/service_latency.py`` for a short run; ``--full`` for 2,000 generated requests and 50,000
requests for memory. ``--model MODEL_DIR`` takes an exported model of yours; without it a small invented one is made.
Both servers run in turn, on the same machine, one process each, and answer harmonised rows of the same people.
Nothing here is a test: figures depend on the machine, and the two servers are compared in one run only.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SECRET = "a-token-for-benchmarks"
_NOCIOMICS = "from nociomics.cli import main; main()"
_BATCH = 10_000
_ONE = "ours: one person, harmonised row"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Line:
    """A connection that stays open."""

    def __init__(self, port: int) -> None:
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send a request and read the whole answer."""
        headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
        self.line.request(method, path, body, headers)
        answer = self.line.getresponse()
        return answer.status, answer.read()


@contextmanager
def running(command: list[str], port: int, ready: str, log: Path) -> Iterator[int]:
    """Start a server, wait until it is ready, and end it."""
    environment = {**os.environ, "NOCIOMICS_TOKEN": SECRET, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    environment |= {"MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    environment |= {"MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": "3600"}
    with log.open("wb") as lines:
        process = subprocess.Popen(command, stdout=lines, stderr=lines, env=environment, start_new_session=True)
    try:
        until = time.monotonic() + 300
        while True:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(log.read_text()[-2000:])
            try:
                if Line(port).ask("GET", ready)[0] == 200:
                    break
            except OSError:
                time.sleep(0.2)
        yield process.pid
    finally:
        os.killpg(process.pid, 15)
        process.wait(60)


def processor_seconds(pid: int) -> float:
    """Seconds of processor that a server and its children have taken, as Linux counts them."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == pid:  # of its process group
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def asked(what: str, pid: int, port: int, path: str, body: bytes, count: int, warm: int = 5) -> dict[str, Any]:
    """Milliseconds of requests one after the other, on one connection; the first ``warm`` are not counted."""
    line, found, spent = Line(port), [], 0.0
    for number in range(count + warm):
        if number == warm:
            spent = processor_seconds(pid)
        began = time.perf_counter()
        status, content = line.ask("POST", path, body)
        if status != 200:
            raise RuntimeError(content[:500])
        if number >= warm:
            found.append(1000 * (time.perf_counter() - began))
    return {
        "what": what,
        "n": count,
        "p50_ms": float(np.median(found)),
        "p99_ms": float(np.quantile(found, 0.99)),
        "processor_ms": 1000 * (processor_seconds(pid) - spent) / count,
    }


def clients(port: int, body: bytes, many: int, each: int) -> dict[str, Any]:
    """Let many clients ask at the same time; count what is no 200."""
    wrong: list[int] = []

    def work() -> None:
        line = Line(port)
        for _ in range(each):
            status, _ = line.ask("POST", "/predict", body)
            if status != 200:
                wrong.append(status)

    threads = [threading.Thread(target=work) for _ in range(many)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return {
        "what": f"{many} clients",
        "requests": many * each,
        "errors": len(wrong),
        "per_second": many * each / seconds,
    }


def resident(pid: int) -> float:
    """MiB of memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def memory(port: int, pid: int, body: bytes, requests: int) -> dict[str, Any]:
    """Memory after a tenth of the requests, and after all of them."""
    line = Line(port)
    for _ in range(requests // 10):
        line.ask("POST", "/predict", body)
    early = resident(pid)
    for _ in range(requests - requests // 10):
        line.ask("POST", "/predict", body)
    late = resident(pid)
    return {"what": "memory", "requests": requests, "early_mib": early, "late_mib": late, "growth": late / early - 1}


def rows_of(model: Path) -> list[dict[str, Any]]:
    """People of the bundle's golden rows: invented, with every input."""
    from nociomics.export.bundle import golden_rows

    frame, _ = golden_rows(model)
    return frame.head(5).to_dicts()


def generated(model: Path, many: int) -> dict[str, Any]:
    """Ask generated requests in one process, and count what breaks something."""
    from hypothesis import HealthCheck, given, settings
    from tests.service.asgi_client import Client
    from tests.service.generated_requests import REQUESTS, problems

    from nociomics.service.app import Settings, make_app
    from nociomics.service.champion import Reigning

    reigning, wrong, seen = Reigning(model), [], []
    reigning.reload()
    client = Client(make_app(reigning, Settings()))

    @settings(max_examples=many, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(body=REQUESTS)
    def ask(body: Any) -> None:
        answer = client.post("/predict", body)
        seen.append(answer.status)
        wrong.extend(problems(answer))

    ask()
    client.close()
    return {"what": "generated requests", "n": len(seen), "answered": seen.count(200), "wrong": len(wrong)}


def ours(model: Path, folder: Path, full: bool, many: int) -> Iterator[dict[str, Any]]:
    """Figures of `nociomics serve`."""
    from tests.service.hooks import CODEINE, CONSENT, genotype, order, signing

    rows, port = rows_of(model), free_port()
    one = json.dumps({"rows": rows[:1]}).encode()
    people = [{**rows[n % 5], "patient_id": str(n)} for n in range(many)]
    batch = json.dumps({"rows": in_one_order(people)}).encode()
    objects = json.dumps({"rows": people}).encode()
    hook = json.dumps(signing(order(CODEINE), prefetch=[genotype("*4/*4"), CONSENT])).encode()
    tables = json.dumps({"tables": {"patients": [{"patient_id": "a", "age": 50, "sex": "F"}]}}).encode()
    command = [sys.executable, "-c", _NOCIOMICS, "serve", str(model), "--port", str(port), "--max-megabytes", "900"]
    few = 1_000 if full else 100
    with running([*command, "--seconds", "600"], port, "/ready", folder / "ours.log") as pid:
        yield asked(_ONE, pid, port, "/predict", one, few)
        yield asked("ours: CDS Hooks, codeine ordered", pid, port, "/cds-services/pgx-order-sign", hook, few)
        yield asked("ours: one person, raw table of patients", pid, port, "/predict", tables, few)
        yield clients(port, one, 64, 50 if full else 4)
        yield asked(f"ours: {many} rows", pid, port, "/predict", batch, 5 if full else 2, 1)
        yield asked(f"ours: {many} rows, each with its names", pid, port, "/predict", objects, 5 if full else 2, 1)
        yield memory(port, pid, one, 50_000 if full else 500)


def mlflow(model: Path, folder: Path, full: bool, many: int) -> Iterator[dict[str, Any]]:
    """Figures of `mlflow models serve`, of the model as `nociomics track` logs it."""
    place = saved_as_mlflow_does(model, folder)
    rows, port = rows_of(model), free_port()
    one = json.dumps({"dataframe_split": in_one_order(rows[:1])}).encode()
    people = [{**rows[n % 5], "patient_id": str(n)} for n in range(many)]
    batch = json.dumps({"dataframe_split": in_one_order(people)}).encode()
    objects = json.dumps({"dataframe_records": people}).encode()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(place), "--env-manager", "local"]
    with running([*command, "-p", str(port), "-w", "1"], port, "/ping", folder / "mlflow.log") as pid:
        yield asked("mlflow: one person", pid, port, "/invocations", one, 1_000 if full else 50)
        yield asked(f"mlflow: {many} rows", pid, port, "/invocations", batch, 5 if full else 2, 1)
        yield asked(f"mlflow: {many} rows, each with its names", pid, port, "/invocations", objects, 2, 1)


def saved_as_mlflow_does(model: Path, folder: Path) -> Path:
    """Save the model as `nociomics track` logs it: the same script, files and signature."""
    import mlflow.pyfunc

    from nociomics.cli.track_records import _examples
    from nociomics.tracking.study_run import _in_plain_types, _signature

    code, place = folder / "pyfunc_model.py", folder / "pyfunc"
    code.write_text((files("nociomics.export") / "pyfunc_model.py.txt").read_text(encoding="utf-8"), encoding="utf-8")
    example, output = (_in_plain_types(one) for one in _examples(model))
    mlflow.pyfunc.save_model(
        str(place),
        python_model=str(code),
        artifacts={"bundle": str(model)},
        pip_requirements=["nociomics"],
        signature=_signature(example, output),
    )
    return place


def in_one_order(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows in the shortest of the forms that both servers read: names once, then values."""
    return {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}


def main() -> None:
    """Print every figure as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--no-mlflow", action="store_true")
    parser.add_argument("--batch", type=int, default=_BATCH, help="rows of a batch")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = wanted.model
        if model is None:
            from tests.export.bundles import write_small_bundle
            from tests.models.small_study import small_study

            model = write_small_bundle(small_study(), folder)
        seen: dict[str, dict[str, Any]] = {}
        parts = [ours(model, folder, wanted.full, wanted.batch)]
        parts += [] if wanted.no_mlflow else [mlflow(model, folder, wanted.full, wanted.batch)]
        for one in (figure for part in parts for figure in part):
            show(one)
            seen[one["what"]] = one
        show(generated(model, 2_000 if wanted.full else 200))
        batch = f"{wanted.batch} rows"
        for what in [] if wanted.no_mlflow else ["one person", batch, f"{batch}, each with its names"]:
            mine, theirs = seen[_ONE if what == "one person" else f"ours: {what}"], seen[f"mlflow: {what}"]
            times = {
                key: theirs[name] / mine[name] for key, name in (("clock", "p50_ms"), ("processor", "processor_ms"))
            }
            show({"what": f"{what}: mlflow takes times as long", **times})


def show(figure: dict[str, Any]) -> None:
    """Print one figure as a line of JSON, at once: a long run that is stopped has told what it knows."""
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in figure.items()}
    sys.stdout.write(json.dumps(rounded) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
