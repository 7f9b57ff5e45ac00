"""Noise in, nothing about one person out: every place where a closed gate could leak a choice or a driver."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nociomics.evaluate.arms import arm_table
from nociomics.evaluate.study_metrics import evaluate_study
from nociomics.models.response import out_of_fold
from nociomics.report.pages import CohortReportData, PatientProfileData, cohort_report, patient_profile
from nociomics.tables.files import write_table
from nociomics.tables.harmonised import FEATURES, TARGET_ROWS
from tests.cli.conftest import Command
from tests.export.bundles import write_small_bundle
from tests.models.small_study import BLOCKS, QUICK, SmallStudy, small_study
from tests.report import demo
from tests.report.html_page import Page

with warnings.catch_warnings():  # it calls something that matplotlib means to retire
    warnings.simplefilter("ignore", PendingDeprecationWarning)
    import shap  # noqa: F401


@dataclass(frozen=True)
class Closed:
    """A study of noise, what its evaluation says, and its bundle."""

    study: SmallStudy
    metrics: dict[str, Any]
    gate: dict[str, Any]
    curves: dict[str, Any]
    bundle: Path


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Closed:
    """Outcomes drawn by lot, judged by the program's own gate: nothing here is told that the gate is closed."""
    study = small_study("binary", people=120, effect=0.0, seed=4)
    predicted = out_of_fold(study.training, study.splits, study.target, BLOCKS, QUICK, 1)
    found = evaluate_study(predicted, study.rows, study.target, resamples=100)
    assert not found.gate["individual_explanations"] and not found.gate["individual_recommendations"]
    bundle = write_small_bundle(study, tmp_path_factory.mktemp("noise"), found.gate)
    return Closed(study, found.metrics, found.gate, found.curves, bundle)


@pytest.fixture
def results(closed: Closed, nociomics: Command, tmp_path: Path) -> dict[str, pl.DataFrame]:
    """What the commands of the workflow write for these people."""
    write_table(closed.study.features, FEATURES, tmp_path / "features.parquet")
    write_table(closed.study.rows, TARGET_ROWS, tmp_path / "target.parquet")
    bundle = ["--bundle", closed.bundle, "--features", tmp_path / "features.parquet"]
    paths = {name: tmp_path / f"{name}.parquet" for name in ("predictions", "effects", "shap", "base", "importance")}
    wanted = ["--predictions", paths["predictions"]]
    made = nociomics("export", "predict", *bundle, *wanted, "--target-rows", tmp_path / "target.parquet",
                     "--effects", paths["effects"])  # fmt: skip
    assert made.exit == 0, made.err
    told = nociomics("explain", "predictions", *bundle, *wanted, "--seed", 1, "--shap", paths["shap"],
                     "--base", paths["base"], "--importance", paths["importance"])  # fmt: skip
    assert told.exit == 0, told.err
    return {name: pl.read_parquet(path) for name, path in paths.items()}


def test_effects_name_one_treatment_for_everybody_and_no_chance_for_anyone(closed, results):
    effects = results["effects"]
    assert effects["recommended"].unique().to_list() == [closed.gate["best_fixed"]]
    assert effects["p_better"].null_count() == effects.height > 0


def test_nobodys_drivers_are_in_the_file_but_its_columns_and_base_values_are(results):
    assert results["shap"].height == 0
    assert {"patient_id", "treatment", "feature", "modality", "group", "feature_value", "shap_value"} <= set(
        results["shap"].columns
    )
    assert results["base"]["treatment"].to_list() == ["cbt", "snri"]
    assert np.isfinite(results["base"]["base_value"].to_numpy()).all()


def test_everybody_is_still_predicted(closed, results):
    assert results["predictions"]["expected"].null_count() == 0
    assert set(results["predictions"]["patient_id"]) == set(closed.study.features["patient_id"])


def test_the_report_opens_with_it_and_shows_no_driver_of_one_person(closed, results):
    page = Page(
        cohort_report(
            CohortReportData(
                "noise", "0", "", closed.study.target, demo.flow(), demo.findings(), closed.study.catalogue,
                arms=arm_table(closed.study.rows), metrics=closed.metrics, gate=closed.gate, curves=closed.curves,
                importance=results["importance"],
                effects=results["effects"], predictions=results["predictions"],
            )
        )
    )  # fmt: skip
    assert "no treatment is recommended to any one person" in page.first_sentence()
    assert "no drivers of one person's prediction are shown" in page.first_sentence()
    assert "Nothing is shown about any one person" in page.text("drivers")
    assert "Recommendation of the final model" not in page.text()


def test_pages_of_two_people_say_the_same_about_treatment_and_nothing_about_drivers(closed, results):
    texts = []
    for patient in closed.study.features["patient_id"][:2]:
        own = {name: results[name].filter(pl.col("patient_id") == patient) for name in ("predictions", "effects")}
        data = PatientProfileData(
            patient, "noise", closed.study.features.row(0, named=True), closed.study.catalogue, **own,
            shap=None, base=results["base"], gate=closed.gate, metrics=closed.metrics, target=closed.study.target,
            arms=arm_table(closed.study.rows),
        )  # fmt: skip
        page = Page(patient_profile(data))
        assert "rather than" not in page.text() and "best with" not in page.text()
        assert "Drivers are not shown" in page.text("why")
        texts.append(page.text("plain"))
    assert texts[0] == texts[1]


def test_what_goes_to_mlflow_with_the_model_holds_no_choice_and_no_driver(closed):
    """The tracking store gets the bundle, its invented example and its card."""
    golden = json.loads((closed.bundle / "golden.json").read_text())
    assert not {"recommended", "p_better", "shap_value"} & set(golden["predictions"][0])
    card = (closed.bundle / "MODEL_CARD.md").read_text()
    assert "individual recommendations: no" in card and "individual explanations: no" in card
    names = {path.name for path in closed.bundle.rglob("*")}
    assert not [name for name in names if "shap" in name or "effects" in name]


def test_behind_an_open_gate_the_same_commands_write_everybodys_drivers(nociomics, tmp_path):
    """The tests above can fail: the file is empty because of the gate, not because nothing is written."""
    study = small_study(people=72, effect=2.0)
    bundle = write_small_bundle(study, tmp_path)
    write_table(study.features, FEATURES, tmp_path / "features.parquet")
    write_table(study.rows, TARGET_ROWS, tmp_path / "target.parquet")
    given = ["--bundle", bundle, "--features", tmp_path / "features.parquet"]
    nociomics("export", "predict", *given, "--target-rows", tmp_path / "target.parquet",
              "--predictions", tmp_path / "p.parquet", "--effects", tmp_path / "e.parquet")  # fmt: skip
    told = nociomics("explain", "predictions", *given, "--predictions", tmp_path / "p.parquet", "--seed", 1,
                     "--shap", tmp_path / "s.parquet", "--base", tmp_path / "b.parquet")  # fmt: skip
    assert told.exit == 0, told.err
    drivers, base = pl.read_parquet(tmp_path / "s.parquet"), pl.read_parquet(tmp_path / "b.parquet")
    predictions = pl.read_parquet(tmp_path / "p.parquet")
    sums = drivers.group_by("patient_id", "treatment").agg(pl.col("shap_value").sum()).join(base, on="treatment")
    both = sums.join(predictions, on=["patient_id", "treatment"])
    assert both.height == predictions.height
    assert (both["shap_value"] + both["base_value"] - both["expected"]).abs().max() < 1e-6
