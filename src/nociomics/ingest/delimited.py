"""Read any table file as text: CSV, TSV, semicolons, Parquet or Excel, found out from the content."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nociomics.ingest.content import first_bytes, read_bytes, refuse
from nociomics.ingest.excel import read_excel
from nociomics.ingest.missing_words import without_missing
from nociomics.ingest.notes import FILE, HIDDEN, ROW, Notes
from nociomics.ingest.parquet import read_parquet
from nociomics.ingest.records import Shape, read_records
from nociomics.ingest.text_encoding import TextFile, look_at
from nociomics.tables.study import TableSource

_EXCEL = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_MANY = 100


def read_raw(path: Path, source: TableSource, notes: Notes | None = None) -> pl.DataFrame:
    """Read a table file, every value as text and nothing renamed.

    Parameters
    ----------
    path : Path
        Where the file lies.
    source : TableSource
        Its ``path`` names the file in messages; ``delimiter``, ``sheet`` and ``missing`` are used.
    notes : Notes, optional
        Takes what was remarkable about the file: remarks above the header, spaces around names, its encoding.

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
    remarks = notes or Notes("")
    head = first_bytes(path, shown)
    if not head.strip() and len(head) < _MANY * _MANY:
        raise refuse(f"{shown}: the file is empty.")
    if head.startswith(b"PAR1"):
        header, rows = read_parquet(path, shown)
        rows = without_missing(rows, source.missing)
    elif head.startswith(_EXCEL):
        header, rows = read_excel(read_bytes(path, shown), source.sheet, shown, remarks)
        rows = without_missing(rows, source.missing)
    else:
        _refuse_foreign(head, shown)
        if source.sheet is not None:
            remarks.warning(f"{shown}: is no Excel file, so sheet: is not used.")
        file = look_at(path, shown, head)
        header, rows, shape = read_records(file, source.delimiter, source.missing)
        _note_writing(file, shape, remarks)
    frame = _named(header, rows.get_columns(), shown, remarks)
    if frame.height == 0:
        raise refuse(f"{shown}: the table has a header but no rows.")
    return frame


def _refuse_foreign(head: bytes, shown: str) -> None:
    """Name what people export in place of a table."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:32].lower()
    kinds = {
        b"<!doctype html": "a web page (HTML)",
        b"<html": "a web page (HTML)",
        b"<table": "a web page (HTML)",
        b"<?xml": "XML",
        b"%pdf": "a PDF",
        b"{\\rtf": "a text document (RTF)",
        b"[{": "JSON",
        b'{"': "JSON",
    }
    for sign, kind in kinds.items():
        if start.startswith(sign):
            raise refuse(f"{shown}: is {kind}, not a table. Save it as CSV, TSV, Excel (.xlsx) or Parquet.")


def _note_writing(file: TextFile, shape: Shape, notes: Notes) -> None:
    shown = file.shown
    if file.encoding == "cp1252":
        notes.info(f"{shown}: is not UTF-8 and was read as Windows-1252 (Latin-1). Look at letters with accents.")
    if shape.comments:
        notes.info(
            f"{shown}: {shape.comments} lines of remarks (they begin with # or !) above the header were left out.",
            count=shape.comments,
        )
    if shape.separator == b" ":
        notes.info(f"{shown}: the fields are parted by spaces. Say delimiter: if that is wrong.")


def _named(header: list[str], columns: list[pl.Series], shown: str, notes: Notes) -> pl.DataFrame:
    names = [name.strip() for name in header]
    _note_spaces(header, names, shown, notes)
    # Spreadsheets often leave empty columns without a name at the right end.
    kept = [
        (index, name)
        for index, name in enumerate(names)
        if name or columns[index + 1].null_count() < len(columns[index + 1])
    ]
    # Named by position: in a table of genes in rows the column names are people's ids.
    nameless = [index + 1 for index, name in kept if not name]
    if len(nameless) > 1:
        raise refuse(
            f"{shown}: {len(nameless)} columns hold values but have no name (first: field {nameless[0]} of the header)."
            " The first filled line is taken for the header: remove titles and merged cells above it, and name every "
            "column.",
            len(nameless),
        )
    copies = _repeated_fields(kept)
    if copies:
        raise refuse(
            f"{shown}: {len(copies)} column names appear more than once (first: field {copies[0]} of the header). "
            "Rename or remove the copies.",
            len(copies),
        )
    if any(name in HIDDEN for _, name in kept):
        raise refuse(f'{shown}: no column may be called "{ROW}" or "{FILE}".')
    frame = pl.DataFrame([columns[0], *(columns[index + 1] for index, _ in kept)])
    frame.columns = [ROW, *(name for _, name in kept)]
    return frame


def _note_spaces(header: list[str], names: list[str], shown: str, notes: Notes) -> None:
    cut = [index + 1 for index, (old, new) in enumerate(zip(header, names, strict=True)) if old != new and new]
    if cut:
        notes.info(
            f"{shown}: spaces around {len(cut)} column names (first: field {cut[0]} of the header) were cut.",
            count=len(cut),
        )


def _repeated_fields(fields: list[tuple[int, str]]) -> list[int]:
    first = {name: index for index, name in reversed(fields)}
    return [index + 1 for index, name in fields if first[name] != index]
