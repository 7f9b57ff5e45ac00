"""Sum, per sample, numbers that depend on its calls: the kernel of polygenic scores."""

from __future__ import annotations

import numpy as np

from nociomics.tables.genotype_store import GenotypeStore
from nociomics.tables.packed_calls import CODES, packed_blocks
from nociomics.tables.progress import Progress

_VARIANTS_AT_A_TIME = 64
_FEW_BYTES = 2_048
_QUADS = tuple(
    (np.uint64(shift), np.uint64(mask)) for shift, mask in ((2, 0x3333333333333333), (4, 0x0F0F0F0F0F0F0F0F))
)


def summed_entries(store: GenotypeStore, which: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Sum over variants the entry that a sample's call has in the variant's table.

    Four variants are taken at a time: their calls of one sample make one byte, and one table of 256 entries has all
    sums of four. The calls never become a matrix of numbers.

    Parameters
    ----------
    which : ndarray of int, ascending
        Rows of ``store.variants``.
    tables : ndarray of float or complex, shape (variants, 4)
        Entries by the two bits of a call (`packed_calls.TWO` to `NONE`).

    Returns
    -------
    ndarray, shape (samples, rounded up to whole blocks)
        In the order of the samples. A sample's sum is the same, to the last bit, whoever else is in the store.
    """
    width = -(-store.samples.height // 32) * 8
    total = np.zeros((4, width), tables.dtype)
    progress = Progress(f"{store.folder.name}: polygenic score", "variants", len(which))
    for start, block in packed_blocks(store, which, _VARIANTS_AT_A_TIME):
        own, rest = tables[start : start + len(block)], ((0, -len(block) % 4), (0, 0))
        if rest[0][1]:
            block, own = np.pad(block, rest), np.pad(own, rest)
        total += _block_sums(by_sample(block), _tables_of_four(own))
        progress.advance(_VARIANTS_AT_A_TIME)
    return total.T.reshape(-1)


def by_sample(block: np.ndarray) -> np.ndarray:
    """Turn bytes of four samples of one variant into bytes of four variants of one sample.

    Parameters
    ----------
    block : ndarray of uint8, shape (4 g, bytes)
        Packed calls; ``bytes`` is a multiple of 8. They are changed in place.

    Returns
    -------
    ndarray of uint8, shape (g, 4, bytes)
        Byte b at [:, j] holds sample 4 b + j, its first variant in the lowest two bits.
    """
    words = block.view(np.uint64).reshape(len(block) // 4, 4, -1)
    for (shift, mask), pairs in zip(_QUADS, (((0, 1), (2, 3)), ((0, 2), (1, 3))), strict=True):
        for low, high in pairs:
            # exchange the upper part of each field in one row with the lower part in the other
            changed = ((words[:, low] >> shift) ^ words[:, high]) & mask
            words[:, high] ^= changed
            words[:, low] ^= changed << shift
    return words.view(np.uint8)


def _tables_of_four(tables: np.ndarray) -> np.ndarray:
    """Add the tables of four variants each: shape (g, 256)."""
    four = tables.reshape(-1, 4, 4)
    found: np.ndarray = four[:, 0][:, CODES[:, 0]]
    for place in range(1, 4):
        found = found + four[:, place][:, CODES[:, place]]
    return found


def _block_sums(quads: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Add up the entries, group after group; both ways add the same numbers in the same order."""
    if quads.shape[2] <= _FEW_BYTES:
        places = quads + 256 * np.arange(len(quads))[:, None, None]
        found: np.ndarray = np.add.reduce(tables.reshape(-1)[places], axis=0)
        return found
    total, entry = np.zeros(quads.shape[1:], tables.dtype), np.empty(quads.shape[2], tables.dtype)
    for group, table in zip(quads, tables, strict=True):
        for bytes_, own in zip(group, total, strict=True):
            np.take(table, bytes_, out=entry, mode="clip")
            own += entry
    return total
