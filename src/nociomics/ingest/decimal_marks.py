"""Write numbers with a decimal point where the study says which mark its files use."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from nociomics.ingest.notes import HIDDEN, Notes, place
from nociomics.ingest.people import ID

# decimal mark -> a number with it, a number in thousands, the sign that parts thousands
_WRITTEN = {
    ",": (r"^\s*[+-]?\d*,\d+(?:[eE][+-]?\d+)?\s*$", r"^\s*[+-]?\d{1,3}(?:\.\d{3})+(?:,\d+)?\s*$", "."),
    ".": (r"^\s*[+-]?\d*\.\d+(?:[eE][+-]?\d+)?\s*$", r"^\s*[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?\s*$", ","),
}
_WHOLE = r"^\s*[+-]?\d+\s*$"


def with_points(frame: pl.DataFrame, mark: str | None, labels: Collection[str], notes: Notes) -> pl.DataFrame:
    """Rewrite the numbers of a file whose decimal mark the study names.

    A column is rewritten when most of its values are numbers with that mark; thousands are then understood too,
    since the mark is no longer in doubt. Columns of text and labels stay as they are.

    Parameters
    ----------
    frame : DataFrame
        Text columns, with hidden ones.
    mark : {".", ","} or None
        ``decimal`` of the source; nothing is done without it.
    labels : collection of str
        Columns that are labels though they look like numbers.
    """
    if mark is None:
        return frame
    plain, thousands, parting = _WRITTEN[mark]
    changed = []
    for name in frame.columns:
        values = frame[name]
        if name in (*HIDDEN, ID, *labels) or values.dtype != pl.String:
            continue
        parted = values.str.contains(thousands)
        marked = values.str.contains(plain)
        numbers = int((marked | parted | values.str.contains(_WHOLE)).sum())
        written = marked if mark == "," else parted
        if not (parted | written).any() or numbers <= (len(values) - values.null_count()) / 2:
            continue
        new = values.zip_with(~parted.fill_null(False), values.str.replace_all(parting, "", literal=True))
        if mark == ",":
            new = new.zip_with(~(marked | parted).fill_null(False), new.str.replace(",", ".", literal=True))
        changed.append(new)
        notes.info(
            f'{place(frame, name)}: numbers were read with the decimal mark "{mark}", as the study says.',
            column=name,
            count=int((new != values).sum() or 0),
        )
    return frame.with_columns(changed)
