"""Read a VCF as sites and copies of ALT, many lines at once; what does not fit goes to the reader of single records.

Lines of one piece of the file are taken together: the tabs say where each sample's cell begins, and its first four
bytes say its genotype. A line is only taken this way when that is sure to give what `vcf.read_records` gives; every
other line (odd genotypes, allele numbers of two digits, other places of GT, anything malformed) is read by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nociomics.ingest.content import CUT, truncated
from nociomics.ingest.genome_build import plain_chrom
from nociomics.ingest.line_stream import lines_ahead
from nociomics.ingest.pharmacogene_calls import touches
from nociomics.ingest.store_writer import SITES
from nociomics.ingest.vcf import NO_CALL, Record, VcfReading, opened, read_header, read_records, record_of
from nociomics.ingest.vcf_lines import AFTER, BEFORE, Lines, Sites, line_ends, plain_sites, well_parted
from nociomics.tables.genotype_store import MISSING

NOT_COUNTED = ("*", "<NON_REF>", "<*>")
"""ALTs that stand for no allele of their own."""
_OPEN = ("<NON_REF>", "<*>")
_END = re.compile(rb"[\t;]END=(\d{1,18})")
_TAB, _LINE, _COLON, _SLASH, _BAR, _DOT, _ZERO = (ord(mark) for mark in "\t\n:/|.0")
_CELL_ENDS = (_COLON, _TAB, _LINE)
_RECORDS_PER_BATCH = 256
_FIXED = 9
"""Columns before the first sample."""


@dataclass
class Batch:
    """Some variants of a VCF in the file's order.

    Attributes
    ----------
    sites : DataFrame, one row per counted allele
        Columns of `store_writer.SITES`.
    copies : ndarray of int8, shape (variants, samples)
        Copies of ALT; ``MISSING`` where any allele is.
    touched : list of Record
        The records of these lines that lie on a place that is looked for.
    lines : int
        Lines read.
    """

    sites: pl.DataFrame
    copies: np.ndarray
    touched: list[Record]
    lines: int = 0


@dataclass
class _Cells:
    """Genotypes of lines: ``one`` and ``two`` are digits or points as bytes, of shape (lines, samples)."""

    one: np.ndarray
    two: np.ndarray
    missing: np.ndarray
    sound: np.ndarray
    top: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.top = np.maximum(self.one, self.two).max(axis=1).astype(np.int64) - _ZERO


def read_batches(path: Path, reading: VcfReading, places: dict[str, np.ndarray]) -> Iterator[Batch]:
    """Stream the variants of a VCF, plain, gzipped or BGZF.

    Parameters
    ----------
    path : Path
        The file.
    reading : VcfReading
        Filled while the batches are taken, as by `vcf.read_records`; its samples and contigs are known before the
        first batch.
    places : dict of str to ndarray
        Positions that are looked for, per chromosome; from `pharmacogene_calls.places`.

    Raises
    ------
    UnreadableTable
        When the file has no header line, repeats a sample name, or is cut.
    """
    with opened(path, reading.shown) as stream:
        skipped = _Counted(stream)
        try:
            number = read_header(skipped, reading)
        except CUT as error:
            raise truncated(reading.shown) from error
    if not reading.samples:
        yield from record_batches(path, reading, places)
        return
    with opened(path, reading.shown) as stream:
        stream.read(skipped.length)
        try:
            for piece in lines_ahead(stream, BEFORE, AFTER):
                batch = _batch(piece, number + 1, reading, places)
                number += batch.lines
                yield batch
        except CUT as error:
            raise truncated(reading.shown) from error


def record_batches(path: Path, reading: VcfReading, places: dict[str, np.ndarray]) -> Iterator[Batch]:
    """Give what `read_batches` gives, record by record: the slow way that it is held against."""
    waiting: list[Record] = []
    for record in read_records(path, reading):
        waiting.append(record)
        if len(waiting) == _RECORDS_PER_BATCH:
            yield _of_records(waiting, len(reading.samples), places)
            waiting = []
    yield _of_records(waiting, len(reading.samples), places)


class _Counted:
    """The lines of a stream, counting their bytes."""

    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream
        self.length = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self._stream:
            self.length += len(line)
            yield line


def _of_records(records: Sequence[Record], samples: int, places: dict[str, np.ndarray]) -> Batch:
    sites, copies, _ = _rows_of(records, samples)
    return Batch(sites, copies, [record for record in records if touches(record, places)], len(records))


def _rows_of(records: Sequence[Record], samples: int) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """One row per counted allele of each record, and the line that each is of."""
    rows, copies, lines = [], [], []
    for record in records:
        missing = (record.first == NO_CALL) | (record.second == NO_CALL)
        many = len(record.alts) > 1
        for number, alt in enumerate(record.alts, start=1):
            if alt in NOT_COUNTED:
                continue
            count = (record.first == number).astype(np.int8) + (record.second == number)
            count[missing] = MISSING
            name = None if record.name in (".", "") else record.name
            rows.append((name, record.chrom, record.pos, record.ref, alt, record.filtered, many))
            copies.append(count)
            lines.append(record.line)
    table = np.stack(copies) if copies else np.zeros((0, samples), np.int8)
    return pl.DataFrame(rows, schema=SITES, orient="row"), table, np.array(lines, np.int64)


def _batch(piece: bytes | bytearray, first: int, reading: VcfReading, places: dict[str, np.ndarray]) -> Batch:
    """Read a piece of whole lines between `BEFORE` and `AFTER`; the first of them has the number ``first``."""
    if b"\r" in piece:
        piece = piece.replace(b"\r\n", b"\n")
    ends = line_ends(piece)
    starts = np.concatenate([[len(BEFORE)], ends[:-1] + 1])
    fixed, lines = plain_sites(well_parted(piece, starts, ends, _FIXED + len(reading.samples)))
    cells = _cells(lines)
    sound = cells.sound & (cells.top <= fixed.alternatives)
    if not sound.all():
        fixed, lines, cells = fixed.only(sound), lines.only(sound), _only_cells(cells, sound)
    _count(fixed, cells, reading)
    sites, copies, of_line = _alleles_of(fixed, cells)
    touched = [
        record
        for row in _touched_rows(fixed, lines, places)
        if (record := _again(lines, row, first, reading.samples)) is not None
    ]
    batch = Batch(sites, copies, touched, len(ends))
    if len(lines.index) == len(ends):
        return batch
    others = np.setdiff1d(np.arange(len(ends)), lines.index, assume_unique=True).tolist()
    records = [
        record
        for line in others
        if (record := record_of(bytes(piece[starts[line] : ends[line]]), first + line, reading)) is not None
    ]
    return _merged(batch, lines.index[of_line] + first, records, places)


def _cells(lines: Lines) -> _Cells:
    """Read the genotype at the head of every cell."""
    one, mark, two, after = (np.ascontiguousarray(part[:, _FIXED:]) for part in lines.letters)
    no_one, no_two = one == _DOT, two == _DOT
    known = _is_digit(one) | no_one
    sound = known & (_is_digit(two) | no_two) & _is_one_of(mark, _SLASH, _BAR) & _is_one_of(after, *_CELL_ENDS)
    if sound.all():
        return _Cells(one, two, no_one | no_two, np.ones(len(one), bool))
    haploid = known & _is_one_of(mark, *_CELL_ENDS)
    two = np.where(haploid, np.uint8(_ZERO), two)
    sound |= haploid
    return _Cells(one, two, no_one | (two == _DOT), sound.all(axis=1))


def _is_digit(letters: np.ndarray) -> np.ndarray:
    found: np.ndarray = (letters - np.uint8(_ZERO)) < 10
    return found


def _is_one_of(letters: np.ndarray, *marks: int) -> np.ndarray:
    """Compare with one mark after the other; mostly the first is that of all cells."""
    found: np.ndarray = letters == marks[0]
    for mark in marks[1:]:
        if found.all():
            break
        found |= letters == mark
    return found


def _only_cells(cells: _Cells, wanted: np.ndarray) -> _Cells:
    return _Cells(cells.one[wanted], cells.two[wanted], cells.missing[wanted], cells.sound[wanted])


def _count(fixed: Sites, cells: _Cells, reading: VcfReading) -> None:
    """Count lines as `vcf.record_of` does."""
    reading.chroms.update(_distinct(fixed.chroms))
    reading.counts["records"] += len(fixed.pos)
    reading.counts["multiallelic"] += int(np.count_nonzero(fixed.alternatives > 1))
    reading.counts["with_indel"] += int(np.count_nonzero(fixed.indel))
    reading.counts["gt_calls"] += cells.one.size
    reading.counts["missing_gt"] += int(np.count_nonzero(cells.missing))


def _distinct(words: pl.Series) -> list[str]:
    # one comparison for the most common case, in which there is but one
    if len(words) and (words == words[0]).all():
        return [words[0]]
    return words.unique().to_list()


def _alleles_of(fixed: Sites, cells: _Cells) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Give each counted ALT its row: sites, copies, and the row of ``fixed`` that each is of."""
    columns: list[Any] = [fixed.names, fixed.chroms, fixed.pos, fixed.refs, fixed.alts, fixed.filtered]
    sites = pl.DataFrame(
        [pl.Series(name, values) for name, values in zip(SITES, [*columns, fixed.alternatives > 1], strict=True)]
    )
    of_line, number = np.arange(len(fixed.pos)), np.ones(len(fixed.pos), np.int64)
    if not fixed.plain.all():
        of_line, number, alts = _each_allele(fixed)
        sites = sites[of_line].with_columns(alts.alias("alt"))
    return sites, _copies(cells, of_line, number), of_line


