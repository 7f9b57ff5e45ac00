"""Find the fields of many VCF lines at once, and read CHROM to ALT and FILTER of those whose site is plain."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import compress

import numpy as np
import polars as pl

_ALLELE = r"(?:[ACGTNacgtn*]+|<[^<>,]+>)"
_ALTS = re.compile(rf"(?:\.|{_ALLELE}(?:,{_ALLELE})*)\Z")
_REF = re.compile(r"[ACGTNacgtn]+\Z")
_DIGITS_OF_POS = 18
_POS = re.compile(rf"(?!0+\Z)[0-9]{{1,{_DIGITS_OF_POS}}}\Z")
_TAB, _LINE, _COLON, _DOT = (ord(mark) for mark in "\t\n:.")
_AFTER_RETURN = 14
_HEAD = 96
_TABS = 7
_FILTER, _FORMAT = 6, 8
BEFORE, AFTER = b"\n", b"\n" * _HEAD
"""What a piece of lines is put between, so that every field has a mark before it and bytes to look at after it."""


@dataclass
class Lines:
    """The lines of a piece that can be taken together.

    Attributes
    ----------
    piece : bytes
        The lines between `BEFORE` and `AFTER`.
    index, starts, ends : ndarray of int64, shape (lines,)
        Their numbers within the piece, and their bytes.
    tabs : ndarray of int64, shape (lines, 7)
        Places of the tabs up to the one after FILTER.
    letters : tuple of four ndarrays of uint8, each of shape (lines, 9 + samples)
        First to fourth byte after the beginning of every field; beyond its end they are what follows it.
    """

    piece: bytes
    index: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    tabs: np.ndarray
    letters: tuple[np.ndarray, ...]

    def only(self, wanted: np.ndarray) -> Lines:
        """Keep the wanted lines."""
        if wanted.all():
            return self
        index, starts, ends, tabs = (part[wanted] for part in (self.index, self.starts, self.ends, self.tabs))
        return Lines(self.piece, index, starts, ends, tabs, tuple(part[wanted] for part in self.letters))


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
    ends, last = [], len(piece) - len(AFTER)
    place = piece.find(b"\n", len(BEFORE), last)
    while place >= 0:
        ends.append(place)
        place = piece.find(b"\n", place + 1, last)
    return np.array(ends, dtype=np.int64)


def well_parted(piece: bytes, starts: np.ndarray, ends: np.ndarray, width: int) -> Lines:
    """Lines with ``width`` fields; a carriage return within a line leaves it to the other reader."""
    marks, *letters = _after_marks(piece)
    count = len(ends)
    rows = np.arange(count)
    if (
        len(marks) == width * count
        and (marks[::width] == _LINE).all()
        and np.count_nonzero(marks == _TAB) == len(marks) - count
    ):
        parted = [part.reshape(count, width) for part in letters]
    else:
        begins, fields = _counted_fields(marks, letters)
        right = fields == width
        if b"\r" in piece:
            spans = zip(starts.tolist(), ends.tolist(), strict=True)
            right &= np.fromiter((b"\r" not in piece[start:end] for start, end in spans), bool, count)
        rows = np.flatnonzero(right)
        parted = [part[begins[rows][:, None] + np.arange(width)] for part in letters]
    starts, ends = starts[rows], ends[rows]
    return Lines(piece, rows, starts, ends, _first_tabs(piece, starts), tuple(parted))


def _after_marks(piece: bytes) -> list[np.ndarray]:
    """Every tab and line end but the last one (and other bytes up to carriage return), and the four bytes after each.

    Shifted copies of the text are filtered by one bit mask: several times quicker than to find the places of the
    marks and to take the bytes there.
    """
    text = pl.Series(np.frombuffer(piece, np.uint8))
    length = len(piece) - len(AFTER) - 1
    marks = text.head(length) < _AFTER_RETURN
    return [text.slice(offset, length).filter(marks).to_numpy() for offset in range(5)]


def _counted_fields(marks: np.ndarray, letters: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Say of each line where its fields begin among the marks, and how many there are; drops what is no mark."""
    known = (marks == _TAB) | (marks == _LINE)
    if not known.all():
        letters[:] = [part[known] for part in letters]
        marks = marks[known]
    begins = np.flatnonzero(marks == _LINE)
    return begins, np.diff(np.append(begins, len(marks)))


def _first_tabs(piece: bytes, starts: np.ndarray) -> np.ndarray:
    """Places of the first seven tabs of each line, looked for in its first bytes, else one by one."""
    every = np.ndarray(len(piece) - _HEAD + 1, f"V{_HEAD}", piece, strides=(1,))
    heads = every[starts].view(np.uint8)
    found = np.flatnonzero(heads == _TAB)
    begins = np.arange(len(starts)) * _HEAD
    first = np.searchsorted(found, begins)
    tabs: np.ndarray = np.append(found, 0).take(first[:, None] + np.arange(_TABS), mode="clip")
    tabs += (starts - begins)[:, None]
    far = np.diff(np.append(first, len(found))) < _TABS
    for row in np.flatnonzero(far).tolist():
        place = int(starts[row]) - 1
        for number in range(_TABS):
            place = piece.find(b"\t", place + 1)
            tabs[row, number] = place
    return tabs


def plain_sites(lines: Lines) -> tuple[Sites, Lines]:
    """Read CHROM to ALT and FILTER of lines whose site is plain; others are left to the other reader."""
    spans = zip(lines.starts.tolist(), lines.tabs[:, 4].tolist(), strict=True)
    texts = [lines.piece[start:end] for start, end in spans]
    plain, joined = _genotype_first(lines), b"\t".join(texts)
    if not joined.isascii():
        plain &= np.fromiter((text.isascii() for text in texts), bool, len(texts))
    if not plain.all():
        lines, joined = lines.only(plain), b"\t".join(compress(texts, plain.tolist()))
    words = joined.decode("ascii").split("\t") if joined else []
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
        filtered=_filtered(lines),
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
    if not (bad_chrom or bad_ref or bad_alt) and _all_positions(places):
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


def _all_positions(places: list[str]) -> bool:
    """Whether all are ASCII digits, few enough, and none is 0; asked of all at once, not one by one."""
    lengths = set(map(len, places))
    if not lengths:
        return True
    zeros = {"0" * length for length in lengths}
    sizes = min(lengths) > 0 and max(lengths) <= _DIGITS_OF_POS
    return sizes and "".join(places).isdigit() and zeros.isdisjoint(places)


def _genotype_first(lines: Lines) -> np.ndarray:
    """Whether the first key of FORMAT is GT."""
    one, two, after, _ = (part[:, _FORMAT] for part in lines.letters)
    found: np.ndarray = (one == ord("G")) & (two == ord("T")) & ((after == _TAB) | (after == _COLON))
    return found


def _filtered(lines: Lines) -> np.ndarray:
    """Whether FILTER is none of PASS, a point, and nothing."""
    letters = [part[:, _FILTER] for part in lines.letters]
    length = lines.tabs[:, _FILTER] - lines.tabs[:, _FILTER - 1] - 1
    word = length == len(letters)
    for part, letter in zip(letters, b"PASS", strict=True):
        word &= part == letter
    found: np.ndarray = ~((length == 0) | (length == 1) & (letters[0] == _DOT) | word)
    return found
