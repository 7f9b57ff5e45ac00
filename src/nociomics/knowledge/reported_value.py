"""How laboratories write an amount: a number, a limit (<0.4, >500) or a word; as expressions for any table.

Reading a study and converting one table share these rules, so that a non-detect is the same in both.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources

import polars as pl

_BELOW, _ABOVE = r"^\s*(<=?|≤)\s*", r"^\s*(>=?|≥)\s*"
_YES, _NO = ["1", "1.0", "true", "yes", "y"], ["0", "0.0", "false", "no", "n"]
_BLANK = ("", "na", "nan")
READ = pl.Struct({"number": pl.Float64, "below": pl.Boolean, "above": pl.Boolean, "unreadable": pl.Boolean})


@cache
def _words(side: str) -> list[str]:
    with resources.files("nociomics.knowledge").joinpath("non_detect_words.csv").open(encoding="utf-8") as handle:
        return [row["word"] for row in csv.DictReader(handle) if row["side"] == side]


def _folded(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars().str.to_lowercase()


def is_blank(text: str | None) -> bool:
    """Whether a text is one of the usual words for missing."""
    return (text or "").strip().lower() in _BLANK


def read_amounts(values: pl.Series) -> pl.DataFrame:
    """Read amounts as laboratories write them.

    "nd" is not among the words for a non-detect: it may as well mean "not done".

    Parameters
    ----------
    values : Series of text or numbers
        Such as ``2.4``, ``<0.4``, ``≤ 0.4``, ``<LOD``, ``>500``, empty.

    Returns
    -------
    DataFrame, one row per value
        ``number``: the amount or the limit, null when there is none; ``below``, ``above``: it is written as less or
        more than that; ``unreadable``: it is neither blank nor an amount.

    Examples
    --------
    >>> read_amounts(pl.Series(["2.4", "<0.4", "not detected", "many"])).rows()
    [(2.4, False, False, False), (0.4, True, False, False), (None, True, False, False), (None, False, False, True)]
    """
    plain = values.cast(pl.Float64, strict=False)
    no = pl.repeat(False, values.len(), eager=True)
    odd = (plain.is_null() | ~plain.is_finite().fill_null(True)) & values.is_not_null()
    frame = pl.DataFrame({"number": plain, "below": no, "above": no, "unreadable": no})
    if not odd.any():
        return frame
    # Nearly all values are plain numbers: only the others are looked at as text.
    places = odd.arg_true()
    read = _read_text(values.gather(places).cast(pl.String))
    return frame.select(frame[name].scatter(places, read[name]) for name in frame.columns)


def without_sign(values: pl.Series) -> pl.Series:
    """Remove ``<``, ``>`` and the words for a limit, so that only what should be a number is left.

    Examples
    --------
    >>> without_sign(pl.Series(["<0,4", "bdl", "2"])).to_list()
    ['0,4', None, '2']
    """
    raw, known = pl.col("text"), [*_words("below"), *_words("above")]
    bare = pl.when(~_folded(raw).is_in(known)).then(raw.str.replace(_BELOW, "").str.replace(_ABOVE, ""))
    return pl.DataFrame({"text": values}).select(bare.alias(values.name))[values.name]


def _read_text(text: pl.Series) -> pl.DataFrame:
    raw, known = pl.col("text"), [*_words("below"), *_words("above")]
    bare = raw.str.replace(_BELOW, "").str.replace(_ABOVE, "").str.strip_chars().cast(pl.Float64, strict=False)
    worded = _folded(raw).is_in(known)
    read = pl.DataFrame({"text": text}).select(
        number=pl.when(~worded & bare.is_finite()).then(bare),
        below=raw.str.contains(_BELOW) | _folded(raw).is_in(_words("below")),
        above=raw.str.contains(_ABOVE) | _folded(raw).is_in(_words("above")),
        silent=worded | _folded(raw).is_in(list(_BLANK)),
    )
    return read.with_columns(unreadable=pl.col("number").is_null() & ~pl.col("silent")).with_columns(
        pl.col("below", "above") & ~pl.col("unreadable")
    )


def yes_or_no(text: pl.Expr) -> pl.Expr:
    """Read yes/no, true/false, 1/0; null for anything else."""
    word = _folded(text)
    return pl.when(word.is_in(_YES)).then(True).when(word.is_in(_NO)).then(False)


def with_limits() -> list[pl.Expr]:
    """Settle the value, its flag and its limit from what the row says.

    A row is a non-detect when its value is written as one or its flag says so, or, without a flag, when its
    value lies below its own limit. Then both value and limit are the limit; a zero is no limit.

    Columns needed: ``marked`` (the value is written as ``<0.4``; its number goes before ``lod``), ``below_lod``
    (null where not given), ``value`` and ``lod``.

    Returns
    -------
    list of Expr
        ``value``, ``below_lod`` and ``lod``.
    """
    written, limit, number = pl.col("marked"), pl.col("lod"), pl.col("value")
    unflagged = pl.col("below_lod").is_null() & (number < limit)
    censored = written | pl.col("below_lod").fill_null(False) | unflagged.fill_null(False)
    own = pl.when(written).then(pl.coalesce(number, limit)).otherwise(pl.coalesce(limit, number))
    known = pl.when(own > 0).then(own)
    return [
        pl.when(censored).then(known).otherwise(number).alias("value"),
        censored.alias("below_lod"),
        pl.when(censored).then(known).otherwise(limit).alias("lod"),
    ]
