"""Read a table of numbers at speed: labels as text, everything else straight into one array."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
from isal import igzip

from nociomics.ingest.content import CUT, GZIP, UnreadableTable, check_bgzf_end, first_bytes
from nociomics.ingest.line_stream import whole_lines
from nociomics.ingest.notes import ROW
from nociomics.ingest.number_cells import Single, any_numbers, whole_numbers
from nociomics.tables.progress import Progress
from nociomics.tables.study import TableSource

_PIECE = 6 << 20
_MOST_LABELS = 16
_GROWTH = 1.25
_DELIMITERS = (b"\t", b";", b",", b"|")
_NOT_TEXT = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SERIES, _SERIES_BEGIN = b"!", b"!series_matrix_table_begin"
_FEATURE_COUNTS = b"# Program:featureCounts"
_WORDS = ("", "na", "nan")
_Batch = list[tuple[int, bytes]]


@dataclass(frozen=True)
class Matrix:
    """A table of numbers.

    Attributes
    ----------
    labels : DataFrame, one row per data row
        ``__row`` (line of the file; data row of a Parquet file), then the leading columns that hold text, as String.
    names : list of str
        The columns of numbers, as the file calls them.
    values : ndarray, shape (rows, names)
        NaN where missing.
    decimal_commas : bool
        Whether commas were read as decimal points.
    """

    labels: pl.DataFrame
    names: list[str]
    values: np.ndarray
    decimal_commas: bool = False


def read_matrix(
    path: Path, source: TableSource, is_label: Callable[[str], bool], kind: Single = np.float32
) -> Matrix | None:
    """Read a table whose columns are labels first and numbers then.

    Delimiter, line ends, quotes, gzip, Parquet and the series matrix files of GEO are found out by content. The text
    is taken some lines at a time and never held whole.

    Parameters
    ----------
    path : Path
        Where the file lies.
    source : TableSource
        ``delimiter``, ``decimal`` and ``missing`` are used.
    is_label : callable
        Whether a column of this name is a label even where it looks like a number, such as a numeric id.
    kind : float32 or float64
        What the numbers become.

    Returns
    -------
    Matrix or None
        None for anything that is not plainly such a table (ragged rows, text among the numbers, a cut file...):
        `delimited.read_raw` then says what is wrong and where.
    """
    try:
        head = first_bytes(path, source.path)
        if head.startswith(b"PAR1"):
            return _of_parquet(path, source, is_label, kind)
        if head.startswith(_NOT_TEXT) or b"\x00" in head[:4096]:
            return None
        check_bgzf_end(path, source.path)
        with _opened(path) as stream:
            return _of_text(stream, source, is_label, kind)
    except (UnreadableTable, UnicodeDecodeError, OSError):
        return None
    except CUT:
        return None


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        zipped = stream.read(2) == GZIP
    opened: IO[bytes] = igzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[no-untyped-call]
    return opened


# --- text ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    separator: bytes
    header: list[str]
    labels: int

    @property
    def width(self) -> int:
        return len(self.header) - self.labels


def _of_text(stream: IO[bytes], source: TableSource, is_label: Callable[[str], bool], kind: Single) -> Matrix | None:
    batches = _table_batches(_batches(stream))
    first: _Batch = []
    for batch in batches:
        first += batch
        if len(first) > 1:
            break
    layout = _layout(first, source, is_label) if len(first) > 1 else None
    if layout is None:
        return None
    reading = _Reading(layout, source, kind)
    if not reading.take(first[1:]) or not all(reading.take(batch) for batch in batches):
        return None
    return reading.matrix()


def _batches(stream: IO[bytes]) -> Iterator[_Batch]:
    """Lines with their numbers, some megabytes at a time, without those that are blank."""
    number = 0
    for piece in whole_lines(iter(partial(stream.read, _PIECE), b"")):
        if number == 0:
            piece = piece.removeprefix(codecs.BOM_UTF8)
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = piece.split(b"\n")
        if not lines[-1]:
            lines.pop()
        yield [(number + place, line) for place, line in enumerate(lines, 1) if line and not line.isspace()]
        number += len(lines)


def _table_batches(batches: Iterator[_Batch]) -> Iterator[_Batch]:
    """Leave out what stands around the table: the head and the end of a series matrix, a line of featureCounts."""
    begun, series = False, False
    for batch in batches:
        if not begun and batch:
            series = series or batch[0][1].startswith(_SERIES)
            begins = [place for place, (_, line) in enumerate(batch) if line.strip() == _SERIES_BEGIN] if series else []
            begun = bool(begins) or not series
            batch = batch[begins[0] + 1 :] if begins else batch if begun else []
            batch = batch[1:] if batch and batch[0][1].startswith(_FEATURE_COUNTS) else batch
        yield [row for row in batch if not row[1].startswith(_SERIES)] if series else batch


def _layout(first: _Batch, source: TableSource, is_label: Callable[[str], bool]) -> _Layout | None:
    """Delimiter, header and the number of leading labels, from the header and the first row."""
    separator = _separator(source.delimiter, [line for _, line in first[:5]])
    header, row = (_fields(line, separator) for _, line in first[:2])
    if header is None or row is None or len(separator) != 1:
        return None
    if len(row) == len(header) + 1:
        header = ["", *header]  # R's write.table gives row names no name in the header
    names = header
    plain = all(name == name.strip() for name in names) and not names[0].startswith("#")
    if not plain or len(row) != len(names) or len(set(names)) < len(names) or "" in names[1:] or ROW in names:
        return None
    text = [place for place, field in enumerate(row) if is_label(names[place]) or not _is_number(field, source)]
    labels = max(text, default=-1) + 1
    return _Layout(separator, names, labels) if 0 < labels <= _MOST_LABELS and labels < len(names) else None


def _separator(delimiter: str | None, lines: list[bytes]) -> bytes:
    if delimiter is not None:
        return {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter).encode()
    plain = [b"".join(line.split(b'"')[::2]) for line in lines]
    counts = {mark: [line.count(mark) for line in plain] for mark in _DELIMITERS}
    # The header of R's write.table has one field less than the rows.
    present = [mark for mark in _DELIMITERS if counts[mark][0] or counts[mark][1] == 1]
    steady = [mark for mark in present if len(set(counts[mark][1:])) == 1]
    return max(steady or present or [b","], key=lambda mark: counts[mark][1])


def _fields(line: bytes, separator: bytes) -> list[str] | None:
    text = line.decode("utf-8")
    if b'"' not in line:
        return text.split(separator.decode())
    if line.count(b'"') % 2:
        return None
    return next(csv.reader(io.StringIO(text), delimiter=separator.decode()))


def _is_number(field: str, source: TableSource) -> bool:
    word = field.strip()
    if word.lower() in _WORDS or field in source.missing:
        return True
    try:
        float(word.replace(",", "."))
    except ValueError:
        return False
    return True


class _Reading:
    """What has been read of one text so far."""

    def __init__(self, layout: _Layout, source: TableSource, kind: Single) -> None:
        self.layout, self.source, self.kind = layout, source, kind
        self.missing = frozenset(word.encode() for word in source.missing)
        self.numbers_mean_missing = any(word.isdigit() for word in source.missing)
        self.lines: list[int] = []
        self.labels: list[list[bytes]] = [[] for _ in range(layout.labels)]
        self.values = np.empty((0, layout.width), kind)
        self.commas, self.points = source.decimal == ",", source.decimal == "."
        self.progress = Progress(source.path, "rows")

    def take(self, batch: _Batch) -> bool:
        """Read some lines; False when they are not all labels and numbers."""
        if not batch:
            return True
        rests = []
        for _, line in batch:
            rest = line
            for column in self.labels:
                label, rest = _split_label(rest, self.layout.separator)
                column.append(label)
            rests.append(rest)
        cells = self._plain(b"\n".join(rests) + b"\n")
        numbers = None if cells is None else self._numbers(cells, len(batch))
        if numbers is None:
            return False
        self._add(numbers)
        self.lines += [number for number, _ in batch]
        self.progress.advance(len(batch))
        return True

    def _plain(self, cells: bytes) -> bytes | None:
        """Take quotes and decimal commas away; None where it is not sure what they mean."""
        separator = self.layout.separator
        if b'"' in cells:
            around = separator + b'"', b'"' + separator, b'\n"', b'"\n'
            if sum(map(cells.count, around)) + cells.startswith(b'"') != cells.count(b'"'):
                return None
            cells = cells.translate(None, b'"')
        if separator == b",":
            return cells
        if b"," in cells:
            self.commas = self.commas or _surely_decimal(cells)
            if not self.commas:
                return None
            self.points = self.points or b"." in cells
            cells = cells.replace(b",", b".")
        else:
            self.points = self.points or b"." in cells
        return None if self.commas and self.points else cells

    def _numbers(self, cells: bytes, rows: int) -> np.ndarray | None:
        separator, width = self.layout.separator, self.layout.width
        if not self.numbers_mean_missing and not _has_more_than_digits(cells[:65536], separator):
            whole = whole_numbers(cells, separator, rows, width, self.kind)
            if whole is not None:
                return whole
        if any(line.count(separator) != width - 1 for line in cells.split(b"\n")[:-1]):
            return None
        return any_numbers(cells, separator, rows, width, self.kind, self.missing)

    def _add(self, numbers: np.ndarray) -> None:
        """Put rows below those read before. Growing in place, a large array is never held twice."""
        filled = len(self.lines)
        if filled + len(numbers) > len(self.values):
            rows = max(filled + len(numbers), int(_GROWTH * len(self.values)))
            self.values.resize((rows, self.layout.width), refcheck=False)
        self.values[filled : filled + len(numbers)] = numbers

    def matrix(self) -> Matrix | None:
        """Give everything that was read; None when there was no row."""
        if not self.lines:
            return None
        texts = [[label.decode("utf-8") for label in column] for column in self.labels]
        labels = pl.DataFrame([pl.Series(ROW, self.lines, pl.Int64)]).with_columns(
            _text_label(name, text, self.source) for name, text in zip(self.layout.header, texts, strict=False)
        )
        names = self.layout.header[self.layout.labels :]
        self.values.resize((len(self.lines), self.layout.width), refcheck=False)
        return Matrix(labels, names, self.values, self.commas and self.source.decimal is None)


def _split_label(line: bytes, separator: bytes) -> tuple[bytes, bytes]:
    if not line.startswith(b'"'):
        label, _, rest = line.partition(separator)
        return label, rest
    label, _, rest = line[1:].partition(b'"' + separator)
    return label.replace(b'""', b'"'), rest


def _surely_decimal(cells: bytes) -> bool:
    """Whether one comma at least cannot part thousands: one that three digits do not follow."""
    after = [part.split(b"\n")[0] for part in cells.split(b",", 200)[1:]]
    digits = [len(part) - len(part.lstrip(b"0123456789")) for part in after]
    return any(count != 3 for count in digits)


def _has_more_than_digits(cells: bytes, separator: bytes) -> bool:
    return bool(cells.translate(None, b"0123456789\n" + separator))


def _text_label(name: str, text: list[str], source: TableSource) -> pl.Series:
    column = pl.Series(name, text, pl.String)
    word = column.str.strip_chars().str.to_lowercase().is_in(list(_WORDS))
    return column.set(word | column.is_in(source.missing), None)


# --- Parquet ------------------------------------------------------------------------------------------------------


def _of_parquet(path: Path, source: TableSource, is_label: Callable[[str], bool], kind: Single) -> Matrix | None:
    """Columns of numbers stay numbers; the others are labels and must come before them or have a label's name."""
    try:
        frame = pl.read_parquet(path)
    except pl.exceptions.PolarsError:
        return None
    names = frame.columns
    labels = [name for name, dtype in frame.schema.items() if is_label(name) or not dtype.is_numeric()]
    numbers = [name for name in names if name not in set(labels)]
    exact = all(frame.schema[name] == pl.String or frame.schema[name].is_integer() for name in labels)
    if not numbers or not 0 < len(labels) <= _MOST_LABELS or not exact or source.missing or not frame.height:
        return None
    rows = pl.Series(ROW, np.arange(1, frame.height + 1))
    text = [_text_label(name, frame[name].cast(pl.String).to_list(), source) for name in labels]
    dtype = pl.Float32 if kind is np.float32 else pl.Float64
    values = frame.select(pl.col(numbers).cast(dtype)).to_numpy()
    return None if np.isinf(values).any() else Matrix(pl.DataFrame([rows, *text]), numbers, values)
