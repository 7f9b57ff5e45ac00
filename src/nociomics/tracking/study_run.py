"""A finished study in MLflow: its run with the stages and folds below it, its data and its model."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nociomics.tracking.experiment_page import write_note, write_view
from nociomics.tracking.run_record import PEOPLE_COLUMNS, RunRecord, known_numbers, tree_digest
from nociomics.tracking.run_tree import finish, log_tree
from nociomics.tracking.store import as_our_error, experiment, initialise_store, mlflow_module, tracking_to

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)

_SHOWN_DIGEST = 12  # MLflow takes 36 at most; the whole digest is a tag beside it
_LONGEST_CARD = 5000
_CHAMPION = "champion"
_PAUSES = (0.2, 0.6, 1.8)  # seconds
_MODEL_KEY = "run.key"


@dataclass(frozen=True)
class ModelRecord:
    """The exported model as the registry is told of it.

    Parameters
    ----------
    bundle : Path
        Its folder.
    passed : bool
        Whether it passed the gate: only then it becomes the champion.
    card : str
        Model card in Markdown: the description of the registered version.
    requirements : tuple of str
        What the model needs when it is loaded, such as ``polars==2.1.0``.
    input_example, output_example : pandas DataFrame, optional
        A few rows of the model's input and output. They are stored in the open, so they must be made up
        (medians, say), never a person's. Both or neither.
    """

    bundle: Path
    passed: bool
    card: str = ""
    requirements: tuple[str, ...] = ()
    input_example: pd.DataFrame | None = None
    output_example: pd.DataFrame | None = None


@dataclass(frozen=True)
class StudyRun:
    """What is logged of a study, or of one of its stages.

    Parameters
    ----------
    study : str
        Name of the experiment and of the registered model.
    record : RunRecord
        The run, with those of its stages and folds below it.
    datasets : mapping of str to (str, int)
        Table -> SHA-256 of its file and number of rows; its rows stay where they are.
    model : ModelRecord, optional
        Absent in a study without a target: then none is logged.
    note : str
        Description of the experiment; an empty one leaves the page as it is.
    columns : tuple of str
        Metrics that the table of runs shows, in this order.
    parent : str, optional
        Id of the run under which MLflow shows this one.
    artifacts : Path, optional
        Folder of the artifacts of a new experiment. Default: beside a SQLite store, else as the server says.
    """

    study: str
    record: RunRecord
    datasets: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    model: ModelRecord | None = None
    note: str = ""
    columns: tuple[str, ...] = ()
    parent: str | None = None
    artifacts: Path | None = None


@dataclass(frozen=True)
class TrackedRun:
    """Where a run is to be found in the store; the model's fields are null when none was logged."""

    run_id: str
    experiment_id: str
    model_version: str | None = None
    model_uri: str | None = None
    alias: str | None = None


def log_study(run: StudyRun, uri: str) -> TrackedRun:
    """Log a run with those below it, its data and its model, in the experiment named after the study.

    A run that says the same as one that is there already is written in its place: neither it nor its model is
    doubled, and one that was cut off half-way is completed. The model becomes a new version of the registered model
    of the study's name. It gets the alias ``champion`` only when it passed the gate; a version that failed leaves an
    earlier champion where it is.

    Parameters
    ----------
    run : StudyRun
        The finished study.
    uri : str
        As `tracking_uri` gives it; `initialise_store` is called first.

    Raises
    ------
    NociomicsError
        As `initialise_store`, and when the store refuses the run.
    """
    initialise_store(uri)
    mlflow = mlflow_module()
    with as_our_error(uri), tracking_to(mlflow, uri):
        client = mlflow.MlflowClient()
        experiment_id = experiment(mlflow, run.study, run.artifacts, uri)
        if run.note:
            write_note(client, experiment_id, run.note)
        if run.columns:
            write_view(client, experiment_id, run.columns)
        run_id = log_tree(client, experiment_id, run.record, run.parent)
        _log_datasets(client, run_id, run)
        tracked = TrackedRun(run_id, experiment_id)
        if run.model is not None:
            tracked = _registered(mlflow, client, run, run.model, tracked)
    _log.info("logged run %s of %s: %d numbers", run_id, run.study, len(known_numbers(run.record.metrics)))
    return tracked


