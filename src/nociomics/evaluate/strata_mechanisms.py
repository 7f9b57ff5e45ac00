"""Where people with rule-based evidence for a kind of pain are among the strata."""

from __future__ import annotations

import polars as pl

from nociomics.harmonise.pain_mechanisms import TOGETHER
from nociomics.tables.contract import empty_frame
from nociomics.tables.results import MECHANISM_BY_STRATUM

NOT_PLACED = "not placed"


def mechanism_by_stratum(mechanisms: pl.DataFrame, assignments: pl.DataFrame) -> pl.DataFrame:
    """Cross what the rules say with where the data place people; where the two differ, neither is right by itself.

    Parameters
    ----------
    mechanisms : DataFrame
        As in `PAIN_MECHANISMS`; its rows ``together`` are counted.
    assignments : DataFrame, one row per person
        As in `ASSIGNMENTS`.

    Returns
    -------
    DataFrame, one row per stratum, mechanism and evidence
        As in `MECHANISM_BY_STRATUM`; combinations without people have no row.
    """
    strata = assignments.select("patient_id", pl.col("stratum").fill_null(NOT_PLACED))
    together = mechanisms.filter(pl.col("rule") == TOGETHER).join(strata, on="patient_id", how="left")
    rows = together.with_columns(pl.col("stratum").fill_null(NOT_PLACED))
    counted = rows.group_by("stratum", "mechanism", "evidence").agg(people=pl.len().cast(pl.Int64))
    shares = counted.with_columns(
        of_stratum=pl.col("people") / pl.col("people").sum().over("stratum", "mechanism"),
        of_everybody=pl.col("people").sum().over("mechanism", "evidence") / pl.col("people").sum().over("mechanism"),
    )
    ordered = shares.sort("stratum", "mechanism", "evidence")
    return ordered.select(empty_frame(MECHANISM_BY_STRATUM).columns)
