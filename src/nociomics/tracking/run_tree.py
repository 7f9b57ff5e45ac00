"""A run and the runs below it, written to MLflow in few calls, and completed instead of doubled."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nociomics.tables.progress import Progress
from nociomics.tracking.run_record import RunRecord, flattened, known_numbers, places, tree_digest, write_artifacts

_log = logging.getLogger(__name__)

KEY = "run.key"
"""Tag by which a run that is logged again is found: digest of the whole tree, then the place in it."""

_LONGEST_TAG = 5000  # MLflow keeps 8000 characters of a tag and drops the rest without a word
_LONGEST_PARAMETER = 500
_MOST_PARAMETERS = 100  # of one call
_PAUSES = (1, 4, 16)  # seconds until a run is made anew, after the server did not say that it made it
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"


def log_tree(client: Any, experiment_id: str, record: RunRecord, parent: str | None = None) -> str:
    """Write a run and all below it, and return its id.

    What was logged before under the same key, whole or in part, is written again in place: nothing is doubled. Runs
    below another appear in the order given.

    Parameters
    ----------
    client : MlflowClient
    experiment_id : str
    record : RunRecord
        The topmost run.
    parent : str, optional
        Id of the run above it.
    """
    key = tree_digest(record) if parent is None else f"{tree_digest(record)}/{parent}"
    known = _known_runs(client, experiment_id, key)
    # the work lies behind us: its runs began so long ago that they end now, not in the future
    begun = round(1000 * (time.time() - (record.seconds or 0.0)))
    ids: dict[str | None, str] = {}
    every = list(places(record))
    progress = Progress(f"runs of {record.name}", "runs", len(every))
    for later, (place, above, one) in enumerate(every):
        over = ids[above] if above is not None else parent
        tags = _tags(one, f"{key}{place}", over)
        # MLflow sorts by the start, the newest first: so the first child has to be the newest.
        there = known.get(f"{key}{place}") or _created(client, experiment_id, one.name, begun - later, tags)
        ids[place] = there.info.run_id
        _write(client, there, one, tags)
        progress.advance(1)
    _log.info("wrote %d runs of %s, %d of them known before", len(every), record.name, len(known))
    return ids[""]


def _known_runs(client: Any, experiment_id: str, key: str) -> dict[str, Any]:
    found = client.search_runs([experiment_id], filter_string=f"tags.`{KEY}` LIKE '{key}%'", max_results=5000)
    return {run.data.tags[KEY]: run for run in found}


def _created(client: Any, experiment_id: str, name: str, started: int, tags: Mapping[str, str]) -> Any:
    """Make a run, and only one: when the answer is lost, the run may be there all the same."""
    from mlflow.exceptions import MlflowException

    for pause in _PAUSES:
        try:
            with _sent_once():
                return client.create_run(experiment_id, start_time=started, tags=dict(tags), run_name=name)
        except MlflowException as error:
            if error.get_http_status_code() < 500:  # type: ignore[no-untyped-call]
                raise  # a clear no
            _log.warning("the run %s was not confirmed (%s); looked for again", name, type(error).__name__)
            time.sleep(pause)
            there = _known_runs(client, experiment_id, tags[KEY]).get(tags[KEY])
            if there is not None:
                return there
    with _sent_once():
        return client.create_run(experiment_id, start_time=started, tags=dict(tags), run_name=name)


@contextlib.contextmanager
def _sent_once() -> Iterator[None]:
    """Keep MLflow's client from sending a request again by itself: it would make a second run."""
    before = os.environ.get(_RETRIES)
    os.environ[_RETRIES] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_RETRIES]
        else:
            os.environ[_RETRIES] = before


def _tags(record: RunRecord, key: str, parent: str | None) -> dict[str, str]:
    absent = sorted(set(record.metrics) - set(known_numbers(record.metrics)))
    ours = {
        **record.tags,
        KEY: key,
        "metrics.null": ", ".join(absent),
        "mlflow.note.content": record.note,
        "mlflow.parentRunId": parent or "",
    }
    return {name: text[:_LONGEST_TAG] for name, text in sorted(ours.items()) if text}


def _write(client: Any, there: Any, record: RunRecord, tags: Mapping[str, str]) -> None:
    """Write one run whole; numbers that are there already keep their time, so that they stay one point each.

    What the store has of the run is not asked for once more, since each question is a request to a server.
    """
    from mlflow.entities import Metric, Param, RunTag

    run_id = there.info.run_id
    numbers = known_numbers(record.metrics)
    metrics = [
        Metric(name, value, there.info.start_time, 0)
        for name, value in numbers.items()
        if name not in there.data.metrics
    ]
    settings = flattened(record.parameters)
    missing = [Param(name, text[:_LONGEST_PARAMETER]) for name, text in settings.items()]
    missing = [one for one in missing if one.key not in there.data.params]
    first, *rest = _cut(missing) or [[]]
    client.log_batch(run_id, metrics, first, [RunTag(name, text) for name, text in tags.items()])
    for more in rest:
        client.log_batch(run_id, params=more)
    with tempfile.TemporaryDirectory() as folder:
        if write_artifacts(record, Path(folder)):
            client.log_artifacts(run_id, folder)
    if there.info.status != "FINISHED":
        finish(client, run_id, record, there.info.start_time)


def finish(client: Any, run_id: str, record: RunRecord, started: int) -> None:
    """Say that a run is whole, and how long its work took; 0 where nobody measured it.

    Parameters
    ----------
    client : MlflowClient
    run_id : str
    record : RunRecord
    started : int
        When the run began, in milliseconds.
    """
    client.set_terminated(run_id, "FINISHED", started + round(1000 * (record.seconds or 0.0)))


def _cut(parameters: Sequence[Any]) -> list[Sequence[Any]]:
    return [parameters[start : start + _MOST_PARAMETERS] for start in range(0, len(parameters), _MOST_PARAMETERS)]
