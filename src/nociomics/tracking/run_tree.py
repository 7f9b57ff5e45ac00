"""A run and the runs below it, written to MLflow in few calls, and completed instead of doubled."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
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
        run_id = known.get(f"{key}{place}") or _created(client, experiment_id, one.name, begun - later, tags)
        ids[place] = run_id
        _write(client, run_id, one, tags)
        progress.advance(1)
    _log.info("wrote %d runs of %s, %d of them known before", len(every), record.name, len(known))
    return ids[""]


def _known_runs(client: Any, experiment_id: str, key: str) -> dict[str, str]:
    found = client.search_runs([experiment_id], filter_string=f"tags.`{KEY}` LIKE '{key}%'", max_results=5000)
    return {run.data.tags[KEY]: run.info.run_id for run in found}


def _created(client: Any, experiment_id: str, name: str, started: int, tags: Mapping[str, str]) -> str:
    run_id: str = client.create_run(experiment_id, start_time=started, tags=dict(tags), run_name=name).info.run_id
    return run_id


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


def _write(client: Any, run_id: str, record: RunRecord, tags: Mapping[str, str]) -> None:
    """Write one run whole; numbers that are there already keep their time, so that they stay one point each."""
    from mlflow.entities import Metric, Param, RunTag

    there = client.get_run(run_id)
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
        finish(client, run_id, record)


def finish(client: Any, run_id: str, record: RunRecord) -> None:
    """Say that a run is whole, and how long its work took; 0 where nobody measured it."""
    started = client.get_run(run_id).info.start_time
    client.set_terminated(run_id, "FINISHED", started + round(1000 * (record.seconds or 0.0)))


def _cut(parameters: Sequence[Any]) -> list[Sequence[Any]]:
    return [parameters[start : start + _MOST_PARAMETERS] for start in range(0, len(parameters), _MOST_PARAMETERS)]
