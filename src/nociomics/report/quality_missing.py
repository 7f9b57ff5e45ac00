"""Rows of the section on what is missing."""

from __future__ import annotations

from typing import Any

import polars as pl

from nociomics.report.formats import plural, share
from nociomics.report.plots import share_strip
from nociomics.report.quality_plots import shares_strip
from nociomics.report.wording import modality_words, small_count

_MOST_PATTERNS = 20


def missing_rows(missingness: pl.DataFrame | None) -> list[dict[str, Any]]:
    """List modalities: who has any of it, who has all of it, how much is missing among those who have any."""
    if missingness is None:
        return []
    return [row | {"strip": _missing(row["missing_share"])} for row in missingness.to_dicts()]


def _missing(value: float) -> str:
    return share_strip(value, f"{share(value)} missing")


def pattern_rows(patterns: pl.DataFrame | None) -> list[dict[str, Any]]:
    """List combinations of modalities with the people who have them; small ones are put together."""
    if patterns is None or patterns.is_empty():
        return []
    total = int(patterns["people"].sum())
    every = list(dict.fromkeys(name for text in patterns["modalities"].to_list() for name in text.split(";") if name))
    rows = []
    for text, people in patterns.head(_MOST_PATTERNS).iter_rows():
        have = [name for name in every if name in text.split(";")]
        lack = [modality_words(name) for name in every if name not in have]
        strip = share_strip(people / total, f"{share(people / total)} of people")
        rows.append(
            {
                "words": "everything" if not lack else f"without {', '.join(lack)}" if have else "nothing",
                "people": small_count(people),
                "strip": strip if people >= 5 else "",
            }
        )
    rest = patterns.slice(_MOST_PATTERNS)
    if rest.height:
        words = plural(rest.height, "rarer combination")
        people = small_count(int(rest["people"].sum()))
        rows.append({"words": words, "people": people, "strip": ""})
    return rows


def instrument_rows(items: pl.DataFrame | None) -> list[dict[str, Any]]:
    """List questionnaires by visit: people, share of answers missing, the worst item, a bar for each item."""
    if items is None or items.is_empty():
        return []
    rows = []
    for (instrument, visit), part in items.group_by("instrument", "visit", maintain_order=True):
        shares = (part["missing"] / part["people"]).to_list()
        worst = max(range(len(shares)), key=lambda index: shares[index])
        rows.append(
            {
                "instrument": instrument,
                "visit": visit,
                "people": int(part["people"].max()),  # type: ignore[arg-type]
                "items": part.height,
                "missing": sum(shares) / len(shares),
                "worst": shares[worst],
                "worst_item": part["item"][worst] if shares[worst] > 0 else "",
                "strip": shares_strip([5 * one for one in shares], f"{instrument}: share missing by item"),
            }
        )
    return rows
