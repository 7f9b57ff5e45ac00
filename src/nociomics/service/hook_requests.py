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
        Draft medication orders that the call is about: the selected ones for order-select, all for order-sign. Orders
        for somebody else are left out.
    prefetched : tuple of Resource, or None
        Every resource of the prefetch, bundles unpacked; None when the caller sent no prefetch at all.
    medications : mapping of str to Resource
        ``Medication`` resources that orders refer to.
    keys : frozenset of str
        Keys of the prefetch; null, which says that there is nothing, counts.
    is_whole : bool
        False when a part of the prefetch failed at the caller, or is a first page of several.
    """

    hook: str
    instance: str
    patient: str
    orders: tuple[Resource, ...]
    prefetched: tuple[Resource, ...] | None
    medications: Mapping[str, Resource]
    keys: frozenset[str] = frozenset()
    is_whole: bool = True

    def lacks(self, key: str, *kinds: str) -> bool:
        """Whether what a key asks for was not sent, under this key or any other."""
        return key not in self.keys and not any(one["resourceType"] in kinds for one in self.prefetched or ())


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
    patient = str(context["patientId"]).removeprefix("Patient/")
    drafts: tuple[Resource, ...] = tuple(_resources(context.get("draftOrders")))
    if hook == ORDER_SELECT:
        drafts = _selected(drafts, context["selections"])
    orders = tuple(one for one in drafts if one["resourceType"] in _ORDERS and is_about(one, patient))
    prefetched = None if prefetch is None else tuple(_resources(list(prefetch.values())))
    sent = (*_resources(context.get("draftOrders")), *(prefetched or ()))
    return HookRequest(
        hook,
        str(body["hookInstance"]),
        patient,
        orders,
        prefetched,
        {str(reference_of(one)): one for one in sent if one["resourceType"] == "Medication"},
        frozenset(prefetch or ()),
        all(_is_whole(value) for value in (prefetch or {}).values()),
    )


def _selected(drafts: tuple[Resource, ...], selections: list[Any]) -> tuple[Resource, ...]:
    """Give the drafts that were selected; a request that selects what it does not send cannot be answered."""
    wanted = {str(one) for one in selections}
    found = tuple(one for one in drafts if reference_of(one) in wanted or str(one.get("id")) in wanted)
    if not found:
        raise Refusal(400, "bad_hook_request", "context.selections: none of them is in context.draftOrders.")
    return found


def _is_whole(value: Any) -> bool:
    """Whether a value of the prefetch is all that was asked for: no error, and no first page of several."""
    if not isinstance(value, dict):
        return True
    if value.get("resourceType") == "OperationOutcome":
        return not any(one.get("severity") in ("error", "fatal") for one in _objects(value.get("issue")))
    outcomes = [entry.get("resource") for entry in _objects(value.get("entry"))]
    failed = [one for one in outcomes if isinstance(one, dict) and one.get("resourceType") == "OperationOutcome"]
    paged = any(one.get("relation") == "next" for one in _objects(value.get("link")))
    return not paged and all(_is_whole(one) for one in failed)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


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
        if name == "selections" and not (isinstance(context.get(name), list) and context[name]):
            problems.append("context.selections: must be a list of the ids of orders, of one at least.")
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
    """Give every resource of a value, bundles unpacked; what is contained in a resource stays there."""
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


def reference_of(resource: Resource) -> str | None:
    """Return ``MedicationRequest/1``; None for a resource without an id."""
    name = resource.get("id")
    return f"{resource['resourceType']}/{name}" if isinstance(name, str) else None


def is_about(resource: Resource, patient: str) -> bool:
    """Whether a resource is about this patient; one without a subject was sent for this call and counts.

    A subject that is told in another way (a name, an identifier, another type) is somebody else, as far as we know.

    Examples
    --------
    >>> is_about({"subject": {"reference": "https://ehr.example/fhir/Patient/p1/_history/2"}}, "p1")
    True
    >>> is_about({"subject": {"reference": "Group/p1"}}, "p1"), is_about({"subject": {"display": "p1"}}, "p1")
    (False, False)
    """
    subject = resource.get("subject", resource.get("patient"))
    if subject is None:
        return True
    named = subject.get("reference") if isinstance(subject, dict) else None
    return isinstance(named, str) and named.split("/_history/")[0].split("/")[-2:] == ["Patient", patient]


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
