"""Read what is to be predicted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.notes import HIDDEN, Notes, place
from nociomics.ingest.people import ID, matched, once_each
from nociomics.ingest.sources import combined, note_origins, read_source
from nociomics.ingest.transforms import transformed
from nociomics.ingest.values import is_time_column, not_numbers, number_column, yes_no_column
from nociomics.tables.study import TableSource, Target


def read_outcomes(
    sources: Sequence[TableSource], root: Path, people: pl.Series | None, target: Target | None, notes: Notes
) -> pl.DataFrame | None:
    """Read the table of outcomes and check the one that is to be predicted.

    Parameters
    ----------
    people : Series of String or None
        Ids of the study.
    target : Target or None
        Kind and column of the outcome; without it nothing further is checked.

    Returns
    -------
    DataFrame or None, one row per person
        ``patient_id``, numbers as Float64 (a binary outcome 0 or 1), classes and other words as text.
    """
    frames = []
    for source in sources:
        frame = read_source(source, root, notes)
        if frame is not None:
            note_origins(frame, "outcomes", source, notes)
            frames.append(transformed(_typed(frame, target, source.as_text, notes), source.transform, notes))
    whole = combined(frames)
    if whole is None:
        return None
    whole = matched(once_each(whole, notes), people, notes)
    if target is not None:
        _check_target(whole, target, notes)
        if target.adverse_event is not None:
            _require(whole, target.adverse_event, "target.adverse_event", notes)
    return whole.drop(HIDDEN, strict=False)


def _typed(frame: pl.DataFrame, target: Target | None, labels: Sequence[str], notes: Notes) -> pl.DataFrame:
    columns = [name for name in frame.columns if name not in (ID, *HIDDEN, *labels)]
    return frame.with_columns([_column(frame, name, target, notes) for name in columns])


def _column(frame: pl.DataFrame, name: str, target: Target | None, notes: Notes) -> pl.Series:
    if target is not None and name == target.adverse_event:
        return yes_no_column(frame, name, notes).cast(pl.Float64)
    if target is not None and name == target.outcome:
        if target.kind == "multiclass":
            return frame[name]
        if target.kind == "binary":
            return yes_no_column(frame, name, notes).cast(pl.Float64)
        return number_column(frame, name, notes)
    if not_numbers(frame[name]).any() or is_time_column(frame[name]):
        return frame[name]
    return number_column(frame, name, notes)


def _require(frame: pl.DataFrame, column: str, key: str, notes: Notes) -> bool:
    if column in frame.columns:
        return True
    known = [name for name in frame.columns if name not in (ID, *HIDDEN)]
    notes.fatal(
        f'{place(frame)}: has no column "{column}", which {key} names.{did_you_mean(column, known)}', column=column
    )
    return False


def _check_target(frame: pl.DataFrame, target: Target, notes: Notes) -> None:
    name = target.outcome
    if not _require(frame, name, "target.outcome", notes):
        return
    values = frame[name].drop_nulls()
    where = f'{place(frame)}, column "{name}"'
    missing = frame.height - len(values)
    if len(values) == 0:
        if frame.height:
            notes.fatal(f"{where}: the outcome is missing in all {missing} rows.", column=name, count=missing)
        return
    if missing:
        notes.info(f"{where}: {missing} of {frame.height} people have no outcome.", column=name, count=missing)
    if values.n_unique() == 1:
        what = "has one class only" if target.kind in ("binary", "multiclass") else "is the same for everyone"
        notes.fatal(f"{where}: the outcome {what}, so nothing can be learned.", column=name, count=len(values))
