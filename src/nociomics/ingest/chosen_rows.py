"""Keep the rows that a study names by their values."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.notes import HIDDEN, Notes, place
from nociomics.tables.study import Scalar


def chosen_rows(
    frame: pl.DataFrame, where: dict[str, Scalar | list[Scalar]], notes: Notes, key: str, columns: dict[str, str]
) -> pl.DataFrame:
    """Keep the rows that have the named values; a value matches as text or as the same number."""
    for name, wanted in where.items():
        column = columns.get(name, name)
        if column not in frame.columns:
            known = [known for known in frame.columns if known not in HIDDEN]
            notes.fatal(
                f'{place(frame)}: {key}: names the column "{name}", which the file lacks.{did_you_mean(name, known)}',
                column=name,
            )
            continue
        kept = frame.filter(_is_one_of(frame[column], wanted if isinstance(wanted, list) else [wanted]))
        if kept.height == 0 and frame.height:
            notes.fatal(
                f"{place(frame, column)}: no row of {frame.height} has a value named under {key}:.",
                column=column,
                count=frame.height,
            )
        frame = kept
    return frame


def _is_one_of(text: pl.Series, wanted: Sequence[Scalar]) -> pl.Series:
    words = [str(value).lower() if isinstance(value, bool) else str(value) for value in wanted]
    numbers = [float(value) for value in wanted if isinstance(value, int | float) and not isinstance(value, bool)]
    flags = any(isinstance(value, bool) for value in wanted)
    same = text.is_in(words)
    if flags:
        same = same | text.str.to_lowercase().is_in([word for word in words if word in ("true", "false")])
    if numbers:
        same = same | text.str.strip_chars().cast(pl.Float64, strict=False).is_in(numbers)
    return same.fill_null(False)
