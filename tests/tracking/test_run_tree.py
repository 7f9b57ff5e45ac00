"""A tree of runs: in order, complete after an interruption, never doubled."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from nociomics.errors import NociomicsError
from nociomics.tracking import run_tree, study_run
from nociomics.tracking.experiment_page import write_note
from nociomics.tracking.run_record import RunRecord
from nociomics.tracking.store import mlflow_module
from nociomics.tracking.study_run import StudyRun, log_study

FOLDS = tuple(
    RunRecord(f"fold {place}", metrics={"fold/auroc": 0.6 + place / 100}, tags={"stage": "fold"}) for place in (1, 2, 3)
)
RECORD = RunRecord(
    "demo",
    metrics={"headline/auroc": 0.64, "headline/auroc_ci_low": None},
    parameters={f"section.setting_{number:03d}": number for number in range(150)},
    tags={"stage": "study", "study": "demo"},
    children=(RunRecord("data"), RunRecord("evaluation", children=FOLDS), RunRecord("explanations")),
    seconds=90,
)
RUN = StudyRun(
    "demo", RECORD, datasets={"features": ("ab" * 32, 600)}, note="**Study demo.**", columns=("headline/auroc",)
)


def everything(uri: str) -> list[Any]:
    client = mlflow_module().MlflowClient(uri)
    return list(client.search_runs(["1"], order_by=["attributes.start_time DESC"]))


def test_stages_stand_below_the_study_and_folds_below_the_evaluation_in_their_order(uri: str) -> None:
    tracked = log_study(RUN, uri)
    runs = {run.info.run_name: run for run in everything(uri)}
    # the newest first, as MLflow sorts them
    assert list(runs) == ["demo", "data", "evaluation", "fold 1", "fold 2", "fold 3", "explanations"]
    parents = {name: run.data.tags.get("mlflow.parentRunId") for name, run in runs.items()}
    assert parents["demo"] is None
    assert parents["data"] == parents["evaluation"] == parents["explanations"] == tracked.run_id
    assert {parents[f"fold {place}"] for place in (1, 2, 3)} == {runs["evaluation"].info.run_id}
    assert runs["fold 2"].data.metrics == {"fold/auroc": 0.62}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    whole = runs["demo"]
    assert len(whole.data.params) == 150
    assert whole.info.end_time - whole.info.start_time == 90_000


def test_logging_again_doubles_nothing_and_writes_the_new_words(uri: str) -> None:
    first = log_study(RUN, uri)
    second = log_study(replace(RUN, record=replace(RECORD, note="Better words.")), uri)
    assert first.run_id == second.run_id
    assert len(everything(uri)) == 7
    client = mlflow_module().MlflowClient(uri)
    assert client.get_run(first.run_id).data.tags["mlflow.note.content"] == "Better words."
    assert len(client.get_metric_history(first.run_id, "headline/auroc")) == 1
    assert len(client.get_run(first.run_id).inputs.dataset_inputs) == 1


def test_other_numbers_are_another_run(uri: str) -> None:
    log_study(RUN, uri)
    log_study(replace(RUN, record=replace(RECORD, metrics={"headline/auroc": 0.65})), uri)
    assert len(everything(uri)) == 14


def test_a_run_that_was_cut_off_is_completed(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.exceptions import MlflowException

    real, written = run_tree._write, []

    def dies(client: Any, there: Any, record: RunRecord, tags: Any) -> None:
        written.append(record.name)
        if len(written) == 4:
            raise MlflowException("the server went away")
        real(client, there, record, tags)

    monkeypatch.setattr(run_tree, "_write", dies)
    with pytest.raises(NociomicsError, match="The results themselves are complete"):
        log_study(RUN, uri)
    assert {run.info.status for run in everything(uri)} == {"FINISHED", "RUNNING"}
    monkeypatch.setattr(run_tree, "_write", real)
    log_study(RUN, uri)
    assert len(everything(uri)) == 7
    assert {run.info.status for run in everything(uri)} == {"FINISHED"}


@pytest.mark.parametrize("was_made", [True, False])
def test_a_run_whose_making_was_not_confirmed_is_made_once(
    uri: str, monkeypatch: pytest.MonkeyPatch, was_made: bool
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    monkeypatch.setattr(run_tree, "_PAUSES", (0, 0))
    real, asked = MlflowClient.create_run, []

    def answer_is_lost(client: Any, *words: Any, **named: Any) -> Any:
        asked.append(os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"])
        if len(asked) != 2:
            return real(client, *words, **named)
        if was_made:
            real(client, *words, **named)
        raise MlflowException("connection reset")

    monkeypatch.setattr(MlflowClient, "create_run", answer_is_lost)
    log_study(RUN, uri)
    assert len(everything(uri)) == 7
    assert {run.info.status for run in everything(uri)} == {"FINISHED"}
    assert set(asked) == {"0"}, "MLflow's own client would send the request again, and make a second run"


def test_tables_that_another_study_logs_at_the_same_moment_are_logged_all_the_same(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    monkeypatch.setattr(study_run, "_PAUSES", (0, 0))
    real, asked = MlflowClient.log_inputs, []

    def another_is_faster(client: Any, *words: Any, **named: Any) -> None:
        asked.append(words)
        if len(asked) < 3:
            raise MlflowException("duplicate key value violates unique constraint")
        real(client, *words, **named)

    monkeypatch.setattr(MlflowClient, "log_inputs", another_is_faster)
    run_id = log_study(RUN, uri).run_id
    datasets = mlflow_module().MlflowClient(uri).get_run(run_id).inputs.dataset_inputs
    assert [one.dataset.name for one in datasets] == ["features"]


def test_the_experiment_says_what_it_is_and_a_readers_own_words_stay(uri: str) -> None:
    client = mlflow_module().MlflowClient(uri)
    log_study(RUN, uri)
    assert client.get_experiment("1").tags["mlflow.note.content"] == "**Study demo.**"
    assert write_note(client, "1", "**Study demo**, told better.")
    client.set_experiment_tag("1", "mlflow.note.content", "What Ana wrote.")
    assert not write_note(client, "1", "ours")
    assert client.get_experiment("1").tags["mlflow.note.content"] == "What Ana wrote."


def test_the_table_of_runs_shows_the_headline_first(uri: str) -> None:
    import json

    log_study(RUN, uri)
    view = json.loads(mlflow_module().MlflowClient(uri).get_experiment("1").tags["mlflow.sharedViewState.nociomics"])
    assert view["selectedColumns"] == ["metrics.`headline/auroc`"]
    assert view["columnOrder"][-1] == "metrics.`headline/auroc`"
    assert view["orderByKey"] == "attributes.start_time" and view["orderByAsc"] is False
