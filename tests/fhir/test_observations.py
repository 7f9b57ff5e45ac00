"""Laboratory values, scores, genotypes and phenotypes from Observations."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from nociomics.fhir.content import read_content
from nociomics.fhir.incoming import tables_of
from nociomics.fhir.listing import Listing
from tests.fhir.messages import UCUM, concept, genotype, lab, patient, phenotype, problems, read

SERUM = {
    "resourceType": "Specimen",
    "id": "s1",
    "type": concept("SER", "http://terminology.hl7.org/CodeSystem/v2-0487"),
}


def test_a_measurement_keeps_digits_unit_specimen_and_clock() -> None:
    found = read(lab("26881-3", 2.5, "pg/mL", specimen={"reference": "Specimen/s1"}), SERUM)
    assert found.tables["biomarkers"].to_dicts() == [
        {
            "patient_id": "secret-1",
            "analyte": "il6",
            "value": "2.5",
            "unit": "pg/mL",
            "below_lod": "no",
            "lod": None,
            "specimen": "SER",
            "collected_at": "2026-01-05T08:30:00",
        }
    ]
    assert found.listing.is_empty()


@pytest.mark.parametrize(
    ("comparator", "value", "below", "lod"),
    [("<", "0.3", "yes", "0.3"), ("<=", "0.3", "yes", "0.3"), (">", ">0.3", "no", None)],
)
def test_a_comparator_is_a_limit(comparator: str, value: str, below: str, lod: str | None) -> None:
    quantity = {"value": 0.3, "comparator": comparator, "unit": "mg/L", "system": UCUM, "code": "mg/L"}
    row = read(lab(valueQuantity=quantity)).tables["biomarkers"].row(0, named=True)
    assert (row["value"], row["below_lod"], row["lod"]) == (value, below, lod)


@pytest.mark.parametrize("status", ["registered", "preliminary", "cancelled", "entered-in-error", "unknown"])
def test_what_is_not_final_is_listed(status: str) -> None:
    found = read(lab(status=status))
    assert set(found.tables) == {"patients"}
    assert problems(found) == [("1988-5", f"status {status}: not taken", 1)]


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_what_is_final_is_taken(status: str) -> None:
    assert read(lab(status=status)).tables["biomarkers"].height == 1


@pytest.mark.parametrize(
    ("observation", "code", "problem"),
    [
        (lab("99999-9"), "99999-9", "unknown code"),
        (lab(code={"text": "CRP"}), None, "unknown code; without a code"),
        (lab(unit="[IU]/mL"), "[IU]/mL", "unknown unit for this analyte (crp)"),
        (lab("1988-5", 30, "nmol/L"), "nmol/L", "unknown unit for this analyte (crp)"),
        (lab(valueQuantity={"value": 3}), None, "has no unit (crp)"),
        (lab(valueQuantity={"unit": "mg/L"}), "1988-5", "has no quantity with a number"),
        (lab(valueQuantity={"value": "3", "unit": "mg/L"}), "1988-5", "has no quantity with a number"),
        (lab(value=1e308 * 10), "1988-5", "has no quantity with a number"),
        (lab("2142-8", 3, "nmol/L", specimen={"display": "serum"}), "2142-8", "its specimen contradicts its code"),
        (lab("74511-7"), "74511-7", "no table takes it: COMT c.1947G>A; single variants come from a genotype file"),
        (
            lab(code={"coding": [{"system": "http://loinc.org", "code": c} for c in ("1988-5", "26881-3")]}),
            "1988-5",
            "its codes mean different things here",
        ),
    ],
)
def test_nothing_is_guessed(observation: dict[str, Any], code: str | None, problem: str) -> None:
    found = read(observation)
    assert "biomarkers" not in found.tables
    assert (code, problem, 1) in problems(found)


def test_a_lab_code_of_another_system_is_not_loinc() -> None:
    found = read(lab(code=concept("1988-5", "urn:oid:1.2.3")))
    assert found.listing.rows() == [("Observation", "code", "urn:oid:1.2.3", "1988-5", "unknown code", 1)]


def test_cortisol_without_a_time_of_day_in_its_code_goes_by_the_clock() -> None:
    def analyte(at: str) -> list[str]:
        found = read(lab("2143-6", 12, "ug/dL", effectiveDateTime=at))
        return found.tables["biomarkers"]["analyte"].to_list() if "biomarkers" in found.tables else []

    assert analyte("2026-01-05T08:30:00Z") == ["cortisol_serum_am"]
    assert analyte("2026-01-05T16:00:00Z") == ["cortisol_serum_pm"]
    assert analyte("2026-01-05") == []


def test_components_count_as_measurements_of_their_own() -> None:
    parts = [{"code": concept(code), "valueQuantity": {"value": 2, "unit": "pg/mL"}} for code in ("26881-3", "13629-1")]
    panel = {**lab(component=parts, code=concept("11111-1"))}
    del panel["valueQuantity"]
    assert read(panel).tables["biomarkers"]["analyte"].to_list() == ["il6", "il1b"]


def test_a_missing_value_with_a_reason_is_listed() -> None:
    observation = lab(dataAbsentReason=concept("error", "http://terminology.hl7.org/CodeSystem/data-absent-reason"))
    del observation["valueQuantity"]
    assert problems(read(observation)) == [("1988-5", "says why there is no value (dataAbsentReason)", 1)]


def test_scores_by_loinc_and_by_our_own_code_the_latest_counts() -> None:
    def score(value: float, day: str, code: dict[str, Any]) -> dict[str, Any]:
        return lab(code=code, effectiveDateTime=day, valueQuantity={"value": value, "system": UCUM, "code": "{score}"})

    found = read(
        score(9, "2025-01-05", concept("44261-6")),
        score(14, "2026-01-05", concept("44261-6")),
        score(31, "2026-01-05", concept("pcs/total", "urn:nociomics:score")),
    )
    rows = found.tables["scores"].select("instrument", "scale", "score").rows()
    assert rows == [("phq_9", "total", "14"), ("pcs", "total", "31")]
    assert problems(found) == [("phq_9/total", "older than the latest", 1)]


def test_scores_of_one_day_cannot_be_ordered() -> None:
    two = [lab(code=concept("44261-6"), valueQuantity=None, valueInteger=value) for value in (3, 4)]
    found = read(*two)
    assert "scores" not in found.tables
    assert problems(found) == [("phq_9/total", "several of one person, without different dates; none is taken", 2)]


@pytest.mark.parametrize(
    ("gene", "call", "row"),
    [
        ("HGNC:2625", "CYP2D6 *1/*4", ("CYP2D6", "*1/*4")),
        ("2625", "*1x2/*4", ("CYP2D6", "*1x2/*4")),
        ("HGNC:2621", "CYP2C19 *2/*17", ("CYP2C19", "*2/*17")),
    ],
)
def test_a_genotype_becomes_a_diplotype(gene: str, call: str, row: tuple[str, str]) -> None:
    assert read(genotype(gene, call)).tables["diplotypes"].select("gene", "diplotype").rows() == [row]


def test_a_value_that_names_its_gene_is_of_that_gene_also_beside_further_ones() -> None:
    """As in the guide's example of CYP2C9 and VKORC1 in one report."""
    studied = [
        {"code": concept("48018-6"), "valueCodeableConcept": concept(code, "http://www.genenames.org")}
        for code in ("HGNC:2623", "HGNC:23663")
    ]
    row = read(genotype(call="CYP2C9 *2/*5", component=studied)).tables["diplotypes"].select("gene", "diplotype").row(0)
    assert row == ("CYP2C9", "*2/*5")
    unnamed = read(genotype(call="*2/*5", component=studied))
    assert "diplotypes" not in unnamed.tables
    other = read(genotype(call="CYP2D6 *2/*5", component=studied))
    assert "diplotypes" not in other.tables and other.listing.height == 2


