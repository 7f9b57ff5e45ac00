"""Parts of a resource, read without trusting their shape: what is not as R4 says counts as absent."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from nociomics.knowledge.fhir_code import UCUM, FhirCode, Role, load_fhir_codes

Coding = tuple[str | None, str]
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}(?::\d{2})?))?.*")


def mapping(value: Any) -> Mapping[str, Any]:
    """Return an object, an empty one where there is none."""
    return value if isinstance(value, Mapping) else {}


def objects(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def text(value: Any) -> str | None:
    """Return a text without spaces at its ends, None where there is none."""
    return value.strip() or None if isinstance(value, str) else None


def codings(concept: Any) -> list[Coding]:
    """Return system and code of every coding of a CodeableConcept.

    Examples
    --------
    >>> codings({"coding": [{"system": "http://loinc.org", "code": "1988-5"}, {"display": "CRP"}]})
    [('http://loinc.org', '1988-5')]
    """
    found = objects(mapping(concept).get("coding"))
    return [(text(one.get("system")), code) for one in found if (code := text(one.get("code")))]


def codings_or_none(concept: Any) -> list[tuple[str | None, str | None]]:
    """Return the codings, or one empty pair where there are none: what a list of untaken things counts by."""
    return [*codings(concept)] or [(None, None)]


def meanings(concept: Any, role: Role) -> set[str]:
    """Return what the codings of a concept mean in one role; normally one word or none."""
    codes = load_fhir_codes()
    found: list[FhirCode | None] = [codes.get((role, system or "", code)) for system, code in codings(concept)]
    return {one.meaning for one in found if one is not None}


def display(concept: Any) -> str | None:
    """Return the words of a concept: its text, else the first display of a coding."""
    words = [text(one.get("display")) for one in objects(mapping(concept).get("coding"))]
    return text(mapping(concept).get("text")) or next((word for word in words if word), None)


def number(value: Any) -> str | None:
    """Return a finite JSON number with its own digits, None for anything else.

    Examples
    --------
    >>> number(Decimal("2.40")), number(True), number("2.4")
    ('2.40', None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        finite = math.isfinite(float(value))
    except OverflowError:
        return None
    return str(value) if finite else None


def unit(quantity: Mapping[str, Any]) -> str | None:
    """Return the unit of a Quantity: its UCUM code, else what is printed."""
    code, printed = text(quantity.get("code")), text(quantity.get("unit"))
    return code if code and quantity.get("system") == UCUM else printed or code


def moment(value: Any) -> str | None:
    """Return date and wall-clock time where it was taken; None for less than a day.

    Examples
    --------
    >>> moment("2026-01-05T08:30:00+01:00"), moment("2026-01-05"), moment("2026-01")
    ('2026-01-05T08:30:00', '2026-01-05', None)
    """
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    day, clock = found.groups()
    return day if clock is None else f"{day}T{clock}" if len(clock) == 8 else f"{day}T{clock}:00"


def taken_at(resource: Mapping[str, Any]) -> str | None:
    """Return when an Observation was made: its time, or the start of its period."""
    period = mapping(resource.get("effectivePeriod"))
    for value in (resource.get("effectiveDateTime"), resource.get("effectiveInstant"), period.get("start")):
        if found := moment(value):
            return found
    return None
