"""How often each input of the model lay where: counts alone, of many people at once, never a person's values."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nociomics.errors import TableError
from nociomics.export.gate import Admitted
from nociomics.export.input_schema import QUANTILE_SHARES
from nociomics.tables.files import read_json, write_json

FORMAT = "nociomics-counts/1"
FEWEST_NEW_PEOPLE = 10
"""Counts of fewer people are not written: a difference of two files would be one person's values."""
_FEW = 16  # people; more are sorted, input by input


@dataclass(frozen=True)
class TrainingPoints:
    """What a bundle knows of its training people, input by input.

    Attributes
    ----------
    edges : dict of feature to list of float
        Quantiles of the numeric inputs, ascending, each once; empty where nothing was measured.
    shares : dict of feature to list of (float, float)
        Share of the training people below each edge (at most), and at or below it (at least). The two differ where
        quantiles coincide.
    categories : dict of feature to list of str
        Known categories of the others.
    category_shares : dict of feature to dict of str to float
        Share of each category among the training people who have one.
    missing : dict of feature to float
        Share of the training people without a value.
    people : int
        Number of training people.
    modality : dict of feature to str
        As in the schema.
    """

    edges: dict[str, list[float]]
    shares: dict[str, list[tuple[float, float]]]
    categories: dict[str, list[str]]
    category_shares: dict[str, dict[str, float]]
    missing: dict[str, float]
    people: int
    modality: dict[str, str]

    def with_value(self, feature: str) -> int:
        """Return how many training people have a value."""
        return round((1 - self.missing[feature]) * self.people)


def training_points(folder: Path) -> TrainingPoints:
    """Read what a bundle keeps of its training people: quantiles, shares of categories and of missing values."""
    schema, manifest = read_json(folder / "schema.json"), read_json(folder / "manifest.json")
    edges, shares = {}, {}
    for entry in schema:
        if entry["kind"] == "category":
            continue
        own: dict[float, list[float]] = {}
        for value, share in zip(entry["quantiles"], QUANTILE_SHARES, strict=False):
            own.setdefault(float(value), []).append(share)
        edges[entry["feature"]] = list(own)
        shares[entry["feature"]] = [(found[0], found[-1]) for found in own.values()]
    return TrainingPoints(
        edges,
        shares,
        {entry["feature"]: list(entry["categories"]) for entry in schema if entry["kind"] == "category"},
        {entry["feature"]: dict(entry["shares"]) for entry in schema if entry["kind"] == "category"},
        {entry["feature"]: float(entry["missing_share"]) for entry in schema},
        int(manifest["training_people"]),
        {entry["feature"]: entry["modality"] for entry in schema},
    )


