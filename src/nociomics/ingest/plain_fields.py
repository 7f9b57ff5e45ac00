"""Read text whose fields are parted by spaces or tabs, as PLINK writes it, some lines at a time."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from nociomics.ingest.notes import ROW

_CHARACTERS_PER_CHUNK = 16 << 20
_BYTES = 1 << 20
WIDTH = "__width"


def field_chunks(path: Path, names: tuple[str, ...], skipped: int = 0) -> Iterator[pl.DataFrame]:
    r"""Yield the rows of a file, some at a time.

    Parameters
    ----------
    path : Path
        A text file in UTF-8 or Latin-1, with any line ends; blank lines are passed over.
    names : tuple of str
        Names of the fields, from the left.
    skipped : int
        Lines of a header, which are passed over and counted.

    Yields
    ------
    DataFrame, one row per line
        ``__row`` (line number), ``__width`` (how many fields the line has) and one String column per name, null
        where the line ends before it. There is no frame for a file of blank lines.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.fam"
    >>> _ = path.write_text("F1\tS1  0\r\n\r\nF2 S2\n")
    >>> next(field_chunks(path, ("family", "sample", "father"))).rows()
    [(1, 3, 'F1', 'S1', '0'), (3, 2, 'F2', 'S2', None)]
    """
    line = 1 + skipped
    with path.open(encoding=encoding_of(path)) as stream:
        for _ in range(skipped):
            stream.readline()
        while some := stream.readlines(_CHARACTERS_PER_CHUNK):
            frame = _fields(some, line, names)
            line += len(some)
            if frame.height:
                yield frame


def _fields(lines: list[str], first: int, names: tuple[str, ...]) -> pl.DataFrame:
    clean = pl.col("line").str.strip_chars().str.replace_all(r"[ \t]+", "\t")
    frame = pl.DataFrame({"line": lines}).select(clean).with_row_index(ROW, first).filter(pl.col("line") != "")
    return frame.select(
        pl.col(ROW).cast(pl.Int64),
        (pl.col("line").str.count_matches("\t") + 1).cast(pl.Int64).alias(WIDTH),
        pl.col("line").str.splitn("\t", len(names) + 1).alias("parts"),
    ).select(
        ROW,
        WIDTH,
        *(pl.col("parts").struct.field(f"field_{index}").alias(name) for index, name in enumerate(names)),
    )


def encoding_of(path: Path) -> str:
    """UTF-8 (with or without a byte order mark) where the whole file is, else Latin-1."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as stream:
            while data := stream.read(_BYTES):
                decoder.decode(data)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"
