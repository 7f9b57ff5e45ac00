"""The canonical tables of people as FHIR R4 resources: the way back of `incoming`."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.fhir.answers import QUESTIONNAIRE
from nociomics.fhir.content import FhirError
from nociomics.fhir.medications import DRUG_SYSTEM, drugs_of
from nociomics.fhir.observations import ANALYTE_SYSTEM, SCORE_SYSTEM
from nociomics.knowledge.biomarker import load_biomarkers
from nociomics.knowledge.fhir_code import HGNC, LOINC, code_for
from nociomics.knowledge.unit import normalise_unit

PATIENT_SYSTEM = "urn:nociomics:patient"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:nociomics:fhir")
_GENDER = {"F": "female", "M": "male", "other": "other"}
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_TABLES = ("patients", "biomarkers", "questionnaires", "scores", "diplotypes", "treatment_history")

Resource = dict[str, Any]
Row = Mapping[str, Any]


def bundle(resources: list[Resource], timestamp: str | None = None) -> Resource:
    """Return a Bundle of type collection; every entry has the full URL that references use."""
    entries = [{"fullUrl": f"urn:uuid:{entry_uuid(one)}", "resource": one} for one in resources]
    about = {"resourceType": "Bundle", "type": "collection"} | ({} if timestamp is None else {"timestamp": timestamp})
    return about | ({"entry": entries} if entries else {})


def entry_uuid(resource: Resource) -> str:
    """Return a UUID that follows from type and id alone, so that a repeated export gives the same names."""
    return str(uuid.uuid5(_NAMESPACE, f"{resource['resourceType']}/{resource['id']}"))


def patient_reference(patient: str) -> dict[str, str]:
    """Refer to a patient of the same Bundle."""
    return {"reference": f"urn:uuid:{entry_uuid({'resourceType': 'Patient', 'id': resource_id(patient)})}"}


def resource_id(*parts: str) -> str:
    """Return an id that R4 allows: the parts joined where they fit, else a UUID that follows from them.

    Examples
    --------
    >>> resource_id("P1"), resource_id("P1", "il6")
    ('P1', 'P1-il6')
    >>> len(resource_id("a patient with spaces"))
    36
    """
    whole = "-".join(parts)
    return whole if _ID.fullmatch(whole) else str(uuid.uuid5(_NAMESPACE, "\x1f".join(parts)))


def resources_of(tables: Mapping[str, pl.DataFrame]) -> list[Resource]:
    """Turn canonical tables into resources.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Any of ``patients, biomarkers, questionnaires, scores, diplotypes, treatment_history``, with the columns that
        `incoming.FhirTables` has. ``age`` is left out: a birth date cannot be told from it.

    Returns
    -------
    list of dict
        Patients first. A patient_id that R4 does not allow as an id stands in ``Patient.identifier`` only.

    Raises
    ------
    FhirError
        For a table of another name.
    """
    unknown = [name for name in tables if name not in _TABLES]
    if unknown:
        near = did_you_mean(unknown[0], _TABLES)
        raise FhirError(f'The table "{unknown[0]}" has no FHIR form.{near} Known: {", ".join(_TABLES)}.')
    found: list[Resource] = []
    for name in (name for name in _TABLES if name in tables):
        if name == "questionnaires":
            found += _responses(tables[name])
        else:
            found += [_WRITERS[name](row, number) for number, row in enumerate(tables[name].iter_rows(named=True))]
    return found


def patient_resource(row: Row, _: int = 0) -> Resource:
    """Return a Patient with the study's own id as identifier, and its administrative gender."""
    patient: Resource = {
        "resourceType": "Patient",
        "id": resource_id(row["patient_id"]),
        "identifier": [{"system": PATIENT_SYSTEM, "value": row["patient_id"]}],
    }
    return _with(patient, gender=_GENDER.get(row.get("sex") or ""))


def observation(row: Row, name: str, code: Resource, category: str) -> Resource:
    """Return the frame of a final Observation of one person."""
    return {
        "resourceType": "Observation",
        "id": resource_id(row["patient_id"], name),
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": category}]}],
        "code": code,
        "subject": patient_reference(row["patient_id"]),
    }


def quantity(value: float | str | Decimal, unit: str | None, ucum: str | None = None) -> Resource:
    """Return a Quantity with the digits of the value; a UCUM code only where the unit is one."""
    coded = {"system": "http://unitsofmeasure.org", "code": ucum} if ucum else {}
    return _with({"value": Decimal(str(value))}, unit=unit) | coded


def concept(system: str | None, code: str | None, words: str | None = None) -> Resource:
    """Return a CodeableConcept of one coding (none without a code) and its text."""
    coding = {} if code is None else {"coding": [_with({"system": system, "code": code}, display=words)]}
    return _with(coding, text=words)


def _with(resource: Resource, **values: Any) -> Resource:
    return resource | {name: value for name, value in values.items() if value is not None}


def _biomarker(row: Row, number: int) -> Resource:
    marker = load_biomarkers()[row["analyte"]]
    codes = [{"system": ANALYTE_SYSTEM, "code": marker.id, "display": marker.name}]
    made = observation(row, f"lab-{number}", {"coding": codes, "text": marker.name}, "laboratory")
    value = str(row["value"])
    amount = quantity(value.lstrip("<>"), row["unit"], _ucum(row["unit"]))
    comparator = "<" if row.get("below_lod") in ("yes", True) else ">" if value.startswith(">") else None
    specimen = None if row.get("specimen") is None else {"display": row["specimen"]}
    made["valueQuantity"] = _with(amount, comparator=comparator)
    return _with(made, effectiveDateTime=_stamp(row.get("collected_at")), specimen=specimen)


