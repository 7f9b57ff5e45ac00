"""CDS Hooks point by point: what is asked for, what is refused, whose data it is, and what leaves no trace."""

from __future__ import annotations

import copy
import json
import logging
import re
import uuid
from typing import Any

import pytest

from nociomics.knowledge.drug_code import load_drug_codes
from nociomics.service.hook_cards import SERVICES, answer_hook, discovery
from nociomics.service.hook_feedback import read_feedback
from nociomics.service.refusal import Refusal
from tests.service.asgi_client import Client
from tests.service.hooks import (
    ACETAMINOPHEN,
    CODEINE,
    CONSENT,
    INSTANCE,
    TRAMADOL,
    bundle,
    genotype,
    order,
    phenotype,
    signing,
)

CODES = load_drug_codes()
POOR, ULTRARAPID, NORMAL = genotype("*4/*4"), genotype("*1x2/*2"), genotype("*1/*1")
_ATC = "http://www.whocc.no/atc"


def _cards(body: dict[str, Any], service: str = "pgx-order-sign") -> list[dict[str, Any]]:
    cards: list[dict[str, Any]] = answer_hook(service, body, CODES)["cards"]
    return cards


def _viewing(prefetch: Any) -> dict[str, Any]:
    context = {"userId": "Practitioner/x", "patientId": "p1"}
    return {"hook": "patient-view", "hookInstance": INSTANCE, "context": context, "prefetch": prefetch}


# discovery


def test_each_service_asks_for_what_it_uses() -> None:
    asked = {one["id"]: set(one["prefetch"]) for one in discovery()["services"]}
    assert asked == {
        "pgx-order-select": {"genomics", "consent"},
        "pgx-order-sign": {"genomics", "consent"},
        "pain-patient-view": {"genomics", "consent", "medications", "statements"},
    }


def test_prefetch_templates_keep_to_the_recommended_subset() -> None:
    # a search by type with tokens of the context's first level, equality, and no modifier
    plain = re.compile(r"[A-Z][A-Za-z]+\?patient=\{\{context\.patientId\}\}(&(code|status)=[A-Za-z0-9|,:/._-]+)+")
    for one in discovery()["services"]:
        assert all(plain.fullmatch(template) for template in one["prefetch"].values())
        assert {"84413-4", "79715-9"} <= set(re.findall(r"\|([0-9]+-[0-9])", one["prefetch"]["genomics"]))


# the request


@pytest.mark.parametrize(
    "selections", [[], ["MedicationRequest/9"], ["9", 9], [None]], ids=["none", "absent", "numbers", "null"]
)
def test_a_selection_that_is_not_sent_is_refused_and_not_passed_over(selections: list[Any]) -> None:
    body = signing(order(CODEINE), prefetch=[POOR, CONSENT], hook="order-select", selections=selections)
    with pytest.raises(Refusal, match="selections") as refused:
        _cards(body, "pgx-order-select")
    assert refused.value.status == 400


def test_an_order_for_somebody_else_is_not_judged_by_this_patients_genes() -> None:
    other = order(CODEINE, subject={"reference": "Patient/p2"})
    assert _cards(signing(other, prefetch=[POOR, CONSENT])) == []


@pytest.mark.parametrize(
    ("subject", "counts"),
    [
        ({"reference": "Patient/p1"}, True),
        ({"reference": "https://ehr.example/fhir/Patient/p1"}, True),
        ({"reference": "Patient/p1/_history/4"}, True),
        ({"reference": "Patient/p11"}, False),
        ({"reference": "Group/p1"}, False),
        ({"reference": "p1"}, False),
        ({"reference": "urn:uuid:9a5bd6c1-0000-4000-8000-000000000001"}, False),
        ({"display": "p1"}, False),
        ({"identifier": {"value": "p1"}}, False),
        ({}, False),
    ],
)
def test_results_are_of_this_patient_or_do_not_count(subject: dict[str, Any], counts: bool) -> None:
    assert len(_cards(signing(order(CODEINE), prefetch=[genotype("*4/*4", subject=subject), CONSENT]))) == counts


def test_a_result_inside_another_resource_is_not_taken_out_of_it() -> None:
    inside = {key: value for key, value in POOR.items() if key != "subject"}
    report = {"resourceType": "DiagnosticReport", "subject": {"reference": "Patient/p2"}, "contained": [inside]}
    found = answer_hook("pgx-order-sign", signing(order(CODEINE), prefetch=[report, CONSENT, NORMAL]), CODES)
    assert found["cards"] == []


