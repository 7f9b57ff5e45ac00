"""The bases of a store's samples at pharmacogene positions, gathered while a file without a VCF header is converted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from nociomics.ingest.genome_build import Build, plain_chrom, votes
from nociomics.ingest.notes import Notes
from nociomics.ingest.pharmacogene_calls import SCHEMA, pharmacogene_rows, positions_in
from nociomics.ingest.vcf import NO_CALL, Record
from nociomics.knowledge.pharmacogene import load_positions
from nociomics.tables.files import write_table
from nociomics.tables.ingested import PHARMACOGENE_GENOTYPES

_PLUS_STRAND_POSITIONS = 3
GivenBuild = Literal["auto", "GRCh37", "GRCh38"]


def unphased_record(
    line: int, chrom: str, pos: int, name: str, ref: str, alt: str | None, copies: np.ndarray
) -> Record:
    """Make the record of one site from copies of one allele, as in a file that keeps no phase.

    Parameters
    ----------
    copies : ndarray of int8, shape (samples,)
        0, 1, 2 copies of ``alt``, or ``MISSING``.
    alt : str or None
        None where the file does not know it.

    Examples
    --------
    >>> record = unphased_record(1, "1", 7, "rs1", "A", "G", np.array([0, 1, 2, -1], dtype=np.int8))
    >>> record.first.tolist(), record.second.tolist()
    ([0, 0, 1, -1], [0, 1, 1, -1])
    """
    first = np.array([0, 0, 1, NO_CALL], dtype=np.int16)[copies]
    second = np.array([0, 1, 1, NO_CALL], dtype=np.int16)[copies]
    return Record(
        line=line,
        chrom=chrom,
        pos=pos,
        name=name,
        ref=ref,
        alts=() if alt is None else (alt,),
        filtered=False,
        info="",
        first=first,
        second=second,
        phased=np.zeros(len(copies), dtype=bool),
        format=b"GT",
        samples=b"\t" * (len(copies) - 1),
    )


def build_by_votes(records: Sequence[Record], *, either_allele: bool) -> Build | None:
    """Return the build whose reference bases stand at the known positions; None when they decide nothing.

    Parameters
    ----------
    either_allele : bool
        Of a file whose two alleles are in no known order: the reference base may be either.
    """
    counted = votes(records, load_positions())
    if either_allele:
        turned = [_with_ref(record, record.alts[0]) for record in records if len(record.alts) == 1]
        more = votes(turned, load_positions())
        counted = {"GRCh37": counted["GRCh37"] + more["GRCh37"], "GRCh38": counted["GRCh38"] + more["GRCh38"]}
    if counted["GRCh37"] == counted["GRCh38"]:
        return None
    return "GRCh37" if counted["GRCh37"] > counted["GRCh38"] else "GRCh38"


def _with_ref(record: Record, ref: str) -> Record:
    empty = np.zeros(0, np.int16)
    return Record(record.line, record.chrom, record.pos, "", ref, (), False, "", empty, empty, empty.astype(bool))


def pharmacogene_table(records: Sequence[Record], build: Build | None, samples: Sequence[str]) -> pl.DataFrame:
    """Read every sample's bases at the positions of one build; no rows when the build is unknown.

    Returns
    -------
    DataFrame, one row per sample and position
        As in the contract ``PHARMACOGENE_GENOTYPES``; ``patient_id`` holds the sample's name.
    """
    if build is None:
        return pl.DataFrame(schema=SCHEMA)
    columns = np.arange(len(samples))
    return pharmacogene_rows(records, positions_in(load_positions(), build), build, samples, columns)


def without_unsure_strands(rows: pl.DataFrame) -> pl.DataFrame:
    """Mark A/T and C/G positions as ambiguous unless the file's other positions show that it is on the plus strand.

    In a VCF the reference base says which strand is meant. A file whose two alleles are in no known order shows that
    only by its other positions: at least three must be called on the plus strand, and none on the other.

    Parameters
    ----------
    rows : DataFrame, one row per sample and position
        As `pharmacogene_table` gives them.
    """
    table = load_positions().unique("rsid", keep="first", maintain_order=True)
    unsure = table.filter("strand_ambiguous_snp")["rsid"].to_list()
    told = rows.filter(~pl.col("rsid").is_in(unsure))
    plus = told.filter(pl.col("call_state") == "called")["rsid"].n_unique()
    if plus >= _PLUS_STRAND_POSITIONS and not (told["call_state"] == "strand_flipped").any():
        return rows
    open_call = pl.col("rsid").is_in(unsure) & (pl.col("call_state") == "called")
    return rows.with_columns(
        pl.when(open_call).then(pl.lit("strand_ambiguous")).otherwise("call_state").alias("call_state"),
        *(pl.when(~open_call).then(name).alias(name) for name in ("base_1", "base_2")),
    )


def write_bases(rows: pl.DataFrame, build: Build | None, shown: str, folder: Path, notes: Notes) -> None:
    """Write ``pharmacogene_genotypes.parquet`` into a store, and say how many positions it has."""
    write_table(rows, PHARMACOGENE_GENOTYPES, folder / "pharmacogene_genotypes.parquet")
    if build is None:
        notes.info(
            f"{shown}: the genome build could not be told (no reference bases at known positions), so no pharmacogene "
            "is called. Say it with build: if you know it."
        )
        return
    found = rows["rsid"].n_unique()
    notes.info(f"{shown}: genome build {build}; {found} pharmacogene positions are in the file.", count=found)


def note_single_copies(variants: pl.DataFrame, shown: str, notes: Notes) -> None:
    """Say that PLINK files write two copies where a person has one chromosome: X and Y of men, mitochondria."""
    chrom = variants["chrom"].str.to_uppercase().str.strip_prefix("CHR")
    count = int(chrom.is_in(["X", "Y", "M", "MT"]).sum() or 0)
    if count:
        notes.info(
            f"{shown}: {count} variants lie on X, Y or MT; where a person has one copy, PLINK files say two, "
            "and so does the store.",
            count=count,
        )


def looked_for(sites: pl.DataFrame, places: dict[str, np.ndarray]) -> np.ndarray:
    """Row numbers of the sites that lie on a place of the pharmacogene tables.

    Parameters
    ----------
    sites : DataFrame
        With ``chrom`` and ``pos``, null where unknown.
    places : dict
        As `pharmacogene_calls.places` gives them.
    """
    found = []
    for chrom in sites["chrom"].drop_nulls().unique().to_list():
        numbers = places.get(plain_chrom(chrom))
        if numbers is not None:
            here = (sites["chrom"] == chrom) & sites["pos"].is_in(numbers)
            found.append(np.flatnonzero(here.fill_null(False).to_numpy()))
    return np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)
