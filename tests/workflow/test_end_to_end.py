"""A small study from its tables to the pages, run twice; what the study contract promises is there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nociomics.config import data_folder, load_config
from nociomics.export.bundle import load_bundle
from nociomics.export.prediction import predict_people
from nociomics.preparation import read_new_people
from nociomics.tracking.store import mlflow_module, tracking_to
from tests.workflow.conftest import Run
from tests.workflow.import_walk import PACKAGE
from tests.workflow.study_runs import ROOT, command, environment, made_once, run

ARMS = ["CBT", "NSAID", "SNRI", "tramadol"]
# Section 4 of the study contract: every table and the columns that users may rely on.
TABLES = {
    "harmonised/features.parquet": ["patient_id"],
    "harmonised/feature_catalogue.parquet": [
        *("feature", "modality", "group", "unit", "measured_at", "description", "missing_share"),
    ],
    "quality/findings.parquet": ["table", "column", "severity", "count", "message"],
    "pgx/calls.parquet": ["sample", "gene"],
    "pgx/recommendations.parquet": ["sample", "drug"],
    "strata/assignments.parquet": ["patient_id", "stratum", "entropy", "atypical", "between"],
    "response/splits.parquet": ["patient_id", "repeat", "outer_fold", "inner_fold"],
    "response/out_of_fold.parquet": ["patient_id", "repeat", "outer_fold", "treatment", "expected", "p_response"],
    "response/predictions.parquet": [
        *("patient_id", "treatment", "expected", "lower", "upper", "p_response", "status"),
    ],
    "response/effects.parquet": [
        *("patient_id", "treatment_a", "treatment_b", "effect", "lower", "upper", "p_better", "recommended", "status"),
    ],
    "explanations/shap.parquet": [
        *("patient_id", "treatment", "feature", "modality", "group", "feature_value", "shap_value"),
    ],
    "explanations/base.parquet": ["treatment", "base_value"],
}
METRICS = ("auroc", "brier", "calibration_slope", "calibration_in_the_large", "ici", "net_benefit", "policy_gain")
METRICS += ("policy_value", "coverage_90", "mae", "spearman")
MODALITIES = {"clinical", "genotype", "pgx", "expression", "biomarkers", "questionnaires"}


def table(run: Run, path: str) -> pl.DataFrame:
    return pl.read_parquet(run.results / path)


def content(run: Run, path: str) -> Any:
    return json.loads((run.results / path).read_text(encoding="utf-8"))


def drafts(folder: Path) -> list[str]:
    """Files that a writer left half-done: they begin with a dot until they are renamed."""
    own = (path for path in folder.rglob(".*") if ".snakemake" not in str(path.relative_to(folder)))
    return [path.name for path in own]


# -- the same seed gives the same results


def test_two_runs_of_one_seed_give_the_same_bytes(finished: Run, finished_again: Run) -> None:
    # Times, addresses of folders and the names of MLflow's runs differ; nothing else may.
    apart = ("logs/", "benchmarks/", "tracking")

    def files(run: Run) -> dict[str, Path]:
        found = {path.relative_to(run.results).as_posix(): path for path in run.results.rglob("*") if path.is_file()}
        return {
            name: path
            for name, path in found.items()
            if not name.startswith(apart) and not name.endswith("tracking.json")
        }

    first, second = files(finished), files(finished_again)
    assert first.keys() == second.keys()
    assert {"report.html", "evaluation/metrics.json", "export/model/manifest.json"} <= first.keys()
    for name in first:
        if name.endswith(".parquet"):
            assert_frame_equal(pl.read_parquet(first[name]), pl.read_parquet(second[name]), check_exact=True)
    assert [name for name in first if first[name].read_bytes() != second[name].read_bytes()] == []


def test_a_second_run_in_the_same_folder_has_nothing_to_do(finished: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.results.rglob("*") if path.is_file()}
    told = run(finished.study, finished.results.parents[1])
    assert "Nothing to be done: every result is there and up to date." in told.stderr
    after = {path: path.stat().st_mtime_ns for path in finished.results.rglob("*") if path.is_file()}
    assert {path.name for path in before if before[path] != after[path]} == {"snakemake.log"}


# -- what the contract promises


@pytest.mark.parametrize("path", TABLES)
def test_every_table_of_the_contract_has_its_columns(finished: Run, path: str) -> None:
    frame = table(finished, path)
    assert set(TABLES[path]) <= set(frame.columns)
    # nobody's drivers are written while the gate for individual explanations is closed
    shown = path != "explanations/shap.parquet" or content(finished, "evaluation/gate.json")["individual_explanations"]
    assert (frame.height > 0) == shown


def test_everybody_is_predicted_under_every_treatment(finished: Run) -> None:
    people = set(table(finished, "harmonised/features.parquet")["patient_id"])
    without_outcome = table(finished, "harmonised/target.parquet").filter(pl.col("outcome").is_null())
    assert without_outcome.height > 0, "the simulated cohort loses people before week 12"
    for path in ("response/out_of_fold.parquet", "response/predictions.parquet"):
        frame = table(finished, path)
        assert set(frame["patient_id"]) == people
        assert frame["treatment"].unique().sort().to_list() == ARMS
        assert frame["expected"].null_count() == 0
    recommended = (
        table(finished, "response/effects.parquet").group_by("patient_id").agg(pl.col("recommended").n_unique())
    )
    assert recommended["recommended"].max() == 1


def test_effects_are_differences_of_the_predictions(finished: Run) -> None:
    expected = table(finished, "response/predictions.parquet").select("patient_id", "treatment", "expected")
    effects = table(finished, "response/effects.parquet")
    for side in ("a", "b"):
        effects = effects.join(
            expected.rename({"treatment": f"treatment_{side}", "expected": side}),
            on=["patient_id", f"treatment_{side}"],
        )
    assert effects.height == table(finished, "response/effects.parquet").height
    assert (effects["effect"] - (effects["a"] - effects["b"])).abs().max() < 1e-9


def test_explanations_add_up_to_the_predictions(finished: Run) -> None:
    summed = (
        table(finished, "explanations/shap.parquet").group_by("patient_id", "treatment").agg(pl.col("shap_value").sum())
    )
    both = summed.join(table(finished, "explanations/base.parquet"), on="treatment").join(
        table(finished, "response/predictions.parquet"), on=["patient_id", "treatment"]
    )
    if not content(finished, "evaluation/gate.json")["individual_explanations"]:
        assert both.height == 0
        return
    assert both.height == table(finished, "response/predictions.parquet").height
    assert (both["shap_value"] + both["base_value"] - both["expected"]).abs().max() < 1e-6


def test_the_catalogue_knows_every_feature_and_its_modality(finished: Run) -> None:
    catalogue = table(finished, "harmonised/feature_catalogue.parquet")
    features = table(finished, "harmonised/features.parquet")
    assert catalogue["feature"].to_list() == [name for name in features.columns if name != "patient_id"]
    assert set(catalogue["modality"]) == MODALITIES
    assert {"pcs_total", "dn4_total", "cyp2d6_activity_score", "bpi_severity"} <= set(catalogue["feature"])
    assert catalogue["measured_at"].unique().to_list() == ["baseline"]


def test_metrics_come_with_their_uncertainty_and_the_gate_with_its_reasons(finished: Run) -> None:
    metrics = content(finished, "evaluation/metrics.json")
    assert set(METRICS) <= set(metrics)
    assert [name for name in METRICS if not {"value", "lower", "upper", "n", "method"} <= set(metrics[name])] == []
    gate = content(finished, "evaluation/gate.json")
    assert isinstance(gate["individual_recommendations"], bool)
    assert isinstance(gate["individual_explanations"], bool)
    assert gate["best_fixed"] in ARMS
    assert gate["individual_recommendations"] or gate["reasons"]
    if not gate["individual_recommendations"]:
        assert table(finished, "response/effects.parquet")["recommended"].unique().to_list() == [gate["best_fixed"]]
    assert {"k", "evidence", "stability"} <= set(content(finished, "strata/summary.json"))


def test_the_bundle_names_every_file_by_its_sum_and_holds_no_pickle(finished: Run) -> None:
    bundle = finished.results / "export" / "model"
    listed = content(finished, "export/model/manifest.json")["files"]
    there = {path.relative_to(bundle).as_posix(): path for path in bundle.rglob("*") if path.is_file()}
    assert set(listed) == set(there) - {"manifest.json"}
    assert {name: hashlib.sha256(there[name].read_bytes()).hexdigest() for name in listed} == listed
    # Protocol 2 and later of pickle begin with this byte.
    assert [name for name, path in there.items() if path.read_bytes()[:1] == b"\x80"] == []


def test_results_can_be_read_by_others_than_their_owner(finished: Run) -> None:
    inside = [finished.results, *finished.results.rglob("*")]
    shut = [path.name for path in inside if path.stat().st_mode & 0o044 != 0o044]
    assert shut == []


def test_the_pages_are_there_and_need_no_network(finished: Run) -> None:
    pages = sorted((finished.results / "profiles").glob("*.html"))
    first = sorted(table(finished, "harmonised/features.parquet")["patient_id"])[:3]
    assert [page.stem for page in pages] == first
    for page in [*pages, finished.results / "report.html", finished.results / "quality" / "report.html"]:
        text = page.read_text(encoding="utf-8")
        assert text.startswith("<!DOCTYPE html>") or text.startswith("<!doctype html>")
        assert not any(word in text for word in ('src="http', "src='http", "@import", "<link"))
    report = (finished.results / "report.html").read_text(encoding="utf-8")
    assert [patient for patient in first if patient in report] == []


def test_nothing_half_written_is_left_and_no_log_holds_an_error(finished: Run) -> None:
    assert drafts(finished.results) == []
    logs = [path for path in (finished.results / "logs").rglob("*.log")]
    assert [path.name for path in logs if "Traceback" in path.read_text(encoding="utf-8")] == []
    patients = table(finished, "harmonised/features.parquet")["patient_id"].to_list()
    own = [path for path in logs if path.name != "snakemake.log"]
    assert [path.name for path in own for patient in patients if patient in path.read_text(encoding="utf-8")] == []


# -- MLflow


@pytest.fixture(scope="module")
def mlflow(finished: Run) -> Iterator[Any]:
    """MLflow, speaking to the store of the finished run, without pickle."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        module = mlflow_module()
        with tracking_to(module, f"sqlite:///{finished.results.parent / 'mlflow.db'}"):
            yield module


