"""Feedback on cards: only how often a card was accepted or overridden, and for which of our reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from nociomics.service.hook_cards import OVERRIDE_CODES
from nociomics.service.refusal import Refusal

_OUTCOMES = ("accepted", "overridden")


def read_feedback(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (outcome, reason) of each entry; a reason that is not ours is ``other``, and comments are not kept.

    Raises
    ------
    Refusal
        400 with everything that the specification asks for and an entry lacks.

    Examples
    --------
    >>> at = {"outcomeTimestamp": "2026-11-21T10:00:00Z"}
    >>> read_feedback({"feedback": [{"card": "1", "outcome": "overridden", **at}]})
    [('overridden', 'none')]
    """
    entries = body.get("feedback")
    if not isinstance(entries, list) or not entries:
        raise Refusal(400, "bad_feedback", "feedback: must be a list of one entry or more.")
    problems = dict.fromkeys(problem for entry in entries for problem in _problems(entry))
    if problems:
        raise Refusal(400, "bad_feedback", " ".join(problems))
    return [(str(entry["outcome"]), _reason(entry)) for entry in entries]


def _problems(entry: Any) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield "feedback: every entry must be an object."
        return
    if not (isinstance(entry.get("card"), str) and entry["card"]):
        yield "feedback.card: must be the uuid of the card."
    if entry.get("outcome") not in _OUTCOMES:
        yield "feedback.outcome: must be accepted or overridden."
    if not _is_time(entry.get("outcomeTimestamp")):
        yield "feedback.outcomeTimestamp: must be a time with its zone, such as 2026-11-21T10:00:00Z."
    accepted = entry.get("acceptedSuggestions")
    named = isinstance(accepted, list) and accepted and all(isinstance(one, dict) and one.get("id") for one in accepted)
    if entry.get("outcome") == "accepted" and not named:
        yield "feedback.acceptedSuggestions: must be a list of objects with the id of a suggestion."


def _is_time(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _reason(entry: Mapping[str, Any]) -> str:
    given = entry.get("overrideReason")
    reason = given.get("reason") if isinstance(given, dict) else None
    code = reason.get("code") if isinstance(reason, dict) else None
    return "none" if given is None else str(code) if code in OVERRIDE_CODES else "other"
