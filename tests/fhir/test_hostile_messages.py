"""Messages that are wrong on purpose or by sloth: nothing lands at another person, and no amount in another unit."""

from __future__ import annotations

from typing import Any

import pytest

from nociomics.fhir.content import read_content
from nociomics.fhir.incoming import FhirTables, tables_of
from nociomics.fhir.listing import Listing
from nociomics.knowledge.biomarker import load_biomarkers
from tests.fhir.messages import LOINC, UCUM, bundle, concept, form, genotype, lab, patient, problems, read, statement

_ONE, _OTHER = "https://one.example/fhir", "https://other.example/fhir"


def _message(*entries: tuple[str | None, dict[str, Any]]) -> FhirTables:
    message = bundle() | {
        "entry": [{"resource": one} | ({} if url is None else {"fullUrl": url}) for url, one in entries]
    }
    listing = Listing()
    return tables_of(read_content(message, listing), listing)


def _of(name: str, **more: Any) -> dict[str, Any]:
    return lab(subject={"reference": name}, **more)


def test_the_same_id_on_two_servers_is_two_people() -> None:
    found = _message(
        (f"{_ONE}/Patient/a", patient("a")),
        (f"{_ONE}/Observation/1", _of("Patient/a", id="1")),
        (f"{_OTHER}/Observation/1", _of("Patient/a", id="1", value=99)),  # an id of the other server
        (f"{_OTHER}/Observation/2", _of(f"{_ONE}/Patient/a", id="2", value=7)),  # says whom it means
    )
    assert found.tables["biomarkers"]["value"].to_list() == ["2.8", "7"]
    assert problems(found)[0][1:] == ("its subject leads to no Patient of the message", 1)


def test_two_patients_of_one_id_are_not_mixed() -> None:
    found = _message(
        (f"{_ONE}/Patient/a", patient("a")),
        (f"{_OTHER}/Patient/a", patient("a", gender="male")),
        (f"{_ONE}/Observation/1", _of("Patient/a", id="1")),
        (None, _of("Patient/a", id="2")),
    )
    assert found.tables["patients"].is_empty() and set(found.tables) == {"patients"}
    assert ("shares its identifier with another patient; neither is taken", 2) in [row[1:] for row in problems(found)]


def test_one_full_url_for_two_resources_leads_nowhere() -> None:
    url = "urn:uuid:9a5bd6c1-0000-4000-8000-000000000001"
    found = _message((url, patient("a")), (url, patient("b")), (None, _of(url)), (None, _of("Patient/b", id="2")))
    assert found.tables["biomarkers"]["patient_id"].to_list() == ["b"]
    assert {row[1:] for row in problems(found)} >= {
        ("full URL of several resources; references to it are not followed", 1),
        ("its subject leads to no Patient of the message", 1),
    }


def test_a_full_url_that_contradicts_its_resource_is_not_used() -> None:
    found = _message(
        (f"{_ONE}/Patient/a", patient("b")), (None, _of(f"{_ONE}/Patient/a", id="1")), (None, _of("Patient/b", id="2"))
    )
    assert found.tables["biomarkers"]["patient_id"].to_list() == ["b"]
    assert ("full URL and id of an entry differ; its full URL is not used", 1) in [row[1:] for row in problems(found)]


def test_a_resource_that_came_with_and_without_its_full_url_is_one() -> None:
    found = _message((f"{_ONE}/Patient/a", patient("a")), (None, patient("a")), (None, _of("Patient/a")))
    assert found.tables["biomarkers"]["patient_id"].to_list() == ["a"]
    assert problems(found)[0][1:] == ("equal copies of a resource; taken once", 1)


@pytest.mark.parametrize(
    "subject",
    [
        {"reference": "Patient/nobody"},
        {"reference": "https://elsewhere.example/Patient/secret-1"},
        {"reference": "#inside"},
        {"reference": "Device/secret-1"},
        {"reference": ""},
        {"identifier": {"value": "secret-1"}},
        {"display": "secret-1"},
        [],
        None,
    ],
)
def test_a_subject_that_is_no_patient_of_the_message_takes_nothing_along(subject: Any) -> None:
    about = {"subject": subject}
    inside = {"contained": [patient("inside")]}
    found = read(lab(**about, **inside), genotype(**about), form(**about), statement(**about))
    assert set(found.tables) == {"patients"}
    assert sum(row[2] for row in problems(found) if "patient" in row[1].lower()) == 4
    assert "secret-1" not in found.listing.write_csv()


