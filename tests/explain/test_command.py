"""The command writes means of the cohort behind a closed gate too, and rows about people behind an open one only."""

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from nociomics.cli.explain import app
from nociomics.export.bundle import load_bundle
from nociomics.tables.files import read_table, write_table
from nociomics.tables.harmonised import FEATURES
from nociomics.tables.results import BASE_VALUES, EXPLANATION_STABILITY, IMPORTANCE, PREDICTIONS, SHAP_VALUES
from tests.export.bundles import OPEN, write_small_bundle
from tests.models.small_study import small_study

CONTRACTS = {
    "shap": SHAP_VALUES,
    "base": BASE_VALUES,
    "importance": IMPORTANCE,
    "stability": EXPLANATION_STABILITY,
}


@pytest.mark.parametrize("allowed", [True, False], ids=["open", "closed"])
def test_rows_about_people_need_an_open_gate_and_means_do_not(allowed, tmp_path: Path):
    study = small_study(people=80, effect=3.0)
    gate = {**OPEN, "individual_explanations": allowed}
    bundle = write_small_bundle(study, tmp_path / "bundle", gate)
    write_table(study.features, FEATURES, tmp_path / "features.parquet")
    write_table(load_bundle(bundle).predict_frame(study.features), PREDICTIONS, tmp_path / "predictions.parquet")
    given = {name: tmp_path / f"{name}.parquet" for name in ("features", "predictions", *CONTRACTS)}
    options = [str(part) for name, path in given.items() for part in (f"--{name}", path)]
    made = CliRunner().invoke(app, ["predictions", "--bundle", str(bundle), "--seed", "1", *options])
    assert made.exit_code == 0, made.output
    found = {name: read_table(given[name], contract) for name, contract in CONTRACTS.items()}
    assert found["shap"]["patient_id"].n_unique() == (80 if allowed else 0)
    assert found["importance"].filter(pl.col("level") == "modality")["name"].n_unique() > 1
    assert found["importance"]["people"].unique().to_list() == [80]
    assert found["stability"]["rank_correlation"].null_count() == 0
    for name in ("importance", "stability"):
        assert "patient_id" not in found[name].columns
