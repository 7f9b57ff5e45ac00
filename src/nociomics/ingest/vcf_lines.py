"""Find the fields of many VCF lines at once, and read CHROM to ALT and FILTER of those whose site is plain."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import compress

import numpy as np

_ALLELE = r"(?:[ACGTNacgtn*]+|<[^<>,]+>)"
_ALTS = re.compile(rf"(?:\.|{_ALLELE}(?:,{_ALLELE})*)\Z")
_REF = re.compile(r"[ACGTNacgtn]+\Z")
_POS = re.compile(r"(?!0+\Z)[0-9]{1,18}\Z")
_TAB, _COLON, _DOT = (ord(mark) for mark in "\t:.")


@dataclass
class Lines:
    """The lines of a piece that can be taken together.

    ``index`` has their numbers within the piece, ``starts`` and ``ends`` their bytes, ``tabs`` the places of their
    tabs, of shape (lines, 8 + samples).
    """

    piece: bytes
    index: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    tabs: np.ndarray

    def only(self, wanted: np.ndarray) -> Lines:
        """Keep the wanted lines."""
        if wanted.all():
            return self
        parts = (part[wanted] for part in (self.index, self.starts, self.ends, self.tabs))
        return Lines(self.piece, *parts)


@dataclass
class Sites:
    """CHROM to ALT and FILTER of lines, as in the file, and ``alternatives``, how many ALTs each has."""

    chroms: list[str]
    pos: np.ndarray
    names: list[str | None]
    refs: list[str]
    alts: list[str]
    filtered: np.ndarray
    alternatives: np.ndarray

    def repeated(self, rows: np.ndarray) -> Sites:
        """Take these rows, some of them more than once."""
        words = ([part[row] for row in rows.tolist()] for part in (self.chroms, self.refs, self.alts))
        chroms, refs, alts = words
        names = [self.names[row] for row in rows.tolist()]
        numbers = (part[rows] for part in (self.filtered, self.alternatives))
        return Sites(chroms, self.pos[rows], names, refs, alts, *numbers)

    def only(self, wanted: np.ndarray) -> Sites:
        """Keep the wanted lines."""
        return self.repeated(np.flatnonzero(wanted))


def line_ends(piece: bytes) -> np.ndarray:
    """Places of the line ends; a search from one to the next costs less than a look at every byte."""
    ends, place = [], piece.find(b"\n")
    while place >= 0:
        ends.append(place)
        place = piece.find(b"\n", place + 1)
    return np.array(ends, dtype=np.int64)


def well_parted(piece: bytes, buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray, width: int) -> Lines:
    """Lines with as many fields as the header; a carriage return within a line leaves it to the other reader."""
    tabs = np.flatnonzero(buffer == _TAB)
    begins = np.searchsorted(tabs, starts)
    right = np.diff(np.append(begins, len(tabs))) == width
    if b"\r" in piece:
        right &= np.array([b"\r" not in piece[s:e] for s, e in zip(starts.tolist(), ends.tolist(), strict=True)], bool)
    if right.all():
        return Lines(piece, np.arange(len(ends)), starts, ends, tabs.reshape(-1, width))
    rows = np.flatnonzero(right)
    return Lines(piece, rows, starts[rows], ends[rows], tabs[begins[rows][:, None] + np.arange(width)])


def plain_sites(lines: Lines, buffer: np.ndarray) -> tuple[Sites, Lines]:
    """Read CHROM to ALT and FILTER of lines whose site is plain; others are left to the other reader."""
    spans = zip(lines.starts.tolist(), lines.tabs[:, 4].tolist(), strict=True)
    texts = [lines.piece[start:end] for start, end in spans]
    plain = _genotype_first(buffer, lines.tabs)
    plain &= np.fromiter((text.isascii() for text in texts), bool, len(texts))
    if not plain.all():
        lines, texts = lines.only(plain), list(compress(texts, plain.tolist()))
    words = b"\t".join(texts).decode("ascii").split("\t") if texts else []
    chroms, places, names, refs, alts = (words[place::5] for place in range(5))
    sound = _sound_sites(chroms, places, refs, alts)
    if sound is not None:
        lines = lines.only(sound)
        kept = sound.tolist()
        chroms, places, names, refs, alts = (list(compress(part, kept)) for part in (chroms, places, names, refs, alts))
    fixed = Sites(
        chroms=chroms,
        pos=np.array(list(map(int, places)), dtype=np.int64),
        names=[None if name in (".", "") else name for name in names],
        refs=refs,
        alts=alts,
        filtered=_filtered(buffer, lines.tabs),
        alternatives=_by_value(alts, lambda alt: 0 if alt == "." else alt.count(",") + 1),
    )
    return fixed, lines


def _by_value(words: list[str], meaning: Callable[[str], int]) -> np.ndarray:
    """Say what each word means as a whole number; most of them repeat, and each is looked at once."""
    known = {word: meaning(word) for word in set(words)}
    return np.fromiter(map(known.__getitem__, words), np.int64, len(words))


def _sound_sites(chroms: list[str], places: list[str], refs: list[str], alts: list[str]) -> np.ndarray | None:
    """Which sites are as a plain site should be; None when all are."""
    bad_chrom = {"", "0"} & set(chroms)
    bad_ref = {ref for ref in set(refs) if not _REF.match(ref)}
    bad_alt = {alt for alt in set(alts) if not _ALTS.match(alt)}
    if not (bad_chrom or bad_ref or bad_alt) and all(map(_POS.match, places)):
        return None
    checked = zip(chroms, places, refs, alts, strict=True)
    return np.fromiter(
        (
            c not in bad_chrom and _POS.match(p) is not None and r not in bad_ref and a not in bad_alt
            for c, p, r, a in checked
        ),
        bool,
        len(chroms),
    )


def _genotype_first(buffer: np.ndarray, tabs: np.ndarray) -> np.ndarray:
    """Whether the first key of FORMAT is GT."""
    one, two, after = (buffer.take(tabs[:, 7] + offset, mode="clip") for offset in (1, 2, 3))
    found: np.ndarray = (one == ord("G")) & (two == ord("T")) & ((after == _TAB) | (after == _COLON))
    return found


def _filtered(buffer: np.ndarray, tabs: np.ndarray) -> np.ndarray:
    """Whether FILTER is none of PASS, a point, and nothing."""
    start, length = tabs[:, 5] + 1, tabs[:, 6] - tabs[:, 5] - 1
    word = length == 4
    for offset, letter in enumerate(b"PASS"):
        word &= buffer[start + offset] == letter
    found: np.ndarray = ~((length == 0) | (length == 1) & (buffer[start] == _DOT) | word)
    return found
