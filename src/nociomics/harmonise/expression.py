"""Expression on the log2 scale, sample by sample, so that no person's values depend on another's."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl

from nociomics.errors import TableError


def log_counts(counts: np.ndarray) -> np.ndarray:
    """Turn counts into log2 counts per million: ``log2((c + 0.5) / (N + 1) * 1e6)``.

    Parameters
    ----------
    counts : ndarray of float32, shape (samples, genes)
        Overwritten. NaN where a gene was not counted; it stays NaN and adds nothing to N.

    Returns
    -------
    ndarray
        The same array.

    References
    ----------
    Law 2014, Genome Biology 15:R29 (voom), equation of the log-counts per million.

    Examples
    --------
    >>> log_counts(np.array([[1, 3]], dtype=np.float32)).astype(float).round(3).tolist()
    [[18.195, 19.417]]
    """
    totals: np.ndarray = np.asarray(np.nansum(counts, axis=1, dtype=np.float64))
    # Each row is handled alone: the scratch memory is one sample, not a second matrix.
    for row, total in zip(counts, totals, strict=True):
        row += np.float32(0.5)
        np.log2(row, out=row)
        row += np.float32(np.log2(1e6 / (total + 1.0)))
    return counts


def log_expression(expression: pl.DataFrame, values: Literal["counts", "tpm", "log2"]) -> pl.DataFrame:
    """Bring a table of expression to the log2 scale.

    Parameters
    ----------
    expression : DataFrame, one row per person's sample
        As in `tables.ingested.EXPRESSION`: ``patient_id`` and one column per gene.
    values : {"counts", "tpm", "log2"}
        Counts become log2 counts per million, TPM ``log2(tpm + 1)``; log2 values stay as they are.

    Returns
    -------
    DataFrame
        The same rows and columns, genes as Float32; null stays null.

    Raises
    ------
    TableError
        Counts or TPM below 0: the table holds something else.
    """
    genes = [name for name in expression.columns if name != "patient_id"]
    if values == "log2" or not genes:
        return expression.with_columns(pl.col(genes).cast(pl.Float32))
    matrix = expression.select(pl.col(genes).cast(pl.Float32)).to_numpy(writable=True, order="c")
    below = int((matrix < 0).any(axis=0).sum())
    if below:
        raise TableError(
            f"expression: {below} genes hold values below 0, which {values} cannot be. "
            "Say what the table holds with values: log2 in the study file."
        )
    logged = (
        log_counts(matrix) if values == "counts" else np.log2(np.add(matrix, np.float32(1), out=matrix), out=matrix)
    )
    table = pl.from_numpy(logged, schema=genes, orient="row").with_columns(pl.all().fill_nan(None))
    return table.insert_column(0, expression["patient_id"])
