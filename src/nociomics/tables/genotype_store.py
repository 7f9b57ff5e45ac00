"""The compact store of genotypes: two bits per call, variant by variant, opened without reading it.

A store is a folder: ``manifest.json`` (what was converted and what was counted), ``samples.parquet``,
``variants.parquet`` (one row per counted allele, in the order of the calls), ``calls.bed`` (the layout of PLINK 1: four
samples to a byte, variant by variant) and, from files with bases, ``pharmacogene_genotypes.parquet``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import polars as pl

from nociomics.errors import TableError
from nociomics.tables.contract import Column, Contract
from nociomics.tables.files import read_json, read_table

MISSING = -1
"""A call that is missing, where copies are given as Int8."""
BED_MAGIC = b"\x6c\x1b\x01"
FORMAT = "nociomics-genotypes/1"

STORE_SAMPLES = Contract(
    "store_samples",
    (
        Column("sample", meaning="as in the file"),
        Column("sex", null=True, allowed=("F", "M"), meaning="as the file says"),
    ),
    key=("sample",),
    row="one sample, in the order of the calls",
)

STORE_VARIANTS = Contract(
    "store_variants",
    (
        Column("variant", meaning="rsID where it is the variant's own, else chrom_pos_ref_alt"),
        Column("name", null=True, meaning="ID as in the file"),
        Column("chrom", null=True),
        Column("pos", "integer", null=True),
        Column("ref", null=True, meaning="the other allele; of PLINK 1 files A2, which need not be the reference"),
        Column("alt", null=True, meaning="the allele whose copies are counted; of PLINK 1 files A1"),
        Column("filtered", "boolean", meaning="the file's own FILTER is not PASS"),
    ),
    row="one counted allele, in the order of the calls; one per ALT of a multi-allelic site",
)

# Two bits of PLINK 1: 00 two copies, 01 missing, 10 one copy, 11 none.
_COPIES = np.array([2, MISSING, 1, 0], dtype=np.int8)
# A product with it brings the codes of four bytes together in the highest byte; no two of its parts overlap.
_TOGETHER = np.uint32(1 << 24 | 1 << 18 | 1 << 12 | 1 << 6)
# The four copies in each byte, as one number: numbers are looked up fifteen times as fast as rows of four.
_FOUR = _COPIES[(np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3].view(np.uint32)[:, 0]


def packed(copies: np.ndarray) -> np.ndarray:
    """Pack copies into two bits each.

    Parameters
    ----------
    copies : ndarray of int8, shape (variants, samples)
        0, 1, 2, or `MISSING`.

    Returns
    -------
    ndarray of uint8, shape (variants, ceil(samples / 4))

    Examples
    --------
    >>> unpacked(packed(np.array([[0, 1, 2, -1, 1]], dtype=np.int8)), 5).tolist()
    [[0, 1, 2, -1, 1]]
    """
    variants, samples = copies.shape
    width = -(-samples // 4)
    codes = np.empty((variants, 4 * width), np.uint8)
    codes[:, samples:] = 0
    own, letters = codes[:, :samples], copies.view(np.uint8)
    # The two lowest bits of c + c // 2 are 0, 1, 3 for 0, 1, 2 copies and 2 for a missing call: the codes, turned over.
    np.right_shift(letters, 1, out=own)
    own += letters
    own &= 3
    own ^= 3
    four = codes.view("<u4")
    four *= _TOGETHER
    four >>= 24
    return four.astype(np.uint8)


def unpacked(rows: np.ndarray, samples: int) -> np.ndarray:
    """Return copies as Int8 of shape (variants, samples), `MISSING` where there is no call."""
    whole: np.ndarray = _FOUR.take(rows, mode="clip").view(np.int8)
    return whole[:, :samples]


@dataclass(frozen=True)
class GenotypeStore:
    """An opened store; the calls stay on disk until they are asked for."""

    folder: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What was converted and counted."""
        found = read_json(self.folder / "manifest.json")
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise TableError(f"{self.folder}: is no store of genotypes of this program. Convert the file again.")
        return found

    @cached_property
    def samples(self) -> pl.DataFrame:
        """As in `STORE_SAMPLES`."""
        return read_table(self.folder / "samples.parquet", STORE_SAMPLES)

    @cached_property
    def variants(self) -> pl.DataFrame:
        """As in `STORE_VARIANTS`."""
        return read_table(self.folder / "variants.parquet", STORE_VARIANTS)

    @cached_property
    def rows(self) -> np.ndarray:
        """The packed calls, memory-mapped: uint8 of shape (variants, ceil(samples / 4))."""
        width, height = -(-self.samples.height // 4), self.variants.height
        path = self.folder / "calls.bed"
        if not path.is_file() or path.stat().st_size != len(BED_MAGIC) + width * height:
            raise TableError(f"{path}: does not have the calls that its tables name. Convert the file again.")
        if not width * height:
            return np.zeros((height, width), np.uint8)
        return np.memmap(path, np.uint8, "r", len(BED_MAGIC), (height, width))

    def copies(self, which: np.ndarray | slice, columns: np.ndarray | None = None) -> np.ndarray:
        """Return copies of the counted allele.

        Parameters
        ----------
        which : ndarray of int or slice
            Rows of ``variants``.
        columns : ndarray of int, optional
            Rows of ``samples``; all when left out.

        Returns
        -------
        ndarray of int8, shape (variants, samples)
            0, 1, 2, or `MISSING`.
        """
        found = unpacked(np.asarray(self.rows[which]), self.samples.height)
        return found if columns is None else found[:, columns]

    def chunks(self, rows: int = 4096) -> Iterator[tuple[int, np.ndarray]]:
        """Yield all calls, some variants at a time: (first row, copies)."""
        for start in range(0, self.variants.height, rows):
            yield start, self.copies(slice(start, start + rows))


class CallsFile:
    """Writes ``calls.bed`` while the variants come; a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: IO[bytes] | None = None
        self.height = 0

    def __enter__(self) -> CallsFile:
        self._stream = self._path.open("wb")
        self._stream.write(BED_MAGIC)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()

    def add(self, copies: np.ndarray) -> None:
        """Append variants: int8 of shape (variants, samples)."""
        self.add_packed(packed(copies))

    def add_packed(self, rows: np.ndarray) -> None:
        """Append variants that are packed already."""
        if self._stream is None:
            raise ValueError("the file of calls is not open")
        self._stream.write(np.ascontiguousarray(rows).data)
        self.height += len(rows)
