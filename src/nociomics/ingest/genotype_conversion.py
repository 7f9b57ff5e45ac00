"""Convert a genotype file to the compact store: found out by its content, read in one pass, counted meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nociomics.ingest.build_decision import decide_build
from nociomics.ingest.content import UnreadableTable, first_bytes
from nociomics.ingest.gathered_bases import GivenBuild
from nociomics.ingest.genome_build import Build
from nociomics.ingest.notes import Notes
from nociomics.ingest.pharmacogene_calls import pharmacogene_rows, places, positions_in
from nociomics.ingest.store_writer import StoreWriter
from nociomics.ingest.vcf import Record, VcfReading, is_vcf
from nociomics.ingest.vcf_matrix import Batch, read_batches
from nociomics.knowledge.pharmacogene import load_positions
from nociomics.tables.files import read_json, write_json, write_table
from nociomics.tables.genotype_store import GenotypeStore
from nociomics.tables.ingested import PHARMACOGENE_GENOTYPES
from nociomics.tables.progress import Progress

_LOG = logging.getLogger(__name__)
_Batches = Callable[[Path, VcfReading, dict[str, np.ndarray]], Iterator[Batch]]
_PLINK, _BCF = b"\x6c\x1b", b"BCF"
_SAMPLE_MAJOR, _VARIANT_MAJOR = 0, 1
BASES = "pharmacogene_genotypes.parquet"
TABLE, REFUSED = "table", "refused"
"""Kinds of manifests without a store."""


def is_store_kind(head: bytes) -> bool:
    """Whether the first bytes (decompressed) are those of a file that is converted to a store, not of a table."""
    return is_vcf(head) or head.startswith((_PLINK, _BCF))


def convert_genotypes(
    path: Path, shown: str, folder: Path, notes: Notes, build: GivenBuild = "auto", *, sites_only: bool = False
) -> GenotypeStore | None:
    """Convert a VCF, BCF, PLINK 1 or PLINK 2 file, told by its content.

    Parameters
    ----------
    path : Path
        The file; of PLINK files the one that holds the calls.
    shown : str
        How messages name it: the path as the study writes it.
    folder : Path
        The store to write.
    notes : Notes
        Takes every problem.
    build : {"auto", "GRCh37", "GRCh38"}
        As the study says; ``auto`` is found out by contig lengths, else by reference bases.
    sites_only : bool
        Accept a VCF or BCF without samples, with a warning; else it is fatal.

    Returns
    -------
    GenotypeStore or None
        None after a fatal finding; then nothing is written. The manifest holds what was remarked too, so that a
        store that is opened later tells it again.
    """
    began, remarks, steps = time.perf_counter(), len(notes.findings), len(notes.readings)
    try:
        kind, convert = _converter(first_bytes(path, shown))
        if convert is None:
            notes.fatal(
                f"{shown}: is no genotype file that is known by its content. "
                "Give a VCF, a BCF, a PLINK .bed or a .pgen, plain or (VCF) gzipped."
            )
            return None
        allowed = {"sites_only": True} if sites_only and kind in ("VCF", "BCF") else {}
        store = convert(path, shown, folder, notes, build, **allowed)
    except UnreadableTable as error:
        for problem in error.problems:
            notes.fatal(problem.message, column=problem.column, count=problem.count)
        return None
    if store is None:
        return None
    seconds = round(time.perf_counter() - began, 3)
    told = {
        "source": Path(shown).name,
        "kind": kind,
        "findings": [asdict(finding) for finding in notes.findings[remarks:]],
        "readings": notes.readings[steps:],
    }
    if "build_told_by" not in store.manifest:
        told["build_told_by"] = "the study" if build != "auto" else "reference bases"
    write_json({**store.manifest, **told}, folder / "manifest.json")
    _LOG.info(
        "%s: %d records of %d samples converted to %d counted alleles in %.1f s",
        shown,
        store.manifest.get("records", 0),
        store.samples.height,
        store.manifest["variants"],
        seconds,
    )
    return GenotypeStore(folder)


def _converter(head: bytes) -> tuple[str, Callable[..., GenotypeStore | None] | None]:
    """Choose the reader by the first bytes; those of the optional packages are imported only when they are needed."""
    if is_vcf(head):
        return "VCF", convert_vcf
    if head.startswith(_BCF):
        from nociomics.ingest.bcf import convert_bcf

        return "BCF", convert_bcf
    if head.startswith(_PLINK) and head[2:3] in (bytes([_SAMPLE_MAJOR]), bytes([_VARIANT_MAJOR])):
        from nociomics.ingest.plink1 import convert_plink1

        return "PLINK 1", convert_plink1
    if head.startswith(_PLINK):
        from nociomics.ingest.plink2 import convert_plink2

        return "PLINK 2", convert_plink2
    return "", None


def convert_vcf(
    path: Path,
    shown: str,
    folder: Path,
    notes: Notes,
    build: GivenBuild = "auto",
    *,
    batches: _Batches = read_batches,
    sites_only: bool = False,
) -> GenotypeStore | None:
    """Convert a VCF, plain, gzipped or BGZF; arguments as of `convert_genotypes`.

    Parameters
    ----------
    batches : callable
        How it is read: `vcf_matrix.read_batches`, or `vcf_matrix.record_batches` that gives the same slowly.
    """
    reading, touched = VcfReading(shown), list[Record]()
    stream = batches(path, reading, places(load_positions()))
    first = next(stream, None)
    if first is None or not (reading.samples or sites_only):
        for _ in stream:
            pass
        _refuse_empty(reading, notes)
        return None
    progress = Progress(shown, "records")
    samples = pl.DataFrame(
        {"sample": reading.samples, "sex": None}, schema_overrides={"sample": pl.String, "sex": pl.String}
    )
    with StoreWriter(folder, samples) as writer:
        for batch in chain([first], stream):
            writer.add(batch.sites, batch.copies)
            touched += batch.touched
            progress.advance(batch.lines)
        _note_lines(reading, notes)
        if reading.counts["records"] == 0:
            notes.fatal(f"{shown}: the VCF has a header but no records.")
        if reading.malformed or reading.counts["records"] == 0:
            return None
        found, told_by = _build(touched, reading, build, notes)
        if told_by == _CONTRADICTED:
            return None
        write_table(_bases(touched, found, reading, notes), PHARMACOGENE_GENOTYPES, writer.draft / BASES)
        store = writer.finish({**_counts(reading), "reference": found, "build_told_by": told_by})
    _note_variants(store, reading, notes)
    if not reading.samples:
        notes.warning(f"{shown}: holds sites only: no samples, so no genotypes. A study cannot use it.")
    return store


def _refuse_empty(reading: VcfReading, notes: Notes) -> None:
    _note_lines(reading, notes)
    if not reading.samples:
        notes.fatal(
            f"{reading.shown}: a VCF without samples (sites only) holds no genotypes. Give the one with samples."
        )
    elif reading.counts["records"] == 0:
        notes.fatal(f"{reading.shown}: the VCF has a header but no records.")


def _note_lines(reading: VcfReading, notes: Notes) -> None:
    for kind, (count, line) in reading.malformed.items():
        notes.fatal(f"{reading.shown}: {_lines(count, line)} {kind}. Correct the file.", count=count)
    for kind, (count, line) in reading.odd.items():
        notes.warning(f"{reading.shown}: {_lines(count, line)} {kind}.", count=count)


def _lines(count: int, first: int) -> str:
    return f"{count} {'line' if count == 1 else 'lines'} (first: line {first})"


def _counts(reading: VcfReading) -> dict[str, Any]:
    names = ("records", "multiallelic", "with_indel", "gt_calls", "missing_gt")
    return {**{name: int(reading.counts[name]) for name in names}, "chroms": sorted(reading.chroms)}


def _bases(records: list[Record], build: Build | None, reading: VcfReading, notes: Notes) -> pl.DataFrame:
    """Read the bases of all samples of the file; ``patient_id`` holds the sample's name."""
    positions = [] if build is None else positions_in(load_positions(), build)
    columns = np.arange(len(reading.samples))
    rows = pharmacogene_rows(records, positions, build or "GRCh38", reading.samples, columns)
    if build is not None:
        found = rows["rsid"].n_unique()
        notes.info(
            f"{reading.shown}: genome build {build}; {found} pharmacogene positions are in the file.", count=found
        )
    return rows


