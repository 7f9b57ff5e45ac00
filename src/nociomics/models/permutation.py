"""Outcomes dealt out anew: what a pipeline finds where there is nothing to find."""

from __future__ import annotations

import numpy as np
import polars as pl

from nociomics.models.people_order import content_order

_OUTCOME = ("outcome", "label", "response_value", "responded", "adverse_event")
_WITHIN = ("treatment", "group")


def permuted_outcomes(rows: pl.DataFrame, features: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Deal the outcomes out anew among people of the same treatment and group.

    Everything that belongs to an outcome moves together, missing outcomes too; baseline, treatment and group stay. What
    treatment and site alone say about the outcome is therefore left as it was.

    Parameters
    ----------
    rows, features : DataFrame, one row per person
        As in `TARGET_ROWS` and `FEATURES`, same people in the same order.
    seed : int
        Of this one permutation.

    Returns
    -------
    DataFrame
        As `rows`. Neither ids nor the order of the tables decide who gets which outcome.
    """
    rng = np.random.default_rng(seed)
    moved = np.arange(rows.height)
    order = content_order(features.hstack(rows.drop("patient_id")))
    cells = rows.select(pl.struct(pl.col(_WITHIN).cast(pl.String)).rank("dense")).to_series().to_numpy()[order]
    for cell in np.unique(cells):
        inside = order[cells == cell]
        moved[inside] = rng.permutation(inside)
    outcomes = [name for name in _OUTCOME if name in rows.columns]
    return rows.with_columns(rows.select(outcomes)[moved])
