"""Convert a BCF through cyvcf2: the same sites, copies and counts as from the VCF of the same content."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nociomics.errors import NociomicsError
from nociomics.ingest.content import check_bgzf_end, refuse
from nociomics.ingest.gathered_bases import GivenBuild
from nociomics.ingest.genotype_conversion import convert_vcf
from nociomics.ingest.notes import Notes
from nociomics.ingest.pharmacogene_calls import touches
from nociomics.ingest.store_writer import SITES
from nociomics.ingest.vcf import NO_CALL, NO_COPY, Record, VcfReading, read_header, record_of
from nociomics.ingest.vcf_matrix import NOT_COUNTED, Batch
from nociomics.tables.genotype_store import MISSING, GenotypeStore

_CALLS_PER_BATCH = 4 << 20
_BASES = re.compile(r"^[ACGTNacgtn]+$")
_PLAIN_ALT = re.compile(r"^([ACGTNacgtn*]+|<[^<>]+>)$")


def convert_bcf(
    path: Path, shown: str, folder: Path, notes: Notes, build: GivenBuild = "auto", *, sites_only: bool = False
) -> GenotypeStore | None:
    """Convert a BCF, with or without an index.

    Arguments and result are those of `genotype_conversion.convert_genotypes`. Where messages name a line, it is that
    of the file as text (``bcftools view``).

    Raises
    ------
    NociomicsError
        When cyvcf2 is not installed.
    UnreadableTable
        When the file is cut or cannot be read.
    """
    return convert_vcf(path, shown, folder, notes, build, batches=bcf_batches, sites_only=sites_only)


def bcf_batches(path: Path, reading: VcfReading, places: dict[str, np.ndarray]) -> Iterator[Batch]:
    """Stream the variants of a BCF as `vcf_matrix.read_batches` does those of a VCF.

    Yields
    ------
    Batch
        Up to some million calls; ``touched`` has the records on ``places``, with phase and phase sets.
    """
    variants, line = opened_bcf(path, reading)
    gathered = _Gathered(len(reading.samples))
    for variant in checked(variants, reading.shown):
        line += 1
        record = _record(variant, line, reading)
        gathered.lines += 1
        if record is not None:
            if touches(record, places):
                gathered.touched.append(_whole(variant, record, reading))
            gathered.add(record)
        if gathered.is_full:
            yield gathered.batch()
            gathered = _Gathered(len(reading.samples))
    yield gathered.batch()


def opened_bcf(path: Path, reading: VcfReading) -> tuple[Any, int]:
    """Open a BCF or VCF with cyvcf2; its samples and contigs go to ``reading``.

    Returns
    -------
    VCF, int
        The variants, and the number of lines that its header has as text.
    """
    VCF = _cyvcf2_vcf()
    check_bgzf_end(path, reading.shown)
    try:
        variants = VCF(str(path))
    except (OSError, ValueError) as error:
        raise refuse(f"{reading.shown}: cannot be read as BCF. Write it anew with `bcftools view -Ob`.") from error
    return variants, read_header(variants.raw_header.encode().splitlines(keepends=True), reading)


def _cyvcf2_vcf() -> Any:
    try:
        from cyvcf2 import VCF
    except ImportError as error:
        raise NociomicsError(
            "A BCF is read through cyvcf2, which is not installed: pip install 'nociomics[genetics]'. "
            "Or convert the file with `bcftools view -Oz`."
        ) from error
    return VCF


def checked(variants: Any, shown: str) -> Iterator[Any]:
    """Yield variants; a damaged record becomes an error that names the file."""
    found = iter(variants)
    while True:
        try:
            variant = next(found, None)
        except Exception as error:  # cyvcf2 raises plain Exception for a record that it cannot read
            raise refuse(
                f"{shown}: holds a record that cannot be read. Copy the file again from its source."
            ) from error
        if variant is None:
            return
        yield variant


@dataclass
class _Gathered:
    """Records of one batch: their sites, and both alleles of all samples."""

    samples: int
    rows: list[tuple[object, ...]] = field(default_factory=list)
    of_record: list[int] = field(default_factory=list)
    number: list[int] = field(default_factory=list)
    first: list[np.ndarray] = field(default_factory=list)
    second: list[np.ndarray] = field(default_factory=list)
    touched: list[Record] = field(default_factory=list)
    lines: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it holds as much as a batch may."""
        return self.lines * max(self.samples, 1) >= _CALLS_PER_BATCH

    def add(self, record: Record) -> None:
        """Add one record: a row for each ALT that is counted."""
        many = len(record.alts) > 1
        name = None if record.name in (".", "") else record.name
        for number, alt in enumerate(record.alts, start=1):
            if alt not in NOT_COUNTED:
                self.rows.append((name, record.chrom, record.pos, record.ref, alt, record.filtered, many))
                self.of_record.append(len(self.first))
                self.number.append(number)
        self.first.append(record.first)
        self.second.append(record.second)

    def batch(self) -> Batch:
        """Count the copies of every ALT."""
        sites = pl.DataFrame(self.rows, schema=SITES, orient="row")
        if not self.rows:
            return Batch(sites, np.zeros((0, self.samples), np.int8), self.touched, self.lines)
        first, second = np.stack(self.first)[self.of_record], np.stack(self.second)[self.of_record]
        number = np.array(self.number, np.int16)[:, None]
        copies = (first == number).view(np.int8) + (second == number).view(np.int8)
        copies[(first == NO_CALL) | (second == NO_CALL)] = MISSING
        return Batch(sites, copies, self.touched, self.lines)


