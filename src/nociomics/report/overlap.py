"""The section on treatments that were not randomised: who got what, how alike the groups are, what could be hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nociomics.report.formats import count, interval, is_null, number

ADJUSTED = (
    "Treatments were not assigned at random. Differences between them are adjusted associations: they hold as far as "
    "the traits below explain who got what, and no further."
)


def overlap_view(curves: Mapping[str, Any]) -> dict[str, Any] | None:
    """Words and rows of the overlap report; None in a randomised study.

    Parameters
    ----------
    curves : mapping
        ``overlap``: from `evaluate.overlap.overlap_report`; optional.
    """
    report = curves.get("overlap")
    if not report:
        return None
    return {
        "sentence": ADJUSTED,
        "outside": _outside(report),
        "arms": [_arm_row(row) for row in report["arms"]],
        "balance": _balance(report["balance"]),
        "rows": [
            {
                "covariate": row["covariate"].replace("_", " "),
                "before": number(row["before"], 2),
                "after": number(row["after"], 2),
            }
            for row in report["balance"]["rows"]
        ],
        "sensitivity": [_sensitivity_row(row) for row in report["sensitivity"]],
        "value": _doubt(report["sensitivity"]),
    }


def dropout_sentence(metrics: Mapping[str, Any], gate: Mapping[str, Any] | None) -> str | None:
    """Say how many people have no outcome, and how the headline moves when it is weighted for them.

    None when nobody lacks it, or nothing was predicted.
    """
    name = (gate or {}).get("headline")
    missing = metrics.get("outcome_missing")
    if name is None or missing is None or not missing["value"]:
        return None
    people = round(missing["value"] * missing["n"])
    share = f"{count(people)} of {count(missing['n'])} people"
    lacking = f"{share} have no outcome that can be counted. They are predicted, but no figure rests on them"
    weighted, plain = metrics.get(f"{name}_ipcw"), metrics.get(name)
    if weighted is None or plain is None or is_null(weighted["value"]) or is_null(plain["value"]):
        return f"{lacking}; they are too few to say whether that matters."
    return (
        f"{lacking}. When people like them count more (weights from baseline and treatment), the headline moves from "
        f"{number(plain['value'], 2)} to {interval(weighted['value'], weighted['lower'], weighted['upper'])}."
    )


def _outside(report: Mapping[str, Any]) -> str:
    share = f"{count(report['outside'])} of {count(report['people'])} people"
    return (
        f"{share} had a chance below {number(report['threshold'], 2)} of some treatment: hardly anyone like them got "
        "it, so they are left out of every comparison. No chance was clipped."
    )


def _arm_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "treatment": row["treatment"],
        "people": row["people"],
        "effective": number(row["effective"], 0),
        "least": number(row["least"], 2),
        "fifth": number(row["fifth"], 2),
        "median": number(row["median"], 2),
        "below": row["below"],
    }


def _balance(balance: Mapping[str, Any]) -> str:
    if not balance["covariates"]:
        return "Balance: not measured."
    words = (
        f"Of {balance['covariates']} traits, {balance['above_before']} differed by more than 0.1 standard deviations "
        f"between some two treatments before weighting and {balance['above_after']} after it; the largest difference "
        f"was {number(balance['largest_before'], 2)} and is {number(balance['largest_after'], 2)}."
    )
    if is_null(balance["by_chance"]):
        return words
    return (
        f"{words} Between groups of this size, chance alone takes one trait in 20 beyond "
        f"{number(balance['by_chance'], 2)} even in a randomised study."
    )


def _doubt(rows: list[dict[str, Any]]) -> str | None:
    """Say, beside the worth of the model's choice, what could make it look larger than it is; None without a gain."""
    gain = next((row for row in rows if row["comparison"] == "policy_gain"), None)
    if gain is None:
        return None
    words = (
        "These values are adjusted associations. The adjusting is never complete, since the chance of each treatment "
        "is itself an estimate, and what was not measured is not adjusted for at all; both can make a choice look "
        "better than it is, and the intervals tell neither."
    )
    if is_null(gain["e_value"]) or is_null(gain["value"]) or gain["value"] <= 0:
        return words
    limit = number(gain["e_value_limit"], 1)
    return (
        f"{words} A hidden trait that goes with treatment and outcome by a risk ratio of {number(gain['e_value'], 1)} "
        f"each would explain the model's gain away (E-value; {limit} would do for the interval's end)."
    )


def _sensitivity_row(row: Mapping[str, Any]) -> dict[str, Any]:
    gain = row["comparison"] == "policy_gain"
    return {
        "comparison": "the model's choice against the best single treatment" if gain else row["comparison"],
        "difference": interval(row["value"], row["lower"], row["upper"]),
        "e_value": number(row["e_value"], 1),
        "limit": number(row["e_value_limit"], 1),
    }
