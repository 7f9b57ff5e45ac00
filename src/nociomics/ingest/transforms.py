"""Apply the transformation that a source names to its numbers: each value by itself, or within one person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl

from nociomics.ingest.notes import Notes, how_many, place

Transform = Literal["none", "log2", "log10", "log1p", "m_value", "clr"]

PSEUDO_COUNT = 0.5
"""Added to every count before a centred log-ratio, since 0 has no logarithm."""
BETA_END = 1e-4
"""A methylation beta of exactly 0 or 1 has no M value; it is taken as this far from its end (M of -13.3 or 13.3)."""
_NAMED = 10


def transformed(frame: pl.DataFrame, transform: Transform, notes: Notes) -> pl.DataFrame:
    """Transform every Float64 column of a table; a value that cannot be is a fatal finding.

    Returns
    -------
    DataFrame
        Values that have no transformed value are null.
    """
    names = [name for name, dtype in frame.schema.items() if dtype == pl.Float64]
    if transform == "none" or not names:
        return frame
    values = frame.select(names).to_numpy().astype(np.float64)
    done = transformed_values(values, names, frame, transform, notes)
    return frame.with_columns(
        pl.Series(name, column, nan_to_null=True) for name, column in zip(names, done.T, strict=True)
    )


def transformed_values(
    values: np.ndarray, names: Sequence[str], rows: pl.DataFrame, transform: Transform, notes: Notes
) -> np.ndarray:
    """Transform an array of measurements; a value that cannot be is a fatal finding.

    ``log2``, ``log10``, ``log1p``: of positive values (above -1 for log1p). ``m_value``: methylation beta, 0 to 1, to
    ``log2(beta / (1 - beta))``; exactly 0 and 1 are moved by `BETA_END`, and counted. ``clr``: natural logarithm of
    each count plus `PSEUDO_COUNT`, less the person's own mean of these logarithms.

    Parameters
    ----------
    values : ndarray, shape (samples, names)
        NaN where missing; may be overwritten.
    names : sequence of str
        Columns, for messages.
    rows : DataFrame, one row per sample
        With the hidden columns, for messages.

    Returns
    -------
    ndarray, shape (samples, names)
        NaN where missing or impossible.

    References
    ----------
    Du 2010, BMC Bioinformatics 11:587 (M values); Aitchison 1982, J R Stat Soc B 44:139 (centred log-ratio).
    """
    if transform == "none":
        return values
    if transform == "m_value":
        return _m_values(values, names, rows, notes)
    if transform == "clr":
        return _centred_log_ratios(values, names, rows, notes)
    low = -1.0 if transform == "log1p" else 0.0
    what = f"are {low:g} or less and have no {transform}. Correct them, or set transform: none."
    values = _without(values, values <= low, names, rows, what, f"values without a {transform}", notes)
    taken = {"log2": np.log2, "log10": np.log10, "log1p": np.log1p}[transform]
    taken(values, out=values)
    return values


def _m_values(values: np.ndarray, names: Sequence[str], rows: pl.DataFrame, notes: Notes) -> np.ndarray:
    what = "are below 0 or above 1, which no methylation beta can be. Correct them, or set transform: none."
    values = _without(values, (values < 0) | (values > 1), names, rows, what, "values outside 0 to 1", notes)
    none, full = values == 0, values == 1
    ends = int(none.sum() + full.sum())
    if ends:
        values[none], values[full] = BETA_END, 1 - BETA_END
        notes.info(
            f"{place(rows)}: {ends} betas are exactly 0 or 1, which have no M value; they were taken as "
            f"{BETA_END:g} and {1 - BETA_END:g}.",
            count=ends,
        )
    odds: np.ndarray = values / (1 - values)
    np.log2(odds, out=odds)
    return odds


def _centred_log_ratios(values: np.ndarray, names: Sequence[str], rows: pl.DataFrame, notes: Notes) -> np.ndarray:
    what = "are no counts (whole numbers of 0 or more), as transform: clr needs. Correct them, or leave clr out."
    wrong = (values < 0) | ((np.rint(values) != values) & ~np.isnan(values))
    values = _without(values, wrong, names, rows, what, "values that are no counts", notes)
    empty = np.nansum(values, axis=1) <= 0
    missing = np.isnan(values).all(axis=1)
    notes.rows(
        "fatal",
        rows,
        pl.Series(empty & ~missing),
        "have no count above 0: a sample without reads has no composition. Leave it out (where:).",
    )
    values[empty] = np.nan
    logs: np.ndarray = np.log(values + values.dtype.type(PSEUDO_COUNT))
    known = ~np.isnan(logs)
    with np.errstate(invalid="ignore"):  # a sample of which nothing is known
        means = np.nansum(logs, axis=1, dtype=np.float64) / known.sum(axis=1)
    logs -= means[:, np.newaxis].astype(values.dtype)
    return logs


def _without(
    values: np.ndarray,
    wrong: np.ndarray,
    names: Sequence[str],
    rows: pl.DataFrame,
    what: str,
    further: str,
    notes: Notes,
) -> np.ndarray:
    """Note the impossible values, column by column for the first ten columns, and make them NaN."""
    affected = np.flatnonzero(wrong.any(axis=0))
    for column in affected[:_NAMED]:
        bad = rows.filter(pl.Series(wrong[:, column]))
        name = names[int(column)]
        notes.fatal(f"{place(bad, name)}: {how_many(bad)} {what}", column=name, count=bad.height)
    rest = len(affected) - _NAMED
    if rest > 0:
        notes.fatal(f"{rest} further columns hold {further}.", count=rest)
    if len(affected):
        values = values.copy()
        values[wrong] = np.nan
    return values
