"""What a table must hold: columns, types, keys and ranges, checked at every stage boundary."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import cast

import polars as pl

from nociomics.errors import TableError

_NUMERIC = "number"
_KINDS = {
    "text": (pl.String, pl.Enum, pl.Categorical),
    _NUMERIC: (pl.Float64, pl.Float32, pl.Int64, pl.Int32, pl.Int16, pl.Int8, pl.UInt32),
    "integer": (pl.Int64, pl.Int32, pl.Int16, pl.Int8, pl.UInt32),
    "boolean": (pl.Boolean,),
    "time": (pl.Datetime, pl.Date, pl.String),
}


@dataclass(frozen=True)
class Column:
    """One column of a contract.

    Parameters
    ----------
    name : str
        The column's name.
    kind : {"text", "number", "integer", "boolean", "time"}
        What it holds.
    null : bool
        Whether a row may lack it.
    low, high : float, optional
        Closed range of a number.
    allowed : tuple of str, optional
        The only values of a text.
    required : bool
        Whether the table may lack the column altogether.
    meaning : str
        One line for the reference page.
    """

    name: str
    kind: str = "text"
    null: bool = False
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] | None = None
    required: bool = True
    meaning: str = ""


@dataclass(frozen=True)
class Contract:
    """A table's columns and key; ``open`` tables may hold further columns."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    open: bool = False
    row: str = field(default="", compare=False)

    def problems(self, frame: pl.DataFrame) -> list[str]:
        """List every way in which a frame breaks the contract, without showing a value.

        Parameters
        ----------
        frame : DataFrame
            The table, collected.

        Returns
        -------
        list of str
            Empty when the contract holds.
        """
        found: list[str] = []
        for column in self.columns:
            if column.name not in frame.columns:
                if column.required:
                    found.append(f'column "{column.name}" is missing')
                continue
            found += _column_problems(frame[column.name], column)
        known = {column.name for column in self.columns}
        extra = [name for name in frame.columns if name not in known]
        if extra and not self.open:
            found.append(f"{len(extra)} columns are not part of the contract (first: {extra[0]!r})")
        # a part of the key that this table need not have tells nothing apart where it is absent
        optional = {column.name for column in self.columns if not column.required}
        present = [name for name in self.key if name in frame.columns]
        if present and set(self.key) - set(present) <= optional:
            repeated = _repeated(frame.select(present))
            if repeated:
                found.append(f"{repeated} rows repeat the key ({', '.join(self.key)})")
        return found

    def check(self, frame: pl.DataFrame, where: str = "") -> pl.DataFrame:
        """Return the frame when it keeps the contract, else raise `TableError` with all problems."""
        found = self.problems(frame)
        if found:
            place = f"{where}: " if where else ""
            raise TableError(f"{place}the table {self.name} breaks its contract: " + "; ".join(found) + ".")
        return frame


def empty_frame(contract: Contract) -> pl.DataFrame:
    """Make a table of a contract without rows, with all its columns."""
    return pl.DataFrame(schema={column.name: _KINDS[column.kind][0] for column in contract.columns})


def _repeated(keys: pl.DataFrame) -> int:
    """Count rows that repeat another; keys whose hashes differ do, and texts are compared only where they do not."""
    hashes = keys.to_series().hash() if keys.width == 1 else keys.hash_rows()
    if hashes.n_unique() == keys.height:
        return 0
    return keys.height - keys.n_unique()


def _column_problems(values: pl.Series, column: Column) -> list[str]:
    if not isinstance(values.dtype, _KINDS[column.kind]) and values.dtype != pl.Null:
        return [f'column "{column.name}" holds {values.dtype}, expected {column.kind}']
    found = []
    nulls = values.null_count()
    if nulls and not column.null:
        found.append(f'column "{column.name}" is empty in {nulls} rows')
    if nulls == len(values):
        return found
    # one sum and two ends say that all is well, in a fraction of the time of looking at each value
    finite = not values.dtype.is_float() or math.isfinite(values.sum())
    if column.kind == _NUMERIC and not finite:
        odd = int((values.is_nan() | values.is_infinite()).sum() or 0)
        if odd:
            found.append(f'column "{column.name}" is not finite in {odd} rows')
    if column.low is not None and not (finite and cast(float, values.min()) >= column.low):
        low = int((values < column.low).sum() or 0)
        if low:
            found.append(f'column "{column.name}" is below {column.low:g} in {low} rows')
    if column.high is not None and not (finite and cast(float, values.max()) <= column.high):
        high = int((values > column.high).sum() or 0)
        if high:
            found.append(f'column "{column.name}" is above {column.high:g} in {high} rows')
    if column.allowed is not None and not {*column.allowed, None}.issuperset(values.unique()):
        other = int((~values.is_in(list(column.allowed))).sum() or 0)
        if other:
            found.append(f'column "{column.name}" is none of {", ".join(column.allowed)} in {other} rows')
    return found
