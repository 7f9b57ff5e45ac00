"""Answers of one column as points, for any type of column: expressions, so that tables of any size can stream."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

import polars as pl

from nociomics.knowledge.instrument_item import BOOLEAN_WORDS, CLOCK, EMPTY_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from nociomics.knowledge.instrument_item import Item

_WHOLE = r"^\+?0*(\d+)(?:\.0*)?$"
_TINY = (pl.UInt8, pl.Boolean)
_UNREADABLE = pl.lit(float("nan"))


def is_text(dtype: pl.DataType, item: Item) -> bool:
    """Whether a column's answers must be read as text: by its type, or because the item is a time of day."""
    return item.kind == "clock" or not (dtype.is_numeric() or dtype == pl.Boolean)


def answer_words(column: str, item: Item) -> pl.Expr:
    """Clean a column of answers that is read as text; an empty answer becomes null.

    It is a step of its own: what follows uses the words many times.
    """
    word = pl.col(column).cast(pl.String).str.strip_chars().str.to_lowercase()
    kept = pl.when(~word.is_in(list(EMPTY_WORDS))).then(word)
    return kept.str.replace(_WHOLE, "${1}") if item.kind == "coded" else kept  # 2.0 and 02 are the code 2


def answer_points(answer: pl.Expr, dtype: pl.DataType, item: Item) -> pl.Expr:
    """Read answers to one item as points, as `Item.points` does for a single answer.

    Parameters
    ----------
    answer : Expr
        The column itself, or its words where `is_text`.
    dtype : DataType
        What the column holds; NaN is missing.
    item : Item
        What may be answered.

    Returns
    -------
    Expr
        Null where nothing was answered, NaN where an answer cannot be read; otherwise a whole number where the
        column holds such, and Float64 for others, which may lie outside what is allowed: see `refused`.

    Examples
    --------
    >>> from nociomics.knowledge.instrument import load_instrument
    >>> item = load_instrument("dn4").item("1")
    >>> points = answer_points(answer_words("a", item), pl.String(), item)
    >>> pl.DataFrame({"a": ["Yes", " 0", "", "x"]}).select(points).to_series().to_list()
    [1.0, 0.0, None, nan]
    """
    if is_text(dtype, item):
        read = _hours(answer) if item.kind == "clock" else _worth(answer, item)
        return pl.when(answer.is_not_null()).then(read.fill_null(_UNREADABLE))
    if item.kind == "coded":
        number = answer.cast(pl.Float64).fill_nan(None)
        worth = _coded(item, lambda code: number == float(code) if code.isdigit() else None)
        return pl.when(number.is_not_null()).then(worth.fill_null(_UNREADABLE))
    if dtype.is_integer() or dtype == pl.Boolean:
        return answer if dtype in (pl.Int8, pl.Int16) else answer.cast(pl.Int16 if dtype in _TINY else pl.Int64)
    return answer.cast(pl.Float64).fill_nan(None)


def refused(points: pl.Expr, item: Item) -> pl.Expr:
    """Mark points that the item does not allow; NaN counts as larger than any number."""
    outside = (points < item.low) | (points > item.high)
    return outside if item.kind in ("number", "clock", "coded") else outside | (points != points.floor())


def stored_bounds(dtype: pl.DataType, item: Item) -> tuple[int, int] | None:
    """Return the smallest and largest number that a column of whole numbers may hold, all between them being allowed.

    Returns
    -------
    tuple of int or None
        None when the column holds no whole numbers, or the item's codes leave gaps.

    Examples
    --------
    >>> from nociomics.knowledge.instrument import load_instrument
    >>> stored_bounds(pl.Int8(), load_instrument("bdi_ii").item("16")), stored_bounds(
    ...     pl.String(), load_instrument("pcs").item("1"))
    ((0, 3), None)
    """
    if not dtype.is_integer() or item.kind == "clock":
        return None
    if item.kind != "coded":
        return ceil(item.low), floor(item.high)
    codes = sorted(int(code) for code in item.codes if code.isdigit())
    return (codes[0], codes[-1]) if codes and codes == list(range(codes[0], codes[-1] + 1)) else None


def _coded(item: Item, same: Callable[[str], pl.Expr | None]) -> pl.Expr:
    """Chain the codes of an item; ``same`` says where a code was answered, or None where it never can be."""
    value = pl.lit(None, dtype=pl.Float64)
    for code, worth in item.codes.items():
        answered = same(code)
        value = value if answered is None else pl.when(answered).then(pl.lit(float(worth))).otherwise(value)
    return value


def _worth(word: pl.Expr, item: Item) -> pl.Expr:
    if item.kind == "coded":
        return _coded(item, lambda code: word == code)
    number = word.cast(pl.Float64, strict=False)
    if item.kind != "boolean":
        return number
    yes, no = ([text for text, worth in BOOLEAN_WORDS.items() if worth == wanted] for wanted in (1.0, 0.0))
    return pl.when(word.is_in(yes)).then(pl.lit(1.0)).when(word.is_in(no)).then(pl.lit(0.0)).otherwise(number)


def _hours(word: pl.Expr) -> pl.Expr:
    hours, minutes = (word.str.extract(f"^{CLOCK}$", part).cast(pl.Float64, strict=False) for part in (1, 2))
    half = word.str.extract(f"^{CLOCK}$", 3).str.replace_all(".", "", literal=True)
    on_twelve = hours % 12 + pl.when(half == "pm").then(12.0).otherwise(0.0)
    of_day = pl.when(half.is_null()).then(hours).when(hours.is_between(1, 12)).then(on_twelve)
    return pl.when((of_day < 24) & (minutes < 60)).then(of_day + minutes / 60)
