"""The exported bundle as MLflow keeps and serves it: the same answers and the same gate as in Python, and no pickle."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import nociomics
from nociomics.cli.track_records import _examples
from nociomics.tracking import store
from nociomics.tracking.run_record import RunRecord
from nociomics.tracking.study_run import ModelRecord, StudyRun, log_study
from tests.export.bundles import write_small_bundle
from tests.models.small_study import SmallStudy, small_study

_PATIENCE = 120  # seconds; a quiet machine needs about twenty


@pytest.fixture(scope="module")
def study() -> SmallStudy:
    return small_study(people=72)


@pytest.fixture(scope="module")
def bundle(study: SmallStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_bundle(study, tmp_path_factory.mktemp("logged"))


@pytest.fixture
def logged(bundle: Path, uri: str) -> str:
    """Log the bundle as a study's run does; its store."""
    inputs, outputs = _examples(bundle)
    model = ModelRecord(bundle, True, "# Card", ("nociomics==0.1.0", "polars==2.1.0"), inputs, outputs)
    log_study(StudyRun("small", RunRecord("small"), model=model), uri)
    return uri


def champion(uri: str) -> Any:
    mlflow = store.mlflow_module()
    with store.tracking_to(mlflow, uri):
        return mlflow.pyfunc.load_model("models:/small@champion")


def same(found: pd.DataFrame, expected: pl.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True), expected.to_pandas(), check_dtype=False, atol=1e-6, rtol=0.0
    )


def test_the_champion_answers_as_python_does(study: SmallStudy, bundle: Path, logged: str) -> None:
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    same(champion(logged).predict(plain(study.features)), nociomics.load_model(bundle).predict(study.features))


def test_every_number_is_a_double_and_only_the_person_must_be_named(study: SmallStudy, logged: str) -> None:
    schema = champion(logged).metadata.get_input_schema()
    kinds = {column.name: column.type.name for column in schema.inputs}
    assert kinds["age"] == "double" and kinds["sex"] in ("double", "string")
    assert set(kinds.values()) == {"double", "string"}
    assert schema.required_input_names() == ["patient_id"]
    assert champion(logged).input_example is not None


def test_the_gate_stands_before_it(study: SmallStudy, logged: str) -> None:
    odd = plain(study.features[:2]).assign(age=[50.0, 500.0])
    found = champion(logged).predict(odd)
    assert found[found["patient_id"] == odd["patient_id"][0]]["status"].tolist() == ["ok"] * 2
    refused = found[found["patient_id"] == odd["patient_id"][1]]
    assert refused["status"].str.startswith("rejected: age is not within").all()
    assert refused["expected"].isna().all()


def plain(frame: pl.DataFrame) -> pd.DataFrame:
    """Return a frame as most programs hold it: floats, and text as objects."""
    found = frame.to_pandas()
    return found.astype({name: "object" for name in found.select_dtypes("string").columns})


def test_it_is_served_and_answers_the_same(study: SmallStudy, bundle: Path, logged: str, tmp_path: Path) -> None:
    with served(logged, tmp_path / "serve.log") as port:
        rows = study.features[:5].to_dicts()
        answer = post(f"http://127.0.0.1:{port}/invocations", {"dataframe_records": rows})
        same(pd.DataFrame(answer["predictions"]), nociomics.load_model(bundle).predict(study.features[:5]))


@contextmanager
def served(uri: str, log: Path) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    asked = ["models", "serve", "--model-uri", "models:/small@champion", "--env-manager", "local", "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", *asked, "--host", "127.0.0.1", "--port", str(port)]
    settings = {**os.environ, "MLFLOW_TRACKING_URI": uri, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with log.open("w") as words:
        server = subprocess.Popen(command, env=settings, stdout=words, stderr=words, start_new_session=True)
        try:
            why = waited(server, port)
            if why is not None:
                pytest.skip(why)
            yield port
        finally:
            os.killpg(server.pid, 15)
            server.wait(30)


def waited(server: subprocess.Popen[bytes], port: int) -> str | None:
    """Wait until it answers; else the reason why there is nothing to compare."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        # a server that ends by itself is broken, not slow
        assert server.poll() is None, "mlflow models serve ended before it answered"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                return None
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    return f"mlflow models serve did not come up within {_PATIENCE} s on this machine"


def post(url: str, body: Any) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())
