"""QuestionnaireResponse resources to answers: items by linkId or LOINC code, values by number only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from nociomics.fhir.content import Resources
from nociomics.fhir.elements import mapping, moment, number, objects, text
from nociomics.fhir.identities import Resource
from nociomics.fhir.listing import Listing
from nociomics.fhir.people import People
from nociomics.knowledge.fhir_code import LOINC, load_fhir_codes
from nociomics.knowledge.instrument import Instrument, load_instruments

QUESTIONNAIRE = "urn:nociomics:questionnaire:"
_USABLE = ("completed", "amended")
_LOINC_FORM = re.compile(r"https?://loinc\.org/q/([0-9]+-[0-9])")
_ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"

Row = dict[str, Any]


def read_answers(resources: Resources, people: People, listing: Listing, forms: dict[str, str]) -> list[Row]:
    """Read every QuestionnaireResponse that is finished, and list the others.

    Parameters
    ----------
    forms : dict of str to str
        Canonical URL of a questionnaire and the instrument that it is, for forms under a hospital's own URL.

    Returns
    -------
    list of dict
        ``patient_id, instrument, item, response, answered_at, form``; ``form`` numbers the responses.
    """
    rows: list[Row] = []
    for form, response in enumerate(resources.of("QuestionnaireResponse")):
        canonical = (text(response.get("questionnaire")) or "").split("|")[0]
        status = text(response.get("status"))
        if status not in _USABLE:
            known = status if status in ("in-progress", "entered-in-error", "stopped") else "absent or unknown to R4"
            listing.add("QuestionnaireResponse", f"status {known}: not taken", element="status")
            continue
        instrument = _instrument(canonical, forms)
        if instrument is None:
            # a relative one ("Questionnaire/7") is no system, but --form takes it too, so it is to be seen
            system, code = (canonical, None) if ":" in canonical else (None, canonical or None)
            listing.add(
                "QuestionnaireResponse", "unknown questionnaire", element="questionnaire", system=system, code=code
            )
            continue
        patient = people.of(response)
        if patient is not None:
            about = {"patient_id": patient, "answered_at": moment(response.get("authored")), "form": form}
            rows += [about | row for row in _answers(response, instrument, listing)]
    return rows


def _instrument(canonical: str, forms: dict[str, str]) -> Instrument | None:
    known = load_instruments()
    if canonical in forms:
        return known.get(forms[canonical])
    if canonical.startswith(QUESTIONNAIRE):
        return known.get(canonical.removeprefix(QUESTIONNAIRE))
    panel = _LOINC_FORM.fullmatch(canonical)
    row = load_fhir_codes().get(("questionnaire", LOINC, panel[1])) if panel else None
    return None if row is None else known[row.meaning]


def _answers(response: Resource, instrument: Instrument, listing: Listing) -> list[Row]:
    """Read the answers of one form; an item answered twice is listed and left out."""
    found: dict[str, list[str]] = {}
    for item in _items(response):
        link, given = text(item.get("linkId")) or "", objects(item.get("answer"))
        if not given:
            continue
        name = _item(link, instrument)
        if name is None:
            listing.add("QuestionnaireResponse", "unknown item", element=f"linkId of {instrument.id}", code=link)
            continue
        values = [_value(answer) for answer in given]
        if None in values:
            listing.add("QuestionnaireResponse", "answer is no number", element=f"answer of {instrument.id}", code=link)
        found.setdefault(name, []).extend(value for value in values if value is not None)
    for name, numbers in found.items():
        if len(numbers) > 1:
            problem = "answered more than once"
            listing.add("QuestionnaireResponse", problem, element=f"linkId of {instrument.id}", code=name)
    return [
        {"instrument": instrument.id, "item": name, "response": numbers[0]}
        for name, numbers in found.items()
        if len(numbers) == 1
    ]


def _items(response: Resource) -> Iterator[Resource]:
    """Yield all items, also those below groups and answers."""
    waiting = objects(response.get("item"))
    while waiting:
        item = waiting.pop(0)
        yield item
        below = [one for answer in objects(item.get("answer")) for one in objects(answer.get("item"))]
        waiting += [*objects(item.get("item")), *below]


def _item(link: str, instrument: Instrument) -> str | None:
    """Find an item by its id, its column name, or its LOINC code (LOINC's own forms write /44250-9)."""
    if link in instrument.items:
        return link
    if link.lower() in instrument.columns:
        return instrument.columns[link.lower()]
    code = link.removeprefix("/")
    return next((name for name, item in instrument.items.items() if item.loinc and item.loinc.code == code), None)


def _value(answer: Resource) -> str | None:
    """Return the number of an answer: an integer, a decimal, yes/no, or a coding with its ordinal value."""
    for name in ("valueInteger", "valueDecimal"):
        if (found := number(answer.get(name))) is not None:
            return found
    if isinstance(answer.get("valueBoolean"), bool):
        return "1" if answer["valueBoolean"] else "0"
    coding = mapping(answer.get("valueCoding"))
    values = {number(one.get("valueDecimal")) for one in objects(coding.get("extension")) if one.get("url") == _ORDINAL}
    return values.pop() if len(values) == 1 else None
