"""The service under long use: a real `nociomics serve`, many requests of every kind, its memory while it answers them.

Run ``python benchmarks/service_soak.py`` (50,000 requests, some minutes; ``--requests N`` for fewer). ``--model
MODEL_DIR`` takes an exported model of yours; without it a small invented one is made. Good and bad requests come mixed
from several clients at once, some of which go away in the middle of a body; the model is reloaded now and then. The
resident memory of the process is read after every fiftieth part of the requests; growth is the median of the last
fifth beside the median of the fifth that follows a warm-up: every kind some times over, a reload (two models at once)
among them, and then the first fifth. At the end 64 clients ask at the same time.
Nothing here is a test: figures depend on the machine. It ends with 1 when an answer was not the one that belongs.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.service_latency import SECRET, free_port, resident, rows_of, running, show

_NOCIOMICS = "from nociomics.cli import main; main()"
_PARTS = 50
_AT_ONCE = 64
_BROKEN_OFF = 0  # stands for no answer: the client went away


@dataclass(frozen=True)
class Kind:
    """Requests of one kind: how often among all, what is sent, and which statuses belong to them."""

    name: str
    share: int
    send: Callable[[Client], int]
    belong: tuple[int, ...] = (200,)


class Client:
    """One connection that is opened again when it was closed."""

    def __init__(self, port: int) -> None:
        self.port, self.line = port, http.client.HTTPConnection("127.0.0.1", port, timeout=300)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> int:
        """Send a request, read the whole answer, and return its status."""
        named = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.line.request(method, path, body, named)
        answer = self.line.getresponse()
        answer.read()
        return answer.status

    def go_away(self) -> int:
        """Announce a body, send half of it, and close the connection."""
        head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {SECRET}\r\n"
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as one:
            one.sendall(f'{head}Content-Type: application/json\r\nContent-Length: 4000\r\n\r\n{{"rows": ['.encode())
        return _BROKEN_OFF


def posting(path: str, *bodies: Any) -> Callable[[Client], int]:
    """Make requests that post one of some bodies, each time the next."""
    contents = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
    return lambda client: client.ask("POST", path, random.choice(contents))


def good_kinds(rows: list[dict[str, Any]]) -> list[Kind]:
    """List requests that are answered, by every endpoint that computes something."""
    from tests.service.hooks import CODEINE, CONSENT, genotype, order, signing

    ones = [{"rows": [row]} for row in rows]
    batch = {"rows": [{**rows[place % len(rows)], "patient_id": str(place)} for place in range(100)]}
    person = {"patient_id": "a", "age": 50, "sex": "F"}
    tables = {
        "patients": [person],
        "questionnaires": [{"patient_id": "a", **{f"pcs_{item}": 2 for item in range(1, 14)}}],
        "biomarkers": [{"patient_id": "a", "analyte": "CRP", "value": 0.3, "unit": "mg/dL"}],
    }
    diplotypes = [{"patient_id": "a", "gene": "CYP2D6", "diplotype": "*4/*4"}]
    calls = [signing(order(CODEINE), prefetch=[genotype(diplotype), CONSENT]) for diplotype in ("*4/*4", "*1/*1x3")]
    return [
        Kind("one row", 500, posting("/predict", *ones)),
        Kind("100 rows", 60, posting("/predict", batch)),
        Kind("raw tables", 20, posting("/predict", {"tables": tables})),
        Kind("explain", 60, posting("/explain", *ones)),
        Kind("strata", 80, posting("/strata", *ones)),
        Kind("pgx", 20, posting("/pgx", {"tables": {"diplotypes": diplotypes}, "drugs": ["codeine"]})),
        Kind("hooks", 80, posting("/cds-services/pgx-order-sign", *calls)),
        Kind("metrics", 10, lambda client: client.ask("GET", "/metrics")),
        Kind("model", 10, lambda client: client.ask("GET", "/model")),
        Kind("reload", 1, posting("/admin/reload", {})),
    ]


def bad_kinds() -> list[Kind]:
    """List requests that are refused, each for a reason of its own."""
    many = {"rows": [{"age": 50}] * 10_001}
    absurd = [{"rows": [{"age": value}]} for value in ("fifty", 1e308, -4, True, [1])]
    return [
        Kind("values that no model takes", 40, posting("/predict", *absurd)),
        Kind("no JSON", 20, posting("/predict", b"{", b'{"rows": [{"age": NaN}]}', b"\xff"), (400,)),
        Kind("deep", 10, posting("/predict", b"[" * 10_000, b'{"a":' * 10_000), (400,)),
        Kind("too many rows", 5, posting("/predict", many), (413,)),
        Kind("a hook that is none", 10, posting("/cds-services/pgx-order-sign", {"hook": 1}), (400,)),
        Kind("tables that cannot be read", 10, posting("/predict", {"tables": {"patients": [{"age": 1}]}}), (422,)),
        Kind("wrong token", 20, lambda one: one.ask("POST", "/predict", b"{}", Authorization="Bearer no"), (401,)),
        Kind("wrong type", 10, lambda one: one.ask("POST", "/predict", b"{}", Content_Type="text/plain"), (415,)),
        Kind("a path as a name", 10, lambda one: one.ask("GET", "/model/..%2f..%2fetc"), (400, 404)),
        Kind("no such path", 10, lambda one: one.ask("GET", f"/{random.getrandbits(64):x}"), (404,)),
        Kind("gone in the middle", 10, Client.go_away, (_BROKEN_OFF,)),
    ]


@dataclass
class Seen:
    """What came back, and how much memory there was meanwhile."""

    asked: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: Kind, status: int) -> None:
        """Count one answer."""
        self.kinds[kind.name] += 1
        self.statuses[status] += 1
        if status not in kind.belong:
            self.wrong[f"{kind.name}: {status}"] += 1


def soak(port: int, pid: int, kinds: list[Kind], requests: int, clients: int, seed: int) -> Seen:
    """Let some clients ask until enough was asked."""
    seen, every = Seen(), max(requests // _PARTS, 1)
    shares = [kind.share for kind in kinds]

    def work(number: int) -> None:
        client, drawn = Client(port), random.Random(seed + number)
        while True:
            with seen.lock:
                if seen.asked >= requests:
                    return
                seen.asked += 1
                if seen.asked % every == 0:
                    seen.memory.append(resident(pid))
            (kind,) = drawn.choices(kinds, shares)
            try:
                status = kind.send(client)
            except (OSError, http.client.HTTPException) as error:
                client = Client(port)
                with seen.lock:
                    seen.wrong[f"{kind.name}: {type(error).__name__}"] += 1
                continue
            with seen.lock:
                seen.add(kind, status)

    together([threading.Thread(target=work, args=(number,)) for number in range(clients)])
    return seen


def warm_up(port: int, kinds: list[Kind]) -> None:
    """Ask every kind of request some times over."""
    client = Client(port)
    for kind in kinds * 3:
        kind.send(client)


def together(threads: list[threading.Thread]) -> None:
    """Start all, and wait for all."""
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def growth(memory: list[float]) -> dict[str, Any]:
    """Memory after the warm-up and at the end, MiB."""
    fifth = max(len(memory) // 5, 1)
    early, late = statistics.median(memory[fifth : 2 * fifth] or memory), statistics.median(memory[-fifth:])
    return {"after_warm_up_mib": early, "end_mib": late, "most_mib": max(memory), "growth": late / early - 1}


def peak(pid: int) -> float:
    """MiB that a process had at most since it began."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def main() -> int:
    """Print every figure as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="an exported model; a small invented one when left out")
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, port = Path(temporary), free_port()
        model = asked.model or _small_model(folder)
        rows, counts = rows_of(model), folder / "counts.json"
        good = good_kinds(rows)
        command = [sys.executable, "-c", _NOCIOMICS, "serve", str(model), "--port", str(port), "--counts", str(counts)]
        with running(command, port, "/ready", folder / "log") as pid:
            warm_up(port, [*good, *bad_kinds()])
            began = time.perf_counter()
            seen = soak(port, pid, [*good, *bad_kinds()], asked.requests, asked.clients, asked.seed)
            seconds = time.perf_counter() - began
            show({"what": "soak", "requests": seen.asked, "clients": asked.clients, "per_second": seen.asked / seconds})
            show({"what": "kinds", **dict(sorted(seen.kinds.items()))})
            show({"what": "statuses", **{str(one): seen.statuses[one] for one in sorted(seen.statuses)}})
            show({"what": "wrong answers", "n": seen.wrong.total(), **dict(seen.wrong)})
            show({"what": "memory", **growth(seen.memory), "samples": [round(one, 1) for one in seen.memory]})
            many = soak(port, pid, good[:1], min(6_400, asked.requests), _AT_ONCE, asked.seed)
            show({"what": f"{_AT_ONCE} clients", "requests": many.asked, "errors": many.wrong.total(), **many.wrong})
            show({"what": "memory at the end", "mib": resident(pid), "peak_mib": peak(pid)})
        faults = sum('"fault"' in line for line in (folder / "log").read_text(encoding="utf-8").splitlines())
        show({"what": "faults in the log", "n": faults})
    return 1 if seen.wrong or many.wrong or faults else 0


def _small_model(folder: Path) -> Path:
    from tests.export.bundles import write_small_bundle
    from tests.models.small_study import small_study

    return write_small_bundle(small_study(), folder)


if __name__ == "__main__":
    sys.exit(main())
