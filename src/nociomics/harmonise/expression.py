"""Expression on the log2 scale, sample by sample, so that no person's values depend on another's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import polars as pl

from nociomics.errors import TableError
from nociomics.harmonise.tmm import tmm_factors

ID = "patient_id"
_CELLS_AT_ONCE = 1 << 17
_SUMMED = 256
_EXACT = 1 << 24
_LEAST_SHARED = 0.5


def log_counts(counts: np.ndarray, factors: np.ndarray | None = None) -> np.ndarray:
    """Turn counts into log2 counts per million: ``log2((c + 0.5) / (N + 1) * 1e6)``.

    Parameters
    ----------
    counts : ndarray of float32, shape (samples, genes)
        Overwritten; any memory order. NaN where a gene was not counted; it stays NaN and adds nothing to N.
    factors : ndarray, shape (samples,), optional
        Of `tmm.tmm_factors`: N is the sample's total times its factor.

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
    scale = np.ones(len(counts)) if factors is None else factors
    if counts.flags.c_contiguous:
        for rows, _ in _pieces(counts):
            _log_piece(counts[rows], _sums(counts[rows]) * scale[rows])
        return counts
    totals = np.zeros(len(counts))
    for _, genes in _pieces(counts):
        totals += _sums(counts[:, genes])
    for _, genes in _pieces(counts):
        _log_piece(counts[:, genes], totals * scale)
    return counts


def _log_piece(counts: np.ndarray, sizes: np.ndarray) -> None:
    counts += np.float32(0.5)
    np.log2(counts, out=counts)
    counts += np.log2(1e6 / (sizes + 1.0)).astype(np.float32)[:, np.newaxis]


def _sums(counts: np.ndarray) -> np.ndarray:
    """Sum each row's counts exactly: some hundreds in single precision, these sums in double.

    Whole numbers below 2^24 are exact in single precision; a row with a larger group, or with a gap, is summed in
    double throughout. So a total never depends on how the table was cut, and on how many people are in it.

    Examples
    --------
    >>> _sums(np.array([[1, 2], [np.nan, 5]], dtype=np.float32)).tolist()
    [3.0, 5.0]
    """
    even = counts.shape[1] // _SUMMED * _SUMMED
    groups = counts[:, :even].reshape(len(counts), -1, _SUMMED).sum(axis=2)
    rest = counts[:, even:].sum(axis=1)
    sums: np.ndarray = groups.sum(axis=1, dtype=np.float64) + rest
    exact = (groups.max(axis=1, initial=0) < _EXACT) & (rest < _EXACT)
    if not exact.all():
        sums[~exact] = np.nansum(counts[~exact], axis=1, dtype=np.float64)
    return sums


def _pieces(matrix: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """Cut an array into pieces that lie together in memory, so that scratch memory is never a second matrix."""
    by_row = matrix.flags.c_contiguous
    length, other = matrix.shape if by_row else matrix.shape[::-1]
    step = max(1, _CELLS_AT_ONCE // max(other, 1))
    step = step if by_row else min(step, _SUMMED - 1)
    for first in range(0, length, step):
        piece = slice(first, first + step)
        yield (piece, slice(None)) if by_row else (slice(None), piece)


def log_expression(
    expression: pl.DataFrame,
    values: Literal["counts", "tpm", "log2"],
    normalise: Literal["log_cpm", "tmm"] = "log_cpm",
    reference: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Bring a table of expression to the log2 scale.

    Parameters
    ----------
    expression : DataFrame, one row per person's sample
        As in `tables.ingested.EXPRESSION`: ``patient_id`` and one column per gene.
    values : {"counts", "tpm", "log2"}
        Counts become log2 counts per million, TPM ``log2(tpm + 1)``; log2 values stay as they are.
    normalise : {"log_cpm", "tmm"}
        How counts are brought to one size: by their total, or by their total and the factor of `tmm.tmm_factors`.
    reference : DataFrame, optional
        For tmm: ``gene`` and ``count`` of a fixed profile, so that no person's values depend on another's.

    Returns
    -------
    DataFrame
        The same rows and columns, genes as Float32; null stays null.

    Raises
    ------
    TableError
        Counts or TPM below 0: the table holds something else. TMM without a reference, with one that lacks half
        of the genes, or with a sample that has no reads.
    """
    genes = [name for name in expression.columns if name != ID]
    if values == "log2" or not genes:
        return expression.with_columns(pl.col(genes).cast(pl.Float32))
    matrix = expression.select(pl.col(genes).cast(pl.Float32)).to_numpy(order="fortran").copy(order="F")
    below = int((matrix < 0).any(axis=0).sum())
    if below:
        raise TableError(
            f"expression: {below} genes hold values below 0, which {values} cannot be. "
            "Say what the table holds with values: log2 in the study file."
        )
    if values == "counts":
        factors = tmm_factors(matrix, _profile(genes, reference)) if normalise == "tmm" else None
        log_counts(matrix, factors)
    else:
        matrix += np.float32(1)
        np.log2(matrix, out=matrix)
    return pl.DataFrame([expression[ID], *(_gene(name, column) for name, column in zip(genes, matrix.T, strict=True))])


def _gene(name: str, values: np.ndarray) -> pl.Series:
    return pl.Series(name, values, nan_to_null=bool(np.isnan(values).any()))


def _profile(genes: list[str], reference: pl.DataFrame | None) -> np.ndarray:
    """Lay the reference out in the order of the genes; NaN for a gene that it lacks."""
    if reference is None:
        raise TableError(
            "expression: normalise: tmm needs a fixed reference (reference: in the study file, a table gene, count). "
            "A reference taken from the cohort would make everybody's values depend on other people."
        )
    counts = dict(zip(reference["gene"].to_list(), reference["count"].to_list(), strict=True))
    profile = np.array([counts.get(gene, np.nan) for gene in genes], dtype=np.float64)
    lacking = int(np.isnan(profile).sum())
    if lacking > (1 - _LEAST_SHARED) * len(genes):
        raise TableError(
            f"expression: the reference of tmm lacks {lacking} of {len(genes)} genes. Both tables must name genes "
            "alike (Ensembl ids or symbols); give a reference of the same annotation."
        )
    return profile
