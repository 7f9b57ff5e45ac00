"""Read and check the variants of a PLINK 2 set (.pvar): its header, then every line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from nociomics.ingest.notes import ROW, Notes
from nociomics.ingest.plain_fields import WIDTH, encoding_of, field_chunks
from nociomics.ingest.plink1_variants import NUMBERED, note_lines, noted

_NEEDED = ("#CHROM", "POS", "ID", "REF", "ALT")
_REF = r"^[ACGTNacgtn]+$"
_ALTS = r"^(\.|([ACGTNacgtn*]+|<[^<>,]+>)(,([ACGTNacgtn*]+|<[^<>,]+>))*)$"
_CONTIG = re.compile(r"##contig=<.*?ID=([^,>]+).*?length=(\d+)")
_UNPLACED = "0"


@dataclass
class Pvar:
    """What the checks of a .pvar found: its columns, its contigs, how many alleles each variant has, what is wrong.

    ``alternatives`` has the number of ALTs of every variant.
    """

    columns: tuple[str, ...] = ()
    skipped: int = 0
    contigs: dict[str, int] = field(default_factory=dict)
    alternatives: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    chroms: set[str] = field(default_factory=set)
    wrong: dict[str, tuple[int, int]] = field(default_factory=dict)
    odd: dict[str, tuple[int, int]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def height(self) -> int:
        """Number of variants."""
        return len(self.alternatives)

    @property
    def offsets(self) -> np.ndarray:
        """Where each variant's alleles begin among all alleles, as pgenlib counts: at least two per variant."""
        return np.concatenate([[0], np.cumsum(np.maximum(self.alternatives, 1) + 1)]).astype(np.uintp)


def header_of(path: Path) -> Pvar:
    """Read the lines before the first variant; ``columns`` stays empty for a file without a header line."""
    found = Pvar()
    with path.open(encoding=encoding_of(path)) as stream:
        for line in stream:
            if not line.startswith("#"):
                break
            found.skipped += 1
            contig = _CONTIG.match(line)
            if contig is not None:
                found.contigs[contig[1]] = int(contig[2])
            if line.startswith("#CHROM"):
                found.columns = tuple(line.split())
                break
    return found


def check_pvar(path: Path, shown: str, notes: Notes) -> Pvar | None:
    """Check every line of a .pvar that has a header line; None after a fatal finding."""
    pvar = header_of(path)
    missing = [name for name in _NEEDED if name not in pvar.columns]
    if missing:
        notes.fatal(f"{shown}: line {pvar.skipped}, the header, lacks {', '.join(missing)}. Write it with plink2.")
        return None
    parts = []
    for chunk in field_chunks(path, pvar.columns, pvar.skipped):
        width = 1 + max(pvar.columns.index(name) for name in (*_NEEDED, *_filter_of(pvar)))
        noted(pvar.wrong, chunk, pl.col(WIDTH) < width, "have too few fields")
        chunk = chunk.filter(pl.col(WIDTH) >= width)
        _check_chunk(chunk, pvar)
        parts.append(chunk.select(_alternatives()).to_series().to_numpy())
    pvar.alternatives = np.concatenate([np.zeros(0, np.int64), *parts])
    if pvar.height == 0 and not pvar.wrong:
        notes.fatal(f"{shown}: holds no variants. Give the .pvar that belongs to the .pgen.")
    note_lines(shown, pvar.wrong, pvar.odd, notes)
    return None if pvar.wrong or pvar.height == 0 else pvar


def _filter_of(pvar: Pvar) -> list[str]:
    return ["FILTER"] if "FILTER" in pvar.columns else []


def _alternatives() -> pl.Expr:
    return pl.when(pl.col("ALT") == ".").then(0).otherwise(pl.col("ALT").str.count_matches(",", literal=True) + 1)


def _check_chunk(chunk: pl.DataFrame, pvar: Pvar) -> None:
    pvar.chroms.update(chunk["#CHROM"].unique().to_list())
    noted(pvar.wrong, chunk, _pos().is_null(), "have no whole number as position")
    noted(pvar.wrong, chunk, ~pl.col("REF").str.contains(_REF), "have a REF that is not made of A, C, G, T, N")
    noted(pvar.wrong, chunk, ~pl.col("ALT").str.contains(_ALTS), "have an ALT that is no allele")
    noted(pvar.odd, chunk, _is_nameless(), "have no place and no rsID by which they could be known and are left out")
    pvar.counts["unplaced"] += chunk.filter(_is_unplaced()).height
    if "INFO" in pvar.columns:
        pvar.counts["provisional"] += chunk.filter(pl.col("INFO").str.contains(r"(^|;)PR(;|$)")).height
    pvar.counts["multiallelic"] += chunk.filter(_alternatives() > 1).height
    alts = chunk.select(ROW, "REF", pl.col("ALT").str.split(",")).explode("ALT")
    unlike = ~pl.col("ALT").str.contains(r"^[<*]") & (pl.col("ALT").str.len_chars() != pl.col("REF").str.len_chars())
    pvar.counts["with_indel"] += alts.filter(unlike)[ROW].n_unique()


def _pos() -> pl.Expr:
    return pl.col("POS").cast(pl.Int64, strict=False)


def _is_unplaced() -> pl.Expr:
    return (pl.col("#CHROM") == _UNPLACED) | (_pos() <= 0)


def _is_nameless() -> pl.Expr:
    return _is_unplaced() & ~pl.col("ID").str.contains(r"^rs\d+$")


def sites_of_pvar(path: Path, pvar: Pvar, height: int) -> Iterator[pl.DataFrame]:
    """Yield the variants of a checked .pvar, at most ``height`` at a time.

    Yields
    ------
    DataFrame, one row per variant
        ``name`` (null for none), ``chrom``, ``pos`` (both null where unknown), ``ref``, ``alts`` (list, empty for
        none), ``filtered``, ``__row`` (line) and ``kept``.
    """
    filtered = ~pl.col("FILTER").is_in(["PASS", ".", ""]) if "FILTER" in pvar.columns else pl.lit(False)
    word = pl.when(pl.element().str.starts_with("<")).then(pl.element()).otherwise(pl.element().str.to_uppercase())
    for chunk in field_chunks(path, pvar.columns, pvar.skipped):
        sites = chunk.select(
            pl.when(pl.col("ID") != ".").then("ID").alias("name"),
            pl.when(~_is_unplaced()).then(pl.col("#CHROM").replace(NUMBERED)).alias("chrom"),
            pl.when(~_is_unplaced()).then(_pos()).alias("pos"),
            pl.col("REF").str.to_uppercase().alias("ref"),
            pl.col("ALT").str.split(",").list.filter(pl.element() != ".").list.eval(word).alias("alts"),
            filtered.alias("filtered"),
            pl.col(ROW),
            (~_is_nameless()).alias("kept"),
        )
        for start in range(0, sites.height, height):
            yield sites.slice(start, height)
