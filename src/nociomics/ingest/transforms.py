"""Apply the transformation that a source names to its numbers."""

from __future__ import annotations

from typing import Literal

import polars as pl

from nociomics.ingest.notes import Notes

Transform = Literal["none", "log2", "log10", "log1p"]


def transformed(frame: pl.DataFrame, transform: Transform, notes: Notes) -> pl.DataFrame:
    """Take the logarithm of every Float64 column; a value that has none is a fatal finding.

    Returns
    -------
    DataFrame
        Values that have no logarithm are null.
    """
    if transform == "none":
        return frame
    names = [name for name, dtype in frame.schema.items() if dtype == pl.Float64]
    low = -1.0 if transform == "log1p" else 0.0
    impossible = {name: int((frame[name] <= low).sum() or 0) for name in names}
    affected = [name for name, count in impossible.items() if count]
    for name in affected[:10]:
        what = f"are {low:g} or less and have no {transform}. Correct them, or set transform: none."
        notes.rows("fatal", frame, frame[name] <= low, what, column=name)
    if len(affected) > 10:
        rest = len(affected) - 10
        notes.fatal(f"{rest} further columns hold values without a {transform}.", count=rest)
    value = pl.when(pl.col(names) > low).then(pl.col(names))
    taken = {"log2": value.log(2.0), "log10": value.log(10.0), "log1p": value.log1p()}[transform]
    return frame.with_columns(taken.name.keep()) if names else frame
