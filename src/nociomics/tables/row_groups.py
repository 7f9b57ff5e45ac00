"""A contract table written chunk by chunk, in memory that does not grow with it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from nociomics.errors import TableError

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
        self._empty: Any = None

    def __enter__(self) -> RowGroups:
        return self

    def add(self, frame: pl.DataFrame) -> None:
        """Write one more chunk; empty ones make a table without rows when no other comes."""
        import polars as pl

        self.contract.check(frame, str(self.path))
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if frame.is_empty():
            self._empty = table
        else:
            self._write(table)

    def _write(self, table: Any) -> None:
        import pyarrow.parquet

        if self._writer is None:
            self._writer = pyarrow.parquet.ParquetWriter(self.path, table.schema, compression="zstd")
        self._writer.write_table(table)

    def add_file(self, path: Path) -> None:
        """Write the row groups of another such file, one after the other, as they are."""
        import polars as pl
        import pyarrow.parquet

        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                for number in range(file.num_row_groups):
                    self.add(pl.DataFrame(file.read_row_group(number)))
        except (OSError, pyarrow.ArrowInvalid) as error:
            raise TableError(f"{path}: cannot be read as Parquet ({type(error).__name__}).") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is None and self._empty is not None and kind is None:
            self._write(self._empty)
        if self._writer is not None:
            self._writer.close()
