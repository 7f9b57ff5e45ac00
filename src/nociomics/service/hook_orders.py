"""Which drugs a call of CDS Hooks is about: by code, else by whole names; what is not understood is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nociomics.fhir.medications import drugs_of
from nociomics.service.hook_requests import PATIENT_VIEW, HookRequest, Resource, codings, is_about

Codes = Mapping[tuple[str, str], tuple[str, ...]]
_NOT_MEANT = ("cancelled", "entered-in-error", "stopped")
_NO_CODE = ("", "no code")


def ordered_drugs(request: HookRequest, codes: Codes) -> tuple[list[tuple[str, Resource]], list[dict[str, str]]]:
    """Find the drugs of orders, or of what a patient takes when it is about the patient.

    Returns
    -------
    list of (drug, order)
        A product of several drugs stands once for each.
    list of dict
        Codes that nobody here knows, each once: none is guessed.
    """
    orders = request.orders
    if request.hook == PATIENT_VIEW:
        orders = tuple(one for one in request.prefetched or () if _is_taken(one, request.patient))
    found: list[tuple[str, Resource]] = []
    unknown: dict[tuple[str, str], None] = {}
    for order in orders:
        if order.get("status") in _NOT_MEANT or order.get("doNotPerform") is True:
            continue
        drugs, strange = _understood(*_concepts_of(order, request.medications), codes)
        found += [(drug, order) for drug in drugs]
        unknown |= dict.fromkeys(strange)
    return found, [{"system": system, "code": code} if system else {"code": code} for system, code in unknown]


def _is_taken(record: Resource, patient: str) -> bool:
    """Whether a record says that the patient takes a drug; a plan or a proposal says no such thing."""
    kinds = ("MedicationRequest", "MedicationStatement")
    wished = record.get("intent") in ("proposal", "plan", "option")
    return (
        record["resourceType"] in kinds
        and record.get("status") == "active"
        and not wished
        and is_about(record, patient)
    )


def _understood(whole: list[Any], parts: list[Any], codes: Codes) -> tuple[list[str], list[tuple[str, str]]]:
    """Name the drugs of a medication, and the codes that are not known.

    A code of the whole that is known says all. Else every ingredient has to be known by itself: one that is known
    must not hide another that is not. Words count when they are the whole names of known drugs, no more.
    """
    known = _coded(whole, codes)
    if known:
        return known, []
    lost = [part for part in parts if not _coded([part], codes)]
    drugs = _coded(parts, codes) + [drug for one in [*whole, *lost] for drug in drugs_of(one)[0]]
    if parts and not lost:
        return list(dict.fromkeys(drugs)), []
    strange = [key for one in [*whole, *lost] for key in _given(one)]
    if not strange and (parts or not drugs):
        strange = [_NO_CODE]
    return list(dict.fromkeys(drugs)), strange


def _coded(concepts: list[Any], codes: Codes) -> list[str]:
    return list(dict.fromkeys(drug for one in concepts for key in _given(one) for drug in codes.get(key, ())))


def _given(concept: Any) -> list[tuple[str, str]]:
    return [(system, code) for system, code, _ in codings(concept) if code]


def _concepts_of(order: Resource, medications: Mapping[str, Resource]) -> tuple[list[Any], list[Any]]:
    """Give the concepts of an order's medication as a whole, and those of its active ingredients."""
    whole = [order.get("medicationCodeableConcept"), order.get("medication")]
    reference = order.get("medicationReference") or order.get("medication")
    medication = _find_medication(reference, order, medications)
    if isinstance(order.get("medication"), dict):  # R5 puts concept or reference below medication
        inner = order["medication"]
        whole.append(inner.get("concept"))
        medication = medication or _find_medication(inner.get("reference"), order, medications)
    if medication is None:
        return whole, []
    listed = medication.get("ingredient")
    parts = [one for one in (listed if isinstance(listed, list) else []) if isinstance(one, dict)]
    active = [one for one in parts if one.get("isActive") is not False]
    return [*whole, medication.get("code")], [one.get("itemCodeableConcept", one.get("item")) for one in active]


def _find_medication(reference: Any, order: Resource, medications: Mapping[str, Resource]) -> Resource | None:
    """Follow a reference: ``#1`` into the order itself, as every order may have its own #1; others by type and id."""
    target = reference.get("reference") if isinstance(reference, dict) else None
    if not isinstance(target, str):
        return None
    if target.startswith("#"):
        inside = order.get("contained")
        held = [one for one in inside if isinstance(one, dict)] if isinstance(inside, list) else []
        return next((one for one in held if one.get("id") == target[1:]), None)
    return medications.get("/".join(target.split("/_history/")[0].split("/")[-2:]))
