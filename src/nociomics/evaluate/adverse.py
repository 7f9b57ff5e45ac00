"""Harm: the adverse event judged as any other event is, so that it can stand beside benefit."""

from __future__ import annotations

import polars as pl

from nociomics.evaluate.estimate import Estimate, estimate, not_computed
from nociomics.evaluate.metric_sets import Sampling, event_metrics
from nociomics.evaluate.received import event_rows, received_rows
from nociomics.models.adverse_event import FEWEST_EVENTS, adverse_rows, adverse_target
from nociomics.tables.study import Target

PREFIX = "adverse_"


def adverse_metrics(
    out_of_fold: pl.DataFrame, target_rows: pl.DataFrame, target: Target, sampling: Sampling
) -> dict[str, Estimate]:
    """Judge the predicted chance of an adverse event under the treatment received.

    Parameters
    ----------
    out_of_fold : DataFrame
        As in `OUT_OF_FOLD`, from models of the adverse event; no rows when the event was too rare to model.
    target_rows : DataFrame
        As in `TARGET_ROWS`.
    target : Target
        Names the adverse event; without one there are no figures.

    Returns
    -------
    dict of str to Estimate
        ``adverse_n``, ``adverse_n_events`` and every figure of an event under the prefix ``adverse_``; a reason in
        place of the figure when there are fewer than 10 events or 10 people without one.
    """
    own = adverse_target(target)
    if own is None:
        return {}
    rows = adverse_rows(target_rows)
    known = rows["responded"].drop_nulls()
    people, events = len(known), int(known.sum())
    found = {
        "n": estimate(people, people, "people of whom an adverse event, or none, is recorded"),
        "n_events": estimate(events, people, "people with the adverse event"),
    }
    judged = event_metrics(event_rows(received_rows(out_of_fold, rows, own)), sampling)
    if min(events, people - events) < FEWEST_EVENTS:
        few = f"too few to model: {events} events in {people} people (at least {FEWEST_EVENTS} of either kind)"
        judged = {name: not_computed(few, people) for name in judged}
    return {f"{PREFIX}{name}": one for name, one in {**found, **judged}.items()}
