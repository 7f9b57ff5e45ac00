"""Count over packed calls by their bits, without unpacking them."""

from __future__ import annotations

import mmap
from collections.abc import Iterator

import numpy as np

from nociomics.errors import TableError
from nociomics.tables.genotype_store import BED_MAGIC, GenotypeStore

NONE, HET, MISSING_CALL, TWO = 3, 2, 1, 0
"""The two bits of no copy, one copy, a missing call, two copies."""
CODES = (np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3
"""The four codes in each byte, in the order of the samples."""
_WORD = 8
_LONG_ROW = 4_096


def packed_blocks(
    store: GenotypeStore, which: np.ndarray | None = None, height: int = 4096
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the packed calls, some variants at a time, and give the memory of the file back each time.

    Parameters
    ----------
    which : ndarray of int, optional
        Rows of ``store.variants``; all when left out.
    height : int
        Variants at a time.

    Yields
    ------
    int
        Place of the block's first variant, in ``which`` or in the store.
    ndarray of uint8, shape (variants, ceil(samples / 4) up to the next multiple of 8)
        The packed calls; the bytes added at the end are 0.
    """
    rows, whole = store.rows, store.variants.height if which is None else len(which)
    width = rows.shape[1]
    for start in range(0, whole, height):
        span = slice(start, min(start + height, whole))
        block = np.empty((span.stop - start, -(-width // _WORD) * _WORD), np.uint8)
        block[:, width:] = 0
        if which is None:
            block[:, :width] = rows[span]
        elif width < _LONG_ROW:
            block[:, :width] = rows[which[span]]
        else:  # row by row spares a copy
            for place, row in enumerate(which[span].tolist()):
                block[place, :width] = rows[row]
        _give_back(rows)
        yield start, block


def read_rows(store: GenotypeStore, which: np.ndarray, rows: list[np.ndarray]) -> None:
    """Read the packed calls of some variants into the first bytes of given rows, past the map: no page of it is held.

    Parameters
    ----------
    which : ndarray of int
        Rows of ``store.variants``.
    rows : list of ndarray of uint8
        At least one contiguous row per variant, each at least as long as the calls of one variant.

    Raises
    ------
    TableError
        When the file of calls does not fit the store's tables, or was cut since it was opened.
    """
    width = store.rows.shape[1]
    if not width:
        return
    path = store.folder / "calls.bed"
    with path.open("rb", buffering=0) as calls:
        place = -1
        for number, row in zip(which.tolist(), rows, strict=False):
            if number != place:
                calls.seek(len(BED_MAGIC) + number * width)
            if calls.readinto(row[:width].data) != width:
                raise TableError(f"{path}: ends too early. Convert the file again.")
            place = number + 1


def variants_at_a_time(samples: int, megabytes: int = 8) -> int:
    """How many variants may be unpacked to four bytes a call at once."""
    return max(1, min(4096, megabytes * 2**20 // (4 * max(samples, 1))))


def _give_back(rows: np.ndarray) -> None:
    # pages of a mapped file that were read count as this process's memory until they are let go
    if isinstance(rows.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        rows.base.madvise(mmap.MADV_DONTNEED)


def chosen_samples(columns: np.ndarray, samples: int) -> np.ndarray:
    """Lay out which samples are meant as packed bits.

    Parameters
    ----------
    columns : ndarray of int
        The samples wanted.
    samples : int
        All samples of the store.

    Returns
    -------
    ndarray of uint8
        As wide as a row of `packed_blocks`; the lower bit of each wanted sample is set.
    """
    bits = np.zeros(-(-samples // (4 * _WORD)) * 4 * _WORD, np.uint8)
    bits[columns] = 1
    four = bits.reshape(-1, 4)
    mask: np.ndarray = four[:, 0] | four[:, 1] << 2 | four[:, 2] << 4 | four[:, 3] << 6
    return mask


def counts(block: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Count each variant's calls among the chosen samples.

    Parameters
    ----------
    block : ndarray of uint8
        As of `packed_blocks`.
    mask : ndarray of uint8
        As of `chosen_samples`.

    Returns
    -------
    ndarray of int64, shape (variants, 4)
        Samples with no, one and two copies, and without a call.

    Examples
    --------
    >>> from nociomics.tables.genotype_store import packed
    >>> row = np.zeros((1, 8), np.uint8)
    >>> row[:, :2] = packed(np.array([[0, 1, 2, -1, 1]], dtype=np.int8))
    >>> counts(row, chosen_samples(np.arange(5), 5)).tolist()
    [[1, 2, 1, 1]]
    """
    words, wanted = block.view(np.uint64), mask.view(np.uint64)
    low, high = words & wanted, (words >> np.uint64(1)) & wanted
    lows, highs, both = _set_bits(low), _set_bits(high), _set_bits(low & high)
    people = int(np.bitwise_count(wanted).sum())
    return np.stack([both, highs - both, people - lows - highs + both, lows - both], axis=1)


def _set_bits(words: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.bitwise_count(words).sum(axis=1, dtype=np.int64)
    return found


def indicator(block: np.ndarray, code: int, samples: int) -> np.ndarray:
    """Return 1 where a call has a code, else 0: float32 of shape (variants, samples)."""
    # four float32 are as long as one complex128, and a table of single items is looked up fastest
    table = np.ascontiguousarray(CODES == code, dtype=np.float32).view(np.complex128)[:, 0]
    found: np.ndarray = table[block].view(np.float32)[:, :samples]
    return found
