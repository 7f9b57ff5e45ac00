"""One name per chromosome, whatever the file calls it."""

from __future__ import annotations

import polars as pl

AUTOSOMES = tuple(str(number) for number in range(1, 23))
_PLINK = {"23": "X", "24": "Y", "25": "XY", "26": "MT", "M": "MT", "PAR1": "XY", "PAR2": "XY"}


def chromosome(column: str = "chrom") -> pl.Expr:
    """Give 1 to 22, X, Y, XY (the part that X and Y share) or MT; other contigs keep their name, without ``chr``.

    PLINK's numbers 23 to 26 are X, Y, XY and MT. Null stays null: the file does not say.

    Examples
    --------
    >>> pl.DataFrame({"chrom": ["chr7", "23", "chrM", "0", None]}).select(chromosome())["chrom"].to_list()
    ['7', 'X', 'MT', None, None]
    """
    plain = pl.col(column).str.replace(r"^(?i)chr", "").str.to_uppercase()
    named = plain
    for number, name in _PLINK.items():
        named = pl.when(plain == number).then(pl.lit(name)).otherwise(named)
    return pl.when(plain.is_in(["0", ".", ""])).then(None).otherwise(named).alias(column)
