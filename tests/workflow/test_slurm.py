"""A real Slurm: the same results as on one machine, and nothing lost when jobs, runs or whole nodes are killed.

On every change: one small study that is stopped, cancelled and killed. With NOCIOMICS_NIGHTLY=1 also the demo's 600
people (NOCIOMICS_SLURM_STUDY=small: 120, every step all the same), three nodes of which one dies, and a job array.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest
import yaml
from polars.testing import assert_frame_equal

from tests.conftest import shared
from tests.workflow.left_over import half_written
from tests.workflow.slurm_cluster import Cluster, cluster
from tests.workflow.study_runs import ROOT, command, environment, run

# Looks at the jobs sooner than the profile does: after 1 s, 12 s, 33 s, ...
PROFILE = ("--", "--profile", "slurm", "--slurm-init-seconds-before-status-checks", "1")
PATIENCE = 900
SENT = re.compile(r"has been submitted with SLURM jobid (\d+)")
# Times, addresses of folders and the names of MLflow's runs differ; nothing else may.
APART = ("logs/", "benchmarks/", "tracking", "strata/tracking.json")
nightly = pytest.mark.skipif(not os.environ.get("NOCIOMICS_NIGHTLY"), reason="takes minutes: NOCIOMICS_NIGHTLY=1")


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
        cores = {**os.environ, "SLURM_ONE_CPUS": str(max(2, os.cpu_count() or 1))}
        started = subprocess.run(["bash", str(recipe), "start"], capture_output=True, text=True, timeout=300, env=cores)
        if started.returncode:
            pytest.skip(f"Slurm did not start: {started.stderr.strip().splitlines()[-1]}")
        yield
    except subprocess.TimeoutExpired:
        pytest.skip("Slurm did not start within five minutes")
    finally:
        subprocess.run(["bash", str(recipe), "stop"], check=True, capture_output=True, timeout=120)


@pytest.fixture
def own_nodes(slurm: None) -> None:
    """Nodes of our own need the rights to mount."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"]).returncode:
        pytest.skip("nodes of our own can be started only by root, with mounts of their own")


# -- looking at a run from outside


@dataclass
class Going:
    """A run that was begun through Slurm in a folder."""

    folder: Path
    process: subprocess.Popen[str]
    slurm: Cluster

    def jobs(self, *states: str) -> dict[str, str]:
        """The jobs that were sent from this folder and are in one of the states, with their nodes."""
        told = self.slurm.asked("squeue", "-h", "-t", ",".join(states), "-o", "%i|%N|%Z").splitlines()
        split = [line.split("|") for line in told]
        return {job: node for job, node, folder in split if folder == str(self.folder)}

    def wait(self, what: str, until: Callable[[], object]) -> None:
        """Wait for something, for as long as the run is at work."""
        deadline = time.monotonic() + PATIENCE
        while not until():
            assert self.process.poll() is None, f"ended before {what}: {self.process.communicate()[1]}"
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.05)

    def steps(self, job: str) -> list[int]:
        """Processes of a job that are a step of ours at work."""
        return [
            number
            for number, words, variables in processes()
            if f"SLURM_JOB_ID={job}" in variables and Path([*words, "", ""][1]).name == "nociomics"
        ]

    def job_at_work(self, but: set[str] | None = None) -> str:
        """Wait until a step of a job is at work, of another job than those; return the job."""
        found: list[str] = []

        def look() -> bool:
            found[:] = [job for job in self.jobs("RUNNING") if job not in (but or set()) and self.steps(job)]
            return bool(found)

        self.wait("a step at work", look)
        return found[0]

    def ended(self) -> str:
        """Wait for the end of the run, and return what it said."""
        return self.process.communicate(timeout=PATIENCE)[1]


