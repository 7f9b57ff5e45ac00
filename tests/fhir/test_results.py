"""Predictions, comparisons, strata and calls as FHIR: numbers where there is an answer, reasons where there is none."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from fhir.resources.R4B import get_fhir_model_class

from nociomics.fhir.content import FhirError, read_content
from nociomics.fhir.incoming import tables_of
from nociomics.fhir.listing import Listing
from nociomics.fhir.outgoing import to_json
from nociomics.fhir.results import Origin, results_bundle
from nociomics.fhir.validation import require_valid
from nociomics.pharmacogenomics.assessment import call_with_medications

_CLOSED = {"individual_recommendations": False, "reasons": ["Choosing by the model gained nothing on held-out people."]}
_OPEN = {"individual_recommendations": True, "reasons": []}
_ABSTAINED = "abstained: nothing that the model uses was measured"


def _origin(gate: dict[str, Any]) -> Origin:
    return Origin("nociomics 0.1.0, model of study x", "response", gate, "2026-11-21T10:00:00Z")


def _predictions() -> pl.DataFrame:
    columns = ["patient_id", "treatment", "expected", "lower", "upper", "p_response", "p_adverse", "status", "caution"]
    rows = [
        ("P1", "CBT", 1.5, -0.5, 3.5, 0.625, None, "ok", "unlike everybody"),
        ("P2", "CBT", None, None, None, None, None, _ABSTAINED, None),
    ]
    return pl.DataFrame(rows, schema=columns, orient="row")


def _effects() -> pl.DataFrame:
    columns = [
        "patient_id",
        "treatment_a",
        "treatment_b",
        "effect",
        "lower",
        "upper",
        "p_better",
        "recommended",
        "status",
    ]
    return pl.DataFrame([("P1", "CBT", "drug", 0.5, -0.1, 1.1, None, "CBT", "ok")], schema=columns, orient="row")


def _resources(made: dict[str, Any], kind: str, patient: int = 0) -> list[dict[str, Any]]:
    resources = [entry["resource"] for entry in made["entry"]]
    url = [entry["fullUrl"] for entry in made["entry"] if entry["resource"]["resourceType"] == "Patient"][patient]
    return [one for one in resources if one["resourceType"] == kind and one["subject"]["reference"] == url]


def _parsed(made: dict[str, Any]) -> dict[str, Any]:
    parsed = json.loads(to_json(made))
    require_valid(parsed)
    return parsed  # type: ignore[no-any-return]


def test_a_probability_stands_with_method_purpose_and_gate() -> None:
    (risk,) = _resources(_parsed(results_bundle(_origin(_CLOSED), _predictions())), "RiskAssessment")
    response, adverse = risk["prediction"]
    assert response["probabilityDecimal"] == 0.625 and "not per cent" in response["rationale"]
    assert "probabilityDecimal" not in adverse and "not modelled" in adverse["rationale"]
    notes = " ".join(note["text"] for note in risk["note"])
    assert "Individual recommendations are not supported. Choosing by the model gained nothing" in notes
    assert "not for treating a person without a clinician" in notes and "unlike everybody" in notes
    assert "model of study x" in risk["method"]["text"]


def test_an_abstention_has_a_reason_and_no_number() -> None:
    made = _parsed(results_bundle(_origin(_OPEN), _predictions()))
    (risk,) = _resources(made, "RiskAssessment", 1)
    (response, _) = risk["prediction"]
    assert "probabilityDecimal" not in response
    assert response["_probabilityDecimal"]["extension"][0]["valueCode"] == "unknown"
    assert _ABSTAINED in response["rationale"] and _ABSTAINED in [note["text"] for note in risk["note"]]
    (expected,) = _resources(made, "Observation", 1)
    assert "valueQuantity" not in expected and expected["dataAbsentReason"]["text"] == _ABSTAINED


@pytest.mark.parametrize(("gate", "word"), [(_CLOSED, "best-for-everybody"), (_OPEN, "recommended")])
def test_a_closed_gate_makes_no_recommendation_for_one_person(gate: dict[str, Any], word: str) -> None:
    made = _parsed(results_bundle(_origin(gate), _predictions(), effects=_effects()))
    effect = _resources(made, "Observation")[-1]
    codes = {part["code"]["coding"][0]["code"]: part for part in effect["component"]}
    assert codes[word]["valueString"] == "CBT"
    assert {"recommended", "best-for-everybody"} & set(codes) == {word}
    assert "probability-that-a-is-better" not in codes


def test_pharmacogenes_strata_and_scores_are_the_basis() -> None:
    diplotypes = pl.DataFrame({"patient_id": ["P1"], "gene": ["CYP2D6"], "diplotype": ["*1/*4"]})
    calls = call_with_medications(None, diplotypes, ["P1", "P2"])
    strata = pl.DataFrame({"patient_id": ["P1", "P2"], "stratum": ["S1", None], "p_S1": [0.75, None]})
    scores = pl.DataFrame({"patient_id": ["P1"], "pcs_total": [31.0]})
    made = _parsed(results_bundle(_origin(_OPEN), _predictions(), strata=strata, calls=calls, scores=scores))
    found = _resources(made, "Observation")
    codes = [one["code"]["coding"][0]["code"] for one in found]
    phenotype = found[codes.index("79715-9")]
    assert phenotype["valueCodeableConcept"]["coding"][0]["code"] == "LA10317-8"
    called = next(one for one in found if one.get("valueCodeableConcept", {}).get("text") == "CYP2D6 *1/*4")
    assert called["component"][0]["valueCodeableConcept"]["coding"][0]["code"] == "HGNC:2625"
    assert found[codes.index("stratum")]["valueCodeableConcept"]["coding"][0]["code"] == "S1"
    assert found[codes.index("pcs_total")]["valueQuantity"]["value"] == 31
    urls = {entry["fullUrl"] for entry in made["entry"]}
    (risk,) = _resources(made, "RiskAssessment")
    assert risk["basis"] and {one["reference"] for one in risk["basis"]} <= urls
    stratum = next(one for one in _resources(made, "Observation", 1) if one["code"]["text"] == "stratum")
    assert "valueCodeableConcept" not in stratum and stratum["dataAbsentReason"]["text"]


def test_an_open_call_names_no_likeliest_one() -> None:
    row = {
        "sample": "P1",
        "gene": "CYP2D6",
        "call_state": "called",
        "n_candidates": 2,
        "diplotype_candidates": "*1/*2|*2/*2",
    }
    calls = pl.DataFrame([{**row, "phenotype": None, "phenotype_candidates": "Normal Metabolizer|Poor Metabolizer"}])
    made = _parsed(results_bundle(_origin(_OPEN), _predictions().head(1), calls=calls))
    genotype, phenotype = _resources(made, "Observation")[:2]
    assert "valueCodeableConcept" not in genotype and genotype["dataAbsentReason"]["text"] == "2 pairs of alleles fit"
    assert "valueCodeableConcept" not in phenotype
    assert phenotype["note"][0]["text"] == "Normal Metabolizer, Poor Metabolizer"


def test_predictions_are_never_read_back_as_measurements() -> None:
    listing = Listing()
    found = tables_of(read_content(to_json(results_bundle(_origin(_OPEN), _predictions())), listing), listing)
    assert set(found.tables) == {"patients"}
    counts = found.listing.group_by("resource").agg(pl.col("count").sum()).sort("resource").rows()
    assert counts == [("Observation", 2), ("RiskAssessment", 2)]


def test_a_number_that_json_lacks_is_refused() -> None:
    frame = _predictions().with_columns(expected=pl.lit(float("nan")))
    with pytest.raises(FhirError, match="NaN or infinite"):
        to_json(results_bundle(_origin(_OPEN), frame))


def test_an_invalid_resource_is_named_by_its_place_and_not_its_value() -> None:
    with pytest.raises(FhirError, match=r"Patient breaks R4B in birthDate") as caught:
        require_valid({"resourceType": "Patient", "birthDate": "secret-1"})
    assert "secret-1" not in str(caught.value)
    with pytest.raises(FhirError, match='"Nothing" is no resource'):
        require_valid({"resourceType": "Nothing"})


def test_what_is_written_is_the_same_after_another_reader() -> None:
    """fhir.resources takes every resource of ours and gives it back equal, with the digits of its numbers."""
    diplotypes = pl.DataFrame({"patient_id": ["P1"], "gene": ["CYP2D6"], "diplotype": ["*1/*4"]})
    calls = call_with_medications(None, diplotypes, ["P1", "P2"])
    strata = pl.DataFrame({"patient_id": ["P1", "P2"], "stratum": ["S1", None], "p_S1": [0.75, None]})
    scores = pl.DataFrame({"patient_id": ["P1"], "pcs_total": [31.5]})
    made = results_bundle(_origin(_OPEN), _predictions(), effects=_effects(), strata=strata, calls=calls, scores=scores)
    kinds = set()
    for entry in made["entry"]:
        written = json.loads(to_json(entry["resource"]), parse_float=Decimal)
        model = get_fhir_model_class(written["resourceType"]).model_validate(written)
        assert json.loads(model.model_dump_json(), parse_float=Decimal) == written
        kinds.add(written["resourceType"])
    assert kinds == {"Patient", "Observation", "RiskAssessment"}
