"""Who has which type of pain, and whether the figures hold for each: rows for the cohort report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from nociomics.report.charts_tables import subgroups_in_order
from nociomics.report.formats import interval, is_null, out_of
from nociomics.report.plots import share_strip

_FEWEST = 5
METRICS_BY_GROUP = {
    "auroc": "AUROC",
    "calibration_in_the_large": "calibration in the large",
    "coverage_90": "coverage of 90 % intervals",
    "accuracy": "accuracy",
}
_HELD_TO = "below the 0.85 that 200 people must reach"


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
    """Figures of each subgroup, and which are too small to show: ``trait, level, metric, text, n``.

    Parameters
    ----------
    curves : mapping
        ``subgroups``: from `evaluate.subgroups.subgroup_table`; optional.
    """
    return [
        {
            "trait": str(row["trait"]).replace("_", " "),
            "level": row["level"],
            "metric": METRICS_BY_GROUP.get(row["metric"], row["metric"]),
            "text": _text(row),
            "n": row["n"],
        }
        for row in subgroups_in_order(curves)
        if row.get("note") or not is_null(row["value"])
    ]


def subgroup_table(curves: Mapping[str, Any]) -> dict[str, Any] | None:
    """Lay the figures of `subgroup_rows` out with one line per group.

    Returns
    -------
    dict or None
        ``metrics`` (list of str) and ``groups``: ``trait, level, n`` (people with the first figure; null when too few
        to show) and ``texts``, one per metric. None when there are no subgroups.
    """
    rows = subgroup_rows(curves)
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        empty = {"trait": row["trait"], "level": row["level"], "n": None, "texts": dict.fromkeys(metrics, "")}
        group = groups.setdefault((row["trait"], row["level"]), empty)
        group["texts"][row["metric"]] = row["text"]
        group["n"] = group["n"] if group["n"] is not None else row["n"]
    return {"metrics": metrics, "groups": list(groups.values())} if groups else None


def _text(row: Mapping[str, Any]) -> str:
    if row.get("note"):
        return str(row["note"])
    text = interval(row["value"], row["lower"], row["upper"])
    return f"{text}, {_HELD_TO}" if row.get("accepted") is False else text
