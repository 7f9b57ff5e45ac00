"""Do figures hold for everyone? Coverage and AUROC by sex, site and treatment."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from nociomics.evaluate.bootstrap import bootstrap_interval, mean_interval, mean_within
from nociomics.evaluate.discrimination import auroc_statistic
from nociomics.evaluate.estimate import finite
from nociomics.evaluate.intervals import cross_fitted_coverage
from nociomics.evaluate.received import event_rows

FEWEST = 60


def subgroup_table(received: pl.DataFrame, traits: list[str], resamples: int, seed: int) -> list[dict[str, Any]]:
    """Return AUROC and coverage for every level of every trait with at least 60 people.

    Parameters
    ----------
    received : DataFrame
        From `received.received_rows`, with ``covered`` (0/1 or null) and one text column per trait.
    traits : list of str
        Columns to split by.

    Returns
    -------
    list of dict
        ``trait, level, metric`` (auroc or coverage_90), ``n`` (people), ``value, lower, upper``. AUROC is the mean
        within repeats, not folds: a subgroup's part of a fold is too small.
    """
    found = []
    for trait in traits:
        for level in sorted(received[trait].drop_nulls().unique().to_list()):
            part = received.filter(pl.col(trait) == level)
            found += _auroc_row(part, trait, level, resamples, seed)
            found += _coverage_row(part, trait, level, resamples, seed)
    return found


def with_coverage(received: pl.DataFrame) -> pl.DataFrame:
    """Add ``covered``, ``half_width`` and ``marginal_half_width`` of 90 % intervals, cross-fitted within repeats."""
    usable = pl.col("observed").is_not_null() & pl.col("expected").is_not_null()
    parts = []
    for part in received.filter(usable).partition_by("repeat", maintain_order=True):
        result = cross_fitted_coverage(
            part["observed"].to_numpy(), part["expected"].to_numpy(), part["outer_fold"].to_numpy()
        )
        parts.append(
            part.select("patient_id", "repeat").with_columns(
                pl.Series("covered", result.covered).fill_nan(None),
                pl.Series("half_width", result.half_width).fill_nan(None),
                pl.Series("marginal_half_width", result.marginal_half_width).fill_nan(None),
            )
        )
    if not parts:
        names = ("covered", "half_width", "marginal_half_width")
        return received.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in names)
    return received.join(pl.concat(parts), on=["patient_id", "repeat"], how="left", maintain_order="left")


def _auroc_row(part: pl.DataFrame, trait: str, level: str, resamples: int, seed: int) -> list[dict[str, Any]]:
    rows = event_rows(part)
    if rows.n < FEWEST:
        return []
    statistic = mean_within(rows.repeat, lambda at: auroc_statistic(rows.y[at], rows.predicted[at]))
    return [
        _row(trait, level, "auroc", rows.n, bootstrap_interval(statistic, rows.people, resamples=resamples, seed=seed))
    ]


def _coverage_row(part: pl.DataFrame, trait: str, level: str, resamples: int, seed: int) -> list[dict[str, Any]]:
    kept = part.drop_nulls("covered")
    people = np.unique(kept["patient_id"].to_numpy(), return_inverse=True)[1]
    n = kept["patient_id"].n_unique()
    if n < FEWEST:
        return []
    found = mean_interval(kept["covered"].to_numpy(), people, resamples=resamples, seed=seed)
    return [_row(trait, level, "coverage_90", n, found)]


def _row(trait: str, level: str, metric: str, n: int, found: tuple[float, float, float]) -> dict[str, Any]:
    value, lower, upper = (finite(figure) for figure in found)
    return {"trait": trait, "level": level, "metric": metric, "n": n, "value": value, "lower": lower, "upper": upper}