_CONTRADICTED = "contradicted"


def _build(
    records: list[Record], reading: VcfReading, given: GivenBuild, notes: Notes
) -> tuple[Build | None, str | None]:
    """Find the build, and say what told it."""
    decision = decide_build(records, reading.contigs, given, load_positions())
    if decision.problem is not None:
        text = f"{reading.shown}: {decision.problem}"
        if decision.is_contradicted:
            notes.fatal(text, count=decision.count)
        else:
            notes.info(text)
    return decision.build, decision.told_by


def _note_variants(store: GenotypeStore, reading: VcfReading, notes: Notes) -> None:
    """Say what became of the records."""
    again, kept = int(store.manifest["repeated_variants"]), int(store.manifest["variants"])
    if again:
        notes.warning(
            f"{reading.shown}: {again} variants stand more than once in the file; the first is kept.", count=again
        )
    records = int(reading.counts["records"])
    notes.step(reading.shown, "converted", records, kept, "one row per ALT of a record; repeated variants left out")


def convert_or_say(path: Path, shown: str, folder: Path, build: GivenBuild) -> None:
    """Convert a file beforehand; of one that is refused, or is a table, write a manifest that says so.

    So that a run names the problems of all tables at once, a problem of this one is kept for `told_again`.
    """
    notes = Notes("genotype")
    try:
        kind = "store" if is_store_kind(first_bytes(path, shown)) else TABLE
    except UnreadableTable:
        kind = "store"
    if kind == TABLE:
        write_json({"kind": TABLE, "source": Path(shown).name}, folder / "manifest.json")
    elif convert_genotypes(path, shown, folder, notes, build) is None:
        findings = [asdict(finding) for finding in notes.findings]
        write_json({"kind": REFUSED, "source": Path(shown).name, "findings": findings}, folder / "manifest.json")


def converted_kind(folder: Path) -> str | None:
    """Return the kind that a manifest names: of a file, `TABLE` or `REFUSED`; None when there is no manifest."""
    path = folder / "manifest.json"
    return str(read_json(path).get("kind", "")) if path.is_file() else None


def told_again(folder: Path, notes: Notes) -> None:
    """Note what was remarked when a file was converted."""
    manifest = read_json(folder / "manifest.json")
    for finding in manifest.get("findings", []):
        notes.add(finding["severity"], finding["message"], column=finding["column"], count=finding["count"])
    notes.readings.extend(manifest.get("readings", []))
