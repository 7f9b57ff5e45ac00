"""Stream a VCF: header, then one record after the other; every malformed line is counted and the first one named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from isal import igzip

from nociomics.ingest.content import CUT, GZIP, check_bgzf_end, refuse, truncated

_FIXED = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]
_CONTIG = re.compile(r"^##contig=<.*?ID=([^,>]+).*?length=(\d+)")
_FLAG = re.compile(r"^##INFO=<(?=.*\bType=Flag\b)(?=.*\bNumber=(?!0[,>]))")
_BROKEN_FLAG = "of the header declare an INFO flag with a Number other than 0"
_REFERENCE = re.compile(rb"^[ACGTNacgtn]+$")
_ALTERNATIVE = re.compile(rb"^([ACGTNacgtn*]+|<[^<>]+>|\.|.*[\[\]].*|\.[ACGTNacgtn]+|[ACGTNacgtn]+\.)$")
_GT = re.compile(rb"^(\d+|\.)(?:([/|])(\d+|\.))?$")
_MANY = re.compile(rb"(?:^|\t)(?:\d+|\.)(?:[/|](?:\d+|\.)){2,}(?=[:\t]|$)")
_TAB, _COLON, _SLASH, _BAR, _DOT, _ZERO = (ord(mark) for mark in "\t:/|.0")
_DIGITS_OF_POS = 18
NO_CALL, NO_COPY = -1, -2
STILL_LOOKED_FOR = frozenset([b"PS", b"GQ", b"RGQ", b"DP", b"MIN_DP", b"FT"])
"""Keys of FORMAT that are read from the text of a record where they matter (`sample_calls`)."""


@dataclass(slots=True)
class Record:
    """One line of a VCF: a site and the alleles of all samples.

    ``first`` and ``second`` are allele numbers (0 is REF) of shape (samples,), ``NO_CALL`` where the file has a
    point, ``NO_COPY`` for the second allele of a haploid call.
    """

    line: int
    chrom: str
    pos: int
    name: str
    ref: str
    alts: tuple[str, ...]
    filtered: bool
    info: str
    first: np.ndarray
    second: np.ndarray
    phased: np.ndarray
    format: bytes = b""
    samples: bytes = b""

    def phase_sets(self) -> list[str | None]:
        """PS of every sample, None where it is missing."""
        keys = self.format.split(b":")
        if b"PS" not in keys:
            return [None] * len(self.first)
        fields = self.samples.split(b"\t")
        index = keys.index(b"PS")
        parts = (text.split(b":") for text in fields)
        return [p[index].decode() if len(p) > index and p[index] != b"." else None for p in parts]

    @property
    def end(self) -> int:
        """Last position of a reference block; the record's own when it is none."""
        found = re.search(r"(?:^|;)END=(\d{1,18})", self.info)
        return int(found[1]) if found else self.pos


@dataclass
class VcfReading:
    """What was met while a VCF was read: samples, contigs, counts, and malformed lines by kind.

    ``counts`` has ``records``, ``gt_calls`` and ``missing_gt`` (any allele is a point), ``multiallelic`` (more than one
    ALT), ``with_indel`` (alleles of unlike length).
    """

    shown: str
    samples: list[str] = field(default_factory=list)
    contigs: dict[str, int] = field(default_factory=dict)
    chroms: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    malformed: dict[str, list[int]] = field(default_factory=dict)
    odd: dict[str, list[int]] = field(default_factory=dict)

    def note(self, kinds: dict[str, list[int]], kind: str, line: int) -> None:
        """Count a line of a kind; only the first line number is kept."""
        entry = kinds.setdefault(kind, [0, line])
        entry[0] += 1


class _BadLine(ValueError):
    """A line that is no valid record; says of what kind."""


def is_vcf(head: bytes) -> bool:
    """Whether the first bytes of a file (decompressed) are those of a VCF."""
    return head.removeprefix(b"\xef\xbb\xbf").startswith((b"##fileformat=VCF", b"#CHROM\tPOS"))


