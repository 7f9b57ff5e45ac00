"""An exported model in a program of one's own: what it needs, and raw tables by the way of `nociomics predict`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import nociomics
from nociomics.errors import NociomicsError
from nociomics.preparation import prepare_new_tables
from nociomics.tables.results import ASSIGNMENTS, EFFECTS, PREDICTIONS, SHAP_VALUES
from tests.export.bundles import write_small_bundle
from tests.models.small_study import SmallStudy, small_study

# None in sys.modules is the import system's own way to say that a module is not there
_BLOCKED = ("snakemake", "mlflow", "shap", "matplotlib", "altair", "vl_convert", "fastapi", "pandas", "pyarrow")


@pytest.fixture(scope="module")
def study() -> SmallStudy:
    return small_study(people=72)


@pytest.fixture(scope="module")
def folder(study: SmallStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_bundle(study, tmp_path_factory.mktemp("model"))


def test_everything_that_it_says_keeps_the_contracts(study: SmallStudy, folder: Path) -> None:
    model = nociomics.load_model(folder)
    found = model.answer(study.features)
    PREDICTIONS.check(found.predictions)
    EFFECTS.check(found.effects)
    ASSIGNMENTS.check(found.strata)
    assert (
        model.predict(study.features.to_pandas())
        .select("patient_id", "treatment", "status")
        .equals(found.predictions.select("patient_id", "treatment", "status"))
    )
    explained = SHAP_VALUES.check(model.explain(study.features[:3]))
    assert explained["patient_id"].n_unique() == 3
    assert model.strata(study.features).equals(found.strata)
    assert {"unit", "low", "high", "missing_ok"} <= set(model.schema[0])


def test_it_needs_neither_snakemake_nor_mlflow(study: SmallStudy, folder: Path, tmp_path: Path) -> None:
    study.features.write_parquet(tmp_path / "people.parquet")
    program = f"""
import sys
sys.modules.update(dict.fromkeys({_BLOCKED!r}))
import polars as pl
import nociomics
model = nociomics.load_model({str(folder)!r})
people = pl.read_parquet({str(tmp_path / "people.parquet")!r})
assert model.predict(people).height == 2 * people.height
assert model.explain(people[:2]).height and model.strata(people).height
assert model.answer_tables({{"patients": {{"patient_id": ["a"], "age": [50]}}}}).predictions.height == 2
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_raw_tables_are_converted_scored_and_answered() -> None:
    tables = {
        "patients": pl.DataFrame({"patient_id": ["a", "b"], "age": [50, 61], "sex": ["F", "M"]}),
        "biomarkers": [{"patient_id": "a", "analyte": "CRP", "value": 0.3, "unit": "mg/dL"}],
        "blocks.proteins": {"patient_id": ["a", "b"], "p1": [1.0, 2.5]},
    }
    features, notes = prepare_new_tables(tables, {"blocks.proteins": {"transform": "none"}}, [])
    row = features.filter(pl.col("patient_id") == "a").row(0, named=True)
    assert row["crp_mg_per_l"] == pytest.approx(3.0)
    assert row["age"] == 50
    assert not any("0.3" in note for note in notes)


@pytest.mark.parametrize(
    ("tables", "study"),
    [
        ({"patents": {"patient_id": ["a"]}}, {}),
        ({"patients": {"patient_id": ["a"]}}, {"patients": {"unitt": 1}}),
    ],
)
def test_an_unknown_table_or_setting_is_named(tables: dict, study: dict) -> None:
    with pytest.raises(NociomicsError, match="settings of the tables are not understood: tables"):
        prepare_new_tables(tables, study, [])
