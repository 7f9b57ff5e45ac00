"""Find out the genome build of a genotype file: by the lengths of its contigs, else by its reference bases."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, Protocol

import polars as pl

Build = Literal["GRCh37", "GRCh38"]
BUILDS: tuple[Build, Build] = ("GRCh37", "GRCh38")


def plain_chrom(chrom: str) -> str:
    """Cut the prefix: ``chr10`` and ``10`` are the same."""
    return chrom[3:] if chrom[:3].lower() == "chr" else chrom


@cache
def _lengths() -> dict[Build, dict[str, int]]:
    text = (files("nociomics.knowledge") / "contig_lengths.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return {build: {row["chrom"]: int(row[build.lower()]) for row in rows} for build in BUILDS}


def build_of_contigs(contigs: Mapping[str, int]) -> Build | None:
    """Return the build whose chromosome lengths the header has; None when it has none, or both.

    Examples
    --------
    >>> build_of_contigs({"chr10": 133797422}), build_of_contigs({"10": 135534747}), build_of_contigs({"10": 7})
    ('GRCh38', 'GRCh37', None)
    """
    fits = [
        build
        for build in BUILDS
        if any(_lengths()[build].get(plain_chrom(name)) == length for name, length in contigs.items())
    ]
    return fits[0] if len(fits) == 1 else None


class Placed(Protocol):
    """What is asked of a record here."""

    @property
    def chrom(self) -> str:
        """Chromosome, with or without its prefix."""

    @property
    def pos(self) -> int:
        """Position of the first base of REF."""

    @property
    def ref(self) -> str:
        """Reference allele."""


def votes(records: Iterable[Placed], positions: pl.DataFrame) -> dict[Build, int]:
    """Count, per build, the records whose REF is the reference base at a table position of that build."""
    expected = {build: _references(positions, build) for build in BUILDS}
    found: dict[Build, int] = {"GRCh37": 0, "GRCh38": 0}
    for record in records:
        place = (plain_chrom(record.chrom), record.pos)
        for build in BUILDS:
            found[build] += record.ref in expected[build].get(place, ())
    return found


def _references(positions: pl.DataFrame, build: Build) -> dict[tuple[str, int], list[str]]:
    # Where the tables' own reference base is not confirmed, it decides nothing.
    sure = positions.filter("ref_confirmed").select("chrom", f"pos_{build.lower()}", f"ref_{build.lower()}")
    references: dict[tuple[str, int], list[str]] = {}
    for chrom, pos, ref in sure.iter_rows():
        references.setdefault((plain_chrom(chrom), pos), []).append(ref)
    return references
