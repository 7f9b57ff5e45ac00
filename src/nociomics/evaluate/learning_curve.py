"""What more people would bring: the headline of models that learned from a share of each training part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from nociomics.evaluate.metric_sets import Sampling, headline, too_few
from nociomics.evaluate.permutation import headline_rows
from nociomics.evaluate.received import received_rows
from nociomics.tables.study import Target


def learning_points(
    out_of_fold: pl.DataFrame,
    shares: Mapping[float, pl.DataFrame],
    rows: pl.DataFrame,
    target: Target,
    sampling: Sampling,
) -> list[dict[str, Any]]:
    """Return one point per share of the training part.

    Parameters
    ----------
    out_of_fold : DataFrame
        As in `OUT_OF_FOLD`, from whole training parts; its first repeat is the point of share 1.
    shares : mapping of float to DataFrame
        Share -> predictions on the first repeat's folds by models that learned from that share.
    rows : DataFrame
        As in `TARGET_ROWS`.
    target : Target
        What is predicted.
    sampling : Sampling
        How intervals are drawn.

    Returns
    -------
    list of dict
        ``share, metric, value, lower, upper, n``, by share; points that cannot be measured have no value. Empty
        without shares.
    """
    if not shares:
        return []
    first = out_of_fold.filter(pl.col("repeat") == pl.col("repeat").min())
    return [_point(share, frame, rows, target, sampling) for share, frame in sorted({**shares, 1.0: first}.items())]


def _point(share: float, frame: pl.DataFrame, rows: pl.DataFrame, target: Target, sampling: Sampling) -> dict[str, Any]:
    metric, scored = headline_rows(received_rows(frame, rows, target), frame, target)
    point: dict[str, Any] = {"share": share, "metric": metric, "value": None, "lower": None, "upper": None}
    if too_few(scored):
        return {**point, "n": scored.n}
    found = headline(metric, scored, scored.predicted, "", "", sampling)
    return {**point, "value": found.value, "lower": found.lower, "upper": found.upper, "n": scored.n}
