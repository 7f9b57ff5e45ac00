"""People to predict as the gate reads them: numbers by name at once, texts by column, whatever brought them.

Rows of a request are read as they are: a column made for each of a thousand inputs costs more than all else about one
person. Tables of Polars and pandas are read column by column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl

from nociomics.export.input_values import as_frame, as_number, names_of_pandas, numbers_of, series_of

if TYPE_CHECKING:
    from nociomics.export.input_values import Rows

# kinds that numpy turns into numbers as `as_number` does
_PLAIN = frozenset((float, int, type(None)))
_TEXT = frozenset((str,))
_FEW = 32  # rows of pandas; more are read column by column


class InputTable(Protocol):
    """What the gate asks of a table."""

    @property
    def height(self) -> int:
        """Number of people."""

    @property
    def columns(self) -> Sequence[str]:
        """Names, each once."""

    def series(self, name: str) -> pl.Series:
        """Return one column as it came."""

    def numbers(self, names: Sequence[str], truth: Sequence[bool]) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """Read columns as numbers.

        Parameters
        ----------
        names : sequence of str
            Columns; one that is absent is measured of nobody.
        truth : sequence of bool
            Whether true and false count as 1 and 0 in each.

        Returns
        -------
        values : ndarray of float64, shape (n_people, len(names))
            NaN where not measured.
        wrong : list of (row, place)
            Where something stands that is no number, in the order of ``names``.
        """


class RowsTable:
    """Rows as JSON gives them, one per person: mappings of column to value, or lists of values in one order.

    Parameters
    ----------
    rows : sequence of dict, or of list
        In a dict a value may be absent; a list is as long as ``columns``.
    columns : sequence of str, optional
        Names, each once; needed for lists.
    """

    def __init__(self, rows: Sequence[Any], columns: Sequence[str] | None = None) -> None:
        self.rows, self.height = rows, len(rows)
        self.columns = columns_of(rows) if columns is None else columns
        in_order = self.height > 0 and isinstance(rows[0], list)
        self._keys: dict[str, Any] = {name: place if in_order else name for place, name in enumerate(self.columns)}

    def series(self, name: str) -> pl.Series:
        """Return one column as it came."""
        return series_of(name, [_cells(row, [self._keys[name]])[0] for row in self.rows])

    def numbers(self, names: Sequence[str], truth: Sequence[bool]) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """Read columns as numbers, see `InputTable`."""
        held = [place for place, name in enumerate(names) if name in self._keys]
        keys = [self._keys[names[place]] for place in held]
        values, wrong = np.full((self.height, len(held)), np.nan), []
        pick = itemgetter(*keys) if len(keys) > 1 else lambda row: _cells(row, keys)
        for number, row in enumerate(self.rows):
            try:
                cells = pick(row)
            except KeyError:
                cells = _cells(row, keys)
            if not _PLAIN.issuperset(map(type, cells)) or not _fill(values[number], cells):
                wrong += _one_by_one(values, number, cells, [(place, truth[place]) for place in held])
        if len(held) < len(names):
            values, read = np.full((self.height, len(names)), np.nan), values
            values[:, held] = read
        return values, sorted(wrong, key=lambda one: (one[1], one[0]))


def _cells(row: Any, keys: Sequence[Any]) -> list[Any]:
    return [row.get(key) for key in keys] if isinstance(row, dict) else [row[key] for key in keys]


def _fill(values: np.ndarray, cells: Sequence[float | None]) -> bool:
    try:
        values[:] = np.array(cells, dtype=np.float64)
    except OverflowError:  # a whole number beyond all floats
        return False
    return True


def _one_by_one(
    values: np.ndarray, row: int, cells: Sequence[Any], places: Sequence[tuple[int, bool]]
) -> list[tuple[int, int]]:
    """Read one person's cells that are of many kinds; return (row, place) of what is no number."""
    wrong = []
    for at, (cell, (place, truth)) in enumerate(zip(cells, places, strict=True)):
        found = as_number(cell, truth)
        if found is None:
            wrong.append((row, place))
        else:
            values[row, at] = found
    return wrong


class FrameTable:
    """A Polars frame; columns of mixed kinds are ``pl.Object``."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame, self.height, self.columns = frame, frame.height, frame.columns

    def series(self, name: str) -> pl.Series:
        """Return one column as it came."""
        return self.frame[name]

    def numbers(self, names: Sequence[str], truth: Sequence[bool]) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """Read columns as numbers, see `InputTable`."""
        values, wrong = np.full((self.height, len(names)), np.nan), []
        numeric = {name for name, kind in zip(self.columns, self.frame.dtypes, strict=True) if kind.is_numeric()}
        held = set(self.columns)
        plain = [place for place, name in enumerate(names) if name in numeric]
        if plain and self.height:
            values[:, plain] = self.frame.select(names[place] for place in plain).cast(pl.Float64).to_numpy()
        for place, name in enumerate(names):
            if name in held and name not in numeric:
                values[:, place], bad = numbers_of(self.frame[name], truth[place])
                wrong += [(row, place) for row in np.flatnonzero(bad).tolist()]
        return values, wrong


def table_of(rows: Rows) -> InputTable:
    """Take a table of any make for the gate.

    Parameters
    ----------
    rows : DataFrame of polars or pandas, mapping of columns, or sequence of rows
        One row per person.

    Raises
    ------
    TableError
        When columns have no names, or one name occurs twice.
    """
    if isinstance(rows, RowsTable):
        return rows
    if isinstance(rows, list) and all(isinstance(row, dict) and _TEXT.issuperset(map(type, row)) for row in rows):
        return RowsTable(rows)
    if hasattr(rows, "iloc") and len(rows) <= _FEW:  # type: ignore[arg-type]
        return _few_of_pandas(rows)
    return FrameTable(as_frame(rows))


def _few_of_pandas(frame: Any) -> RowsTable:
    names = names_of_pandas(frame)
    rows = frame.astype(object).to_numpy().tolist()
    return RowsTable([dict(zip(names, row, strict=True)) for row in rows], names)


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the names of rows, each once, in the order in which they first occur.

    Examples
    --------
    >>> columns_of([{"a": 1}, {"b": 2, "a": 3}])
    ['a', 'b']
    """
    columns: dict[str, None] = {}
    for row in rows:
        if row.keys() != columns.keys():
            columns.update(dict.fromkeys(row))
    return list(columns)
