"""Warnings at the point of prescribing: two different ones for codeine, and silence wherever there is no reason."""

import copy

import pytest

from nociomics.knowledge.drug_code import DrugCodeError, load_drug_codes, read_drug_codes
from nociomics.service.hook_cards import LONGEST_SUMMARY, answer_hook, discovery
from nociomics.service.refusal import Refusal
from tests.service.hooks import (
    ACETAMINOPHEN,
    CODEINE,
    CONSENT,
    RXNORM,
    TRAMADOL,
    bundle,
    genotype,
    order,
    phenotype,
    signing,
)

CODES = load_drug_codes()


def cards(body, service="pgx-order-sign", **how):
    return answer_hook(service, body, CODES, **how)["cards"]


def of_codeine(*results, consent=CONSENT):
    return cards(signing(order(CODEINE), prefetch=[*results, *([consent] if consent else [])]))


def test_a_poor_and_an_ultrarapid_metaboliser_get_two_different_warnings():
    (poor,), (ultrarapid,) = of_codeine(genotype("*4/*4")), of_codeine(genotype("*1x2/*2"))
    assert (poor["indicator"], ultrarapid["indicator"]) == ("warning", "critical")
    assert "poor metaboliser" in poor["summary"] and "relief" in poor["summary"]
    assert "ultrarapid metaboliser" in ultrarapid["summary"] and "toxicity" in ultrarapid["detail"]
    assert poor["detail"] != ultrarapid["detail"] and poor["uuid"] == ultrarapid["uuid"]


@pytest.mark.parametrize("pair", ["*1/*1", "*1/*2", "*2/*10", "*35/*41"])
def test_a_normal_metaboliser_gets_no_card(pair):
    assert of_codeine(genotype(pair)) == []


def test_an_intermediate_metaboliser_gets_information_and_no_suggestion():
    (card,) = of_codeine(genotype("*4/*10"))
    assert card["indicator"] == "info" and "suggestions" not in card


@pytest.mark.parametrize("pair", ["*4/*4", "*1x2/*2", "*1/*1", "*4/*10", "*1/*999", "(*1/*4)"])
def test_acetaminophen_gets_none_for_anybody(pair):
    assert cards(signing(order(ACETAMINOPHEN), prefetch=[genotype(pair), CONSENT])) == []


def changed(**keys):
    return {**copy.deepcopy(CONSENT), **keys}


@pytest.mark.parametrize(
    "consent",
    [
        None,
        changed(status="inactive"),
        changed(status="entered-in-error"),
        changed(patient={"reference": "Patient/somebody-else"}),
        changed(provision={**CONSENT["provision"], "type": "deny"}),
        changed(provision={**CONSENT["provision"], "period": {"end": "2020-01-01"}}),
        changed(provision={"type": "permit"}),
        changed(provision=None),
    ],
    ids=["none", "inactive", "in error", "another's", "denied", "run out", "of something else", "says nothing"],
)
def test_without_consent_nothing_genetic_is_said(consent):
    body = signing(order(CODEINE), prefetch=[genotype("*1x2/*2"), *([consent] if consent else [])])
    found = answer_hook("pgx-order-sign", body, CODES)
    assert found["cards"] == []
    text = str(found)
    assert "CYP2D6" not in text and "metaboliser" not in text and "observations" not in text


def test_a_denial_goes_before_a_permission_and_before_the_callers_word():
    denied = changed(provision={**CONSENT["provision"], "type": "deny"})
    body = signing(order(CODEINE), prefetch=[genotype("*4/*4"), CONSENT, denied])
    assert cards(body) == [] and cards(body, consent_elsewhere=True) == []


def test_a_caller_that_looks_after_consent_is_answered_without_one():
    body = signing(order(CODEINE), prefetch=[genotype("*4/*4")])
    assert cards(body) == [] and len(cards(body, consent_elsewhere=True)) == 1


def test_a_consent_by_category_counts():
    category = changed(category=[{"coding": [{"system": "urn:nociomics:consent", "code": "genetics"}]}])
    assert len(of_codeine(genotype("*4/*4"), consent={**category, "provision": {"type": "permit"}})) == 1


