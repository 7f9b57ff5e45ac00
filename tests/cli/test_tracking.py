"""The tracking store: safe to start, complete to read, and never a reason to unpickle anything."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

import nociomics
from nociomics.errors import NociomicsError
from nociomics.tracking import store
from nociomics.tracking.run_record import RunRecord
from nociomics.tracking.store import initialise_store, network_file_system, runs_table_link
from nociomics.tracking.study_run import ModelRecord, StudyRun, log_study


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)


class _Doubling:
    """Stands for the exported model, which is another room's: it doubles the baseline."""

    def __init__(self, folder: str) -> None:
        self.factor = json.loads((Path(folder) / "manifest.json").read_text())["factor"]

    def predict(self, features: pd.DataFrame) -> pl.DataFrame:
        return pl.DataFrame(
            {"patient_id": features["patient_id"].to_list(), "expected": (features["baseline"] * self.factor).to_list()}
        )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyRun:
    monkeypatch.setattr(nociomics, "load_model", _Doubling)
    bundle = tmp_path / "export" / "model"
    bundle.mkdir(parents=True)
    (bundle / "manifest.json").write_text('{"factor": 2}')
    report = tmp_path / "page_of_today.html"
    report.write_text("<p>the report</p>")
    record = RunRecord(
        name="demo 0123456",
        note="The best arm for all is as good as an individual choice.",
        parameters={"seed": 1, "response": {"trees": 200, "level": None}},
        metrics={"headline/auroc": 0.71, "headline/auroc_ci_low": 0.66, "headline/auroc_ci_high": None},
        tags={"study": "demo", "stage": "study", "code.commit": "0123456789abcdef"},
        documents={"gate": {"performance_passed": True}},
        pages={"report.html": report},
        children=(
            RunRecord("data", metrics={"quality/warning": 0.0}, tags={"stage": "data"}),
            RunRecord(
                "evaluation",
                tables={"metrics": pl.DataFrame({"metric": ["auroc"], "value": [0.71]})},
                figures={"models": "<svg/>"},
                tags={"stage": "evaluation"},
                children=tuple(RunRecord(f"fold {fold}", metrics={"fold/auroc": 0.7}) for fold in (1, 2)),
            ),
        ),
    )
    return StudyRun(
        study="demo",
        record=record,
        datasets={"patients": ("ab" * 32, 600), "biomarkers": ("cd" * 32, 4800)},
        model=ModelRecord(
            bundle=bundle,
            passed=True,
            card="# Model card",
            requirements=("pandas==3.1.1",),
            input_example=pd.DataFrame({"patient_id": ["example"], "baseline": [5.0], "sex": ["F"], "visits": [3]}),
            output_example=pd.DataFrame({"patient_id": ["example"], "expected": [10.0]}),
        ),
        note="**Study demo.**",
        columns=("headline/auroc",),
    )


def gated(run: StudyRun, passed: bool) -> StudyRun:
    """The same study with another verdict, which makes it another run."""
    assert run.model is not None
    record = replace(run.record, tags={**run.record.tags, "gate.performance_passed": str(passed).lower()})
    return replace(run, record=record, model=replace(run.model, passed=passed))


def test_a_run_is_read_back_with_its_numbers_data_and_pages(run: StudyRun, uri: str) -> None:
    mlflow = store.mlflow_module()
    tracked = log_study(run, uri)
    client = mlflow.MlflowClient(uri)
    logged = client.get_run(tracked.run_id)
    assert logged.info.status == "FINISHED"
    assert client.get_experiment(tracked.experiment_id).name == "demo"
    assert logged.data.metrics == {"headline/auroc": 0.71, "headline/auroc_ci_low": 0.66}
    assert logged.data.tags["metrics.null"] == "headline/auroc_ci_high"
    assert logged.data.params == {"response.trees": "200", "seed": "1"}
    assert logged.data.tags["code.commit"] == run.record.tags["code.commit"]
    assert logged.data.tags["mlflow.note.content"] == run.record.note
    named = {entry.dataset.name: {tag.key: tag.value for tag in entry.tags} for entry in logged.inputs.dataset_inputs}
    assert named["biomarkers"]["rows"] == "4800"
    assert named["biomarkers"]["sha256"] == "cd" * 32
    assert {entry.path for entry in client.list_artifacts(tracked.run_id)} == {"report.html", "gate.json"}
    assert Path(uri.removeprefix("sqlite:///")).parent.joinpath("artifacts", "demo").is_dir()


