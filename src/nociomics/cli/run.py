"""Check a study, and run its whole workflow."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nociomics.cli.run_failures import only_tracking_failed, what_failed
from nociomics.errors import NociomicsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import RawIOBase

    from nociomics.config import Config
    from nociomics.tables.finding import Finding

_DONE = re.compile(r"(\d+) of (\d+) steps \(\d+%\) done")
_NOTHING = "Nothing to be done"
_PROFILE_OPTIONS = ("--profile", "--workflow-profile")
_STARTED = re.compile(r"^\s*(?:local)?rule (\w+):")


def check(study: Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="the study file")]) -> None:
    """Name every problem of every table at once, with file, column, count and first row.

    Exit 1 when any of them would stop a run.

    Example: nociomics check study.yaml
    """
    from nociomics.config import data_folder, load_config
    from nociomics.ingest.study_tables import read_study, require_sound
    from nociomics.preparation import prepare_read

    config = load_config(study)
    folder = data_folder(config, study.resolve().parent)
    asked = config.model_copy(update={"data_root": None})
    with tempfile.TemporaryDirectory(prefix="nociomics-check-") as stores:
        read = read_study(asked, folder, stores=Path(stores))
        _tell(read.findings)
        require_sound(read.findings)
        # what only harmonising finds, such as a baseline that no table has
        prepared = prepare_read(read, asked, folder, Path(stores))
        _tell(prepared.findings)
        require_sound(prepared.findings)
    people = read.patients.height if read.patients is not None else 0
    typer.echo(f"{study}: no problem would stop a run ({people} {'patient' if people == 1 else 'patients'}).")


def _tell(findings: Sequence[Finding]) -> None:
    for finding in findings:
        if finding.severity != "fatal":
            typer.echo(f"{finding.severity}: {finding.table}: {finding.message}")


def run(
    study: Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="the study file")],
    cores: Annotated[int | None, typer.Option(help="cores to use; all when left out")] = None,
    snakemake: Annotated[list[str] | None, typer.Argument(help="behind --: arguments for Snakemake")] = None,
) -> None:
    """Run the whole workflow of a study; results go to results/<study>/ of the current folder.

    Example: nociomics run study.yaml --cores 2 -- --dry-run
    """
    from nociomics.cli.workflow_extra import require_workflow
    from nociomics.config import data_folder, load_config

    require_workflow()
    config = load_config(study)
    data_folder(config, study.resolve().parent)
    _require_files(config, study)
    extra = snakemake or []
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile()), "--configfile", str(study.resolve())]
    if any(word.split("=")[0] in _PROFILE_OPTIONS for word in extra):
        # with an executor of its own, a profile says how many jobs; --cores would hold them to this machine's
        command += ["--cores", str(cores)] if cores else []
    else:
        command += ["--workflow-profile", str(_profiles() / "default"), "--cores", str(cores or os.cpu_count() or 1)]
    command += ["--rerun-incomplete", *_with_own_profiles(extra)]
    if any(word in extra for word in ("-n", "--dry-run", "--dryrun", "--list", "--unlock", "--summary")):
        raise typer.Exit(subprocess.run(command, check=False).returncode)
    results = Path("results") / config.study
    _require_writable(results)
    began = time.time()
    log = results / "logs" / "snakemake.log"
    code, untracked = _with_progress(command, log), None
    if code != 0 and only_tracking_failed(log):
        untracked = what_failed(results, began)
        # the store is the last thing that matters: all else is done, and the next run logs it
        began = time.time()
        code = _with_progress([*command, "--omit-from", "initialise_tracking"], log.with_stem("snakemake_untracked"))
    if code != 0:
        raise NociomicsError(what_failed(results, began))
    _say_where(config, results, tracked=untracked is None)
    if untracked is not None:
        typer.echo(f"NOT LOGGED: {untracked}", err=True)


def snakefile() -> Path:
    """Return the workflow of this installation: the repository's, or the one inside the package."""
    package = Path(__file__).resolve().parents[1]
    for root in (package.parents[1], package / "_workflow"):
        if (root / "workflow" / "Snakefile").is_file():
            return root / "workflow" / "Snakefile"
    raise NociomicsError("This installation has no workflow; install nociomics again from its repository or a wheel.")


def _profiles() -> Path:
    """Return the folder of this installation's profiles."""
    return snakefile().parents[1] / "profiles"


