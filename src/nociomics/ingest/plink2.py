"""Convert PLINK 2 files (.pgen, .pvar, .psam) to a store, through pgenlib: some variants at a time."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nociomics.errors import NociomicsError
from nociomics.ingest.gathered_bases import (
    GivenBuild,
    build_by_votes,
    looked_for,
    note_single_copies,
    pharmacogene_table,
    without_unsure_strands,
    write_bases,
)
from nociomics.ingest.genome_build import Build, build_of_contigs
from nociomics.ingest.notes import ROW, Notes
from nociomics.ingest.pharmacogene_calls import places
from nociomics.ingest.plink1_variants import Bim, check_bim, sites_of
from nociomics.ingest.plink2_variants import Pvar, check_pvar, header_of, sites_of_pvar
from nociomics.ingest.plink_samples import read_fam, read_psam
from nociomics.ingest.store_writer import SITES, StoreWriter
from nociomics.ingest.vcf import NO_CALL, Record
from nociomics.ingest.vcf_matrix import NOT_COUNTED
from nociomics.knowledge.pharmacogene import load_positions
from nociomics.tables.genotype_store import MISSING, GenotypeStore
from nociomics.tables.progress import Progress

_LOG = logging.getLogger(__name__)
_MAGIC = b"\x6c\x1b"
_HEAD = 12
# The upper two bits of the last byte of the head: REF is provisional in all variants, or in those of a list.
_SOME_PROVISIONAL = (2, 3)
_MODES = (0x02, 0x03, 0x04, 0x10)
_INDEX_APART = (0x11, 0x20, 0x21)
_CALLS_PER_CHUNK = 4 << 20
_LOOKED_AT_FOR_DOSAGES = 64


@dataclass(frozen=True)
class _Files:
    """The checked files of a set; ``bim`` is there when the variants stand in a .bim, or a .pvar without a header."""

    pgen: Path
    variants_path: Path
    samples: pl.DataFrame
    variants: Pvar
    bim: Bim | None = None

    @property
    def is_unordered(self) -> bool:
        """Whether REF need not be the reference base: the set was made from PLINK 1 files, and says so."""
        with self.pgen.open("rb") as stream:
            told = stream.read(_HEAD)[_HEAD - 1] >> 6
        return self.bim is not None or self.variants.counts["provisional"] > 0 or told in _SOME_PROVISIONAL


@dataclass
class _Gathered:
    """What is counted and kept while the calls are copied."""

    counts: Counter[str] = field(default_factory=Counter)
    records: list[Record] = field(default_factory=list)
    has_dosages: bool = False


def convert_plink2(
    path: Path, shown: str, folder: Path, notes: Notes, build: GivenBuild = "auto"
) -> GenotypeStore | None:
    """Convert a .pgen with its .pvar and .psam (or .bim and .fam).

    Every ALT of a variant becomes a row with its own copies, as from a VCF. Dosages, where the file has any, are not
    read: the hard calls are.

    Parameters
    ----------
    path : Path
        The .pgen; the other two files have its name.
    shown : str
        How messages name it.
    folder : Path
        The store to write.
    notes : Notes
        Takes every problem of all three files.
    build : {"auto", "GRCh37", "GRCh38"}
        As the study says; ``auto`` goes by contig lengths, else by the bases at known positions.

    Returns
    -------
    GenotypeStore or None
        None after a fatal finding; then nothing is written.

    Raises
    ------
    NociomicsError
        When pgenlib is not installed.

    References
    ----------
    https://github.com/chrchang/plink-ng/tree/master/pgen_spec
    """
    pgenlib = _pgenlib()
    files = _checked(path, shown, notes)
    if files is None:
        return None
    gathered = _Gathered()
    try:
        with _opened(pgenlib, files) as reader, StoreWriter(folder, files.samples) as writer:
            _copy(files, shown, reader, writer, gathered)
            found = _build(files, gathered.records, build)
            rows = pharmacogene_table(gathered.records, found, files.samples["sample"].to_list())
            write_bases(without_unsure_strands(rows) if files.is_unordered else rows, found, shown, writer.draft, notes)
            store = writer.finish({**_manifest(files, gathered), "reference": found})
    except RuntimeError as error:  # how pgenlib passes on what is wrong with a file
        notes.fatal(f"{shown}: cannot be read ({_first_line(error)}). Copy it again, or write it anew with plink2.")
        return None
    _note_reading(files, shown, store, writer.repeated, gathered, notes)
    return store


def _pgenlib() -> Any:
    try:
        import pgenlib
    except ImportError as error:
        raise NociomicsError(
            "A PLINK 2 file (.pgen) is read through pgenlib, which is not installed: "
            "pip install 'nociomics[genetics]'. Or convert the file with `plink2 --pfile NAME --make-bed`."
        ) from error
    return pgenlib


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _checked(path: Path, shown: str, notes: Notes) -> _Files | None:
    """Check all files; every problem of all of them is noted."""
    name = str(Path(shown).with_suffix(""))
    variants = _companion(path, name, (".pvar", ".bim"), notes)
    people = _companion(path, name, (".psam", ".fam"), notes)
    pvar, bim = (None, None) if variants is None else _variants(variants, name + variants.suffix, notes)
    samples = None
    if people is not None:
        samples = (read_psam if people.suffix == ".psam" else read_fam)(people, name + people.suffix, notes)
    fits = _fits(path, shown, pvar, samples, notes)
    if not fits or variants is None or pvar is None or samples is None:
        return None
    return _Files(path, variants, samples, pvar, bim)


def _companion(path: Path, name: str, endings: tuple[str, str], notes: Notes) -> Path | None:
    for ending in endings:
        if path.with_suffix(ending).is_file():
            return path.with_suffix(ending)
    if path.with_suffix(endings[0] + ".zst").is_file():
        notes.fatal(
            f"{name}{endings[0]}.zst: is compressed with zstd, which is not read here. Write it plain beside the "
            f".pgen: `zstd -d {Path(name).name}{endings[0]}.zst`."
        )
    else:
        notes.fatal(f"{name}{endings[0]}: is missing. Put it beside the .pgen, with the same name.")
    return None


def _variants(path: Path, shown: str, notes: Notes) -> tuple[Pvar | None, Bim | None]:
    """Check the variants; a .pvar without a header line is a .bim by another name."""
    head = Pvar() if path.suffix == ".bim" else header_of(path)
    if head.columns:
        return check_pvar(path, shown, notes), None
    bim = check_bim(path, shown, notes, head.skipped)
    if bim is None:
        return None, None
    head.alternatives, head.chroms, head.counts = np.ones(bim.height, np.int64), bim.chroms, bim.counts
    return head, bim


def _fits(path: Path, shown: str, pvar: Pvar | None, samples: pl.DataFrame | None, notes: Notes) -> bool:
    """Whether the .pgen is of a kind that is read, and as large as its companions say."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if head[:2] != _MAGIC or len(head) < _HEAD:
        notes.fatal(f"{shown}: does not begin with the bytes of a PLINK 2 .pgen (6c 1b). Write it again with plink2.")
        return False
    if head[2] in _INDEX_APART:
        notes.fatal(
            f"{shown}: its index lies in a file of its own (.pgen.pgi), which is not read here. "
            "Write the set anew with `plink2 --pfile NAME --make-pgen`."
        )
        return False
    if head[2] not in _MODES:
        notes.fatal(f"{shown}: storage mode {head[2]} is not known. Write the set anew with `plink2 --make-pgen`.")
        return False
    counts = {"variants": int.from_bytes(head[3:7], "little"), "samples": int.from_bytes(head[7:11], "little")}
    told = {"variants": None if pvar is None else pvar.height, "samples": None if samples is None else samples.height}
    unlike = [what for what, number in told.items() if number is not None and number != counts[what]]
    for what in unlike:
        notes.fatal(
            f"{shown}: holds {counts[what]} {what}, but the file of {what} beside it names {told[what]}. "
            "They do not belong together: copy them again from one source."
        )
    return not unlike


