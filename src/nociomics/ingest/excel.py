"""Read one sheet of an Excel file as text, with dates, numbers and error cells as Excel shows them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import fastexcel
import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.content import refuse
from nociomics.ingest.notes import ROW, Notes, listed

_ERRORS = {
    "NA": "#N/A",
    "Div0": "#DIV/0!",
    "Ref": "#REF!",
    "Name": "#NAME?",
    "Null": "#NULL!",
    "Num": "#NUM!",
    "Value": "#VALUE!",
}
_CELL_ERROR = re.compile(r"'?Error\((\w+)\)")


def read_excel(data: bytes, sheet: str | None, shown: str, notes: Notes) -> tuple[list[str], pl.DataFrame]:
    """Return a sheet's header and its rows.

    Parameters
    ----------
    data : bytes
        The file's bytes, xlsx or xls.
    sheet : str or None
        Name of the sheet; None: the first that is neither hidden nor empty, with a warning when there are others.
    shown : str
        How messages name the file.
    notes : Notes
        Takes which sheet was read, when that was not said.

    Returns
    -------
    list of str
        The header, as it stands: the first row that is not empty.
    DataFrame, one row per data row
        String columns ``c0``, ``c1``... and the row number of the sheet. Whole numbers have no ".0", other numbers
        all their digits, dates are written year first, error cells as Excel shows them (#N/A).

    Raises
    ------
    UnreadableTable
        When the bytes are no Excel file, the sheet is unknown or it is empty.
    """
    try:
        book = fastexcel.read_excel(data)
        name = _known(sheet, book.sheet_names, shown) if sheet is not None else _chosen(book, shown, notes)
        texts = book.load_sheet(name, header_row=None, skip_rows=0, dtypes="string")
        numbers = book.load_sheet(name, header_row=None, skip_rows=0, dtypes="float").to_polars()
    except fastexcel.FastExcelError as error:
        raise refuse(f"{shown}: cannot be read as Excel. Save it as .xlsx or as CSV.") from error
    frame = _exact(texts.to_polars().cast(pl.String), numbers)
    frame = _with_error_cells(frame, texts)
    filled = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series() if frame.width else pl.Series([False])
    if frame.height == 0 or not filled.any():
        raise refuse(f"{shown}: the sheet is empty.")
    first = filled.arg_true()[0]
    frame = frame.rename({name: f"c{index}" for index, name in enumerate(frame.columns)})
    header = ["" if cell is None else str(cell) for cell in frame.row(first)]
    rows = frame.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64)).slice(first + 1)
    return header, rows


def _known(sheet: str, names: Sequence[str], shown: str) -> str:
    if sheet not in names:
        raise refuse(f'{shown}: has no sheet "{sheet}".{did_you_mean(sheet, names)} Sheets: {listed(list(names))}.')
    return sheet


def _chosen(book: fastexcel.ExcelReader, shown: str, notes: Notes) -> str:
    """Take the first sheet that is visible and not empty, and say so when there was a choice."""
    sheets = [book.load_sheet(name, header_row=None, n_rows=2, dtypes="string") for name in book.sheet_names]
    filled = [sheet for sheet in sheets if sheet.width and sheet.total_height]
    seen = [sheet.name for sheet in filled if sheet.visible == "visible"]
    hidden = [sheet.name for sheet in filled if sheet.visible != "visible"]
    if not seen and not hidden:
        raise refuse(f"{shown}: the sheet is empty.")
    chosen = (seen or hidden)[0]
    others = [name for name in (*seen, *hidden) if name != chosen]
    if others:
        notes.add(
            "info" if len(seen) == 1 else "warning",
            f'{shown}: the sheet "{chosen}" was read. Others: {listed(others)}'
            f"{' (hidden: ' + listed(hidden) + ')' if hidden else ''}. Say which one under sheet:.",
            count=len(others),
        )
    return str(chosen)


def _exact(texts: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
    """Write cells as Excel means them: all digits of a number, no time on a date, no date on a time."""
    columns = []
    for text, number in zip(texts.get_columns(), numbers.get_columns(), strict=True):
        date = text.str.replace(r"^(\d{4}-\d{2}-\d{2}) 00:00:00$", "$1").str.replace(
            r"^1899-12-3[01] (\d{2}:\d{2}:\d{2})", "$1"
        )
        # fastexcel rounds the text of a number to nine places.
        rounded = date.cast(pl.Float64, strict=False)
        wrong = (rounded != number.cast(pl.Float64, strict=False)).fill_null(False)
        columns.append(date.zip_with(~wrong, number.cast(pl.String)) if wrong.any() else date)
    return pl.DataFrame(columns)


def _with_error_cells(frame: pl.DataFrame, texts: fastexcel.ExcelSheet) -> pl.DataFrame:
    """Show the cells that hold an Excel error, which would otherwise be empty."""
    _, errors = texts.to_arrow_with_errors()
    cells = [(error.offset_position, _CELL_ERROR.search(error.detail)) for error in (errors.errors if errors else [])]
    for column in {position[1] for position, _ in cells}:
        words = {
            position[0]: _ERRORS.get(found.group(1) if found else "", "#ERROR!")
            for position, found in cells
            if position[1] == column
        }
        frame = frame.with_columns(frame.to_series(column).scatter(list(words), list(words.values())))
    return frame
