"""Questionnaires by linkId or LOINC code; what people take."""

from __future__ import annotations

from typing import Any

import pytest

from nociomics.fhir.content import FhirError
from tests.fhir.messages import LOINC, concept, form, problems, read, request, statement

_ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"


def _answers(*forms: dict[str, Any], **how: Any) -> list[tuple[str, str, str]]:
    return read(*forms, **how).tables["questionnaires"].select("instrument", "item", "response").rows()


def test_items_are_known_by_their_number_or_column_name() -> None:
    assert _answers(form(items={"1": 3, "pcs_2": 4})) == [("pcs", "1", "3"), ("pcs", "2", "4")]


def test_a_form_of_loinc_has_loinc_items_and_ordinal_values() -> None:
    coding = {"system": LOINC, "code": "LA6570-1", "extension": [{"url": _ORDINAL, "valueDecimal": 2}]}
    group = {"linkId": "g", "item": [{"linkId": "/44250-9", "answer": [{"valueCoding": coding}]}]}
    assert _answers(form("http://loinc.org/q/44249-1|2.73", {}, item=[group])) == [("phq_9", "1", "2")]


def test_a_hospitals_own_url_is_named_and_never_guessed() -> None:
    own = form("https://hospital.example/Questionnaire/7")
    assert _answers(own, forms={"https://hospital.example/Questionnaire/7": "pcs"})[0] == ("pcs", "1", "3")
    found = read(own)
    assert found.listing.rows() == [
        (
            "QuestionnaireResponse",
            "questionnaire",
            "https://hospital.example/Questionnaire/7",
            None,
            "unknown questionnaire",
            1,
        )
    ]
    with pytest.raises(FhirError, match=r'no instrument "psc"\. Did you mean "pcs"'):
        read(own, forms={"https://hospital.example/Questionnaire/7": "psc"})


@pytest.mark.parametrize("status", ["in-progress", "stopped", "entered-in-error", None])
def test_a_form_that_is_not_finished_is_listed(status: str | None) -> None:
    found = read(form(status=status))
    assert "questionnaires" not in found.tables and "not taken" in problems(found)[0][1]


def test_items_and_answers_that_are_not_understood_are_listed() -> None:
    items = [
        {"linkId": "99", "answer": [{"valueInteger": 1}]},
        {"linkId": "1", "answer": [{"valueString": "3"}]},
        {"linkId": "2", "answer": [{"valueInteger": 1}, {"valueInteger": 2}]},
        {"linkId": "3", "answer": [{"valueInteger": 0}]},
        {"linkId": "4"},
    ]
    found = read(form(item=items))
    assert found.tables["questionnaires"]["item"].to_list() == ["3"]
    assert sorted(problems(found)) == [
        ("1", "answer is no number", 1),
        ("2", "answered more than once", 1),
        ("99", "unknown item", 1),
    ]


def test_the_latest_form_counts() -> None:
    older = form(items={"1": 0}, authored="2024-02-01")
    assert _answers(older, form(items={"1": 4})) == [("pcs", "1", "4")]


def test_medications_by_code_keep_dose_and_dates() -> None:
    dose = {"doseAndRate": [{"doseQuantity": {"value": 60, "unit": "mg"}}]}
    found = read(
        statement("72625", dosage=[dose]),
        statement(
            "N06AB03",
            "http://www.whocc.no/atc",
            status="completed",
            effectivePeriod={"start": "2020-01-01", "end": "2021-01-01"},
        ),
        request("10689"),
    )
    assert found.tables["treatment_history"].drop("patient_id").rows() == [
        ("duloxetine", "60", "mg", "2025-12-01", None),
        ("fluoxetine", None, None, "2020-01-01", "2021-01-01"),
        ("tramadol", None, None, "2026-01-05", None),
    ]
    assert found.listing.is_empty()


@pytest.mark.parametrize(
    ("resource", "problem"),
    [
        (statement(status="entered-in-error"), "status entered-in-error: not taken"),
        (statement(status="not-taken"), "status not-taken: not taken"),
        (statement(status="stopped"), "ended without a date: it cannot be told from a drug that is taken"),
        (request(intent="proposal"), "intent is no order"),
        (request(doNotPerform=True), "says not to give the drug"),
    ],
)
def test_a_drug_that_is_not_taken_is_listed(resource: dict[str, Any], problem: str) -> None:
    found = read(resource)
    assert "treatment_history" not in found.tables and found.listing["problem"].to_list() == [problem]


def test_an_unknown_code_keeps_the_words_of_the_record_and_is_listed() -> None:
    found = read(statement("123456", medicationCodeableConcept=concept("123456", text="Some syrup")))
    assert found.tables["treatment_history"]["drug"].to_list() == ["Some syrup"]
    assert (
        problems(found) == [(None, "drug has no known code; its words are kept", 1)]
        or problems(found)[0][0] == "123456"
    )


def test_the_studys_drugs_become_arms_where_exactly_one_is_taken() -> None:
    found = read(statement("72625"), statement("187832"), arms=["duloxetine"])
    assert found.tables["treatments"].rows() == [("secret-1", "duloxetine", "observational", "2025-12-01")]
    both = read(statement("72625"), statement("187832"), arms=["duloxetine", "pregabalin"])
    assert "treatments" not in both.tables
    assert "takes several of the study's treatments; no arm is given" in both.listing["problem"].to_list()