def test_the_champion_is_loaded_without_a_pickle_and_predicts(run: StudyRun, uri: str) -> None:
    mlflow = store.mlflow_module()
    tracked = log_study(run, uri)
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    with store.tracking_to(mlflow, uri):
        model = mlflow.pyfunc.load_model(f"models:/{run.study}@champion")
    new = pd.DataFrame({"patient_id": ["a", "b"], "baseline": [1.0, 4.0], "sex": ["F", "M"], "visits": [1.0, 2.0]})
    assert model.predict(new)["expected"].tolist() == [2.0, 8.0]
    assert model.metadata.get_input_schema().input_names() == ["patient_id", "baseline", "sex", "visits"]
    assert tracked.alias == "champion"
    stored = list(Path(uri.removeprefix("sqlite:///")).parent.rglob("*"))
    assert [path for path in stored if path.suffix in {".pkl", ".pickle", ".joblib", ".skops"}] == []


def test_a_column_that_the_signature_does_not_know_as_text_is_refused(run: StudyRun, uri: str) -> None:
    mlflow = store.mlflow_module()
    log_study(run, uri)
    with store.tracking_to(mlflow, uri):
        model = mlflow.pyfunc.load_model(f"models:/{run.study}@champion")
    with pytest.raises(mlflow.exceptions.MlflowException, match="baseline"):
        model.predict(pd.DataFrame({"patient_id": ["a"], "baseline": ["five"], "sex": ["F"], "visits": [1.0]}))


def test_a_closed_gate_leaves_the_earlier_champion_in_place(run: StudyRun, uri: str) -> None:
    client = store.mlflow_module().MlflowClient(uri)
    first = log_study(run, uri)
    second = log_study(gated(run, False), uri)
    assert (first.model_version, second.model_version) == ("1", "2")
    assert second.alias is None
    assert str(client.get_model_version_by_alias("demo", "champion").version) == "1"
    assert client.get_model_version("demo", "2").aliases == []
    assert client.get_model_version("demo", "2").description == "# Model card"


def test_a_study_without_a_target_has_a_run_and_no_model(run: StudyRun, uri: str) -> None:
    client = store.mlflow_module().MlflowClient(uri)
    tracked = log_study(replace(run, model=None), uri)
    assert len(client.search_runs([tracked.experiment_id], "tags.stage = 'study'")) == 1
    assert client.search_registered_models() == []
    assert tracked.model_uri is None


