"""Why a run failed, in words for whoever started it, gathered from the logs of its steps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_ELSEWHERE = (
    "A step ran on a machine that has no nociomics on its PATH. Start the run from an environment that all machines "
    "share, and run the same command again."
)
# What the machines say -> what it means and what to do.
_MACHINE = {
    "nociomics: command not found": _ELSEWHERE,
    # the program that a cluster's job begins with: our own Python, by its whole path
    r"bin/python[\d.]*: (?:command )?not found": _ELSEWHERE,
    r"bin/python[\d.]*: No such file": _ELSEWHERE,
    r"No module named '?(?:nociomics|snakemake)": _ELSEWHERE,
    "No space left on device": "A disk is full: that of the results, or the scratch folder of a node (TMPDIR). Free "
    "some space or name a larger folder, and run the same command again; finished steps are kept.",
    "oom-kill|exceeded (?:job )?memory limit": "A step used more memory than it had asked for, also when it was sent "
    "again. Ask for more: `-- --profile slurm --set-resources STEP:mem_mb=8000`.",
    "DUE TO TIME LIMIT": "A job took longer than it had asked for, also when it was sent again. Ask for more "
    "minutes: `-- --profile slurm --set-resources STEP:runtime=240`.",
    # Snakemake's own words for a result that is dated before what it was made of
    r"than input (.+?) \([\d: .-]+\)\. This could indicate a clock skew": "{found}: dated in the future. Set the clock "
    "of this machine, or of that which wrote the file, date the file anew (`touch`), and run the same command again.",
    "LockException": "{folder}: another run is at work here, or an earlier one was ended by force. Wait for it to end; "
    "if none is at work, run the same command with `-- --unlock` once, and then again without.",
}
_OF_THE_RUN = ("snakemake.log", "snakemake_untracked.log")
# What a cluster's jobs say before and after our steps, by the profiles slurm and generic; in Snakemake's own folder.
_OF_JOBS = ("slurm_logs/**/*.log", "generic-*.log")
_TRACKING = frozenset({"initialise_tracking", "log_run", "log_strata"})
_FAILED = re.compile(r"^\s*Error in (?:rule|group) ([\w-]+)", re.MULTILINE)


def what_failed(results: Path, began: float) -> str:
    """Gather the clear errors of the steps that failed since the run began.

    Parameters
    ----------
    results : Path
        The study's folder.
    began : float
        When, in seconds since 1970; older logs are of other runs.
    """
    texts = dict(_fresh_logs(results / "logs", began, ("**/*.log",)))
    texts_of_jobs = dict(_fresh_logs(results.parent.parent / ".snakemake", began, _OF_JOBS))
    told = [
        _behind(text, "ERROR: ") for path, text in texts.items() if path.name not in _OF_THE_RUN and "ERROR: " in text
    ]
    if told:
        return "\n".join(dict.fromkeys(told))
    everything = [*texts.values(), *texts_of_jobs.values()]
    known = [
        said.format(folder=Path.cwd(), found=found[1] if found.re.groups else "")
        for words, said in _MACHINE.items()
        for text in everything
        if (found := re.search(words, text))
    ]
    if known:
        return "\n".join(dict.fromkeys(known))
    broken = [str(path) for path, text in texts.items() if path.name not in _OF_THE_RUN and "Traceback" in text]
    where = ", ".join(broken) or str(results / "logs" / _OF_THE_RUN[0])
    return f"A step failed without a message for you: this is a bug, or the machine ended it. Its log: {where}."


def only_tracking_failed(log: Path) -> bool:
    """Say whether steps failed, and all of them were those that speak to the tracking store.

    Parameters
    ----------
    log : Path
        What Snakemake said.
    """
    failed = set(_FAILED.findall(log.read_text(encoding="utf-8", errors="replace")))
    return bool(failed) and failed <= _TRACKING


def _fresh_logs(folder: Path, began: float, kinds: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    for path in sorted(found for kind in kinds for found in folder.glob(kind)):
        if path.stat().st_mtime >= began - 1:
            yield path, path.read_text(encoding="utf-8", errors="replace")


def _behind(text: str, mark: str) -> str:
    return text[text.find(mark) + len(mark) :].strip()
