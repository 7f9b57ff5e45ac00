"""People who have the same measurements as somebody else: a copied sample, or one person under two ids."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from nociomics.tables.finding import Finding

_FEWEST_COLUMNS = 5  # few numbers agree by chance
_SCHEMA = {"table": pl.String, "columns": pl.Int64, "people": pl.Int64}


def identical_people(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Count people whose whole row of measurements equals that of another person.

    Parameters
    ----------
    tables : mapping of table to DataFrame, one row per person
        Numeric columns alone. Tables of fewer than five columns are not searched; people without any value,
        or with the same value in all columns, do not count.

    Returns
    -------
    DataFrame, one row per table searched
        As in `IDENTICAL_PEOPLE`.
    """
    rows = [(name, frame.width, _same(frame)) for name, frame in tables.items() if frame.width >= _FEWEST_COLUMNS]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _same(frame: pl.DataFrame) -> int:
    telling = frame.select(lowest=pl.min_horizontal(pl.all()), highest=pl.max_horizontal(pl.all()))
    shown = frame.filter(telling["lowest"] < telling["highest"])
    hashes = shown.hash_rows(seed=0)
    # Equal hashes are looked at again: a hash alone is no proof.
    suspects = shown.filter(hashes.is_duplicated())
    return int(suspects.is_duplicated().sum())


def duplicate_findings(duplicates: pl.DataFrame) -> list[Finding]:
    """Warn of people with the same measurements."""
    return [
        Finding(
            table, None, "warning", people,
            f"{people} people have exactly the measurements of another person in all {columns} columns. Ask the "
            "laboratory whether a sample was copied, or one person has two ids; leave one of each pair out.",
        )
        for table, columns, people in duplicates.filter(pl.col("people") > 0).iter_rows()
    ]  # fmt: skip
