"""Split a text table into records and fields, block by block, with the line of each record."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import polars as pl

from nociomics.ingest.content import Problem, UnreadableTable, refuse
from nociomics.ingest.missing_words import without_missing
from nociomics.ingest.notes import ROW
from nociomics.ingest.text_encoding import TextFile

_DELIMITERS = (b"\t", b";", b",", b"|")
_QUOTE, _NEWLINE = ord('"'), ord("\n")
_LOOKED_AT = 50
_BLANK_STARTS = b" \t\v\f"


@dataclass(frozen=True)
class Shape:
    """How the records of a file are written.

    Attributes
    ----------
    separator : bytes
        One byte between the fields.
    quoted : bool
        Whether quotation marks enclose fields; otherwise they are letters.
    aligned : bool
        Whether several spaces count as one separator.
    comments : int
        Lines before the header that are remarks.
    """

    separator: bytes
    quoted: bool
    aligned: bool = False
    comments: int = 0


@dataclass
class _Seen:
    """What was met on the way through a file."""

    header: list[str]
    width: int = 0
    frames: list[pl.DataFrame] = field(default_factory=list)
    other: int = 0
    ragged: int = 0
    first: tuple[int, int] = (0, 0)
    trailing: bool = True


class _StrayQuote(Exception):
    """A quotation mark that does not enclose a field."""

    def __init__(self, line: int, what: str = "") -> None:
        super().__init__(what or f"line {line} has a quotation mark inside a field.")


def read_records(
    file: TextFile, delimiter: str | None, missing: Sequence[str] = ()
) -> tuple[list[str], pl.DataFrame, Shape]:
    """Split a whole file.

    Parameters
    ----------
    file : TextFile
        After the first look at it.
    delimiter : str or None
        What the study says; found out when None.
    missing : sequence of str
        Words that mean missing, beside the usual ones.

    Returns
    -------
    list of str
        The header as it stands; row names that R gives no name have an empty one.
    DataFrame, one row per record after the header that is not blank
        ``__row`` (line where it starts), then String columns ``c0``, ``c1``...; missing words are null.
    Shape
        How it was written.

    Raises
    ------
    UnreadableTable
        When records differ in their number of fields, or quotation marks do not enclose fields.
    """
    shape = _shape(file, delimiter)
    try:
        seen = _split(file, shape, missing)
    except _StrayQuote as error:
        if _any_field_begins_with_quote(file, shape):
            raise refuse(
                f"{file.shown}: {error} Write a quotation mark inside a field twice and enclose the field in "
                "quotation marks, or remove it."
            ) from None
        shape = Shape(shape.separator, False, shape.aligned, shape.comments)
        seen = _split(file, shape, missing)
    header, width = _header_and_width(seen)
    if seen.other:
        _refuse_ragged(seen, file.shown)
    schema = {ROW: pl.Int64} | {f"c{index}": pl.String for index in range(width)}
    frame = pl.concat(seen.frames, rechunk=False) if seen.frames else pl.DataFrame(schema=schema)
    return header, frame, shape


def _header_and_width(seen: _Seen) -> tuple[list[str], int]:
    header, width = seen.header, seen.width
    if width == len(header) + 1:
        # Either every row ends with a delimiter, or R's write.table gave its row names no name.
        return ([*header, ""] if seen.trailing else ["", *header]), width
    if width == len(header) - 1 and header[-1].strip() == "":
        return header[:-1], width
    return header, len(header)


def _refuse_ragged(seen: _Seen, shown: str) -> None:
    line, fields = seen.first
    raise UnreadableTable(
        Problem(
            f"{shown}: {seen.ragged} rows (first: line {line}, with {fields} fields) do not have the "
            f"{len(seen.header)} fields of the header. Correct these rows; quote a text that holds the delimiter.",
            seen.ragged,
        )
    )


def _shape(file: TextFile, delimiter: str | None) -> Shape:
    start = b""
    for block in file.blocks():
        start += block
        if len(start) >= 1 << 20 and start.count(b"\n") > _LOOKED_AT:
            break
    lines = start.split(b"\n", 10_000)
    leading = next((index for index, line in enumerate(lines) if line.strip() and not _is_remark(line)), len(lines))
    records = _first_records(lines[leading:], file.quotes)
    if delimiter is not None:
        separator, aligned = _given(delimiter, file.shown), False
    else:
        separator, aligned = _found_separator(records)
    if delimiter is None and not aligned and leading and records:
        leading = _without_header(lines, leading, separator, records[0])
    return Shape(separator, file.quotes, aligned, leading)


def _is_remark(line: bytes) -> bool:
    return line.startswith((b"#", b"!"))


def _without_header(lines: list[bytes], leading: int, separator: bytes, record: bytes) -> int:
    """Keep a last line such as "#id,age" as the header: it has as many fields as the record below it."""
    last = lines[leading - 1]
    fields = last.count(separator)
    is_header = re.match(rb"#[^#\s!]", last) is not None and fields > 0 and fields == _outside(record).count(separator)
    return leading - 1 if is_header else leading


def _first_records(lines: list[bytes], quotes: bool) -> list[bytes]:
    records: list[bytes] = []
    open_record = b""
    for line in lines:
        record = open_record + b"\n" + line if open_record else line
        if quotes and record.count(b'"') % 2 and len(record) < 1 << 20:
            open_record = record
            continue
        open_record = b""
        if record.strip():
            records.append(record)
        if len(records) > _LOOKED_AT:
            break
    return records


def _given(delimiter: str, shown: str) -> bytes:
    separator = {"\\t": "\t", "tab": "\t", "space": " "}.get(delimiter, delimiter).encode()
    if len(separator) != 1 or separator in (b'"', b"\n", b"\r"):
        raise refuse(f'{shown}: delimiter: must be one sign, such as ";" or "\\t" (tab).')
    return separator


def _outside(record: bytes) -> bytes:
    return b"".join(record.split(b'"')[::2])


def _found_separator(records: list[bytes]) -> tuple[bytes, bool]:
    plain = [_outside(record) for record in records]
    counts = {mark: [record.count(mark) for record in plain] for mark in _DELIMITERS}
    present = [mark for mark in _DELIMITERS if records and counts[mark][0]]
    if present:
        steady = [mark for mark in present if len(set(counts[mark])) == 1]
        return max(steady or present, key=lambda mark: counts[mark][0]), False
    return _spaces(records, plain)


def _spaces(records: list[bytes], plain: list[bytes]) -> tuple[bytes, bool]:
    """Take spaces as separators only where nothing else can be meant: three fields or more in every record."""
    quotes = any(b'"' in record for record in records)
    single = [record.count(b" ") + 1 for record in plain]
    runs = [len(record.split()) for record in records]
    for widths, aligned in ((single, False), (runs, True)):
        rows = set(widths[1:])
        if len(rows) == 1 and widths[0] >= 3 and rows <= {widths[0], widths[0] + 1} and not (aligned and quotes):
            return b" ", aligned
    return b",", False


def _split(file: TextFile, shape: Shape, missing: Sequence[str]) -> _Seen:
    seen, line = _Seen([]), 1
    for text, line in _record_blocks(file, shape):
        starts, ends, lines, widths = _cut(text, line, shape)
        if not len(starts):
            continue
        first = 0
        if not seen.header:
            seen.header, first = _names(text[starts[0] : ends[0]], shape), 1
        _count(seen, text, ends[first:], lines[first:], widths[first:], shape)
        if len(starts) > first and not seen.other:
            rows = _parse(text, starts[first:], ends[first:], lines[first:], seen.width, shape, file.shown)
            seen.frames.append(without_missing(rows, missing, spaces=_has_spaces(text, shape)))
    if not seen.header:
        raise refuse(f"{file.shown}: the file is empty.")
    return seen


def _has_spaces(text: bytes, shape: Shape) -> bool:
    return not text.isascii() or any(bytes([sign]) in text for sign in _BLANK_STARTS if sign != shape.separator[0])


def _record_blocks(file: TextFile, shape: Shape) -> Iterator[tuple[bytes, int]]:
    """Give blocks of whole records, and the line on which each begins."""
    line, rest, waiting = 1, b"", shape.comments
    for block in chain(file.blocks(), (b"",)):
        text = rest + block if rest else block
        while waiting and b"\n" in text:
            text, line, waiting = text[text.index(b"\n") + 1 :], line + 1, waiting - 1
        if not block and text and not waiting:
            raise _StrayQuote(line, f"A quotation mark is never closed: the record of line {line} does not end.")
        cut = 0 if waiting else _last_end(text, shape)
        if cut:
            whole = text[:cut]
            yield (_squeezed(whole) if shape.aligned else whole), line
            line += whole.count(b"\n")
        rest = text[cut:]


def _last_end(text: bytes, shape: Shape) -> int:
    """Return the end of the last record that is complete."""
    if not shape.quoted or b'"' not in text:
        return text.rfind(b"\n") + 1
    buffer = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero((buffer == _NEWLINE) & ~np.bitwise_xor.accumulate(buffer == _QUOTE))
    return int(ends[-1]) + 1 if len(ends) else 0


def _squeezed(text: bytes) -> bytes:
    return re.sub(rb"(?m)^ +| +$", b"", re.sub(rb" {2,}", b" ", text))


def _cut(text: bytes, line: int, shape: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find the records that are not blank: first byte, line feed, line of the file and number of fields."""
    buffer = np.frombuffer(text, np.uint8)
    newline, mark = buffer == _NEWLINE, buffer == shape.separator[0]
    breaks = np.flatnonzero(newline)
    ends, number = breaks, np.arange(len(breaks))
    if shape.quoted and b'"' in text:
        quote = buffer == _QUOTE
        _refuse_stray(buffer, quote, breaks, line, shape)
        inside = np.bitwise_xor.accumulate(quote)
        mark &= ~inside
        closed = ~inside[breaks]
        ends, number = breaks[closed], np.flatnonzero(closed)
    if not len(ends):
        return ends, ends, ends, ends
    starts = np.concatenate([[0], ends[:-1] + 1])
    lines = line + np.concatenate([[0], number[:-1] + 1])
    widths = np.add.reduceat(mark.view(np.uint8), starts, dtype=np.int32) + 1
    filled = _filled(text, buffer, starts, ends, shape)
    return starts[filled], ends[filled], lines[filled], widths[filled]