@pytest.mark.parametrize(
    ("resource", "problem"),
    [
        (genotype("HGNC:2621", "CYP2D6 *1/*4"), "genotype: gene is absent, unknown or not one"),
        (genotype("HGNC:99999", "*1/*4"), "genotype: gene is absent, unknown or not one"),
        (genotype(component=[], call="*1/*4"), "genotype: gene is absent, unknown or not one"),
        (genotype(call="CYP2D6 *4"), "genotype: alleles are not two star alleles"),
        (genotype(call="CYP2D6 deficient"), "genotype: alleles are not two star alleles"),
        (phenotype(answer="LA0000-0"), "phenotype is no answer that is known, or several"),
        (phenotype(valueCodeableConcept={"text": "poor"}), "phenotype is no answer that is known, or several"),
    ],
)
def test_a_genetic_result_that_is_not_plain_is_listed(resource: dict[str, Any], problem: str) -> None:
    found = read(resource)
    assert set(found.tables) == {"patients"}
    assert found.listing["problem"].to_list() == [problem]
    assert "*4" not in found.listing.write_csv()


def test_results_of_one_gene_that_differ_are_not_chosen_from() -> None:
    found = read(genotype(), genotype(call="CYP2D6 *1/*1"), phenotype(), phenotype())
    assert "diplotypes" not in found.tables
    assert found.tables["phenotypes"].rows() == [("secret-1", "CYP2D6", "Poor Metabolizer")]
    assert problems(found) == [("CYP2D6", "several results of one gene that differ (diplotype); none is taken", 2)]


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        ("1970-06-15", "2026-06-14", 55),
        ("1970-06-15", "2026-06-15", 56),
        ("1970", "2026-06-15", None),
        ("x", "2026-06-15", None),
    ],
)
def test_age_is_in_completed_years_or_open(born: str, on: str, age: int | None) -> None:
    listing = Listing()
    found = tables_of(read_content(patient(birthDate=born), listing), listing, on=date.fromisoformat(on))
    assert found.tables["patients"].rows() == [("secret-1", age, "F")]
    assert (born != "1970-06-15") == (not found.listing.is_empty())
