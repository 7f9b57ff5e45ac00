"""The plain table of what happened under each treatment, before any model."""

from __future__ import annotations

import polars as pl


def arm_table(target_rows: pl.DataFrame) -> pl.DataFrame:
    """Count people, outcomes, responders and adverse events per treatment.

    Parameters
    ----------
    target_rows : DataFrame, one row per person
        As in `tables.harmonised.TARGET_ROWS`.

    Returns
    -------
    DataFrame, one row per treatment, sorted by name; one row (treatment null) in a study without treatments
        ``treatment, people, with_outcome, responders, response_share_of_all, response_share_of_observed,
        mean_baseline, mean_outcome, mean_fall, adverse_events, adverse_known`` (people of whom an event, or none, is
        recorded). ``response_share_of_all`` counts people without an outcome as not responding; ``mean_fall`` is over
        people with both baseline and outcome, the other means over all who have the value; ``responders`` and both
        shares are null when the study has no response rule, ``adverse_events`` when none were recorded.
    """
    numbers = ("baseline", "outcome", "responded", "adverse_event")
    target_rows = target_rows.with_columns(pl.col(numbers).cast(pl.Float64))
    responded, event = pl.col("responded"), pl.col("adverse_event")
    has_rule, has_events = responded.count() > 0, event.count() > 0
    rule_anywhere = target_rows["responded"].count() > 0
    return (
        target_rows.group_by("treatment")
        .agg(
            people=pl.len(),
            with_outcome=pl.col("outcome").count(),
            responders=pl.when(pl.lit(rule_anywhere)).then(responded.sum().cast(pl.Int64)),
            response_share_of_all=pl.when(pl.lit(rule_anywhere)).then(responded.sum() / pl.len()),
            response_share_of_observed=pl.when(has_rule).then(responded.mean()),
            mean_baseline=pl.col("baseline").mean(),
            mean_outcome=pl.col("outcome").mean(),
            mean_fall=(pl.col("baseline") - pl.col("outcome")).mean(),
            adverse_events=pl.when(has_events).then(event.sum().cast(pl.Int64)),
            adverse_known=event.count().cast(pl.Int64),
        )
        .sort("treatment", nulls_last=True)
        .with_columns(pl.col("people", "with_outcome").cast(pl.Int64))
    )
