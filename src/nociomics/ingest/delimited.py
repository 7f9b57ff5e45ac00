"""Read any table file as text: CSV, TSV, semicolons, Parquet or Excel, found out from the content."""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path

import numpy as np
import polars as pl

from nociomics.ingest.content import Problem, UnreadableTable, read_bytes, refuse
from nociomics.ingest.excel import read_excel
from nociomics.ingest.notes import ROW
from nociomics.ingest.parquet import read_parquet
from nociomics.tables.study import TableSource

_DELIMITERS = (b"\t", b";", b",", b"|")
_QUOTE, _NEWLINE = ord('"'), ord("\n")
_EXCEL = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_WORDS = ("", "na", "nan")


def read_raw(path: Path, source: TableSource) -> pl.DataFrame:
    """Read a table file, every value as text and nothing renamed.

    Parameters
    ----------
    path : Path
        Where the file lies.
    source : TableSource
        Its ``path`` names the file in messages; ``delimiter``, ``sheet`` and ``missing`` are used.

    Returns
    -------
    DataFrame, one row per data row that is not wholly blank
        ``__row`` (line of the file where the row starts; the header is line 1), then String columns;
        missing tokens are null.

    Raises
    ------
    UnreadableTable
        With every problem: no such file, empty, truncated gzip, ragged rows, repeated column names.
    """
    shown = source.path
    data = read_bytes(path, shown)
    if data.startswith(b"PAR1"):
        header, rows = read_parquet(data, shown)
    elif data.startswith(_EXCEL):
        header, rows = read_excel(data, source.sheet, shown)
    else:
        header, rows = _read_text(data, source.delimiter, shown)
    frame = _named(header, _without_missing(rows, source.missing), shown)
    if frame.height == 0:
        raise refuse(f"{shown}: the table has a header but no rows.")
    return frame


def _without_missing(rows: pl.DataFrame, tokens: list[str]) -> pl.DataFrame:
    text = pl.exclude(ROW)
    word = text.str.strip_chars().str.to_lowercase().is_in(list(_WORDS))
    return rows.with_columns(pl.when(word | text.is_in(tokens)).then(None).otherwise(text).name.keep())


def _named(header: list[str], rows: pl.DataFrame, shown: str) -> pl.DataFrame:
    names = [name.strip() for name in header]
    columns = [name for name in rows.columns if name != ROW]
    # Spreadsheets often leave empty columns without a name at the right end.
    blank = {column for name, column in zip(names, columns, strict=True) if not name and rows[column].is_null().all()}
    kept = [(column, name) for name, column in zip(names, columns, strict=True) if column not in blank]
    words = [name for _, name in kept]
    # Named by position: in a table of genes in rows the column names are people's ids.
    copies = _repeated_fields([(index, name) for index, name in enumerate(names) if columns[index] not in blank])
    if copies:
        raise refuse(
            f"{shown}: {len(copies)} column names appear more than once (first: field {copies[0]} of the header). "
            "Rename or remove the copies.",
            len(copies),
        )
    if ROW in words:
        raise refuse(f'{shown}: a column may not be called "{ROW}".')
    return rows.select(ROW, *(pl.col(column).alias(name) for column, name in kept))


def _repeated_fields(fields: list[tuple[int, str]]) -> list[int]:
    first = {name: index for index, name in reversed(fields)}
    return [index + 1 for index, name in fields if first[name] != index]


def _read_text(data: bytes, delimiter: str | None, shown: str) -> tuple[list[str], pl.DataFrame]:
    text = _as_utf8(data)
    if b"\x00" in text[:4096]:
        raise refuse(f"{shown}: is not a table that can be read here (CSV, TSV, Excel or Parquet).")
    quoted = text.count(b'"') % 2 == 0
    starts, lines = _record_starts(text, quoted)
    separator = _separator(delimiter, text, starts)
    widths = _widths(text, starts, separator, quoted)
    header = _header(text, starts, separator, quoted)
    if len(widths) > 1 and len(header) > 1 and bool((widths[1:] == len(header) + 1).all()):
        header = ["", *header]  # R's write.table gives row names no name in the header
    _refuse_ragged(widths, lines, len(header), quoted, shown)
    return header, _parse(text, starts, lines, len(header), separator, quoted, shown)


