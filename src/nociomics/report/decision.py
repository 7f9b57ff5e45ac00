"""Which treatment a profile may name, and the words for it: one person's, one for all, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from nociomics.report.formats import NOT_MEASURED, in_ten, is_null, number
from nociomics.report.options import HarmView
from nociomics.report.wording import NO_HETEROGENEITY, NOT_TESTED, headline_measure, plain_modality, verdict, was_tested
from nociomics.tables.study import Target

NOT_ENOUGH = "Not enough information to prefer one treatment."
OWN_RATING = (
    "Your own rating of your pain is what counts. No test on this page can overrule it. "
    "Talk with your care team before you change anything."
)

_FEW = 20  # our own choice: below it the plain half says that there are few


@dataclass(frozen=True)
class Decision:
    """What may be said about the choice of treatment.

    Parameters
    ----------
    kind : {"person", "all", "abstained", "no_choice"}
        The person's own recommendation; the same for all; none; a study without treatments.
    arm : str or None
        The treatment named.
    clinical, plain : str
        The sentence for either half of the page.
    reasons : tuple of str
        Why, as the gate and the rows tell it.
    """

    kind: Literal["person", "all", "abstained", "no_choice"]
    arm: str | None
    clinical: str
    plain: str
    reasons: tuple[str, ...] = ()


def decide(target: Target | None, gate: Mapping[str, Any] | None, effects: pl.DataFrame | None) -> Decision:
    """Read the decision off the gate and the person's rows of effects; nothing is decided anew.

    Parameters
    ----------
    target : Target or None
    gate : mapping or None
        As in `evaluation/gate.json`; None counts as closed without a best arm.
    effects : DataFrame or None
        The person's rows of `EFFECTS`.
    """
    if target is None or target.treatment is None:
        plain = "This study did not compare treatments, so this page does not name one."
        return Decision("no_choice", None, "The study compares no treatments.", plain)
    statuses = [] if effects is None else effects["status"].unique(maintain_order=True).to_list()
    abstained = tuple(status for status in statuses if status != "ok")
    if gate is None:
        return Decision(
            "abstained", None, NOT_ENOUGH, NOT_ENOUGH, ("whether patients differ was not tested", *abstained)
        )
    if not gate.get("individual_recommendations"):
        return _same_for_all(gate)
    named = [] if effects is None else effects["recommended"].drop_nulls().unique(maintain_order=True).to_list()
    if len(named) != 1:
        return Decision("abstained", None, NOT_ENOUGH, NOT_ENOUGH, abstained)
    clinical = f"The model's estimate is best with {named[0]} for patients like this."
    return Decision("person", named[0], clinical, f"For people like you, the model's estimate is best with {named[0]}.")


def _same_for_all(gate: Mapping[str, Any]) -> Decision:
    best, reasons = gate.get("best_fixed"), tuple(gate.get("reasons") or ())
    finding = NO_HETEROGENEITY if was_tested(gate) else NOT_TESTED
    plain = "The study found no sign that people differ in which treatment helps them most."
    if not was_tested(gate):
        plain = "The study could not test if people differ in which treatment helps them most."
    if best is None:
        return Decision("abstained", None, f"{NOT_ENOUGH} {finding}.", f"{NOT_ENOUGH} {plain}", reasons)
    clinical = f"{finding}: recommended for all: {best}. {NOT_ENOUGH[:-1]} for this person."
    return Decision("all", best, clinical, f"{plain} For the whole group, the best one was {best}.", reasons)


def plain_performance(metrics: Mapping[str, Any], gate: Mapping[str, Any] | None = None) -> str:
    """Say in plain words how far the model can be trusted."""
    measure = headline_measure(metrics, gate)
    if measure is None:
        return "We do not know how good the model is. It was not tested."
    judged = verdict(measure, metrics, gate)
    if judged == "found":
        return "In tests, the model did better than chance. It was still often wrong for single people."
    if judged == "unknown":
        return "We do not know how sure the model is. Please do not lean on these numbers."
    return "In tests, the model did no better than chance. So this part gives no numbers for you."


def has_own_numbers(metrics: Mapping[str, Any], gate: Mapping[str, Any] | None = None) -> bool:
    """Tell whether the plain half may give a person's own numbers: not from a model that found nothing."""
    measure = headline_measure(metrics, gate)
    return measure is None or verdict(measure, metrics, gate) in ("found", "unknown")