def test_every_order_has_its_own_contained_medication() -> None:
    """Both orders hold a Medication #1: codeine in the first, acetaminophen in the second."""

    def holding(code: str, name: str) -> dict[str, Any]:
        inside = {
            "resourceType": "Medication",
            "id": "1",
            "code": {"coding": [{"system": _ATC, "code": code}]},
        }
        made = order("x", name) | {"contained": [inside], "medicationReference": {"reference": "#1"}}
        del made["medicationCodeableConcept"]
        return made

    body = signing(holding("R05DA04", "first"), holding("N02BE01", "second"), prefetch=[ULTRARAPID, CONSENT])
    (card,) = _cards(body)
    assert card["suggestions"][0]["actions"][0]["resourceId"] == "MedicationRequest/first"
    swapped = signing(holding("N02BE01", "first"), holding("R05DA04", "second"), prefetch=[ULTRARAPID, CONSENT])
    (card,) = _cards(swapped)
    assert card["suggestions"][0]["actions"][0]["resourceId"] == "MedicationRequest/second"


@pytest.mark.parametrize(
    ("parts", "known", "unknown"),
    [
        ((CODEINE, ACETAMINOPHEN), True, []),
        (("82063", ACETAMINOPHEN), False, ["ndc", "82063"]),  # a known part does not hide one that is not
        ((CODEINE, "82063"), True, ["ndc", "82063"]),
        ((), False, ["ndc"]),
    ],
)
def test_ingredients_count_one_by_one(parts: tuple[str, ...], known: bool, unknown: list[str]) -> None:
    rxnorm = "http://www.nlm.nih.gov/research/umls/rxnorm"
    listed = [{"itemCodeableConcept": {"coding": [{"system": rxnorm, "code": part}]}} for part in parts]
    lactose = {"itemCodeableConcept": {"text": "lactose"}, "isActive": False}
    product = {
        "resourceType": "Medication",
        "id": "m",
        "code": {"coding": [{"system": "urn:ndc", "code": "ndc"}]},
        "ingredient": [*listed, lactose],
    }
    made = order("x") | {"medicationReference": {"reference": "Medication/m"}}
    del made["medicationCodeableConcept"]
    found = answer_hook("pgx-order-sign", signing(made, prefetch=[POOR, CONSENT, product]), CODES)
    assert len(found["cards"]) == known
    assert [one["code"] for one in found["extension"]["org.nociomics"]["unknown_codes"]] == unknown


@pytest.mark.parametrize(
    ("change", "cards", "unknown"),
    [
        ({"status": "cancelled"}, 0, []),
        ({"status": "entered-in-error"}, 0, []),
        ({"doNotPerform": True}, 0, []),
        ({"medicationCodeableConcept": {"text": "Codeine 30 mg tablets"}}, 1, []),
        ({"medicationCodeableConcept": {"text": "codeine-free syrup"}}, 0, [{"code": "no code"}]),
        (
            {"medicationReference": {"reference": "Medication/absent"}, "medicationCodeableConcept": None},
            0,
            [{"code": "no code"}],
        ),
    ],
)
def test_orders_are_meant_and_named_or_told(change: dict[str, Any], cards: int, unknown: list[dict[str, str]]) -> None:
    body = signing(order(CODEINE) | change, prefetch=[POOR, CONSENT])
    found = answer_hook("pgx-order-sign", body, CODES)
    assert len(found["cards"]) == cards and found["extension"]["org.nociomics"]["unknown_codes"] == unknown


# 412: what is needed to judge was not sent


_PAGED = bundle() | {"link": [{"relation": "self", "url": "x"}, {"relation": "next", "url": "y"}]}
_FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
_HINT = {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}


@pytest.mark.parametrize(
    "prefetch",
    [
        None,
        {"consent": bundle(CONSENT)},
        {"consent": bundle(CONSENT), "genomics": _FAILED},
        {"consent": bundle(CONSENT), "genomics": bundle(POOR, _FAILED)},
        {"consent": bundle(CONSENT), "genomics": {**_PAGED, "entry": [{"resource": NORMAL}]}},
        {"consent": {**_PAGED, "entry": [{"resource": CONSENT}]}, "genomics": bundle(POOR)},
    ],
    ids=["nothing", "no key", "failed", "partly failed", "first page of results", "first page of consents"],
)
def test_what_cannot_be_judged_is_412_and_not_silence(prefetch: Any) -> None:
    body = signing(order(CODEINE)) | {"prefetch": prefetch}
    with pytest.raises(Refusal) as refused:
        _cards(body)
    assert refused.value.status == 412 and "CYP2D6" not in refused.value.message
    # a drug without advice needs nothing
    assert _cards(signing(order(ACETAMINOPHEN)) | {"prefetch": prefetch}) == []