def _as_utf8(data: bytes) -> bytes:
    """Decode by the byte order mark, else as UTF-8, else as Latin-1; line ends become line feeds."""
    if data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.decode("utf-16", errors="replace").encode()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        data = data.decode("latin-1").encode("utf-8")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data if data.endswith(b"\n") else data + b"\n"


def _record_starts(text: bytes, quoted: bool) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of the records that are not blank, and the line on which each starts."""
    buffer = np.frombuffer(text, np.uint8)
    newline = buffer == _NEWLINE
    ends = newline
    if quoted and b'"' in text:
        ends = newline & ~np.bitwise_xor.accumulate(buffer == _QUOTE)
    stops = np.flatnonzero(ends) + 1
    if not len(stops) or stops[-1] != len(text):
        stops = np.append(stops, len(text))
    starts = np.concatenate([[0], stops[:-1]])
    lines = np.searchsorted(np.flatnonzero(newline), starts, side="left") + 1
    filled = np.array([bool(text[a:b].strip()) for a, b in zip(starts, stops, strict=True)])
    return starts[filled], lines[filled]


def _bounds(text: bytes, starts: np.ndarray, index: int) -> bytes:
    stop = starts[index + 1] if index + 1 < len(starts) else len(text)
    return text[starts[index] : stop].rstrip(b"\n")


def _separator(delimiter: str | None, text: bytes, starts: np.ndarray) -> bytes:
    if delimiter is not None:
        return {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter).encode()
    records = [_outside_quotes(_bounds(text, starts, index)) for index in range(min(5, len(starts)))]
    counts = {mark: [record.count(mark) for record in records] for mark in _DELIMITERS}
    present = [mark for mark in _DELIMITERS if counts[mark][0]]
    steady = [mark for mark in present if len(set(counts[mark])) == 1]
    return max(steady or present or [b","], key=lambda mark: counts[mark][0])


def _outside_quotes(record: bytes) -> bytes:
    return b"".join(record.split(b'"')[::2])


def _widths(text: bytes, starts: np.ndarray, separator: bytes, quoted: bool) -> np.ndarray:
    buffer = np.frombuffer(text, np.uint8)
    mark = buffer == separator[0]
    if quoted and b'"' in text:
        mark = mark & ~np.bitwise_xor.accumulate(buffer == _QUOTE)
    return np.add.reduceat(mark.view(np.uint8), starts, dtype=np.int64) + 1


def _header(text: bytes, starts: np.ndarray, separator: bytes, quoted: bool) -> list[str]:
    record = _bounds(text, starts, 0).decode("utf-8")
    if not quoted:
        return record.split(separator.decode())
    return next(csv.reader(io.StringIO(record), delimiter=separator.decode()))


def _refuse_ragged(widths: np.ndarray, lines: np.ndarray, width: int, quoted: bool, shown: str) -> None:
    ragged = np.flatnonzero(widths[1:] != width) + 1
    if len(ragged):
        first = int(ragged[0])
        hint = "" if quoted else " A quotation mark is never closed."
        raise UnreadableTable(
            Problem(
                f"{shown}: {len(ragged)} rows (first: line {lines[first]}, with {widths[first]} fields) do not have "
                f"the {width} fields of the header.{hint} Correct these rows; quote a text that holds the delimiter.",
                len(ragged),
            )
        )


def _parse(
    text: bytes, starts: np.ndarray, lines: np.ndarray, width: int, separator: bytes, quoted: bool, shown: str
) -> pl.DataFrame:
    schema = {f"c{index}": pl.String for index in range(width)}
    if len(starts) == 1:
        return pl.DataFrame(schema={ROW: pl.Int64, **schema})
    body = text[starts[1] :]
    if body.count(b"\n\n") or body.startswith(b"\n"):
        body = b"\n".join(_bounds(text, starts, index) for index in range(1, len(starts))) + b"\n"
    try:
        rows = pl.read_csv(
            body, has_header=False, separator=separator.decode(), schema=schema, quote_char='"' if quoted else None
        )
    except pl.exceptions.PolarsError as error:
        raise refuse(f"{shown}: cannot be split into rows and fields; look for stray quotation marks.") from error
    if rows.height != len(starts) - 1:
        raise refuse(f"{shown}: cannot be split into rows and fields; look for stray quotation marks.")
    return rows.insert_column(0, pl.Series(ROW, lines[1:], dtype=pl.Int64))
