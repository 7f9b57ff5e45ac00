"""Read a Parquet file as text."""

from __future__ import annotations

import io

import polars as pl

from nociomics.ingest.content import refuse
from nociomics.ingest.notes import ROW


def read_parquet(data: bytes, shown: str) -> tuple[list[str], pl.DataFrame]:
    """Return a Parquet file's header and its rows, every value as text.

    Returns
    -------
    list of str
        The column names.
    DataFrame, one row per data row
        String columns ``c0``, ``c1``... and the number of the data row, from 1.

    Raises
    ------
    UnreadableTable
        When the file is damaged or a column holds lists or records.
    """
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise refuse(f"{shown}: cannot be read as Parquet; it is damaged or cut.") from error
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    if nested:
        raise refuse(f'{shown}: {len(nested)} columns hold lists or records (first: "{nested[0]}").', len(nested))
    header = frame.columns
    text = frame.select(pl.col(name).cast(pl.String).alias(f"c{index}") for index, name in enumerate(header))
    return header, text.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64))