def test_the_variable_that_names_the_store_is_left_as_it_was(
    run: StudyRun, uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log_study(replace(run, model=None), uri)
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert store.tracking_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert store.tracking_uri(tmp_path) == "http://tracker:5000"


FOUR_AT_ONCE = """
import os, sys
from nociomics.tracking import store

mlflow = store.mlflow_module()
import mlflow.store.tracking.sqlalchemy_store

def start(name, uri):
    store.initialise_store(uri)
    mlflow.MlflowClient(uri).create_experiment(name)

children = []
for name in "abcd":
    child = os.fork()
    if child == 0:
        code = 1
        try:
            start(name, sys.argv[1])
            code = 0
        finally:
            os._exit(code)
    children.append(child)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


def test_four_processes_that_start_at_once_share_one_good_store(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    finished = subprocess.run([sys.executable, "-c", FOUR_AT_ONCE, uri], timeout=120, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    client = store.mlflow_module().MlflowClient(uri)
    assert sorted(experiment.name for experiment in client.search_experiments()) == ["Default", "a", "b", "c", "d"]
    assert [path.name for path in (tmp_path / "new").iterdir() if path.suffix == ".part"] == []


def test_a_store_that_is_ready_is_only_looked_at(uri: str) -> None:
    database = Path(uri.removeprefix("sqlite:///"))
    before = database.read_bytes()
    initialise_store(uri)
    assert database.read_bytes() == before


def test_a_half_made_store_is_named_and_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    with sqlite3.connect(database) as connection:
        connection.execute("create table experiments (experiment_id integer)")
    connection.close()
    before = database.read_bytes()
    with pytest.raises(NociomicsError, match="not a finished MLflow store"):
        initialise_store(f"sqlite:///{database}")
    assert database.read_bytes() == before


def test_a_store_of_another_mlflow_version_is_refused_before_the_run(uri: str) -> None:
    connection = sqlite3.connect(uri.removeprefix("sqlite:///"))
    connection.execute("update alembic_version set version_num = '0'")
    connection.commit()
    connection.close()
    with pytest.raises(NociomicsError, match="out-of-date database schema"):
        initialise_store(uri)


def test_a_sqlite_file_on_a_network_disk_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(store, "network_file_system", lambda database: "nfs4")
    with pytest.raises(NociomicsError, match=r"network file system \(nfs4\).*MLFLOW_TRACKING_URI"):
        initialise_store(f"sqlite:///{tmp_path}/mlflow.db")
    assert list(tmp_path.iterdir()) == []


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
head:/home /home nfs4 rw 0 0
/dev/nvme0n1 /home/scratch\\040disk xfs rw 0 0
lake@tcp:/work /lake lustre rw 0 0
head:/old /twice nfs rw 0 0
/dev/sdb1 /twice ext4 rw 0 0
//box/share /mnt/share cifs rw 0 0
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/srv/mlflow.db", None),
        ("/home/ana/results/mlflow.db", "nfs4"),
        ("/homes/ana/mlflow.db", None),
        ("/home/scratch disk/mlflow.db", None),
        ("/lake/mlflow.db", "lustre"),
        ("/twice/mlflow.db", None),
        ("/mnt/share/a/mlflow.db", "cifs"),
    ],
)
def test_the_nearest_mount_decides(place: str, kind: str | None) -> None:
    assert network_file_system(Path(place), MOUNTS) == kind


def test_a_store_that_mlflow_cannot_use_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(NociomicsError, match="no longer writes to"):
        initialise_store(f"file://{tmp_path}/mlruns")
    assert "secret" not in store.without_password("https://ana:secret@tracker/api?token=secret")
    assert "secret" not in str(store.server_command("postgresql://ana:secret@db/mlflow"))


def test_a_server_that_does_not_answer_is_the_users_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(NociomicsError, match=r"tracking store http://127\.0\.0\.1:9 refused") as caught:
        initialise_store("http://ana:secret@127.0.0.1:9")
    assert "secret" not in str(caught.value)


def test_the_link_opens_the_table_of_runs_of_the_right_server() -> None:
    path = "#/experiments/7/runs?workflowType=machine_learning&viewStateShareKey=nociomics"
    assert runs_table_link("sqlite:///a.db", "7", port=5001) == f"http://127.0.0.1:5001/{path}"
    assert runs_table_link("https://ana:secret@tracker/ml/", "7") == f"https://tracker/ml/{path}"
    command = store.server_command("sqlite:////tmp/with space/mlflow.db", port=5001)
    assert command is not None
    assert "'sqlite:////tmp/with space/mlflow.db' --host 127.0.0.1 --port 5001" in command


def test_the_stored_script_calls_a_reader_that_exists() -> None:
    from nociomics.export.loaded_model import LoadedModel

    script = Path(nociomics.__file__).with_name("export") / "pyfunc_model.py.txt"
    text = script.read_text(encoding="utf-8")
    assert f"{nociomics.load_model.__module__}.{nociomics.load_model.__name__}(" in text
    assert f"self._model.{LoadedModel.predict.__name__}(" in text