def processes() -> Iterator[tuple[int, list[str], list[str]]]:
    """Every process with its words and variables."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words, variables = (
                (folder / part).read_bytes().decode(errors="replace").split("\0") for part in ("cmdline", "environ")
            )
            yield int(folder.name), words, variables


def begun(study: Path, folder: Path, *more: str, slurm: Cluster | None = None) -> Going:
    """Start a run through Slurm."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = slurm or Cluster({})
    process = subprocess.Popen(
        ["nociomics", "run", str(study), *PROFILE, *more],
        cwd=folder,
        env=environment(**asked.variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Going(folder, process, asked)


def wait_for_no_jobs(going: Going) -> None:
    deadline = time.monotonic() + PATIENCE
    while going.jobs("PENDING", "RUNNING", "COMPLETING"):
        assert time.monotonic() < deadline, "waited in vain for the end of the jobs"
        time.sleep(0.1)


def log_of(folder: Path, study: str) -> str:
    return (folder / "results" / study / "logs" / "snakemake.log").read_text(encoding="utf-8")


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


# -- a job, a run


def test_a_job_that_exceeds_its_memory_is_sent_again_with_more(tmp_path: Path) -> None:
    # it holds more than it asked for until it is ended for that, and ends by itself only when it may have so much
    rule = """rule hungry:
    output: "done.txt"
    shell: "python -c 'import sys, time; held = bytearray(550_000_000); time.sleep(600 * (int(sys.argv[1]) < 900))' "
        "{resources.mem_mb} && echo {resources.mem_mb} > {output}"
"""
    (tmp_path / "Snakefile").write_text(rule, encoding="utf-8")
    asked = (*PROFILE[3:], "--set-resources", "hungry:mem_mb=500*attempt")
    told = command("snakemake", "--profile", ROOT / "profiles" / "slurm", *asked, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "done.txt").read_text(encoding="utf-8") == "1000\n"
    assert len(SENT.findall(told.stdout + told.stderr)) == 2


@dataclass(frozen=True)
class Stopped:
    """What was there when a run had been interrupted."""

    folder: Path
    exit_code: int
    said: str
    half_written: list[str]
    finished: list[str]


@pytest.fixture(scope="module")
def stopped(light_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    """The light study, interrupted by Ctrl-C when a step of its first job was at work."""
    going = begun(light_study, tmp_path_factory.mktemp("stopped"))
    going.job_at_work()
    going.process.send_signal(signal.SIGINT)
    said = going.ended()
    wait_for_no_jobs(going)
    reports = [path.name for path in going.folder.rglob("report.html")]
    return Stopped(going.folder, going.process.returncode, said, half_written(going.folder), reports)


def test_ctrl_c_ends_the_jobs_and_leaves_nothing_half_written(stopped: Stopped) -> None:
    assert stopped.exit_code == 130
    assert stopped.said.endswith("Interrupted. Nothing half-written was left; run the same command again to go on.\n")
    assert stopped.half_written == [] and stopped.finished == []


def test_what_was_stopped_cancelled_and_killed_ends_as_on_one_machine(
    stopped: Stopped, light_study: Path, local: Path
) -> None:
    going = begun(light_study, stopped.folder)
    cancelled = going.job_at_work()
    before = set(going.jobs("RUNNING"))
    going.slurm.asked("scancel", cancelled)
    second = command("nociomics", "run", light_study, *PROFILE, cwd=stopped.folder)
    assert second.returncode == 1
    assert "another run is at work here" in second.stderr

    def killed() -> bool:
        if going.jobs("FAILED"):
            return True
        # the profile sends the cancelled job again by itself; here it comes, or one behind it
        for job in going.jobs("RUNNING").keys() - before:
            for step in going.steps(job):
                with suppress(ProcessLookupError):
                    os.kill(step, signal.SIGKILL)
        return False

    going.wait("a job that failed since its step was killed", killed)
    said = going.ended()
    assert going.process.returncode == 0, said
    log = log_of(stopped.folder, "light")
    assert "\0" not in log, "the second run left the log of the first alone"
    restarted = log.count("Trying to restart job")
    assert restarted >= 2, "the job that was cancelled, and that whose step was killed"
    assert len(SENT.findall(log)) - restarted <= 4, "a small study is a handful of jobs"
    assert half_written(stopped.folder) == []
    require_equal(local, stopped.folder / "results" / "light")


def test_a_node_without_the_environment_is_told_in_one_line(own_nodes: None, light_study: Path, tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster", ("bare",), hidden=Path(sys.prefix)) as slurm:
        going = begun(light_study, tmp_path / "run", "--retries", "0", slurm=slurm)
        said = going.ended()
    assert going.process.returncode == 1
    assert said == (
        "ERROR: A step ran on a machine that has no nociomics on its PATH. Start the run from an environment that all "
        "machines share, and run the same command again.\n"
    )
    assert half_written(going.folder) == []


# -- at night


@nightly
def test_a_run_that_was_ended_by_force_is_picked_up(light_study: Path, local: Path, tmp_path: Path) -> None:
    going = begun(light_study, tmp_path)
    going.job_at_work()
    snakemake = int(Path(f"/proc/{going.process.pid}/task/{going.process.pid}/children").read_text().split()[0])
    for number in (going.process.pid, snakemake):
        os.kill(number, signal.SIGKILL)
    going.ended()
    refused = command("nociomics", "run", light_study, *PROFILE, cwd=tmp_path)
    assert refused.returncode == 1
    assert "another run is at work here, or an earlier one was ended by force" in refused.stderr
    for job in going.jobs("PENDING", "RUNNING"):
        going.slurm.asked("scancel", job)
    wait_for_no_jobs(going)
    assert command("nociomics", "run", light_study, "--", "--unlock", cwd=tmp_path).returncode == 0
    again = begun(light_study, tmp_path)
    said = again.ended()
    assert again.process.returncode == 0, said
    assert half_written(tmp_path) == []
    require_equal(local, tmp_path / "results" / "light")


@pytest.fixture(scope="module")
def whole_study(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The study file of the demo, or of the small cohort with every step."""
    if os.environ.get("NOCIOMICS_SLURM_STUDY", "demo") == "small":
        small: Path = request.getfixturevalue("study")
        return small
    folder = tmp_path_factory.mktemp("demo")
    made = command("nociomics", "simulate", "demo", "--patients", 600, "--seed", 1, cwd=folder)
    assert made.returncode == 0, made.stderr
    return folder / "demo" / "study.yaml"


@nightly
def test_a_whole_study_through_slurm_gives_what_it_gives_on_one_machine(whole_study: Path, tmp_path: Path) -> None:
    name = yaml.safe_load(whole_study.read_text(encoding="utf-8"))["study"]
    # MLflow's runs have names of their own
    skip = ("--omit-from", "initialise_tracking")
    going = begun(whole_study, tmp_path / "slurm", *skip)
    said = going.process.communicate(timeout=3600)[1]
    assert going.process.returncode == 0, said
    with subprocess.Popen(
        ["nociomics", "run", str(whole_study), "--cores", "2", "--", *skip], cwd=tmp_path, env=environment()
    ) as local:
        assert local.wait(3600) == 0
    require_equal(tmp_path / "results" / name, tmp_path / "slurm" / "results" / name)
    assert 0 < len(SENT.findall(log_of(tmp_path / "slurm", name))) <= 12, "a study of hundreds is a handful of jobs"


@nightly
def test_a_node_that_dies_ends_no_run(own_nodes: None, light_study: Path, local: Path, tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster", ("one", "two", "three")) as slurm:
        going = begun(light_study, tmp_path / "run", slurm=slurm)
        job = going.job_at_work()
        died = going.jobs("RUNNING")[job]
        slurm.cut_power(died)

        def elsewhere() -> bool:
            # a node's jobs wait two minutes before Slurm sends them to another: this asks for it at once
            for waiting in going.jobs("PENDING"):
                with suppress(subprocess.CalledProcessError):
                    slurm.asked("scontrol", "update", f"jobid={waiting}", "StartTime=now")
            return going.process.poll() is not None

        going.process.poll()
        deadline = time.monotonic() + 2 * PATIENCE
        while not elsewhere():
            assert time.monotonic() < deadline, "the run did not end"
            time.sleep(0.5)
        said = going.ended()
        nodes = dict(line.split() for line in slurm.asked("sinfo", "-h", "-N", "-o", "%N %T").splitlines())
    assert going.process.returncode == 0, said
    assert nodes[died].startswith("down") and len([state for state in nodes.values() if state == "idle"]) == 2
    assert half_written(going.folder) == []
    require_equal(local, going.folder / "results" / "light")


@nightly
def test_a_job_array_may_return_in_any_order(own_nodes: None, tmp_path: Path) -> None:
    # every piece waits for the one behind it, so that the last returns first
    rules = """rule all:
    input: expand("piece_{number}.txt", number=[1, 2, 3])
    output: "all.txt"
    localrule: True
    shell: "cat {input} > {output}"
rule piece:
    output: "piece_{number}.txt"
    shell: "until [ {wildcards.number} = 3 ] || [ -e ended_$(({wildcards.number} + 1)) ]; do sleep 0.2; done; "
        "echo {wildcards.number} > {output}; touch ended_{wildcards.number}; echo {wildcards.number} >> order"
"""
    (tmp_path / "Snakefile").write_text(rules, encoding="utf-8")
    profile = ("--profile", ROOT / "profiles" / "slurm", "--slurm-array-jobs", "piece", *PROFILE[3:])
    with cluster(tmp_path / "cluster", ("one", "two", "three")) as slurm:
        told = command("snakemake", *profile, cwd=tmp_path, **slurm.variables)
    said = told.stdout + told.stderr
    assert told.returncode == 0, said
    assert (tmp_path / "order").read_text(encoding="utf-8") == "3\n2\n1\n"
    assert (tmp_path / "all.txt").read_text(encoding="utf-8") == "1\n2\n3\n"
    assert "Submitted array job with Snakemake IDs 1,2,3" in said


@nightly
def test_the_generic_engine_gives_what_one_machine_gives(light_study: Path, local: Path, tmp_path: Path) -> None:
    if find_spec("snakemake_executor_plugin_cluster_generic") is None:
        pytest.skip("not installed: snakemake_executor_plugin_cluster_generic")
    process = subprocess.run(
        ["nociomics", "run", str(light_study), "--", "--profile", "generic"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert process.returncode == 0, process.stderr
    require_equal(local, tmp_path / "results" / "light")
    assert "with external jobid" in log_of(tmp_path, "light")
