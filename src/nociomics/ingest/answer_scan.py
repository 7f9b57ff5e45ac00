"""Open a wide table of answers as a stream, where the file is plain enough; its size then does not matter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

_HEAD, _CHUNK = 1 << 16, 1 << 22
_MISSING = ["", "NA", "na", "NaN", "nan", "NAN", "Na"]
_PARQUET = b"PAR1"
_TEXT = ("patient_id", "visit")
_NARROW: dict[pl.DataType, pl.DataType] = {pl.Int64(): pl.Int16(), pl.Float64(): pl.Float64()}


def column_names(path: Path) -> list[str]:
    """Return the column names of a Parquet or plain CSV file; none when the file is another or cannot be opened."""
    head = _head(path)
    if head.startswith(_PARQUET):
        try:
            return pl.scan_parquet(path).collect_schema().names()
        except (OSError, pl.exceptions.PolarsError):
            return []
    return _names(head) if _is_plain(head) else []


def answer_scans(path: Path) -> Iterator[pl.LazyFrame]:
    """Give ways to read a wide table of answers as a stream, the quickest first; none when the file is not plain.

    A way that does not fit the file raises a polars error when it is collected: then take the next, and after the
    last `single_files.read_any_table`, which reads every format and says what is wrong.

    Parameters
    ----------
    path : Path
        Parquet, or comma-separated UTF-8 text without quotation marks and with as many fields in every row.
    """
    head = _head(path)
    if head.startswith(_PARQUET):
        scanned = pl.scan_parquet(path)
        if not any(dtype.is_nested() for dtype in scanned.collect_schema().dtypes()):
            yield scanned
    elif _is_plain(head) and _is_rectangular(path, head):
        names = _names(head)
        for schema in (_guessed(head, names), dict.fromkeys(names, pl.String())):
            yield pl.scan_csv(path, schema=schema, null_values=_MISSING)


def _head(path: Path) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as stream:
        return stream.read(_HEAD)


def _is_plain(head: bytes) -> bool:
    """Whether a file begins like comma-separated ASCII or UTF-8 text with a header of different names."""
    first = head.split(b"\n", 1)[0].rstrip(b"\r")
    names = [name.strip() for name in first.split(b",")]
    others = any(mark in first for mark in (b"\t", b";", b"|"))
    return (
        b"\n" in head
        and not head.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
        and b"\x00" not in head
        and not others
        and len(names) > 1
        and all(names)
        and len(set(names)) == len(names)
    )


def _is_rectangular(path: Path, head: bytes) -> bool:
    """Whether no line has too few commas; a short row would silently be read as unanswered items.

    Rows that are too long are refused by the parser itself.
    """
    width = head.split(b"\n", 1)[0].count(b",")
    commas = lines = 0
    last = b""
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            if b'"' in chunk or chunk.count(b"\r") != chunk.count(b"\r\n") or b"\n\n" in last[-1:] + chunk:
                return False
            commas += chunk.count(b",")
            lines += chunk.count(b"\n")
            last = chunk
    lines += not last.endswith(b"\n")
    return commas == lines * width


def _names(head: bytes) -> list[str]:
    line = head.split(b"\n", 1)[0].decode("utf-8", errors="replace")
    return [name.strip() for name in line.rstrip("\r").split(",")]


def _guessed(head: bytes, names: list[str]) -> Mapping[str, pl.DataType]:
    """Take the narrow type that the first rows suggest; ids and visits stay text."""
    whole_rows = head if len(head) < _HEAD else head[: head.rfind(b"\n") + 1]
    try:
        seen = pl.read_csv(whole_rows, infer_schema_length=None, null_values=_MISSING).dtypes
    except pl.exceptions.PolarsError:
        seen = [pl.String()] * len(names)
    types = [_NARROW.get(dtype, pl.String()) for dtype in seen]
    return {name: pl.String() if name in _TEXT else dtype for name, dtype in zip(names, types, strict=True)}