def test_null_says_that_there_is_nothing_and_hints_are_no_errors() -> None:
    prefetch = {"consent": bundle(CONSENT, _HINT), "genomics": None}
    assert _cards(signing(order(CODEINE)) | {"prefetch": prefetch}) == []


def test_without_consent_no_genetics_are_asked_for() -> None:
    found = answer_hook("pgx-order-sign", signing(order(CODEINE)) | {"prefetch": {"consent": None}}, CODES)
    assert found["cards"] == [] and found["extension"]["org.nociomics"]["genetics"] == "not used: no consent"


def test_the_view_of_a_patient_needs_the_drugs() -> None:
    with pytest.raises(Refusal) as refused:
        _cards(_viewing({"genomics": bundle(POOR), "consent": bundle(CONSENT)}), "pain-patient-view")
    assert refused.value.status == 412
    nothing = {"genomics": bundle(POOR), "consent": bundle(CONSENT), "medications": None, "statements": None}
    assert _cards(_viewing(nothing), "pain-patient-view") == []


@pytest.mark.parametrize("intent", ["proposal", "plan", "option"])
def test_a_drug_that_is_only_wished_for_is_not_taken(intent: str) -> None:
    wished = order(CODEINE, status="active", intent=intent)
    prefetch = {"genomics": bundle(POOR), "consent": bundle(CONSENT), "medications": bundle(wished)}
    assert _cards(_viewing(prefetch), "pain-patient-view") == []


# consent


def _consent(**keys: Any) -> dict[str, Any]:
    return {key: value for key, value in {**copy.deepcopy(CONSENT), **keys}.items() if value is not None}


def test_a_consent_of_nobody_permits_nothing_and_still_denies() -> None:
    nobodys = _consent(patient=None)
    assert _cards(signing(order(CODEINE), prefetch=[POOR, nobodys])) == []
    denial = _consent(patient=None, provision={**CONSENT["provision"], "type": "deny"})
    assert _cards(signing(order(CODEINE), prefetch=[POOR, CONSENT, denial])) == []


@pytest.mark.parametrize("results", [[POOR], [ULTRARAPID], [phenotype("Poor metabolizer")], [POOR, ULTRARAPID]])
@pytest.mark.parametrize("service", [one.id for one in SERVICES])
def test_without_consent_no_word_of_genetics_leaves(service: str, results: list[dict[str, Any]]) -> None:
    prefetch = [*results, order(CODEINE, "t", status="active"), order(TRAMADOL, "u", status="active")]
    if service == "pain-patient-view":
        body = _viewing({"everything": bundle(*prefetch)})
    else:
        hook = service.removeprefix("pgx-")
        chosen = {"selections": ["MedicationRequest/1"]} if hook == "order-select" else {}
        body = signing(order(CODEINE), prefetch=prefetch, hook=hook, **chosen)
    found = answer_hook(service, body, CODES)
    assert found["cards"] == []
    words = json.dumps(found).lower()
    assert not any(word in words for word in ("cyp", "metabol", "observations", "84413", "79715", "*4"))


# the cards


_PEOPLE = {"poor": POOR, "ultrarapid": ULTRARAPID, "normal": NORMAL, "intermediate": genotype("*4/*10")}


@pytest.mark.parametrize("person", _PEOPLE)
@pytest.mark.parametrize("code", [ACETAMINOPHEN, CODEINE, TRAMADOL, "704", "7531", "39786", "7804"])
def test_every_card_is_as_the_specification_wants(code: str, person: str) -> None:
    for card in _cards(signing(order(code), prefetch=[_PEOPLE[person], CONSENT])):
        assert 0 < len(card["summary"]) < 140 and "\n" not in card["summary"]
        assert card["indicator"] in ("info", "warning", "critical")
        assert uuid.UUID(card["uuid"]) and card["detail"] and card["source"]["label"]
        assert ("suggestions" in card) == ("selectionBehavior" in card)
        assert all(one["code"] and one["display"] for one in card["overrideReasons"])
        assert all(one["type"] == "absolute" and "appContext" not in one for one in card["links"])
        assert not any(value in (None, "", [], {}) for value in _leaves(card))


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict) and value:
        return [leaf for one in value.values() for leaf in _leaves(one)]
    if isinstance(value, list) and value:
        return [leaf for one in value for leaf in _leaves(one)]
    return [value]