@dataclass
class InputCounts:
    """Counts of what was asked; safe to add to from several threads.

    The cells of a numeric input with edges ``e1 < e2`` are: below e1, at e1, between, at e2, above e2. That tells
    at-or-below from below, which for scores and yes/no inputs is the difference between drift and none.
    """

    points: TrainingPoints
    people: int = 0
    statuses: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._written = self.people
        self._numeric = [name for name in self.points.edges if self.points.edges[name]]
        self._places = {name: place for place, name in enumerate(self._numeric)}
        self._width = max((len(self.points.edges[name]) for name in self._numeric), default=0)
        self._edges = np.full((len(self._numeric), self._width), np.inf)
        for place, name in enumerate(self._numeric):
            self._edges[place, : len(self.points.edges[name])] = self.points.edges[name]
        self._cells = np.zeros((len(self._numeric), 2 * self._width + 1), dtype=np.int64)
        self._missing = np.zeros(len(self._numeric), dtype=np.int64)
        self._words = {
            name: {"known": dict.fromkeys(words, 0), "other": 0, "missing": 0}
            for name, words in self.points.categories.items()
        }

    @classmethod
    def of_bundle(cls, folder: Path) -> InputCounts:
        """Start at nothing, with the edges of a bundle."""
        return cls(training_points(folder))

    def add(self, features: pl.DataFrame, statuses: Sequence[str]) -> None:
        """Count people.

        Parameters
        ----------
        features : DataFrame, one row per person
            As in `FEATURES`; an input that the frame lacks is missing for everybody.
        statuses : sequence of str
            Of each person: only the first word (``ok``, ``abstained``, ``rejected``) is kept.
        """
        held = set(features.columns)
        numbers = [name for name in self._numeric if name in held]
        values = features.select(pl.col(numbers).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
        labels = {name: features[name].cast(pl.String).to_list() for name in self._words if name in held}
        self._add(numbers, values.reshape(features.height, len(numbers)), labels, statuses)

    def add_admitted(self, people: Admitted) -> None:
        """Count people as the gate let them through."""
        places = {name: place for place, name in enumerate(people.names)}
        numbers = [name for name in self._numeric if name in places]
        self._add(numbers, people.values[:, [places[name] for name in numbers]], people.labels, people.status)

    def _add(
        self, names: list[str], values: np.ndarray, labels: Mapping[str, list[str | None]], statuses: Sequence[str]
    ) -> None:
        if not len(values):
            return
        cells, missing = self._counted(names, values)
        words = {name: self._word_counts(labels.get(name), len(values), name) for name in self._words}
        kinds = Counter(status.partition(":")[0] for status in statuses)
        with self._lock:
            self.people += len(values)
            self._cells += cells
            self._missing += missing
            for name, (known, other, lacking) in words.items():
                entry: Any = self._words[name]
                for word, count in known.items():
                    entry["known"][word] += count
                entry["other"] += other
                entry["missing"] += lacking
            for kind, count in kinds.items():
                self.statuses[kind] = self.statuses.get(kind, 0) + count

    def _counted(self, names: list[str], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cells, missing = np.zeros_like(self._cells), np.zeros_like(self._missing)
        missing[:] = len(values)
        if not names:
            return cells, missing
        present, edges = np.array([self._places[name] for name in names]), self._edges
        missing[present] = np.isnan(values).sum(axis=0)
        if len(values) > _FEW:
            # people in order: how many lie below an edge, and how many not above it, are places in that order
            for place, column in zip(present, np.sort(values.T, axis=1), strict=True):
                known = column[: len(values) - missing[place]]
                ends = np.empty(cells.shape[1] + 1, dtype=np.int64)
                ends[0], ends[-1] = 0, len(known)
                ends[1:-1:2] = known.searchsorted(edges[place], "left")
                ends[2:-1:2] = known.searchsorted(edges[place], "right")
                cells[place] = np.diff(ends)
            return cells, missing
        own = edges[present]
        for person in values:
            known = ~np.isnan(person)
            above = (person[:, None] > own).sum(axis=1) + (person[:, None] >= own).sum(axis=1)
            cells[present[known], above[known]] += 1
        return cells, missing

    def _word_counts(self, texts: list[str | None] | None, people: int, name: str) -> tuple[dict[str, int], int, int]:
        if texts is None:
            return {}, 0, people
        counts = Counter(texts)
        lacking = counts.pop(None, 0)
        known = {word: counts.pop(word) for word in self.points.categories[name] if word in counts}
        return known, sum(counts.values()), lacking

    def to_dict(self, digest: str) -> dict[str, Any]:
        """Everything counted, as JSON values; ``digest`` names the model."""
        with self._lock:
            numeric: dict[str, Any] = {
                name: {
                    "edges": self.points.edges[name],
                    "cells": self._cells[place, : 2 * len(self.points.edges[name]) + 1].tolist(),
                    "missing": int(self._missing[place]),
                }
                for place, name in enumerate(self._numeric)
            }
            words = {name: {**entry, "known": dict(entry["known"])} for name, entry in self._words.items()}  # type: ignore[call-overload]
            return {
                "format": FORMAT,
                "model": digest,
                "people": self.people,
                "statuses": dict(sorted(self.statuses.items())),
                "numeric": numeric,
                "categories": words,
            }

    @property
    def may_be_shown(self) -> bool:
        """Whether enough people came since counts were last shown."""
        return self.people - self._written >= FEWEST_NEW_PEOPLE

    def write(self, path: Path, digest: str) -> bool:
        """Write the counts, whole or not at all, where enough new people came; say whether it was done."""
        if not self.may_be_shown:
            return False
        stored = self.to_dict(digest)
        write_json(stored, path)
        self._written = stored["people"]
        return True

    def take_up(self, path: Path, digest: str) -> bool:
        """Go on from a file of the same model; False where there is none, or one of another model."""
        if not path.is_file():
            return False
        stored = read_counts(path)
        if stored["model"] != digest:
            return False
        with self._lock:
            self.people += stored["people"]
            self._written += stored["people"]
            for kind, count in stored["statuses"].items():
                self.statuses[kind] = self.statuses.get(kind, 0) + count
            for place, name in enumerate(self._numeric):
                entry = stored["numeric"][name]
                self._cells[place, : len(entry["cells"])] += np.asarray(entry["cells"], dtype=np.int64)
                self._missing[place] += entry["missing"]
            for name, entry in stored["categories"].items():
                mine: Any = self._words[name]
                mine["known"] = {word: mine["known"][word] + entry["known"].get(word, 0) for word in mine["known"]}
                mine["other"] += entry["other"]
                mine["missing"] += entry["missing"]
        return True


def read_counts(path: Path) -> dict[str, Any]:
    """Read a file of counts.

    Raises
    ------
    TableError
        When it is none, or of another version.
    """
    stored = read_json(path)
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        raise TableError(f"{path}: holds no counts of the service ({FORMAT}). Give the file of serve --counts.")
    return stored
