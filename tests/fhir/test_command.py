"""`nociomics fhir import` and `export`, from files to files that the other commands read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from nociomics.cli.app import app
from nociomics.errors import NociomicsError
from nociomics.knowledge.fhir_code import load_fhir_codes
from nociomics.knowledge.instrument import load_instruments
from nociomics.knowledge.pharmacogene import load_drug_gene_pairs
from tests.fhir.messages import bundle, concept, form, genotype, lab, patient, phenotype, statement

_RUN = CliRunner()


def _message(folder: Path) -> Path:
    people = [patient("secret-1"), patient("secret-2", gender="male")]
    second = {"subject": {"reference": "Patient/secret-2"}}
    score = lab(
        concept("44261-6"), valueQuantity={"value": 14, "code": "{score}", "system": "http://unitsofmeasure.org"}
    )
    rows = [lab(), lab("26881-3", 2.5, "pg/mL", **second), score, lab("99999-9"), genotype(), phenotype(), statement()]
    path = folder / "bundle.json"
    path.write_text(json.dumps(bundle(*people, *rows, form(), form(**second), timestamp="2026-01-10T00:00:00Z")))
    return path


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_what_is_imported_passes_check(tmp_path: Path, format: str) -> None:
    out = tmp_path / "new"
    done = _RUN.invoke(app, ["fhir", "import", str(_message(tmp_path)), "-o", str(out), "--format", format])
    assert done.exit_code == 0, done.output
    assert "1 x Observation code http://loinc.org 99999-9: unknown code" in done.output
    assert "secret" not in done.output
    listed = pl.read_csv(out / "fhir_not_taken.csv")
    assert listed.select("code", "problem", "count").rows() == [("99999-9", "unknown code", 1)]
    checked = _RUN.invoke(app, ["check", str(out / "study.yaml")])
    assert checked.exit_code == 0, checked.output


def test_the_imported_tables_become_features(tmp_path: Path) -> None:
    from nociomics.config import data_folder, load_config
    from nociomics.preparation import read_new_people

    out = tmp_path / "new"
    assert _RUN.invoke(app, ["fhir", "import", str(_message(tmp_path)), "-o", str(out)]).exit_code == 0
    study = load_config(out / "study.yaml")
    features = read_new_people(study, data_folder(study, out), []).features.sort("patient_id")
    first = features.row(0, named=True)
    assert (first["age"], first["sex"], first["crp_mg_per_l"], first["phq_9_total"]) == (55, "F", 2.8, 14)
    assert first["cyp2d6_activity_score"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--on", "tomorrow"], "is no day"),
        (["--form", "pcs"], "URL=INSTRUMENT"),
        (["--form", "urn:x=psc"], 'no instrument "psc"'),
    ],
)
def test_wrong_options_are_told(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = _RUN.invoke(app, ["fhir", "import", str(_message(tmp_path)), "-o", str(tmp_path / "new"), *arguments])
    assert isinstance(done.exception, NociomicsError) and words in str(done.exception)
    assert not (tmp_path / "new").exists()


def _results(folder: Path) -> Path:
    model = folder / "export" / "model"
    model.mkdir(parents=True)
    documents: dict[str, Any] = {
        "manifest.json": {"nociomics": "0.1.0", "study": "small", "files": {}},
        "gate.json": {"individual_recommendations": False, "reasons": ["No gain was found."]},
        "model.json": {"target": {"kind": "binary", "outcome": "well", "baseline": None, "response": None}},
    }
    for name, value in documents.items():
        (model / name).write_text(json.dumps(value))
    (folder / "response").mkdir()
    columns = ["patient_id", "treatment", "expected", "lower", "upper", "p_response", "status"]
    rows = [("P1", "a", 0.5, 0.25, 0.75, 0.5, "ok"), ("P2", "a", 0.5, 0.25, 0.75, 0.5, "ok")]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    frame.write_parquet(folder / "response" / "predictions.parquet")
    return folder


def test_results_are_exported_for_one_patient_or_all(tmp_path: Path) -> None:
    results, out = _results(tmp_path / "small"), tmp_path / "out.json"
    done = _RUN.invoke(app, ["fhir", "export", str(results), "-o", str(out), "--patient", "P2"])
    assert done.exit_code == 0, done.output
    kinds = [entry["resource"]["resourceType"] for entry in json.loads(out.read_text())["entry"]]
    assert kinds == ["Patient", "RiskAssessment", "Observation"]
    assert "well is 1 under a" in out.read_text() and "No gain was found." in out.read_text()
    assert _RUN.invoke(app, ["fhir", "export", str(results), "-o", str(out)]).output.startswith("6 resources")


def test_export_says_what_is_lacking(tmp_path: Path) -> None:
    results = _results(tmp_path / "small")
    done = _RUN.invoke(app, ["fhir", "export", str(results), "-o", str(tmp_path / "o.json"), "--patient", "secret"])
    assert "1 of the patients asked for have no prediction" in str(done.exception) and "secret" not in str(
        done.exception
    )
    done = _RUN.invoke(app, ["fhir", "export", str(tmp_path), "-o", str(tmp_path / "o.json")])
    assert "lacks predictions.parquet" in str(done.exception)


def test_every_code_means_something_that_there_is_and_says_where_it_is_from() -> None:
    drugs = set(load_drug_gene_pairs()["drug"])
    for row in load_fhir_codes().values():
        assert row.source
        instrument, _, scale = row.meaning.partition("/")
        if row.role == "score":
            assert scale in load_instruments()[instrument].scales
        if row.role == "questionnaire":
            assert instrument in load_instruments()
    assert {"codeine", "tramadol", "acetaminophen"} <= drugs & {r.meaning for r in load_fhir_codes().values()}