def _with_own_profiles(words: list[str]) -> list[str]:
    """Turn ``--profile slurm`` into this installation's profile of that name, unless the user has one.

    Snakemake itself looks for a name in its own folder of settings, and for a path in the current folder.
    """
    named = []
    for place, word in enumerate(words):
        option, equals, value = word.partition("=")
        if equals and option in _PROFILE_OPTIONS:
            named.append(f"{option}={_own_profile(value)}")
        elif place and words[place - 1] in _PROFILE_OPTIONS:
            named.append(_own_profile(word))
        else:
            named.append(word)
    return named


def _own_profile(name: str) -> str:
    own = _profiles() / name
    theirs = (Path(name), Path.home() / ".config" / "snakemake" / name)
    if "/" in name or any(path.is_dir() for path in theirs) or not (own / "config.yaml").is_file():
        return name
    return str(own)


def _require_files(config: Config, study: Path) -> None:
    from nociomics.config import data_folder
    from nociomics.tables.study import Tables

    folder = data_folder(config, study.resolve().parent)
    named = [
        (f"tables.{table}", path)
        for table in Tables.model_fields
        for source in getattr(config.tables, table)
        for path in source.files
    ]
    named += [("splits", config.splits)] if config.splits else []
    absent = [f"{key}: {folder / path} is not there" for key, path in named if not (folder / path).is_file()]
    if absent:
        hint = f" {config.source}" if config.source else ""
        raise NociomicsError(
            f"{study}: {len(absent)} files are missing.\n"
            + "\n".join(f"  {line}" for line in absent)
            + f"\nCorrect the paths (they are relative to data_root), or leave the table out.{hint}"
        )


def _require_writable(results: Path) -> None:
    from nociomics.tables.files import written_whole

    with written_whole(results / "logs" / ".writable") as draft:
        draft.write_text("")
    (results / "logs" / ".writable").unlink(missing_ok=True)


def _with_progress(command: list[str], log: Path) -> int:
    """Run Snakemake with its output in a log; show the steps done, the time gone and the time left."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    with (
        _of_one_run(log) as file,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            process_group=0,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            _show(_recorded(process.stdout, file))
            return process.wait()
        except BaseException:
            # A group of their own: Snakemake and its steps are told once, whoever interrupted us and how.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            process.communicate()  # what it still says must not hold it up
            raise


@contextlib.contextmanager
def _of_one_run(log: Path) -> Iterator[RawIOBase]:
    """Open the log anew, unless another run is writing it: that one goes on undisturbed."""
    with log.open("ab", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NociomicsError(
                f"{Path.cwd()}: another run is at work here. Wait for it to end, or stop it."
            ) from None
        except OSError:
            pass  # a file system without locks: Snakemake's own is left
        file.truncate(0)
        yield file


def _recorded(lines: Iterator[str], file: RawIOBase) -> Iterator[str]:
    for line in lines:
        try:
            file.write(line.encode())
        except OSError as error:
            raise NociomicsError(
                f"the run's log cannot be written: {error.strerror}. The run was stopped, and finished steps are kept. "
                "Free some space or choose another folder, then run the same command again."
            ) from error
        yield line


def _show(lines: Iterator[str]) -> None:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting", total=None)
        for line in lines:
            if started := _STARTED.match(line):
                progress.update(task, description=started[1].replace("_", " "))
            if line.startswith(_NOTHING):
                console.print("Nothing to be done: every result is there and up to date.")
            if done := _DONE.search(line):
                progress.update(task, completed=int(done[1]), total=int(done[2]))
                if not console.is_terminal:
                    sys.stderr.write(f"{done[1]} of {done[2]} steps done\n")


def _say_where(config: Config, results: Path, *, tracked: bool) -> None:
    pages = (
        ("Report:          ", "report.html"),
        ("Strata:          ", "strata/report.html"),
        ("Data quality:    ", "quality/report.html"),
    )
    for label, path in pages:
        if (results / path).is_file():
            typer.echo(f"{label}{results / path}")
    profiles = sorted((results / "profiles").glob("*.html")) if config.target else []
    if profiles:
        typer.echo(f"One patient:     {profiles[0]}")
    if config.target and (results / "export" / "model" / "manifest.json").is_file():
        typer.echo(f"Exported model:  {results / 'export' / 'model'}")
    place = results / "tracking.json"
    if config.target and config.tracking.enabled and tracked and place.is_file():
        from nociomics.tables.files import read_json

        link = read_json(place)
        if link.get("server"):
            typer.echo(f"MLflow:          {link['server']}")
            typer.echo(f"  then open      {link['link']}")
        else:
            typer.echo(f"MLflow:          {link['link']}")
