"""The calls of one record: allele numbers of all samples, which of them are sure enough, and their phase sets."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from nociomics.ingest.vcf import NO_CALL, NO_COPY, Record

LOWEST_GQ, LOWEST_DP, LOWEST_DP_OF_ONE_COPY = 20, 10, 5
"""A call below these does not count; the limits that gnomAD calls "adj" (Karczewski 2020, PMID 32461654).

A value that the file does not give is not judged. The depth of a block is its smallest (MIN_DP)."""
_QUALITIES = (b"GQ", b"RGQ")
_DEPTHS = (b"DP", b"MIN_DP")
_BLOCK_DEPTH = re.compile(r"(?:^|;)(?:MIN_DP|MinDP)=(\d{1,9})(?:;|$)")


@dataclass(slots=True)
class SampleCalls:
    """One record without its text.

    Attributes
    ----------
    first, second : ndarray of int16, shape (samples,)
        As in `vcf.Record`.
    unsure : ndarray of bool, shape (samples,)
        Called, but refused by the file's own filters (FILTER, FT) or below the limits of this module.
    filtered : bool
        FILTER is not PASS.
    phase_sets : Series of Categorical, optional
        PS of every sample; None where no sample has one.
    """

    chrom: str
    pos: int
    ref: str
    alts: tuple[str, ...]
    end: int
    filtered: bool
    first: np.ndarray
    second: np.ndarray
    phased: np.ndarray
    unsure: np.ndarray
    phase_sets: pl.Series | None


def calls_of(record: Record) -> SampleCalls:
    """Take what is needed of a record; its text can be forgotten afterwards."""
    fields = _fields(record)
    called = (record.first != NO_CALL) | ((record.second != NO_CALL) & (record.second != NO_COPY))
    return SampleCalls(
        chrom=record.chrom,
        pos=record.pos,
        ref=record.ref,
        alts=record.alts,
        end=record.end,
        filtered=record.filtered,
        first=record.first,
        second=record.second,
        phased=record.phased,
        unsure=np.ones(len(called), bool) if record.filtered else called & _is_low(record, fields),
        phase_sets=_phase_sets(fields.get(b"PS"), record.phased),
    )


def _fields(record: Record) -> dict[bytes, pl.Series]:
    """Split the cells of all samples at once; only the keys that matter here."""
    keys = record.format.split(b":")
    wanted = [key for key in (*_QUALITIES, *_DEPTHS, b"FT", b"PS") if key in keys]
    if not wanted or not record.samples:
        return {}
    cells = pl.Series([record.samples.decode("utf-8", errors="replace").rstrip("\r\n")]).str.split("\t").explode()
    if len(cells) != len(record.first):
        return {}
    parts = cells.str.split_exact(":", max(keys.index(key) for key in wanted)).struct
    return {key: parts.field(f"field_{keys.index(key)}") for key in wanted}


def _is_low(record: Record, fields: dict[bytes, pl.Series]) -> np.ndarray:
    low = np.zeros(len(record.first), bool)
    limit = np.where(record.second == NO_COPY, LOWEST_DP_OF_ONE_COPY, LOWEST_DP)
    for key in _QUALITIES:
        if key in fields:
            low |= _numbers(fields[key]) < LOWEST_GQ
    for key in _DEPTHS:
        if key in fields:
            low |= _numbers(fields[key]) < limit
    of_block = _BLOCK_DEPTH.search(record.info)
    if of_block is not None:
        low |= int(of_block[1]) < limit
    if b"FT" in fields:
        low |= ~fields[b"FT"].fill_null(".").is_in(["PASS", ".", ""]).to_numpy()
    return low


def _numbers(words: pl.Series) -> np.ndarray:
    """Return numbers, infinite where there is none, so that nothing is judged by it."""
    return words.cast(pl.Float64, strict=False).fill_null(np.inf).fill_nan(np.inf).to_numpy()


def _phase_sets(words: pl.Series | None, phased: np.ndarray) -> pl.Series | None:
    if words is None or not phased.any():
        return None
    known = pl.DataFrame({"ps": words, "phased": phased})
    told = pl.col("phased") & ~pl.col("ps").is_in([".", ""])
    return known.select(pl.when(told).then("ps").cast(pl.Categorical))["ps"]
