"""The figures of single outer folds: how much a result depends on who was left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from nociomics.evaluate import continuous
from nociomics.evaluate.metric_sets import headline_figure
from nociomics.evaluate.permutation import headline_rows
from nociomics.evaluate.received import CELL, Rows, event_rows, received_rows, value_rows
from nociomics.tables.study import Target

SCHEMA = {"repeat": pl.Int64, "outer_fold": pl.Int64, "metric": pl.String, "value": pl.Float64, "people": pl.Int64}


def fold_figures(
    out_of_fold: pl.DataFrame, target_rows: pl.DataFrame, target: Target, cells: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the headline of every outer fold, and the errors of what was predicted there.

    The mean of the headline's known values is the study's headline. A single fold holds few people: its figures show
    spread, and none of them is a result.

    Parameters
    ----------
    out_of_fold, target_rows : DataFrame
        As in `OUT_OF_FOLD` and `TARGET_ROWS`.
    target : Target
        What was predicted.
    cells : DataFrame, optional
        From `confounding.confounded_cells`, where batches go with the outcome: then the headline counts within them.

    Returns
    -------
    DataFrame, one row per repeat, outer fold and metric
        ``repeat, outer_fold, metric, value, people``; the headline comes first; a value is null where it is not
        defined, such as an AUROC without events.
    """
    received = received_rows(out_of_fold, target_rows, target)
    if cells is not None:
        received = received.join(cells.select("patient_id", CELL), on="patient_id", how="left", maintain_order="left")
    headline, _ = headline_rows(received, out_of_fold, target)
    rows: list[dict[str, Any]] = []
    for (repeat, fold), part in sorted(received.group_by("repeat", "outer_fold", maintain_order=True)):
        for metric, value, people in _figures(headline, part, out_of_fold, target):
            known = value if value is not None and np.isfinite(value) else None
            rows.append({"repeat": repeat, "outer_fold": fold, "metric": metric, "value": known, "people": people})
    return pl.DataFrame(rows, schema=SCHEMA)


def _figures(
    headline: str, part: pl.DataFrame, out_of_fold: pl.DataFrame, target: Target
) -> Iterator[tuple[str, float | None, int]]:
    """Name, value and people of each figure of one fold; a fold in which nobody was observed has no values."""
    yield headline, *_measured(_headline_rows(headline, part, out_of_fold, target), headline)
    if headline == "auroc":
        yield "brier", *_measured(event_rows(part), "brier")
    if target.kind in ("change", "continuous"):
        yield "mae", *_measured(value_rows(part), "mae")


def _headline_rows(headline: str, part: pl.DataFrame, out_of_fold: pl.DataFrame, target: Target) -> Rows:
    """Rows of one fold for the headline of all of them: a fold without events does not change what is measured."""
    if headline == "auroc":
        return event_rows(part)
    return headline_rows(part, out_of_fold, target)[1] if headline == "accuracy" else value_rows(part)


def _measured(rows: Rows, metric: str) -> tuple[float | None, int]:
    if rows.n == 0:
        return None, 0
    y = np.asarray(rows.y, dtype=np.float64)
    if metric == "brier":
        return float(np.mean((y - rows.predicted) ** 2)), rows.n
    if metric == "mae":
        return continuous.mae(y, rows.predicted), rows.n
    return headline_figure(metric, rows, rows.predicted)(np.arange(y.size)), rows.n
