"""Read a Parquet file as text."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl

from nociomics.ingest.content import GZIP, read_bytes, refuse
from nociomics.ingest.notes import ROW


def read_parquet(path: Path, shown: str) -> tuple[list[str], pl.DataFrame]:
    """Return a Parquet file's header and its rows, every value as text.

    Parameters
    ----------
    path : Path
        The file, plain or gzipped.
    shown : str
        How messages name it.

    Returns
    -------
    list of str
        The column names.
    DataFrame, one row per data row
        String columns ``c0``, ``c1``... and the number of the data row, from 1. Dates are written year first.

    Raises
    ------
    UnreadableTable
        When the file is damaged or a column holds lists, records or bytes.
    """
    with path.open("rb") as stream:
        zipped = stream.read(2) == GZIP
    try:
        frame = pl.read_parquet(io.BytesIO(read_bytes(path, shown)) if zipped else path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise refuse(f"{shown}: cannot be read as Parquet; it is damaged or cut.") from error
    odd = [name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype in (pl.Binary, pl.Object)]
    if odd:
        raise refuse(f'{shown}: {len(odd)} columns hold lists, records or bytes (first: "{odd[0]}").', len(odd))
    header = frame.columns
    text = frame.select(
        _as_text(name, dtype).alias(f"c{index}") for index, (name, dtype) in enumerate(frame.schema.items())
    )
    return header, text.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64))


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        # The time of the clock where it was measured, without its zone.
        return column.dt.replace_time_zone(None).dt.strftime("%Y-%m-%d %H:%M:%S%.f")
    return column.cast(pl.String)
