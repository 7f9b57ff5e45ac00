"""Strata of real people against groups that somebody else named, without being told."""

from pathlib import Path

import polars as pl
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from nociomics.config import data_folder, load_config
from nociomics.ingest.study_tables import read_study, require_sound
from nociomics.models.settings import BlockSettings, StrataSettings
from nociomics.models.stratification import StratumModel
from nociomics.preparation import prepare_read
from tests.conftest import shared

STUDIES = Path(__file__).resolve().parents[2] / "config" / "studies"


def placed(name: str, stores: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[StratumModel, pl.DataFrame, Path]:
    monkeypatch.setenv("NOCIOMICS_DATA", str(shared("data")))
    study = load_config(STUDIES / f"{name}.yaml")
    data = data_folder(study, STUDIES)
    study = study.model_copy(update={"data_root": None})
    read = read_study(study, data, stores=stores)
    require_sound(read.findings)
    prepared = prepare_read(read, study, data, stores)
    settings = StrataSettings(bootstraps=15)
    model = StratumModel(settings, BlockSettings(), 1).fit(prepared.features, prepared.catalogue)
    return model, model.assign(prepared.features), data


def test_three_mechanisms_of_low_back_pain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, strata, data = placed("lbp-mechanism", tmp_path, monkeypatch)
    named = pl.read_csv(data / "patients.csv").select("patient_id", "mechanism")
    both = strata.join(named, on="patient_id", validate="1:1")
    assert model.k_ == 3 and both.height == 464
    assert adjusted_rand_score(both["mechanism"], both["stratum"]) >= 0.70
    assert min(model.stability_["jaccard"].values()) >= 0.9


def test_three_subtypes_of_breast_tumours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, strata, data = placed("breast-tcga-diablo", tmp_path, monkeypatch)
    named = pl.read_csv(data / "train_labels.csv").rename({"sample_id": "patient_id"})
    both = strata.join(named, on="patient_id", validate="1:1")
    assert model.k_ == 3 and both.height == 150
    assert normalized_mutual_info_score(both["subtype"], both["stratum"]) >= 0.62
