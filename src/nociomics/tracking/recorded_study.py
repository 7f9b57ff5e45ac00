"""What the tracking store holds of one run that it takes to run the study again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nociomics.errors import NociomicsError
from nociomics.tracking.store import as_our_error, initialise_store, mlflow_module, tracking_to

_SHORTEST_ID = 4
_NEEDED = ("study", "inputs", "environment", "results", "data")


@dataclass(frozen=True)
class RecordedStudy:
    """A logged run, as its JSON artifacts tell it.

    Parameters
    ----------
    run_id, name : str
    study : mapping
        The study with every default, but for the ids of people who get a page.
    folder : str
        Folder that the study's paths were relative to; empty when not known.
    inputs : mapping of str to (str or None)
        Path as the study writes it -> SHA-256.
    environment : mapping
        ``version, commit, code, knowledge, python, packages``.
    ingested : mapping of str to str
        Table as it was read -> SHA-256 of its file.
    results : mapping of str to str
        Path below the study's results -> SHA-256.
    metrics : mapping of str to mapping
        Name -> ``value`` and more; empty in a study without a target.
    """

    run_id: str
    name: str
    study: Mapping[str, Any]
    folder: str
    inputs: Mapping[str, str | None]
    environment: Mapping[str, Any]
    ingested: Mapping[str, str]
    results: Mapping[str, str]
    metrics: Mapping[str, Mapping[str, Any]]


def read_recorded(uri: str, asked: str) -> RecordedStudy:
    """Read a study's run by its id, or by a beginning that no other run has.

    Parameters
    ----------
    uri : str
        As `tracking_uri` gives it.
    asked : str
        At least four characters. A study without a target has its strata's run.

    Raises
    ------
    NociomicsError
        When it fits no run or several, when the run was logged without what it takes, or the store refuses.
    """
    initialise_store(uri)
    mlflow = mlflow_module()
    with as_our_error(uri), tracking_to(mlflow, uri):
        client = mlflow.MlflowClient()
        run = _found(client, asked)
        told = _documents(client, run.info.run_id)
    absent = [name for name in _NEEDED if name not in told]
    if absent:
        raise NociomicsError(
            f"run {run.info.run_id} was logged without {', '.join(f'{name}.json' for name in absent)}, as older "
            "versions did, so that it cannot be run again from the store. Its settings stand among its parameters; run "
            "its study file again by hand, and compare with `nociomics track compare`."
        )
    return RecordedStudy(
        run_id=run.info.run_id,
        name=run.info.run_name,
        study=told["study"],
        folder=told["inputs"].get("data", ""),
        inputs=told["inputs"].get("files", {}),
        environment=told["environment"],
        ingested=told["data"],
        results=told["results"],
        metrics=told.get("metrics", {}),
    )


def _found(client: Any, asked: str) -> Any:
    experiments = [one.experiment_id for one in client.search_experiments()]
    known = [run for stage in ("study", "strata") for run in _runs(client, experiments, stage)]
    own = [run for run in known if "mlflow.parentRunId" not in run.data.tags]
    fitting = [run for run in own if run.info.run_id.startswith(asked)]
    if len(fitting) == 1 and len(asked) >= _SHORTEST_ID:
        return fitting[0]
    newest = sorted(own, key=lambda run: -run.info.start_time)[:5]
    shown = "".join(f"\n  {run.info.run_id}  {run.info.run_name}" for run in newest)
    why = "fits no run of a study" if not fitting else f"fits {len(fitting)} runs"
    raise NociomicsError(
        f'"{asked}" {why} in the tracking store. Give the run\'s id, or at least {_SHORTEST_ID} of its first '
        f"characters; the newest runs are:{shown or ' none'}"
    )


def _runs(client: Any, experiments: list[str], stage: str) -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = client.search_runs(experiments, f"tags.stage = '{stage}'", max_results=1000, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _documents(client: Any, run_id: str) -> dict[str, Any]:
    there = {entry.path for entry in client.list_artifacts(run_id)}
    wanted = [name for name in (*_NEEDED, "metrics") if f"{name}.json" in there]
    with tempfile.TemporaryDirectory() as folder:
        return {
            name: json.loads(
                Path(client.download_artifacts(run_id, f"{name}.json", folder)).read_text(encoding="utf-8")
            )
            for name in wanted
        }
