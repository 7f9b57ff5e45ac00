"""Small invented resources in the manner of the published examples: one patient with everything that is read."""

from __future__ import annotations

from typing import Any

from nociomics.fhir.content import read_content
from nociomics.fhir.incoming import FhirTables, tables_of
from nociomics.fhir.listing import Listing

Resource = dict[str, Any]
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
HGNC = "http://www.genenames.org/geneId"
SUBJECT = {"reference": "Patient/secret-1"}


def patient(name: str = "secret-1", **more: Any) -> Resource:
    return {"resourceType": "Patient", "id": name, "gender": "female", "birthDate": "1970-06-15", **more}


def concept(code: str, system: str = LOINC, **more: Any) -> Resource:
    return {"coding": [{"system": system, "code": code}], **more}


def lab(code: Any = "1988-5", value: Any = 2.8, unit: str = "mg/L", **more: Any) -> Resource:
    quantity = {"value": value, "unit": unit, "system": UCUM, "code": unit}
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": concept(code) if isinstance(code, str) else code,
        "subject": SUBJECT,
        "effectiveDateTime": "2026-01-05T08:30:00+01:00",
        "valueQuantity": quantity,
        **more,
    }


def genotype(gene: str = "HGNC:2625", call: str = "CYP2D6 *1/*4", **more: Any) -> Resource:
    studied = {"code": concept("48018-6"), "valueCodeableConcept": concept(gene, HGNC)}
    about = {"code": concept("84413-4"), "valueCodeableConcept": {"text": call}, "component": [studied]}
    return {"resourceType": "Observation", "status": "final", "subject": SUBJECT, **about, **more}


def phenotype(code: str = "79715-9", answer: str = "LA9657-3", **more: Any) -> Resource:
    about = {"code": concept(code), "valueCodeableConcept": concept(answer)}
    return {"resourceType": "Observation", "status": "final", "subject": SUBJECT, **about, **more}


def form(questionnaire: str = "urn:nociomics:questionnaire:pcs", items: Any = None, **more: Any) -> Resource:
    given = {"1": 3, "2": 4} if items is None else items
    return {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "questionnaire": questionnaire,
        "subject": SUBJECT,
        "authored": "2026-01-05T09:00:00Z",
        "item": [{"linkId": name, "answer": [{"valueInteger": value}]} for name, value in given.items()],
        **more,
    }


def statement(code: str = "2670", system: str = RXNORM, **more: Any) -> Resource:
    return {
        "resourceType": "MedicationStatement",
        "status": "active",
        "medicationCodeableConcept": concept(code, system),
        "subject": SUBJECT,
        "effectivePeriod": {"start": "2025-12-01"},
        **more,
    }


def request(code: str = "2670", **more: Any) -> Resource:
    return {
        "resourceType": "MedicationRequest",
        "id": "order-1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": concept(code, RXNORM),
        "subject": SUBJECT,
        "authoredOn": "2026-01-05",
        **more,
    }


def bundle(*resources: Resource, **more: Any) -> Resource:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources], **more}


def read(*resources: Resource, **how: Any) -> FhirTables:
    """Read resources as one Bundle; the patient is added."""
    listing = Listing()
    message = bundle(patient(), *resources, timestamp="2026-01-10T00:00:00Z")
    return tables_of(read_content(message, listing), listing, **how)


def problems(found: FhirTables) -> list[tuple[str | None, str, int]]:
    """Code, reason and count of what was not taken."""
    return [tuple(row) for row in found.listing.select("code", "problem", "count").iter_rows()]
