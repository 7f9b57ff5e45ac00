"""A table from outside as numbers and texts, whatever made it; what is no number is marked, never guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from nociomics.errors import TableError

if TYPE_CHECKING:
    from typing import TypeAlias

    import pandas as pd

    Rows: TypeAlias = (
        pl.DataFrame | pl.LazyFrame | pd.DataFrame | Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]
    )


_LONG = 1 << 63
_KINDS: dict[type, Any] = {str: pl.String, float: pl.Float64, int: pl.Int64, bool: pl.Boolean}


def as_frame(rows: Rows) -> pl.DataFrame:
    """Read a table of any make as a Polars frame; columns of mixed kinds become ``pl.Object``.

    Parameters
    ----------
    rows : DataFrame of polars or pandas, mapping of columns, or sequence of rows
        One row per person; a row is a mapping of column to value, in which a value may be absent.

    Raises
    ------
    TableError
        When columns have no names, or one name occurs twice.
    """
    if isinstance(rows, pl.LazyFrame):
        collected: pl.DataFrame = rows.collect()
        return collected
    if isinstance(rows, pl.DataFrame):
        return rows
    if hasattr(rows, "columns") and hasattr(rows, "to_numpy"):
        return _from_pandas(rows)
    if isinstance(rows, Mapping):
        return _from_columns({str(name): list(values) for name, values in rows.items()})
    if isinstance(rows, Sequence) and not isinstance(rows, (str, bytes)) and all(isinstance(r, Mapping) for r in rows):
        names = dict.fromkeys(str(name) for row in rows for name in row)
        named = [{str(name): value for name, value in row.items()} for row in rows]
        return _from_columns({name: [row.get(name) for row in named] for name in names})
    raise TableError(
        f"people to predict: a {type(rows).__name__} has no named columns. Give a table of polars or pandas, or a list "
        "of objects, with patient_id and the features of the model's schema as names."
    )


def names_of_pandas(frame: Any) -> list[str]:
    """Return the names of a pandas table's columns, each once.

    Raises
    ------
    TableError
        When one occurs twice.
    """
    names = [str(name) for name in frame.columns]
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise TableError(
            f"people to predict: {len(repeated)} column names occur more than once (first: {repeated[0]!r}). "
            "Keep one column of each name."
        )
    return names


def _from_pandas(frame: Any) -> pl.DataFrame:
    series = []
    for place, name in enumerate(names_of_pandas(frame)):
        column = frame.iloc[:, place]
        plain = getattr(column.dtype, "kind", "O") in "fiub" and isinstance(column.dtype, np.dtype)
        series.append(pl.Series(name, column.to_numpy()) if plain else series_of(name, column.tolist()))
    return pl.DataFrame(series)


def _from_columns(columns: dict[str, list[Any]]) -> pl.DataFrame:
    if len({len(values) for values in columns.values()}) > 1:
        raise TableError("people to predict: the columns differ in length. Give one value per person in each.")
    return pl.DataFrame([series_of(name, values) for name, values in columns.items()])


def _kind(values: list[Any]) -> Any:
    """Return the dtype that holds the values as they are; Object where none does."""
    kinds = {type(value) for value in values if not _is_nothing(value)}
    if not kinds:
        return pl.Null
    if kinds == {int} and any(not _is_nothing(value) and abs(value) >= _LONG for value in values):
        return pl.Object
    return _KINDS.get(kinds.pop(), pl.Object) if len(kinds) == 1 else pl.Object


def series_of(name: str, values: list[Any]) -> pl.Series:
    """Lay values out as a column of the kind that holds them as they are."""
    kind = _kind(values)
    if kind is pl.Object:
        return pl.Series(name, values, dtype=kind)
    return pl.Series(name, [None if _is_nothing(value) else value for value in values], dtype=kind)


def _is_nothing(value: Any) -> bool:
    # pandas' NA and NaT are unequal to themselves, or say neither yes nor no
    return (
        value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    )


def numbers_of(column: pl.Series, truth: bool) -> tuple[np.ndarray, np.ndarray]:
    """Read a column as numbers.

    Parameters
    ----------
    truth : bool
        Whether true and false count as 1 and 0.

    Returns
    -------
    values : ndarray of float64, shape (n_people,)
        NaN where not measured; too large for a float64 becomes infinity.
    not_numbers : ndarray of bool
        Where something else stands, such as text.
    """
    fine = np.zeros(len(column), dtype=bool)
    if column.dtype == pl.Object:
        return _numbers_of_objects(column, truth)
    if column.dtype.is_numeric() or (column.dtype == pl.Boolean and truth) or column.dtype == pl.Null:
        return column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy().astype(float), fine
    return np.full(len(column), np.nan), column.is_not_null().to_numpy()


def _numbers_of_objects(column: pl.Series, truth: bool) -> tuple[np.ndarray, np.ndarray]:
    values, wrong = np.full(len(column), np.nan), np.zeros(len(column), dtype=bool)
    for place, value in enumerate(column.to_list()):
        number = as_number(value, truth)
        if number is None:
            wrong[place] = True
        else:
            values[place] = number
    return values, wrong


def as_number(value: Any, truth: bool) -> float | None:
    """Return one value as a number: NaN where nothing stands, infinity beyond all floats, None where it is no number.

    Examples
    --------
    >>> as_number(3, truth=False), as_number("3", truth=False), as_number(True, truth=True)
    (3.0, None, 1.0)
    """
    if _is_nothing(value):
        return float("nan")
    if not isinstance(value, (int, float, np.number)) or (isinstance(value, bool) and not truth):
        return None
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def texts_of(column: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """Read a column as labels; whole numbers are labels too (a site called 3).

    Returns
    -------
    texts : Series of String
        Null where not given.
    no_labels : ndarray of bool
        Where neither text nor a whole number stands.
    """
    if column.dtype == pl.String:
        return column, np.zeros(len(column), dtype=bool)
    if column.dtype in (pl.Categorical, pl.Enum) or column.dtype.is_integer() or column.dtype == pl.Null:
        return column.cast(pl.String), np.zeros(len(column), dtype=bool)
    texts = [_label(value) for value in column.to_list()]
    wrong = np.array([text is False for text in texts], dtype=bool)
    return pl.Series(column.name, [text or None for text in texts], dtype=pl.String), wrong


def _label(value: Any) -> str | bool | None:
    if _is_nothing(value):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return False
