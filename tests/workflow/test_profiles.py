"""Profiles for clusters: every rule has its place, sizes grow with the attempt and follow from what was measured."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.workflow.study_runs import ROOT, command

REMOTE = ("slurm", "generic", "kubernetes", "aws-batch", "google-batch")
PLUGINS = {
    "slurm": ("snakemake_executor_plugin_slurm",),
    "generic": ("snakemake_executor_plugin_cluster_generic",),
    "kubernetes": ("snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_fs"),
    "aws-batch": ("snakemake_executor_plugin_aws_batch", "snakemake_storage_plugin_fs"),
    "google-batch": ("snakemake_executor_plugin_googlebatch", "snakemake_storage_plugin_fs"),
}
VARIABLES = {
    "NOCIOMICS_IMAGE": "registry.example/nociomics:1",
    "NOCIOMICS_VOLUME": "claim:/data",
    "NOCIOMICS_SHARED": "/",
    "NOCIOMICS_QUEUE": "queue",
    "NOCIOMICS_ROLE": "arn:aws:iam::1:role/nociomics",
    "NOCIOMICS_PROJECT": "project",
    "NOCIOMICS_REGION": "europe-west1",
    "AWS_REGION": "eu-west-1",
}
remote = pytest.mark.parametrize("name", REMOTE)


def rules() -> dict[str, str]:
    """The text of every rule that runs a command, also of those that only some studies have."""
    texts = [file.read_text(encoding="utf-8") for file in sorted((ROOT / "workflow" / "rules").glob("*.smk"))]
    parts = [re.split(r"^ *(?:use rule \w+ as|rule) (\w+)(?: with)?:$", text, flags=re.MULTILINE) for text in texts]
    return {name: text for part in parts for name, text in zip(part[1::2], part[2::2], strict=True)}


RULES = rules()


def profile(name: str) -> dict[str, object]:
    read: dict[str, object] = yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8"))
    return read


@remote
def test_every_rule_that_is_sent_travels_in_a_group(name: str) -> None:
    sent = {rule for rule, text in RULES.items() if "localrule: True" not in text}
    groups = profile(name)["groups"]
    assert isinstance(groups, dict)
    assert sorted(sent - set(groups)) == [], "these would be jobs of their own"
    assert sorted(set(groups) - sent) == [], "these are no rules, or rules that are not sent"


@remote
def test_what_a_job_asks_for_grows_with_every_attempt(name: str) -> None:
    told = profile(name)
    assert told["retries"] == 2
    usual, own = told["default-resources"], told["set-resources"]
    assert isinstance(usual, dict) and isinstance(own, dict)
    amounts = [usual["mem_mb"], usual["runtime"], *(amount for sizes in own.values() for amount in sizes.values())]
    assert [amount for amount in amounts if not re.fullmatch(r"\d+ \* attempt", amount)] == []
    assert set(own) <= set(RULES)


@remote
def test_sizes_and_groups_are_the_same_on_every_engine(name: str) -> None:
    parts = ("default-resources", "set-resources", "resources", "set-resource-scopes", "groups", "group-components")
    assert {part: profile(name)[part] for part in parts} == {part: profile("slurm")[part] for part in parts}


@remote
def test_a_profile_plans_the_whole_study(name: str, light_study: Path, tmp_path: Path) -> None:
    absent = [plugin for plugin in PLUGINS[name] if importlib.util.find_spec(plugin) is None]
    if absent:
        pytest.skip(f"not installed: {', '.join(absent)}")
    told = command("nociomics", "run", light_study, "--", "--profile", name, "-n", cwd=tmp_path, **VARIABLES)
    said = told.stdout + told.stderr
    assert told.returncode == 0, said
    assert f"profiles/{name} for setting default command line arguments" in said
    assert "This was a dry-run" in said and "rule report_strata:" in said


# -- the status of the generic engine


@pytest.mark.parametrize(
    ("squeue", "sacct", "word"),
    [
        ("COMPLETED", "", "success"),
        ("PENDING", "", "running"),
        ("CONFIGURING", "", "running"),
        ("COMPLETING", "", "running"),
        ("OUT_OF_MEMORY", "", "failed"),
        ("CANCELLED", "", "failed"),
        ("", "COMPLETED", "success"),
        ("", "CANCELLED by 0", "failed"),
        ("", "", "failed"),
    ],
)
def test_the_state_of_a_job_is_said_in_snakemakes_words(squeue: str, sacct: str, word: str, tmp_path: Path) -> None:
    for program, state in (("squeue", squeue), ("sacct", sacct)):
        file = tmp_path / program
        file.write_text(f"#!/bin/sh\n[ -z '{state}' ] || echo '{state}'\n", encoding="utf-8")
        file.chmod(0o755)
    script = ROOT / "profiles" / "generic" / "job_status.sh"
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    told = subprocess.run([script, "17"], env={"PATH": path}, capture_output=True, text=True, check=True)
    assert told.stdout == f"{word}\n"


# -- sizes from benchmark files


@pytest.fixture(scope="module")
def sizes() -> ModuleType:
    script = ROOT / "workflow" / "scripts" / "size_jobs.py"
    spec = importlib.util.spec_from_file_location("size_jobs", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its data classes look for their own module
    spec.loader.exec_module(module)
    return module


def benchmark(results: Path, rule: str, seconds: float, megabytes: str) -> None:
    file = results / "benchmarks" / f"{rule}.tsv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t{megabytes}\n", encoding="utf-8")


def test_the_most_of_all_jobs_and_runs_is_asked_for_with_room(sizes: ModuleType, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    benchmark(one, "small", 2, "100")
    benchmark(one, "short", 0.01, "-")
    benchmark(one, "parts/a", 5, "900")
    benchmark(one, "parts/b", 3600, "200")
    benchmark(two, "parts/a", 5, "1000")
    uses = sizes.measured([one, two])
    assert sizes.profile_lines(uses) == [
        "set-resources:",
        "  parts:",
        "    mem_mb: 2000 * attempt",  # 1.5 * 1000 + 300, in steps of 500
        "    runtime: 180 * attempt",
    ]
    assert [line.split(" | ")[0] for line in sizes.table_lines(uses)[2:]] == ["| `parts`", "| `short`", "| `small`"]


def test_a_folder_without_a_run_is_named(sizes: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no benchmark files"):
        sizes.measured([tmp_path])
