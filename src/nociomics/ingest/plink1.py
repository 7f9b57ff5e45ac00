"""Convert PLINK 1 files (.bed, .bim, .fam) to a store: the calls are copied as they are, and counted byte by byte."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from nociomics.ingest.gathered_bases import (
    GivenBuild,
    build_by_votes,
    looked_for,
    note_single_copies,
    pharmacogene_table,
    unphased_record,
    without_unsure_strands,
    write_bases,
)
from nociomics.ingest.notes import ROW, Notes
from nociomics.ingest.pharmacogene_calls import places
from nociomics.ingest.plink1_variants import Bim, check_bim, sites_of
from nociomics.ingest.plink_samples import read_fam
from nociomics.ingest.store_writer import SITES, StoreWriter
from nociomics.ingest.vcf import Record
from nociomics.knowledge.pharmacogene import load_positions
from nociomics.tables.genotype_store import BED_MAGIC, GenotypeStore, packed, unpacked
from nociomics.tables.progress import Progress

_LOG = logging.getLogger(__name__)
_BYTES_PER_CHUNK = 4 << 20
_VARIANT_MAJOR, _SAMPLE_MAJOR = 1, 0
# How often each of the four two-bit codes stands in a byte: of all four samples, and of the first one, two, three.
_CODES_IN_BYTE = np.stack(
    [
        np.stack(
            [((np.arange(256)[:, None] >> np.arange(0, 2 * used, 2)) & 3 == code).sum(axis=1) for code in range(4)],
            axis=1,
        )
        for used in range(1, 5)
    ]
)
_NAMES = ("hom_a1", "missing_gt", "het", "hom_a2")


@dataclass(frozen=True)
class _Files:
    """The three checked files of a set."""

    bed: Path
    bim: Path
    samples: pl.DataFrame
    variants: Bim
    order: int


@dataclass
class _Gathered:
    """What is counted and kept while the calls are copied."""

    codes: Counter[str] = field(default_factory=Counter)
    records: list[Record] = field(default_factory=list)


def convert_plink1(
    path: Path, shown: str, folder: Path, notes: Notes, build: GivenBuild = "auto"
) -> GenotypeStore | None:
    """Convert a .bed with its .bim and .fam.

    A1, the first allele of the .bim, is the counted one and becomes ``alt``; A2 becomes ``ref``, though it need not
    be the base of the reference genome. Nothing is turned round.

    Parameters
    ----------
    path : Path
        The .bed, in either order of calls; the other two files have its name.
    shown : str
        How messages name it.
    folder : Path
        The store to write.
    notes : Notes
        Takes every problem of all three files.
    build : {"auto", "GRCh37", "GRCh38"}
        As the study says; ``auto`` goes by the alleles at known positions.

    Returns
    -------
    GenotypeStore or None
        None after a fatal finding; then nothing is written.

    References
    ----------
    https://www.cog-genomics.org/plink/1.9/formats#bed
    """
    files = _checked(path, shown, notes)
    if files is None:
        return None
    gathered = _Gathered()
    with StoreWriter(folder, files.samples) as writer:
        _copy(files, shown, writer, gathered)
        found = build_by_votes(gathered.records, either_allele=True) if build == "auto" else build
        rows = without_unsure_strands(pharmacogene_table(gathered.records, found, files.samples["sample"].to_list()))
        write_bases(rows, found, shown, writer.draft, notes)
        store = writer.finish({**_manifest(files, gathered.codes), "reference": found})
    _note_reading(files, shown, store, writer.repeated, notes)
    return store


def _checked(path: Path, shown: str, notes: Notes) -> _Files | None:
    """Check all three files; every problem of all of them is noted."""
    name = str(Path(shown).with_suffix(""))
    companions = {ending: path.with_suffix(ending) for ending in (".bim", ".fam")}
    missing = [ending for ending, companion in companions.items() if not companion.is_file()]
    for ending in missing:
        notes.fatal(f"{shown}: the file {name}{ending} is missing. Put it beside the .bed, with the same name.")
    order = _order(path, shown, notes)
    bim = None if ".bim" in missing else check_bim(companions[".bim"], name + ".bim", notes)
    samples = None if ".fam" in missing else read_fam(companions[".fam"], name + ".fam", notes)
    if bim is None or samples is None or order is None:
        return None
    return (
        _Files(path, companions[".bim"], samples, bim, order)
        if _fits(path, shown, bim, samples, order, notes)
        else None
    )


def _order(path: Path, shown: str, notes: Notes) -> int | None:
    with path.open("rb") as stream:
        head = stream.read(len(BED_MAGIC))
    if head[:2] != BED_MAGIC[:2]:
        notes.fatal(f"{shown}: does not begin with the bytes of a PLINK 1 .bed (6c 1b). Write it again with PLINK.")
        return None
    if len(head) < len(BED_MAGIC) or head[2] not in (_VARIANT_MAJOR, _SAMPLE_MAJOR):
        notes.fatal(
            f"{shown}: its third byte is neither 1 (calls by variant) nor 0 (by sample), so it is no PLINK 1 .bed. "
            "A PLINK 2 file needs the name .pgen, with .pvar and .psam beside it."
        )
        return None
    return head[2]


def _fits(path: Path, shown: str, bim: Bim, samples: pl.DataFrame, order: int, notes: Notes) -> bool:
    rows, columns = _shape(bim.height, samples.height, order)
    wanted, size = len(BED_MAGIC) + rows * columns, path.stat().st_size
    if size != wanted:
        notes.fatal(
            f"{shown}: has {size} bytes, but {bim.height} variants (.bim) of {samples.height} samples (.fam) take "
            f"{wanted}. The three files do not belong together, or the .bed is cut: copy them again from one source."
        )
    return size == wanted


def _shape(variants: int, samples: int, order: int) -> tuple[int, int]:
    """Rows and bytes of a row of a .bed."""
    return (variants, -(-samples // 4)) if order == _VARIANT_MAJOR else (samples, -(-variants // 4))


def _copy(files: _Files, shown: str, writer: StoreWriter, gathered: _Gathered) -> None:
    samples = files.samples.height
    wanted = places(load_positions())
    progress = Progress(shown, "variants", files.variants.height)
    start = 0
    for sites in sites_of(files.bim, files.variants, max(1, _BYTES_PER_CHUNK // -(-samples // 4))):
        rows = _rows(files, start, start + sites.height)
        gathered.codes.update(count_codes(rows, samples))
        gathered.records.extend(_records(sites, rows, samples, wanted))
        kept = sites["kept"].to_numpy()
        writer.add_packed(sites.filter("kept").select(list(SITES)), rows if kept.all() else rows[kept])
        progress.advance(sites.height)
        start += sites.height


def _rows(files: _Files, start: int, stop: int) -> np.ndarray:
    """Read some variants, packed; nothing of the others stays in memory."""
    height, width = _shape(files.variants.height, files.samples.height, files.order)
    if files.order == _VARIANT_MAJOR:
        rows = np.fromfile(files.bed, np.uint8, (stop - start) * width, offset=len(BED_MAGIC) + start * width)
        return rows.reshape(stop - start, width)
    return _by_variant(np.memmap(files.bed, np.uint8, "r", len(BED_MAGIC), (height, width)), start, stop)


def _by_variant(calls: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Take variants out of a file that is ordered by sample, packed by variant."""
    first = start // 4
    copies = unpacked(np.ascontiguousarray(calls[:, first : -(-stop // 4)]), stop - 4 * first)
    return packed(np.ascontiguousarray(copies[:, start - 4 * first :].T))


def count_codes(rows: np.ndarray, samples: int) -> dict[str, int]:
    """Count the four kinds of calls of packed rows, by how often each byte stands in them.

    Parameters
    ----------
    rows : ndarray of uint8, shape (variants, ceil(samples / 4))
        As in a .bed; the bits that pad the last byte are not counted.

    Returns
    -------
    dict
        ``hom_a1``, ``missing_gt``, ``het``, ``hom_a2``.

    Examples
    --------
    >>> count_codes(np.array([[0b11_01_10_00, 0b00_00_00_11]], dtype=np.uint8), 5)
    {'hom_a1': 1, 'missing_gt': 1, 'het': 1, 'hom_a2': 2}
    """
    in_last = samples - 4 * (rows.shape[1] - 1)
    counts = np.zeros(4, np.int64)
    for part, used in ((rows[:, :-1], 4), (rows[:, -1:], in_last)):
        if part.size:
            counts += np.bincount(part.reshape(-1), minlength=256) @ _CODES_IN_BYTE[used - 1]
    return dict(zip(_NAMES, counts.tolist(), strict=True))


def _records(sites: pl.DataFrame, rows: np.ndarray, samples: int, wanted: dict[str, np.ndarray]) -> Iterator[Record]:
    for row in looked_for(sites, wanted).tolist():
        site = sites.row(row, named=True)
        if site["ref"] is not None:
            copies = unpacked(np.asarray(rows[row : row + 1]), samples)[0]
            name = site["name"] or ""
            yield unphased_record(site[ROW], site["chrom"], site["pos"], name, site["ref"], site["alt"], copies)


def _manifest(files: _Files, codes: Counter[str]) -> dict[str, object]:
    return {
        "records": files.variants.height,
        "gt_calls": files.variants.height * files.samples.height,
        "multiallelic": 0,
        "with_indel": files.variants.counts["with_indel"],
        "chroms": sorted(files.variants.chroms),
        **codes,
    }


def _note_reading(files: _Files, shown: str, store: GenotypeStore, repeated: int, notes: Notes) -> None:
    bim = files.variants
    notes.info(
        f"{shown}: copies of A1 are counted, as the file has them; A2 stands as the other allele and need not be the "
        "base of the reference genome."
    )
    if bim.counts["numbered"]:
        what = "have a chromosome by its PLINK number (23 to 26, XY); it is written as X, Y or MT"
        notes.info(f"{shown}: {bim.counts['numbered']} variants {what}.", count=bim.counts["numbered"])
    if bim.counts["unplaced"]:
        what = "have chromosome or position 0: they are known by their rsID alone"
        notes.info(f"{shown}: {bim.counts['unplaced']} variants {what}.", count=bim.counts["unplaced"])
    note_single_copies(store.variants, shown, notes)
    if repeated:
        notes.warning(
            f"{shown}: {repeated} variants stand more than once in the file; the first is kept.", count=repeated
        )
    left_out = bim.height - store.variants.height
    rule = f"one row per variant; {left_out} left out (repeated, or without place and rsID)"
    notes.step(shown, "converted", bim.height, store.variants.height, rule)
    _LOG.info("%s: %d variants of %d samples converted", shown, store.variants.height, files.samples.height)