def _filled(text: bytes, buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray, shape: Shape) -> np.ndarray:
    filled: np.ndarray = ends > starts
    blank_starts = [byte for byte in _BLANK_STARTS if byte != shape.separator[0]]
    for index in np.flatnonzero(filled & np.isin(buffer[starts], blank_starts)):
        filled[index] = bool(text[starts[index] : ends[index]].strip())
    return filled


def _refuse_stray(buffer: np.ndarray, quote: np.ndarray, breaks: np.ndarray, line: int, shape: Shape) -> None:
    """Raise when a quotation mark does not stand at the border of a field, nor is doubled."""
    where = np.flatnonzero(quote)
    border = [shape.separator[0], _NEWLINE, _QUOTE]
    opening, closing = where[0::2], where[1::2]
    before = np.isin(buffer[np.maximum(opening - 1, 0)], border) | (opening == 0)
    after = np.isin(buffer[np.minimum(closing + 1, len(buffer) - 1)], border)
    stray = np.concatenate([opening[~before], closing[~after]])
    if len(stray):
        raise _StrayQuote(line + int(np.searchsorted(breaks, stray.min())))


def _any_field_begins_with_quote(file: TextFile, shape: Shape) -> bool:
    pattern = re.compile(rb"(?:^|[\n" + re.escape(shape.separator) + rb'])"')
    literal = Shape(shape.separator, False, shape.aligned, shape.comments)
    return any(pattern.search(text) is not None for text, _ in _record_blocks(file, literal))


