"""The positions of the pharmacogene tables in one build, and where in a file they are looked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from nociomics.ingest.genome_build import BUILDS, Build, plain_chrom
from nociomics.ingest.minimal_alleles import known_context


@dataclass(frozen=True)
class Position:
    """One row of the pharmacogene tables in one build.

    Attributes
    ----------
    ref, alts : str, tuple of str
        Plus-strand bases; allele number 0 is ``ref``, the others follow in their order.
    ambiguous : bool
        Its bases are each other's complement, so they do not tell the strand.
    confirmed : bool
        Whether the reference base is certain.
    """

    gene: str
    rsid: str
    chrom: str
    pos: int
    ref: str
    alts: tuple[str, ...]
    ambiguous: bool
    confirmed: bool = True

    @property
    def alleles(self) -> tuple[str, ...]:
        """All alleles by number."""
        return (self.ref, *self.alts)

    @property
    def is_single_base(self) -> bool:
        """Whether all its alleles are single bases."""
        return all(len(allele) == 1 for allele in self.alleles)

    @property
    def last(self) -> int:
        """Last base that its reference allele covers."""
        return self.pos + len(self.ref) - 1

    @property
    def reach(self) -> int:
        """Last place at which a record may begin and still surely be about this position."""
        if self.is_single_base:
            return self.pos
        return max(self.last + 1, self.pos + len(known_context(self.rsid)) - 1)


def positions_in(table: pl.DataFrame, build: Build) -> list[Position]:
    """Take the positions of one build from `knowledge.pharmacogene.load_positions`."""
    name = build.lower()
    columns = ["gene", "rsid", "chrom", f"pos_{name}", f"ref_{name}", f"alts_{name}"]
    once = table.unique("rsid", keep="first", maintain_order=True).drop_nulls(f"pos_{name}")
    return [
        Position(gene, rsid, plain_chrom(chrom), pos, ref, tuple(alts.split(",")), bool(ambiguous), bool(sure))
        for gene, rsid, chrom, pos, ref, alts, ambiguous, sure in once.select(
            *columns, "strand_ambiguous_snp", "ref_confirmed"
        ).iter_rows()
    ]


def places(table: pl.DataFrame) -> dict[str, np.ndarray]:
    """All places of both builds per chromosome, sorted: what to look for while a file is read.

    An insertion or deletion may be written further right, so the bases behind its place are looked for too.
    """
    found: dict[str, set[int]] = {}
    for build in BUILDS:
        for position in positions_in(table, build):
            found.setdefault(position.chrom, set()).update(range(position.pos, position.reach + 1))
    return {chrom: np.array(sorted(numbers)) for chrom, numbers in found.items()}
