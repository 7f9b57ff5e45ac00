"""One feature's entry in the catalogue, and a part of the feature table with its entries."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import polars as pl

from nociomics.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nociomics.tables.finding import Finding

BASELINE = "baseline"
ID = "patient_id"
Kind = Literal["numeric", "binary", "category"]
CATALOGUE_SCHEMA = {
    "feature": pl.String,
    "modality": pl.String,
    "group": pl.String,
    "unit": pl.String,
    "measured_at": pl.String,
    "description": pl.String,
    "missing_share": pl.Float64,
    "kind": pl.String,
    "within": pl.String,
    "low": pl.Float64,
    "high": pl.Float64,
    "source_file": pl.String,
    "source_column": pl.String,
}


@dataclass(frozen=True)
class Feature:
    """What a column of the feature table is; see `tables.harmonised.FEATURE_CATALOGUE`."""

    feature: str
    modality: str
    group: str
    unit: str
    description: str
    kind: Kind = "numeric"
    low: float | None = None
    high: float | None = None
    within: str | None = None
    measured_at: str = "baseline"


@dataclass(frozen=True)
class Part:
    """Some columns of the feature table, one row per person, with their catalogue entries."""

    frame: pl.DataFrame
    features: list[Feature]
    findings: list[Finding] = field(default_factory=list)


def catalogue_frame(features: Sequence[Feature], missing: Sequence[float], origins: pl.DataFrame) -> pl.DataFrame:
    """Catalogue entries as a table.

    Parameters
    ----------
    features : sequence of Feature
        One per row.
    missing : sequence of float, one per feature
        Share of people who lack it.
    origins : DataFrame, one row per feature
        ``source_file`` and ``source_column``, null where not known.
    """
    own = [name for name in CATALOGUE_SCHEMA if name not in ("missing_share", *origins.columns)]
    columns: dict[str, object] = {name: [getattr(entry, name) for entry in features] for name in own}
    columns |= {"missing_share": missing, **origins.to_dict()}
    return pl.DataFrame({name: columns[name] for name in CATALOGUE_SCHEMA}, schema=CATALOGUE_SCHEMA)


def clean_name(text: str) -> str:
    """Reduce a column name to ``[a-z0-9_]``.

    Examples
    --------
    >>> clean_name("IL-6 (NPX)")
    'il_6_npx'
    """
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "column"


def unique_names(names: Iterable[str]) -> list[str]:
    """Give each repeated name a number: the second one ends in ``_2``.

    Examples
    --------
    >>> unique_names(["a", "b", "a"])
    ['a', 'b', 'a_2']
    """
    taken: set[str] = set()
    found = []
    for name in names:
        number, candidate = 1, name
        while candidate in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate)
        found.append(candidate)
    return found


def typed(kind: Kind, column: str) -> pl.Expr:
    """Cast a column to what its kind is stored as."""
    return pl.col(column).cast(pl.String if kind == "category" else pl.Float64)


def wide_by_person(rows: pl.DataFrame, value: str, names: list[str], table: str) -> pl.DataFrame:
    """One row per person, one column per feature; a repeated cell is an error, not a choice."""
    repeated = rows.height - rows.select(ID, "feature").n_unique()
    if repeated:
        raise TableError(f"{table}: {repeated} rows repeat a person and feature. Keep one row each.")
    wide = rows.pivot(on="feature", on_columns=names, index=ID, values=value, aggregate_function="first")
    return wide.with_columns(pl.col(names).cast(pl.Float64))