def _opened(pgenlib: Any, files: _Files) -> Any:
    return pgenlib.PgenReader(
        str(files.pgen).encode(),
        raw_sample_ct=files.samples.height,
        variant_ct=files.variants.height,
        allele_idx_offsets=files.variants.offsets if (files.variants.alternatives > 1).any() else None,
    )


def _copy(files: _Files, shown: str, reader: Any, writer: StoreWriter, gathered: _Gathered) -> None:
    samples = files.samples.height
    wanted = places(load_positions())
    progress = Progress(shown, "variants", files.variants.height)
    phased = reader.hardcall_phase_present()
    gathered.has_dosages = _has_dosages(reader, files.variants.height, samples)
    start = 0
    for sites in _sites(files, max(1, _CALLS_PER_CHUNK // samples)):
        copies = np.empty((sites.height, samples), np.int8)
        reader.read_range(start, start + sites.height, copies)
        copies[copies < 0] = MISSING
        gathered.counts["missing_gt"] += int(np.count_nonzero(copies == MISSING))
        rows, number = _alleles(sites)
        calls = _copies(reader, copies, rows["row"].to_numpy(), number, start)
        writer.add(rows.select(list(SITES)), calls)
        gathered.records.extend(_records(reader, sites, start, samples, phased, wanted))
        progress.advance(sites.height)
        start += sites.height


def _has_dosages(reader: Any, variants: int, samples: int) -> bool:
    """Whether any of the first variants has a dosage that is no whole number."""
    dosages = np.empty((min(variants, _LOOKED_AT_FOR_DOSAGES), samples), np.float32)
    reader.read_dosages_range(0, len(dosages), dosages)
    return bool((dosages != np.round(dosages)).any())


def _sites(files: _Files, height: int) -> Iterator[pl.DataFrame]:
    """Variants as `sites_of_pvar` gives them, of either kind of file."""
    if files.bim is None:
        yield from sites_of_pvar(files.variants_path, files.variants, height)
        return
    for sites in sites_of(files.variants_path, files.bim, height):
        alts = pl.concat_list("alt").list.drop_nulls()
        yield sites.with_columns(alts.alias("alts")).drop("alt", "many")


def _alleles(sites: pl.DataFrame) -> tuple[pl.DataFrame, np.ndarray]:
    """Give each counted ALT its row; ``row`` is the variant that it is of, and which of its ALTs it is."""
    count = pl.col("alts").list.len()
    each = (
        sites.with_row_index("row")
        .with_columns((count > 1).alias("many"), pl.int_ranges(1, count + 1).alias("number"))
        .filter(pl.col("kept") & (count > 0))
        .explode("alts", "number")
        .rename({"alts": "alt"})
    )
    each = each.filter(~pl.col("alt").is_in(list(NOT_COUNTED)))
    return each, each["number"].to_numpy()


def _copies(reader: Any, copies: np.ndarray, rows: np.ndarray, number: np.ndarray, start: int) -> np.ndarray:
    """Take the copies of one ALT per row: of the first they are read already."""
    found = copies if len(rows) == len(copies) and (number == 1).all() else copies[rows]
    for place in np.flatnonzero(number > 1).tolist():
        reader.read(start + int(rows[place]), found[place], allele_idx=int(number[place]))
        found[place][found[place] < 0] = MISSING
    return found


def _records(
    reader: Any, sites: pl.DataFrame, start: int, samples: int, phased: bool, wanted: dict[str, np.ndarray]
) -> Iterator[Record]:
    for row in looked_for(sites, wanted).tolist():
        alleles, known = np.empty(2 * samples, np.int32), np.empty(samples, np.uint8)
        reader.read_alleles_and_phasepresent(start + row, alleles, known)
        alleles[alleles < 0] = NO_CALL
        site = sites.row(row, named=True)
        if site["ref"] is None:
            continue
        yield Record(
            line=site[ROW],
            chrom=site["chrom"],
            pos=site["pos"],
            name=site["name"] or "",
            ref=site["ref"],
            alts=tuple(site["alts"]),
            filtered=site["filtered"],
            info="",
            first=alleles[0::2].astype(np.int16),
            second=alleles[1::2].astype(np.int16),
            phased=known.astype(bool) if phased else np.zeros(samples, dtype=bool),
        )


def _build(files: _Files, records: list[Record], given: GivenBuild) -> Build | None:
    if given != "auto":
        return given
    return build_of_contigs(files.variants.contigs) or build_by_votes(records, either_allele=files.is_unordered)


def _manifest(files: _Files, gathered: _Gathered) -> dict[str, object]:
    counts = files.variants.counts
    return {
        "records": files.variants.height,
        "gt_calls": files.variants.height * files.samples.height,
        "missing_gt": gathered.counts["missing_gt"],
        "multiallelic": counts["multiallelic"],
        "with_indel": counts["with_indel"],
        "chroms": sorted(files.variants.chroms),
    }


def _note_reading(
    files: _Files, shown: str, store: GenotypeStore, repeated: int, gathered: _Gathered, notes: Notes
) -> None:
    if gathered.has_dosages:
        notes.info(f"{shown}: has dosages (imputed genotypes); the whole calls beside them are read.")
    if files.variants.counts["unplaced"]:
        count = files.variants.counts["unplaced"]
        notes.info(f"{shown}: {count} variants have chromosome or position 0: they are known by rsID.", count=count)
    if files.is_unordered:
        notes.info(f"{shown}: REF need not be the base of the reference genome; the alleles are taken as they stand.")
    note_single_copies(store.variants, shown, notes)
    if repeated:
        notes.warning(
            f"{shown}: {repeated} variants stand more than once in the file; the first is kept.", count=repeated
        )
    rule = f"one row per ALT; {repeated} repeated ones left out"
    notes.step(shown, "converted", files.variants.height, store.variants.height, rule)
    _LOG.info("%s: %d alleles of %d samples converted", shown, store.variants.height, files.samples.height)
