"""Genes and their batch as features."""

from __future__ import annotations

import polars as pl

from nociomics.harmonise.feature import ID, Feature, Part


def expression_features(
    expression: pl.DataFrame, samples: pl.DataFrame | None = None, within: str | None = None
) -> Part:
    """Genes on the log2 scale as ``expression_<gene>``, in single precision, and the batch as a category."""
    genes = [name for name in expression.columns if name != ID]
    columns = [expression[ID], *(expression[gene].cast(pl.Float32).alias(f"expression_{gene}") for gene in genes)]
    frame = pl.DataFrame(columns)
    features = [
        Feature(f"expression_{gene}", "expression", gene, "log2", f"expression of {gene}, log2", within=within)
        for gene in genes
    ]
    if samples is not None and samples["batch"].null_count() < samples.height:
        batches = samples.select(ID, expression_batch=pl.col("batch").cast(pl.String))
        batch = frame.select(ID).join(batches, on=ID, how="left", maintain_order="left")["expression_batch"]
        frame = frame.hstack([batch])
        features.append(
            Feature("expression_batch", "expression", "batch", "category", "batch of the sample", "category")
        )
    return Part(frame, features)