@pytest.mark.parametrize(
    ("words", "indicator"),
    [("Poor metabolizer", "warning"), ("ultrarapid metaboliser", "critical"), ("Ultra-rapid metabolizer", "critical")],
)
def test_a_phenotype_that_a_laboratory_reported_is_enough(words, indicator):
    (card,) = of_codeine(phenotype(words))
    assert card["indicator"] == indicator


@pytest.mark.parametrize("words", ["Normal metabolizer", "Not a poor metabolizer", "unknown", ""])
def test_other_words_are_not_taken_for_a_phenotype(words):
    assert of_codeine(phenotype(words)) == []


@pytest.mark.parametrize(
    "result",
    [
        genotype("*4/*4", status="preliminary"),
        genotype("*4/*4", status="entered-in-error"),
        genotype("*4/*4", subject={"reference": "Patient/somebody-else"}),
        genotype("*4/*4", gene="BRCA1"),
        genotype("*1/*999"),
    ],
    ids=["preliminary", "in error", "another's", "another gene", "unknown allele"],
)
def test_a_result_that_does_not_count_gives_no_card(result):
    assert of_codeine(result) == []


def test_several_possible_results_are_not_critical():
    (card,) = of_codeine(genotype("*1x2/*2"), genotype("*1/*1"))
    assert card["indicator"] == "warning" and "several answers" in card["detail"]


def test_a_card_has_all_that_the_specification_asks():
    (card,) = of_codeine(genotype("*1x2/*2"))
    assert len(card["summary"]) <= LONGEST_SUMMARY and card["source"]["label"].startswith("CPIC")
    assert card["source"]["url"].startswith("https://") and all(one["type"] == "absolute" for one in card["links"])
    assert card["selectionBehavior"] == "at-most-one" and card["overrideReasons"][0]["display"]
    (action,) = card["suggestions"][0]["actions"]
    assert (action["type"], action["resourceId"]) == ("delete", "MedicationRequest/1")
    assert "2026-02-03" in card["detail"] and "guideline of 2021" in card["detail"]


def test_only_selected_orders_count_when_selecting():
    orders = (order(CODEINE, "1"), order(TRAMADOL, "2"))
    body = signing(
        *orders, prefetch=[genotype("*4/*4"), CONSENT], hook="order-select", selections=["MedicationRequest/2"]
    )
    (card,) = cards(body, "pgx-order-select")
    assert card["summary"].startswith("Tramadol")


def test_the_view_of_a_patient_tells_of_active_drugs():
    body = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/x", "patientId": "p1"},
        "prefetch": {
            "genomics": bundle(genotype("*4/*4")),
            "consent": bundle(CONSENT),
            "medications": bundle(order(CODEINE, "1", status="active"), order(TRAMADOL, "2", status="stopped")),
        },
    }
    (card,) = cards(body, "pain-patient-view")
    assert card["summary"].startswith("Codeine") and "suggestions" not in card


def test_at_most_three_cards_the_most_serious_first():
    drugs = [("161", "a"), ("704", "b"), ("2670", "c"), ("10689", "d"), ("7531", "e"), ("5489", "f")]
    found = cards(signing(*(order(code, name) for code, name in drugs), prefetch=[genotype("*1x2/*2"), CONSENT]))
    assert [card["indicator"] for card in found] == ["critical", "critical", "warning"]


def test_a_product_stands_for_all_its_drugs():
    (card,) = cards(signing(order("993781"), prefetch=[genotype("*4/*4"), CONSENT]))
    assert card["summary"].startswith("Codeine")


def test_a_medication_that_is_referred_to():
    medication = {
        "resourceType": "Medication",
        "id": "m1",
        "code": {"coding": [{"system": "urn:local", "code": "77"}]},
        "ingredient": [{"itemCodeableConcept": {"coding": [{"system": RXNORM, "code": CODEINE}]}}],
    }
    request = order(CODEINE) | {"medicationReference": {"reference": "Medication/m1"}}
    del request["medicationCodeableConcept"]
    assert len(cards(signing(request, prefetch=[genotype("*4/*4"), CONSENT, medication]))) == 1
    inside = request | {"medicationReference": {"reference": "#m1"}, "contained": [medication]}
    assert len(cards(signing(inside, prefetch=[genotype("*4/*4"), CONSENT]))) == 1


