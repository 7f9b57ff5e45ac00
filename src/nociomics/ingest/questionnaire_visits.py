"""Visits of questionnaires: their words, their dates, and what may not count as baseline."""

from __future__ import annotations

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.notes import Notes, listed, place
from nociomics.ingest.people import ID
from nociomics.ingest.sources import BASELINE
from nociomics.ingest.values import time_column
from nociomics.knowledge.instrument import folded
from nociomics.tables.study import TableSource

_BASELINE_WORDS = ("baseline", "v0", "0", "0.0", "screening", "pre")
DATES = ("answered_at", "completed_at", "collected_at", "date")
ANSWERED = "answered_at"


def with_visit_words(frame: pl.DataFrame, source: TableSource, notes: Notes) -> pl.DataFrame:
    """Translate the words of the column ``visit``.

    ``visits`` of the source comes first. When it names a baseline, no other word means baseline; otherwise a few
    usual words do. Every other word is kept as it is and does not become a feature.

    Parameters
    ----------
    frame : DataFrame
        With the text column ``visit``.
    """
    notes.rows("fatal", frame, frame["visit"].is_null(), "have no visit.", column="visit")
    frame = frame.filter(pl.col("visit").is_not_null())
    ours = {theirs.strip().lower(): word for theirs, word in source.visits.items()}
    if BASELINE not in ours.values():
        ours = dict.fromkeys(_BASELINE_WORDS, BASELINE) | ours
    _note_unseen(frame, source, notes)
    word = pl.col("visit").str.strip_chars()
    known = word.str.to_lowercase().is_in([*ours, BASELINE])
    meant = word.str.to_lowercase().replace(ours)
    return frame.with_columns(pl.when(known).then(meant).otherwise(word).alias("visit"))


def _note_unseen(frame: pl.DataFrame, source: TableSource, notes: Notes) -> None:
    """Warn of words under ``visits`` that the file does not have."""
    seen = frame["visit"].str.strip_chars().unique().to_list()
    lower = {word.lower() for word in seen}
    for theirs in source.visits:
        if theirs.strip().lower() not in lower and frame.height:
            notes.warning(
                f'{place(frame, "visit")}: visits: names "{theirs}", which the file does not have.'
                f"{did_you_mean(theirs, seen)} It has: {listed(sorted(seen))}.",
                column="visit",
                count=1,
            )


def note_idle_mapping(frame: pl.DataFrame, source: TableSource, notes: Notes) -> None:
    """Note as fatal that the study maps visits which the table has neither as a column nor in its column names."""
    if source.visits and "visit" not in frame.columns and not any(visit_of_column(n, source) for n in frame.columns):
        ends = listed([f"_{folded(theirs)}" for theirs in source.visits])
        notes.fatal(
            f'{place(frame)}: visits: needs the column "visit", or columns that end in {ends}.'
            f"{did_you_mean('visit', frame.columns)} Name it under columns: {{their name: visit}}.",
            column="visit",
        )


def note_visits(frame: pl.DataFrame, notes: Notes) -> None:
    """Say how many rows are of other visits than baseline."""
    other = frame["visit"] != BASELINE
    if other.all() and frame.height:
        what = (
            f"are of no baseline visit (a word such as {listed(list(_BASELINE_WORDS))}). Name it under "
            "visits: {their word: baseline}."
        )
        notes.rows("warning", frame, other, what, column="visit")
    else:
        notes.rows("info", frame, other, "are of later visits and do not become features.", column="visit")


def visit_of_column(name: str, source: TableSource) -> tuple[str, str] | None:
    """Split a wide column into its stem and its visit, only where the study maps the end of the name.

    Returns
    -------
    tuple of str or None
        ``bpi_sev_1_week4`` is ``bpi_sev_1`` at ``week4`` with ``visits: {week4: week4}`` or
        ``measured_at: {"*_week4": week4}``.
    """
    word = folded(name)
    ends = {f"_{folded(theirs)}": ours for theirs, ours in source.visits.items()}
    if not isinstance(source.measured_at, str):
        patterns = [pattern for pattern in source.measured_at if pattern.startswith("*") and "*" not in pattern[1:]]
        ends |= {folded(pattern[1:]): source.measured_at[pattern] for pattern in patterns if len(pattern) > 1}
    found = [(end, ours) for end, ours in ends.items() if word.endswith(end) and len(word) > len(end)]
    if not found:
        return None
    end, ours = max(found, key=lambda pair: len(pair[0]))
    return word[: -len(end)].rstrip("_"), ours


def with_times(frame: pl.DataFrame, notes: Notes, column: str | None) -> pl.DataFrame:
    """Add ``answered_at`` as times, all null when the table has no such column."""
    if column is None:
        return frame.with_columns(pl.lit(None, pl.Datetime("us")).alias(ANSWERED))
    return frame.with_columns(time_column(frame, column, notes).alias(ANSWERED))


def baseline_before_treatment(
    frame: pl.DataFrame, treatments: pl.DataFrame | None, notes: Notes, column: str | None
) -> pl.DataFrame:
    """Note baseline rows that are dated after the person's treatment started as fatal, and leave them out.

    Parameters
    ----------
    frame : DataFrame
        With ``visit`` and ``answered_at``.
    treatments : DataFrame or None
        With ``started_at`` or not at all. A day is compared with a day when either has no time of day.
    column : str or None
        What the study calls the column of dates.
    """
    if treatments is None or "started_at" not in treatments.columns or frame[ANSWERED].null_count() == frame.height:
        return frame
    times = frame.select(ID, "visit", ANSWERED).join(
        treatments.select(ID, "started_at"), on=ID, how="left", maintain_order="left"
    )
    answered, started = pl.col(ANSWERED), pl.col("started_at")
    whole_day = (answered.dt.time() == pl.time(0)) | (started.dt.time() == pl.time(0))
    later = pl.when(whole_day).then(answered.dt.date() > started.dt.date()).otherwise(answered > started)
    late = times.select((later & (pl.col("visit") == BASELINE)).fill_null(False).alias("late"))["late"]
    what = (
        "are called baseline but were answered after treatment start. Give them their own visit (visits:), or leave "
        "them out (where:)."
    )
    notes.rows("fatal", frame, late, what, column=column)
    return frame.filter(~late)
