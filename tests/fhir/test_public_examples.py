"""HL7's own examples: what is understood becomes the right row, all else is listed, and what we write reads back."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fhir.resources.R4B import get_fhir_model_class
from typer.testing import CliRunner

from nociomics.cli.app import app
from nociomics.fhir.content import read_content, read_files
from nociomics.fhir.incoming import FhirTables, tables_of
from nociomics.fhir.listing import Listing
from nociomics.fhir.outgoing import bundle, resources_of, to_json
from nociomics.fhir.validation import require_valid
from nociomics.pharmacogenomics.assessment import call_with_medications

EXAMPLES = Path(__file__).parent / "examples"
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
_TBD = "http://hl7.org/fhir/uv/genomics-reporting/CodeSystem/tbd-codes-cs"
_LACKING = ("1", "727127", "pat2")
"""Patients whom examples name and the packages lack; here they are added, with nothing but their id."""


def _example(name: str) -> dict[str, Any]:
    return json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"), parse_float=Decimal)


def _read(*names: str) -> FhirTables:
    listing = Listing()
    people = [{"resourceType": "Patient", "id": name} for name in _LACKING]
    return tables_of(read_content(bundle_of(*map(_example, names), *people), listing), listing, on=date(2026, 1, 1))


def bundle_of(*resources: dict[str, Any]) -> dict[str, Any]:
    """Put resources together without full URLs of ours."""
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}


_UNDERSTOOD: list[tuple[str, str | None, str, tuple[Any, ...]]] = [
    # example, its patient, table, row
    ("Bundle-27", None, "biomarkers", ("1", "hscrp", "2.8", "mg/L", "no", None, None, None)),
    (
        "Observation-Pgx-geno-1001",
        "Patient-CGPatientExample01",
        "diplotypes",
        ("CGPatientExample01", "CYP2C19", "*2/*2"),
    ),
    (
        "Observation-Pgx-geno-1002",
        "Patient-CGPatientExample01",
        "diplotypes",
        ("CGPatientExample01", "CYP2C9", "*1/*1"),
    ),
    (
        "Observation-GenotypeExamplePharmVar",
        "Patient-CGPatientExample01",
        "diplotypes",
        ("CGPatientExample01", "CYP2D6", "*7.001/*1.001"),
    ),
    (
        "Observation-genotype-hla-a-glstring-r4",
        "Patient-ExamplePatient",
        "diplotypes",
        ("ExamplePatient", "HLA-A", "*03:01:01:01/*30:01:01"),
    ),
    ("Bundle-bundle-pgxexample", None, "diplotypes", ("ExamplePatient", "CYP2C9", "*4/*35B")),
    ("Observation-example-phenotype", None, "phenotypes", ("727127", "CYP2C9", "Normal Metabolizer")),
    (
        "MedicationRequest-medrx0333",
        "Patient-pat1",
        "treatment_history",
        ("pat1", "Oral Form Oxycodone (product)", None, None, "2015-01-15", None),
    ),
    (
        "MedicationStatement-example001",
        "Patient-pat1",
        "treatment_history",
        ("pat1", "Tylenol PM", None, None, "2015-01-23", None),
    ),
]


@pytest.mark.parametrize(("example", "whose", "table", "row"), _UNDERSTOOD, ids=[one[0] for one in _UNDERSTOOD])
def test_what_is_understood_becomes_the_right_row(
    example: str, whose: str | None, table: str, row: tuple[Any, ...]
) -> None:
    found = _read(example, *([whose] if whose else []))
    assert set(found.tables) == {"patients", table}
    assert found.tables[table].rows() == [row]


_NOT_TAKEN: list[tuple[str, str, set[tuple[str | None, str | None, str]]]] = [
    # example, its patient, (system, code, problem)
    ("Observation-f001", "Patient-f001", {(LOINC, "15074-8", "unknown code")}),
    ("Observation-unsat", "Patient-f001", {(LOINC, "15074-8", "status cancelled: not taken")}),
    ("Observation-u8", "Patient-f001", {(LOINC, "30391-7", "unknown code")}),  # a value with "<"
    ("Observation-f205", "Patient-f201", {(LOINC, code, "unknown code") for code in ("48642-3", "48643-1")}),
    (
        "Observation-blood-pressure-dar",
        "Patient-example",
        {
            (LOINC, "8480-6", "unknown code"),
            (LOINC, "8462-4", "unknown code"),
            (SNOMED, "271649006", "unknown code"),
            ("http://acme.org/devices/clinical-codes", "bp-s", "unknown code"),
        },
    ),
    (
        "Observation-Pgx-var-1021",
        "Patient-CGPatientExample01",
        {(LOINC, "69548-6", "no table takes it: single variant; these come from a genotype file")},
    ),
    (
        "Observation-HaplotypeExamplePharmVar01",
        "Patient-CGPatientExample01",
        {(LOINC, "84414-2", "no table takes it: one haplotype; a call needs both")},
    ),
    (
        # a poor metaboliser's drug advice: no genotype and no phenotype is read off it
        "Observation-TxImp03",
        "Patient-CGPatientExample01",
        {
            (LOINC, "51963-7", "unknown code"),
            (_TBD, "therapeutic-implication", "unknown code"),
            (_TBD, "conclusion-string", "unknown code"),
        },
    ),
    ("QuestionnaireResponse-gcs", "Patient-example", {(None, "Questionnaire/gcs", "unknown questionnaire")}),
    (
        "MedicationRequest-medrx0308",
        "Patient-pat1",
        {(None, None, "ended without a date: it cannot be told from a drug that is taken")},
    ),
    ("MedicationStatement-example005", "Patient-pat1", {(None, None, "status entered-in-error: not taken")}),
    ("RiskAssessment-riskexample", "Patient-example", {(None, None, "this type of resource is not read")}),
]


@pytest.mark.parametrize(("example", "whose", "listed"), _NOT_TAKEN, ids=[one[0] for one in _NOT_TAKEN])
def test_what_is_not_understood_is_listed_and_never_guessed(
    example: str, whose: str, listed: set[tuple[str | None, str | None, str]]
) -> None:
    found = _read(example, whose)
    assert set(found.tables) == {"patients"}
    rows = found.listing.filter(pl.col("resource") != "Patient").select("system", "code", "problem").rows()
    assert listed <= set(rows)
    assert {row[2] for row in rows} == {problem for _, _, problem in listed}


def test_words_that_are_kept_for_a_drug_are_listed_with_their_code() -> None:
    found = _read("MedicationRequest-medrx0333", "MedicationStatement-example001", "Patient-pat1")
    kept = "drug has no known code; its words are kept"
    assert set(found.listing.filter(problem=kept).select("system", "code").rows()) == {
        (SNOMED, "430127000"),
        ("http://hl7.org/fhir/sid/ndc", "50580-506-02"),
    }


def test_people_are_who_the_examples_say() -> None:
    found = _read("Patient-f001", "Patient-f201", "Patient-example", "Patient-pat1", "Patient-CGPatientExample01")
    rows = {row[0]: row[1:] for row in found.tables["patients"].rows()}
    assert {name: rows[name] for name in rows if name not in _LACKING} == {
        "f001": (81, "M"),  # 1944-11-17
        "f201": (65, "M"),  # 1960-03-13
        "example": (51, "M"),  # 1974-12-25
        "pat1": (None, "M"),
        "CGPatientExample01": (74, "M"),  # 1951-01-20
    }


def test_references_lead_where_the_specification_says() -> None:
    """R4's example of references: the same id on two servers, two versions of a patient, an identifier alone."""
    listing = Listing()
    resources = read_files([EXAMPLES / "Bundle-bundle-references.json"], listing)
    led = [(one["id"], one["subject"], resources.follow(one["subject"], one)) for one in resources.of("Observation")]
    assert [(name, None if to is None else to.get("id", "without an id")) for name, _, to in led] == [
        ("123", "23"),  # Patient/23, of its own server
        ("124", "23"),  # by its full URL
        ("12", "without an id"),  # by its UUID
        ("14", None),  # a patient of the other server, who is not in the message
        ("14", None),  # Patient/23 of the other server: not the Patient/23 that is in the message
        ("47", None),  # two versions of the patient differ
        ("48", None),  # by an identifier: not followed
    ]
    found = tables_of(resources, listing)
    assert ("Patient", "several resources of one id that differ; none is taken", 2) in found.listing.select(
        "resource", "problem", "count"
    ).rows()


