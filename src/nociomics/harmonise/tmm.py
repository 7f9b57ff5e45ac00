"""Scaling factors for counts by the trimmed mean of M values, as edgeR's calcNormFactors has them."""

from __future__ import annotations

import numpy as np

from nociomics.errors import TableError

_TRIM_RATIO, _TRIM_LEVEL = 0.3, 0.05
_LOWEST_LEVEL = -1e10
_NO_RATIO = 1e-6
_NO_SHARE = 1e-20


def tmm_factors(counts: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """Factors that correct the library sizes of samples for a few genes that take most reads.

    Method TMM with edgeR's defaults: 30 % of the log ratios and 5 % of the levels are trimmed at either end, the mean
    is weighted by the inverse of the ratios' asymptotic variances. The effective size of a library is its total times
    its factor.

    Parameters
    ----------
    counts : ndarray, shape (samples, genes)
        Raw counts; NaN where a gene was not counted, which then plays no part in that sample, nor in the reference
        beside it.
    reference : ndarray, shape (genes,), optional
        Counts of a fixed profile, NaN for a gene that it lacks. Without one, the sample whose upper quartile is
        nearest to the mean of all is taken, and the factors are scaled to a geometric mean of 1: both depend on the
        cohort, so this belongs inside the folds.

    Returns
    -------
    ndarray, shape (samples,)
        Against a fixed reference the factors are not rescaled: nobody's depends on who else is there.

    Raises
    ------
    TableError
        A sample or the reference has no reads; or no gene has reads in both.

    References
    ----------
    Robinson and Oshlack 2010, Genome Biology 11:R25; calcNormFactors of edgeR (Bioconductor).

    Examples
    --------
    >>> counts = np.array([[200, 300, 500, 2000, 7000], [200, 300, 500, 2000, 2000.0]])
    >>> tmm_factors(counts).round(6).tolist()
    [0.707107, 1.414214]
    >>> tmm_factors(counts, reference=counts[1]).round(6).tolist()
    [0.5, 1.0]
    """
    totals: np.ndarray = np.asarray(np.nansum(counts, axis=1, dtype=np.float64))
    empty = int((totals <= 0).sum())
    if empty:
        raise TableError(
            f"expression: {empty} samples have no reads at all, so there is nothing to scale. Leave them out (where:)."
        )
    if reference is not None:
        return _factors(counts, np.asarray(reference, dtype=np.float64))
    factors = _factors(counts, np.asarray(counts[_middle_sample(counts, totals)], dtype=np.float64))
    scaled: np.ndarray = factors / np.exp(np.log(factors).mean())
    return scaled


def _middle_sample(counts: np.ndarray, totals: np.ndarray) -> int:
    """Find the sample whose share at the upper quartile is nearest to the mean share."""
    seen = np.zeros(counts.shape[1], dtype=bool)
    for sample in counts:
        seen |= sample > 0
    quartiles = np.array([np.nanpercentile(sample[seen].astype(np.float64), 75) for sample in counts])
    shares = quartiles / totals
    if np.median(shares) < _NO_SHARE:  # most genes have no reads in most samples: edgeR then takes the fullest sample
        return int(np.argmax([np.sqrt(sample[sample > 0].astype(np.float64)).sum() for sample in counts]))
    return int(np.argmin(np.abs(shares - shares.mean())))


def _factors(counts: np.ndarray, reference: np.ndarray) -> np.ndarray:
    if not np.nansum(reference) > 0:
        raise TableError("expression: the reference of tmm has no reads in the genes of this table. Give another one.")
    found = np.array([_factor(np.asarray(sample, dtype=np.float64), reference) for sample in counts])
    alone = int(np.isnan(found).sum())
    if alone:
        raise TableError(
            f"expression: {alone} samples have no gene with reads in common with the reference of tmm. "
            "Check that both name genes alike and hold raw counts."
        )
    return found


def _factor(sample: np.ndarray, reference: np.ndarray) -> float:
    """Compare one sample with the reference; NaN when they have no gene in common."""
    both = ~(np.isnan(sample) | np.isnan(reference))
    size, reference_size = sample[both].sum(), reference[both].sum()
    used = both & (sample > 0) & (reference > 0)
    own, other = sample[used], reference[used]
    share, other_share = own / size, other / reference_size
    # Written as quotient and product before the logarithm: ties of ranks then fall as in the tools compared with.
    ratio, level = np.log2(share / other_share), np.log2(share * other_share) / 2
    if not len(ratio) or not (level > _LOWEST_LEVEL).any():
        return float("nan")
    if np.abs(ratio).max() < _NO_RATIO:
        return 1.0
    kept = _within(ratio, _TRIM_RATIO) & _within(level, _TRIM_LEVEL)
    weight = 1 / ((1 - share[kept]) / own[kept] + (1 - other_share[kept]) / other[kept])
    return float(2 ** ((ratio[kept] * weight).sum() / weight.sum())) if kept.any() else 1.0


def _within(values: np.ndarray, trim: float) -> np.ndarray:
    """Mark the values whose average rank lies within the trimmed range, without ranking them all.

    Examples
    --------
    >>> _within(np.array([5.0, 1.0, 1.0, 9.0]), 0.3).tolist()
    [True, False, False, False]
    """
    count = len(values)
    lowest = int(count * trim) + 1
    highest = count + 1 - lowest
    low, high = np.partition(values, (lowest - 1, highest - 1))[[lowest - 1, highest - 1]]
    inside: np.ndarray = (values > low) & (values < high)
    for edge in {float(low), float(high)}:
        tied = values == edge
        rank = int((values < edge).sum()) + (int(tied.sum()) + 1) / 2
        if lowest <= rank <= highest:
            inside |= tied
    return inside