def _each_allele(fixed: Sites) -> tuple[np.ndarray, np.ndarray, pl.Series]:
    """Give each counted ALT its row: the line it is of, its number among the line's ALTs, and its text."""
    odd = np.flatnonzero(~fixed.plain)
    counted = [_counted(alts) for alts in fixed.alts.gather(odd).to_list()]
    rows = np.ones(len(fixed.pos), np.int64)
    rows[odd] = [len(alleles) for alleles in counted]
    of_line = np.repeat(np.arange(len(rows)), rows)
    number, which = np.ones(len(of_line), np.int64), of_line.copy()
    of_odd = ~fixed.plain[of_line]
    number[of_odd] = [place for alleles in counted for place, _ in alleles]
    which[of_odd] = len(rows) + np.arange(np.count_nonzero(of_odd))
    spelt = pl.Series([alt for alleles in counted for _, alt in alleles], dtype=pl.String)
    return of_line, number, pl.concat([fixed.alts, spelt]).gather(which)


def _counted(alts: str) -> list[tuple[int, str]]:
    """Return number and text of the ALTs that are alleles of their own."""
    spelt = [alt if alt.startswith("<") else alt.upper() for alt in alts.split(",")]
    return [(number, alt) for number, alt in enumerate(spelt, start=1) if alt not in (".", *NOT_COUNTED)]