def _record(variant: Any, line: int, reading: VcfReading) -> Record | None:
    """Take a plain record from its arrays; any other is read as its line of text, by the reader of VCF lines."""
    if not reading.samples or not _is_plain(variant):
        return record_of(str(variant).encode(), line, reading)
    alleles = variant.genotype.array()
    first, second = alleles[:, 0].copy(), np.full(len(alleles), NO_COPY, np.int16)
    if alleles.shape[1] == 3:
        second = alleles[:, 1].copy()
    first[first < 0] = NO_CALL
    if max(int(first.max()), int(second.max())) > len(variant.ALT):
        return record_of(str(variant).encode(), line, reading)
    _count(variant, first, second, reading)
    return Record(
        line=line,
        chrom=variant.CHROM,
        pos=variant.POS,
        name=variant.ID or ".",
        ref=variant.REF.upper(),
        alts=tuple(alt if alt.startswith("<") else alt.upper() for alt in variant.ALT),
        filtered=variant.FILTER is not None,
        info=_end_of_block(variant),
        first=first,
        second=second,
        phased=alleles[:, -1] == 1,
    )


def _is_plain(variant: Any) -> bool:
    return (
        variant.POS > 0
        and variant.CHROM != "0"
        and variant.FORMAT[:1] == ["GT"]
        and variant.ploidy in (1, 2)
        and _BASES.match(variant.REF) is not None
        and all(_PLAIN_ALT.match(alt) for alt in variant.ALT)
    )


def _end_of_block(variant: Any) -> str:
    end = variant.INFO.get("END")
    return "" if end is None else f"END={end}"


def _count(variant: Any, first: np.ndarray, second: np.ndarray, reading: VcfReading) -> None:
    """Count a record as `vcf.record_of` does."""
    reading.chroms.add(variant.CHROM)
    spelt = [alt for alt in variant.ALT or ["."] if alt[0] not in "<*"]
    reading.counts["records"] += 1
    reading.counts["multiallelic"] += len(variant.ALT) > 1
    reading.counts["with_indel"] += any(len(alt) != len(variant.REF) for alt in spelt)
    reading.counts["gt_calls"] += len(first)
    reading.counts["missing_gt"] += int(np.count_nonzero((first == NO_CALL) | (second == NO_CALL)))


def _whole(variant: Any, record: Record, reading: VcfReading) -> Record:
    """Read a record once more from its text, which has the phase sets too; it is counted already."""
    found = record_of(str(variant).encode(), record.line, VcfReading(reading.shown, samples=reading.samples))
    return record if found is None else found
