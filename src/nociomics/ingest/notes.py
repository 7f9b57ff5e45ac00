"""Collect what is wrong with a table while it is read, in words that hold no patient's value."""

from __future__ import annotations

from typing import Literal

import polars as pl

from nociomics.tables.finding import Finding

ROW = "__row"
FILE = "__file"
HIDDEN = (ROW, FILE)
Severity = Literal["fatal", "warning", "info"]


class Notes:
    """The findings of one table, in the order in which they were met.

    Parameters
    ----------
    table : str
        Table of the study, such as ``biomarkers``.
    """

    def __init__(self, table: str) -> None:
        self.table = table
        self.findings: list[Finding] = []
        self.origins: list[dict[str, str | None]] = []
        self.readings: list[dict[str, str | int | None]] = []

    def came_from(self, table: str, name: str, file: str, column: str | None = None) -> None:
        """Note where a part of a contract table came from: one row of `ORIGINS`."""
        self.origins.append({"table": table, "name": name, "file": file, "column": column})

    def step(self, file: str | None, step: str, rows_in: int, rows_out: int, rule: str) -> None:
        """Note what was done to the rows of a table, and why: one row of `READINGS`."""
        self.readings.append(
            {"table": self.table, "file": file, "step": step, "rows_in": rows_in, "rows_out": rows_out, "rule": rule}
        )

    def add(self, severity: Severity, message: str, *, column: str | None = None, count: int = 0) -> None:
        """Note one finding."""
        self.findings.append(Finding(self.table, column, severity, count, message))

    def fatal(self, message: str, *, column: str | None = None, count: int = 1) -> None:
        """Note something that stops the run."""
        self.add("fatal", message, column=column, count=count)

    def warning(self, message: str, *, column: str | None = None, count: int = 0) -> None:
        """Note something that the user should look at."""
        self.add("warning", message, column=column, count=count)

    def info(self, message: str, *, column: str | None = None, count: int = 0) -> None:
        """Note something that is as it may be."""
        self.add("info", message, column=column, count=count)

    def rows(
        self, severity: Severity, frame: pl.DataFrame, wrong: pl.Series, what: str, *, column: str | None = None
    ) -> int:
        """Note the rows of a frame that share a problem: how many, and where the first one stands.

        Parameters
        ----------
        frame : DataFrame
            The table with its hidden columns ``__file`` and ``__row`` (line of the file).
        wrong : Series of Boolean
            True for the rows concerned; null counts as fine.
        what : str
            The rest of the sentence after "14 rows (first: line 27)".
        column : str, optional
            Column concerned.

        Returns
        -------
        int
            Number of rows concerned; nothing is noted for none.
        """
        bad = frame.filter(wrong.fill_null(False))
        if bad.height:
            self.add(severity, f"{place(bad, column)}: {how_many(bad)} {what}", column=column, count=bad.height)
        return bad.height

    @property
    def has_fatal(self) -> bool:
        """Whether anything noted so far stops the run."""
        return any(finding.severity == "fatal" for finding in self.findings)


def place(frame: pl.DataFrame, column: str | None = None) -> str:
    """Name the files of these rows, and the column."""
    files = frame[FILE].unique(maintain_order=True).to_list() if FILE in frame.columns else []
    return ", ".join([*files[:3], *([f'column "{column}"'] if column is not None else [])]) or "table"


def how_many(frame: pl.DataFrame) -> str:
    """Say "14 rows (first: line 27)"; a file without lines, such as Parquet, counts its data rows."""
    count = f"{frame.height} {'row' if frame.height == 1 else 'rows'}"
    return f"{count} (first: line {frame[ROW][0]})" if ROW in frame.columns else count


def visible(frame: pl.DataFrame) -> pl.DataFrame:
    """Drop the hidden columns."""
    return frame.drop([name for name in HIDDEN if name in frame.columns])


def listed(words: list[str], most: int = 12) -> str:
    """Join words for a message, cut when there are many."""
    shown = ", ".join(words[:most])
    return f"{shown}, ... ({len(words)} in all)" if len(words) > most else shown
