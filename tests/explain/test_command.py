"""The command writes means of the cohort behind a closed gate too, and rows about people behind an open one only."""

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from nociomics.cli.explain import app
from nociomics.explain.out_of_fold import OutOfFoldExplanations
from nociomics.export.bundle import load_bundle
from nociomics.models.response import out_of_fold
from nociomics.tables.files import read_table, write_json, write_table
from nociomics.tables.harmonised import FEATURES
from nociomics.tables.results import (
    BASE_VALUES,
    DEPENDENCE,
    EXPLANATION_STABILITY,
    IMPORTANCE,
    INTERACTIONS,
    OUT_OF_FOLD_VALUES,
    PREDICTIONS,
    SHAP_VALUES,
)
from tests.export.bundles import OPEN, write_small_bundle
from tests.models.small_study import BLOCKS, QUICK, small_study

CONTRACTS = {
    "shap": SHAP_VALUES,
    "base": BASE_VALUES,
    "importance": IMPORTANCE,
    "stability": EXPLANATION_STABILITY,
    "dependence": DEPENDENCE,
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
    for name in ("importance", "stability", "dependence"):
        assert "patient_id" not in found[name].columns


@pytest.mark.parametrize("allowed", [True, False], ids=["open", "closed"])
def test_out_of_fold_rows_need_an_open_gate_and_a_prediction(allowed, tmp_path: Path):
    study = small_study(people=80, effect=3.0)
    explanations = OutOfFoldExplanations(20, 1)
    out_of_fold(study.training, study.splits, study.target, BLOCKS, QUICK, 1, seen=explanations)
    given = {name: tmp_path / f"{name}.parquet" for name in ("values", "predictions", "output", "importance")}
    write_table(explanations.frame(), OUT_OF_FOLD_VALUES, given["values"])
    write_json({"individual_explanations": allowed}, tmp_path / "gate.json")
    bundle = write_small_bundle(study, tmp_path / "bundle")
    predictions = load_bundle(bundle).predict_frame(study.features)
    fine = pl.when(pl.col("patient_id") == "P001").then(pl.lit("rejected: age")).otherwise(pl.col("status"))
    write_table(predictions.with_columns(status=fine), PREDICTIONS, given["predictions"])
    options = [str(part) for name, path in given.items() for part in (f"--{name}", path)]
    made = CliRunner().invoke(app, ["out-of-fold", "--gate", str(tmp_path / "gate.json"), *options])
    assert made.exit_code == 0, made.output
    found = read_table(given["output"], OUT_OF_FOLD_VALUES)
    assert found["patient_id"].n_unique() == (79 if allowed else 0) and "P001" not in set(found["patient_id"])
    assert read_table(given["importance"], IMPORTANCE)["people"].unique().to_list() == [79]


@pytest.mark.parametrize("allowed", [True, False], ids=["open", "closed"])
def test_interactions_need_an_open_gate(allowed, tmp_path: Path):
    study = small_study(people=80, effect=3.0)
    bundle = write_small_bundle(study, tmp_path / "bundle", {**OPEN, "individual_explanations": allowed})
    write_table(study.features, FEATURES, tmp_path / "features.parquet")
    write_table(load_bundle(bundle).predict_frame(study.features), PREDICTIONS, tmp_path / "predictions.parquet")
    given = {name: str(tmp_path / f"{name}.parquet") for name in ("features", "predictions", "output")}
    options = [part for name, path in given.items() for part in (f"--{name}", path)]
    made = CliRunner().invoke(
        app, ["interactions", "--bundle", str(bundle), "--seed", "1", "--patient", "P003", "--top", "3", *options]
    )
    assert made.exit_code == 0, made.output
    found = read_table(Path(given["output"]), INTERACTIONS)
    assert set(found["patient_id"]) <= ({"P003"} if allowed else set())
