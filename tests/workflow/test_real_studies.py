"""The three real studies of config/studies, run as a user would, against figures that others published or computed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from tests.conftest import shared
from tests.workflow.warm_steps import warm_steps

STUDIES = Path(__file__).resolve().parents[2] / "config" / "studies"
# No learning curve, and fewer refits of the final model and of the mixtures: no figure below is of them.
SHORTER = """
resampling: {learning_shares: []}
response: {refits: 4}
strata: {starts: 2, bootstraps: 5, subsamples: 2, challengers: [kmeans]}
"""
TWO_REPEATS = "folds: {repeats: 2}\n"
PRT = "Ashar2022_outcomes_demographics.csv"


def nociomics(*words: str, folder: Path, data: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NOCIOMICS_DATA": str(data), **warm_steps()}
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [str(Path(sys.executable).parent / "nociomics"), *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def run(study: str, tmp: Path, shorter: str = "") -> Path:
    data = shared("data")
    shipped = (STUDIES / f"{study}.yaml").read_text(encoding="utf-8")
    (tmp / f"{study}.yaml").write_text(shipped + SHORTER + shorter, encoding="utf-8")
    done = nociomics("run", f"{study}.yaml", "--cores", "1", folder=tmp, data=data)
    assert done.returncode == 0, done.stderr
    return tmp / "results" / study


@pytest.fixture(scope="module")
def prt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run("prt-backpain-rct", tmp_path_factory.mktemp("prt"), TWO_REPEATS)


@pytest.fixture(scope="module")
def cmi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run("cmi-pb-booster", tmp_path_factory.mktemp("cmi"))


@pytest.fixture(scope="module")
def breast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run("breast-tcga-diablo", tmp_path_factory.mktemp("breast"), TWO_REPEATS)


def metrics(results: Path) -> dict[str, dict]:
    return json.loads((results / "evaluation" / "metrics.json").read_text())


def test_prt_shows_the_published_counts_and_means(prt: Path) -> None:
    arms = pl.read_parquet(prt / "evaluation" / "arms.parquet").sort("treatment")
    assert arms.select("treatment", "responders", "people").rows() == [
        ("placebo", 10, 51),
        ("prt", 33, 50),
        ("usual_care", 5, 50),
    ]
    assert arms["mean_outcome"].round(2).to_list() == [2.84, 1.18, 3.13]
    page = (prt / "report.html").read_text()
    for shown in ("33/50", "10/51", "5/50", "1.18", "2.84", "3.13"):
        assert shown in page


def test_prt_counts_the_16_people_without_a_post_visit(prt: Path) -> None:
    flow = pl.read_parquet(prt / "harmonised" / "cohort_flow.parquet")
    assert flow.filter(pl.col("step") == "with outcome")["left_out"].to_list() == [16]
    assert pl.read_parquet(prt / "response" / "predictions.parquet")["patient_id"].n_unique() == 151
    assert "16 of 151" in (prt / "report.html").read_text()


def test_prt_understands_both_missing_codes(prt: Path) -> None:
    features = pl.read_parquet(prt / "harmonised" / "features.parquet")
    assert features["current_opioid_use"].dtype == pl.Float64
    assert features["current_opioid_use"].null_count() > 0


def test_prt_discriminates_as_an_independent_model_of_arm_and_baseline_pain_does(prt: Path) -> None:
    rows = pl.read_parquet(prt / "harmonised" / "target.parquet").drop_nulls("responded")
    columns = np.column_stack([rows["treatment"] == "prt", rows["treatment"] == "placebo", rows["baseline"]]).astype(
        float
    )
    responded = rows["responded"].to_numpy()
    reference = []
    for seed in range(5):
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        model = LogisticRegression(max_iter=1000)
        p = cross_val_predict(model, columns, responded, cv=folds, method="predict_proba")[:, 1]
        reference.append(roc_auc_score(responded, p))
    found = metrics(prt)["auroc"]["value"]
    assert found >= 0.80
    assert abs(found - np.mean(reference)) < 0.03
    assert 0.58 <= metrics(prt)["auroc_without_treatment"]["value"] <= 0.72


def test_prt_probabilities_are_calibrated(prt: Path) -> None:
    found = metrics(prt)
    assert abs(found["calibration_in_the_large"]["value"]) < 0.3
    assert 0.7 < found["calibration_slope"]["value"] < 1.5


@pytest.mark.parametrize("column", ["pgic", "tx_satisfaction", "pain_avg_post", "odi_post"])
def test_prt_refuses_by_name_what_was_measured_after_treatment(tmp_path: Path, column: str) -> None:
    data = shared("data")
    keep = {"pgic": PRT, "tx_satisfaction": PRT}
    patients = {"path": keep.get(column, "patients_wide.csv"), "columns": {"id": "patient_id"}, "keep": ["age", column]}
    if column in keep:
        patients["where"] = {"time": 2, "group": [1, 2, 3]}
    study = {
        "study": "forced",
        "data_root": str(data / "prt-backpain-rct"),
        "tables": {
            "patients": patients,
            "outcomes": {
                "path": "patients_wide.csv",
                "columns": {"id": "patient_id", "bpi_intensity_post": "outcome"},
                "keep": ["outcome"],
            },
        },
        "target": {"kind": "continuous", "outcome": "outcome"},
    }
    (tmp_path / "study.yaml").write_text(json.dumps(study))
    done = nociomics("check", "study.yaml", folder=tmp_path, data=data)
    assert done.returncode == 1
    assert column in done.stderr
    assert "after" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_data_one_line_says_how_to_get_them(tmp_path: Path) -> None:
    for study in ("prt-backpain-rct", "cmi-pb-booster", "breast-tcga-diablo"):
        done = subprocess.run(
            [str(Path(sys.executable).parent / "nociomics"), "check", str(STUDIES / f"{study}.yaml")],
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if name != "NOCIOMICS_DATA"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "NOCIOMICS_DATA" in done.stderr
        assert "GitHub" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_cmi_predicts_the_booster_response_out_of_fold(cmi: Path) -> None:
    rows = pl.read_parquet(cmi / "harmonised" / "target.parquet").select("patient_id", "response_value")
    predicted = pl.read_parquet(cmi / "response" / "out_of_fold.parquet")
    mean = predicted.group_by("patient_id").agg(pl.col("expected").mean()).join(rows, on="patient_id").drop_nulls()
    assert mean.height == 57
    assert spearmanr(mean["expected"], mean["response_value"]).statistic >= 0.5
    assert metrics(cmi)["spearman"]["value"] >= 0.5


def test_cmi_keeps_the_two_years_apart_and_says_so(cmi: Path) -> None:
    findings = pl.read_parquet(cmi / "quality" / "findings.parquet")
    warned = findings.filter(pl.col("message").str.contains("never put on one scale"))
    assert sorted(warned["table"]) == ["block antibodies", "block cytokines"]
    catalogue = pl.read_parquet(cmi / "harmonised" / "feature_catalogue.parquet")
    blocks = catalogue.filter(pl.col("modality").is_in(["antibodies", "cytokines", "cells"]))
    assert blocks["within"].unique().to_list() == ["cohort"]


def test_cmi_predicts_2021_with_the_exported_model(cmi: Path, tmp_path: Path) -> None:
    data = shared("data")
    model, study = str(cmi / "export" / "model"), str(STUDIES / "cmi-pb-booster.yaml")
    done = nociomics("predict", model, study, "-o", "new/predictions.parquet", folder=tmp_path, data=data)
    assert done.returncode == 0, done.stderr
    new = pl.read_parquet(tmp_path / "new" / "predictions.parquet")
    of_2021 = new.filter(pl.col("patient_id").cast(pl.Int64) > 60)
    assert of_2021.height == 36
    assert (of_2021["status"] == "ok").all()
    assert of_2021["expected"].n_unique() > 30
    trained = pl.read_parquet(cmi / "response" / "predictions.parquet")
    assert new.sort("patient_id").equals(trained.sort("patient_id"))


def test_breast_subtypes_of_the_70_test_people_without_protein(breast: Path, tmp_path: Path) -> None:
    data = shared("data")
    model, study = str(breast / "export" / "model"), str(STUDIES / "breast-tcga-diablo-test.yaml")
    done = nociomics("predict", model, study, "-o", "new/predictions.parquet", folder=tmp_path, data=data)
    assert done.returncode == 0, done.stderr
    new = pl.read_parquet(tmp_path / "new" / "predictions.parquet")
    labels = pl.read_csv(data / "breast-tcga-diablo" / "test_labels.csv")
    both = new.join(labels, left_on="patient_id", right_on="sample_id")
    names = ["Basal", "Her2", "LumA"]
    called = np.array(names)[both.select(f"p_{name}" for name in names).to_numpy().argmax(axis=1)]
    assert both.height == 70
    assert (new["status"] == "ok").all()
    assert np.mean(called == both["subtype"].to_numpy()) >= 0.95


def test_breast_says_what_the_test_people_lack(breast: Path) -> None:
    schema = json.loads((breast / "export" / "model" / "schema.json").read_text())
    assert {entry["modality"] for entry in schema} == {"mrna", "mirna", "protein"}
    assert metrics(breast)["accuracy"]["value"] > 0.9
