"""Find the fields of many VCF lines at once, and read CHROM to ALT and FILTER of those whose site is plain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

_ALLELE = r"(?:[ACGTNacgtn*]+|<[^<>,]+>)"
_ALTS = re.compile(rf"(?:\.|{_ALLELE}(?:,{_ALLELE})*)\Z")
_DIGITS_OF_POS = 18
_TAB, _LINE, _COLON, _DOT, _ZERO = (ord(mark) for mark in "\t\n:.0")
_PASS = b"PASS"
_LETTERS = np.arange(256, dtype=np.uint8)
_ASCII = _LETTERS < 128
_BASES = np.isin(_LETTERS, list(b"ACGTNacgtn\t"))
"""With the tab that each word ends with."""
_CAPITAL = np.frombuffer(bytes(range(256)).upper(), np.uint8)
_AFTER_RETURN = 14
_HEAD = 64
_SHORT = 32
_TABS = 7
_FILTER, _FORMAT = 6, 8
BEFORE, AFTER = b"\n", b"\n" * _HEAD
"""What a piece of lines is put between, so that every field has a mark before it and bytes to look at after it."""


@dataclass
class Lines:
    """The lines of a piece that can be taken together.

    Attributes
    ----------
    piece : bytes or bytearray
        The lines between `BEFORE` and `AFTER`.
    index, starts, ends : ndarray of int64, shape (lines,)
        Their numbers within the piece, and their bytes.
    tabs : ndarray of int64, shape (lines, 7)
        Places of the tabs up to the one after FILTER.
    letters : tuple of four ndarrays of uint8, each of shape (lines, 9 + samples)
        First to fourth byte after the beginning of every field; beyond its end they are what follows it.
    """

    piece: bytes | bytearray
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
    """CHROM to ALT and FILTER of lines.

    Attributes
    ----------
    chroms, names, refs, alts : Series of String
        As in the file, but REF and every plain ALT in capitals. ``names`` are null for none, ``alts`` are all of a
        line.
    pos : ndarray of int64
        Positions.
    filtered : ndarray of bool
        FILTER is none of PASS, a point, and nothing.
    plain : ndarray of bool
        There is one ALT and it is spelt in bases.
    alternatives : ndarray of int64
        How many ALTs there are.
    indel : ndarray of bool
        Any ALT that is spelt has not the length of REF.
    """

    chroms: pl.Series
    names: pl.Series
    refs: pl.Series
    alts: pl.Series
    pos: np.ndarray
    filtered: np.ndarray
    plain: np.ndarray
    alternatives: np.ndarray
    indel: np.ndarray

    def only(self, wanted: np.ndarray) -> Sites:
        """Keep the wanted lines."""
        mask = pl.Series(wanted)
        return Sites(
            chroms=self.chroms.filter(mask),
            names=self.names.filter(mask),
            refs=self.refs.filter(mask),
            alts=self.alts.filter(mask),
            pos=self.pos[wanted],
            filtered=self.filtered[wanted],
            plain=self.plain[wanted],
            alternatives=self.alternatives[wanted],
            indel=self.indel[wanted],
        )


@dataclass
class _Words:
    """One field of lines: its letters, each word with the tab after it, and how long each is without."""

    letters: np.ndarray
    lengths: np.ndarray

    def texts(self, capitals: np.ndarray | None = None) -> list[str]:
        """Return the words, some of them in capitals."""
        letters = self.letters
        if capitals is not None:
            great = _CAPITAL[letters]
            letters = great if capitals.all() else np.where(np.repeat(capitals, self.lengths + 1), great, letters)
        return letters.tobytes().decode("ascii").split("\t")[:-1]

    def each(self, known: np.ndarray) -> np.ndarray:
        """Say which words are made of letters that a table of 256 knows."""
        strange = ~known[self.letters]
        if not strange.any():
            return np.ones(len(self.lengths), bool)
        found = np.ones(len(self.lengths), bool)
        found[np.repeat(np.arange(len(found)), self.lengths + 1)[strange]] = False
        return found


def line_ends(piece: bytes | bytearray) -> np.ndarray:
    """Places of the line ends; a search from one to the next costs less than a look at every byte."""
    ends, last = [], len(piece) - len(AFTER)
    place = piece.find(b"\n", len(BEFORE), last)
    while place >= 0:
        ends.append(place)
        place = piece.find(b"\n", place + 1, last)
    return np.array(ends, dtype=np.int64)


def well_parted(piece: bytes | bytearray, starts: np.ndarray, ends: np.ndarray, width: int) -> Lines:
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


def _after_marks(piece: bytes | bytearray) -> list[np.ndarray]:
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


def _first_tabs(piece: bytes | bytearray, starts: np.ndarray) -> np.ndarray:
    """Places of the first seven tabs of each line, looked for in its first bytes, else one by one."""
    heads = _heads(piece, starts, _HEAD).reshape(-1)
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
    words = _site_words(lines)
    chrom, place, name, ref, alt = words
    pos = _positions(place)
    bases = alt.each(_BASES) & (alt.lengths > 0)
    sound = _genotype_first(lines) & (pos > 0) & name.each(_ASCII) & ref.each(_BASES) & (ref.lengths > 0)
    sound &= chrom.each(_ASCII) & (chrom.lengths > 0) & ~_is_letter(chrom, lines.starts, lines, b"0")
    for row in np.flatnonzero(sound & ~bases).tolist():
        sound[row] = _ALTS.match(_text(lines, row, 4)) is not None
    if not sound.all():
        return plain_sites(lines.only(sound))
    nameless = (name.lengths == 0) | _is_letter(name, lines.tabs[:, 1] + 1, lines, b".")
    alternatives, indel = np.ones(len(pos), np.int64), ref.lengths != alt.lengths
    spelt = alt.texts(bases)
    for row in np.flatnonzero(~bases).tolist():
        alternatives[row] = 0 if spelt[row] == "." else spelt[row].count(",") + 1
        indel[row] = _is_indel(int(ref.lengths[row]), spelt[row])
    sites = Sites(
        chroms=_series(chrom.texts()),
        names=_series(_named(name.texts(), nameless)),
        refs=_series(ref.texts(np.ones(len(pos), bool))),
        alts=_series(spelt),
        pos=pos,
        filtered=_filtered(lines),
        plain=bases,
        alternatives=alternatives,
        indel=indel,
    )
    return sites, lines


def _site_words(lines: Lines) -> list[_Words]:
    """Take CHROM to ALT of all lines out of the piece, field by field."""
    begins = [lines.starts, *(lines.tabs[:, number] + 1 for number in range(4))]
    return [_words(lines.piece, begin, lines.tabs[:, number]) for number, begin in enumerate(begins)]


def _words(piece: bytes | bytearray, starts: np.ndarray, tabs: np.ndarray) -> _Words:
    sizes = tabs - starts + 1
    widest = int(sizes.max(initial=1))
    if widest > _SHORT:
        spans = zip(starts.tolist(), tabs.tolist(), strict=True)
        letters = np.frombuffer(b"".join([piece[start : tab + 1] for start, tab in spans]), np.uint8)
        return _Words(letters, sizes - 1)
    heads = _heads(piece, starts, widest)
    if int(sizes.min(initial=widest)) < widest:
        return _Words(heads[np.arange(widest) < sizes[:, None]], sizes - 1)
    return _Words(heads.reshape(-1), sizes - 1)


def _heads(piece: bytes | bytearray, starts: np.ndarray, width: int) -> np.ndarray:
    """So many bytes from each start: uint8 of shape (lines, width); past the end of a line what follows it."""
    every = np.ndarray(len(piece) - width + 1, f"V{width}", piece, strides=(1,))
    heads: np.ndarray = every[starts].view(np.uint8).reshape(-1, width)
    return heads


def _positions(place: _Words) -> np.ndarray:
    """Whole numbers from 1 of 18 digits at most; 0 for every other word."""
    widest = int(place.lengths.max(initial=0))
    begins = np.cumsum(place.lengths + 1) - place.lengths - 1
    pos, sound = np.zeros(len(begins), np.int64), (place.lengths > 0) & (place.lengths <= _DIGITS_OF_POS)
    for number in range(min(widest, _DIGITS_OF_POS)):
        more = place.lengths > number
        digit = place.letters.take(begins + number, mode="clip") - np.uint8(_ZERO)
        sound &= (digit < 10) | ~more
        pos = np.where(more, 10 * pos + digit, pos)
    return np.where(sound, pos, 0)


def _is_letter(words: _Words, starts: np.ndarray, lines: Lines, letter: bytes) -> np.ndarray:
    found: np.ndarray = (words.lengths == 1) & (np.frombuffer(lines.piece, np.uint8)[starts] == letter[0])
    return found


def _text(lines: Lines, row: int, field: int) -> str:
    """Return one of CHROM to ALT of one line."""
    start = lines.starts[row] if field == 0 else lines.tabs[row, field - 1] + 1
    return lines.piece[start : lines.tabs[row, field]].decode("ascii", errors="replace")


def _series(words: Sequence[str | None]) -> pl.Series:
    # a chromosome is mostly one for many lines
    if words and words[0] == words[-1] and words.count(words[0]) == len(words):
        return pl.Series(words[:1], dtype=pl.String).new_from_index(0, len(words))
    return pl.Series(words, dtype=pl.String)


def _named(names: list[str], nameless: np.ndarray) -> Sequence[str | None]:
    if not nameless.any():
        return names
    return [None if less else name for name, less in zip(names, nameless.tolist(), strict=True)]


def _is_indel(length: int, alts: str) -> bool:
    return any(len(alt) != length for alt in alts.split(",") if alt[0] not in "<*")


def _genotype_first(lines: Lines) -> np.ndarray:
    """Whether the first key of FORMAT is GT."""
    one, two, after, _ = (part[:, _FORMAT] for part in lines.letters)
    found: np.ndarray = (one == ord("G")) & (two == ord("T")) & ((after == _TAB) | (after == _COLON))
    return found


def _filtered(lines: Lines) -> np.ndarray:
    """Whether FILTER is none of PASS, a point, and nothing."""
    before = lines.tabs[:, _FILTER - 1]
    length = lines.tabs[:, _FILTER] - before - 1
    heads = _heads(lines.piece, before + 1, len(_PASS))
    passed = (length == len(_PASS)) & (heads.view(f"V{len(_PASS)}")[:, 0] == np.void(_PASS))
    found: np.ndarray = ~((length == 0) | (length == 1) & (heads[:, 0] == _DOT) | passed)
    return found
