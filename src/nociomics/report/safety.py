"""Answers that a clinician must see, for the page of the person who gave them."""

from __future__ import annotations

import polars as pl

from nociomics.knowledge.instrument import load_instruments


def safety_lines(raised: pl.DataFrame | None) -> list[str]:
    """Say in one sentence each which answers call for a look, whatever the total.

    Parameters
    ----------
    raised : DataFrame or None
        One person's rows of `SAFETY_ITEMS`.

    Examples
    --------
    >>> row = {"visit": "baseline", "instrument": "phq_9", "item": "9", "points": 2.0, "concern": "self-harm"}
    >>> safety_lines(pl.DataFrame([row]))
    ['PHQ-9, item 9 (baseline): answered with 2 points. It may tell of self-harm: speak with the person.']
    """
    if raised is None:
        return []
    known = load_instruments()
    lines = []
    for row in raised.sort("visit", "instrument", "item").iter_rows(named=True):
        name = known[row["instrument"]].short_name if row["instrument"] in known else row["instrument"]
        lines.append(
            f"{name}, item {row['item']} ({row['visit']}): answered with {row['points']:g} {_points(row['points'])}. "
            f"It may tell of {row['concern']}: speak with the person."
        )
    return lines


def _points(amount: float) -> str:
    return "point" if amount == 1 else "points"
