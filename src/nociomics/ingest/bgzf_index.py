"""Read the index of a BGZF file (.tbi or .csi): where in the file the records of a region may stand."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from isal import igzip

from nociomics.ingest.content import CUT

_TBI, _CSI = b"TBI\x01", b"CSI\x01"
_TBI_SHIFT, _TBI_DEPTH = 14, 5


class DamagedIndex(ValueError):
    """The index is no index, is cut, or does not fit its file."""


@dataclass(frozen=True)
class _Sequence:
    """The bins of one chromosome by number, and its windows: where they stand in the index, and how many there are."""

    bins: dict[int, int]
    linear: tuple[int, int]


@dataclass(frozen=True)
class _Layout:
    """How a bin begins: its number, in a .csi the offset of the first record that reaches it, its number of chunks."""

    head: struct.Struct
    has_offset: bool


_OF_TBI, _OF_CSI = _Layout(struct.Struct("<Ii"), False), _Layout(struct.Struct("<IQi"), True)
_CHUNK = 16
_UNREADABLE: tuple[type[Exception], ...] = (*CUT, OSError, ValueError, struct.error)


@dataclass(frozen=True)
class BgzfIndex:
    """An index in memory; offsets are virtual: 48 bits for the block, 16 for the place in it.

    Attributes
    ----------
    names : tuple of str
        The chromosomes, in the order of the file; empty for the index of a BCF, which has them in its header.
    """

    data: bytes
    names: tuple[str, ...]
    sequences: tuple[_Sequence, ...]
    shift: int
    depth: int
    layout: _Layout

    def chunks(self, name: str, first: int, last: int) -> list[tuple[int, int]]:
        """Say where records may stand that overlap positions ``first`` to ``last`` (from 1, both included).

        Returns
        -------
        list of (int, int)
            Virtual offsets of beginnings and ends, in order, none overlapping another.
        """
        if name not in self.names:
            return []
        sequence = self.sequences[self.names.index(name)]
        least = self._least(sequence, first - 1)
        found: list[tuple[int, int]] = []
        for number in _bins(first - 1, last, self.shift, self.depth):
            if number not in sequence.bins:
                continue
            place = sequence.bins[number]
            *_, count = self.layout.head.unpack_from(self.data, place)
            offsets = struct.unpack_from(f"<{2 * count}Q", self.data, place + self.layout.head.size)
            found += [(max(a, least), b) for a, b in zip(offsets[::2], offsets[1::2], strict=True) if b > least]
        return _merged(sorted(found))

    @property
    def end(self) -> int | None:
        """Virtual offset behind the last record of the file; None in an index of old make, which does not say it."""
        # A bin beyond all others has no records but their range, then counts.
        beyond = ((1 << 3 * (self.depth + 1)) - 1) // 7 + 1
        places = [sequence.bins[beyond] for sequence in self.sequences if beyond in sequence.bins]
        ends = [struct.unpack_from("<2Q", self.data, place + self.layout.head.size)[1] for place in places]
        return max(ends, default=None)

    def _least(self, sequence: _Sequence, first: int) -> int:
        """Offset before which no record reaches the position."""
        start, count = sequence.linear
        if count:
            window = min(first >> _TBI_SHIFT, count - 1)
            return int(struct.unpack_from("<Q", self.data, start + 8 * window)[0])
        for number in reversed(list(_bins(first, first + 1, self.shift, self.depth))):
            if number in sequence.bins and self.layout.has_offset:
                return int(self.layout.head.unpack_from(self.data, sequence.bins[number])[1])
        return 0


def read_index(path: Path) -> BgzfIndex:
    """Read a .tbi or .csi.

    Raises
    ------
    DamagedIndex
        When it is neither, is cut, or is damaged.

    References
    ----------
    https://samtools.github.io/hts-specs/tabix.pdf, https://samtools.github.io/hts-specs/CSIv1.pdf
    """
    try:
        with igzip.open(path, "rb") as stream:  # type: ignore[no-untyped-call]
            data = bytes(stream.read())
        if data.startswith(_TBI):
            return _read_tbi(data)
        if data.startswith(_CSI):
            return _read_csi(data)
    except _UNREADABLE as error:
        raise DamagedIndex(type(error).__name__) from error
    raise DamagedIndex("unknown magic bytes")


def _read_tbi(data: bytes) -> BgzfIndex:
    (count,) = struct.unpack_from("<i", data, 4)
    names, place = _names(data, 8)
    sequences = []
    for _ in range(count):
        bins, place = _read_bins(data, place, _OF_TBI)
        (windows,) = struct.unpack_from("<i", data, place)
        sequences.append(_Sequence(bins, (place + 4, windows)))
        place += 4 + 8 * windows
    return _sound(BgzfIndex(data, names, tuple(sequences), _TBI_SHIFT, _TBI_DEPTH, _OF_TBI), place)


def _read_csi(data: bytes) -> BgzfIndex:
    shift, depth, extra = struct.unpack_from("<iii", data, 4)
    names = _names(data, 16)[0] if extra else ()
    place = 16 + extra
    (count,) = struct.unpack_from("<i", data, place)
    place += 4
    sequences = []
    for _ in range(count):
        bins, place = _read_bins(data, place, _OF_CSI)
        sequences.append(_Sequence(bins, (0, 0)))
    return _sound(BgzfIndex(data, names, tuple(sequences), shift, depth, _OF_CSI), place)


def _names(data: bytes, place: int) -> tuple[tuple[str, ...], int]:
    *_, length = struct.unpack_from("<iiiiiii", data, place)
    start = place + 28
    text = data[start : start + length]
    if len(text) != length or length < 0:
        raise ValueError("names are cut")
    return tuple(name.decode("utf-8", errors="replace") for name in text.split(b"\x00")[:-1]), start + length


def _read_bins(data: bytes, place: int, layout: _Layout) -> tuple[dict[int, int], int]:
    """Find where each bin stands; most have one chunk, so runs of these are taken together.

    Returns
    -------
    dict of int to int, int
        Number of a bin to its place in the data, and the place after the last bin.
    """
    (count,) = struct.unpack_from("<i", data, place)
    place += 4
    bins: dict[int, int] = {}
    size = layout.head.size
    while len(bins) < count:
        words = np.frombuffer(data, "<i4", (len(data) - place) // 4, place)
        chunks = words[size // 4 - 1 :: size // 4 + 4]
        others = chunks[: count - len(bins)] != 1
        run = int(others.argmax()) if others.any() else len(others)
        places = range(place, place + run * (size + _CHUNK), size + _CHUNK)
        bins.update(zip(words[: run * (size + _CHUNK) // 4 : size // 4 + 4].tolist(), places, strict=True))
        place += run * (size + _CHUNK)
        if len(bins) < count:
            number, *_, several = layout.head.unpack_from(data, place)
            if several < 0 or number in bins:
                raise ValueError("bins are damaged")
            bins[number] = place
            place += size + _CHUNK * several
    return bins, place


def _sound(index: BgzfIndex, end: int) -> BgzfIndex:
    if end > len(index.data) or (index.names and len(index.names) != len(index.sequences)):
        raise ValueError("the index is cut")
    return index


def _bins(first: int, last: int, shift: int, depth: int) -> Iterator[int]:
    """Numbers of all bins that overlap ``first`` to ``last`` (from 0, the last excluded), widest first."""
    start, width = 0, shift + 3 * depth
    for level in range(depth + 1):
        yield from range(start + (first >> width), start + ((last - 1) >> width) + 1)
        start += 1 << 3 * level
        width -= 3


def _merged(chunks: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in chunks:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
