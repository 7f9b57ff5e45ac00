"""Why a run failed, in words for whoever started it, gathered from the logs of its steps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

# What the machines say -> what it means and what to do.
_MACHINE = {
    "nociomics: command not found": "A step ran on a machine that has no nociomics on its PATH. Start the run from an "
    "environment that all machines share, and run the same command again.",
    "No space left on device": "A disk is full: that of the results, or the scratch folder of a node (TMPDIR). Free "
    "some space or name a larger folder, and run the same command again; finished steps are kept.",
    "oom-kill": "A step used more memory than it had asked for, also when it was sent again. Ask for more: "
    "`-- --profile slurm --set-resources STEP:mem_mb=8000`.",
    "LockException": "{folder}: another run is at work here, or an earlier one was ended by force. Wait for it to end; "
    "if none is at work, run the same command with `-- --unlock` once, and then again without.",
}
_OF_THE_RUN = ("snakemake.log", "snakemake_untracked.log")
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
    texts = dict(_fresh_logs(results / "logs", began))
    told = [
        _behind(text, "ERROR: ") for path, text in texts.items() if path.name not in _OF_THE_RUN and "ERROR: " in text
    ]
    if told:
        return "\n".join(dict.fromkeys(told))
    known = [said for word, said in _MACHINE.items() if any(word in text for text in texts.values())]
    if known:
        return "\n".join(known).format(folder=Path.cwd())
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


def _fresh_logs(folder: Path, began: float) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*.log")):
        if path.stat().st_mtime >= began - 1:
            yield path, path.read_text(encoding="utf-8", errors="replace")


def _behind(text: str, mark: str) -> str:
    return text[text.find(mark) + len(mark) :].strip()
