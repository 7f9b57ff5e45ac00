"""Write genotypes as PLINK 1 files: two bits per call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from nociomics.simulate.randomness import Dosages
from nociomics.tables.files import write_text, written_whole

_MAGIC = bytes([0x6C, 0x1B, 0x01])  # by variant
# copies of ALT, which stands as A1: 0 -> hom A2 (11), 1 -> het (10), 2 -> hom A1 (00), -1 -> missing (01)
_CODES = np.array([0b11, 0b10, 0b00, 0b01], dtype=np.uint8)


def write_bed(dosages: Iterator[tuple[str, Dosages]], samples: list[str], variants: pl.DataFrame, path: Path) -> None:
    """Write ``.bed``, ``.bim`` and ``.fam``; the ``.bed`` comes last and whole.

    Parameters
    ----------
    dosages : iterator of (variant, ndarray of int8 of shape (n_samples,))
        Copies of ALT, -1 without a call; in any order, each variant once.
    samples : list of str
        One per row.
    variants : DataFrame, one row per variant
        ``variant, chrom, pos, ref, alt``, in the order of the file.
    path : Path
        The ``.bed`` file.

    References
    ----------
    PLINK 1.9 file formats, https://www.cog-genomics.org/plink/1.9/formats.
    """
    width = (len(samples) + 3) // 4
    place = {name: row for row, name in enumerate(variants["variant"])}
    if len(place) != variants.height:
        raise ValueError("variants have names of their own")
    write_text("".join(f"{name} {name} 0 0 0 -9\n" for name in samples), path.with_suffix(".fam"))
    sites = variants.select("chrom", "variant", pl.lit(0).alias("cm"), "pos", "alt", "ref")
    write_text(sites.write_csv(separator="\t", include_header=False), path.with_suffix(".bim"))
    with written_whole(path) as draft, draft.open("wb") as stream:
        stream.write(_MAGIC)
        stream.truncate(len(_MAGIC) + width * variants.height)
        for name, copies in dosages:
            stream.seek(len(_MAGIC) + width * place.pop(name))
            stream.write(_packed(copies, width))
        if place:
            raise ValueError(f"{len(place)} variants have no genotypes")


def _packed(copies: Dosages, width: int) -> bytes:
    codes = np.zeros(4 * width, dtype=np.uint8)
    codes[: len(copies)] = _CODES[copies]
    four = codes.reshape(width, 4)
    return bytes(four[:, 0] | four[:, 1] << 2 | four[:, 2] << 4 | four[:, 3] << 6)