_GENETIC = ("Observation-Pgx-geno-1001", "Observation-Pgx-geno-1002", "Observation-GenotypeExamplePharmVar")


def test_genotypes_of_the_guide_are_called() -> None:
    found = _read(*_GENETIC, "Patient-CGPatientExample01")
    calls = call_with_medications(None, found.tables["diplotypes"], ["CGPatientExample01"])
    phenotypes = dict(calls.filter(pl.col("phenotype").is_not_null()).select("gene", "phenotype").iter_rows())
    assert phenotypes == {
        "CYP2C19": "Poor Metabolizer",  # the guide's TxImp03 says the same of this result
        "CYP2C9": "Normal Metabolizer",  # and TxImp06 this
        "CYP2D6": "Intermediate Metabolizer",  # *7 has no function, *1 has all
    }


def test_values_are_the_same_after_import_export_import() -> None:
    names = ("Bundle-27", *_GENETIC, "Patient-CGPatientExample01", "Patient-f001", "MedicationStatement-example001")
    first = _read(*names, "Patient-pat1")
    given = {name: frame for name, frame in first.tables.items() if name != "phenotypes"}
    assert {"biomarkers", "diplotypes", "treatment_history"} < set(given)
    written = to_json(bundle(resources_of(given), "2026-01-01T00:00:00Z"))
    require_valid(json.loads(written))
    listing = Listing()
    second = tables_of(read_content(written, listing), listing)
    assert second.tables["patients"].drop("age").equals(first.tables["patients"].drop("age"))
    for name in set(given) - {"patients"}:
        assert second.tables[name].equals(first.tables[name]), name
    assert '"value": 2.8,' in written


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_the_validation_takes_every_example(path: Path) -> None:
    """What checks our own messages lets R4's examples pass and loses nothing of them: it is no law of ours alone."""
    example = json.loads(path.read_text(encoding="utf-8"))
    require_valid(example)
    model = get_fhir_model_class(example["resourceType"]).model_validate(example)
    assert json.loads(model.model_dump_json()) == example


def test_the_command_reads_them_all_at_once(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["fhir", "import", *map(str, sorted(EXAMPLES.glob("*.json"))), "-o", str(tmp_path / "new")]
    )
    assert done.exit_code == 0, done.output
    listed = pl.read_csv(tmp_path / "new" / "fhir_not_taken.csv")
    diplotypes = pl.read_csv(tmp_path / "new" / "diplotypes.csv")
    assert sorted(diplotypes["gene"]) == ["CYP2C19", "CYP2C9", "CYP2C9", "CYP2D6", "HLA-A"]
    # nobody's name, birth date or value is in the list
    text = listed.write_csv()
    assert not any(word in text for word in ("Chalmers", "1974-12-25", "P. van de Heuvel", "Roel", "*2/*2"))
    checked = CliRunner().invoke(app, ["check", str(tmp_path / "new" / "study.yaml")])
    assert checked.exit_code == 0, checked.output
