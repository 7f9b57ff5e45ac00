"""Read a list of what people take, on its own: person, drug, and dates where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.notes import HIDDEN, Notes, place
from nociomics.ingest.people import ID, matched
from nociomics.ingest.sources import read_source
from nociomics.ingest.values import time_column
from nociomics.tables.finding import Finding
from nociomics.tables.study import TableSource

_DATES = {"start": "started_at", "end": "stopped_at", "stop": "stopped_at"}


def read_medications(path: Path, people: Sequence[str] | None = None) -> tuple[pl.DataFrame | None, list[Finding]]:
    """Read a medication list of any table format.

    Parameters
    ----------
    path : Path
        Columns ``patient_id`` and ``drug``; ``start`` and ``end`` (or ``started_at``
        and ``stopped_at``) and ``route`` may be there.
    people : sequence of str, optional
        Whose rows are wanted; others are counted and left out. None compares nothing.

    Returns
    -------
    DataFrame or None, list of Finding
        One row per entry: ``patient_id, drug`` as written, and of ``started_at,
        stopped_at`` (Datetime) and ``route`` those that the file has, since a list
        without dates says something else than one whose dates are empty. None when
        the file cannot be used; the findings say why.
    """
    notes = Notes("medications")
    frame = read_source(TableSource(path=path.name), path.parent, notes)
    if frame is None:
        return None, notes.findings
    frame = _with_our_dates(frame)
    if "drug" not in frame.columns:
        names = [name for name in frame.columns if name not in (ID, *HIDDEN)]
        notes.fatal(
            f'{place(frame)}: has no column "drug".{did_you_mean("drug", names)} '
            "A medication list needs patient_id and drug; start, end and route may be there.",
            column="drug",
        )
        return None, notes.findings
    frame = matched(frame, None if people is None else pl.Series(ID, list(people), dtype=pl.String), notes)
    nameless = frame["drug"].is_null()
    notes.rows("warning", frame, nameless, "name no drug and are left out.", column="drug")
    frame = frame.filter(~nameless) if nameless.any() else frame
    dates = [name for name in ("started_at", "stopped_at") if name in frame.columns]
    frame = frame.with_columns([time_column(frame, name, notes) for name in dates])
    if len(dates) == len(set(_DATES.values())):
        backwards = frame["stopped_at"] < frame["started_at"]
        notes.rows("fatal", frame, backwards, "stop before they start. Correct the dates.", column="stopped_at")
    kept = [name for name in ("route",) if name in frame.columns]
    return frame.select(ID, "drug", *dates, *kept), notes.findings


def _with_our_dates(frame: pl.DataFrame) -> pl.DataFrame:
    """Name the dates as the treatment history does; a column that has our name already stays."""
    for name, ours in _DATES.items():
        if name in frame.columns and ours not in frame.columns:
            frame = frame.rename({name: ours})
    return frame
