"""How often a pipeline does as well on outcomes dealt out anew."""

from __future__ import annotations

import numpy as np
import polars as pl

from nociomics.evaluate.estimate import Estimate, FloatArray, estimate, not_computed
from nociomics.evaluate.metric_sets import headline_figure, per_fold, too_few
from nociomics.evaluate.received import Rows, class_columns, class_rows, event_rows, received_rows, value_rows
from nociomics.evaluate.study_metrics import headline_metric
from nociomics.tables.study import Target


def headline_value(out_of_fold: pl.DataFrame, target_rows: pl.DataFrame, target: Target) -> tuple[str, float]:
    """Return the headline's name and value without an interval: its mean over outer folds; NaN where undefined.

    Parameters
    ----------
    out_of_fold, target_rows : DataFrame
        As in `OUT_OF_FOLD` and `TARGET_ROWS`.
    target : Target
        What was predicted.
    """
    metric, rows = headline_rows(received_rows(out_of_fold, target_rows, target), out_of_fold, target)
    if too_few(rows):
        return metric, float("nan")
    values = per_fold(rows, headline_figure(metric, rows, rows.predicted))
    return metric, float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def headline_rows(received: pl.DataFrame, out_of_fold: pl.DataFrame, target: Target) -> tuple[str, Rows]:
    """Return the headline's name and the rows that it is measured on."""
    metric = headline_metric(received, target)
    if metric == "accuracy":
        return metric, class_rows(received, class_columns(out_of_fold))
    return metric, event_rows(received) if metric == "auroc" else value_rows(received)


def permutation_p(observed: float, permuted: FloatArray, n: int) -> Estimate:
    """Return the share of permutations that did at least as well, the real outcomes counted as one of them.

    Parameters
    ----------
    observed : float
        Headline of the real outcomes, on the same folds as the permutations.
    permuted : array of float, shape (permutations,)
        Headline of each permutation; NaN where a permutation could not be learned from, which counts as no better.
    n : int
        People.

    References
    ----------
    Phipson and Smyth, Stat Appl Genet Mol Biol 2010;9:39 (a permutation p is never zero).
    """
    if permuted.size == 0 or not np.isfinite(observed):
        return not_computed("no permutations were run; set resampling.permutations (200 or more)", n)
    better = int(np.sum(permuted[np.isfinite(permuted)] >= observed - 1e-12))
    words = (
        f"{permuted.size} refits of the whole pipeline, outcomes dealt out anew within treatment and group; "
        f"headline {observed:.3f}, mean of permutations {float(np.nanmean(permuted)):.3f}"
    )
    return estimate((1 + better) / (1 + permuted.size), n, words)
