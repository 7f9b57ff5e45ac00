"""Figures by variant: how many were called, how frequent the allele is, whether genotypes are in equilibrium."""

from __future__ import annotations

import numpy as np
import polars as pl

from nociomics.quality.hardy_weinberg import hardy_weinberg_p
from nociomics.tables.chromosomes import AUTOSOMES, chromosome
from nociomics.tables.genotype_store import GenotypeStore
from nociomics.tables.packed_calls import chosen_samples, counts, packed_blocks
from nociomics.tables.progress import Progress

HAPLOID_IN_SOME = ("X", "Y", "MT")


def variant_quality(store: GenotypeStore, columns: np.ndarray | None = None, *, mid_p: bool = False) -> pl.DataFrame:
    """Count calls, copies and departures from Hardy-Weinberg equilibrium, variant by variant.

    Parameters
    ----------
    store : GenotypeStore
        Its calls are read once.
    columns : ndarray of int, optional
        Rows of ``store.samples`` that are people of the study; all when left out. All count as founders.
    mid_p : bool
        See `hardy_weinberg.hardy_weinberg_p`.

    Returns
    -------
    DataFrame, one row per counted allele, in the order of the store
        As in `VARIANT_QUALITY`. At a site of several ALTs each is compared with all other alleles together.

    Notes
    -----
    The exact test is made on autosomes only; where the chromosome is not known, it is not made. Neither it nor
    the frequency is given on X outside XY, on Y and on MT: a file may write one copy of a man's X as one or as two.
    """
    counted = call_counts(store, columns)
    frame = store.variants.select(
        pl.lit(store.folder.name).alias("store"), "variant", chromosome(), "pos", "ref", "alt", "filtered"
    ).with_columns(
        pl.Series(name, counted[:, place]) for place, name in enumerate(("copies_0", "copies_1", "copies_2", "missing"))
    )
    autosome = frame["chrom"].is_in(AUTOSOMES).fill_null(False).to_numpy()
    p = np.full(frame.height, np.nan)
    p[autosome] = hardy_weinberg_p(counted[autosome, :3], mid_p=mid_p)
    called = pl.sum_horizontal("copies_0", "copies_1", "copies_2")
    copies = pl.col("copies_1") + 2 * pl.col("copies_2")
    diploid = ~pl.col("chrom").is_in(HAPLOID_IN_SOME).fill_null(False)
    return frame.with_columns(
        pl.when(called + pl.col("missing") > 0).then(called / (called + pl.col("missing"))).alias("call_rate"),
        pl.when(diploid & (called > 0)).then(copies / (2 * called)).alias("alt_frequency"),
        pl.Series("hwe_p", p).fill_nan(None),
    )


def call_counts(store: GenotypeStore, columns: np.ndarray | None = None) -> np.ndarray:
    """Count people with no, one, two copies and without a call: int64 of shape (variants, 4)."""
    samples = store.samples.height
    mask = chosen_samples(np.arange(samples) if columns is None else columns, samples)
    progress = Progress(f"{store.folder.name}: figures by variant", "variants", store.variants.height)
    found = np.zeros((store.variants.height, 4), np.int64)
    for start, block in packed_blocks(store):
        found[start : start + len(block)] = counts(block, mask)
        progress.advance(len(block))
    return found
