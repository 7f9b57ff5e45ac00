"""Copies of alleles as features."""

from __future__ import annotations

import polars as pl

from nociomics.harmonise.feature import ID, Feature, Part

PREFIX = "snp_"
"""What the name of a variant's feature begins with."""


def variant_features(dosages: pl.DataFrame, variants: pl.DataFrame | None = None) -> Part:
    """Give copies of ALT per variant as ``snp_<variant>``: 0, 1, 2, null when not called."""
    places: dict[str, str] = {}
    if variants is not None:
        for name, chrom, pos, alt in variants.select("variant", "chrom", "pos", "alt").iter_rows():
            places[name] = f"copies of {alt or 'ALT'}" + (f" at {chrom}:{pos}" if chrom and pos else "")
    names = [name for name in dosages.columns if name != ID]
    frame = dosages.select(ID, *(pl.col(name).cast(pl.Float64).alias(f"{PREFIX}{name}") for name in names))
    features = [
        Feature(f"{PREFIX}{name}", "genotype", name, "count", places.get(name, "copies of ALT"), low=0.0, high=2.0)
        for name in names
    ]
    return Part(frame, features)
