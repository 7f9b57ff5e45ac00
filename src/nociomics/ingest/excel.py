"""Read one sheet of an Excel file as text."""

from __future__ import annotations

import fastexcel
import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.content import refuse
from nociomics.ingest.notes import ROW, listed


def read_excel(data: bytes, sheet: str | None, shown: str) -> tuple[list[str], pl.DataFrame]:
    """Return a sheet's header and its rows.

    Parameters
    ----------
    data : bytes
        The file's bytes.
    sheet : str or None
        Name of the sheet; the first when None.
    shown : str
        How messages name the file.

    Returns
    -------
    list of str
        The header, as it stands.
    DataFrame, one row per data row
        String columns ``c0``, ``c1``... and the row number of the sheet.

    Raises
    ------
    UnreadableTable
        When the bytes are no Excel file, the sheet is unknown or it is empty.
    """
    try:
        book = fastexcel.read_excel(data)
    except fastexcel.FastExcelError as error:
        raise refuse(f"{shown}: cannot be read as Excel. Save it as .xlsx or as CSV.") from error
    if sheet is not None and sheet not in book.sheet_names:
        raise refuse(
            f'{shown}: has no sheet "{sheet}".{did_you_mean(sheet, book.sheet_names)} '
            f"Sheets: {listed(book.sheet_names)}."
        )
    loaded = book.load_sheet(book.sheet_names.index(sheet) if sheet else 0, header_row=None, dtypes="string")
    frame = loaded.to_polars().cast(pl.String)
    if frame.height == 0 or frame.width == 0:
        raise refuse(f"{shown}: the sheet is empty.")
    frame = frame.rename({name: f"c{index}" for index, name in enumerate(frame.columns)})
    header = ["" if name is None else str(name) for name in frame.row(0)]
    rows = frame.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64)).slice(1)
    return header, rows
