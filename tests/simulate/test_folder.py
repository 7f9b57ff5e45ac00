from __future__ import annotations

import time
from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nociomics.errors import TableError
from nociomics.simulate.cohort import Cohort, simulate_cohort
from nociomics.simulate.folder import study_name, write_cohort
from nociomics.tables.study import Study

_FILES = {
    "patients.csv",
    "genotypes.vcf.gz",
    "cyp2d6.tsv",
    "counts.parquet",
    "expression_samples.csv",
    "cytokines.csv",
    "questionnaires.csv",
    "treatments.csv",
    "outcomes.csv",
    "study.yaml",
    *(f"truth/{name}.parquet" for name in ("people", "duplicates", "variants", "genes", "sites", "plates")),
}


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def study(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(cohort, tmp_path_factory.mktemp("studies") / "demo")


def test_everything_is_written_and_nothing_else(study: Path) -> None:
    assert set(_contents(study.parent)) == _FILES


@pytest.mark.parametrize("mechanism", ["endotypes", "continuum"])
def test_the_same_seed_writes_the_same_bytes(tmp_path: Path, mechanism: str) -> None:
    folders = [tmp_path / place / "demo" for place in ("one", "other")]
    for folder in folders:
        write_cohort(simulate_cohort(200, seed=5, world=2, mechanism=mechanism), folder)
    one, other = map(_contents, folders)
    assert one == other
    write_cohort(simulate_cohort(200, seed=6, world=2, mechanism=mechanism), folders[1])
    changed = {name for name, data in _contents(folders[1]).items() if data != one[name]}
    assert changed == _FILES - {"truth/variants.parquet", "truth/genes.parquet", "truth/sites.parquet"}


def test_the_study_file_is_valid_and_names_files_that_exist(study: Path) -> None:
    model = Study.model_validate(yaml.safe_load(study.read_text(encoding="utf-8")))
    assert (model.study, model.seed, model.data_root) == ("demo", 1, ".")
    tables = model.tables
    listed = [getattr(tables, name)[0].path for name in type(tables).model_fields if getattr(tables, name)]
    assert set(listed) | {tables.expression[0].samples.path, "study.yaml"} == {f for f in _FILES if "/" not in f}
    target = model.target
    assert target is not None
    assert (target.kind, target.outcome, target.baseline) == ("change", "bpi_severity_week12", "bpi_severity")
    assert (target.treatment, target.groups, target.adverse_event) == ("arm", "site", "adverse_event")
    assert target.response.fall_percent == 30
    assert model.include["pain_months"].at_least == 3


def test_the_study_file_explains_every_block(study: Path) -> None:
    lines = study.read_text(encoding="utf-8").splitlines()
    blocks = [number for number, line in enumerate(lines) if line and line[0] not in "# "]
    assert len(blocks) == 6
    assert all(lines[number - 1].startswith("# ") for number in blocks)


@pytest.mark.parametrize(
    ("file", "columns"),
    [
        ("patients.csv", ["patient_id", "age", "sex", "site", "bmi", "smoker", "pain_months", "ancestry"]),
        ("expression_samples.csv", ["patient_id", "batch", "collected_at"]),
        (
            "cytokines.csv",
            ["patient_id", "analyte", "value", "unit", "below_lod", "lod", "plate", "specimen", "collected_at"],
        ),
        ("treatments.csv", ["patient_id", "arm", "assignment", "started_at"]),
        ("outcomes.csv", ["patient_id", "bpi_severity_week12", "adverse_event"]),
    ],
)
def test_tables_have_the_columns_of_the_contract(study: Path, file: str, columns: list[str]) -> None:
    assert pl.read_csv(study.parent / file).columns == columns


def test_tables_read_back_as_they_were(study: Path, cohort: Cohort) -> None:
    answers = pl.read_csv(study.parent / "questionnaires.csv", schema_overrides=cohort.questionnaires.schema)
    assert answers.equals(cohort.questionnaires)
    diplotypes = pl.read_csv(study.parent / "cyp2d6.tsv", separator="\t")
    assert diplotypes.equals(cohort.diplotypes)
    assert pl.read_parquet(study.parent / "counts.parquet").equals(cohort.expression)


@given(st.text(min_size=1, max_size=20).filter(lambda name: not set(name) & set("/\0")))
def test_any_folder_name_gives_a_valid_study_name(name: str) -> None:
    cleaned = study_name(Path("/studies") / name)
    assert Study.model_validate({"study": cleaned, "tables": {"patients": "p.csv"}}).study == cleaned


def test_a_folder_that_cannot_be_made_is_named(cohort: Cohort, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TableError, match="cannot be written"):
        write_cohort(cohort, tmp_path / "file" / "demo")


def test_one_patient_is_enough(tmp_path: Path) -> None:
    write_cohort(simulate_cohort(1, seed=1), tmp_path / "one")
    assert pl.read_csv(tmp_path / "one" / "patients.csv").height == 1


def test_six_hundred_patients_take_less_than_five_seconds(tmp_path: Path) -> None:
    start = time.perf_counter()
    write_cohort(simulate_cohort(600, seed=1), tmp_path / "demo")
    assert time.perf_counter() - start < 5
