"""Write what each rule asks a cluster for, from what earlier runs used.

    python workflow/scripts/size_jobs.py results/demo results/other

Reads the benchmark files of one or more finished runs and prints the ``set-resources`` part of a profile. Memory is the
most that any job of a rule held, times 1.5 and 300 MB more for Snakemake's own processes, which a cluster counts too;
time is the longest times 3. Rules for which the profile's defaults do are left out; ``--table`` shows them all.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_DEFAULT_MB, _DEFAULT_MINUTES = 1000, 30
_STEP_MB, _OWN_MB, _SPARE = 500, 300, 1.5
_SPARE_TIME = 3


@dataclass(frozen=True)
class Use:
    """The most that any job of one rule used."""

    megabytes: float
    seconds: float

    @property
    def memory(self) -> int:
        """Megabytes to ask for, in steps, so that noise changes no profile.

        Never less than the default: a job of a second is looked at twice, which misses its peak.
        """
        wanted = self.megabytes * _SPARE + _OWN_MB
        return max(_DEFAULT_MB, _STEP_MB * math.ceil(wanted / _STEP_MB))

    @property
    def minutes(self) -> int:
        """Minutes to ask for; never fewer than the default, since a busy node is slow."""
        return max(_DEFAULT_MINUTES, 10 * math.ceil(self.seconds * _SPARE_TIME / 600))


def measured(results: Iterable[Path]) -> dict[str, Use]:
    """Return the most that each rule used in any of the runs, by its name.

    Parameters
    ----------
    results : iterable of Path
        Folders ``results/<study>``. A benchmark file lies in ``benchmarks/<rule>.tsv``, or in
        ``benchmarks/<rule>/<wildcard>.tsv``. A job that was too short to be looked at has no memory ("-") and says
        nothing about it.

    Raises
    ------
    SystemExit
        When a folder has no benchmark files.
    """
    found: dict[str, Use] = {}
    for folder in results:
        files = sorted((folder / "benchmarks").rglob("*.tsv"))
        if not files:
            raise SystemExit(f"{folder}: no benchmark files; name a folder results/<study> of a finished run.")
        for file in files:
            rule = file.relative_to(folder / "benchmarks").parts[0].removesuffix(".tsv")
            with file.open(encoding="utf-8", newline="") as lines:
                uses = [_use(row) for row in csv.DictReader(lines, delimiter="\t")]
            found[rule] = _most([*uses, *([found[rule]] if rule in found else [])])
    return dict(sorted(found.items()))


def _use(row: Mapping[str, str]) -> Use:
    return Use(_number(row["max_rss"]), _number(row["s"]))


def _number(text: str) -> float:
    return 0.0 if text in ("-", "NA", "") else float(text)


def _most(uses: list[Use]) -> Use:
    return Use(max(use.megabytes for use in uses), max(use.seconds for use in uses))


def profile_lines(uses: Mapping[str, Use]) -> list[str]:
    """Return the lines of ``set-resources`` for every rule that needs another size than the default."""
    lines = []
    for rule, use in uses.items():
        asked = [("mem_mb", use.memory, _DEFAULT_MB), ("runtime", use.minutes, _DEFAULT_MINUTES)]
        own = [f"    {name}: {amount} * attempt" for name, amount, usual in asked if amount != usual]
        lines += [f"  {rule}:", *own] if own else []
    return ["set-resources:", *lines] if lines else []


def table_lines(uses: Mapping[str, Use]) -> list[str]:
    """Return a table in Markdown: what was used, and what is asked for."""
    head = [
        "| rule | most memory, MB | longest, s | asks for MB | asks for minutes |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows = [
        f"| `{rule}` | {use.megabytes:.0f} | {use.seconds:.0f} | {use.memory} | {use.minutes} |"
        for rule, use in uses.items()
    ]
    return head + rows


def main(words: list[str]) -> None:
    """Print the part of a profile, or the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", nargs="+", type=Path, help="results/<study> of a finished run")
    parser.add_argument("--table", action="store_true", help="a table of every rule instead")
    asked = parser.parse_args(words)
    uses = measured(asked.results)
    sys.stdout.write("\n".join(table_lines(uses) if asked.table else profile_lines(uses)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
