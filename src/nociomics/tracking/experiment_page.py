"""The page of an experiment: a note that says what is seen, and a table of runs that shows the figures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from nociomics.tracking.store import VIEW

_NOTE = "mlflow.note.content"
_OURS = "note.sha256"
_LONGEST = 5000
_PER_LETTER = 6.6  # pixels of a column's name
_FIXED_WIDTHS = {"0": 73, "attributes.`Run Name`": 215, "runDateAndNestInfo": 125, "duration": 70}


def write_note(client: Any, experiment_id: str, note: str) -> bool:
    """Write the experiment's description, unless somebody has written there; say whether it is ours now.

    Parameters
    ----------
    client : MlflowClient
    experiment_id : str
    note : str
        Markdown; what is longer than MLflow keeps is cut.
    """
    tags = client.get_experiment(experiment_id).tags
    stands = tags.get(_NOTE, "")
    if stands and tags.get(_OURS) != _digest(stands):
        return False
    written = note[:_LONGEST].strip()
    client.set_experiment_tag(experiment_id, _NOTE, written)
    client.set_experiment_tag(experiment_id, _OURS, _digest(written))
    return True


def write_view(client: Any, experiment_id: str, metrics: Sequence[str]) -> None:
    """Store the view of the table of runs that `runs_table_link` opens.

    MLflow's own table shows data sets, sources and models and hides every figure. A view that is shared by its link
    lies in a tag of the experiment; this is one, with columns in their order and wide enough for their names.

    Parameters
    ----------
    client : MlflowClient
    experiment_id : str
    metrics : sequence of str
        Names of the columns, left to right.
    """
    columns = [f"metrics.`{name}`" for name in metrics]
    widths = {
        column: max(90, round(_PER_LETTER * len(name)) + 24) for column, name in zip(columns, metrics, strict=True)
    }
    view = {
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "selectedColumns": columns,
        "columnOrder": [*_FIXED_WIDTHS, *columns],
        "columnWidths": {**_FIXED_WIDTHS, **widths},
    }
    client.set_experiment_tag(experiment_id, f"mlflow.sharedViewState.{VIEW}", json.dumps(view))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
