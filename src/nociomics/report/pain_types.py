"""Who has which type of pain, and whether the figures hold for each: rows for the cohort report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from nociomics.report.formats import interval, is_null, out_of
from nociomics.report.plots import share_strip

_FEWEST = 5
_METRICS = {"auroc": "AUROC", "coverage_90": "coverage of 90 % intervals"}


def pain_type_rows(pain_types: pl.DataFrame | None) -> list[dict[str, Any]]:
    """Count people per type of pain, the most frequent first and those without one last.

    Parameters
    ----------
    pain_types : DataFrame or None, one row per person
        ``patient_id, pain_type``; None when the study does not record it.

    Returns
    -------
    list of dict
        ``name, people, strip``; counts below 5 are not told, since they may point at a person.
    """
    if pain_types is None or pain_types["pain_type"].null_count() == pain_types.height:
        return []
    order = [pl.col("pain_type").is_null(), pl.col("len"), pl.col("pain_type")]
    counted = pain_types.group_by("pain_type").len().sort(order, descending=[False, True, False])
    return [_row(name, people, pain_types.height) for name, people in counted.iter_rows()]


def _row(name: str | None, people: int, everybody: int) -> dict[str, Any]:
    words = f"fewer than {_FEWEST}" if people < _FEWEST else out_of(people, everybody)
    drawn = None if people < _FEWEST else share_strip(people / everybody, words)
    return {"name": "not recorded" if name is None else name, "people": words, "strip": drawn}


def subgroup_rows(curves: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Figures of each subgroup that has enough people: ``trait, level, metric, text, n``.

    Parameters
    ----------
    curves : mapping
        ``subgroups``: from `evaluate.subgroups.subgroup_table`; optional.
    """
    return [
        {
            "trait": str(row["trait"]).replace("_", " "),
            "level": row["level"],
            "metric": _METRICS.get(row["metric"], row["metric"]),
            "text": interval(row["value"], row["lower"], row["upper"]),
            "n": row["n"],
        }
        for row in curves.get("subgroups") or []
        if not is_null(row["value"])
    ]
