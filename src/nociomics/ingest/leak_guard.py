"""Keep what was measured after the start of treatment away from the features."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from nociomics.ingest.notes import Notes, place
from nociomics.ingest.people import ID
from nociomics.ingest.sources import BASELINE, measured_at
from nociomics.ingest.values import parsed_times
from nociomics.tables.study import TableSource

_AFTER = re.compile(
    r"(_post|_follow_?up|_fu|_after|_end|_change|_delta|_(week|month|wk|day)s?_?0*[1-9]\d*)$"
    r"|^(pgic|tx_satisfaction|treatment_satisfaction)(_.*)?$",
    re.IGNORECASE,
)


def sounds_after_treatment(column: str) -> bool:
    """Whether a column's name says that it was measured after treatment began.

    Examples
    --------
    >>> [sounds_after_treatment(name) for name in ("odi_week12", "odi_week0", "pgic", "weekend", "pain_post")]
    [True, False, True, False, True]
    """
    return _AFTER.search(column) is not None


def times_of(columns: Sequence[str], sources: Sequence[TableSource]) -> dict[str, tuple[str, bool]]:
    """When each column was measured, and whether the study says so for it; a later time wins over baseline."""
    said = {}
    for column in columns:
        words = [measured_at(source, column) for source in sources]
        other = [word for word in words if word[0] != BASELINE]
        named = [word for word in words if word[1]]
        said[column] = (other or named or words)[0]
    return said


def baseline_columns(
    frame: pl.DataFrame, columns: list[str], sources: Sequence[TableSource], notes: Notes, outcome: str | None
) -> list[str]:
    """Choose the columns that may become features.

    Parameters
    ----------
    columns : list of str
        Candidates.
    outcome : str or None
        Column that is to be predicted: a column of that name is a fatal finding.

    Returns
    -------
    list of str
        Those measured at baseline; the others are noted.
    """
    kept = []
    files = place(frame)
    for column, (word, named) in times_of(columns, sources).items():
        where = f'{files}, column "{column}"'
        if column == outcome:
            notes.fatal(f"{where}: is the outcome that is to be predicted. Leave it out (drop:).", column=column)
        elif word != BASELINE:
            notes.info(f'{where}: was measured at "{word}" and does not become a feature.', column=column)
        elif sounds_after_treatment(column) and not named:
            notes.fatal(
                f"{where}: looks measured after treatment; leave it out (drop:) or declare "
                f"measured_at: {{{column}: baseline}} if it really was before.",
                column=column,
            )
        else:
            kept.append(column)
    return kept


def before_treatment(frame: pl.DataFrame, treatments: pl.DataFrame | None, notes: Notes) -> pl.DataFrame:
    """Note samples that were collected after the person's treatment started, and leave them out.

    Parameters
    ----------
    frame : DataFrame
        Baseline rows, with ``collected_at`` as text or not at all.
    treatments : DataFrame or None
        With ``started_at`` or not at all. A day is compared with a day when either has no time of day.
    """
    if treatments is None or "started_at" not in treatments.columns or "collected_at" not in frame.columns:
        return frame
    collected = parsed_times(frame["collected_at"])
    wrong = frame["collected_at"].is_not_null() & collected.is_null()
    notes.rows("fatal", frame, wrong, "are not dates. Write them as 2026-01-31.", column="collected_at")
    times = frame.select(ID).with_columns(collected.alias("collected"))
    times = times.join(treatments.select(ID, "started_at"), on=ID, how="left", maintain_order="left")
    whole_day = pl.any_horizontal(pl.col(name).dt.time() == pl.time(0) for name in ("collected", "started_at"))
    later = (
        pl.when(whole_day)
        .then(pl.col("collected").dt.date() > pl.col("started_at").dt.date())
        .otherwise(pl.col("collected") > pl.col("started_at"))
    )
    late = times.select(later.fill_null(False).alias("late"))["late"]
    notes.rows(
        "fatal",
        frame,
        late,
        f"of the table {notes.table} were measured after treatment start. Leave them out (where:), or declare "
        "measured_at: with another word than baseline for this file.",
        column="collected_at",
    )
    return frame.filter(~late)
