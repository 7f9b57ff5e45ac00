"""Constants of nature: what stays the same for all patients of one world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from nociomics.simulate.randomness import Floats, world_stream

SNPS, BLOCK = 300, 5
_POLYGENIC = 30
_DIVERGENCE = 0.05  # Balding-Nichols F between the two ancestry groups
SITES = ("site_1", "site_2", "site_3", "site_4")

# Lengths of GRCh38, assembly GCF_000001405.26.
CONTIGS = {
    "chr1": 248956422,
    "chr2": 242193529,
    "chr3": 198295559,
    "chr4": 190214555,
    "chr5": 181538259,
    "chr6": 170805979,
    "chr7": 159345973,
    "chr8": 145138636,
    "chr9": 138394717,
    "chr10": 133797422,
    "chr11": 135086622,
    "chr12": 133275309,
    "chr13": 114364328,
    "chr14": 107043718,
    "chr15": 101991189,
    "chr16": 90338345,
    "chr17": 83257441,
    "chr18": 80373285,
    "chr19": 58617616,
    "chr20": 64444167,
    "chr21": 46709983,
    "chr22": 50818468,
}
# Chromosomes without any gene of the pharmacogenetic tables: an invented variant can never pass for a real one.
FREE_CONTIGS = ("chr1", "chr3", "chr8", "chr9", "chr12", "chr14", "chr16", "chr18", "chr20", "chr21")
# No pair of complementary bases: strands stay distinguishable.
_BASE_PAIRS = (("A", "G"), ("G", "A"), ("C", "T"), ("T", "C"), ("A", "C"), ("G", "T"))


@dataclass(frozen=True)
class World:
    """Frequencies (two ancestry groups x 300 invented variants), their weights, and the effects of four sites."""

    frequencies: Floats
    weights: Floats
    site_effects: Floats


def draw_world(world: int) -> World:
    """Draw the constants of one world.

    Returns
    -------
    World
        Frequencies between 0 and 1; weights in points of outcome per copy, 270 of them zero; site effects in points.

    References
    ----------
    Balding and Nichols 1995, Genetica 96:3 (frequencies of diverged groups); numbers are project defaults.
    """
    rng = world_stream(world, "variant frequencies")
    base = 0.05 + 0.45 * rng.beta(1.2, 1.2, SNPS)
    spread = (1 - _DIVERGENCE) / _DIVERGENCE
    frequencies = rng.beta(base * spread, (1 - base) * spread, (2, SNPS))
    rng = world_stream(world, "polygenic weights")
    weights = np.zeros(SNPS)
    weights[rng.choice(SNPS, _POLYGENIC, replace=False)] = rng.normal(0, 0.07, _POLYGENIC)
    return World(frequencies, weights, world_stream(world, "site effects").normal(0, 0.3, len(SITES)))


def invented_variants(world: int) -> pl.DataFrame:
    """Return where the 300 invented variants lie and which bases they have.

    Returns
    -------
    DataFrame, one row per variant
        ``variant`` (``sim_snp_001``...), ``chrom``, ``pos`` (GRCh38, unique), ``ref``, ``alt``. The five variants of a
        block are neighbours. The reference bases are invented too.
    """
    rng = world_stream(world, "variant positions")
    chroms = [FREE_CONTIGS[block % len(FREE_CONTIGS)] for block in range(SNPS // BLOCK)]
    lengths = np.array([CONTIGS[chrom] for chrom in chroms])
    # Each block has its own stretch of the chromosome, so that no two positions are the same.
    stretch = 0.1 + 0.8 * (np.arange(len(chroms)) // len(FREE_CONTIGS) + 0.9 * rng.random(len(chroms))) / 6
    steps = np.cumsum(rng.integers(500, 5000, (len(chroms), BLOCK)), axis=1)
    pairs = rng.integers(0, len(_BASE_PAIRS), SNPS)
    return pl.DataFrame(
        {
            "variant": [f"sim_snp_{number:03d}" for number in range(1, SNPS + 1)],
            "chrom": np.repeat(chroms, BLOCK).tolist(),
            "pos": ((stretch * lengths).astype(np.int64)[:, None] + steps).ravel(),
            "ref": [_BASE_PAIRS[pair][0] for pair in pairs],
            "alt": [_BASE_PAIRS[pair][1] for pair in pairs],
        }
    )
