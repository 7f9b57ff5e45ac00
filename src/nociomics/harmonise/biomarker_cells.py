"""Measurements of any number to one row per person and one column per analyte, without a join or a sort."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nociomics.knowledge.biomarker import load_biomarkers

ID = "patient_id"
_ROWS = 500_000  # per batch: enough to be quick, little enough to be small


@dataclass(frozen=True)
class Cells:
    """Analytes of people.

    Attributes
    ----------
    people : Series of String
        Ids, in order of appearance.
    analytes : list of str
        Ids of those that somebody has, in the order of knowledge/biomarkers.csv.
    values : ndarray of shape (n_people, n_analytes)
        In the base unit; NaN where not measured.
    below : ndarray of bool, of the same shape
        Whether the value is a limit of detection.
    repeated : int
        Cells with more than one measurement.
    """

    people: pl.Series
    analytes: list[str]
    values: NDArray[np.float64]
    below: NDArray[np.bool_]
    repeated: int


Settle = Callable[[NDArray[np.int64]], pl.DataFrame]


def cells_of_converted(converted: pl.LazyFrame, settle: Settle | None = None) -> Cells:
    """Lay converted measurements out by person and analyte.

    Each row is written to its cell; where several rows meet, all rows of that cell are taken together.

    Parameters
    ----------
    converted : LazyFrame, one row per measurement
        As of `units.converted_rows`, in base units; rows without a value add nothing.
    settle : callable, optional
        Given the numbers of the rows that share a cell with another, makes one row per person and analyte of them:
        ``patient_id, analyte, value, below_lod``. The median of the rows of a cell when left out.

    Returns
    -------
    Cells
    """
    known = list(load_biomarkers())
    code = pl.col("analyte").cast(pl.Enum(known), strict=False).to_physical().cast(pl.UInt8)
    return _cells(converted.select(ID), converted.select(code.alias("code"), "value", "below_lod"), settle)


def cells_of_table(biomarkers: pl.LazyFrame, traits: pl.DataFrame) -> Cells:
    """Convert and lay measurements out in one go, for tables of any number of rows: see `cells_of_converted`.

    Parameters
    ----------
    biomarkers : LazyFrame, one row per measurement
        As in `tables.ingested.BIOMARKERS`, values and limits as numbers.
    traits : DataFrame
        From `units.unit_traits` of the same rows; refused combinations add nothing.
    """
    keys = [name for name in traits.columns if not name.startswith("__")]
    code = pl.col("__id").cast(pl.Enum(list(load_biomarkers()))).to_physical().cast(pl.UInt8)
    of_unit = traits.select(*keys, pl.when(pl.col("__refusal").is_null()).then(code).alias("code"), "__base")
    joined = biomarkers.join(of_unit.lazy(), on=keys, how="left", nulls_equal=True, maintain_order="left")
    limit = pl.col("value").is_null() & pl.col("below_lod")
    value = pl.when(limit).then("lod").otherwise("value") * pl.col("__base")
    return _cells(biomarkers.select(ID), joined.select("code", value.alias("value"), "below_lod"), None)


def _cells(ids: pl.LazyFrame, rows: pl.LazyFrame, settle: Settle | None) -> Cells:
    people, person = _people(ids)
    known = list(load_biomarkers())
    parts = list(rows.collect_batches(chunk_size=_ROWS, maintain_order=True))
    held = sorted({code for part in parts for code in part["code"].unique().drop_nulls()})
    # A row of no analyte or value goes to a last column that is cut off again.
    column = np.full(256, len(held), dtype=np.int32)
    column[held] = np.arange(len(held))
    table = _Table(people.len(), column, person)
    for part in parts:
        table.write(part)
    return table.cells(people, [known[code] for code in held], parts, settle)


def _people(ids: pl.LazyFrame) -> tuple[pl.Series, NDArray[np.int32]]:
    """Return the people in order of appearance, and the number of each row's person.

    Laboratories list a person's rows together: only the first row of each run of rows is looked up.
    """
    change = pl.col(ID).ne_missing(pl.col(ID).shift(1)) | (pl.col("__row") == 0)
    numbered = ids.with_row_index("__row")
    heads = numbered.filter(change).collect(engine="streaming")
    height = int(numbered.select(pl.len()).collect(engine="streaming").item())
    lengths = np.diff(np.append(heads["__row"].to_numpy().astype(np.int64), height))
    people, person_of_run = _numbered(heads[ID])
    return people, np.repeat(person_of_run, lengths)


def _numbered(heads: pl.Series) -> tuple[pl.Series, NDArray[np.int32]]:
    if heads.len() < 2 or bool((heads.slice(1) > heads.slice(0, heads.len() - 1)).all()):
        return heads, np.arange(heads.len(), dtype=np.int32)
    people = heads.unique(maintain_order=True)
    places = pl.DataFrame([people]).with_row_index("person")
    found = pl.DataFrame([heads]).join(places, on=ID, how="left", nulls_equal=True, maintain_order="left")["person"]
    return people, found.to_numpy().astype(np.int32)


class _Table:
    """The cells while they are filled, row by row."""

    def __init__(self, people: int, column: NDArray[np.int32], person: NDArray[np.int32]) -> None:
        width = int(column.max()) + 1
        self.shape, self.column, self.person = (people, width), column, person
        self.values = np.full(people * width, np.nan)
        self.below = np.zeros(people * width, dtype=bool)
        self.hits = np.zeros(people * width, dtype=np.uint8)  # 2 stands for any more
        self.written = 0

    def write(self, part: pl.DataFrame) -> None:
        """Write the next rows; of rows that meet in a cell the last one stays."""
        cell = self.cell_of(part, self.written)
        self.values[cell], self.below[cell] = part["value"].to_numpy(), part["below_lod"].fill_null(False).to_numpy()
        self._count(cell)
        self.written += part.height

    def cell_of(self, part: pl.DataFrame, start: int) -> NDArray[np.int64]:
        """Find the cells of some rows, of which the first is row ``start`` of the table."""
        place = self.column[part["code"].fill_null(255).to_numpy()]
        if part["value"].null_count():
            place[part["value"].is_null().to_numpy()] = self.shape[1] - 1
        cell: NDArray[np.int64] = self.person[start : start + part.height].astype(np.int64) * self.shape[1]
        cell += place
        return cell

    def _count(self, cell: NDArray[np.int64]) -> None:
        low, high = int(cell.min()), int(cell.max()) + 1
        if high - low <= 8 * cell.size:  # the rows of a person stand together
            fresh = np.bincount(cell - low, minlength=high - low)
            self.hits[low:high] = np.minimum(self.hits[low:high] + fresh, 2)
        else:
            again = np.unique(cell, return_counts=True)
            self.hits[again[0]] = np.minimum(self.hits[again[0]] + again[1], 2)

    def cells(self, people: pl.Series, names: list[str], parts: list[pl.DataFrame], settle: Settle | None) -> Cells:
        """Settle the cells that were written more than once, and cut the column of nothing off."""
        self.hits.reshape(self.shape)[:, -1] = 0
        twice = self.hits > 1
        values, below = self.values.reshape(self.shape), self.below.reshape(self.shape)
        repeated = int(twice.sum())
        if repeated:
            rows, cell, shared = self._shared(parts, twice)
            if settle is None:
                self._medians(shared.with_columns(pl.Series("cell", cell)))
            else:
                _put(settle(rows), people, names, values, below)
        return Cells(people, names, values[:, :-1], below[:, :-1], repeated)

    def _shared(
        self, parts: list[pl.DataFrame], twice: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], pl.DataFrame]:
        """Find the rows of cells that have several: their numbers, their cells, and themselves."""
        start, rows, cells, kept = 0, [], [], []
        for part in parts:
            cell = self.cell_of(part, start)
            here = np.flatnonzero(twice[cell])
            rows.append(here + start)
            cells.append(cell[here])
            kept.append(part[here])
            start += part.height
        return np.concatenate(rows), np.concatenate(cells), pl.concat(kept)

    def _medians(self, shared: pl.DataFrame) -> None:
        """Take the median of all rows of a cell; it is a limit where most of them are limits."""
        found = shared.group_by("cell").agg(pl.col("value").median(), pl.col("below_lod").mean() > 0.5)
        cell = found["cell"].to_numpy()
        self.values[cell], self.below[cell] = found["value"].to_numpy(), found["below_lod"].to_numpy()


def _put(
    settled: pl.DataFrame, people: pl.Series, names: list[str], values: NDArray[np.float64], below: NDArray[np.bool_]
) -> None:
    places = pl.DataFrame([people]).with_row_index("person")
    person = settled.select(ID).join(places, on=ID, how="left", maintain_order="left")["person"].to_numpy()
    column = settled["analyte"].cast(pl.Enum(names)).to_physical().to_numpy()
    values[person, column], below[person, column] = settled["value"].to_numpy(), settled["below_lod"].to_numpy()
