"""A real Slurm of one node: the same results as on one machine, and nothing lost when a job or a run is killed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.conftest import shared
from tests.workflow.conftest import Run
from tests.workflow.study_runs import ROOT, command, environment, run

PROFILE = ("--", "--profile", "slurm")
PATIENCE = 600
# Times, addresses of folders and the names of MLflow's runs differ; nothing else may.
APART = ("logs/", "benchmarks/", "tracking", "strata/tracking.json")


@pytest.fixture(scope="module", autouse=True)
def slurm() -> Iterator[None]:
    """A Slurm of one node: one that answers already is used and left running, else one is started and stopped."""
    if find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.skip("the extra slurm is not installed: uv sync --inexact --extra slurm")
    if shutil.which("sinfo") and subprocess.run(["sinfo", "-h"], capture_output=True).returncode == 0:
        yield
        return
    recipe = shared("recipes/slurm-one-node.sh")
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("a Slurm can be started only by root on a Debian machine")
    try:
        # the recipe asks nproc, which would count OMP_NUM_THREADS and not cores
        cores = {**os.environ, "SLURM_ONE_CPUS": str(os.cpu_count())}
        started = subprocess.run(["bash", str(recipe), "start"], capture_output=True, text=True, timeout=180, env=cores)
    except subprocess.TimeoutExpired:
        pytest.skip("Slurm did not start within three minutes")
    if started.returncode:
        pytest.skip(f"Slurm did not start: {started.stderr.strip().splitlines()[-1]}")
    yield
    subprocess.run(["bash", str(recipe), "stop"], check=True, capture_output=True, timeout=60)


def begun(study: Path, folder: Path, *more: str) -> subprocess.Popen[str]:
    """Start a run through Slurm, in a process group of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        ["nociomics", "run", str(study), *PROFILE, *more],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def jobs(folder: Path, *states: str) -> list[str]:
    """Ids of the jobs that were sent from a folder and are in one of the states."""
    told = subprocess.run(
        ["squeue", "-h", "-t", ",".join(states), "-o", "%i %Z"], check=True, capture_output=True, text=True
    ).stdout
    return [line.split(" ", 1)[0] for line in told.splitlines() if line.split(" ", 1)[1] == str(folder)]


def wait(what: str, until: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert process is None or process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)


def wait_for_step(process: subprocess.Popen[str], folder: Path, study: str) -> str:
    """Wait until a step of our own has begun within a job, and return the job's id."""
    wait("a job at work", lambda: jobs(folder, "RUNNING"), process)
    wait("its first step", lambda: list((folder / "results" / study / "logs").glob("ingest_tables.log")), process)
    return jobs(folder, "RUNNING")[0]


def half_written(folder: Path) -> list[str]:
    """Drafts, which begin with a dot, and tables that cannot be read."""
    results = folder / "results"
    # a mark that Snakemake leaves in folders that are finished
    bad = [path.name for path in results.rglob(".*") if path.name != ".snakemake_timestamp"]
    for path in results.rglob("*.parquet"):
        try:
            pl.read_parquet(path)
        except pl.exceptions.PolarsError:
            bad.append(path.name)
    return bad


def require_equal(first: Path, second: Path) -> None:
    """Compare every file of two folders of results: tables cell by cell, everything byte by byte."""
    kept = [
        {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        for folder in (first, second)
    ]
    ours, theirs = ({name: path for name, path in files.items() if not name.startswith(APART)} for files in kept)
    assert ours.keys() == theirs.keys()
    for name in ours:
        if name.endswith(".parquet"):
            assert_frame_equal(pl.read_parquet(ours[name]), pl.read_parquet(theirs[name]), check_exact=True)
    assert [name for name in ours if ours[name].read_bytes() != theirs[name].read_bytes()] == []


@pytest.fixture(scope="module")
def local(light_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The light study on this machine alone."""
    folder = tmp_path_factory.mktemp("local")
    run(light_study, folder)
    return folder / "results" / "light"


def test_a_study_through_slurm_gives_what_it_gives_on_one_machine(finished: Run, study: Path, tmp_path: Path) -> None:
    told = begun(study, tmp_path, "--omit-from", "initialise_tracking")
    _, said = told.communicate(timeout=2 * PATIENCE)
    assert told.returncode == 0, said
    require_equal(finished.results, tmp_path / "results" / "small")
    log = (tmp_path / "results" / "small" / "logs" / "snakemake.log").read_text(encoding="utf-8")
    sent = re.findall(r"has been submitted with SLURM jobid (\d+)", log)
    assert 0 < len(sent) <= 10, "a small study is a handful of jobs"


def test_a_job_that_exceeds_its_memory_is_sent_again_with_more(tmp_path: Path) -> None:
    rule = """rule hungry:
    output: "done.txt"
    shell: "python -c 'import time; held = bytearray(550_000_000); time.sleep(8)' && echo {resources.mem_mb} > {output}"
"""
    (tmp_path / "Snakefile").write_text(rule, encoding="utf-8")
    asked = ("--set-resources", "hungry:mem_mb=500*attempt")
    told = command("snakemake", "--profile", ROOT / "profiles" / "slurm", *asked, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "done.txt").read_text(encoding="utf-8") == "1000\n"
    assert len(re.findall(r"has been submitted with SLURM jobid", told.stdout + told.stderr)) == 2


def test_ctrl_c_ends_the_jobs_and_leaves_nothing_half_written(light_study: Path, tmp_path: Path) -> None:
    process = begun(light_study, tmp_path)
    wait_for_step(process, tmp_path, "light")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert told.endswith("Interrupted. Nothing half-written was left; run the same command again to go on.\n")
    wait("the end of its jobs", lambda: not jobs(tmp_path, "PENDING", "RUNNING", "COMPLETING"))
    assert half_written(tmp_path) == []
    assert not (tmp_path / "results" / "light" / "report.html").exists()


def test_jobs_and_runs_that_were_killed_are_picked_up(light_study: Path, local: Path, tmp_path: Path) -> None:
    first = begun(light_study, tmp_path)
    cancelled = wait_for_step(first, tmp_path, "light")
    subprocess.run(["scancel", cancelled], check=True)
    # the profile sends it again by itself
    wait("the job sent again", lambda: set(jobs(tmp_path, "RUNNING")) - {cancelled}, first)
    os.killpg(first.pid, signal.SIGKILL)
    snakemakes(tmp_path)
    first.communicate(timeout=60)
    refused = command("nociomics", "run", light_study, *PROFILE, cwd=tmp_path)
    assert refused.returncode == 1
    assert "another run is at work here, or an earlier one was ended by force" in refused.stderr
    left = jobs(tmp_path, "PENDING", "RUNNING")
    subprocess.run(["scancel", *left], check=True)
    wait("the end of its jobs", lambda: not jobs(tmp_path, "PENDING", "RUNNING", "COMPLETING"))
    assert command("nociomics", "run", light_study, "--", "--unlock", cwd=tmp_path).returncode == 0
    told = command("nociomics", "run", light_study, *PROFILE, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert half_written(tmp_path) == []
    require_equal(local, tmp_path / "results" / "light")


def snakemakes(folder: Path) -> None:
    """End by force the Snakemake that a killed run left in a folder, and not those within its jobs."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            here = (process / "cwd").resolve() == folder
        except OSError:
            continue
        if here and b"snakemake" in words and b"slurm-jobstep" not in words and b"--mode" not in words:
            os.kill(int(process.name), signal.SIGKILL)
