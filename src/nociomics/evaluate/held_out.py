"""The headline on groups, such as sites, that were left out of training whole."""

from __future__ import annotations

from typing import Any

import polars as pl

from nociomics.evaluate.bootstrap import RESAMPLES
from nociomics.evaluate.estimate import not_computed
from nociomics.evaluate.metric_sets import Sampling, by_resampling, headline_statistic, too_few
from nociomics.evaluate.received import class_columns, class_rows, received_rows, rows_of
from nociomics.evaluate.study_metrics import headline_metric
from nociomics.tables.study import Target


def held_out_metric(
    predictions: pl.DataFrame, target_rows: pl.DataFrame, target: Target, seed: int, resamples: int = RESAMPLES
) -> dict[str, dict[str, Any]]:
    """Measure the headline as a mean within groups, each predicted by a model of all other groups.

    Parameters
    ----------
    predictions : DataFrame, one row per person and treatment
        As in `tables.results.OUT_OF_FOLD`; the outer fold is the group. A group may be absent when the
        others were too few to learn from.
    target_rows : DataFrame, one row per person
        As in `tables.harmonised.TARGET_ROWS`.
    target : Target
        What is predicted.
    seed, resamples : int
        Of the bootstrap over people.

    Returns
    -------
    dict
        ``<headline>_held_out_groups`` -> ``value, lower, upper, n, method``; ``held_out_groups`` alone, without
        a value, when there is no prediction.
    """
    if predictions.is_empty():
        return {"held_out_groups": not_computed("no group could be predicted from the others", 0).as_dict()}
    received = received_rows(predictions, target_rows, target)
    metric = headline_metric(received, target)
    columns = {"auroc": ["p_response"], "spearman": ["expected"]}.get(metric) or class_columns(received)
    observed = "event" if metric == "auroc" else "observed"
    rows = class_rows(received, columns) if metric == "accuracy" else rows_of(received, observed, columns)
    reason = too_few(rows)
    name = f"{metric}_held_out_groups"
    if reason:
        return {name: not_computed(reason, rows.n).as_dict()}
    method = f"mean within {received['outer_fold'].n_unique()} groups, each left out of training whole"
    statistic = headline_statistic(metric, rows, rows.predicted)
    found = by_resampling(rows, statistic, method, "undefined within groups", Sampling(resamples, seed))
    return {name: found.as_dict()}
