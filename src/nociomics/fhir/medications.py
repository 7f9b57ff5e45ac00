"""MedicationStatement and MedicationRequest resources to what people take; what drug a concept means."""

from __future__ import annotations

from functools import cache
from typing import Any

from nociomics.fhir.content import Resources
from nociomics.fhir.elements import (
    codings,
    codings_or_none,
    display,
    mapping,
    moment,
    number,
    objects,
    unit,
)
from nociomics.fhir.identities import Resource
from nociomics.fhir.listing import Listing
from nociomics.fhir.people import People
from nociomics.knowledge.drug_code import load_drug_codes
from nociomics.knowledge.enzyme_inhibitor import drugs_named, is_in_doubt, load_inhibitors
from nociomics.knowledge.fhir_code import ATC, load_fhir_codes
from nociomics.knowledge.pharmacogene import load_drug_gene_pairs

DRUG_SYSTEM = "urn:nociomics:drug"
KINDS = ("MedicationStatement", "MedicationRequest")
_ONGOING, _ENDED = ("active",), ("completed", "stopped")
_KNOWN_STATUS = ("on-hold", "cancelled", "entered-in-error", "draft", "unknown", "intended", "not-taken")
_ORDERS = ("order", "original-order", "reflex-order", "filler-order", "instance-order")

Row = dict[str, Any]


def drugs_of(concept: Any) -> tuple[tuple[str, ...], str | None]:
    """Return the drugs of a medication by its codes; without known codes, by whole names in its words.

    Examples
    --------
    >>> drugs_of({"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "2670"}]})
    (('codeine',), 'code')
    >>> drugs_of({"text": "Codeine 30 mg tablets"}), drugs_of({"text": "codeine-free syrup"})
    ((('codeine',), 'name'), ((), None))
    """
    coded = {drug for system, code in codings(concept) for drug in load_drug_codes().get((system or "", code), ())}
    coded |= {code for system, code in codings(concept) if system == DRUG_SYSTEM and code in _known_drugs()}
    coded |= {one.drug for one in load_inhibitors() if (ATC, one.atc) in codings(concept)}
    if coded:
        return tuple(sorted(coded)), "code"
    words = display(concept)
    if words is None or is_in_doubt(words):
        return (), None
    parts = drugs_named(words)
    named = tuple(sorted({_known_drugs()[part] for part in parts if part in _known_drugs()}))
    # one part that is not understood could change what the others mean ("codeine-free")
    return (named, "name") if named and all(part in _known_drugs() for part in parts) else ((), None)


@cache
def _known_drugs() -> dict[str, str]:
    """Every name of a drug of our tables, and the drug."""
    names = {drug: drug for drug in load_drug_gene_pairs()["drug"].unique()}
    names |= {row.meaning: row.meaning for row in load_fhir_codes().values() if row.role == "drug"}
    for one in load_inhibitors():
        names |= {name: one.drug for name in (one.drug, *one.synonyms)}
    return names | {"paracetamol": "acetaminophen"}


def _concepts(order: Resource, resources: Resources) -> tuple[Any, list[Any]]:
    """Return the concept of an order's medication, and those of the active ingredients of a Medication that is told."""
    if "medicationCodeableConcept" in order:
        return order["medicationCodeableConcept"], []
    medication = mapping(resources.follow(order.get("medicationReference"), order))
    parts = [one for one in objects(medication.get("ingredient")) if one.get("isActive") is not False]
    return medication.get("code"), [one.get("itemCodeableConcept") for one in parts]


def _drugs_of_all(concept: Any, parts: list[Any]) -> tuple[tuple[str, ...], str | None]:
    """Name the drugs of a medication; by its ingredients where its own code is not known and all of theirs are."""
    named = drugs_of(concept)
    inside = [drugs_of(part) for part in parts]
    if named[1] == "code" or not inside or any(by != "code" for _, by in inside):
        return named
    return tuple(sorted({drug for drugs, _ in inside for drug in drugs})), "code"


def _list_drug(order: Resource, concept: Any, problem: str, listing: Listing) -> None:
    for system, code in codings_or_none(concept):
        listing.add(order["resourceType"], problem, element="medication", system=system, code=code)


def read_medications(resources: Resources, people: People, listing: Listing) -> list[Row]:
    """Read what people take or took, as rows of the table treatment_history.

    A drug that ended without a date is listed and left out: without the date it would count as still taken. A code
    that is not known keeps its row under the words of the record, or under the code, and is listed.
    """
    rows = []
    for kind in KINDS:
        for record in resources.of(kind):
            if _counts(record, listing) and (patient := people.of(record)) is not None:
                row = _row(record, resources, listing)
                if row is not None:
                    rows.append({"patient_id": patient, **row})
    return rows


def _counts(record: Resource, listing: Listing) -> bool:
    kind, status = record["resourceType"], record.get("status")
    problem = None
    if status not in (*_ONGOING, *_ENDED):
        problem = f"status {status if status in _KNOWN_STATUS else 'absent or unknown to R4'}: not taken"
    elif record.get("doNotPerform") is True:
        problem = "says not to give the drug"
    elif kind == "MedicationRequest" and record.get("intent") not in _ORDERS:
        problem = "intent is no order"
    elif status in _ENDED and _dates(record)[1] is None:
        problem = "ended without a date: it cannot be told from a drug that is taken"
    if problem is not None:
        listing.add(kind, problem, element="status")
    return problem is None


def _dates(record: Resource) -> tuple[str | None, str | None]:
    """Return when a drug was begun and ended."""
    if record["resourceType"] == "MedicationStatement":
        period = mapping(record.get("effectivePeriod"))
        start = moment(period.get("start")) or moment(record.get("effectiveDateTime"))
        return start, moment(period.get("end"))
    bounds = [
        mapping(mapping(mapping(dosage.get("timing")).get("repeat")).get("boundsPeriod"))
        for dosage in objects(record.get("dosageInstruction"))
    ]
    ends = {moment(one.get("end")) for one in bounds}
    return moment(record.get("authoredOn")), ends.pop() if len(ends) == 1 else None


def _row(record: Resource, resources: Resources, listing: Listing) -> Row | None:
    concept, parts = _concepts(record, resources)
    drugs, by = _drugs_of_all(concept, parts)
    if by != "code":
        _list_drug(record, concept, "drug has no known code; its words are kept", listing)
        for part in (one for one in parts if drugs_of(one)[1] != "code"):
            _list_drug(record, part, "ingredient has no known code", listing)
    words = " / ".join(drugs) if drugs else display(concept) or next((code for _, code in codings(concept)), None)
    if words is None:
        return None
    dose, dose_unit = _dose(record)
    started, stopped = _dates(record)
    return {"drug": words, "dose": dose, "dose_unit": dose_unit, "started_at": started, "stopped_at": stopped}


def _dose(record: Resource) -> tuple[str | None, str | None]:
    """Return the amount of one dose where there is exactly one; how often it is taken is not read."""
    dosages = objects(record.get("dosage")) + objects(record.get("dosageInstruction"))
    rates = [rate for dosage in dosages for rate in objects(dosage.get("doseAndRate"))]
    if len(rates) != 1:
        return None, None
    quantity = mapping(rates[0].get("doseQuantity"))
    amount = number(quantity.get("value"))
    return (amount, unit(quantity)) if amount is not None else (None, None)
