"""What a user is told when a run fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nociomics.cli.run_failures import only_tracking_failed, what_failed

BEGAN = 1_000_000.0


def logs(folder: Path, texts: dict[str, str], at: float = BEGAN + 5) -> Path:
    for name, text in texts.items():
        path = folder / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (at, at))
    return folder


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"fit.log": "INFO a\nERROR: too few people.\n"}, "too few people."),
        ({"fit.log": "bash: line 1: nociomics: command not found\n"}, "has no nociomics on its PATH"),
        ({"fit.log": "OSError: [Errno 28] No space left on device\n"}, "A disk is full"),
        ({"snakemake.log": "slurmstepd: error: Detected 1 oom-kill event(s)\n"}, "more memory than it had asked for"),
        ({"snakemake.log": "LockException:\n"}, "another run is at work here"),
        (
            {
                "snakemake.log": "Output a.parquet has older modification time (2026-01-01 03:05:42.269186) than input "
                "/data/a.csv (2026-01-01 06:00:00). This could indicate a clock skew problem in your network\n"
            },
            "/data/a.csv: dated in the future",
        ),
        ({"deep/fit.log": "Traceback (most recent call last):\n"}, "this is a bug"),
        ({"snakemake.log": "something else\n"}, "snakemake.log"),
    ],
)
def test_the_cause_is_told(tmp_path: Path, texts: dict[str, str], said: str) -> None:
    assert said in what_failed(logs(tmp_path, texts), BEGAN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slurm_script: 4: /data/env/bin/python: not found\n", "has no nociomics on its PATH"),
        ("line 4: /data/env/bin/python3.11: No such file or directory\n", "has no nociomics on its PATH"),
        ("ModuleNotFoundError: No module named 'snakemake'\n", "has no nociomics on its PATH"),
        ("/data/env/bin/python: No module named snakemake\n", "has no nociomics on its PATH"),
        ("error: Step 5.0 exceeded memory limit (600 > 500), being killed\n", "more memory than it had asked for"),
        ("error: *** JOB 5 ON a CANCELLED AT 2026-01-01T00:00:00 DUE TO TIME LIMIT ***\n", "runtime=240"),
    ],
)
@pytest.mark.parametrize("log", ["slurm_logs/group_prepare/7.log", "generic-7.log"])
def test_what_a_cluster_says_of_its_jobs_is_told(tmp_path: Path, log: str, text: str, said: str) -> None:
    results = logs(tmp_path / "results" / "study", {"snakemake.log": "Error in group prepare:\n"})
    path = tmp_path / ".snakemake" / log
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    told = what_failed(results, BEGAN)
    assert said in told and len(told.splitlines()) == 1


def test_all_errors_are_told_at_once_and_each_only_once(tmp_path: Path) -> None:
    same = "ERROR: the disk cannot be written."
    told = what_failed(logs(tmp_path, {"a.log": same, "b.log": same, "c.log": "ERROR: too few people."}), BEGAN)
    assert told.splitlines() == ["the disk cannot be written.", "too few people."]


def test_logs_of_an_earlier_run_say_nothing(tmp_path: Path) -> None:
    logs(tmp_path, {"old.log": "ERROR: of yesterday."}, at=BEGAN - 60)
    assert "yesterday" not in what_failed(logs(tmp_path, {"snakemake.log": "x"}), BEGAN)


@pytest.mark.parametrize(
    ("log", "only"),
    [
        ("Error in rule log_run:\n", True),
        ("    Error in rule initialise_tracking:\nError in rule log_strata:\n", True),
        ("Error in rule log_run:\nError in rule fit_response:\n", False),
        ("Error in rule log_run:\nError in group finish, jobs:\n", False),
        ("LockException:\n", False),
    ],
)
def test_a_run_whose_tracking_alone_failed_is_told_from_others(tmp_path: Path, log: str, only: bool) -> None:
    (tmp_path / "snakemake.log").write_text(log, encoding="utf-8")
    assert only_tracking_failed(tmp_path / "snakemake.log") == only