def test_the_run_is_logged_and_only_an_open_gate_makes_a_champion(finished: Run, mlflow: Any) -> None:
    link = content(finished, "tracking.json")
    client = mlflow.MlflowClient()
    logged = client.get_run(link["run_id"])
    assert logged.info.status == "FINISHED"
    assert client.get_experiment(link["experiment_id"]).name == "small"
    assert logged.data.metrics["test/auroc"] == content(finished, "evaluation/metrics.json")["auroc"]["value"]
    assert logged.data.params["response.trees"] == "4"
    assert {entry.path for entry in client.list_artifacts(link["run_id"])} >= {
        "report.html",
        "metrics.json",
        "gate.json",
    }
    passed = content(finished, "evaluation/gate.json")["performance_passed"]
    assert link["alias"] == ("champion" if passed else None)
    assert dict(client.get_registered_model("small").aliases) == ({"champion": "1"} if passed else {})


def test_the_logged_model_predicts_what_the_run_wrote(finished: Run, mlflow: Any) -> None:
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    model = mlflow.pyfunc.load_model(content(finished, "tracking.json")["model"])
    features = table(finished, "harmonised/features.parquet")
    wanted = model.metadata.get_input_schema().input_names()
    answered = pl.from_pandas(model.predict(features.select(wanted).to_pandas()))
    expected = table(finished, "response/predictions.parquet")
    assert_frame_equal(answered.select(expected.columns), expected, abs_tol=1e-9, rel_tol=0)


