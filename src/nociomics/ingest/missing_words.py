"""Words that mean missing become null: empty, NA, NaN and what the study lists; nothing else is guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from nociomics.ingest.notes import ROW

_WHOLE = re.compile(r"^[+-]?\d+$")
_WORDS = ["", *(a + b for a in "nN" for b in "aA"), *(a + b + c for a in "nN" for b in "aA" for c in "nN")]
_BEGINS_WITH_SPACE = r"^\s"
_PADDED_WORD = r"^\s*(?:[nN][aA][nN]?)?\s*$"
_ENDS_WITH_SPACE = r"(?i)^(?:na|nan)\s"


def without_missing(rows: pl.DataFrame, tokens: Sequence[str], *, spaces: bool = True) -> pl.DataFrame:
    """Turn the words for missing into null; only columns that hold one are written anew.

    Parameters
    ----------
    rows : DataFrame
        String columns, and ``__row``.
    tokens : sequence of str
        Further words of the study, compared as they stand; a whole number also as it is with ".0".
    spaces : bool
        Whether any value may hold a space, so that words with spaces around them are looked for.

    Examples
    --------
    >>> without_missing(pl.DataFrame({"a": ["NA", " nan ", "-9", "x "]}), ["-9"])["a"].to_list()
    [None, None, None, 'x ']
    """
    wanted = [*_WORDS, *tokens, *(f"{token}.0" for token in tokens if _WHOLE.match(token))]
    changed = []
    for values in rows.get_columns():
        if values.name == ROW:
            continue
        word = values.is_in(wanted)
        if spaces and (values.str.contains(_BEGINS_WITH_SPACE) | values.str.contains(_ENDS_WITH_SPACE)).any():
            word = word | values.str.contains(_PADDED_WORD)
        if word.any():
            changed.append(values.zip_with(~word.fill_null(False), pl.Series([None], dtype=pl.String)))
    return rows.with_columns(changed) if changed else rows
