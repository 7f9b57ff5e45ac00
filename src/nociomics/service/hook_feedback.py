"""Feedback on cards: only how often a card was accepted or overridden, and for which of our reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nociomics.service.hook_cards import OVERRIDE_CODES
from nociomics.service.refusal import Refusal

_OUTCOMES = ("accepted", "overridden")


def read_feedback(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (outcome, reason) of each entry; a reason that is not ours is ``other``, and comments are not kept.

    Examples
    --------
    >>> read_feedback({"feedback": [{"card": "1", "outcome": "accepted"}]})
    [('accepted', 'none')]
    """
    entries = body.get("feedback")
    if not isinstance(entries, list):
        raise Refusal(400, "bad_feedback", "feedback: must be a list.")
    found = []
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("outcome") not in _OUTCOMES:
            raise Refusal(400, "bad_feedback", "feedback: every entry needs an outcome: accepted or overridden.")
        given = entry.get("overrideReason")
        reason = given.get("reason") if isinstance(given, dict) else None
        code = reason.get("code") if isinstance(reason, dict) else None
        word = "none" if given is None else code if code in OVERRIDE_CODES else "other"
        found.append((str(entry["outcome"]), str(word)))
    return found
