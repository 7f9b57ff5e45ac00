"""A contract table written chunk by chunk, in memory that does not grow with it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from nociomics.tables.contract import Contract


class RowGroups:
    """Writes frames of one table below each other into a Parquet file, one row group each.

    Every chunk is held against the contract. A table without a chunk is no table: at least one has to come, if an
    empty one.

    Parameters
    ----------
    path : Path
        Where to; use it inside `tables.files.written_whole`, so that the table is there whole or not at all.
    contract : Contract
        What it must hold. A key is checked within each chunk only.
    """

    def __init__(self, path: Path, contract: Contract) -> None:
        self.path, self.contract = Path(path), contract
        self._writer: Any = None

    def __enter__(self) -> RowGroups:
        return self

    def add(self, frame: pl.DataFrame) -> None:
        """Write one more chunk; an empty one only when it is the first."""
        import polars as pl
        import pyarrow.parquet

        self.contract.check(frame, str(self.path))
        if self._writer is not None and frame.is_empty():
            return
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._writer = pyarrow.parquet.ParquetWriter(self.path, table.schema, compression="zstd")
        self._writer.write_table(table)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
