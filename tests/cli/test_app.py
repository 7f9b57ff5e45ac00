"""Every command explains itself, quickly, and ends as it should."""

from __future__ import annotations

import ast
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from nociomics import __version__
from nociomics.cli import main
from nociomics.cli.app import app
from tests.cli.conftest import Command

PROGRAM = Path(sys.executable).with_name("nociomics")
TYPED = sorted(command.callback.__name__ for command in app.registered_commands if command.callback)
STAGES = {
    str(group.name): [
        str(one.name or one.callback.__name__).replace("_", "-") for one in group.typer_instance.registered_commands
    ]
    for group in app.registered_groups
    if group.typer_instance is not None
}
STAGE_COMMANDS = [(stage, command) for stage, commands in STAGES.items() for command in commands]
HEAVY = {
    "polars",
    "pandas",
    "numpy",
    "pyarrow",
    "sklearn",
    "xgboost",
    "shap",
    "mlflow",
    "scipy",
    "pydantic",
    "snakemake",
}


def test_the_contract_names_these_commands() -> None:
    contract = {"simulate", "check", "run", "score", "biomarkers", "genotypes", "pgx", "predict"}
    assert contract <= set(TYPED)


@pytest.mark.parametrize("command", TYPED)
def test_every_command_that_people_type_has_help_with_an_example(command: str, nociomics: Command) -> None:
    told = nociomics(command, "--help")
    assert told.exit == 0
    assert re.search(rf"Example: nociomics {command} \S", " ".join(told.out.split())), told.out


@pytest.mark.parametrize(("stage", "command"), STAGE_COMMANDS, ids=" ".join)
def test_every_command_of_the_workflow_has_help(stage: str, command: str, nociomics: Command) -> None:
    told = nociomics(stage, command, "--help")
    assert told.exit == 0
    assert f"Usage: nociomics {stage} {command}" in told.out
    assert re.search(r"\n  [A-Z][^\n]+", told.out), "a sentence says what it does"


def test_the_version_is_the_packages(nociomics: Command) -> None:
    assert nociomics("--version").out == f"nociomics {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["check"],
        ["run", "study.yaml", "--coress", "2"],
        ["run", "study.yaml", "--cores", "two"],
        ["predict", "model", "study.yaml"],
        ["simulate", "demo", "--patients", "3"],
        ["response", "fit"],
        [],
    ],
    ids=" ".join,
)
def test_a_wrong_usage_ends_with_2(words: list[str], nociomics: Command) -> None:
    told = nociomics(*words)
    assert told.exit == 2
    assert "Traceback" not in told.err
    assert "Usage: nociomics" in told.err + told.out


def test_a_bug_keeps_its_traceback_and_asks_for_a_report(nociomics: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("nociomics.config.defaults_yaml", broken)
    told = nociomics("config")
    assert told.exit == 70
    assert "Traceback" in told.err and "ZeroDivisionError: of ours" in told.err
    assert told.err.endswith(
        "This is a bug in nociomics. Please report it with the lines above and the command you ran.\n"
    )


@pytest.mark.parametrize("stop", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupt_leaves_nothing_and_says_so(stop: str, tmp_path: Path) -> None:
    script = f"""
import os, signal, sys
from pathlib import Path
from nociomics.cli import main
from nociomics.tables import files

def interrupted(draft, text, encoding):
    draft.write_bytes(b"half")
    os.kill(os.getpid(), signal.{stop})

Path.write_text = interrupted
sys.argv = ["nociomics", "config", "--write", "out"]
main()
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 130, ended.stderr
    assert ended.stderr == "Interrupted. Nothing half-written was left; run the same command again to go on.\n"
    assert list((tmp_path / "out").iterdir()) == []


def test_a_run_that_shall_outlive_its_terminal_is_not_stopped_by_it(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from nociomics.cli import main
signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
sys.argv = ["nociomics", "--version"]
try:
    main()
finally:
    os.kill(os.getpid(), signal.SIGHUP)
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, f"nociomics {__version__}\n")


def test_help_is_quick() -> None:
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([str(PROGRAM), "--help"], check=True, capture_output=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(5)) < 0.5


def test_help_imports_nothing_heavy() -> None:
    script = "import sys, nociomics.cli; print(sorted({name.split('.')[0] for name in sys.modules}))"
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    assert HEAVY & set(ast.literal_eval(told.stdout)) == set()


def test_the_default_configuration_is_shown_and_written(nociomics: Command, tmp_path: Path) -> None:
    shown = nociomics("config")
    assert shown.exit == 0
    assert nociomics("config", "--write", tmp_path).exit == 0
    assert (tmp_path / "config.yaml").read_text(encoding="utf-8") == shown.out
    assert sorted(os.listdir(tmp_path)) == ["config.schema.json", "config.yaml"]


def test_main_is_what_the_installed_program_runs() -> None:
    assert f"{main.__module__}.{main.__name__}" == "nociomics.cli.main"
    assert PROGRAM.is_file()
