"""The command that writes the figures: from a folder of stores to tables that keep their contracts."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from nociomics.cli.quality import app
from nociomics.errors import TableError
from nociomics.tables.files import read_table, write_table
from nociomics.tables.finding import FINDINGS
from nociomics.tables.genotype_quality import RELATED_PAIRS, SAME_PEOPLE, SAMPLE_QUALITY, VARIANT_QUALITY
from nociomics.tables.ingested import PATIENTS
from tests.quality.stores import a_store, drawn


def run(*words: str | Path) -> None:
    found = CliRunner().invoke(app, ["genotypes", *map(str, words)])
    if found.exception is not None:
        raise found.exception


@pytest.mark.parametrize("named", [False, True], ids=["samples are people", "samples have own names"])
def test_every_table_is_written(named, tmp_path):
    names = [f"{'T' if named else 'P'}{number}" for number in range(12)]
    a_store(tmp_path / "stores/1", drawn(1, 40, 12), samples=names)
    a_store(tmp_path / "stores/2", drawn(2, 40, 12), "X", samples=names)
    people = pl.DataFrame({"patient_id": [f"P{number}" for number in range(10)], "sex": ["F"] * 10})
    write_table(people, PATIENTS, tmp_path / "patients.parquet")
    words: list[str | Path] = ["--stores", tmp_path / "stores", "--patients", tmp_path / "patients.parquet"]
    if named:
        rows = [(f"P{number}", f"T{number}", store) for number in range(10) for store in "12"]
        frame = pl.DataFrame(rows, schema=["patient_id", "sample", "store"], orient="row")
        frame.write_parquet(tmp_path / "samples.parquet")
        words += ["--samples", tmp_path / "samples.parquet"]
    run(*words, "--output", tmp_path / "quality")
    tables = {"variants": VARIANT_QUALITY, "samples": SAMPLE_QUALITY, "related": RELATED_PAIRS}
    tables |= {"same_people": SAME_PEOPLE, "findings": FINDINGS}
    found = {name: read_table(tmp_path / f"quality/{name}.parquet", contract) for name, contract in tables.items()}
    assert found["variants"]["store"].to_list() == ["1"] * 40 + ["2"] * 40
    assert found["variants"].select(pl.sum_horizontal("copies_0", "copies_1", "copies_2")).to_series().unique()[0] == 10
    assert found["samples"]["patient_id"].to_list() == people["patient_id"].to_list()
    assert found["samples"]["sex_in_study"].to_list() == ["F"] * 10
    said = " ".join(found["findings"]["message"])
    assert "10 people are genotyped, in 2 files" in said and "4 samples are no people of the study" in said


def test_one_store_and_no_patients(tmp_path):
    a_store(tmp_path / "store", drawn(1, 40, 12))
    run("--stores", tmp_path / "store", "--output", tmp_path / "quality")
    assert read_table(tmp_path / "quality/samples.parquet", SAMPLE_QUALITY).height == 12


def test_a_folder_without_a_store_is_refused(tmp_path):
    with pytest.raises(TableError, match="holds no store of genotypes"):
        run("--stores", tmp_path, "--output", tmp_path / "quality")


def test_a_table_of_dosages_is_not_measured_and_said_so(tmp_path):
    (tmp_path / "stores/1").mkdir(parents=True)
    (tmp_path / "stores/1/manifest.json").write_text('{"kind": "table of dosages"}')
    run("--stores", tmp_path / "stores", "--output", tmp_path / "quality")
    assert read_table(tmp_path / "quality/variants.parquet", VARIANT_QUALITY).is_empty()
    said = " ".join(read_table(tmp_path / "quality/findings.parquet", FINDINGS)["message"])
    assert "Genotypes: not measured" in said and "1 genotype files are tables" in said
