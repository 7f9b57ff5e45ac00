"""Read and check the variants of a PLINK 1 set (.bim): every line, each problem with its first line number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from nociomics.ingest.notes import ROW, Notes
from nociomics.ingest.plain_fields import WIDTH, field_chunks

BIM = ("chrom", "name", "cm", "pos", "a1", "a2")
_WITHOUT_CM = ("chrom", "name", "pos", "a1", "a2")
_UNKNOWN = ("0", ".")
_BASES = r"^[ACGTNacgtn]+$"
_CODE = r"^([IDBP1234*-]|<[^<>]+>)$"
_UNPLACED = "0"
# PLINK numbers human chromosomes; 25 is the part that X shares with Y, whose places are those of X.
NUMBERED = {"23": "X", "24": "Y", "25": "X", "26": "MT", "XY": "X", "PAR1": "X", "PAR2": "X"}


@dataclass
class Bim:
    """What the checks of a .bim found: its layout, its size, and what is wrong or odd in it, by kind."""

    fields: tuple[str, ...] = BIM
    skipped: int = 0
    height: int = 0
    chroms: set[str] = field(default_factory=set)
    wrong: dict[str, tuple[int, int]] = field(default_factory=dict)
    odd: dict[str, tuple[int, int]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


def noted(kinds: dict[str, tuple[int, int]], chunk: pl.DataFrame, which: pl.Expr, kind: str) -> None:
    """Count the lines of a kind in one chunk of a file; only the first line number is kept."""
    rows = chunk.filter(which)
    if rows.height:
        count, line = kinds.get(kind, (0, int(rows[ROW][0])))
        kinds[kind] = (count + rows.height, line)


def note_lines(shown: str, wrong: dict[str, tuple[int, int]], odd: dict[str, tuple[int, int]], notes: Notes) -> None:
    """Turn what `noted` counted into findings: fatal what is wrong, a warning what is odd."""
    for kind, (count, line) in wrong.items():
        lines = "line" if count == 1 else "lines"
        notes.fatal(f"{shown}: {count} {lines} (first: line {line}) {kind}. Correct the file.", count=count)
    for kind, (count, line) in odd.items():
        notes.warning(f"{shown}: {count} {'line' if count == 1 else 'lines'} (first: line {line}) {kind}.", count=count)


def check_bim(path: Path, shown: str, notes: Notes, skipped: int = 0) -> Bim | None:
    """Check every line of a .bim; None after a fatal finding.

    The third field (centimorgans) may be left out of the whole file, as PLINK allows. ``skipped`` lines at the head
    are passed over.
    """
    bim = Bim(skipped=skipped)
    for number, chunk in enumerate(field_chunks(path, BIM, skipped)):
        if number == 0 and chunk[WIDTH][0] == len(_WITHOUT_CM):
            bim.fields = _WITHOUT_CM
        bim.height += chunk.height
        width = len(bim.fields)
        noted(bim.wrong, chunk, pl.col(WIDTH) != width, f"do not have the {width} fields of the .bim")
        _check_chunk(_named(chunk.filter(pl.col(WIDTH) == width), bim), bim)
    if bim.height == 0:
        notes.fatal(f"{shown}: holds no variants. Give the .bim that belongs to the .bed.")
    note_lines(shown, bim.wrong, bim.odd, notes)
    return None if bim.wrong or bim.height == 0 else bim


def _named(chunk: pl.DataFrame, bim: Bim) -> pl.DataFrame:
    given = dict(zip(BIM, bim.fields, strict=False))
    return chunk.select(ROW, *(pl.col(theirs).alias(ours) for theirs, ours in given.items()))


def _check_chunk(chunk: pl.DataFrame, bim: Bim) -> None:
    bim.chroms.update(chunk["chrom"].unique().to_list())
    pos = pl.col("pos").cast(pl.Int64, strict=False)
    noted(bim.wrong, chunk, pos.is_null(), "have no whole number as position")
    for column in ("a1", "a2"):
        allowed = _is_base(column) | _is_unknown(column) | pl.col(column).str.contains(_CODE)
        what = f"have an allele {column.upper()} that is neither bases nor a code in use (0, ., I, D, 1 to 4)"
        noted(bim.wrong, chunk, ~allowed, what)
    same = ~_is_unknown("a1") & (pl.col("a1").str.to_uppercase() == pl.col("a2").str.to_uppercase())
    noted(bim.odd, chunk, same, "have the same allele as A1 and as A2")
    coded = _is_code("a1") | _is_code("a2")
    noted(bim.odd, chunk, coded, "have alleles that are codes, not bases; no pharmacogene is called from them")
    noted(bim.odd, chunk, _is_nameless(), "have no place and no rsID by which they could be known and are left out")
    bim.counts["unplaced"] += chunk.filter(_is_unplaced()).height
    bim.counts["numbered"] += chunk.filter(pl.col("chrom").is_in(list(NUMBERED))).height
    bim.counts["with_indel"] += chunk.filter(_is_indel()).height


def _is_base(column: str) -> pl.Expr:
    return pl.col(column).str.contains(_BASES)


def _is_unknown(column: str) -> pl.Expr:
    return pl.col(column).is_in(list(_UNKNOWN))


def _is_code(column: str) -> pl.Expr:
    return ~_is_base(column) & ~_is_unknown(column)


def _is_unplaced() -> pl.Expr:
    return (pl.col("chrom") == _UNPLACED) | (pl.col("pos").cast(pl.Int64, strict=False) <= 0)


def _is_nameless() -> pl.Expr:
    return _is_unplaced() & ~pl.col("name").str.contains(r"^rs\d+$")


def _is_indel() -> pl.Expr:
    unlike = pl.col("a1").str.len_chars() != pl.col("a2").str.len_chars()
    marked = pl.col("a1").is_in(["I", "D", "-"]) | pl.col("a2").is_in(["I", "D", "-"])
    return (_is_base("a1") & _is_base("a2") & unlike) | marked


def sites_of(path: Path, bim: Bim, height: int) -> Iterator[pl.DataFrame]:
    """Yield the variants of a checked .bim, at most ``height`` at a time.

    Yields
    ------
    DataFrame, one row per line
        Columns of `store_writer.SITES` (``ref`` is A2, ``alt`` is A1, null where the file does not know the allele;
        chromosome and position null where it does not know the place), then ``__row`` and ``kept`` (false for a
        variant that nothing names).
    """
    for chunk in field_chunks(path, BIM, bim.skipped):
        sites = _named(chunk, bim).select(
            pl.when(pl.col("name").is_in(list(_UNKNOWN))).then(None).otherwise("name").alias("name"),
            pl.when(~_is_unplaced()).then(pl.col("chrom").replace(NUMBERED)).alias("chrom"),
            pl.when(~_is_unplaced()).then(pl.col("pos").cast(pl.Int64)).alias("pos"),
            _allele("a2").alias("ref"),
            _allele("a1").alias("alt"),
            pl.lit(False).alias("filtered"),
            pl.lit(False).alias("many"),
            pl.col(ROW),
            (~_is_nameless()).alias("kept"),
        )
        for start in range(0, sites.height, height):
            yield sites.slice(start, height)


def _allele(column: str) -> pl.Expr:
    symbolic = pl.col(column).str.starts_with("<")
    word = pl.when(symbolic).then(pl.col(column)).otherwise(pl.col(column).str.to_uppercase())
    return pl.when(~_is_unknown(column)).then(word)