def _log_datasets(client: Any, run_id: str, run: StudyRun) -> None:
    """Name each table by its digest, once."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.entities import DatasetInput, InputTag

    there = {(one.dataset.name, one.dataset.digest) for one in client.get_run(run_id).inputs.dataset_inputs}
    inputs = []
    for table, (digest, rows) in sorted(run.datasets.items()):
        source = CodeDatasetSource(tags={"study": run.study, "table": table})
        dataset = MetaDataset(source, name=table, digest=digest[:_SHOWN_DIGEST])  # type: ignore[abstract]
        if (dataset.name, dataset.digest) not in there:
            told = {"mlflow.data.context": "study", "sha256": digest, "rows": str(rows)}
            tags = [InputTag(name, text) for name, text in told.items()]
            inputs.append(DatasetInput(dataset._to_mlflow_entity(), tags))  # no public way to log several at once
    if inputs:
        _log_inputs(client, run_id, inputs)


def _log_inputs(client: Any, run_id: str, inputs: Sequence[Any]) -> None:
    """Log all or none; once more when another study of the same tables was faster, which MLflow refuses as a double."""
    from mlflow.exceptions import MlflowException

    for pause in _PAUSES:
        try:
            client.log_inputs(run_id, inputs)
            return
        except MlflowException as error:
            _log.info("the tables of run %s were not taken (%s); again in %s s", run_id, type(error).__name__, pause)
            time.sleep(pause)
    client.log_inputs(run_id, inputs)


def _registered(mlflow: ModuleType, client: Any, run: StudyRun, model: ModelRecord, tracked: TrackedRun) -> TrackedRun:
    """Log and register the model, unless this very run has done so before."""
    key = tree_digest(run.record)
    known = [one for one in _versions(client, run.study) if one.tags.get(_MODEL_KEY) == key]
    version = str(known[-1].version) if known else _new_version(mlflow, client, run, model, tracked.run_id, key)
    if model.passed and not known:
        client.set_registered_model_alias(run.study, _CHAMPION, version)
    aliases = client.get_model_version(run.study, version).aliases
    alias = _CHAMPION if _CHAMPION in aliases else None
    return replace(tracked, model_version=version, model_uri=f"models:/{run.study}/{version}", alias=alias)


def _versions(client: Any, name: str) -> list[Any]:
    """Return the registered versions of a model, the oldest first; none when it is not registered."""
    found = client.search_model_versions(f"name = '{name}'")
    return sorted(found, key=lambda one: int(one.version))


def _new_version(mlflow: ModuleType, client: Any, run: StudyRun, model: ModelRecord, run_id: str, key: str) -> str:
    from mlflow.entities import Metric

    logged = _log_model(mlflow, model, run_id)
    stamp = client.get_run(run_id).info.start_time
    numbers = known_numbers(run.record.metrics).items()
    client.log_batch(run_id, [Metric(name, value, stamp, 0, model_id=logged.model_id) for name, value in numbers])
    finish(client, run_id, run.record, stamp)  # MLflow has written its own end over ours
    tags = {_MODEL_KEY: key, "code.commit": run.record.tags.get("code.commit", "")}
    tags["gate.performance_passed"] = str(model.passed).lower()
    version = str(mlflow.register_model(logged.model_uri, run.study, tags=tags).version)
    if model.card:
        client.update_model_version(run.study, version, _shortened(model.card))
    return version


def _shortened(card: str) -> str:
    """Cut a model card at a line's end to what the registry holds, and say where the rest is."""
    if len(card) <= _LONGEST_CARD:
        return card
    rest = "\n\nThe whole card is `MODEL_CARD.md` of the run *exported model*."
    return card[: _LONGEST_CARD - len(rest)].rpartition("\n")[0] + rest


def _log_model(mlflow: ModuleType, model: ModelRecord, run_id: str) -> Any:
    """Log the bundle as files with the script that reads them: MLflow stores no pickle and guesses nothing."""
    example = _in_plain_types(model.input_example)
    output = _in_plain_types(model.output_example)
    signature = None if example is None or output is None else _signature(example, output)
    with tempfile.TemporaryDirectory() as folder, mlflow.start_run(run_id=run_id):
        # It is kept as a text file, since as a module it would bring MLflow into every import of the room.
        script = Path(folder) / "pyfunc_model.py"
        script.write_text((files("nociomics.export") / "pyfunc_model.py.txt").read_text(encoding="utf-8"))
        return mlflow.pyfunc.log_model(
            name="model",
            python_model=str(script),
            artifacts={"bundle": str(model.bundle.resolve())},
            pip_requirements=list(model.requirements),
            signature=signature,
            input_example=example,
        )


def _signature(example: pd.DataFrame, output: pd.DataFrame) -> Any:
    """Say what goes in and comes out: all numbers as doubles; only who it is must be there, the gate says the rest."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema

    def columns(frame: pd.DataFrame) -> Schema:
        kinds = {name: "double" if kind.kind in "fiub" else "string" for name, kind in frame.dtypes.items()}
        return Schema([ColSpec(kind, name, required=name in PEOPLE_COLUMNS) for name, kind in kinds.items()])

    return ModelSignature(inputs=columns(example), outputs=columns(output))


def _in_plain_types(frame: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the frame as MLflow's schema wants it: all numbers as floats (a null must fit), text as objects."""
    if frame is None:
        return None
    whole = {name: "float64" for name in frame.select_dtypes(["number", "bool"]).columns}
    text = {name: "object" for name in frame.select_dtypes("string").columns}
    plain = frame.astype({**whole, **text})
    plain.columns = plain.columns.astype("object")
    return plain
