"""What happened in each treatment group, as counts and means; nothing modelled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import polars as pl

from nociomics.report.formats import NOT_MEASURED, count, is_null, number, out_of, share

_Z95 = 1.959963984540054


def wilson_interval(part: int, whole: int) -> tuple[float, float]:
    """95% interval of a share by Wilson's score (1927), which stays within 0 and 1.

    Examples
    --------
    >>> tuple(round(end, 4) for end in wilson_interval(33, 50))
    (0.5215, 0.7756)
    """
    centre = (part + _Z95**2 / 2) / (whole + _Z95**2)
    spread = _Z95 / (whole + _Z95**2) * math.sqrt(part * (whole - part) / whole + _Z95**2 / 4)
    return max(0.0, centre - spread), min(1.0, centre + spread)


@dataclass(frozen=True)
class ArmRow:
    """One treatment group in words (responders as count and share), and the share observed for drawing."""

    treatment: str
    people: str
    with_outcome: str
    without_outcome: str
    responders_of_all: tuple[str, str]
    responders_of_observed: tuple[str, str]
    baseline: str
    outcome: str
    fall: str
    adverse_events: str
    share: float | None
    lower: float | None
    upper: float | None


def _responders(part: int | None, whole: int | None) -> tuple[str, str]:
    """Count of the whole, and the share with its interval."""
    if part is None or not whole:
        return NOT_MEASURED, ""
    low, high = wilson_interval(part, whole)
    return out_of(part, whole), f"{share(part / whole)} ({share(low)} to {share(high)})"


def arm_rows(arms: pl.DataFrame) -> list[ArmRow]:
    """Write the arm table row by row.

    Parameters
    ----------
    arms : DataFrame, one row per treatment
        ``treatment, people, with_outcome, responders, mean_baseline, mean_outcome, mean_fall,
        adverse_events, adverse_known``; any may be null or missing but the first two. Responders are given twice, of
        all people (who is missing counts as not responding) and of those observed.
    """
    unnamed = "everyone" if arms.height == 1 else "none recorded, or one that fewer than 10 people got"
    return [_arm_row(row, unnamed) for row in arms.iter_rows(named=True)]


def _arm_row(row: dict[str, Any], unnamed: str) -> ArmRow:
    people, observed, responders = row["people"], row.get("with_outcome"), row.get("responders")
    share_known: float | None = None
    low: float | None = None
    high: float | None = None
    if responders is not None and observed:
        share_known = responders / observed
        low, high = wilson_interval(responders, observed)
    return ArmRow(
        treatment=str(row["treatment"]) if row["treatment"] is not None else unnamed,
        people=count(people),
        with_outcome=count(observed),
        without_outcome=NOT_MEASURED if observed is None else count(people - observed),
        responders_of_all=_responders(responders, people),
        responders_of_observed=_responders(responders, observed),
        baseline=number(row.get("mean_baseline")),
        outcome=number(row.get("mean_outcome")),
        fall=number(row.get("mean_fall")),
        adverse_events=_adverse(row.get("adverse_events"), row.get("adverse_known") or people),
        share=share_known,
        lower=low,
        upper=high,
    )


def _adverse(value: float | None, people: int) -> str:
    """Write a count of the people of whom it is known; a fraction was given as a share."""
    if value is None or is_null(value):
        return NOT_MEASURED
    return out_of(int(value), people) if float(value) == int(value) else share(value)
