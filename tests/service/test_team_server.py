"""The team's servers, started for real by the command lines of the compose file: PostgreSQL, MLflow, the service."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nociomics.errors import NociomicsError
from nociomics.tracking import run_tree
from nociomics.tracking.run_record import RunRecord
from nociomics.tracking.study_run import StudyRun, log_study
from tests.service.team_processes import PATIENCE, ROOT, Team, answers, prepared_team, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

_ADMIN = "team-admin"
_EXPERIMENT = "/api/2.0/mlflow/experiments/get?experiment_id=0"


@dataclass(frozen=True)
class Running:
    """The team's servers, and what a test may close to stop the database."""

    team: Team
    database: ExitStack

    def status(self, path: str, name: str | None = None, word: str | None = None) -> int:
        """Return the status of a request to MLflow, with or without an account."""
        return answers(f"{self.team.tracking_url}{path}", None if name is None else _basic(name, str(word)))

    def ask(self, method: str, path: str, body: dict[str, str]) -> Any:
        """Send a request to MLflow as the administrator."""
        url = f"{self.team.tracking_url}{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), method=method)
        request.add_header("Authorization", _basic(_ADMIN, self.team.secret("admin_password")))
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or b"{}")


def _basic(name: str, word: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{word}".encode()).decode()


@pytest.fixture(scope="module")
def running(exported: Path) -> Iterator[Running]:
    """PostgreSQL, the upgrade alone, then MLflow: the order that the compose file asks for."""
    with prepared_team(exported) as team, ExitStack() as database:
        database.enter_context(team.database())
        team.upgrade()
        with team.running("tracking"):
            yield Running(team, database)


def test_nobody_gets_in_without_an_account(running: Running) -> None:
    word = running.team.secret("admin_password")
    assert running.status(_EXPERIMENT) == 401
    assert running.status(_EXPERIMENT, _ADMIN, word) == 200
    assert running.status(_EXPERIMENT, _ADMIN, f"{word}x") == 401, "one that was let in does not let in another word"
    assert running.status("/api/2.0/mlflow-artifacts/artifacts") == 401


def test_an_account_sees_nothing_it_was_not_given_and_a_changed_password_counts_at_once(running: Running) -> None:
    running.ask("POST", "/api/2.0/mlflow/users/create", {"username": "ada", "password": "the-first-password"})
    assert running.status(_EXPERIMENT, "ada", "the-first-password") == 403
    running.ask("PATCH", "/api/2.0/mlflow/users/update-password", {"username": "ada", "password": "the-second-one"})
    assert running.status(_EXPERIMENT, "ada", "the-first-password") == 401
    assert running.status(_EXPERIMENT, "ada", "the-second-one") == 403


def test_eight_studies_that_end_at_once_are_there_whole_and_once(running: Running) -> None:
    writers, stages, numbers, steps = 8, 3, 30, 100
    command = [sys.executable, str(ROOT / "benchmarks" / "tracking_writers.py"), "--writers", str(writers)]
    environment = {**os.environ, **running.team.client_environment(), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command += ["--uri", running.team.tracking_url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    first, again = json.loads(done.stdout.splitlines()[-1])
    assert (first["refused"], first["problems"], again["refused"], again["problems"]) == (0, [], 0, [])
    # what lies in the database and in the folder, and not only what the server says
    counted = "select count(*) from runs join experiments using (experiment_id) where experiments.name = 'writers'"
    assert running.team.sql("mlflow", counted) == str(writers * (1 + stages))
    points = running.team.sql("mlflow", "select count(*) from metrics where run_uuid in (select run_uuid from runs)")
    assert points == str(writers * (stages + numbers + steps))
    pages = list(Path(running.team.variables["ARTIFACTS"]).rglob("report.html"))
    assert len(pages) == writers and len({page.read_bytes() for page in pages}) == writers


_STUDY = StudyRun(
    "away",
    RunRecord(
        "away",
        metrics={"test/auroc": 0.64},
        documents={"gate": {"individual_recommendations": False}},
        children=(RunRecord("data", metrics={"quality/warning": 1.0}), RunRecord("evaluation")),
    ),
)


def test_a_study_whose_store_went_away_is_logged_by_the_next_call_and_once(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in running.team.client_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    real, begun = run_tree._write, []

    def loses_the_database(client: Any, there: Any, record: RunRecord, tags: Any) -> None:
        begun.append(record.name)
        if record.name == "data":
            running.database.close()
        real(client, there, record, tags)

    try:
        with monkeypatch.context() as lost:
            lost.setattr(run_tree, "_write", loses_the_database)
            with pytest.raises(NociomicsError, match="The results themselves are complete") as caught:
                log_study(_STUDY, running.team.tracking_url)
        assert begun == ["away", "data"]
        assert running.team.secret("admin_password") not in str(caught.value)
    finally:
        running.database.enter_context(running.team.database())
    # MLflow's server goes on: it finds its database again without a new start
    tracked = log_study(_STUDY, running.team.tracking_url)
    assert log_study(_STUDY, running.team.tracking_url).run_id == tracked.run_id
    told = "select runs.name, status from runs join experiments using (experiment_id) where experiments.name = 'away'"
    assert sorted(running.team.sql("mlflow", told).splitlines()) == [
        "away|FINISHED",
        "data|FINISHED",
        "evaluation|FINISHED",
    ]
    assert running.team.sql("mlflow", "select count(*) from metrics where key = 'quality/warning'") == "1"


def test_artifacts_go_through_the_server(running: Running) -> None:
    places = running.team.sql("mlflow", "select distinct artifact_uri from runs")
    assert places and all(place.startswith("mlflow-artifacts:") for place in places.splitlines())


def test_the_service_answers_who_has_its_token(running: Running) -> None:
    team = running.team
    body = json.dumps({"rows": [{"age": 50.0, "sex": "F", "pcs_total": 20.0}]}).encode()
    with team.running("service"):
        url = f"http://127.0.0.1:{team.ports['8080']}"
        assert answers(f"{url}/model") == 401
        assert answers(f"{url}/model", f"Bearer {team.secret('service_token')}") == 200
        request = urllib.request.Request(f"{url}/predict", body, {"Content-Type": "application/json"})
        request.add_header("Authorization", f"Bearer {team.secret('service_token')}")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            assert {row["treatment"] for row in json.loads(answer.read())["predictions"]} == {"cbt", "snri"}


def test_no_secret_is_in_a_process_list_or_a_log_and_nothing_is_written_where_a_container_cannot(
    running: Running,
) -> None:
    team = running.team
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert any(b"--serve-artifacts" in line and str(team.folder).encode() in line for line in lines)
    said = [path.read_bytes() for path in team.folder.glob("*.log")]
    for name in team.file["secrets"]:
        assert not any(team.secret(name).encode() in text for text in [*lines, *said]), name
    for name in ("tracking", "service"):
        assert team.service(name)["read_only"] is True
        assert list((team.folder / f"{name}_working_folder").iterdir()) == []