def read_records(path: Path, reading: VcfReading) -> Iterator[Record]:
    """Stream the records of a VCF, plain, gzipped or BGZF.

    A line that is no valid record is counted in ``reading.malformed`` and not yielded. A faster parser has only to
    yield the same records: `vcf_matrix` does, and comes here for the lines that it cannot hold.

    Parameters
    ----------
    path : Path
        The file.
    reading : VcfReading
        Filled while the records are taken; its samples and contigs are known before the first record.

    Raises
    ------
    UnreadableTable
        When the file has no header line, repeats a sample name, or is cut.
    """
    try:
        with opened(path, reading.shown) as stream:
            first = read_header(stream, reading) + 1
            for number, line in enumerate(stream, start=first):
                record = record_of(line, number, reading)
                if record is not None:
                    yield record
    except CUT as error:
        raise truncated(reading.shown) from error


def record_of(line: bytes, number: int, reading: VcfReading) -> Record | None:
    """Read and count one line; None for an empty, malformed or odd one, which is noted."""
    text = line.rstrip(b"\r\n")
    if not text:
        return None
    reading.counts["records"] += 1
    try:
        return _record(text, number, reading)
    except _BadLine as error:
        reading.note(reading.malformed, str(error), number)
        return None


def opened(path: Path, shown: str) -> IO[bytes]:
    """Open a VCF, decompressing when it is zipped; a BGZF file without its end marker is refused."""
    with path.open("rb") as stream:
        zipped = stream.read(2) == GZIP
    if not zipped:
        return path.open("rb")
    check_bgzf_end(path, shown)
    return igzip.open(path, "rb")  # type: ignore[no-any-return, no-untyped-call]


def read_header(stream: Iterable[bytes], reading: VcfReading) -> int:
    """Take samples and contigs from the first lines; returns the number of the header line."""
    reading.odd.pop(_BROKEN_FLAG, None)  # a header is read twice when its records are read by another reader
    for number, line in enumerate(stream, start=1):
        text = line.decode("utf-8", errors="replace").rstrip("\r\n")
        if text.startswith("##") or text.startswith("\ufeff##"):
            contig = _CONTIG.match(text)
            if contig:
                reading.contigs[contig[1]] = int(contig[2])
            if _FLAG.match(text):
                reading.note(reading.odd, _BROKEN_FLAG, number)
            continue
        fields = text.split("\t")
        if fields[:8] != _FIXED:
            raise refuse(
                f"{reading.shown}: line {number} should be the VCF header (#CHROM, POS, ID, ...) and is not. "
                "Its fields are parted by tabs."
            )
        reading.samples = fields[9:]
        repeated = len(reading.samples) - len(set(reading.samples))
        if repeated:
            raise refuse(
                f"{reading.shown}: {repeated} sample names of the header (line {number}) repeat another. "
                "Give every sample its own name (bcftools reheader).",
                repeated,
            )
        return number
    raise refuse(f"{reading.shown}: the VCF has no header line that begins with #CHROM.")


def _record(text: bytes, line: int, reading: VcfReading) -> Record | None:
    count = len(reading.samples)
    fields = text.split(b"\t", 9 if count else 8)
    if len(fields) < (10 if count else 8):
        raise _BadLine("have too few fields")
    chrom, pos, name, ref, alt, _, filters, info = fields[:8]
    alts = [] if alt == b"." else alt.split(b",")
    if not pos.isdigit() or len(pos) > _DIGITS_OF_POS or not chrom:
        raise _BadLine("have no valid position")
    if not _REFERENCE.match(ref):
        raise _BadLine("have a REF that is not made of A, C, G, T, N")
    if not all(_ALTERNATIVE.match(one) for one in alts):
        raise _BadLine("have an ALT that is no allele")
    _count_site(chrom, ref, alts or [b"."], reading)
    calls = _calls(fields, count, len(alts), line, reading)
    if calls is None:
        return None
    if int(pos) == 0 or chrom == b"0":
        reading.note(reading.odd, "have chromosome or position 0 and are left out", line)
        return None
    words = (chrom, name, ref.upper(), info)
    chrom_text, name_text, ref_text, info_text = (word.decode("utf-8", errors="replace") for word in words)
    first, second, phased = calls
    return Record(
        line=line,
        chrom=chrom_text,
        pos=int(pos),
        name=name_text,
        ref=ref_text,
        alts=tuple(_allele_text(one) for one in alts),
        filtered=filters not in (b"PASS", b".", b""),
        info=info_text,
        first=first,
        second=second,
        phased=phased,
        format=fields[8] if count else b"",
        # of many samples the text is not kept in vain
        samples=fields[9] if count and not STILL_LOOKED_FOR.isdisjoint(fields[8].split(b":")) else b"",
    )


