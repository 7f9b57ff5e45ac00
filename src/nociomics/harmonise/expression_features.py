"""Genes and their batch as features."""

from __future__ import annotations

import polars as pl

from nociomics.harmonise.feature import ID, Feature, Part


def expression_features(
    expression: pl.DataFrame, samples: pl.DataFrame | None = None, within: str | None = None
) -> Part:
    """Genes on the log2 scale as ``expression_<gene>``, and the batch as a category."""
    genes = [name for name in expression.columns if name != ID]
    frame = expression.select(ID, *(pl.col(gene).cast(pl.Float64).alias(f"expression_{gene}") for gene in genes))
    features = [
        Feature(f"expression_{gene}", "expression", gene, "log2", f"expression of {gene}, log2", within=within)
        for gene in genes
    ]
    if samples is not None and samples["batch"].null_count() < samples.height:
        batches = samples.select(ID, expression_batch=pl.col("batch").cast(pl.String))
        frame = frame.join(batches, on=ID, how="left", maintain_order="left")
        features.append(
            Feature("expression_batch", "expression", "batch", "category", "batch of the sample", "category")
        )
    return Part(frame, features)