def plain_expected(target: Target | None, row: Mapping[str, Any]) -> str:
    """Say one treatment's estimate in plain words; a row without an answer says so.

    Parameters
    ----------
    target : Target or None
    row : mapping
        One row of `PREDICTIONS`.
    """
    expected, lower, upper = row.get("expected"), row.get("lower"), row.get("upper")
    if expected is None or is_null(expected):
        return "" if not is_null(row.get("p_response")) else "The model gives no answer here."
    if target is not None and target.kind == "change":
        start = f"The model expects your score to {_move(expected, 'fall', 'rise')}."
        if is_null(lower) or is_null(upper):
            return f"{start} How far off that may be is not known."
        return f"{start} It could be anything from {_step(lower)} to {_step(upper)}."  # type: ignore[arg-type]
    start = f"The model expects a value of {number(expected, 1)}."
    return (
        start
        if is_null(lower) or is_null(upper)
        else f"{start} It could lie from {number(lower, 1)} to {number(upper, 1)}."
    )


def _move(points: float, down: str, up: str) -> str:
    if round(points, 1) == 0:
        return "stay as it is"
    return f"{down if points > 0 else up} by {number(abs(points), 1)} points"


def _step(points: float) -> str:
    if round(points, 1) == 0:
        return "no change"
    return f"a {'fall' if points > 0 else 'rise'} of {number(abs(points), 1)}"


def plain_goal(target: Target | None) -> str | None:
    """Say in plain words what counts as success, or None when there is no rule."""
    if target is None:
        return None
    rule = target.response
    if rule is None:
        return "a yes in what the study asked" if target.kind == "binary" else None
    if rule.fall_percent is not None:
        return f"a score that falls by at least {rule.fall_percent:g}% from the start"
    if rule.fall_points is not None:
        return f"a score that falls by at least {rule.fall_points:g} points"
    return f"a score of {rule.at_most:g} or less at the end"


def plain_chance(p_response: float | None) -> str:
    """Say a chance as people out of ten."""
    if p_response is None or is_null(p_response):
        return "How many people like you reach the goal was not worked out."
    return f"The model expects {in_ten(p_response)} people like you to reach the goal."


def plain_similar(people: int | None) -> str:
    """Say in plain words how many people of the study are like this one."""
    if people is None:
        return "We do not know how many people in the study are like you."
    if people == 0:
        return "No one else in the study is much like you. So trust these numbers less."
    who = "one other person" if people == 1 else f"{people} other people"
    tail = " That is few, so trust these numbers less." if people < _FEW else ""
    return f"In the study, {who} gave data much like yours.{tail}"


def plain_harm(harm: HarmView | None, treatment: str | None) -> str:
    """Say in plain words how often a treatment did harm; empty when the study does not look at harm.

    Parameters
    ----------
    harm : HarmView or None
    treatment : str or None
    """
    told = None if harm is None else next((row for row in harm.rows if row["treatment"] == treatment), None)
    if told is None:
        return ""
    if told["harm"] == NOT_MEASURED:
        return "How often it has unwanted effects is not known."
    who = "people like you" if harm is not None and harm.personal else "people in the study"
    return f"Unwanted effects: in {told['harm']} of {who}."


def plain_reason(by_modality: list[tuple[str, float]], arm: str | None) -> list[str]:
    """Say which part of the data moved the model's estimate; the model's arithmetic, never a cause of pain.

    Parameters
    ----------
    by_modality : list of (modality, signed sum of SHAP values)
    arm : str or None
        Treatment explained.
    """
    with_arm = f" with {arm}" if arm else ""
    ups = [pair for pair in by_modality if pair[1] > 0]
    downs = [pair for pair in by_modality if pair[1] < 0]
    said = []
    if ups:
        name = plain_modality(max(ups, key=lambda pair: pair[1])[0])
        said.append(f"The model's estimate{with_arm} is higher because the model adds points for: {name}.")
    if downs:
        name = plain_modality(min(downs, key=lambda pair: pair[1])[0])
        said.append(
            f"The model's estimate{with_arm} is lower because the model takes off points for this part: {name}."
        )
    return [*said, "This shows how the model adds up. It does not show what causes your pain."] if said else []