# -- predicting


def predicted(model: Path, study: Path, folder: Path) -> dict[str, pl.DataFrame]:
    """What `nociomics predict` writes."""
    told = command("nociomics", "predict", model, study, "-o", folder / "predictions.parquet", cwd=folder)
    assert told.returncode == 0, told.stderr
    assert "Traceback" not in told.stderr
    assert drafts(folder) == []
    return {name: pl.read_parquet(folder / f"{name}.parquet") for name in ("predictions", "effects", "assignments")}


def test_the_cohort_itself_is_predicted_as_in_the_run(finished: Run, tmp_path: Path) -> None:
    written = predicted(finished.results / "export" / "model", finished.study, tmp_path)
    places = {"predictions": "response", "effects": "response", "assignments": "strata"}
    for name, place in places.items():
        assert_frame_equal(written[name], table(finished, f"{place}/{name}.parquet"), abs_tol=1e-9, rel_tol=0)


def test_new_patients_without_treatment_or_outcome_are_predicted(
    finished: Run, new_cohort: Path, tmp_path: Path
) -> None:
    text = new_cohort.read_text(encoding="utf-8")
    kept = [line for line in text.split("target:")[0].splitlines() if not line.strip().startswith(("treat", "outcome"))]
    study = tmp_path / "study.yaml"
    study.write_text("\n".join(kept).replace("data_root: .", f"data_root: {new_cohort.parent}"), encoding="utf-8")
    bundle = finished.results / "export" / "model"
    written = predicted(bundle, study, tmp_path)
    config = load_config(study)
    people = read_new_people(config, data_folder(config, tmp_path)).features
    loaded = load_bundle(bundle)
    predictions, effects = predict_people(loaded, people, loaded.baseline(people))
    assert people.height == 40
    assert_frame_equal(written["predictions"], predictions, abs_tol=1e-9, rel_tol=0)
    assert_frame_equal(written["effects"], effects, abs_tol=1e-9, rel_tol=0)
    assert written["assignments"]["patient_id"].to_list() == people["patient_id"].to_list()
    assert set(written["predictions"]["status"]) == {"ok"}
    assert written["predictions"].columns == table(finished, "response/predictions.parquet").columns


