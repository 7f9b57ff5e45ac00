"""Find codes that probably mean missing and that the study does not name; nothing is changed."""

from __future__ import annotations

import polars as pl

from nociomics.ingest.notes import HIDDEN, Notes, place

WORDS = (
    ".", "-", "--", "?", "*", "null", "none", "nil", "n/a", "#n/a", "#null!", "#value!", "#ref!", "#div/0!", "#num!",
    "#name?", "<na>", "n.a.", "n.d.", "nd", "n.b.", "k.a.", "na()", "missing", "unknown", "undefined", "<undefined>",
    "not done", "not available", "not applicable", "unk", "nr", "-nan", "1.#qnan", "refused",
)  # fmt: skip
"""Words that programs and people write for a missing value, in lower case."""
_DIGITS = (7, 8, 9)
# Two signs suffice for a negative code; positive ones need three, since 77, 88 and 99 are frequent values.
_CODES = frozenset(
    [-float(f"{digit}" * length) for digit in _DIGITS for length in (1, 2, 3, 4, 5)]
    + [float(f"{digit}" * length) for digit in _DIGITS for length in (2, 3, 4, 5, 6)]
)
_FEWEST = 3


def words_for_missing(wrong: pl.Series) -> list[str]:
    """Return the usual words for missing among texts that stand where numbers belong, as they are written.

    Examples
    --------
    >>> words_for_missing(pl.Series(["n.d.", "12,5", "NULL"]))
    ['NULL', 'n.d.']
    """
    texts = wrong.drop_nulls().unique()
    return sorted(text for text in texts.filter(texts.str.strip_chars().str.to_lowercase().is_in(list(WORDS))))


def note_codes(frame: pl.DataFrame, columns: list[str], notes: Notes) -> None:
    """Warn of columns of numbers that hold a usual code for missing, far outside all their other values.

    Parameters
    ----------
    frame : DataFrame
        With its hidden columns; the named columns are Float64.
    columns : list of str
        Columns to look at.
    notes : Notes
        Takes one warning for each column, at most ten, with the code and how often it stands there.
    """
    schema = frame.schema
    numbers = [name for name in columns if schema[name].is_numeric()]
    if not numbers or frame.height == 0:
        return
    ends = [frame.select(pl.col(numbers).min()).row(0), frame.select(pl.col(numbers).max()).row(0)]
    suspects = [name for name, low, high in zip(numbers, *ends, strict=True) if low in _CODES or high in _CODES]
    found = [(name, code, count) for name in suspects for code, count in _codes_of(frame[name])]
    for name, code, count in found[:10]:
        notes.warning(
            f"{place(_hidden(frame), name)}: {count} values are {code:g}, far outside the others, and were taken as "
            f'they stand. If it means missing, say missing: ["{code:g}"].',
            column=name,
            count=count,
        )
    if len(found) > 10:
        rest = sum(count for _, _, count in found[10:])
        notes.warning(f"{len(found) - 10} further columns may hold codes for missing.", count=rest)


def _hidden(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select([name for name in HIDDEN if name in frame.columns])


def _codes_of(values: pl.Series) -> list[tuple[float, int]]:
    present = values.cast(pl.Float64).drop_nulls()
    is_code = present.is_in(list(_CODES))
    rest = present.filter(~is_code)
    if len(rest) < _FEWEST:
        return []
    low, high = float(rest.min()), float(rest.max())  # type: ignore[arg-type]
    counts = present.filter(is_code).value_counts(sort=True)
    return [(code, count) for code, count in counts.sort(values.name).iter_rows() if _is_far(code, low, high)]


def _is_far(code: float, low: float, high: float) -> bool:
    """Whether a code lies further from the other values than these lie from each other."""
    if code < 0:
        return low >= 0
    return code - high > high - low and code > 2 * high
