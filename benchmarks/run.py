"""Run the benchmarks: each case in its own process, peers in turn, medians of five, ratios with their aims.

python benchmarks/run.py [JOB ...] [--rounds 5] [--keep DIR]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)


@dataclass
class Measured:
    """All rounds of one case."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    check: Any = None
    absent: str | None = None

    @property
    def median(self) -> float:
        """CPU seconds of the middle round."""
        return statistics.median(self.cpu)


def jobs() -> list[str]:
    """Names of all jobs."""
    return sorted(p.stem for p in (ROOT / "benchmarks/jobs").glob("*.py") if p.stem != "__init__")


def run_one(job: str, case: str, folder: Path) -> None:
    """Run one case in this process and print what it took."""
    module = importlib.import_module(f"benchmarks.jobs.{job}")
    for name in getattr(module, "IMPORTS", {}).get(case, ()):
        with contextlib.suppress(ModuleNotFoundError):  # the case itself says that its peer is absent
            importlib.import_module(name)
    began_wall, began = time.perf_counter(), _cpu()
    try:
        check = module.CASES[case](folder)
    except importlib.import_module("benchmarks.jobs").Absent as error:
        print(json.dumps({"absent": str(error)}))
        return
    took = {
        "cpu": _cpu() - began,
        "wall": time.perf_counter() - began_wall,
        "megabytes": max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        / 1024,
        "check": check,
    }
    print(json.dumps(took))


def _cpu() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def measure(job: str, folder: Path, rounds: int) -> dict[str, Measured]:
    """Run every case of a job in turn, ``rounds`` times."""
    module = importlib.import_module(f"benchmarks.jobs.{job}")
    found = {case: Measured() for case in module.CASES}
    for case, prepare in getattr(module, "SETUP", {}).items():
        try:
            prepare(folder)
        except importlib.import_module("benchmarks.jobs").Absent as error:
            found[case].absent = str(error)
    environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1"), "PYTHONPATH": str(ROOT)}
    for number in range(rounds):
        for case, measured in found.items():
            if measured.absent is not None:
                continue
            print(f"  round {number + 1} of {rounds}: {case}", file=sys.stderr, flush=True)
            command = [sys.executable, str(Path(__file__)), "--case", job, case, str(folder)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{job}, {case} failed:\n{done.stderr[-3000:]}")
            took = json.loads(done.stdout.strip().splitlines()[-1])
            if "absent" in took:
                measured.absent = took["absent"]
                continue
            measured.cpu.append(took["cpu"])
            measured.wall.append(took["wall"])
            measured.megabytes.append(took["megabytes"])
            measured.check = took["check"]
    return found


def same(one: Any, other: Any, tolerance: float = 1e-6) -> bool:
    """Whether two check values agree; numbers within a relative tolerance."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key], tolerance) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b, tolerance) for a, b in zip(one, other, strict=True))
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
    return bool(one == other)


def lines(job: str, found: dict[str, Measured]) -> tuple[list[str], bool]:
    """Rows of the table, and whether every aim was met with equal check values."""
    module = importlib.import_module(f"benchmarks.jobs.{job}")
    ours, good, rows = found[module.OURS], True, []
    for case, measured in found.items():
        if measured.absent is not None:
            rows.append(f"| {job} | {case} | | | | not run: {measured.absent} |")
            continue
        words = ""
        if case != module.OURS:
            ratio = measured.median / ours.median
            words = f"theirs / ours {ratio:.2f}"
            aim = module.AIMS.get(case)
            if aim is not None:
                kind, number = aim
                met = ratio >= number if kind == "at_least" else 1 / ratio <= number
                words += f"; aim {'at least' if kind == 'at_least' else 'ours at most x'} {number:g}: " + (
                    "met" if met else "NOT MET"
                )
                good &= met
            if not same(ours.check, measured.check, getattr(module, "TOLERANCE", 1e-6)):
                words += "; CHECK VALUES DIFFER"
                good = False
        spread = f"{measured.median:.2f} ({min(measured.cpu):.2f} to {max(measured.cpu):.2f})"
        rows.append(
            f"| {job} | {case} | {spread} | {statistics.median(measured.wall):.2f} | "
            f"{statistics.median(measured.megabytes):.0f} | {words} |"
        )
    return rows, good


def main() -> None:
    """Run the jobs that were asked for and write the table."""
    sys.path.insert(0, str(ROOT))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", nargs="*", help="all when left out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="folder for the inputs; kept, and used again")
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.case:
        run_one(asked.case[0], asked.case[1], Path(asked.case[2]))
        return
    head = [
        "| job | case | CPU s, median (range) | wall s | MB | against ours |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    rows, good = [], True
    for job in asked.jobs or jobs():
        print(job, file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as temporary:
            folder = (asked.keep or Path(temporary)) / job
            if not folder.exists():
                folder.mkdir(parents=True)
                importlib.import_module(f"benchmarks.jobs.{job}").MAKE(folder)
            found, met = lines(job, measure(job, folder, asked.rounds))
        print("\n".join([*head, *found]), flush=True)
        rows += found
        good &= met
    if not asked.jobs:
        words = f"{asked.rounds} rounds, Python {platform.python_version()}, {os.cpu_count()} cores."
        (ROOT / "benchmarks/results.md").write_text("\n".join(["# Results", "", words, "", *head, *rows]) + "\n")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
