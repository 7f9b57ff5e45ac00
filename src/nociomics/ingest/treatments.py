"""Read which treatment each person received, and whether by lot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.notes import HIDDEN, Notes, place
from nociomics.ingest.people import ID, matched, once_each
from nociomics.ingest.sources import note_origins, read_all
from nociomics.ingest.values import time_column
from nociomics.tables.study import TableSource

_ASSIGNMENT = {
    **dict.fromkeys(("randomised", "randomized", "random", "rct"), "randomised"),
    **dict.fromkeys(("observational", "observed"), "observational"),
}
_FEW = 10
_NAMED = 3


def read_treatments(
    sources: Sequence[TableSource], root: Path, people: pl.Series | None, arm_column: str | None, notes: Notes
) -> pl.DataFrame | None:
    """Read the table of treatments.

    Parameters
    ----------
    people : Series of String or None
        Ids of the study.
    arm_column : str or None
        ``target.treatment``; ``arm`` when the study does not say.

    Returns
    -------
    DataFrame or None, one row per treated person
        As in the contract ``TREATMENTS``: ``arm`` as text, ``started_at`` as Datetime, further columns as text.
    """
    frame = read_all(sources, root, notes, lambda part, source: note_origins(part, "treatments", source, notes))
    if frame is None:
        return None
    column = arm_column or "arm"
    if column not in frame.columns:
        names = [name for name in frame.columns if name not in (ID, *HIDDEN)]
        notes.fatal(
            f'{place(frame)}: has no column "{column}", which target.treatment names.{did_you_mean(column, names)}'
            if arm_column
            else f'{place(frame)}: has no column "arm".{did_you_mean("arm", names)}',
            column=column,
        )
        return None
    frame = matched(once_each(frame, notes), people, notes)
    frame = frame.with_columns(pl.col(column).alias("arm"))
    notes.rows("warning", frame, frame["arm"].is_null(), "have no arm and count as untreated.", column=column)
    frame = frame.filter(pl.col("arm").is_not_null())
    frame = _with_assignment(frame, notes)
    if "started_at" in frame.columns:
        frame = frame.with_columns(time_column(frame, "started_at", notes))
    _refuse_spellings(frame, column, notes)
    _note_small_arms(frame, notes)
    order = [ID, "arm", "assignment", *(["started_at"] if "started_at" in frame.columns else [])]
    return frame.select(*order, pl.exclude(*HIDDEN, *order))


def _with_assignment(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    if "assignment" not in frame.columns:
        notes.warning(
            f'{place(frame)}: has no column "assignment": treatments are taken as observational, not randomised. '
            "Add the column, or say it for the whole file: label: {assignment: randomised}.",
            column="assignment",
            count=frame.height,
        )
        return frame.with_columns(pl.lit("observational").alias("assignment"))
    word = frame["assignment"].str.strip_chars().str.to_lowercase().replace_strict(_ASSIGNMENT, default=None)
    notes.rows("fatal", frame, word.is_null(), "say neither randomised nor observational.", column="assignment")
    return frame.with_columns(word.fill_null("observational").alias("assignment"))


def _refuse_spellings(frame: pl.DataFrame, column: str, notes: Notes) -> None:
    """Refuse arms that only case or spaces tell apart: they would be compared as two treatments."""
    arms = frame.group_by("arm").len().with_columns(plain=pl.col("arm").str.strip_chars().str.to_lowercase())
    usual = arms.sort("len", "arm", descending=[True, False]).unique("plain", keep="first")["arm"].to_list()
    what = (
        "name an arm that differs from another in capitals or spaces at its ends only. Write every arm in one way, or "
        f"say it under values_map: {{{column}: {{their word: your word}}}}."
    )
    notes.rows("fatal", frame, ~frame["arm"].is_in(usual), what, column=column)


def _note_small_arms(frame: pl.DataFrame, notes: Notes) -> None:
    sizes = frame.group_by("arm").len().sort("arm")
    for arm, size in sizes.filter(pl.col("len").is_between(_NAMED, _FEW - 1)).iter_rows():
        notes.warning(f'arm "{arm}": has {size} people; effects of so small an arm are hardly known.', count=size)
    # The word of so few people may be a slip, a free text or an id, and is not shown.
    tiny = sizes.filter(pl.col("len") < _NAMED)
    if tiny.height:
        notes.warning(
            f"{tiny.height} arms have fewer than {_NAMED} people each: look for other spellings of an arm.",
            column="arm",
            count=int(tiny["len"].sum()),
        )
    if sizes.height == 1:
        notes.warning("all treated people have the same arm: no treatments can be compared.", count=frame.height)
