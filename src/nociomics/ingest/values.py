"""Turn text into numbers, dates and yes/no: all of a column or a finding, never a guess."""

from __future__ import annotations

import json

import polars as pl

from nociomics.ingest.missing_codes import note_codes, words_for_missing
from nociomics.ingest.notes import HIDDEN, Notes, Severity, place

_DECIMAL_COMMA = r"^[+-]?\d*,\d+$"
_WHOLE = r"^[+-]?\d+$"
_THOUSANDS = r"^[+-]?[1-9]\d{0,2},\d{3}$"
_PARTED = r"^[+-]?[1-9]\d{0,2}(\.\d{3})+,\d+$"
ALWAYS_NUMBERS = ("age", "bmi", "weight", "height", "pain_months", "harm_weight")
"""Columns of people that hold numbers whatever the file has in them."""
_MOST_FINDINGS = 10
_YES, _NO = ("1", "1.0", "true", "yes", "y"), ("0", "0.0", "false", "no", "n")
_DATE_SHAPES = (
    (r"^\d{4}-\d{1,2}-\d{1,2}$", "%Y-%m-%d"),
    (r"^\d{4}/\d{1,2}/\d{1,2}$", "%Y/%m/%d"),
    (r"^\d{1,2}\.\d{1,2}\.\d{4}$", "%d.%m.%Y"),
    (r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}$", "%Y-%m-%d %H:%M"),
    (r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?Z?$", "%Y-%m-%d %H:%M:%S%.f"),
)


def parsed_numbers(text: pl.Series) -> pl.Series:
    """Parse text as numbers; what is no finite number becomes null.

    Examples
    --------
    >>> parsed_numbers(pl.Series(["1.5", " 2", "x", "inf", None])).to_list()
    [1.5, 2.0, None, None, None]
    """
    if text.dtype != pl.String:
        return text.cast(pl.Float64)
    numbers = text.str.strip_chars().cast(pl.Float64, strict=False)
    return numbers.set(~numbers.is_finite().fill_null(True), None)


def not_numbers(text: pl.Series) -> pl.Series:
    """Mark the rows that hold text where a number belongs; a missing value is fine."""
    return text.is_not_null() & parsed_numbers(text).is_null()


def with_decimal_points(text: pl.Series) -> pl.Series | None:
    """Rewrite a column of decimal commas with points, or None when the column is not surely one.

    Every value must be a whole number or have one comma; values that might be thousands (1,234) decide nothing.
    """
    present = text.drop_nulls().str.strip_chars()
    commas = present.str.contains(_DECIMAL_COMMA)
    if not commas.any() or not (commas | present.str.contains(_WHOLE)).all():
        return None
    if present.filter(commas).str.contains(_THOUSANDS).all():
        return None
    return text.str.replace(",", ".", literal=True)


def number_column(frame: pl.DataFrame, column: str, notes: Notes, *, codes: bool = True) -> pl.Series:
    """Return a column as Float64; text where a number belongs is one fatal finding.

    Parameters
    ----------
    frame : DataFrame
        With hidden columns; the column holds text.
    column : str
        Its name.
    notes : Notes
        Takes the findings.
    codes : bool
        Whether to warn of usual codes for missing (999) among the values.

    Returns
    -------
    Series of Float64
        Null where missing or (after a fatal finding) unreadable.
    """
    text = frame[column]
    numbers = parsed_numbers(text).alias(column)
    wrong = text.is_not_null() & numbers.is_null()
    if wrong.any():
        pointed = with_decimal_points(text)
        if pointed is not None:
            notes.info(
                f"{place(frame, column)}: decimal commas were read as decimal points.",
                column=column,
                count=int((text != pointed).sum() or 0),
            )
            return parsed_numbers(pointed).alias(column)
        advice = _other_way(notes.table, column)
        notes.rows("fatal", frame, wrong, f"{_TEXT_FOR_NUMBER}{_hint(text.filter(wrong))}{advice}", column=column)
    if codes:
        hidden = [frame[name] for name in HIDDEN if name in frame.columns]
        note_codes(pl.DataFrame([*hidden, numbers]), [column], notes)
    return numbers


_TEXT_FOR_NUMBER = (
    "hold text where a number belongs. Correct them, or list the words that mean missing under missing: of this table"
)


def _hint(wrong: pl.Series) -> str:
    words = words_for_missing(wrong)
    said = f" (such as missing: [{', '.join(quoted(word) for word in words)}])" if words else ""
    if wrong.str.strip_chars().str.contains(_PARTED).any():
        return f'{said} (some part thousands with points, as 1.234,5: say decimal: "," for this file).'
    if wrong.str.contains(_DECIMAL_COMMA).any():
        return (
            f"{said} (some use a decimal comma and some do not, or the comma may part thousands: write decimal points, "
            'or say decimal: "," or decimal: ".").'
        )
    return f"{said}."


def _other_way(table: str, column: str) -> str:
    """Say what a column may be that was never meant to hold numbers."""
    if table == "patients" and column not in ALWAYS_NUMBERS:
        return f" A column of labels is named under as_text: [{quoted(column)}]."
    measured = table == "expression" or table.startswith("block ")
    return " A column that is no measurement is left out with drop:." if measured else ""


def quoted(word: str) -> str:
    """Write a word in quotation marks, as YAML takes it.

    Examples
    --------
    >>> quoted("n.d.")
    '"n.d."'
    """
    return json.dumps(word, ensure_ascii=False)


def number_columns(frame: pl.DataFrame, columns: list[str], notes: Notes) -> pl.DataFrame:
    """Turn many columns into Float64; those with text in them become one finding each, at most ten of a severity.

    Returns
    -------
    DataFrame, one row per row of frame
        The other columns are as they were.
    """
    plain = frame.with_columns(pl.col(columns).str.strip_chars().cast(pl.Float64, strict=False)) if columns else frame
    lost = [
        name
        for name in columns
        if plain[name].null_count() != frame[name].null_count() or not plain[name].is_finite().all()
    ]
    aside = Notes(notes.table)
    repaired = [number_column(frame, name, aside, codes=False) for name in lost]
    severities: tuple[Severity, ...] = ("fatal", "warning", "info")
    for severity in severities:
        alike = [finding for finding in aside.findings if finding.severity == severity]
        notes.findings += alike[:_MOST_FINDINGS]
        rest = len(alike) - _MOST_FINDINGS
        if rest > 0:
            same = "have the same problem as" if severity == "fatal" else "are as"
            notes.add(severity, f"{rest} further columns {same} those named before.", count=rest)
    whole = plain.with_columns(repaired)
    note_codes(whole, columns, notes)
    return whole


def parsed_times(text: pl.Series) -> pl.Series:
    """Parse dates and times of day; a text that is neither becomes null.

    Year first, or day.month.year with points; orders that could be read two ways (03/04/2024) are not taken.

    Examples
    --------
    >>> parsed_times(pl.Series(["2024-03-01", "01.03.2024", "03/01/2024"])).dt.day().to_list()
    [1, 1, None]
    """
    name = text.name
    clean = text.cast(pl.String).str.strip_chars()
    spaced = clean.str.replace("T", " ", literal=True).str.strip_suffix("Z")
    readings = [
        pl.when(pl.col("shape").str.contains(shape))
        .then(pl.col("value").str.to_datetime(layout, strict=False, time_unit="us"))
        .otherwise(None)
        for shape, layout in _DATE_SHAPES
    ]
    return pl.DataFrame({"shape": clean, "value": spaced}).select(pl.coalesce(readings).alias(name))[name]


def is_time_column(text: pl.Series) -> bool:
    """Whether every value that is present is a date or a time."""
    return text.null_count() < len(text) and parsed_times(text).null_count() == text.null_count()


def time_column(frame: pl.DataFrame, column: str, notes: Notes) -> pl.Series:
    """Return a column as Datetime; other text is one fatal finding."""
    times = parsed_times(frame[column])
    wrong = frame[column].is_not_null() & times.is_null()
    notes.rows("fatal", frame, wrong, "are not dates. Write them as 2026-01-31.", column=column)
    return times


def yes_no_column(frame: pl.DataFrame, column: str, notes: Notes) -> pl.Series:
    """Return 1/0, true/false or yes/no as Boolean; anything else is one fatal finding."""
    word = frame[column].str.strip_chars().str.to_lowercase()
    yes, no = word.is_in(list(_YES)), word.is_in(list(_NO))
    wrong = word.is_not_null() & ~yes & ~no
    notes.rows("fatal", frame, wrong, "are none of 0/1, true/false, yes/no.", column=column)
    table = pl.DataFrame({"yes": yes, "no": no})
    answer = pl.when(pl.col("yes")).then(True).when(pl.col("no")).then(False).otherwise(None)
    return table.select(answer.alias(column))[column]
