"""Read one file on its own, outside any study: for the commands that take a single table or genotype file."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nociomics.ingest.diplotypes import read_diplotypes
from nociomics.ingest.genotype import read_genotype
from nociomics.ingest.notes import HIDDEN, Notes
from nociomics.ingest.sources import open_source
from nociomics.ingest.vcf import VcfReading, read_records
from nociomics.tables.finding import Finding
from nociomics.tables.study import TableSource


def read_any_table(path: Path) -> tuple[pl.DataFrame | None, list[Finding]]:
    """Read a table of any format as text columns, missing tokens as null.

    Returns
    -------
    DataFrame or None, list of Finding
        None when the file cannot be used; the findings say why.
    """
    notes = Notes(path.name)
    frame = open_source(TableSource(path=path.name), path.parent, notes)
    return (None if frame is None else frame.drop(HIDDEN, strict=False)), notes.findings


def read_pharmacogenes(
    genotypes: Path | None, diplotypes: Path | None
) -> tuple[pl.DataFrame | None, pl.DataFrame | None, list[str], list[Finding]]:
    """Read genotypes at the pharmacogene positions and star alleles called elsewhere; either is enough.

    Returns
    -------
    DataFrame or None, DataFrame or None, list of str, list of Finding
        As in `PHARMACOGENE_GENOTYPES` and `DIPLOTYPES`; everybody in either file; what was remarked.
    """
    notes = Notes("genotype")
    positions = outside = None
    people: set[str] = set()
    if genotypes is not None:
        source = TableSource(path=genotypes.name)
        dosages, _, positions = read_genotype([source], genotypes.parent, None, notes)
        people |= set(dosages["patient_id"])
    if diplotypes is not None:
        outside = read_diplotypes([TableSource(path=diplotypes.name)], diplotypes.parent, None, notes)
        people |= set() if outside is None else set(outside["patient_id"])
    return positions, outside, sorted(people), notes.findings


def count_vcf(path: Path) -> dict[str, int | list[str]]:
    """Count what a VCF holds: records, samples, multi-allelic sites, sites with indels, calls and missing calls."""
    reading = VcfReading(path.name)
    for _ in read_records(path, reading):
        pass
    names = ("records", "multiallelic", "with_indel", "gt_calls", "missing_gt")
    counted: dict[str, int | list[str]] = {name: int(reading.counts[name]) for name in names}
    return {**counted, "samples": len(reading.samples), "chroms": sorted(reading.chroms)}
