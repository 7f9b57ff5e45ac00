"""Answers that a clinician must see, whatever becomes of the score that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from nociomics.tables.finding import Finding
from nociomics.tables.harmonised import SAFETY_ITEMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nociomics.knowledge.instrument import Instrument


def safety_items(responses: pl.DataFrame, instruments: Mapping[str, Instrument]) -> pl.DataFrame:
    """List the answers that a clinician must see.

    The answer itself decides: whether its total could be scored does not matter.

    Parameters
    ----------
    responses : DataFrame, one row per answer
        As in `tables.ingested.RESPONSES`.

    Returns
    -------
    DataFrame, one row per answer
        As in `SAFETY_ITEMS`, by person, visit, instrument and item; no rows when there is none.
    """
    rules = pl.DataFrame(
        [
            (instrument.id, rule.item, float(rule.at_least), rule.concern, rule.status)
            for instrument in instruments.values()
            for rule in instrument.safety
        ],
        schema={
            "instrument": pl.String,
            "item": pl.String,
            "at_least": pl.Float64,
            "concern": pl.String,
            "provenance": pl.String,
        },
        orient="row",
    )
    asked = responses.join(rules, on=["instrument", "item"], how="inner", maintain_order="left")
    raised = asked.filter(pl.col("response") >= pl.col("at_least"))
    columns = [column.name for column in SAFETY_ITEMS.columns]
    listed = raised.rename({"response": "points"}).select(columns)
    return listed.sort("patient_id", "visit", "instrument", "item")


def safety_findings(raised: pl.DataFrame) -> list[Finding]:
    """Tell how many people gave such an answer, without saying who.

    Parameters
    ----------
    raised : DataFrame
        From `safety_items`.
    """
    people = raised["patient_id"].n_unique()
    if not people:
        return []
    message = (
        f"{people} people gave an answer that a clinician must see ({raised.height} answers). Who they are stands in "
        "the list of safety items, for the clinicians responsible"
    )
    return [Finding("questionnaires", None, "warning", people, message)]
