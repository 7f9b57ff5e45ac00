"""Sum, per sample, numbers that depend on its calls: the kernel of polygenic scores."""

from __future__ import annotations

import numpy as np

from nociomics.tables.genotype_store import GenotypeStore
from nociomics.tables.packed_calls import CODES, read_rows
from nociomics.tables.progress import Progress

_TOGETHER, _FIRST = 7, 3
"""Variants of a group, and how many of them are in the first of its two small tables."""
_ROWS = 8
"""Rows of a group: its variants, and one of zeros, so that a sample's calls fill 16 bits."""
_MANY_BYTES = 4_096
_MOST_BYTES_AT_ONCE = 2**20
_POSITIONS_AT_A_TIME = 16_384
_EXCHANGES = tuple(
    (apart, np.uint64(shift), np.uint64(mask))
    for apart, shift, mask in (
        (1, 2, 0x3333333333333333),
        (2, 4, 0x0F0F0F0F0F0F0F0F),
        (4, 8, 0x00FF00FF00FF00FF),
    )
)


def summed_entries(store: GenotypeStore, which: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Sum over variants the entry that a sample's call has in the variant's table.

    Seven variants are taken at a time: their calls of one sample make one number of 14 bits, and one table has all
    sums of seven. The calls never become a matrix of numbers. With few samples it would take longer to fill that
    table than to add the two small ones that it comes from, sample by sample; the numbers and their order are the same.

    Parameters
    ----------
    which : ndarray of int
        Rows of ``store.variants``; ascending ones are read fastest.
    tables : ndarray of float or complex, shape (variants, 4)
        Entries by the two bits of a call (`packed_calls.TWO` to `NONE`).

    Returns
    -------
    ndarray, shape (8, positions)
        Sample s is at [s % 8, s // 8] (`in_order`); the positions are rounded up to whole blocks. A sample's sum is
        the same, to the last bit, whoever else is in the store.
    """
    narrow, width = store.rows.shape[1], -(-store.samples.height // 32) * 8
    total = np.zeros((_ROWS, width // 2), tables.dtype)
    groups = max(1, min(256, _MOST_BYTES_AT_ONCE // (_ROWS * width))) if width else 1
    progress = Progress(f"{store.folder.name}: polygenic score", "variants", len(which))
    block = np.zeros((groups, _ROWS, width), np.uint8)
    add = _add_many if width > _MANY_BYTES else _add_few
    for start in range(0, len(which), groups * _TOGETHER):
        own = tables[start : start + groups * _TOGETHER]
        filled = block[: -(-len(own) // _TOGETHER)]
        # what is not read into: the row of zeros, the bytes at the end, the last group's rows past the last variant
        filled[:, _TOGETHER:], filled[:, :, narrow:] = 0, 0
        filled[-1, len(own) - _TOGETHER * (len(filled) - 1) :] = 0
        read_rows(store, which[start : start + len(own)], _rows_to_fill(filled))
        add(total, by_sample(filled), *_small_tables(own))
        progress.advance(len(own))
    return total


def in_order(sums: np.ndarray, samples: int, out: np.ndarray | None = None) -> np.ndarray:
    """Lay out what `summed_entries` returns in the order of the samples; added to ``out`` where that is given."""
    found = np.zeros(samples, sums.dtype) if out is None else out
    for row, own in enumerate(sums):
        place = found[row::_ROWS]
        place += own[: len(place)]
    return found


def _rows_to_fill(block: np.ndarray) -> list[np.ndarray]:
    return [row for group in block for row in group[:_TOGETHER]]


def by_sample(block: np.ndarray) -> np.ndarray:
    """Turn bytes of four samples of one variant into numbers of 16 bits: eight variants of one sample.

    Parameters
    ----------
    block : ndarray of uint8, shape (groups, 8, bytes)
        Packed calls; ``bytes`` is a multiple of 8. They are changed in place.

    Returns
    -------
    ndarray of uint16, shape (groups, 8, bytes / 2)
        The number at [:, j, k] holds sample 8 k + j, its first variant in the lowest two bits.
    """
    words = block.view("<u8")
    groups, _, width = words.shape
    changed = np.empty((groups, _ROWS // 2, width), words.dtype)
    for apart, shift, mask in _EXCHANGES:
        pairs = words.reshape(groups, -1, 2, apart, width)
        low, high, both = pairs[:, :, 0], pairs[:, :, 1], changed.reshape(groups, -1, apart, width)
        # exchange the upper part of each field in one row with the lower part in the other
        np.right_shift(low, shift, out=both)
        both ^= high
        both &= mask
        high ^= both
        both <<= shift
        low ^= both
    return block.view("<u2")


def _small_tables(tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add the tables of the first three and of the other four variants of each group: (groups, 64), (groups, 256)."""
    seven = np.zeros((-(-len(tables) // _TOGETHER) * _TOGETHER, 4), tables.dtype)
    seven[: len(tables)] = tables
    seven = seven.reshape(-1, _TOGETHER, 4)
    return _all_sums(seven[:, :_FIRST]), _all_sums(seven[:, _FIRST:])


def _all_sums(tables: np.ndarray) -> np.ndarray:
    """Add one entry of each variant's table: shape (groups, 4 ** variants), the first variant in the lowest bits."""
    codes = CODES[: 4 ** tables.shape[1]]
    found: np.ndarray = tables[:, 0][:, codes[:, 0]]
    for place in range(1, tables.shape[1]):
        found = found + tables[:, place][:, codes[:, place]]
    return found


def _add_many(total: np.ndarray, numbers: np.ndarray, first: np.ndarray, rest: np.ndarray) -> None:
    """Add each group's entries by one table of all its sums."""
    table = np.empty((rest.shape[1], first.shape[1]), total.dtype)
    entry = np.empty(min(total.shape[1], _POSITIONS_AT_A_TIME), total.dtype)
    for group, low, high in zip(numbers, first, rest, strict=True):
        np.add(high[:, None], low[None, :], out=table)
        for row, own in zip(group, total, strict=True):
            for start in range(0, len(row), _POSITIONS_AT_A_TIME):
                there = own[start : start + _POSITIONS_AT_A_TIME]
                found = entry[: len(there)]
                table.reshape(-1).take(row[start : start + _POSITIONS_AT_A_TIME], out=found, mode="clip")
                there += found


def _add_few(total: np.ndarray, numbers: np.ndarray, first: np.ndarray, rest: np.ndarray) -> None:
    """Add each group's entries by two small tables: the same numbers in the same order."""
    places = np.arange(len(numbers))[:, None, None]
    low = (numbers & (first.shape[1] - 1)) + first.shape[1] * places
    high = (numbers >> (2 * _FIRST)) + rest.shape[1] * places
    entries = rest.reshape(-1)[high] + first.reshape(-1)[low]
    for entry in entries:
        total += entry
