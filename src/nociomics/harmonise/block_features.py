"""Columns of a further numeric block as features."""

from __future__ import annotations

import polars as pl

from nociomics.harmonise.feature import ID, Feature, Part, clean_name, unique_names

_AS_GIVEN = "as given"


def block_features(name: str, block: pl.DataFrame, within: str | None = None) -> Part:
    """Columns of a further numeric block as ``<block>_<column>``, cleaned and made unique.

    A very large block that was kept in single precision stays so.
    """
    columns = [column for column in block.columns if column != ID]
    names = unique_names(f"{name}_{clean_name(column)}" for column in columns)
    pairs = list(zip(columns, names, strict=True))
    frame = pl.DataFrame([block[ID], *(_number(block[column]).alias(new) for column, new in pairs)])
    return Part(frame, [Feature(new, name, old, _AS_GIVEN, f"{name}: {old}", within=within) for old, new in pairs])


def _number(values: pl.Series) -> pl.Series:
    return values if values.dtype == pl.Float32 else values.cast(pl.Float64)
