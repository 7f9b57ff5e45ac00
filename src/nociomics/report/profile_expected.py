"""What the model expects for one person: each treatment on one scale, classes, and differences between treatments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from nociomics.report.decision import Decision
from nociomics.report.formats import interval, is_null, share
from nociomics.report.options import HarmView
from nociomics.report.plots import Scale, axis_strip, interval_strip, share_strip
from nociomics.tables.study import Target

_MOST_SHOWN = 6  # pairs of treatments that stand open; the others are folded away


def threshold_of(target: Target | None, features: Mapping[str, Any]) -> float | None:
    """Work out the fall that counts as a response for this person, when baseline and rule say it."""
    if target is None or target.kind != "change" or target.response is None:
        return None
    rule = target.response
    if rule.fall_points is not None:
        return rule.fall_points
    baseline = features.get(target.baseline or "")
    if not isinstance(baseline, int | float) or is_null(baseline):
        return None
    if rule.fall_percent is not None:
        return rule.fall_percent / 100 * baseline
    return None if rule.at_most is None else baseline - rule.at_most


def expected_view(
    target: Target | None, features: Mapping[str, Any], predictions: list[dict[str, Any]], harm: HarmView | None
) -> dict[str, Any] | None:
    """Dot and interval per treatment on one scale, with the line that counts as a response.

    A status that all treatments share is said once, above them.

    Parameters
    ----------
    target : Target or None
    features : mapping of feature to value
        The person's own; the baseline tells what counts as a response.
    predictions : list of dict
        Rows of `PREDICTIONS`, in the order of the page.
    harm : HarmView or None
        A chance of harm stands beside each treatment when it is the person's own.
    """
    if not predictions:
        return None
    answered = [row for row in predictions if not is_null(row["expected"]) or not is_null(row["p_response"])]
    ends = [row[name] for row in answered for name in ("expected", "lower", "upper")]
    threshold = threshold_of(target, features)
    is_change = target is not None and target.kind == "change"
    include = ([0.0] if is_change else []) + ([threshold] if threshold is not None else [])
    scale = Scale.around(ends, include=include)
    reference = threshold if threshold is not None else (0.0 if is_change else None)
    personal = harm is not None and harm.personal
    rows = [_expected_row(row, scale, reference, personal=personal) for row in predictions]
    drawn = any(not is_null(row["expected"]) for row in predictions)
    return {
        "rows": rows,
        "axis": axis_strip(scale, "Scale of expected values") if drawn else None,
        "drawn": drawn,
        "threshold": threshold,
        "is_change": is_change,
        "harm": personal,
        "chance": any(not is_null(row["p_response"]) for row in predictions),
        **shared_status(rows),
    }


def _expected_row(row: dict[str, Any], scale: Scale, reference: float | None, *, personal: bool) -> dict[str, Any]:
    text = interval(row["expected"], row["lower"], row["upper"])
    label = f"{row['treatment'] or 'outcome'}: {text}"
    return {
        "treatment": row["treatment"] or "no treatment",
        "text": text,
        "strip": interval_strip(row["expected"], row["lower"], row["upper"], scale, label, reference=reference),
        "p_response": share(row["p_response"]),
        "p_adverse": share(row.get("p_adverse")) if personal else None,
        "status": row["status"],
    }


def shared_status(rows: list[dict[str, Any]]) -> dict[str, str | bool]:
    """Say a status once where all rows share it: ``status`` is it ("" for ok); ``by_row``: they differ."""
    found = {row["status"] for row in rows}
    if len(found) == 1:
        only = next(iter(found))
        return {"status": "" if only == "ok" else only, "by_row": False}
    return {"status": "", "by_row": bool(found)}


def class_rows(predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Probability of each class, for a target of classes."""
    return [
        {
            "treatment": row["treatment"],
            "name": name.removeprefix("p_"),
            "share": value,
            "text": share(value),
            "strip": share_strip(value, f"{name.removeprefix('p_')}: {share(value)}"),
        }
        for row in predictions
        for name, value in row.items()
        if name.startswith("p_") and name not in ("p_response", "p_adverse") and not is_null(value)
    ]


def differences_view(
    gate: Mapping[str, Any] | None, effects: pl.DataFrame | None, decision: Decision
) -> dict[str, Any] | None:
    """Pairs of treatments, turned so that the recommended one comes first; hidden while the gate is closed.

    Pairs of the recommended treatment stand open, and all of them where there are few; the others are folded away.
    """
    is_open = gate is not None and bool(gate.get("individual_recommendations"))
    if not is_open or effects is None or not effects.height or decision.kind not in ("person", "abstained"):
        return None
    rows = [_turned(row, decision.arm) for row in effects.iter_rows(named=True)]
    rows.sort(key=lambda row: (row["first"] != decision.arm, row["first"], row["second"]))
    scale = Scale.around([row[name] for row in rows for name in ("effect", "lower", "upper")], include=[0])
    for row in rows:
        row["text"] = interval(row["effect"], row["lower"], row["upper"], signed=True)
        row["p_better"] = share(row["p_better"])
        label = f"{row['first']} rather than {row['second']}: {row['text']}"
        row["strip"] = interval_strip(row["effect"], row["lower"], row["upper"], scale, label, reference=0)
    own = [row for row in rows if decision.arm is not None and row["first"] == decision.arm]
    shown = own if own else rows if len(rows) <= _MOST_SHOWN else []
    return {
        "shown": shown,
        "folded": [row for row in rows if row not in shown],
        "axis": axis_strip(scale, "Scale of differences"),
        **shared_status(rows),
    }


def _turned(row: dict[str, Any], first: str | None) -> dict[str, Any]:
    a, b = row["treatment_a"], row["treatment_b"]
    kept = {"status": row["status"]}
    if first is None or b != first:
        figures = {name: row[name] for name in ("effect", "lower", "upper", "p_better")}
        return kept | figures | {"first": a, "second": b}
    negative = {name: None if row[name] is None else -row[name] for name in ("effect", "lower", "upper")}
    better = None if row["p_better"] is None else 1 - row["p_better"]
    ends = {"effect": negative["effect"], "lower": negative["upper"], "upper": negative["lower"]}
    return kept | ends | {"p_better": better, "first": b, "second": a}
