"""Read and write contract tables and JSON, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nociomics.errors import TableError

if TYPE_CHECKING:
    import polars as pl

    from nociomics.tables.contract import Contract


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a path beside the target to write to; rename it onto the target only when all went well.

    A full disk, a folder without permission or an interrupt leaves nothing half-written.

    Raises
    ------
    TableError
        When the operating system refuses, with its reason.
    """
    path = Path(path)
    draft = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        draft = Path(name)
        yield draft
        draft.chmod(0o644)
        os.replace(draft, path)
        draft = None
    except OSError as error:
        raise TableError(
            f"{path}: cannot be written: {error.strerror or error}. Nothing was left behind. "
            "Free some space or choose another folder, then run the same command again."
        ) from error
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def read_table(path: Path, contract: Contract, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Read a Parquet table and check its contract.

    Parameters
    ----------
    path : Path
        The Parquet file.
    contract : Contract
        What it must hold.
    columns : sequence of str, optional
        Read and check these alone; all when left out.

    Returns
    -------
    DataFrame
        As stored.

    Raises
    ------
    TableError
        When the file is missing, unreadable, or breaks the contract.
    """
    import polars as pl

    try:
        if columns is None:
            frame = pl.read_parquet(path)
        else:
            held = pl.read_parquet_schema(path)
            frame = pl.read_parquet(path, columns=[name for name in columns if name in held])
            contract = replace(contract, columns=tuple(one for one in contract.columns if one.name in columns))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TableError(f"{path}: cannot be read as Parquet ({type(error).__name__}).") from error
    return contract.check(frame, str(path))


def write_table(frame: pl.DataFrame, contract: Contract, path: Path) -> None:
    """Check a table's contract and write it as Parquet, whole or not at all."""
    contract.check(frame, str(path))
    with written_whole(path) as draft:
        store_parquet(frame, draft)


def store_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as Parquet; what the operating system refuses is an `OSError`, as for any other file."""
    import polars as pl

    try:
        frame.write_parquet(path)
    except pl.exceptions.ComputeError as error:  # how polars passes on a full disk
        raise OSError(str(error).splitlines()[0]) from error


def read_json(path: Path) -> Any:
    """Read a JSON file of ours; a broken one is a `TableError` that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: cannot be read as JSON ({type(error).__name__}).") from error


def write_json(value: Any, path: Path) -> None:
    """Write JSON with sorted keys; NaN and infinity are refused, since JSON has none."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    write_text(text, path)


def write_text(text: str, path: Path) -> None:
    """Write text as UTF-8, whole or not at all."""
    with written_whole(path) as draft:
        draft.write_text(text, encoding="utf-8")