def _names(record: bytes, shape: Shape) -> list[str]:
    text, separator = record.decode("utf-8"), shape.separator.decode()
    if not shape.quoted:
        return text.split(separator)
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


def _count(seen: _Seen, text: bytes, ends: np.ndarray, lines: np.ndarray, widths: np.ndarray, shape: Shape) -> None:
    """Compare the number of fields of each record with the header and with the first record."""
    if not len(widths):
        return
    named = len(seen.header)
    if not seen.width:
        near = widths[0] == named + 1 or (widths[0] == named - 1 and named > 1 and not seen.header[-1].strip())
        seen.width = int(widths[0]) if near and named > 1 else named
    seen.other += int((widths != seen.width).sum())
    ragged = np.flatnonzero(widths != named)
    if len(ragged) and not seen.ragged:
        seen.first = (int(lines[ragged[0]]), int(widths[ragged[0]]))
    seen.ragged += len(ragged)
    buffer = np.frombuffer(text, np.uint8)
    seen.trailing = seen.trailing and bool((buffer[ends - 1] == shape.separator[0]).all())


def _parse(
    text: bytes,
    starts: np.ndarray,
    ends: np.ndarray,
    lines: np.ndarray,
    width: int,
    shape: Shape,
    shown: str,
) -> pl.DataFrame:
    gaps = np.flatnonzero(starts[1:] != ends[:-1] + 1)
    bounds = zip([0, *(gaps + 1)], [*gaps, len(ends) - 1], strict=True)
    pieces = [text[starts[first] : ends[last] + 1] for first, last in bounds]
    stray = f"{shown}: cannot be split into rows and fields; look for stray quotation marks."
    try:
        rows = pl.read_csv(
            pieces[0] if len(pieces) == 1 else b"".join(pieces),
            has_header=False,
            separator=shape.separator.decode(),
            schema={f"c{index}": pl.String for index in range(width)},
            quote_char='"' if shape.quoted else None,
        )
    except pl.exceptions.PolarsError as error:
        raise refuse(stray) from error
    if rows.height != len(starts):
        raise refuse(stray)
    # One chunk for all columns of a block: frames of unlike chunks are copied by every later selection.
    return rows.rechunk().insert_column(0, pl.Series(ROW, lines, dtype=pl.Int64))