def test_codeine_and_acetaminophen_for_everybody() -> None:
    """The table of the issue: two different warnings, the second critical; none for a normal one; none at all."""

    def told(code: str, person: str) -> list[tuple[str, str]]:
        found = _cards(signing(order(code), prefetch=[_PEOPLE[person], CONSENT]))
        return [(card["indicator"], card["summary"]) for card in found]

    (poor,), (ultrarapid,) = told(CODEINE, "poor"), told(CODEINE, "ultrarapid")
    assert (poor[0], ultrarapid[0]) == ("warning", "critical") and poor[1] != ultrarapid[1]
    assert told(CODEINE, "normal") == []
    assert [told(ACETAMINOPHEN, person) for person in _PEOPLE] == [[], [], [], []]


# feedback


_ACCEPTED = {
    "card": "4e0a3a1e-3283-4575-ab82-028d55fe2719",
    "outcome": "accepted",
    "acceptedSuggestions": [{"id": "e56e1945-20b3-4393-8503-a1a20fd73152"}],
    "outcomeTimestamp": "2026-12-11T10:05:31Z",
}


def test_feedback_is_counted_by_outcome_and_reason() -> None:
    refused = {"card": "c", "outcome": "overridden", "outcomeTimestamp": "2026-12-11T10:05:31.52+01:00"}
    ours = refused | {"overrideReason": {"reason": {"code": "palliative"}, "userComment": "for Jane Doe"}}
    theirs = refused | {"overrideReason": {"reason": {"code": "x"}}}
    alone = refused | {"overrideReason": {"userComment": "for Jane Doe"}}
    assert read_feedback({"feedback": [_ACCEPTED, refused, ours, theirs, alone]}) == [
        ("accepted", "none"),
        ("overridden", "none"),
        ("overridden", "palliative"),
        ("overridden", "other"),
        ("overridden", "other"),
    ]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"card": None}, "card"),
        ({"card": ""}, "card"),
        ({"outcome": "ignored"}, "outcome"),
        ({"outcomeTimestamp": None}, "outcomeTimestamp"),
        ({"outcomeTimestamp": "2026-12-11T10:05:31"}, "zone"),
        ({"outcomeTimestamp": 5}, "outcomeTimestamp"),
        ({"acceptedSuggestions": []}, "acceptedSuggestions"),
        ({"acceptedSuggestions": [{"uuid": "1"}]}, "acceptedSuggestions"),
    ],
)
def test_feedback_without_what_it_needs_is_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(Refusal, match=word) as refused:
        read_feedback({"feedback": [_ACCEPTED | change]})
    assert refused.value.status == 400
    for body in ({}, {"feedback": []}, {"feedback": {}}, {"feedback": [1]}):
        with pytest.raises(Refusal):
            read_feedback(body)


# what leaves no trace


def test_a_fhir_token_of_the_caller_is_neither_used_nor_written_down(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "opaque-token-of-the-hospital"
    body = signing(order(CODEINE), prefetch=[POOR, CONSENT]) | {
        "fhirServer": "https://ehr.example/fhir",
        "fhirAuthorization": {
            "access_token": secret,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "user/Observation.read",
            "subject": "cds-service",
        },
    }
    without = {key: value for key, value in body.items() if not key.startswith("fhir")}
    answer = client.post("/cds-services/pgx-order-sign", body)
    assert answer.status == 200
    assert answer.json() == client.post("/cds-services/pgx-order-sign", without).json()
    broken = client.post("/cds-services/pgx-order-sign", {**body, "hook": secret, "fhirServer": None})
    assert broken.status == 400
    told = [answer.content, broken.content, client.get("/metrics").content, caplog.text.encode()]
    assert not any(secret.encode() in one for one in told)
    assert not any(word in caplog.text for word in ("Patient/p1", "*4/*4", "CYP2D6"))


def test_a_page_of_another_site_gets_no_leave_to_call(client: Client) -> None:
    """No CORS: a browser that asks first is told nothing that would let it go on."""
    asking = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}
    for headers in (asking, {**asking, "authorization": None}):
        answer = client.runner.run(client.ask("OPTIONS", "/cds-services/pgx-order-sign", headers=headers))
        assert answer.status in (401, 405)
        assert not any(name.startswith("access-control") for name in answer.headers)
