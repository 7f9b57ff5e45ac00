"""Read only some positions of an indexed VCF.gz or BCF: the blocks that the index names, and no others."""

from __future__ import annotations

import mmap
import re
import struct
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from isal import isal_zlib

from nociomics.ingest.bcf import checked, opened_bcf
from nociomics.ingest.bgzf_index import BgzfIndex, DamagedIndex, read_index
from nociomics.ingest.content import CUT, GZIP, first_bytes, truncated
from nociomics.ingest.genome_build import plain_chrom
from nociomics.ingest.notes import Notes
from nociomics.ingest.vcf import (
    NO_CALL,
    STILL_LOOKED_FOR,
    Record,
    VcfReading,
    alleles,
    opened,
    read_header,
    record_of,
)

Region = tuple[str, int, int]
"""Chromosome, first and last position (from 1, both included); the prefix ``chr`` does not matter."""
_BCF = b"BCF"
_DAMAGED: tuple[type[Exception], ...] = (DamagedIndex, *CUT, OSError, IndexError)
_SECONDS_OF_COPYING = 2.0
# Magic bytes and flags, length of the extra fields, the mark of the first of them, and the block's size less one.
_HEAD = struct.Struct("<4s6xH2s2xH")
_BLOCK = b"\x1f\x8b\x08\x04"
_CHECKSUM = 8
# The empty block that marks the end of a file.
_LENGTH_OF_END = 28
_KEPT_BLOCKS = 4
_CALLS_AT_ONCE = 1 << 20
_PIECE = 4 << 20
_HEAD_OF_LINE = 512
"""More bytes than CHROM, POS and ID have; a line with longer ones is read whole."""
_BLOCK_END = re.compile(rb"[\t;]END=(\d{1,18})")
_GT_FIRST = re.compile(rb"GT(:|$)").match


def read_panel(path: Path, regions: Iterable[Region], reading: VcfReading, notes: Notes) -> Iterator[Record]:
    """Read the records that overlap any region, in the file's order.

    A record spans its REF, or as far as END of INFO says. Without an index, with one that is older than the file, and
    with a damaged one the whole file is read instead, and that is noted; the records are the same.

    Parameters
    ----------
    path : Path
        VCF, plain or compressed, or BCF (then cyvcf2 is needed).
    regions : iterable of Region
        In any order; they may overlap.
    reading : VcfReading
        Filled with samples and contigs; ``counts`` are those of the records read. Line numbers are those of the file
        only where the whole file is read; else they are 0.
    notes : Notes
        Takes what was wrong with the index.

    Raises
    ------
    UnreadableTable
        When the file has no header, is cut, or cannot be read.
    NociomicsError
        When it is a BCF and cyvcf2 is not installed.
    """
    wanted = _by_chrom(regions)
    is_bcf = first_bytes(path, reading.shown).startswith(_BCF)
    index = _usable_index(path, reading.shown, notes)
    if index is not None:
        try:
            found, read = (_indexed_bcf if is_bcf else _indexed_vcf)(path, index, wanted, reading)
        except _DAMAGED as error:
            notes.warning(
                f"{reading.shown}: its index {index.name} is damaged or of another file ({type(error).__name__}), so "
                f"the whole file is read. Make it anew: `bcftools index -f {path.name}`."
            )
        else:
            # a line that is no record is looked for again from the beginning, so that it can be named by its number
            if not (read.malformed or read.odd):
                _take(read, reading)
                yield from found
                return
    yield from (_all_of_bcf if is_bcf else _streamed_vcf)(path, wanted, reading)


_Spans = dict[str, list[tuple[int, int]]]
"""First and last positions per chromosome without its prefix, sorted, none overlapping another."""


def _by_chrom(regions: Iterable[Region]) -> _Spans:
    """Sort and merge the regions of each chromosome."""
    found: _Spans = {}
    for chrom, first, last in sorted(regions, key=lambda region: region[1:]):
        spans = found.setdefault(plain_chrom(chrom), [])
        if spans and first <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
        else:
            spans.append((first, last))
    return found