def test_contained_results_are_listed_and_contained_medications_are_followed() -> None:
    report = {"resourceType": "DiagnosticReport", "contained": [lab(id="o"), form(), {"resourceType": "Practitioner"}]}
    drug = {
        "resourceType": "Medication",
        "id": "m",
        "code": concept("161", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    }
    taken = {**statement(), "contained": [drug], "medicationReference": {"reference": "#m"}}
    del taken["medicationCodeableConcept"]
    found = read(report, taken)
    assert set(found.tables) == {"patients", "treatment_history"}
    assert found.tables["treatment_history"]["drug"].to_list() == ["acetaminophen"]
    assert sorted(found.listing.select("resource", "problem").rows()) == [
        ("DiagnosticReport", "this type of resource is not read"),
        ("Observation", "contained in another resource: not read"),
        ("QuestionnaireResponse", "contained in another resource: not read"),
    ]


def test_contained_medications_of_one_id_are_each_their_own_order_s() -> None:
    def holding(code: str) -> dict[str, Any]:
        drug = {"resourceType": "Medication", "id": "1", "code": concept(code, "http://www.whocc.no/atc")}
        taken = {**statement(), "contained": [drug], "medicationReference": {"reference": "#1"}}
        del taken["medicationCodeableConcept"]
        return taken

    found = read(holding("R05DA04"), holding("N02BE01"))
    assert found.tables["treatment_history"]["drug"].to_list() == ["codeine", "acetaminophen"]


@pytest.mark.parametrize(
    ("codes", "drug", "listed"),
    [
        (("2670", "161"), "acetaminophen / codeine", []),  # all ingredients are known
        # one is not: nothing is put together from the rest
        (
            ("82063", "161"),
            "Percocet tablet",
            [("82063", "ingredient has no known code", 1), (None, "drug has no known code; its words are kept", 1)],
        ),
    ],
)
def test_a_product_is_known_by_its_ingredients_or_not_at_all(
    codes: tuple[str, ...], drug: str, listed: list[tuple[str | None, str, int]]
) -> None:
    rxnorm = "http://www.nlm.nih.gov/research/umls/rxnorm"
    parts = [{"itemCodeableConcept": concept(code, rxnorm)} for code in codes]
    parts.append({"itemCodeableConcept": {"text": "lactose"}, "isActive": False})
    product = {"resourceType": "Medication", "id": "m", "code": {"text": "Percocet tablet"}, "ingredient": parts}
    taken = {**statement(), "medicationReference": {"reference": "Medication/m"}}
    del taken["medicationCodeableConcept"]
    found = read(product, taken)
    assert found.tables["treatment_history"]["drug"].to_list() == [drug]
    assert sorted(problems(found), key=str) == listed


@pytest.mark.parametrize(
    ("value", "unit", "code", "mg_per_l"),
    [
        (2.8, "mg/L", "mg/L", 2.8),
        (0.28, "mg/dL", "mg/dL", 2.8),
        (0.28, "mg/dl", "mg/dL", 2.8),
        (2.8, "ug/mL", "mg/L", 2.8),  # two words for one amount
        (2800, "µg/L", "ug/L", 2.8),
        (2.8, "units of the analyser", "mg/L", 2.8),
        (0.28, "mg/L", "mg/dL", None),  # ten times too much or too little, and nobody can tell which
        (2.8, "mg/dL", "mg/L", None),
        (2.8, "mg/dL", "nmol/L", None),
        (2.8, None, "[arb'U]/mL", None),
        (2.8, None, "10*-3.g/L", None),
        (2.8, None, "%", None),
    ],
)
def test_units_are_converted_or_the_value_is_listed(
    value: float, unit: str | None, code: str, mg_per_l: float | None
) -> None:
    quantity = {"value": value, "system": UCUM, "code": code} | ({} if unit is None else {"unit": unit})
    found = read(lab(valueQuantity=quantity))
    if mg_per_l is None:
        assert "biomarkers" not in found.tables and found.listing.height == 1
        return
    assert found.listing.is_empty()
    row = found.tables["biomarkers"].row(0, named=True)
    assert float(row["value"]) * load_biomarkers()["crp"].factor(row["unit"]) == pytest.approx(mg_per_l)


def test_a_value_beside_components_hides_none_of_them() -> None:
    parts = [
        {"code": concept("26881-3"), "valueQuantity": {"value": 2, "unit": "pg/mL"}},
        {"code": concept("99999-9"), "valueQuantity": {"value": 3, "unit": "pg/mL"}},
    ]
    found = read(lab(component=parts))
    assert found.tables["biomarkers"].select("analyte", "value").rows() == [("crp", "2.8"), ("il6", "2")]
    assert problems(found) == [("99999-9", "unknown code", 1)]


def test_a_panel_that_is_not_known_does_not_hide_what_is() -> None:
    parts = [
        {"code": concept("26881-3"), "valueQuantity": {"value": 2, "unit": "pg/mL"}},
        {"code": concept("99999-9"), "valueQuantity": {"value": 3, "unit": "pg/mL"}},
    ]
    panel = {**lab("11111-1", component=parts), "valueString": "see the components"}
    del panel["valueQuantity"]
    found = read(panel)
    assert found.tables["biomarkers"].select("analyte", "value").rows() == [("il6", "2")]
    assert problems(found) == [("11111-1", "unknown code", 1)]  # the part of it is not told of a second time


def test_every_unknown_code_is_listed_once_with_its_count() -> None:
    strange = [lab(f"{number}-0", id=f"{number}-{copy}") for number in range(10, 60) for copy in range(2)]
    found = read(*strange, lab(concept("crp", "urn:lab:own")), lab(concept("CRP")))
    assert "biomarkers" not in found.tables
    assert found.listing.height == 52 and found.listing["count"].sum() == 102
    assert set(found.listing["system"]) == {LOINC, "urn:lab:own"}
