"""The adverse event as a target of its own, and when there are too few of them to be modelled."""

from __future__ import annotations

import logging
from typing import Any

import polars as pl

from nociomics.errors import StudyError
from nociomics.tables.study import Target

FEWEST_EVENTS = 10
CLASS_THAT_HIDES_IT = "adverse"

_LOG = logging.getLogger(__name__)


def adverse_target(target: Target) -> Target | None:
    """Return the adverse event as a binary target of the same treatments, or None when the study names none."""
    if target.adverse_event is None:
        return None
    return Target(kind="binary", outcome=target.adverse_event, treatment=target.treatment, groups=target.groups)


def adverse_rows(target_rows: pl.DataFrame) -> pl.DataFrame:
    """Return target rows whose outcome is the adverse event; people without a record of it stay, without outcome."""
    event = pl.col("adverse_event").cast(pl.Float64)
    return target_rows.with_columns(
        baseline=pl.lit(None, dtype=pl.Float64),
        outcome=event,
        label=event.cast(pl.Int64).cast(pl.String),
        response_value=event,
        responded=event,
    )


def adverse_status(target_rows: pl.DataFrame, target: Target) -> dict[str, Any]:
    """Say whether the adverse event can be modelled.

    Returns
    -------
    dict
        ``outcome`` (column), ``modelled`` (bool), ``people`` (with a record), ``events``, ``reason`` (str or null).

    Raises
    ------
    StudyError
        When a class of the outcome is called "adverse": its probability would stand in the same column.
    """
    known = adverse_rows(target_rows)["responded"].drop_nulls()
    people, events = len(known), int(known.sum())
    classes = target_rows["label"].drop_nulls().unique().to_list() if target.kind == "multiclass" else []
    if target.adverse_event is not None and CLASS_THAT_HIDES_IT in classes:
        raise StudyError(
            f'target.adverse_event: the outcome "{target.outcome}" has a class called "{CLASS_THAT_HIDES_IT}", whose '
            f"probabilities would stand in the same column, p_{CLASS_THAT_HIDES_IT}. Rename the class (values_map)."
        )
    reason = None
    if target.adverse_event is not None and min(events, people - events) < FEWEST_EVENTS:
        reason = f"too few to model: {events} events in {people} people (at least {FEWEST_EVENTS} of either kind)"
        _LOG.warning('target.adverse_event "%s": %s', target.adverse_event, reason)
    return {
        "outcome": target.adverse_event,
        "modelled": target.adverse_event is not None and reason is None,
        "people": people,
        "events": events,
        "reason": reason,
    }
