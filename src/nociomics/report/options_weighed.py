"""The treatments in two orders: by benefit alone, and with harm weighed as the person or the study says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from nociomics.report.formats import is_null, number, share
from nociomics.report.options import group_harm, ordered_options
from nociomics.tables.study import Target

_SOURCES = {"patient": "this person's own weight", "study": "the study's weight, for people who gave none"}
NOT_ONE_PERSON = (
    "It orders nothing for one person here: the gate for individual recommendations is closed, and both orders would "
    "rest on estimates that are not shown to differ between people."
)
BY_BENEFIT = (
    "What is recommended stays as it is, by benefit alone. Net benefit is the expected benefit less the weight times "
    "the chance of an adverse event; it has no interval of its own, so places that lie close mean little."
)
SAME_ORDER = "Both orders are the same."
NOT_COMPARED = (
    "A treatment without a place is not compared: hardly anyone like this person got it, or a figure is lacking."
)
OF_THE_GROUP = "These are figures of the whole group as observed, so both orders are the same for everybody."
NOT_ADJUSTED = "Treatments were not drawn by lot: the figures are not adjusted for who got what."


@dataclass(frozen=True)
class WeighedView:
    """What a page shows of the second order.

    Parameters
    ----------
    sentence : str
        The weight, and where it came from.
    rows : list of dict
        ``treatment, benefit, harm, net, benefit_place, net_place`` in words, best net benefit first; empty while
        nothing may be ordered.
    notes : list of str
    """

    sentence: str
    rows: list[dict[str, str]]
    notes: list[str]


def weighed_view(
    target: Target | None, gate: Mapping[str, Any] | None, predictions: list[dict[str, Any]]
) -> WeighedView | None:
    """Set one person's two orders side by side.

    Parameters
    ----------
    target : Target or None
    gate : mapping or None
        While it is closed for individual recommendations the weight is named and nothing is ordered.
    predictions : list of dict
        The person's rows of `PREDICTIONS`, with what `export.harm_weights.weigh_harm` added.

    Returns
    -------
    WeighedView or None
        None when neither the person nor the study gave a weight.
    """
    first = predictions[0] if predictions else {}
    if target is None or is_null(first.get("harm_weight")):
        return None
    told = _SOURCES[first["harm_weight_source"]]
    sentence = _sentence(target, first["harm_weight"], told)
    if gate is None or not gate.get("individual_recommendations"):
        return WeighedView(sentence, [], [NOT_ONE_PERSON])
    known = [row for row in predictions if not is_null(row["net_benefit"])]
    if not known:
        return WeighedView(sentence, [], ["Benefit or harm of every treatment is unknown here, so nothing is ordered."])
    known.sort(key=lambda row: (row["net_benefit_place"], row["treatment"]))
    others = [row for row in predictions if is_null(row["net_benefit"])]
    rows = [_row(target, _benefit(target, row), row) for row in [*known, *others]]
    same = all(row["benefit_place"] == row["net_benefit_place"] for row in known)
    notes = [BY_BENEFIT, *([SAME_ORDER] if same else []), *([NOT_COMPARED] if others else [])]
    if str(first["status"]) != "ok":
        notes.append(f"The model gives no recommendation here: {first['status']}.")
    return WeighedView(sentence, rows, notes)


def weighed_group(
    target: Target | None, gate: Mapping[str, Any] | None, arms: pl.DataFrame | None
) -> WeighedView | None:
    """Order the whole group's figures with the study's weight; None where the study gives none, or lacks a figure."""
    if target is None or target.harm_weight is None or arms is None:
        return None
    benefit = _group_benefit(target, arms)
    found = ordered_options(benefit, group_harm(arms), target.harm_weight)
    found = [option for option in found if option.benefit is not None and option.harm is not None]
    if len(found) < 2:
        return None
    values = {option.treatment: (option.benefit or 0.0) - target.harm_weight * (option.harm or 0.0) for option in found}
    rows = []
    for option in sorted(found, key=lambda option: (-values[option.treatment], option.treatment)):
        places = {
            "p_adverse": option.harm,
            "net_benefit": values[option.treatment],
            "benefit_place": 1 + sum((other.benefit or 0.0) > (option.benefit or 0.0) for other in found),
            "net_benefit_place": 1 + sum(value > values[option.treatment] for value in values.values()),
        }
        rows.append(_row(target, option.benefit, {"treatment": option.treatment, **places}))
    same = all(row["benefit_place"] == row["net_place"] for row in rows)
    assignment = ((gate or {}).get("heterogeneity") or {}).get("assignment")
    notes = [OF_THE_GROUP, *([SAME_ORDER] if same else []), *([NOT_ADJUSTED] if assignment == "observational" else [])]
    return WeighedView(_sentence(target, target.harm_weight, "the study's weight"), rows, notes)


def _sentence(target: Target, weight: float, told: str) -> str:
    units = {"change": "points", "continuous": "units of the outcome", "binary": "responses"}[target.kind]
    return f"One adverse event counts as much as a benefit of {weight:g} {units}: {told}."


def _low_is_good(target: Target) -> bool:
    return target.kind == "continuous" and target.response is not None and target.response.at_most is not None


def _benefit(target: Target, row: Mapping[str, Any]) -> float | None:
    """Return the expected benefit, larger is better, on the scale of the weight."""
    value = row["expected"]
    return None if is_null(value) else -float(value) if _low_is_good(target) else float(value)


def _group_benefit(target: Target, arms: pl.DataFrame) -> dict[str, float | None]:
    name = {"change": "mean_fall", "continuous": "mean_outcome", "binary": "response_share_of_observed"}[target.kind]
    sign = -1.0 if _low_is_good(target) else 1.0
    rows = [row for row in arms.to_dicts() if row["treatment"] is not None]
    return {row["treatment"]: None if is_null(row.get(name)) else sign * float(row[name]) for row in rows}


def _row(target: Target, benefit: float | None, row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "treatment": str(row["treatment"]),
        "benefit": share(benefit) if target.kind == "binary" else number(benefit, 2, signed=True),
        "harm": share(row["p_adverse"]),
        "net": number(row["net_benefit"], 2, signed=True, null="not compared"),
        "benefit_place": number(row["benefit_place"], 0, null="not compared"),
        "net_place": number(row["net_benefit_place"], 0, null="not compared"),
    }
