"""`nociomics strata challenge`: a stored model and the people it was found in, one table out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nociomics.models.settings import StrataSettings
from nociomics.models.stratification import StratumModel
from nociomics.tables.files import read_table, write_json
from nociomics.tables.results import CHALLENGERS
from tests.cli.conftest import Command
from tests.models.small_study import BLOCKS
from tests.models.test_challengers import SETTINGS, types


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `nociomics strata find` leaves."""
    path = tmp_path_factory.mktemp("strata")
    features, catalogue = types(people=120)
    features.write_parquet(path / "features.parquet")
    catalogue.write_parquet(path / "catalogue.parquet")
    write_json(StratumModel(SETTINGS, BLOCKS, 1).fit(features, catalogue).to_dict(), path / "model.json")
    return path


def challenge(nociomics: Command, path: Path, output: Path, settings: str) -> tuple[int, str]:
    told = nociomics(
        "strata", "challenge", "--features", path / "features.parquet", "--catalogue", path / "catalogue.parquet",
        "--model", path / "model.json", "--settings", settings, "--seed", 1, "--output", output,
    )  # fmt: skip
    return told.exit, told.err


def test_challenge_writes_the_comparison(nociomics: Command, folder: Path, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"challengers": ["kmeans", "average_neighbours"]})
    output = tmp_path / "challengers.parquet"
    assert challenge(nociomics, folder, output, settings.model_dump_json()) == (0, "")
    table = read_table(output, CHALLENGERS)
    assert table["challenger"].to_list() == ["strata", *["kmeans"] * 2, *["average_neighbours"] * 2]


def test_an_unknown_challenger_is_named_with_those_that_are(nociomics: Command, folder: Path, tmp_path: Path) -> None:
    settings = json.dumps({**StrataSettings().model_dump(), "challengers": ["k_means"]})
    code, told = challenge(nociomics, folder, tmp_path / "challengers.parquet", settings)
    assert code == 1
    assert "challengers.0" in told and "'kmeans'" in told
