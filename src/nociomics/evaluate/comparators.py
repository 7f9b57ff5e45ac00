"""The headline beside simpler models on the same people and folds, with the paired difference."""

from __future__ import annotations

import polars as pl

from nociomics.evaluate.bootstrap import difference
from nociomics.evaluate.corrected_interval import widened
from nociomics.evaluate.estimate import Estimate, not_computed
from nociomics.evaluate.metric_sets import (
    BOUNDS,
    Sampling,
    by_resampling,
    headline,
    headline_figure,
    headline_statistic,
    per_fold,
    too_few,
)
from nociomics.evaluate.received import Rows, class_columns, class_rows, rows_of

_OTHER = "_other"
_UNDEFINED = "the headline is undefined on the rows that both models have"


def comparator_metrics(
    metric: str, received: pl.DataFrame, others: dict[str, pl.DataFrame], sampling: Sampling
) -> dict[str, Estimate]:
    """Return ``<metric>_<comparator>`` and ``<metric>_gain_over_<comparator>`` for every comparator.

    Parameters
    ----------
    metric : {"auroc", "spearman", "accuracy"}
        The headline.
    received : DataFrame
        The model's predictions, from `received.received_rows`.
    others : dict of str to DataFrame
        The comparators' predictions, likewise; each is compared on the rows that both have.
    """
    found: dict[str, Estimate] = {}
    for name, other in others.items():
        rows = _shared_rows(metric, received, other)
        reason = too_few(rows) if rows else "it holds no probabilities of the classes"
        if rows is None or reason:
            lost = not_computed(f"comparator {name}: {reason}", rows.n if rows else 0)
            found |= {f"{metric}_{name}": lost, f"{metric}_gain_over_{name}": lost}
            continue
        width = rows.predicted.shape[1] // 2
        first, second = rows.predicted[:, :width], rows.predicted[:, width:]
        if metric != "accuracy":
            first, second = first[:, 0], second[:, 0]
        ours, theirs = headline_statistic(metric, rows, first), headline_statistic(metric, rows, second)
        found[f"{metric}_{name}"] = headline(metric, rows, second, f"{name}, same rows and folds", _UNDEFINED, sampling)
        gain = by_resampling(
            rows, difference(ours, theirs), f"model minus {name}, paired over people", _UNDEFINED, sampling
        )
        reach = BOUNDS[metric][1] - BOUNDS[metric][0]
        folds = [per_fold(rows, headline_figure(metric, rows, half)) for half in (first, second)]
        found[f"{metric}_gain_over_{name}"] = widened(gain, folds[0] - folds[1], rows.repeats, (-reach, reach))
    return found


def _shared_rows(metric: str, received: pl.DataFrame, other: pl.DataFrame) -> Rows | None:
    """Rows of both; predictions side by side, ours first; null when the comparator lacks a class."""
    columns = {"auroc": ["p_response"], "spearman": ["expected"]}.get(metric) or class_columns(received)
    if not set(columns) <= set(other.columns):
        return None
    keys = ["patient_id", "repeat"]
    theirs = other.select(*keys, pl.col(columns).name.suffix(_OTHER))
    joined = received.join(theirs, on=keys, how="inner", maintain_order="left")
    if metric == "accuracy":
        return class_rows(joined, columns, also=[column + _OTHER for column in columns])
    return rows_of(joined, "event" if metric == "auroc" else "observed", [*columns, columns[0] + _OTHER])
