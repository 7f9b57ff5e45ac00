"""Read genotypes from VCF or a table of dosages: copies of each ALT, and bases at pharmacogene positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from nociomics.ingest.content import UnreadableTable, first_bytes
from nociomics.ingest.genome_build import Build, build_of_contigs, votes
from nociomics.ingest.notes import FILE, HIDDEN, Notes
from nociomics.ingest.people import ID, has_id, matched, once_each
from nociomics.ingest.pharmacogene_calls import SCHEMA as CALL_SCHEMA
from nociomics.ingest.pharmacogene_calls import pharmacogene_rows, places, positions_in, touches
from nociomics.ingest.samples import joined_to_people
from nociomics.ingest.sources import BASELINE, combined, measured_at, read_source
from nociomics.ingest.values import number_columns
from nociomics.ingest.vcf import NO_CALL, Record, VcfReading, is_vcf, read_records
from nociomics.knowledge.pharmacogene import load_positions
from nociomics.tables.study import TableSource

_VARIANT_SCHEMA = {
    "variant": pl.String,
    "chrom": pl.String,
    "pos": pl.Int64,
    "ref": pl.String,
    "alt": pl.String,
    "call_rate": pl.Float64,
    "alt_frequency": pl.Float64,
}
_NOT_COUNTED = ("*", "<NON_REF>", "<*>")
_REFUSED = (
    (b"BCF", "BCF", "bcftools view -Oz"),
    (b"\x6c\x1b\x01", "PLINK 1 (.bed)", "plink2 --bfile NAME --export vcf"),
    (b"\x6c\x1b", "PLINK 2 (.pgen)", "plink2 --pfile NAME --export vcf"),
)


@dataclass
class _Sites:
    """What is gathered while one VCF streams by; only the study's people are kept."""

    rows: list[dict[str, object]] = field(default_factory=list)
    dosages: list[np.ndarray] = field(default_factory=list)
    pharmacogene: list[Record] = field(default_factory=list)
    filtered: int = 0


