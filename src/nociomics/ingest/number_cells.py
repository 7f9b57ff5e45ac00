"""Turn the numbers of a matrix from text into an array: many cells at once, or None where one is no number."""

from __future__ import annotations

import math
import re

import numpy as np
import polars as pl

Single = type[np.float32] | type[np.float64]

_NEWLINE, _ZERO, _NINE = 10, 48, 9
_LONGEST = 8
_PAD = b"0" * _LONGEST
# The last k bytes of a word of eight, for k from 0 to 8.
_LAST = np.array([0, *((1 << 64) - (1 << 8 * (_LONGEST - k)) for k in range(1, _LONGEST + 1))], np.uint64)
_DIGIT_BITS = np.uint64(0x0F0F0F0F0F0F0F0F)
_PAIRS = (
    (np.uint64(2561), np.uint64(8), np.uint64(0x00FF00FF00FF00FF)),
    (np.uint64(6553601), np.uint64(16), np.uint64(0x0000FFFF0000FFFF)),
    (np.uint64(42949672960001), np.uint64(32), np.uint64(0xFFFFFFFF)),
)
_POLARS = {np.float32: pl.Float32, np.float64: pl.Float64}


def whole_numbers(cells: bytes, separator: bytes, rows: int, width: int, kind: Single) -> np.ndarray | None:
    r"""Parse fields of up to eight digits, or of nothing.

    Eight bytes of text are taken as one machine word, whose digits are put together two, four and eight at a time:
    about half the time of a parser that goes byte by byte.

    Parameters
    ----------
    cells : bytes
        Lines that all end in a line feed.
    rows, width : int
        Lines and fields of each.
    kind : float32 or float64
        What the numbers become.

    Returns
    -------
    ndarray, shape (rows, width), or None
        NaN for an empty field; None when a field is anything else, or the lines have other widths.

    Examples
    --------
    >>> whole_numbers(b"12\t\n7\t12345678\n", b"\t", 2, 2, np.float64).tolist()
    [[12.0, nan], [7.0, 12345678.0]]
    >>> whole_numbers(b"1.5\n", b"\t", 1, 1, np.float64) is None
    True
    """
    text = np.frombuffer(_PAD + cells, np.uint8)
    ends = np.flatnonzero(text - np.uint8(_ZERO) > _NINE)
    if len(ends) != rows * width or not _marks_fit(text[ends].reshape(rows, width), separator):
        return None
    lengths = np.diff(ends, prepend=_LONGEST - 1) - 1
    if lengths.max(initial=0) > _LONGEST:
        return None
    words = np.ndarray((len(text) - _LONGEST + 1,), "<u8", text, strides=(1,))[ends - _LONGEST]
    words &= _LAST[lengths]
    words &= _DIGIT_BITS
    for factor, shift, kept in _PAIRS:
        words *= factor
        words >>= shift
        words &= kept
    numbers: np.ndarray = words.astype(kind)
    if not lengths.all():
        numbers[lengths == 0] = np.nan
    return numbers.reshape(rows, width)


def _marks_fit(marks: np.ndarray, separator: bytes) -> bool:
    return bool((marks[:, -1] == _NEWLINE).all() and (marks[:, :-1] == separator[0]).all())


def any_numbers(
    cells: bytes, separator: bytes, rows: int, width: int, kind: Single, missing: frozenset[bytes]
) -> np.ndarray | None:
    r"""Parse fields of any numbers and words that mean missing.

    Parameters
    ----------
    cells, separator, rows, width, kind
        As in `whole_numbers`; the caller has seen that the lines have this width.
    missing : frozenset of bytes
        Words that mean missing as they stand, beside nothing, NA and NaN in any case.

    Returns
    -------
    ndarray, shape (rows, width), or None
        NaN where missing; None when there is text in a field, or an infinite number.

    Examples
    --------
    >>> any_numbers(b"1.5,na\n-2e3, 7\n", b",", 2, 2, np.float64, frozenset()).tolist()
    [[1.5, nan], [-2000.0, 7.0]]
    >>> any_numbers(b"1.5,none\n", b",", 1, 2, np.float64, frozenset()) is None
    True
    """
    lines = cells.replace(separator, b"\n")
    # One long column is split and parsed faster than thousands of short ones.
    column = pl.read_csv(
        lines,
        has_header=False,
        separator="\x01",
        quote_char=None,
        schema={"cells": _POLARS[kind]},
        ignore_errors=True,
    )["cells"]
    if len(column) != rows * width:
        return None
    numbers = column.fill_null(math.nan).to_numpy(writable=True)
    doubtful = column.is_null().to_numpy()
    for number in _numeric(missing):
        doubtful = doubtful | (numbers == kind(number))
    if doubtful.any() and not _settled(lines, numbers, np.flatnonzero(doubtful), missing):
        return None
    return None if np.isinf(numbers).any() else numbers.reshape(rows, width)


def _numeric(missing: frozenset[bytes]) -> list[float]:
    return [number for word in missing if (number := _number(word)) is not None]


def _number(word: bytes) -> float | None:
    """Take a finite number as people write it, without the underscores and words that Python takes too."""
    if not re.fullmatch(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", word):
        return None
    number = float(word)
    return number if math.isfinite(number) else None


def _settled(lines: bytes, numbers: np.ndarray, doubtful: np.ndarray, missing: frozenset[bytes]) -> bool:
    """Look at the cells that were no plain number; False when one holds text. Fills in the others."""
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == _NEWLINE)
    starts = np.where(doubtful > 0, ends[doubtful - 1] + 1, 0)
    for place, start, end in zip(doubtful.tolist(), starts.tolist(), ends[doubtful].tolist(), strict=True):
        cell = lines[start:end]
        word = cell.strip()
        if cell in missing or word.lower() in (b"", b"na", b"nan"):
            numbers[place] = np.nan
        elif (number := _number(word)) is not None:
            numbers[place] = number
        else:
            return False
    return True
