"""Say how many values of each protein lie below its limit of detection; the values stay as measured."""

from __future__ import annotations

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.notes import HIDDEN, Notes, listed, place
from nociomics.ingest.values import number_column
from nociomics.tables.study import BlockSource

_MOSTLY = 0.5


def note_below_limit(frame: pl.DataFrame, source: BlockSource, notes: Notes) -> None:
    """Count the values of a long block that lie below the limit in their own row.

    Parameters
    ----------
    frame : DataFrame, one row per measurement
        As text, of the chosen samples, before it is made wide.
    source : BlockSource
        ``lod_from`` names the column with the limit, ``names_from`` those that name the protein.
    """
    if source.lod_from is None:
        return
    if not source.names_from or source.values_from is None:
        notes.fatal(
            f"{place(frame)}: lod_from: is for a long file, one row per measurement. Give names_from: and "
            "values_from:, or leave it out."
        )
        return
    limit, value = (source.columns.get(name, name) for name in (source.lod_from, source.values_from))
    parts = [source.columns.get(name, name) for name in source.names_from]
    if limit not in frame.columns:
        known = [name for name in frame.columns if name not in HIDDEN]
        notes.fatal(
            f'{place(frame)}: lod_from: names the column "{limit}", which the file lacks.{did_you_mean(limit, known)}',
            column=limit,
        )
    if any(name not in frame.columns for name in (limit, value, *parts)):
        return
    aside = Notes(notes.table)  # text among the values is told by the reader of the values
    rows = frame.select(
        pl.concat_str(parts, separator="_").alias("name"),
        number_column(frame, value, aside).alias("value"),
        number_column(frame, limit, notes).alias("limit"),
    ).drop_nulls()
    _tell(rows, f"{source.path}", notes)


def _tell(rows: pl.DataFrame, file: str, notes: Notes) -> None:
    shares = (
        rows.group_by("name", maintain_order=True)
        .agg(share=(pl.col("value") < pl.col("limit")).mean(), below=(pl.col("value") < pl.col("limit")).sum())
        .sort("share", descending=True, maintain_order=True)
    )
    below = int(shares["below"].sum())
    if not below:
        notes.info(f"{file}: no value lies below its limit of detection.")
        return
    some = shares.filter(pl.col("below") > 0)
    words = listed([f"{name} {100 * share:.0f} %" for name, share in some.select("name", "share").iter_rows()])
    notes.info(
        f"{file}: {below} of {rows.height} values lie below their limit of detection and stay as measured; "
        f"share below, by protein: {words}.",
        count=below,
    )
    mostly = some.filter(pl.col("share") > _MOSTLY)["name"].to_list()
    if mostly:
        notes.warning(
            f"{file}: {len(mostly)} proteins lie below their limit of detection in more than half of their values "
            f"({listed(mostly)}). Such a column is mostly noise; consider leaving it out (drop:).",
            count=len(mostly),
        )
