"""Small studies for the tests of the workflow, and how they are run from outside."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.workflow.warm_steps import warm_steps

ROOT = Path(__file__).resolve().parents[2]
SMALL_SETTINGS = """
folds: {outer_folds: 3, inner_folds: 3, repeats: 1}
response: {refits: 3, refits_in_folds: 2, trees: 4, background_people: 20}
strata: {bootstraps: 3, starts: 2, subsamples: 2, challengers: [kmeans, network_fusion]}
profiles: {people: 3}
"""
_GENES = 40
_COUNT = re.compile(r"^(\w+) +(\d+)$", re.MULTILINE)


def environment(**changed: str) -> dict[str, str]:
    """The environment of a user whose PATH has the commands of this installation."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NOCIOMICS_", "MLFLOW_", "COV_"))}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **changed}


def command(*words: object, cwd: Path, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run one command as a user would; nothing is raised for a bad exit."""
    return subprocess.run(
        [str(word) for word in words], cwd=cwd, env=environment(**changed), capture_output=True, text=True, timeout=400
    )


def run(study: Path, folder: Path, *more: str, warm: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a study's whole workflow in a folder, which must go well; its steps are forked from a warm process or not."""
    folder.mkdir(parents=True, exist_ok=True)
    finished = command("nociomics", "run", study, "--cores", "2", *more, cwd=folder, **(warm_steps() if warm else {}))
    assert finished.returncode == 0, finished.stderr
    return finished


def simulated(folder: Path, seed: int, patients: int = 120) -> Path:
    """Simulate a cohort with few genes and short settings; return its study file."""
    finished = command("nociomics", "simulate", folder, "--patients", patients, "--seed", seed, cwd=folder.parent)
    assert finished.returncode == 0, finished.stderr
    counts = pl.read_parquet(folder / "counts.parquet")
    # Not more genes than a modality may have as it is, beside those that the simulation gives a meaning.
    counts.select(counts.columns[: _GENES + 1]).write_parquet(folder / "counts.parquet")
    study = folder / "study.yaml"
    study.write_text(study.read_text(encoding="utf-8") + SMALL_SETTINGS, encoding="utf-8")
    return study


def without(study: Path, folder: Path, keep: tuple[str, ...], target: str = "") -> Path:
    """Make a study of some tables of another one; ``target`` is the text of its target section."""
    folder.mkdir(parents=True)
    for table in keep:
        (folder / f"{table}.csv").write_bytes((study.parent / f"{table}.csv").read_bytes())
    tables = "\n".join(f"  {table}: {table}.csv" for table in keep)
    text = f"study: {folder.name}\nseed: 1\ntables:\n{tables}\n{target}{SMALL_SETTINGS}tracking: {{enabled: false}}\n"
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    return folder / "study.yaml"


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Make a folder once for all tests, also when several workers share them."""
    base = factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def job_counts(printed: str) -> dict[str, int]:
    """Read Snakemake's table of jobs; the two names of the rule that asks for everything become one."""
    table = printed.split("Job stats:")[1].split("\n\n")[0]
    return {{"default": "all"}.get(rule, rule): int(count) for rule, count in _COUNT.findall(table)}
