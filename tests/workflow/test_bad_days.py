"""A tracking server that is away, a wrong clock, a full disk, two runs at once: what is run again, and what is not."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.workflow.left_over import half_written
from tests.workflow.study_runs import command, job_counts, run
from tests.workflow.warm_steps import warm_steps

AWAY = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}


@pytest.fixture(scope="module")
def tracked_study(light_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The light study in a folder of its own, whose files may be changed; it is to be logged."""
    folder = tmp_path_factory.mktemp("tracked") / "light"
    shutil.copytree(light_study.parent, folder)
    study = folder / "study.yaml"
    text = study.read_text(encoding="utf-8").replace("tracking: {enabled: false}\n", "")
    study.write_text(text, encoding="utf-8")
    return study


@pytest.fixture(scope="module")
def logged_later(tracked_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run without its tracking server, and again when there was one."""
    folder = tmp_path_factory.mktemp("logged_later")
    results = folder / "results" / "light"
    first = command("nociomics", "run", tracked_study, "--cores", 2, cwd=folder, **warm_steps(), **AWAY)
    assert first.returncode == 0, first.stderr
    assert "NOT LOGGED: the tracking store http://127.0.0.1:9 refused" in first.stderr
    assert "run the same command again" in first.stderr
    assert (results / "strata" / "report.html").is_file() and (results / "report.html").is_file()
    assert not (results / "strata" / "tracking.json").exists()
    run(tracked_study, folder)
    return folder


def test_a_run_without_its_tracking_server_is_whole_and_logged_later(logged_later: Path) -> None:
    results = logged_later / "results" / "light"
    assert (results / "strata" / "tracking.json").is_file()
    log = (results / "logs" / "snakemake.log").read_text(encoding="utf-8")
    assert "rule log_strata:" in log and "rule find_strata:" not in log, "only the logging was left to do"


def test_files_of_tomorrow_do_not_run_everything_again(logged_later: Path, tracked_study: Path) -> None:
    words = ("nociomics", "run", tracked_study, "--", "-n")
    features = logged_later / "results" / "light" / "harmonised" / "features.parquet"
    touched = [tracked_study.parent / "questionnaires.csv", features]
    before = {path: path.stat() for path in touched}
    tomorrow = time.time() + 86_400
    try:
        for path in touched:
            os.utime(path, (tomorrow, tomorrow))
        told = command(*words, cwd=logged_later)
        assert "Nothing to be done" in told.stdout + told.stderr
        by_time = command(*words, "--max-checksum-file-size", "0", cwd=logged_later)
        assert "rule ingest_tables:" in by_time.stdout + by_time.stderr, "by their times alone they would"
    finally:
        for path, stat in before.items():
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_file_of_other_content_is_read_again_however_old_it_is(logged_later: Path, tracked_study: Path) -> None:
    table = tracked_study.parent / "questionnaires.csv"
    before, stat = table.read_bytes(), table.stat()
    table.write_bytes(before + b"\n")
    os.utime(table, (stat.st_atime - 86_400, stat.st_mtime - 86_400))
    try:
        told = command("nociomics", "run", tracked_study, "--", "-n", cwd=logged_later)
    finally:
        table.write_bytes(before)
        os.utime(table, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert {"ingest_tables", "digest_inputs"} <= set(job_counts(told.stdout + told.stderr))


def test_a_file_of_tomorrow_is_named_when_it_is_first_read(light_study: Path, tmp_path: Path) -> None:
    shutil.copytree(light_study.parent, tmp_path / "study")
    table = tmp_path / "study" / "questionnaires.csv"
    tomorrow = time.time() + 86_400
    os.utime(table, (tomorrow, tomorrow))
    told = command("nociomics", "run", tmp_path / "study" / "study.yaml", cwd=tmp_path, **warm_steps())
    assert told.returncode == 1
    assert told.stderr.endswith(
        f"ERROR: {table}: dated in the future. Set the clock of this machine, or of that which wrote the file, date "
        "the file anew (`touch`), and run the same command again.\n"
    )
    assert half_written(tmp_path) == []


def test_a_changed_setting_runs_again_what_depends_on_it(logged_later: Path, tracked_study: Path) -> None:
    text = tracked_study.read_text(encoding="utf-8")
    tracked_study.write_text(text.replace("strata: {bootstraps: 3", "strata: {bootstraps: 4"), encoding="utf-8")
    try:
        told = command("nociomics", "run", tracked_study, "--", "-n", cwd=logged_later)
    finally:
        tracked_study.write_text(text, encoding="utf-8")
    planned = job_counts(told.stdout + told.stderr)
    assert "find_strata" in planned
    assert not {"ingest_tables", "harmonise_features", "measure_quality"} & set(planned)


def test_a_changed_file_runs_again_what_reads_it(logged_later: Path, tracked_study: Path) -> None:
    table = tracked_study.parent / "questionnaires.csv"
    before = table.read_bytes()
    table.write_bytes(before + b"\n")
    try:
        told = command("nociomics", "run", tracked_study, "--", "-n", cwd=logged_later)
    finally:
        table.write_bytes(before)
    planned = job_counts(told.stdout + told.stderr)
    assert {"ingest_tables", "digest_inputs"} <= set(planned)
    assert "initialise_tracking" not in planned


# -- a full disk, two runs at once


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A disk of so many bytes on a folder."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("a small disk can be mounted only by root")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def require_full(told: subprocess.CompletedProcess[str], folder: Path) -> None:
    """The run ended with a message and left nothing half-written."""
    assert told.returncode == 1
    assert "ERROR: " in told.stderr and "Free some space" in told.stderr and "run the same command again" in told.stderr
    assert "Traceback" not in told.stderr
    assert half_written(folder) == []


@pytest.mark.parametrize(
    "size",
    [
        "48k",  # less than the run's own log
        pytest.param("400k", marks=pytest.mark.skipif(not os.environ.get("NOCIOMICS_NIGHTLY"), reason="nightly")),
    ],
)
def test_a_full_disk_of_results_ends_the_run_with_a_message(size: str, light_study: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "results", size):
        told = command("nociomics", "run", light_study, "--cores", 2, cwd=tmp_path, **warm_steps())
        require_full(told, tmp_path)


def test_a_full_scratch_disk_ends_the_run_with_a_message(light_study: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    with small_disk(scratch, "1m"):
        with pytest.raises(OSError, match="No space left"), (scratch / "of_others").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        told = command("nociomics", "run", light_study, cwd=tmp_path, TMPDIR=str(scratch), **warm_steps())
    require_full(told, tmp_path)


def test_a_second_run_of_one_study_leaves_the_first_alone(light_study: Path, tmp_path: Path) -> None:
    log = tmp_path / "results" / "light" / "logs" / "snakemake.log"
    log.parent.mkdir(parents=True)
    with log.open("w", encoding="utf-8") as first:
        first.write("what the first run said\n")
        first.flush()
        fcntl.flock(first, fcntl.LOCK_EX)
        told = command("nociomics", "run", light_study, cwd=tmp_path)
    assert told.returncode == 1
    assert told.stderr == f"ERROR: {tmp_path}: another run is at work here. Wait for it to end, or stop it.\n"
    assert log.read_text(encoding="utf-8") == "what the first run said\n"