def test_unknown_codes_are_listed_and_none_is_guessed():
    strange = order("424242")
    strange["medicationCodeableConcept"]["coding"].append({"system": "urn:local", "code": "x"})
    found = answer_hook("pgx-order-sign", signing(strange, prefetch=[genotype("*4/*4"), CONSENT]), CODES)
    assert found["cards"] == []
    assert found["extension"]["org.nociomics"]["unknown_codes"] == [
        {"system": RXNORM, "code": "424242"},
        {"system": "urn:local", "code": "x"},
    ]


def test_a_site_brings_its_own_codes(tmp_path):
    path = tmp_path / "codes.csv"
    path.write_text("system,code,drug\nurn:local,77,codeine\n", encoding="utf-8")
    own = read_drug_codes(path, frozenset({"codeine"}))
    request = order("x") | {"medicationCodeableConcept": {"coding": [{"system": "urn:local", "code": "77"}]}}
    body = signing(request, prefetch=[genotype("*4/*4"), CONSENT])
    assert len(answer_hook("pgx-order-sign", body, {**CODES, **own})["cards"]) == 1
    path.write_text("system,code,drug\nurn:local,77,sugar\n", encoding="utf-8")
    with pytest.raises(DrugCodeError, match="1 drugs are in no pharmacogene table"):
        read_drug_codes(path, frozenset({"codeine"}))


def test_the_discovery_names_hook_id_description_and_prefetch():
    found = discovery()["services"]
    assert {one["hook"] for one in found} == {"patient-view", "order-select", "order-sign"}
    assert all(one["id"] and one["description"] and "{{context.patientId}}" in str(one["prefetch"]) for one in found)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"hook": "order-select"}, "hook:"),
        ({"hookInstance": "1"}, "hookInstance"),
        ({"hookInstance": None}, "hookInstance"),
        ({"context": None}, "context"),
        ({"context": {"userId": "x", "patientId": "", "draftOrders": {}}}, "patientId"),
        ({"context": {"userId": "x", "patientId": "p", "draftOrders": order(CODEINE)}}, "must be a Bundle"),
        ({"prefetch": []}, "prefetch"),
        ({"fhirAuthorization": {}}, "fhirServer"),
    ],
)
def test_a_request_that_is_none_is_400(change, word):
    with pytest.raises(Refusal, match=word) as refused:
        cards({**signing(order(CODEINE)), **change})
    assert refused.value.status == 400


def test_an_unknown_service_is_404_and_no_prefetch_is_412():
    with pytest.raises(Refusal) as refused:
        cards(signing(order(CODEINE)), "nothing")
    assert refused.value.status == 404
    with pytest.raises(Refusal) as refused:
        cards(signing(order(CODEINE), prefetch=None))
    assert refused.value.status == 412
    assert cards(signing(order(ACETAMINOPHEN), prefetch=None)) == []


def test_over_http(client):
    assert client.get("/cds-services").json() == discovery()
    answer = client.post("/cds-services/pgx-order-sign", signing(order(CODEINE), prefetch=[genotype("*4/*4"), CONSENT]))
    assert answer.status == 200 and len(answer.json()["cards"]) == 1
    said = {
        "card": "1",
        "outcome": "overridden",
        "overrideReason": {"reason": {"code": "palliative"}},
        "outcomeTimestamp": "2026-11-21T10:00:00Z",
    }
    assert client.post("/cds-services/pgx-order-sign/feedback", {"feedback": [said]}).json() == {}
    text = client.get("/metrics").content.decode()
    assert 'nociomics_card_feedback_total{outcome="overridden",reason="palliative"} 1.0' in text
    assert client.post("/cds-services/pgx-order-sign/feedback", {"feedback": [{}]}).status == 400
