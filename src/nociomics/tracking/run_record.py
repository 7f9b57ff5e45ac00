"""What one run has to tell, in plain values, and the runs below it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

PEOPLE_COLUMNS = frozenset({"patient_id", "patient_a", "patient_b", "sample_id", "person"})
"""Columns that name people: a table with one of them is never stored."""


@dataclass(frozen=True)
class RunRecord:
    """One run of MLflow.

    Parameters
    ----------
    name : str
        Shown in the table of runs; unlike those of its siblings.
    note : str
        Description in Markdown, shown at the top of the run's page.
    parameters : mapping
        Settings; one MLflow parameter each, those that are null are left out.
    metrics : mapping of str to float or None
        Name -> number; what is null is named in the tag ``metrics.null``.
    tags : mapping of str to str
        Empty ones are left out.
    figures : mapping of str to str
        Name -> picture as SVG text, stored as ``figures/<name>.svg``.
    tables : mapping of str to DataFrame
        Name -> table that shows nobody, stored as ``tables/<name>.csv``, which the browser shows.
    documents : mapping of str to mapping
        Name -> what is stored as ``<name>.json``.
    pages : mapping of str to Path
        Place among the artifacts -> file that is copied there.
    children : tuple of RunRecord
        Runs that MLflow shows below this one.
    seconds : float, optional
        How long the work took, which MLflow shows as the run's duration; left out, it shows 0.

    Raises
    ------
    ValueError
        When a table has a column that names people.
    """

    name: str
    note: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pages: Mapping[str, Path] = field(default_factory=dict)
    children: tuple[RunRecord, ...] = ()
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Refuse rows of people before anything is written."""
        for name, table in self.tables.items():
            found = PEOPLE_COLUMNS & set(table.columns)
            if found:
                raise ValueError(f'table "{name}" of run "{self.name}" has a column that names people: {sorted(found)}')


def known_numbers(values: Mapping[str, float | None]) -> dict[str, float]:
    """Return what MLflow can take, by name: numbers that are neither null nor infinite.

    >>> known_numbers({"k": 2, "gain": None, "share": float("nan")})
    {'k': 2.0}
    """
    return {name: float(value) for name, value in sorted(values.items()) if value is not None and math.isfinite(value)}


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return one text per leaf, by dotted name, so that two runs can be compared setting by setting.

    Nulls are left out; a list is one value.

    >>> flattened({"seed": 1, "response": {"trees": 200, "level": None, "shares": [0.5, 1.0]}})
    {'response.shares': '0.5, 1.0', 'response.trees': '200', 'seed': '1'}
    """
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flattened(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            found[f"{prefix}{name}"] = ", ".join(str(one) for one in value) or "none"
        elif value is not None:
            found[f"{prefix}{name}"] = str(value)
    return dict(sorted(found.items()))


def tree_digest(record: RunRecord) -> str:
    """SHA-256 of what a run and those below it say: settings, numbers and tags, not the words about them.

    A run that is logged again has the same digest, by which it is found and completed instead of doubled.
    """
    text = json.dumps(_told(record), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _told(record: RunRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "parameters": flattened(record.parameters),
        "metrics": known_numbers(record.metrics),
        "tags": {name: text for name, text in record.tags.items() if not name.startswith("mlflow.")},
        "children": [_told(child) for child in record.children],
    }


def places(record: RunRecord, place: str = "") -> Iterator[tuple[str, str | None, RunRecord]]:
    """Yield every run of the tree with its place in it and that of the run above; parents come first."""
    yield place, place.rpartition("/")[0] if place else None, record
    for child in record.children:
        yield from places(child, f"{place}/{child.name}")


def write_artifacts(record: RunRecord, folder: Path) -> bool:
    """Write figures, tables, documents and pages as the files that MLflow stores; say whether there are any."""
    written = {
        **{f"figures/{name}.svg": picture.encode() for name, picture in record.figures.items()},
        **{f"tables/{name}.csv": table.write_csv().encode() for name, table in record.tables.items()},
        **{f"{name}.json": json.dumps(document, indent=2).encode() for name, document in record.documents.items()},
        **{place: page.read_bytes() for place, page in record.pages.items()},
    }
    for place, content in written.items():
        file = folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return bool(written)