def _ucum(unit: str) -> str | None:
    """Return a unit that is written as UCUM writes it, None for other spellings."""
    return unit if unit in _UCUM and normalise_unit(unit) == unit else None


_UCUM = frozenset("pg/mL ng/mL ug/mL mg/L ug/L ng/L mg/dL ug/dL nmol/L pmol/L pg/mg nmol/g mm/h".split())


def _stamp(at: Any) -> str | None:
    """Return a time as R4 wants it: a day, or a time with an offset; a wall clock without one becomes UTC."""
    if at is None:
        return None
    text = at if isinstance(at, str) else at.isoformat()
    return f"{text}Z" if "T" in text else text


def _score(row: Row, number: int) -> Resource:
    name = f"{row['instrument']}/{row['scale']}"
    codes = [{"system": SCORE_SYSTEM, "code": name}]
    loinc = code_for("score", name)
    codes += [] if loinc is None else [{"system": LOINC, "code": loinc}]
    made = observation(row, f"score-{number}", {"coding": codes, "text": name}, "survey")
    if row["score"] is None:
        return made | {"dataAbsentReason": absent("unknown", "the score could not be computed")}
    return made | {"valueQuantity": quantity(row["score"], "score", "{score}")}


def absent(code: str, words: str) -> Resource:
    """Return a dataAbsentReason, with the reason in words."""
    return concept("http://terminology.hl7.org/CodeSystem/data-absent-reason", code) | {"text": words}


def _genotype(row: Row, number: int) -> Resource:
    return genotype_observation(row, f"genotype-{number}", row["gene"], row["diplotype"])


def genotype_observation(row: Row, name: str, gene: str, diplotype: str | None) -> Resource:
    """Return a Genotype as the Genomics Reporting guide has it: the gene as component, the alleles as text."""
    made = observation(row, name, concept(LOINC, code_for("genotype", "diplotype"), "Genotype"), "laboratory")
    studied = concept(LOINC, code_for("component", "gene studied"), "Gene studied")
    made["component"] = [{"code": studied, "valueCodeableConcept": concept(HGNC, code_for("gene", gene, HGNC), gene)}]
    if diplotype is None:
        return made | {"dataAbsentReason": absent("unknown", "no call")}
    return made | {"valueCodeableConcept": {"text": f"{gene} {diplotype}"}}


def _responses(answers: pl.DataFrame) -> list[Resource]:
    keys = ["patient_id", "instrument"]
    found = []
    for (patient, instrument), rows in answers.group_by(keys, maintain_order=True):
        at = rows["answered_at"].drop_nulls().max() if "answered_at" in rows.columns else None
        given = rows.filter(pl.col("response").is_not_null())
        items = [
            {"linkId": item, "answer": [{"valueDecimal": Decimal(str(value))}]}
            for item, value in given.select("item", "response").iter_rows()
        ]
        made: Resource = {
            "resourceType": "QuestionnaireResponse",
            "id": resource_id(str(patient), str(instrument)),
            "questionnaire": f"{QUESTIONNAIRE}{instrument}",
            "status": "completed",
            "subject": patient_reference(str(patient)),
        }
        found.append(_with(made, authored=_stamp(at), item=items or None))
    return found


def _statement(row: Row, number: int) -> Resource:
    period = _with({}, start=_stamp(row.get("started_at")), end=_stamp(row.get("stopped_at")))
    drug = row["drug"]
    made: Resource = {
        "resourceType": "MedicationStatement",
        "id": resource_id(row["patient_id"], f"drug-{number}"),
        "status": "completed" if "end" in period else "active",
        "medicationCodeableConcept": concept(DRUG_SYSTEM, _drug_code(drug), drug),
        "subject": patient_reference(row["patient_id"]),
    }
    dose = None
    if row.get("dose") is not None:
        dose = [{"doseAndRate": [{"doseQuantity": quantity(row["dose"], row.get("dose_unit"))}]}]
    return _with(made, effectivePeriod=period or None, dosage=dose)


def _drug_code(drug: str) -> str | None:
    drugs, _ = drugs_of({"coding": [{"system": DRUG_SYSTEM, "code": drug}]})
    return drug if drugs == (drug,) else None


_WRITERS: dict[str, Callable[[Row, int], Resource]] = {
    "patients": patient_resource,
    "biomarkers": _biomarker,
    "scores": _score,
    "diplotypes": _genotype,
    "treatment_history": _statement,
}


def to_json(resource: Resource) -> str:
    """Return a resource as JSON; decimals keep their digits, NaN and infinity are refused."""
    marks: dict[str, str] = {}
    own = uuid.uuid4().hex  # no text of a resource can be taken for a mark

    def plain(value: Any) -> Any:
        if isinstance(value, Decimal):
            if not value.is_finite():
                raise FhirError("A value is NaN or infinite; FHIR has no number for it.")
            mark = f"{own}:{len(marks)}"
            marks[mark] = str(value)
            return mark
        if isinstance(value, Mapping):
            return {name: plain(one) for name, one in value.items()}
        return [plain(one) for one in value] if isinstance(value, list) else value

    text = json.dumps(plain(resource), indent=1, ensure_ascii=False, allow_nan=False)
    return re.sub(f'"({own}:[0-9]+)"', lambda found: marks[found[1]], text) + "\n"
