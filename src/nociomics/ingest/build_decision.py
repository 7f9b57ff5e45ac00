"""Decide the genome build of a file: said by the user, or shown by contig lengths and bases; never assumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import polars as pl

from nociomics.ingest.genome_build import BUILDS, Build, build_of_contigs, plain_chrom, votes
from nociomics.ingest.position_alleles import Reading, Site, read_alleles
from nociomics.ingest.sample_calls import SampleCalls
from nociomics.ingest.table_positions import positions_in
from nociomics.ingest.vcf import Record

GivenBuild = Literal["auto", "GRCh37", "GRCh38"]


@dataclass(frozen=True)
class BuildDecision:
    """The build of a file.

    Attributes
    ----------
    build : {"GRCh37", "GRCh38"} or None
        None when it is unknown, or contradicted.
    told_by : str or None
        ``the study``, ``contig lengths``, ``reference bases``, ``contradicted``, or None.
    problem : str or None
        Why there is none, in words that follow the file's name.
    count : int
        Positions that speak against it.
    """

    build: Build | None
    told_by: str | None
    problem: str | None = None
    count: int = 0

    @property
    def is_contradicted(self) -> bool:
        """Whether the bases speak against what was said."""
        return self.told_by == "contradicted"


def decide_build(
    records: Sequence[Record | SampleCalls], contigs: Mapping[str, int], given: GivenBuild, positions: pl.DataFrame
) -> BuildDecision:
    """Decide by what the user says, else by contig lengths, else by the vote of the reference bases.

    Contig lengths of both builds in one header decide nothing. Where no REF is a reference base, positions whose
    alleles fit on the other strand, or with REF and ALT exchanged, vote instead. Whatever was said, bases that
    speak for the other build, or mostly for none, contradict it.

    Parameters
    ----------
    records : sequence of Record or SampleCalls
        Those that lie on a position of the tables.
    contigs : mapping of str to int
        Lengths of the header.
    positions : DataFrame
        From `knowledge.pharmacogene.load_positions`.
    """
    counted = votes(records, positions)
    kinds = {build: _kinds(records, positions, build) for build in BUILDS}
    by_lengths = build_of_contigs(contigs)
    said = given if given != "auto" else by_lengths
    by_bases = _more(counted) or _more({build: _explained(kinds[build]) for build in BUILDS})
    found = said or by_bases
    if found is None:
        return _undecided(counted, contigs)
    other: Build = "GRCh37" if found == "GRCh38" else "GRCh38"
    if said is not None and counted[other] > counted[found]:
        place = f"{other} ({counted[other]} positions). Say which it is with build:."
        if given == "auto":
            problem = f"the header says {found}, but the reference bases are those of {place}"
        else:
            problem = f"you say {found}, but the reference bases are those of {place}"
        return BuildDecision(None, "contradicted", problem, counted[other])
    against = kinds[found]["contradicts"]
    if against > sum(kinds[found].values()) / 2:
        problem = (
            f"at {against} of {sum(kinds[found].values())} known positions the bases are those of neither GRCh37 nor "
            "GRCh38, on neither strand. Is it of another genome or build? Convert it to GRCh38 (CrossMap, "
            "bcftools +liftover) or take the file that it was made from."
        )
        return BuildDecision(None, "contradicted", problem, against)
    told_by = "the study" if given != "auto" else "contig lengths" if by_lengths else "reference bases"
    return BuildDecision(found, told_by)


def _undecided(counted: Mapping[Build, int], contigs: Mapping[str, int]) -> BuildDecision:
    if any(counted.values()):
        problem = f"as many reference bases ({counted['GRCh37']}) are those of GRCh37 as of GRCh38"
    else:
        problem = "no contig lengths of GRCh37 or GRCh38, no reference bases at known positions"
        if contigs and build_of_contigs(contigs) is None and _has_both(contigs):
            problem = "contig lengths of both GRCh37 and GRCh38, no reference bases at known positions"
    return BuildDecision(
        None,
        None,
        f"the genome build could not be told ({problem}), so no pharmacogene is called. "
        "Say it with build: if you know it.",
    )


def _has_both(contigs: Mapping[str, int]) -> bool:
    return {build_of_contigs({name: length}) for name, length in contigs.items()} >= set(BUILDS)


def _more(counted: Mapping[Build, int]) -> Build | None:
    if counted["GRCh37"] == counted["GRCh38"]:
        return None
    return "GRCh37" if counted["GRCh37"] > counted["GRCh38"] else "GRCh38"


class _Placed(Site, Protocol):
    @property
    def chrom(self) -> str: ...


def _kinds(records: Iterable[_Placed], positions: pl.DataFrame, build: Build) -> Counter[str]:
    """Count how REF stands to the tables at single-base positions of one build."""
    table = {(p.chrom, p.pos): p for p in positions_in(positions, build) if p.is_single_base and p.confirmed}
    found: Counter[str] = Counter()
    for record in records:
        position = table.get((plain_chrom(record.chrom), record.pos))
        reading: Reading | None = None if position is None else read_alleles(record, position)
        if reading is not None:
            found[reading.kind] += 1
    return found


def _explained(kinds: Counter[str]) -> int:
    return sum(count for kind, count in kinds.items() if kind != "contradicts")