def read_genotype(
    sources: Sequence[TableSource], root: Path, people: pl.Series | None, notes: Notes
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Read every genotype file.

    Parameters
    ----------
    people : Series of String or None
        Ids of the study.

    Returns
    -------
    DataFrame, one row per genotyped person
        As in the contract ``DOSAGES``.
    DataFrame, one row per variant
        As in the contract ``VARIANTS``; rates and frequencies are those of the study's people.
    DataFrame, one row per person and position
        As in the contract ``PHARMACOGENE_GENOTYPES``; no rows when the build is unknown.
    """
    dosages, variants, calls = [], [pl.DataFrame(schema=_VARIANT_SCHEMA)], [pl.DataFrame(schema=CALL_SCHEMA)]
    for source in sources:
        if measured_at(source, "genotype")[0] != BASELINE:
            notes.info(f"{source.path}: is not declared as baseline and is left out.")
            continue
        read = _one_file(source, root, people, notes)
        if read is not None:
            dosages.append(read[0])
            variants.append(read[1])
            calls.append(read[2])
    whole = combined(dosages)
    empty = pl.DataFrame(schema={ID: pl.String})
    whole = empty if whole is None else once_each(whole, notes).drop(HIDDEN, strict=False)
    known = pl.concat(variants).unique("variant", keep="first", maintain_order=True)
    return whole, known, pl.concat(calls).unique([ID, "rsid"], keep="first", maintain_order=True)


def _one_file(
    source: TableSource, root: Path, people: pl.Series | None, notes: Notes
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame] | None:
    path = root / source.path
    try:
        head = first_bytes(path, source.path)
        for magic, kind, way in _REFUSED:
            if head.startswith(magic):
                notes.fatal(f"{source.path}: {kind} is not read yet: convert it to VCF with `{way}`.")
                return None
        return (
            _read_vcf(path, source, root, people, notes) if is_vcf(head) else _read_table(source, root, people, notes)
        )
    except UnreadableTable as error:
        for problem in error.problems:
            notes.fatal(problem.message, count=problem.count)
        return None


def _read_table(
    source: TableSource, root: Path, people: pl.Series | None, notes: Notes
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame] | None:
    """Read a table of dosages: one column per variant, 0, 1 or 2 copies."""
    frame = read_source(source, root, notes)
    if frame is None:
        return None
    frame = matched(once_each(frame, notes), people, notes)
    names = [name for name in frame.columns if name not in (ID, *HIDDEN)]
    frame = number_columns(frame, names, notes)
    wrong = [name for name in names if not frame[name].drop_nulls().is_in([0.0, 1.0, 2.0]).all()]
    for name in wrong[:10]:
        what = "are none of 0, 1, 2 copies. Give whole copies, empty where there is no call."
        notes.rows("fatal", frame, ~frame[name].is_in([0.0, 1.0, 2.0]), what, column=name)
    if len(wrong) > 10:
        notes.fatal(f"{len(wrong) - 10} further columns hold values that are none of 0, 1, 2.", count=len(wrong) - 10)
    notes.info(f"{source.path}: a table of dosages shows no bases, so no pharmacogene is called from it.")
    good = [name for name in names if name not in wrong]
    dosages = frame.select(*HIDDEN, ID, pl.col(good).cast(pl.Int8)) if good else frame.select(*HIDDEN, ID)
    rows = [_variant_row(name, None, None, None, None, dosages[name]) for name in good]
    return dosages, pl.DataFrame(rows, schema=_VARIANT_SCHEMA), pl.DataFrame(schema=CALL_SCHEMA)


def _variant_row(
    name: str, chrom: str | None, pos: int | None, ref: str | None, alt: str | None, copies: pl.Series
) -> dict[str, object]:
    called = copies.drop_nulls()
    rate = len(called) / len(copies) if len(copies) else 0.0
    frequency = float(called.cast(pl.Float64).mean()) / 2 if len(called) else None  # type: ignore[arg-type]
    return {
        "variant": name,
        "chrom": chrom,
        "pos": pos,
        "ref": ref,
        "alt": alt,
        "call_rate": rate,
        "alt_frequency": frequency,
    }


def _read_vcf(
    path: Path, source: TableSource, root: Path, people: pl.Series | None, notes: Notes
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame] | None:
    reading, sites = VcfReading(source.path), _Sites()
    looked_for = places(load_positions())
    chosen: pl.DataFrame | None = None
    columns = np.zeros(0, np.int64)
    for record in read_records(path, reading):
        if chosen is None:
            chosen = _people_of(reading.samples, source, root, people, notes)
            columns = chosen["__column"].to_numpy()
        if touches(record, looked_for):
            sites.pharmacogene.append(record)
        _add_site(record, columns, sites)
    _note_lines(reading, notes)
    if not reading.samples:
        notes.fatal(f"{source.path}: a VCF without samples (sites only) holds no genotypes. Give the one with samples.")
        return None
    if reading.counts["records"] == 0:
        notes.fatal(f"{source.path}: the VCF has a header but no records.")
        return None
    if chosen is None or notes.has_fatal:
        return None
    if sites.filtered:
        notes.info(
            f"{source.path}: {sites.filtered} sites did not pass the file's own FILTER and are left out.",
            count=sites.filtered,
        )
    calls = _pharmacogene(sites.pharmacogene, reading, source, chosen, columns, notes)
    dosages, variants = _dosage_table(sites, chosen, source, notes)
    return dosages, variants, calls


def _people_of(
    samples: list[str], source: TableSource, root: Path, people: pl.Series | None, notes: Notes
) -> pl.DataFrame:
    """Match the samples of a VCF with people: one row per person with its sample column."""
    key = source.samples.sample_id if source.samples is not None else ID
    frame = pl.DataFrame({FILE: [source.path] * len(samples), key: samples, "__column": range(len(samples))})
    frame = frame.with_columns(pl.col(FILE, key).cast(pl.String), pl.col("__column").cast(pl.Int64))
    if source.samples is not None:
        joined = joined_to_people(frame, source.samples, root, source, notes)
        frame = frame.clear().with_columns(pl.lit("").alias(ID)) if joined is None else joined
    if not has_id(frame, notes):
        return frame
    return matched(once_each(frame, notes), people, notes)


def _note_lines(reading: VcfReading, notes: Notes) -> None:
    for kind, (count, line) in reading.malformed.items():
        notes.fatal(f"{reading.shown}: {count} lines (first: line {line}) {kind}. Correct the file.", count=count)
    for kind, (count, line) in reading.odd.items():
        notes.warning(f"{reading.shown}: {count} lines (first: line {line}) {kind}.", count=count)


def _add_site(record: Record, columns: np.ndarray, sites: _Sites) -> None:
    """Count the copies of every ALT of one record; half calls are no calls."""
    if record.filtered:
        sites.filtered += 1
        return
    first, second = record.first[columns], record.second[columns]
    missing = (first == NO_CALL) | (second == NO_CALL)
    copies_called = int((first[~missing] >= 0).sum() + (second[~missing] >= 0).sum())
    for number, alt in enumerate(record.alts, start=1):
        if alt in _NOT_COUNTED:
            continue
        copies = ((first == number).astype(np.int8) + (second == number)).astype(np.int8)
        copies[missing] = -1
        alternatives = int(copies[~missing].sum())
        sites.rows.append(
            {
                "name": record.name,
                "many": len(record.alts) > 1,
                "chrom": record.chrom,
                "pos": record.pos,
                "ref": record.ref,
                "alt": alt,
                "call_rate": float((~missing).mean()) if len(columns) else 0.0,
                "alt_frequency": alternatives / copies_called if copies_called else None,
            }
        )
        sites.dosages.append(copies)


def _dosage_table(
    sites: _Sites, chosen: pl.DataFrame, source: TableSource, notes: Notes
) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = pl.DataFrame(
        sites.rows,
        schema={"name": pl.String, "many": pl.Boolean, **{k: v for k, v in _VARIANT_SCHEMA.items() if k != "variant"}},
    )
    named = rows.with_columns(_names(rows)).drop("name", "many")
    first = named["variant"].is_first_distinct()
    if not first.all():
        again = int((~first).sum())
        notes.warning(
            f"{source.path}: {again} variants stand more than once in the file; the first is kept.", count=again
        )
    kept = np.flatnonzero(first.to_numpy())
    names = named["variant"].to_list()
    table = pl.DataFrame({names[index]: sites.dosages[index] for index in kept})
    table = table.select(pl.when(pl.all() >= 0).then(pl.all())) if len(kept) else table
    people = chosen.select(pl.lit(source.path).alias(FILE), ID)
    return pl.concat([people, table], how="horizontal"), named.filter(first).select(list(_VARIANT_SCHEMA))


def _names(rows: pl.DataFrame) -> pl.Series:
    """Name variants by rsID where it is one of its own, else by chrom_pos_ref_alt."""
    place_name = pl.concat_str("chrom", pl.col("pos").cast(pl.String), "ref", "alt", separator="_")
    has_rsid = pl.col("name").str.contains(r"^rs\d+$")
    rsid = pl.when(pl.col("many")).then(pl.concat_str("name", "alt", separator="_")).otherwise("name")
    own = (
        has_rsid
        & (pl.struct("name", "alt").len().over("name", "alt") == 1)
        & (pl.col("many") | (pl.len().over("name") == 1))
    )
    return rows.select(pl.when(own).then(rsid).otherwise(place_name).alias("variant"))["variant"]


def _pharmacogene(
    records: list[Record],
    reading: VcfReading,
    source: TableSource,
    chosen: pl.DataFrame,
    columns: np.ndarray,
    notes: Notes,
) -> pl.DataFrame:
    build = _build(records, reading, source, notes)
    if build is None:
        return pl.DataFrame(schema=CALL_SCHEMA)
    rows = pharmacogene_rows(records, positions_in(load_positions(), build), build, chosen[ID].to_list(), columns)
    found = rows["rsid"].n_unique()
    notes.info(f"{source.path}: genome build {build}; {found} pharmacogene positions are in the file.", count=found)
    return rows


def _build(records: list[Record], reading: VcfReading, source: TableSource, notes: Notes) -> Build | None:
    if source.build != "auto":
        return source.build
    by_length = build_of_contigs(reading.contigs)
    counted = votes(records, load_positions())
    best: Build = "GRCh37" if counted["GRCh37"] > counted["GRCh38"] else "GRCh38"
    by_bases = best if counted["GRCh37"] != counted["GRCh38"] else None
    if by_length is not None and by_bases is not None and by_length != by_bases and counted[by_length] == 0:
        notes.fatal(
            f"{source.path}: the header says {by_length}, but the reference bases are those of {by_bases} "
            f"({counted[by_bases]} positions). Say which it is with build:.",
            count=counted[by_bases],
        )
        return None
    if by_length is None and by_bases is None:
        notes.info(
            f"{source.path}: the genome build could not be told (no contig lengths, no reference bases at known "
            "positions), so no pharmacogene is called. Say it with build: if you know it."
        )
    return by_length or by_bases
