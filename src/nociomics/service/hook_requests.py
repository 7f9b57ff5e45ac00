"""Read a CDS Hooks request: what the hook must hold, and every FHIR resource in it, wherever it stands."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nociomics.service.refusal import Refusal

Resource = Mapping[str, Any]
PATIENT_VIEW, ORDER_SELECT, ORDER_SIGN = "patient-view", "order-select", "order-sign"
_CONTEXT = {
    PATIENT_VIEW: ("userId", "patientId"),
    ORDER_SELECT: ("userId", "patientId", "selections", "draftOrders"),
    ORDER_SIGN: ("userId", "patientId", "draftOrders"),
}
_ORDERS = ("MedicationRequest", "MedicationOrder")


@dataclass(frozen=True)
class HookRequest:
    """One call of a CDS service.

    Attributes
    ----------
    hook, instance : str
        Which hook, and the id of this call.
    patient : str
        ``patientId`` of the context.
    orders : tuple of Resource
        Draft medication orders that the call is about: the selected ones for order-select, all for order-sign.
    prefetched : tuple of Resource, or None
        Every resource of the prefetch, bundles unpacked; None when the caller sent no prefetch at all.
    medications : mapping of str to Resource
        ``Medication`` resources that orders refer to.
    """

    hook: str
    instance: str
    patient: str
    orders: tuple[Resource, ...]
    prefetched: tuple[Resource, ...] | None
    medications: Mapping[str, Resource]


def read_hook(body: Mapping[str, Any], hook: str) -> HookRequest:
    """Check a request against the specification and unpack it.

    Raises
    ------
    Refusal
        400 with everything that is wrong.
    """
    context = body.get("context")
    problems = _problems(body, hook, context)
    if problems:
        raise Refusal(400, "bad_hook_request", " ".join(problems))
    assert isinstance(context, dict)
    prefetch = body.get("prefetch")
    drafts = tuple(_resources(context.get("draftOrders")))
    prefetched = None if prefetch is None else tuple(_resources(list(prefetch.values())))
    orders = [one for one in drafts if one["resourceType"] in _ORDERS]
    if hook == ORDER_SELECT:
        wanted = {str(one) for one in context["selections"]}
        orders = [one for one in orders if reference_of(one) in wanted or str(one.get("id")) in wanted]
    listed = [one for one in (*drafts, *(prefetched or ())) if one["resourceType"] == "Medication"]
    medications = {str(reference_of(one)): one for one in listed}
    patient = str(context["patientId"]).removeprefix("Patient/")
    return HookRequest(hook, str(body["hookInstance"]), patient, tuple(orders), prefetched, medications)


def _problems(body: Mapping[str, Any], hook: str, context: Any) -> list[str]:
    problems = []
    if body.get("hook") != hook:
        problems.append(f"hook: this service answers {hook}.")
    if not _is_uuid(body.get("hookInstance")):
        problems.append("hookInstance: must be a UUID.")
    if body.get("prefetch") is not None and not isinstance(body["prefetch"], dict):
        problems.append("prefetch: must be an object.")
    if body.get("fhirAuthorization") is not None and not isinstance(body.get("fhirServer"), str):
        problems.append("fhirServer: must be given together with fhirAuthorization.")
    if not isinstance(context, dict):
        return [*problems, "context: must be an object."]
    for name in _CONTEXT[hook]:
        if name in ("userId", "patientId") and not (isinstance(context.get(name), str) and context[name].strip()):
            problems.append(f"context.{name}: must be given.")
        if name == "selections" and not isinstance(context.get(name), list):
            problems.append("context.selections: must be a list of the ids of orders.")
        if name == "draftOrders" and not _is_bundle(context.get(name)):
            problems.append("context.draftOrders: must be a Bundle, also for one order.")
    return problems


def _is_uuid(value: Any) -> bool:
    try:
        uuid.UUID(value)
    except (ValueError, TypeError, AttributeError):
        return False
    return True


def _is_bundle(value: Any) -> bool:
    return isinstance(value, dict) and value.get("resourceType") == "Bundle"


def _resources(value: Any) -> Iterator[dict[str, Any]]:
    """Give every resource of a value, bundles and contained resources unpacked; everything else is passed over."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += reversed(one)
        elif isinstance(one, dict) and one.get("resourceType") == "Bundle":
            entries = one.get("entry")
            inner = entries if isinstance(entries, list) else []
            waiting += reversed([entry.get("resource") for entry in inner if isinstance(entry, dict)])
        elif isinstance(one, dict) and isinstance(one.get("resourceType"), str):
            yield one
            waiting.append(one.get("contained"))


def reference_of(resource: Resource) -> str | None:
    """Return ``MedicationRequest/1``; None for a resource without an id."""
    name = resource.get("id")
    return f"{resource['resourceType']}/{name}" if isinstance(name, str) else None


def is_about(resource: Resource, patient: str) -> bool:
    """Whether a resource is about this patient; one that names no subject was sent for this call and counts."""
    subject = resource.get("subject") or resource.get("patient")
    named = subject.get("reference") if isinstance(subject, dict) else None
    return named is None or str(named).rstrip("/").split("/")[-1] == patient


def codings(concept: Any) -> list[tuple[str, str, str]]:
    """Return (system, code, display) of a CodeableConcept, whatever is missing as an empty text.

    Examples
    --------
    >>> codings({"coding": [{"system": "s", "code": "1"}]})
    [('s', '1', '')]
    """
    listed = concept.get("coding") if isinstance(concept, dict) else None
    return [
        (str(one.get("system", "")), str(one.get("code", "")), str(one.get("display", "")))
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict)
    ]