def _overlaps(record: Record, wanted: _Spans) -> bool:
    end = record.end if record.end > record.pos else record.pos + len(record.ref) - 1
    return _meets(wanted.get(plain_chrom(record.chrom), []), record.pos, end)


def _meets(spans: list[tuple[int, int]], first: int, last: int) -> bool:
    # the last region that begins in or before the record's end; those before it end before it begins
    number = bisect_right(spans, last, key=_beginning)
    return number > 0 and spans[number - 1][1] >= first


def _beginning(span: tuple[int, int]) -> int:
    return span[0]


def _usable_index(path: Path, shown: str, notes: Notes) -> Path | None:
    for ending in (".csi", ".tbi"):
        index = path.with_name(path.name + ending)
        if index.is_file():
            # Copying can give an index a time a little before that of its file.
            if index.stat().st_mtime + _SECONDS_OF_COPYING >= path.stat().st_mtime:
                return index
            notes.warning(
                f"{shown}: its index {index.name} is older than the file, so the whole file is read. "
                f"Make it anew: `bcftools index -f {path.name}`."
            )
            return None
    with path.open("rb") as stream:
        if stream.read(len(GZIP)) == GZIP:  # plain text has none
            notes.info(f"{shown}: has no index (.tbi or .csi), so the whole file is read.")
    return None


def _take(read: VcfReading, reading: VcfReading) -> None:
    reading.samples, reading.contigs = read.samples, read.contigs
    reading.chroms |= read.chroms
    reading.counts.update(read.counts)


def _indexed_vcf(path: Path, index_path: Path, wanted: _Spans, reading: VcfReading) -> tuple[list[Record], VcfReading]:
    """Read the records of a VCF.gz; all of them before the first is given, so that a damaged index gives none twice."""
    index = read_index(index_path)
    read = VcfReading(reading.shown)
    with opened(path, reading.shown) as stream:
        read_header(stream, read)
    lines: dict[int, bytes] = {}
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        blocks = _Blocks(whole)
        _require_end(index, blocks)
        for name in index.names:
            for first, last in wanted.get(plain_chrom(name), ()):
                lines.update(_lines(blocks, index, name, first, last))
    found = _records([lines[offset] for offset in sorted(lines)], read)
    return [record for record in found if _overlaps(record, wanted)], read


def _require_end(index: BgzfIndex, blocks: _Blocks) -> None:
    """Refuse an index whose last record is not the last one of the file: it is of another file."""
    if index.end is not None and not blocks.is_last(index.end >> 16):
        raise DamagedIndex("the index ends elsewhere than the file")


