"""Whether a patient agreed that genetic results are used; without a consent that says so, the answer is no."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from nociomics.service.hook_requests import Resource, codings, is_about

GENETICS = frozenset(
    {
        ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "GDIS"),  # sensitivity: genetic disease information
        ("urn:nociomics:consent", "genetics"),
    }
)
_CONCEPTS = ("code", "securityLabel", "class", "resourceType", "documentType", "purpose")


def genetics_allowed(resources: Iterable[Resource], patient: str, today: date | None = None) -> bool | None:
    """Look through the consents of a patient for what they say of genetics.

    A consent counts when it is active, about this patient, and about genetics: a code of `GENETICS` in its category,
    or in one of its provisions. A provision that denies goes before one that permits. A consent that names nobody
    permits nothing, but its denial counts. To whom, for what and about which data a provision is (``actor``,
    ``purpose``, ``data``) is not read: the caller, who sends the data, has to look at that.

    Returns
    -------
    bool or None
        None when no consent says anything of genetics.
    """
    day = today or datetime.now(UTC).date()
    said = [
        answer
        for one in resources
        if one.get("resourceType") == "Consent" and is_about(one, patient)
        for answer in _answers(one, day)
        if answer is False or one.get("patient") or one.get("subject")
    ]
    if not said:
        return None
    return all(said)


def _answers(consent: Resource, day: date) -> Iterator[bool]:
    """Give what one consent says of genetics: True for each permission, False for each denial."""
    if not any(_is_genetic(one) for one in _parts(consent)):
        return
    if consent.get("status") != "active" or not _in_force(consent.get("period"), day):
        # a consent of genetics that was withdrawn, rejected or has run out permits nothing
        yield False
        return
    about_all = any(_named(concept) for concept in _listed(consent.get("category")))
    for part in _parts(consent):
        if part is consent or not (about_all or _is_genetic(part)):
            continue
        kind = part.get("type", consent.get("decision"))
        if kind in ("permit", "deny"):
            yield kind == "permit" and _in_force(part.get("period"), day)
    if not list(_provisions(consent)):
        yield consent.get("decision", "deny") == "permit"


def _parts(consent: Resource) -> Iterator[Resource]:
    yield consent
    yield from _provisions(consent)


def _provisions(consent: Resource) -> Iterator[Resource]:
    waiting = _listed(consent.get("provision"))
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, dict):
            yield one
            waiting += _listed(one.get("provision"))


def _is_genetic(part: Resource) -> bool:
    names = (*_CONCEPTS, "category")
    return any(_named(concept) for name in names for concept in _listed(part.get(name)))


def _named(concept: Any) -> bool:
    """Whether a concept (or a bare coding) is one of genetics."""
    bare = [(str(concept.get("system", "")), str(concept.get("code", "")))] if isinstance(concept, dict) else []
    return any(one in GENETICS for one in [*bare, *[(system, code) for system, code, _ in codings(concept)]])


def _in_force(period: Any, day: date) -> bool:
    """Whether a day lies in a FHIR period; a bound that cannot be read is taken as not in force."""
    if not isinstance(period, dict):
        return True
    try:
        starts = date.fromisoformat(str(period["start"])[:10]) if period.get("start") else day
        ends = date.fromisoformat(str(period["end"])[:10]) if period.get("end") else day
    except ValueError:
        return False
    return starts <= day <= ends


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [] if value is None else [value]