def _copies(cells: _Cells, of_line: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Count copies of one ALT per row; Int8 of shape (rows, samples)."""
    first = _copies_of(cells.one, cells.two, cells.missing, np.uint8(_ZERO + 1))
    if len(of_line) == len(first) and (number == 1).all():
        return first
    copies: np.ndarray = first[of_line]
    for row in np.flatnonzero(number > 1).tolist():
        line = of_line[row]
        copies[row] = _copies_of(cells.one[line], cells.two[line], cells.missing[line], np.uint8(_ZERO + number[row]))
    return copies


def _copies_of(one: np.ndarray, two: np.ndarray, missing: np.ndarray, letter: np.uint8) -> np.ndarray:
    counted = (one == letter).view(np.uint8) + (two == letter).view(np.uint8)
    # All bits set is -1, the mark of a missing call.
    counted |= np.negative(missing.view(np.uint8))
    copies: np.ndarray = counted.view(np.int8)
    return copies


def _touched_rows(fixed: Sites, lines: Lines, places: dict[str, np.ndarray]) -> list[int]:
    """Find the lines that lie on a place that is looked for, reference blocks with all that they span."""
    found: list[int] = []
    odd = np.flatnonzero(~fixed.plain)
    texts = fixed.alts.gather(odd).to_list() if len(odd) else []
    blocks = [
        row
        for row, alts in zip(odd.tolist(), texts, strict=True)
        if all(alt in (".", *_OPEN) for alt in alts.split(","))
    ]
    for chrom in _distinct(fixed.chroms):
        numbers = places.get(plain_chrom(chrom))
        if numbers is None:
            continue
        here = (fixed.chroms == chrom).to_numpy()
        end = fixed.pos + fixed.refs.str.len_bytes().to_numpy().astype(np.int64) - 1
        for row in blocks:
            if here[row]:
                end[row] = _end(lines, row, int(end[row]))
        hit = np.searchsorted(numbers, fixed.pos, "left") < np.searchsorted(numbers, end, "right")
        found += np.flatnonzero(hit & here).tolist()
    return sorted(found)


def _end(lines: Lines, row: int, pos: int) -> int:
    before = int(lines.tabs[row, -1])
    found = _END.search(lines.piece, before, lines.piece.index(b"\t", before + 1))
    return int(found[1]) if found else pos


def _again(lines: Lines, row: int, first: int, samples: list[str]) -> Record | None:
    """Read one line as a record; what it counts is counted already."""
    scratch = VcfReading("", samples=samples)
    text = bytes(lines.piece[lines.starts[row] : lines.ends[row]])
    return record_of(text, first + int(lines.index[row]), scratch)


def _merged(batch: Batch, numbers: np.ndarray, records: list[Record], places: dict[str, np.ndarray]) -> Batch:
    """Put the variants of single records among the others, in the file's order."""
    sites, copies, lines = _rows_of(records, batch.copies.shape[1])
    touched = batch.touched + [record for record in records if touches(record, places)]
    touched.sort(key=lambda record: record.line)
    if not len(lines):
        return Batch(batch.sites, batch.copies, touched, batch.lines)
    order = np.argsort(np.concatenate([numbers, lines]), kind="stable")
    sites = pl.concat([batch.sites, sites])[order]
    return Batch(sites, np.concatenate([batch.copies, copies])[order], touched, batch.lines)