def _records(lines: list[bytes], read: VcfReading) -> list[Record]:
    """Read lines as `vcf.record_of` does, the genotypes of many lines at once where all of these are plain."""
    height = max(1, _CALLS_AT_ONCE // max(1, len(read.samples)))
    found: list[Record] = []
    for start in range(0, len(lines), height):
        some = lines[start : start + height]
        single = _plain_records(some, read)
        found += [r for line in some if (r := record_of(line, 0, read)) is not None] if single is None else single
    return found


def _plain_records(lines: list[bytes], read: VcfReading) -> list[Record] | None:
    """Read sites line by line and all genotypes together; None where any line is not plain."""
    count = len(read.samples)
    fields = [line.rstrip(b"\r\n").split(b"\t", 9) for line in lines]
    if not count or not all(len(f) == 10 and f[9].count(b"\t") == count - 1 and _GT_FIRST(f[8]) for f in fields):
        return None
    calls = alleles(b"\t".join(f[9] for f in fields), count * len(lines))
    sites = VcfReading(read.shown)
    records = [record_of(b"\t".join(f[:8]), 0, sites) for f in fields]
    if calls is None or sites.malformed or sites.odd:
        return None
    first, second, phased = (part.reshape(len(lines), count) for part in calls)
    plain = [record for record in records if record is not None]
    top = np.maximum(first.max(axis=1), second.max(axis=1)).tolist()
    if any(number > len(record.alts) for number, record in zip(top, plain, strict=True)):
        return None
    for row, record in enumerate(plain):
        record.first, record.second, record.phased = first[row], second[row], phased[row]
        record.format = fields[row][8]
        record.samples = b"" if STILL_LOOKED_FOR.isdisjoint(record.format.split(b":")) else fields[row][9]
    read.chroms |= sites.chroms
    read.counts.update(sites.counts)
    read.counts["gt_calls"] += first.size
    read.counts["missing_gt"] += int(((first == NO_CALL) | (second == NO_CALL)).sum())
    return plain


def _lines(blocks: _Blocks, index: BgzfIndex, name: str, first: int, last: int) -> Iterator[tuple[int, bytes]]:
    """Lines that may overlap one region, by the virtual offset at which each begins."""
    chrom = name.encode() + b"\t"
    for start, end in index.chunks(name, first, last):
        for offset, line in blocks.lines(start, end):
            text = line[len(chrom) : line.find(b"\t", len(chrom))]
            if not line.startswith(chrom) or not text.isdigit():
                raise DamagedIndex("the index names places where no record of its chromosome begins")
            pos = int(text)
            if pos > last:
                break
            if pos >= first or _may_reach(line, pos, first):
                yield offset, line


def _may_reach(line: bytes, pos: int, first: int) -> bool:
    """Whether a record that begins before a region may reach it: by a long REF, or as a block up to its END."""
    return b"END=" in line or pos + len(line.split(b"\t", 4)[3]) > first


class _Blocks:
    """The blocks of an open BGZF file by their offsets; the last few are kept."""

    def __init__(self, whole: mmap.mmap) -> None:
        self._whole = whole
        self._end = len(whole) - _LENGTH_OF_END
        self._kept: dict[int, tuple[bytes, int]] = {}

    def is_last(self, offset: int) -> bool:
        """Whether an offset is that of the last block with records, or of the end."""
        if offset < self._end:
            return self.block(offset)[1] >= self._end
        return offset in (self._end, len(self._whole))

    def block(self, offset: int) -> tuple[bytes, int]:
        """Return a block's bytes and the offset of the next block."""
        if offset not in self._kept:
            if len(self._kept) >= _KEPT_BLOCKS:
                del self._kept[next(iter(self._kept))]
            self._kept[offset] = self._read(offset)
        return self._kept[offset]

    def _read(self, offset: int) -> tuple[bytes, int]:
        if offset >= len(self._whole):
            return b"", offset
        head = self._whole[offset : offset + _HEAD.size]
        if len(head) < _HEAD.size:
            raise DamagedIndex("the index names places where no block begins")
        magic, extra, mark, size = _HEAD.unpack(head)
        if magic != _BLOCK or mark != b"BC":
            raise DamagedIndex("the index names places where no block begins")
        try:
            packed = self._whole[offset + 12 + extra : offset + size + 1 - _CHECKSUM]
            data = isal_zlib.decompress(packed, -zlib.MAX_WBITS)
        except CUT as error:
            raise DamagedIndex("a block cannot be decompressed") from error
        return data, offset + size + 1

    def lines(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Yield the lines that begin between two virtual offsets, each with its own."""
        offset, place = start >> 16, start & 0xFFFF
        data, after = self.block(offset)
        while (offset << 16 | place) < end and data:
            here = offset << 16 | place
            stop = data.find(b"\n", place)
            if stop >= 0:
                line, place = data[place:stop], stop + 1
            else:
                parts = [data[place:]]
                while stop < 0 and data:
                    offset = after
                    data, after = self.block(offset)
                    stop = data.find(b"\n")
                    parts.append(data[: stop if stop >= 0 else len(data)])
                line, place = b"".join(parts), stop + 1
            if place >= len(data):
                offset, place = after, 0
                data, after = self.block(offset)
            if line:
                yield here, line


def _indexed_bcf(path: Path, index: Path, wanted: _Spans, reading: VcfReading) -> tuple[list[Record], VcfReading]:
    """Read the records of a BCF through cyvcf2."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        _require_end(read_index(index), _Blocks(whole))
    read = VcfReading(reading.shown)
    variants, _ = opened_bcf(path, read)
    lines: list[bytes] = []
    for name in variants.seqnames:
        done = 0
        for first, last in wanted.get(plain_chrom(name), ()):
            # a record that begins in or before the region before has come with it already
            found = checked(variants(f"{name}:{first}-{last}"), reading.shown)
            lines += [str(variant).encode() for variant in found if variant.POS > done]
            done = last
    records = (record_of(line, 0, read) for line in lines)
    return [record for record in records if record is not None and _overlaps(record, wanted)], read


def _all_of_bcf(path: Path, wanted: _Spans, reading: VcfReading) -> Iterator[Record]:
    variants, line = opened_bcf(path, reading)
    for number, variant in enumerate(checked(variants, reading.shown), start=line + 1):
        spans = wanted.get(plain_chrom(variant.CHROM), [])
        if not _meets(spans, variant.POS, max(variant.POS + len(variant.REF) - 1, variant.INFO.get("END") or 0)):
            reading.counts["records"] += 1
            continue
        record = record_of(str(variant).encode(), number, reading)
        if record is not None and _overlaps(record, wanted):
            yield record


def _streamed_vcf(path: Path, wanted: _Spans, reading: VcfReading) -> Iterator[Record]:
    """Read a whole VCF, and only the lines near a region as records: of the others CHROM and POS are looked at."""
    is_elsewhere = _Elsewhere(wanted)
    try:
        with opened(path, reading.shown) as stream:
            first = read_header(stream, reading) + 1
            for number, line in enumerate(_split(stream), start=first):
                if is_elsewhere(line):
                    reading.counts["records"] += line not in (b"", b"\r")
                    continue
                record = record_of(line, number, reading)
                if record is not None and _overlaps(record, wanted):
                    yield record
    except CUT as error:
        raise truncated(reading.shown) from error


def _split(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield lines without their ends; quicker than one by one where most of them are only looked at."""
    rest = b""
    while piece := stream.read(_PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        yield rest


class _Elsewhere:
    """Which lines surely meet no region; of most lines only CHROM and POS are looked at."""

    def __init__(self, wanted: _Spans) -> None:
        self._wanted = wanted
        self._ends: dict[bytes, tuple[list[int], list[int]]] = {}

    def __call__(self, line: bytes) -> bool:
        fields = line[:_HEAD_OF_LINE].split(b"\t", 3)
        if len(fields) < 4 or not fields[1].isdigit() or not fields[0]:
            return not line.strip()
        firsts, lasts = self._ends.get(fields[0]) or self._ends_of(fields[0])
        pos = int(fields[1])
        place = bisect_left(lasts, pos)
        if place == len(lasts):
            return True
        gap = firsts[place] - pos
        if gap <= 0:
            return False
        if b"END=" in line:
            block = _BLOCK_END.search(line)
            if block is not None and int(block[1]) >= firsts[place]:
                return False
        # no REF is longer than its line
        return gap >= len(line) or len(line.split(b"\t", 4)[3]) <= gap

    def _ends_of(self, chrom: bytes) -> tuple[list[int], list[int]]:
        spans = self._wanted.get(plain_chrom(chrom.decode("utf-8", errors="replace")), [])
        self._ends[chrom] = [first for first, _ in spans], [last for _, last in spans]
        return self._ends[chrom]


def panel_regions(places: Mapping[str, Sequence[int] | np.ndarray]) -> list[Region]:
    """Make regions of single positions, such as those of `pharmacogene_calls.places`."""
    return [(chrom, int(pos), int(pos)) for chrom, positions in places.items() for pos in positions]
