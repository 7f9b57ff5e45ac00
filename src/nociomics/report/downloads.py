"""A table that travels inside its page: the link holds the file, so the page needs no other."""

from __future__ import annotations

from urllib.parse import quote

import polars as pl
from markupsafe import Markup

from nociomics.report.plots import tag

_PLAIN = ",:;/?@=+$-_.!~*()"  # what a link may hold as it is


def table_link(table: pl.DataFrame | None, name: str, words: str = "table (CSV)") -> Markup | None:
    """Link to a table as a file of comma-separated values; None when there is no table.

    Parameters
    ----------
    table : DataFrame or None
        Numbers are written with four significant digits at most. It must hold no patient id: pages are passed on.
    name : str
        Name of the file that a reader gets.
    words : str
        Text of the link.

    Examples
    --------
    >>> str(table_link(pl.DataFrame({"k": [1], "bic": [0.1234567]}), "bic.csv"))
    '<a class="download" download="bic.csv" href="data:text/csv;charset=utf-8,k,bic%0A1,0.1235%0A">table (CSV)</a>'
    """
    if table is None or not table.height:
        return None
    link = f"data:text/csv;charset=utf-8,{quote(table_text(table), safe=_PLAIN)}"
    return tag("a", words, class_="download", download=name, href=link)


def table_text(table: pl.DataFrame) -> str:
    """Write a table as comma-separated values, numbers with four significant digits at most and a decimal point."""
    floats = [name for name, kind in table.schema.items() if kind.is_float()]
    return table.with_columns(pl.col(floats).round_sig_figs(4)).write_csv()