def _count_site(chrom: bytes, ref: bytes, alts: list[bytes], reading: VcfReading) -> None:
    reading.chroms.add(chrom.decode("utf-8", errors="replace"))
    reading.counts["multiallelic"] += len(alts) > 1
    # A missing ALT counts as one base long, as in the reference counts that files are compared with.
    spelt = [alt for alt in alts if alt[:1] not in (b"<", b"*")]
    reading.counts["with_indel"] += any(len(alt) != len(ref) for alt in spelt)


def _allele_text(alt: bytes) -> str:
    text = alt.decode("utf-8", errors="replace")
    return text if text.startswith("<") else text.upper()


def _calls(
    fields: list[bytes], count: int, alternatives: int, line: int, reading: VcfReading
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    empty = np.zeros(0, np.int16)
    if count == 0:
        return empty, empty, empty.astype(bool)
    if fields[9].count(b"\t") + 1 != count:
        raise _BadLine(f"do not have one field for each of the {count} samples")
    keys = fields[8].split(b":")
    if b"GT" not in keys:
        reading.note(reading.odd, "have no GT in their FORMAT and are left out", line)
        return None
    calls = alleles(_moved_first(fields[9], keys.index(b"GT")), count)
    if calls is None:
        many = _MANY.search(_moved_first(fields[9], keys.index(b"GT"))) is not None
        what = "of three or more alleles, where people have one or two" if many else "that is none"
        raise _BadLine(f"have a genotype {what}")
    first, second, _ = calls
    if max(int(first.max()), int(second.max())) > alternatives:
        raise _BadLine("have a genotype with an allele that ALT does not list")
    if keys[0] == b"GT":  # the standard wants it first, and the reference counts count it there only
        reading.counts["gt_calls"] += count
        reading.counts["missing_gt"] += int(((first == NO_CALL) | (second == NO_CALL)).sum())
    return calls


def _moved_first(samples: bytes, index: int) -> bytes:
    """Cut each sample to its genotype where GT is not the first key, as some makers write it."""
    if index == 0:
        return samples
    parts = (text.split(b":") for text in samples.split(b"\t"))
    return b"\t".join(part[index] if len(part) > index else b"." for part in parts)


def alleles(samples: bytes, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    r"""Read the genotypes of one line: (first, second, phased), each of shape (count,); None when one is invalid.

    One-digit diploid calls are read all at once; the few others one by one.

    Examples
    --------
    >>> first, second, phased = alleles(b"0/1:9\t1|1\t.\t2", 4)
    >>> first.tolist(), second.tolist(), phased.tolist()
    ([0, 1, -1, 2], [1, 1, -1, -2], [False, True, False, False])
    """
    buffer = np.frombuffer(samples + b"\t\t\t\t", np.uint8)
    tabs = np.flatnonzero(buffer[: len(samples) + 1] == _TAB)
    starts = np.concatenate([[0], tabs[:-1] + 1])
    one, mark, two, after = (buffer[starts + offset] for offset in range(4))
    digits = [((part >= _ZERO) & (part <= _ZERO + 9)) | (part == _DOT) for part in (one, two)]
    simple = digits[0] & digits[1] & ((mark == _SLASH) | (mark == _BAR)) & ((after == _COLON) | (after == _TAB))
    first = np.where(one == _DOT, NO_CALL, one.astype(np.int16) - _ZERO).astype(np.int16)
    second = np.where(two == _DOT, NO_CALL, two.astype(np.int16) - _ZERO).astype(np.int16)
    phased = mark == _BAR
    for index in np.flatnonzero(~simple):
        found = _GT.match(samples[starts[index] : tabs[index]].partition(b":")[0])
        if found is None:
            return None
        first[index], second[index] = _pair(found)
        phased[index] = found[2] == b"|"
    return first, second, phased


def _pair(found: re.Match[bytes]) -> tuple[int, int]:
    left = NO_CALL if found[1] == b"." else int(found[1])
    if found[2] is None:
        return (left, NO_CALL) if left == NO_CALL else (left, NO_COPY)
    return left, NO_CALL if found[3] == b"." else int(found[3])
