"""People written to a file and called from it: the way that a user's file goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl
from tests.pharmacogenomics.written_vcf import Cell, Style, write_vcf

from nociomics.ingest.single_files import read_pharmacogenes
from nociomics.ingest.study_tables import require_sound
from nociomics.knowledge.pharmacogene import load_positions
from nociomics.pharmacogenomics.calling import call_pharmacogenes


@dataclass(frozen=True)
class KnownPlace:
    """A row of `load_positions`."""

    gene: str
    rsid: str
    chrom: str
    pos: Mapping[str, int]
    ref: Mapping[str, str]
    bases: tuple[str, ...]


@cache
def places() -> dict[str, KnownPlace]:
    """Return every position by name."""
    return {
        row["rsid"]: KnownPlace(
            row["gene"],
            row["rsid"],
            row["chrom"],
            {"GRCh37": row["pos_grch37"], "GRCh38": row["pos_grch38"]},
            {"GRCh37": row["ref_grch37"], "GRCh38": row["ref_grch38"]},
            (row["ref_grch38"], *row["alts_grch38"].split(",")),
        )
        for row in load_positions().iter_rows(named=True)
    }


def cell(text: str) -> Cell:
    """Read ``A/G``, ``A|G``, ``A|G@7`` (phase set 7) or ``./G``."""
    bases, _, block = text.partition("@")
    one, two = (None if base == "." else base for base in bases.replace("|", "/").split("/"))
    return Cell(one, two, "|" in bases, block or None)


def reference_person(*genes: str, **changes: str) -> dict[str, Cell]:
    """Return someone with the GRCh38 reference at every position of some genes, but for named cells."""
    person = {p.rsid: Cell(p.ref["GRCh38"], p.ref["GRCh38"]) for p in places().values() if p.gene in genes}
    return person | {rsid: cell(text) for rsid, text in changes.items()}


def call_file(path: Path, outside: Path | None = None, absent_is_reference: bool = False) -> pl.DataFrame:
    """Read files and call everybody, as `nociomics pgx` does."""
    genotypes, diplotypes, people, findings = read_pharmacogenes(path, outside)
    require_sound(findings)
    return call_pharmacogenes(genotypes, diplotypes, people, absent_is_reference=absent_is_reference)


def called(
    folder: Path,
    people: Mapping[str, Mapping[str, Cell]],
    style: Style | None = None,
    absent_is_reference: bool = False,
) -> pl.DataFrame:
    """Write people with the sites that any of them has, and call them from the file."""
    sites = [place for rsid, place in places().items() if any(rsid in person for person in people.values())]
    return call_file(write_vcf(folder / "people.vcf", people, sites, style or Style()), None, absent_is_reference)


def row(calls: pl.DataFrame, gene: str, sample: str = "P1") -> dict[str, object]:
    """Return one call."""
    return calls.filter(pl.col("gene") == gene, pl.col("sample") == sample).row(0, named=True)
