"""Read what people took before the study: drug, dose, dates, what it did and whether it did harm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.notes import HIDDEN, Notes, place
from nociomics.ingest.people import ID, matched
from nociomics.ingest.sources import BASELINE, combined, measured_at, note_origins, read_source
from nociomics.ingest.values import number_column, time_column, yes_no_column
from nociomics.tables.ingested import TREATMENT_HISTORY
from nociomics.tables.study import TableSource

_COLUMNS = tuple(column.name for column in TREATMENT_HISTORY.columns)
_RESPONSES = {
    **dict.fromkeys(("none", "no", "no response", "no effect", "no relief", "ineffective"), "none"),
    **dict.fromkeys(("partial", "partly", "some", "moderate", "partial response", "some relief"), "partial"),
    **dict.fromkeys(("good", "yes", "effective", "good response", "good relief"), "good"),
}


def read_treatment_history(
    sources: Sequence[TableSource],
    root: Path,
    people: pl.Series | None,
    treatments: pl.DataFrame | None,
    notes: Notes,
) -> pl.DataFrame | None:
    """Read the table of earlier treatments.

    Parameters
    ----------
    people : Series of String or None
        Ids of the study.
    treatments : DataFrame or None
        With ``started_at`` or not at all: entries that begin later are kept, counted, and are no history.
    notes : Notes
        Takes every problem.

    Returns
    -------
    DataFrame or None, one row per person and earlier treatment
        As in the contract ``TREATMENT_HISTORY``; None when no file could be read or none names the drug.
    """
    frames = [part for source in sources if (part := _part(source, root, notes)) is not None]
    frame = combined(frames)
    if frame is None:
        return None
    frame = _with_drugs(matched(frame, people, notes), notes)
    frame = frame.with_columns(
        number_column(frame, "dose", notes),
        _responses(frame, notes),
        time_column(frame, "started_at", notes),
        time_column(frame, "stopped_at", notes),
        yes_no_column(frame, "stopped_for_harm", notes),
    )
    notes.rows("fatal", frame, (frame["dose"] < 0), "are below zero, which no dose can be.", column="dose")
    backwards = frame["stopped_at"] < frame["started_at"]
    notes.rows("fatal", frame, backwards, "stop before they start. Correct the dates.", column="stopped_at")
    _note_later(frame, treatments, notes)
    return frame.select(_COLUMNS)


def _part(source: TableSource, root: Path, notes: Notes) -> pl.DataFrame | None:
    """Read one file; columns that it lacks are empty, those that are not ours are left out and named."""
    frame = read_source(source, root, notes)
    if frame is None:
        return None
    if "drug" not in frame.columns:
        names = [name for name in frame.columns if name not in (ID, *HIDDEN)]
        notes.fatal(
            f'{place(frame)}: has no column "drug".{did_you_mean("drug", names)} '
            "Name the column of drugs under columns: {their name: drug}.",
            column="drug",
        )
        return None
    if measured_at(source, "drug")[0] != BASELINE:
        notes.info(
            f"{place(frame)}: was not recorded at baseline and is no treatment history; all rows are left out.",
            count=frame.height,
        )
        return None
    if isinstance(source.unit, str) and "dose_unit" not in frame.columns:
        frame = frame.with_columns(pl.lit(source.unit).alias("dose_unit"))
    others = [name for name in frame.columns if name not in (*_COLUMNS, *HIDDEN)]
    if others:
        notes.info(
            f"{place(frame)}: {len(others)} further columns are not used (first: {others[0]}).", count=len(others)
        )
    frame = note_origins(frame.drop(others), "treatment_history", source, notes)
    lacking = [name for name in _COLUMNS if name not in frame.columns]
    return frame.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in lacking)


def _with_drugs(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    """Write drugs in lower case without spaces at their ends; no name is taken for another."""
    nameless = frame["drug"].is_null()
    notes.rows("warning", frame, nameless, "name no drug and are left out.", column="drug")
    frame = frame.filter(~nameless) if nameless.any() else frame
    drug = frame["drug"].str.strip_chars().str.to_lowercase()
    what = "write the drug with capitals or spaces; all are compared in lower case."
    notes.rows("info", frame, drug != frame["drug"], what, column="drug")
    return frame.with_columns(drug.alias("drug"))


def _responses(frame: pl.DataFrame, notes: Notes) -> pl.Series:
    word = frame["response"].str.strip_chars().str.to_lowercase()
    response = word.replace_strict(_RESPONSES, default=None, return_dtype=pl.String).alias("response")
    wrong = word.is_not_null() & response.is_null()
    what = (
        "are no word for a response: none (no, ineffective), partial (some, moderate) or good (yes, effective). "
        "Numbers are not guessed: turn them into these words with values_map:."
    )
    notes.rows("fatal", frame, wrong, what, column="response")
    return response


def _note_later(frame: pl.DataFrame, treatments: pl.DataFrame | None, notes: Notes) -> None:
    if treatments is None or "started_at" not in treatments.columns:
        return
    started = frame.select(ID, own=pl.col("started_at").dt.date()).join(
        treatments.select(ID, study=pl.col("started_at").dt.date()), on=ID, how="left", maintain_order="left"
    )
    later = started.select((pl.col("own") >= pl.col("study")).fill_null(False).alias("later"))["later"]
    what = "begin on or after the day the study's treatment starts; they stay in the table but are no history."
    notes.rows("warning", frame, later, what, column="started_at")
