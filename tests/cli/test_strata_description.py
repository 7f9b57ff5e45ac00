"""`nociomics strata describe` and `mechanisms`: tables in, contract tables and plain JSON out."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from nociomics.models.settings import BlockSettings
from nociomics.tables.files import read_table
from nociomics.tables.results import (
    MECHANISM_BY_STRATUM,
    PAIN_MECHANISMS,
    STRATA_ASSOCIATIONS,
    STRATA_CONCENTRATIONS,
    STRATA_MARKERS,
)
from tests.cli.conftest import Command
from tests.evaluate.strata_cohorts import SETTINGS, Cohort, cohort, found_strata


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Cohort]:
    """Everything that the workflow hands to the commands."""
    path, one = tmp_path_factory.mktemp("strata"), cohort(people=80)
    found = found_strata(one)
    frames = {
        "features": one.features,
        "catalogue": one.catalogue,
        "target": one.target,
        "patients": one.tables["patients"],
        "biomarkers": one.tables["biomarkers"],
        "assignments": found.assignments,
        "scores": found.scores,
    }
    for name, frame in frames.items():
        frame.write_parquet(path / f"{name}.parquet")
    (path / "summary.json").write_text(json.dumps({"k": found.k}))
    return path, one


def describe(nociomics: Command, path: Path, one: Cohort, output: Path) -> tuple[int, str]:
    told = nociomics(
        "strata", "describe", "--study", one.study.model_dump_json(), "--ingested", path,
        "--features", path / "features.parquet", "--catalogue", path / "catalogue.parquet",
        "--target-rows", path / "target.parquet", "--assignments", path / "assignments.parquet",
        "--scores", path / "scores.parquet", "--summary", path / "summary.json",
        "--settings", SETTINGS.model_dump_json(), "--blocks", BlockSettings().model_dump_json(),
        "--seed", 1, "--output", output,
    )  # fmt: skip
    return told.exit, told.err


def test_describe_writes_every_table(nociomics: Command, folder: tuple[Path, Cohort], tmp_path: Path) -> None:
    path, one = folder
    assert describe(nociomics, path, one, tmp_path) == (0, "")
    assert read_table(tmp_path / "associations.parquet", STRATA_ASSOCIATIONS).height
    assert read_table(tmp_path / "markers.parquet", STRATA_MARKERS).height
    read_table(tmp_path / "concentrations.parquet", STRATA_CONCENTRATIONS)
    report = json.loads((tmp_path / "report.json").read_text())
    assert {"batch_cluster", "names", "agreement", "interaction", "words"} <= report.keys()
    assert json.loads((tmp_path / "scorecard.json").read_text())


def test_mechanisms_writes_people_and_the_cross_table(
    nociomics: Command, folder: tuple[Path, Cohort], tmp_path: Path
) -> None:
    path, one = folder
    features, strata = path / "features.parquet", path / "assignments.parquet"
    told = nociomics("strata", "mechanisms", "--features", features, "--assignments", strata, "--output", tmp_path)
    assert (told.exit, told.err) == (0, "")
    rows = read_table(tmp_path / "pain_mechanisms.parquet", PAIN_MECHANISMS)
    assert rows["patient_id"].n_unique() == one.features.height
    crossed = read_table(tmp_path / "mechanism_by_stratum.parquet", MECHANISM_BY_STRATUM)
    assert crossed["people"].sum() == 4 * one.features.height


def test_a_missing_table_is_named_without_a_traceback(
    nociomics: Command, folder: tuple[Path, Cohort], tmp_path: Path
) -> None:
    path, one = folder
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in path.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    (broken / "scores.parquet").unlink()
    exit_code, err = describe(nociomics, broken, one, tmp_path / "out")
    assert exit_code != 0
    assert "scores.parquet" in err and "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_people_who_stand_there_twice_are_refused(
    nociomics: Command, folder: tuple[Path, Cohort], tmp_path: Path
) -> None:
    path, one = folder
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in path.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    rows = pl.read_parquet(path / "assignments.parquet")
    pl.concat([rows, rows.head(3)]).write_parquet(broken / "assignments.parquet")
    exit_code, err = describe(nociomics, broken, one, tmp_path / "out")
    assert exit_code != 0 and "3 rows repeat the key" in err
    assert rows["patient_id"][0] not in err
