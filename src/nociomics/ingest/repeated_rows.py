"""Drop rows that are written twice: equal in every column of the file."""

from __future__ import annotations

import polars as pl

from nociomics.ingest.notes import FILE, HIDDEN, Notes


def without_repeats(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    """Keep the first of rows that are equal in every column, and count the others.

    Rows with one key and different content stay: which of them is right cannot be known here.

    Parameters
    ----------
    frame : DataFrame
        One file's rows with its hidden columns, before anything was chosen or reshaped.
    notes : Notes
        Takes a warning with their number.
    """
    columns = [name for name in frame.columns if name not in HIDDEN]
    if frame.height < 2 or not columns:
        return frame
    # Only rows that share a hash are compared in full: hardly any, and the table may be long and wide.
    suspects = frame.select(columns).hash_rows(seed=0).is_duplicated()
    if not suspects.any():
        return frame
    same = frame.select(columns).filter(suspects).select(~pl.struct(columns).is_first_distinct()).to_series()
    if not same.any():
        return frame
    repeated = suspects.arg_true().filter(same)
    again = pl.Series([False]).new_from_index(0, frame.height).scatter(repeated, True)
    notes.rows("warning", frame, again, "repeat a row above in every column and are left out.")
    left = frame.filter(~again)
    notes.step(
        str(frame[FILE][0]) if FILE in frame.columns else None,
        "left out",
        frame.height,
        left.height,
        "rows that repeat another in every column",
    )
    return left
