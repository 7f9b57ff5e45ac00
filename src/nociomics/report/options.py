"""Benefit and harm of every treatment side by side, and their order under weights that are said openly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from nociomics.report.formats import is_null, number, share
from nociomics.tables.study import Target

HARM_FIRST = None
GATE_CLOSED = (
    "These are figures of the whole group, so the order is the same for everybody: the gate for individual "
    "recommendations is closed."
)
OWN_FIGURES = "These are the model's estimates for people like this; each weight below gives its own order."
NO_COMMON_SCALE = (
    "Benefit is in points and harm is a chance, so no weight of one against the other is made up here: "
    "name a response rule to weigh them."
)
NOT_ADJUSTED = "Treatments were not drawn by lot: these counts are not adjusted for who got what."


@dataclass(frozen=True)
class Weighting:
    """One way to weigh harm against benefit; ``harm_weight`` None: least harm first, benefit second."""

    name: str
    harm_weight: float | None
    meaning: str


BENEFIT_ONLY = Weighting("Benefit only", 0.0, "harm does not count")
EQUAL = Weighting("Equal", 1.0, "one adverse event avoided counts as much as one more response")
FIRST_HARM = Weighting("Harm first", HARM_FIRST, "the least harm; of equal harm, the larger benefit")


@dataclass(frozen=True)
class Option:
    """A treatment in an order.

    Parameters
    ----------
    treatment : str
    benefit, harm : float or None
        Chance of a response (or expected points, larger is better); chance of an adverse event.
    value : float or None
        Benefit less weighted harm; the harm itself when harm comes first. None when a figure that counts is unknown.
    """

    treatment: str
    benefit: float | None
    harm: float | None
    value: float | None


def ordered_options(
    benefit: Mapping[str, float | None], harm: Mapping[str, float | None], harm_weight: float | None
) -> list[Option]:
    """Order treatments by benefit less harm times its weight; nothing but these three decides.

    Parameters
    ----------
    benefit, harm : mapping of treatment to float or None
        Larger benefit is better; harm is a chance. None: not known.
    harm_weight : float or None
        How much benefit one adverse event outweighs; 0: harm does not count; None: least harm first.

    Returns
    -------
    list of Option
        Best first; treatments of which a figure that counts is unknown stand last, by name.

    Examples
    --------
    >>> [o.treatment for o in ordered_options({"a": 0.6, "b": 0.5}, {"a": 0.4, "b": 0.1}, 1.0)]
    ['b', 'a']
    >>> [o.treatment for o in ordered_options({"a": 0.6, "b": 0.5}, {"a": 0.4, "b": None}, 0.0)]
    ['a', 'b']
    """
    options = [_option(name, benefit[name], harm.get(name), harm_weight) for name in benefit]
    return sorted(options, key=lambda option: _place(option, harm_first=harm_weight is None))


def _option(treatment: str, gain: float | None, harm: float | None, weight: float | None) -> Option:
    gain, harm = (None if is_null(gain) else gain), (None if is_null(harm) else harm)
    value = harm if weight is None else gain if weight == 0 else None
    if weight and gain is not None and harm is not None:
        value = gain - weight * harm
    return Option(treatment, gain, harm, value)


def _place(option: Option, *, harm_first: bool) -> tuple[bool, float, float, str]:
    if option.value is None:
        return (True, 0.0, 0.0, option.treatment)
    if not harm_first:
        return (False, -option.value, 0.0, option.treatment)
    return (False, option.value, -option.benefit if option.benefit is not None else float("inf"), option.treatment)


@dataclass(frozen=True)
class HarmView:
    """What a page shows of harm beside benefit.

    Parameters
    ----------
    rows : list of dict
        ``treatment, benefit, harm``, in words, by name: an order is a claim, too.
    orders : list of (Weighting, list of str)
        The treatments, best first, under each weighting.
    notes : list of str
        What these figures are.
    personal : bool
        The person's own estimates; false: the group's figures.
    """

    rows: list[dict[str, str]]
    orders: list[tuple[Weighting, list[str]]]
    notes: list[str]
    personal: bool


def harm_view(
    target: Target | None,
    gate: Mapping[str, Any] | None,
    predictions: list[dict[str, Any]],
    arms: pl.DataFrame | None,
) -> HarmView | None:
    """Set benefit and harm of every treatment side by side.

    Parameters
    ----------
    target : Target or None
    gate : mapping or None
        While it is closed for individual recommendations, the figures are the group's, the same for everybody.
    predictions : list of dict
        A person's rows of `PREDICTIONS`; empty for the whole group.
    arms : DataFrame or None
        As in `ARMS`.

    Returns
    -------
    HarmView or None
        None when the study compares no treatments or names no adverse event, or nothing of it is known.
    """
    if target is None or target.treatment is None or target.adverse_event is None:
        return None
    is_open = gate is not None and bool(gate.get("individual_recommendations"))
    own = bool(predictions) and is_open and any(not is_null(row.get("p_adverse")) for row in predictions)
    benefit, harm, in_points = _own(target, predictions) if own else _group(target, arms)
    if not benefit or all(value is None for value in harm.values()):
        return None
    weightings = [BENEFIT_ONLY, FIRST_HARM] if in_points else [BENEFIT_ONLY, EQUAL, FIRST_HARM]
    rows = [
        {"treatment": name, "benefit": _benefit(benefit[name], in_points), "harm": share(harm.get(name))}
        for name in sorted(benefit)
    ]
    orders = [
        (one, [option.treatment for option in ordered_options(benefit, harm, one.harm_weight)]) for one in weightings
    ]
    notes = [OWN_FIGURES if own else GATE_CLOSED if not is_open else "These are figures of the whole group."]
    heterogeneity = (gate or {}).get("heterogeneity") or {}
    if not own and heterogeneity.get("assignment") == "observational":
        notes.append(NOT_ADJUSTED)
    return HarmView(rows, orders, [*notes, *([NO_COMMON_SCALE] if in_points else [])], own)


_Figures = dict[str, float | None]


def _own(target: Target, predictions: list[dict[str, Any]]) -> tuple[_Figures, _Figures, bool]:
    in_points = all(is_null(row.get("p_response")) for row in predictions)
    column = "expected" if in_points else "p_response"
    benefit = {str(row["treatment"]): row.get(column) for row in predictions}
    return benefit, {str(row["treatment"]): row.get("p_adverse") for row in predictions}, in_points


def _group(target: Target, arms: pl.DataFrame | None) -> tuple[_Figures, _Figures, bool]:
    """Shares and means as observed, per treatment."""
    if arms is None:
        return {}, {}, False
    rows = [row for row in arms.to_dicts() if row["treatment"] is not None]
    in_points = all(is_null(row.get("response_share_of_observed")) for row in rows)
    points = "mean_fall" if target.kind == "change" else "mean_outcome"
    benefit = {row["treatment"]: row.get(points if in_points else "response_share_of_observed") for row in rows}
    return benefit, group_harm(arms), in_points


def group_harm(arms: pl.DataFrame) -> dict[str, float | None]:
    """Share of people with the adverse event, as observed, per treatment."""
    return {row["treatment"]: harm_share(row) for row in arms.to_dicts() if row["treatment"] is not None}


def harm_share(row: Mapping[str, Any]) -> float | None:
    """Share of people with the adverse event among those of whom it, or none, is recorded."""
    events, known = row.get("adverse_events"), row.get("adverse_known")
    return None if is_null(events) or not known else float(events) / float(known)  # type: ignore[arg-type]


def _benefit(value: float | None, in_points: bool) -> str:
    return number(value, 1, signed=True) if in_points else share(value)
