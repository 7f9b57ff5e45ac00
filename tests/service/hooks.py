"""CDS Hooks requests of invented patients."""

from __future__ import annotations

from typing import Any

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CODEINE, ACETAMINOPHEN, TRAMADOL = "2670", "161", "10689"
INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
CONSENT: dict[str, Any] = {
    "resourceType": "Consent",
    "status": "active",
    "patient": {"reference": "Patient/p1"},
    "provision": {
        "type": "permit",
        "securityLabel": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "GDIS"}],
    },
}


def genotype(diplotype: str, gene: str = "CYP2D6", **other: Any) -> dict[str, Any]:
    """A Genotype of the Genomics Reporting guide."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "84413-4"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-02-03",
        "valueCodeableConcept": {"text": f"{gene} {diplotype}"},
        "component": [
            {
                "code": {"coding": [{"system": "http://loinc.org", "code": "48018-6"}]},
                "valueCodeableConcept": {"coding": [{"display": gene}], "text": gene},
            }
        ],
        **other,
    }


def phenotype(words: str, loinc: str = "79715-9") -> dict[str, Any]:
    """A metaboliser phenotype, in words."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": loinc}]},
        "valueCodeableConcept": {"text": words},
    }


def order(code: str, name: str = "1", **other: Any) -> dict[str, Any]:
    """A draft MedicationRequest."""
    return {
        "resourceType": "MedicationRequest",
        "id": name,
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": code}]},
        **other,
    }


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    """A Bundle."""
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}


def signing(*orders: dict[str, Any], prefetch: Any = (), hook: str = "order-sign", **context: Any) -> dict[str, Any]:
    """A call of order-sign, with resources to prefetch."""
    resources = prefetch if prefetch is None else {"everything": bundle(*prefetch)}
    return {
        "hook": hook,
        "hookInstance": INSTANCE,
        "context": {"userId": "Practitioner/x", "patientId": "p1", "draftOrders": bundle(*orders), **context},
        "prefetch": resources,
    }
