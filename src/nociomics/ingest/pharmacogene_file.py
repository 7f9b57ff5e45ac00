"""Read only the pharmacogene positions of one genotype file, of any kind, for the command `pgx`."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from nociomics.ingest.build_decision import decide_build
from nociomics.ingest.content import UnreadableTable, first_bytes
from nociomics.ingest.gathered_bases import GivenBuild
from nociomics.ingest.genotype_conversion import BASES, convert_genotypes, is_store_kind
from nociomics.ingest.indexed_panel import panel_regions, read_panel
from nociomics.ingest.notes import Notes
from nociomics.ingest.pharmacogene_calls import SCHEMA, Seen, pharmacogene_rows
from nociomics.ingest.sample_calls import LOWEST_DP, LOWEST_GQ, SampleCalls, calls_of
from nociomics.ingest.table_positions import places, positions_in
from nociomics.ingest.vcf import VcfReading, is_vcf
from nociomics.knowledge.pharmacogene import load_positions
from nociomics.tables.files import read_table
from nociomics.tables.genotype_store import GenotypeStore
from nociomics.tables.ingested import PHARMACOGENE_GENOTYPES

_LOG = logging.getLogger(__name__)
_BCF = b"BCF"
_SIDE_FILES = (".bim", ".fam", ".pvar", ".psam")


@dataclass(frozen=True)
class PharmacogeneFile:
    """What a genotype file says at the known positions.

    Attributes
    ----------
    rows : DataFrame, one row per sample and position
        As in `PHARMACOGENE_GENOTYPES`; ``patient_id`` holds the sample's name. The texts are Enum columns.
    samples : list of str
        All samples of the file, in its order.
    """

    rows: pl.DataFrame
    samples: list[str]


def read_pharmacogene_file(path: Path, build: GivenBuild, notes: Notes) -> PharmacogeneFile | None:
    """Read a VCF or BCF (by its index where it has one), or PLINK 1 or 2 files.

    Nothing else of the file is kept, and lines elsewhere are not checked. A file whose build cannot be told, or that
    has none of the known positions, is refused: nothing could be called.

    Parameters
    ----------
    path : Path
        The file; of PLINK the one with the calls.
    build : {"auto", "GRCh37", "GRCh38"}
        As the user says; also what the user says is held against the bases.
    notes : Notes
        Takes every problem.

    Returns
    -------
    PharmacogeneFile or None
        None after a fatal finding.
    """
    shown = path.name
    try:
        head = first_bytes(path, shown)
        if is_vcf(head) or head.startswith(_BCF):
            return _of_variants(path, build, notes)
    except UnreadableTable as error:
        for problem in error.problems:
            notes.fatal(problem.message, column=problem.column, count=problem.count)
        return None
    if is_store_kind(head):
        return _of_plink(path, build, notes)
    if not head:
        notes.fatal(f"{shown}: the file is empty.")
        return None
    if path.suffix in _SIDE_FILES:
        notes.fatal(f"{shown}: describes the calls of a PLINK file. Name the file that holds them (.bed or .pgen).")
        return None
    notes.fatal(
        f"{shown}: is no genotype file that says which bases people have. A table of dosages counts an allele without "
        "saying on which strand and of which position it is, so no pharmacogene is called from it. Give a VCF, BCF, "
        "PLINK .bed or .pgen; star alleles called elsewhere belong to --diplotypes."
    )
    return None


def _of_variants(path: Path, build: GivenBuild, notes: Notes) -> PharmacogeneFile | None:
    reading, wanted = VcfReading(path.name), places(load_positions())
    records = [calls_of(record) for record in read_panel(path, panel_regions(wanted), reading, notes)]
    _note_reading(reading, notes)
    if notes.has_fatal:
        return None
    decision = decide_build(records, reading.contigs, build, load_positions())
    if decision.problem is not None and not (decision.build is None and not records):
        notes.fatal(f"{path.name}: {decision.problem}", count=decision.count)
        return None
    seen = Seen()
    if decision.build is None:
        rows = pl.DataFrame(schema={"rsid": pl.String})
    else:
        columns, positions = np.arange(len(reading.samples)), positions_in(load_positions(), decision.build)
        rows = pharmacogene_rows(records, positions, decision.build, reading.samples, columns, seen)
    if rows.is_empty():
        _refuse_without_positions(path.name, notes)
        return None
    found = rows.height // len(reading.samples)
    notes.info(
        f"{path.name}: genome build {decision.build} (by {decision.told_by}); {found} of {load_positions().height} "
        f"pharmacogene positions are in the file, of {len(reading.samples)} samples.",
        count=found,
    )
    note_seen(path.name, seen, notes)
    notes.step(path.name, "read", _calls(records), rows.height, "one row per sample and known position")
    _LOG.info("%s: %d records at known places, %d positions, %d rows", path.name, len(records), found, rows.height)
    return PharmacogeneFile(rows, reading.samples)


def _calls(records: list[SampleCalls]) -> int:
    return sum(len(record.first) for record in records)


def _note_reading(reading: VcfReading, notes: Notes) -> None:
    for kinds, note in ((reading.malformed, notes.fatal), (reading.odd, notes.warning)):
        for kind, (count, line) in kinds.items():
            lines = "1 line" if count == 1 else f"{count} lines"
            end = " Correct the file." if kinds is reading.malformed else ""
            note(f"{reading.shown}: {lines} (first: line {line}) {kind}.{end}", count=count)
    if not reading.samples:
        notes.fatal(
            f"{reading.shown}: a VCF without samples (sites only) holds no genotypes. Give the one with samples."
        )


def _refuse_without_positions(shown: str, notes: Notes) -> None:
    notes.fatal(
        f"{shown}: has none of the {load_positions().height} known pharmacogene positions, in GRCh37 or GRCh38. "
        "Is it a part of the genome without them, or of another build? Give the file with all chromosomes."
    )


def note_seen(shown: str, seen: Seen, notes: Notes) -> None:
    """Say what was turned, refused or left open at the known positions; no sample and no base is named."""
    flipped = seen.positions["flipped"] + seen.positions["flipped_exchanged"]
    told = (
        (flipped, "positions are written for the other strand; their bases were complemented (strand_flipped)."),
        (seen.positions["exchanged"] + seen.positions["flipped_exchanged"], "positions have REF and ALT exchanged."),
        (seen.positions["ambiguous"], "A/T or C/G positions are of an unknown strand and not called."),
        (seen.positions["contradicts"], "positions have bases that are not the table's, on neither strand."),
        (seen.calls["unknown_base"], "calls have a base that the tables do not know; they stay uncalled."),
        (seen.calls["contradictory"], "calls are told in two ways by repeated rows; they stay uncalled."),
        (
            seen.calls["filtered"],
            f"calls did not pass the file's own filters, or have GQ below {LOWEST_GQ} or DP below {LOWEST_DP}; "
            "they count as not measured.",
        ),
        (seen.calls["half_call"], "calls have one allele only; they are kept as evidence, not as genotypes."),
    )
    for count, what in told:
        if count:
            notes.warning(f"{shown}: {count} {what}", count=count)


def _of_plink(path: Path, build: GivenBuild, notes: Notes) -> PharmacogeneFile | None:
    with tempfile.TemporaryDirectory(prefix="nociomics-genotypes-") as folder:
        store = convert_genotypes(path, path.name, Path(folder) / "store", notes, build)
        if store is None:
            return None
        rows = read_table(store.folder / BASES, PHARMACOGENE_GENOTYPES)
        samples = store.samples["sample"].to_list()
        reference = store.manifest.get("reference")
        _note_letters(store, reference, path.name, notes)
    if reference is None:
        notes.fatal(
            f"{path.name}: neither build fits: no alleles at known positions are those of GRCh37 or GRCh38, so no "
            "pharmacogene can be called. Say the build if you know it (--build)."
        )
        return None
    if rows.is_empty():
        _refuse_without_positions(path.name, notes)
        return None
    seen = Seen()
    for state, kind in (("strand_flipped", "flipped"), ("strand_ambiguous", "ambiguous")):
        seen.positions[kind] = rows.filter(pl.col("call_state") == state)["rsid"].n_unique()
    seen.calls.update(dict(rows["call_state"].cast(pl.String).value_counts().iter_rows()))
    note_seen(path.name, seen, notes)
    return PharmacogeneFile(rows, samples)


def _note_letters(store: GenotypeStore, build: str | None, shown: str, notes: Notes) -> None:
    """Say how many known insertions and deletions an array wrote as I and D: the letters do not say which bases."""
    if build is None:
        return
    known = positions_in(load_positions(), "GRCh37" if build == "GRCh37" else "GRCh38")
    spots = pl.DataFrame({"chrom": [p.chrom for p in known], "pos": [p.pos for p in known]})
    letters = store.variants.filter(pl.col("ref").is_in(["I", "D"]) | pl.col("alt").is_in(["I", "D"]))
    plain = letters.select(pl.col("chrom").str.replace("(?i)^chr", ""), "pos")
    count = plain.join(spots, on=["chrom", "pos"], how="semi").height
    if count:
        notes.warning(
            f"{shown}: {count} known insertions or deletions are written as I and D, which does not say which bases "
            "are meant; they count as not measured.",
            count=count,
        )


def as_text(rows: pl.DataFrame) -> pl.DataFrame:
    """Write Enum and Categorical columns out as text, for joins with other tables."""
    return rows.with_columns(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