def test_a_changed_model_is_refused(finished: Run, tmp_path: Path) -> None:
    shutil.copytree(finished.results / "export" / "model", tmp_path / "model")
    with (tmp_path / "model" / "interval.json").open("a", encoding="utf-8") as file:
        file.write(" ")
    told = command("nociomics", "predict", "model", finished.study, "-o", "predictions.parquet", cwd=tmp_path)
    assert told.returncode == 1
    assert told.stderr.startswith("ERROR: model: the model was altered after its export: 1 files are changed")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


# -- studies with less


def test_a_study_without_omics_runs_to_the_model(without_omics: Run) -> None:
    catalogue = table(without_omics, "harmonised/feature_catalogue.parquet")
    assert set(catalogue["modality"]) == {"clinical", "questionnaires"}
    absent = [path for path in TABLES if not (without_omics.results / path).exists()]
    assert absent == ["pgx/calls.parquet", "pgx/recommendations.parquet"]
    assert (without_omics.results / "report.html").is_file()
    assert len(list((without_omics.results / "profiles").glob("*.html"))) == 3
    assert not (without_omics.results.parent / "mlflow.db").exists(), "tracking was switched off"
    assert not (without_omics.results / "tracking.json").exists()


def interrupted(study: Path, folder: Path, sign: str) -> subprocess.CompletedProcess[str]:
    """Start a run and interrupt it, as Ctrl-C does, when a file of its results is there."""
    folder.mkdir()
    process = subprocess.Popen(
        ["nociomics", "run", str(study), "--cores", "2"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (folder / "results" / "light" / sign).exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # The step of that log has begun by now: long enough for it to be at work, too short for it to end.
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 20, "the steps were told to stop"
    return subprocess.CompletedProcess([], process.returncode, out, err)


@pytest.fixture(scope="session")
def resumed(light_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A study without a target whose run was interrupted while it looked for strata, and then run again."""

    def make(folder: Path) -> None:
        told = interrupted(light_study, folder / "run", "logs/find_strata.log")
        assert told.returncode == 130
        assert told.stderr.endswith(
            "Interrupted. Nothing half-written was left; run the same command again to go on.\n"
        )
        assert "Traceback" not in told.stderr
        results = folder / "run" / "results" / "light"
        assert drafts(results) == []
        assert not (results / "report.html").exists()
        assert (results / "harmonised" / "features.parquet").exists()
        run(light_study, folder / "run")

    made = made_once(tmp_path_factory, "resumed", make)
    return Run(light_study, made / "run" / "results" / "light")


def test_an_interrupted_run_goes_on_where_it_stopped(resumed: Run) -> None:
    log = (resumed.results / "logs" / "snakemake.log").read_text(encoding="utf-8")
    assert "rule find_strata:" in log
    assert "rule ingest_tables:" not in log, "what was done before the interrupt stands"
    assert drafts(resumed.results) == []
    assert (resumed.results / "report.html").is_file()


def test_a_study_without_a_target_has_strata_and_a_report(resumed: Run) -> None:
    assert table(resumed, "strata/assignments.parquet").height == 120
    assert table(resumed, "harmonised/target.parquet")["outcome"].null_count() == 120
    for absent in ("response", "evaluation", "explanations", "export", "profiles", "tracking.json"):
        assert not (resumed.results / absent).exists()


def test_a_change_in_the_code_of_a_room_re_runs_the_rules_that_use_it(resumed: Run, tmp_path: Path) -> None:
    for part in ("workflow", "config", "profiles"):
        shutil.copytree(ROOT / part, tmp_path / part)
    package = tmp_path / "src" / "nociomics"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))

    words = ("nociomics", "run", resumed.study, "--", "-n")
    plan = {"cwd": resumed.results.parents[1], "PYTHONPATH": str(tmp_path / "src")}
    before = command(*words, **plan)
    assert "Nothing to be done" in before.stdout + before.stderr
    with (package / "models" / "stratification.py").open("a", encoding="utf-8") as file:
        file.write("# a change\n")
    after = command(*words, **plan)
    told = after.stdout + after.stderr
    assert "rule find_strata:" in told
    assert "params have changed since last execution:\n        find_strata\n" in told
    assert "rule harmonise_features:" not in told
