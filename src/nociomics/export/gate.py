"""The gate before every exported model: what may not come in is named person by person, and never changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from nociomics.errors import TableError
from nociomics.export.input_tables import InputTable, table_of
from nociomics.export.input_values import texts_of
from nociomics.export.unit_doubts import Usual, doubted_columns, doubted_values

if TYPE_CHECKING:
    from nociomics.export.input_values import Rows

OK = "ok"
NOTHING_MEASURED = "abstained: nothing that the model uses was measured"
_ID = "patient_id"
_NAMED = 3  # reasons that a status names, and names that a note or an error lists


@dataclass(frozen=True)
class Limits:
    """How much one request may ask for.

    Attributes
    ----------
    people : int or None
        Most rows; None for no limit.
    seconds : float or None
        Longest time for one answer; None for no limit. It is looked at between parts of the people.
    threads : int
        Parts of the people that are predicted at the same time.
    """

    people: int | None = 10_000
    seconds: float | None = 120.0
    threads: int = 1


NO_LIMITS = Limits(None, None)


class Deadline:
    """When an answer has to be there."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._start = limits, monotonic()

    def check(self) -> None:
        """Raise when the time is over."""
        longest = self._limits.seconds
        if longest is not None and monotonic() - self._start > longest:
            raise TableError(
                f"people to predict: the answer took longer than the limit of {longest:g} seconds. "
                "Ask for fewer people at a time, or raise the limit."
            )


@dataclass(frozen=True)
class Admitted:
    """What the gate let through; everything is missing of a person who is not answered.

    Attributes
    ----------
    patients : Series of String
        ``patient_id``, one per person.
    values : ndarray of shape (n_people, n_numbers)
        Numbers in the order of ``Gate.numbers``; NaN where not measured.
    labels : dict of str to list
        Categories that were given; None where not known.
    status : list of str
        ``ok``, ``rejected: <reasons>`` or ``abstained: <reason>``; no value is ever shown.
    notes : tuple of str
        What concerns the whole table: columns that were left out, inputs that are absent.
    names : tuple of str
        Features of the numbers.
    brought : frozenset of str
        Inputs of which somebody has something, let through or not.
    placed : dict of int to DataFrame
        Where a model (by its identity) placed these people, one row each: asked for more than once.
    """

    patients: pl.Series
    values: np.ndarray
    labels: dict[str, list[str | None]]
    status: list[str]
    notes: tuple[str, ...]
    names: tuple[str, ...]
    brought: frozenset[str]
    placed: dict[int, pl.DataFrame] = field(default_factory=dict)

    @cached_property
    def features(self) -> pl.DataFrame:
        """The same as a table, one row per person: ``patient_id``, every number as Float64, the labels given."""
        numbers = pl.DataFrame(
            self.values, schema=dict.fromkeys(self.names, pl.Float64), orient="row", nan_to_null=True
        )
        texts = [pl.Series(name, texts, dtype=pl.String) for name, texts in self.labels.items()]
        return pl.DataFrame([self.patients, *numbers.get_columns(), *texts])

    @cached_property
    def padded(self) -> np.ndarray:
        """Values with one more column of nothing, for features that the gate does not know."""
        return np.hstack([self.values, np.full((len(self.values), 1), np.nan)])

    def number(self, name: str | None) -> np.ndarray:
        """Return one feature of everybody, float64 of shape (n_people,); NaN where the gate does not know it."""
        if name is None or name not in self.names:
            return np.full(len(self.status), np.nan)
        return self.values[:, self.names.index(name)]

    @property
    def answered(self) -> np.ndarray:
        """Whether each person is answered: bool of shape (n_people,)."""
        return np.array([one == OK for one in self.status], dtype=bool)

    def take_places(self, parts: Sequence[Admitted]) -> None:
        """Take over where a model placed these people, part by part."""
        for model in set.intersection(*(set(part.placed) for part in parts)):
            self.placed.setdefault(model, pl.concat([part.placed[model] for part in parts]))

    def part(self, rows: slice) -> Admitted:
        """Take some of the people."""
        if rows.start == 0 and rows.stop >= len(self.status):
            return self
        labels = {name: texts[rows] for name, texts in self.labels.items()}
        placed = {model: frame[rows] for model, frame in self.placed.items()}
        return replace(
            self,
            patients=self.patients[rows],
            values=self.values[rows],
            labels=labels,
            status=self.status[rows],
            placed=placed,
        )


class Gate:
    """The schema of a bundle, ready to be asked about people.

    Parameters
    ----------
    schema : list of dict
        As `input_schema` gives it; entries of older bundles may lack what is learned of training people.
    """

    def __init__(self, schema: Sequence[dict[str, Any]]) -> None:
        self.schema = schema
        self.numbers = [entry for entry in schema if entry["kind"] != "category"]
        self.labels = [entry for entry in schema if entry["kind"] == "category"]
        self.names = tuple(entry["feature"] for entry in self.numbers)
        self._truth = [entry["kind"] == "binary" for entry in self.numbers]
        self._needed = [place for place, entry in enumerate(self.numbers) if not entry.get("missing_ok", True)]
        self.inputs = tuple(entry["feature"] for entry in schema)
        lows = [_end(entry, "low", -np.inf) for entry in self.numbers]
        highs = [_end(entry, "high", np.inf) for entry in self.numbers]
        largest = float(np.finfo(np.float32).max)  # trees work in single precision
        self._low = np.maximum(np.array(lows, dtype=float), -largest)
        self._high = np.minimum(np.array(highs, dtype=float), largest)
        self._usual = Usual(self.numbers)

    def admit(self, rows: Rows, limits: Limits = NO_LIMITS) -> Admitted:
        """Look at every person's values.

        Parameters
        ----------
        rows : DataFrame of polars or pandas, mapping of columns, or sequence of rows
            One row per person: ``patient_id`` and features as the schema names them. An input that is absent counts as
            not measured; a column that the schema does not know is left out and told.
        limits : Limits
            Most people.

        Raises
        ------
        TableError
            When the table as a whole cannot be taken: columns without names or of one name, no or repeated or missing
            patient_id, too many people.
        """
        table = table_of(rows)
        patients = self._patients(table, limits)
        reasons: list[list[str]] = [[] for _ in range(table.height)]
        measured = np.zeros(table.height, dtype=bool)
        values, brought = self._read_numbers(table, reasons, measured)
        labels, notes = self._read_labels(table, reasons, measured)
        brought |= {name for name, texts in labels.items() if any(text is not None for text in texts)}
        self._look(table, values, reasons)
        status = [_status(found, any_of or not self.schema) for found, any_of in zip(reasons, measured, strict=True)]
        fine = np.array([one == OK for one in status], dtype=bool)
        kept = {name: [text if ok else None for text, ok in zip(t, fine, strict=True)] for name, t in labels.items()}
        answered = values if fine.all() else np.where(fine[:, None], values, np.nan)
        told = (*self._notes(table), *notes)
        return Admitted(patients, answered, kept, status, told, self.names, frozenset(brought))

    def _patients(self, table: InputTable, limits: Limits) -> pl.Series:
        if limits.people is not None and table.height > limits.people:
            raise TableError(
                f"people to predict: {table.height} rows; at most {limits.people} are answered at a time. "
                "Ask for them in several parts, or raise the limit."
            )
        if _ID not in table.columns:
            if table.height == 0:
                return pl.Series(_ID, [], dtype=pl.String)
            raise TableError(f"people to predict: there is no column {_ID}. Give each row its own, of any kind.")
        patients, _ = texts_of(table.series(_ID))
        times = Counter(patients.to_list())
        lacking = times.pop(None, 0)
        repeated = sum(count > 1 for count in times.values())
        problems = [f"{lacking} rows have no patient_id"] if lacking else []
        problems += [f"{repeated} patient_id occur in more than one row"] if repeated else []
        if problems:
            raise TableError(f"people to predict: {'; '.join(problems)}. Keep one row for each person.")
        return patients.alias(_ID)

    def _read_numbers(
        self, table: InputTable, reasons: list[list[str]], measured: np.ndarray
    ) -> tuple[np.ndarray, set[str]]:
        """Values as (n_people, n_numbers), NaN where not measured, and who was brought; no number becomes a reason."""
        values, wrong = table.numbers(self.names, self._truth)
        for row, place in wrong:
            measured[row] = True
            reasons[row].append(f"{self.names[place]} is not a number")
        known = ~np.isnan(values)
        measured |= known.any(axis=1)
        brought = {self.names[place] for place in np.flatnonzero(known.any(axis=0)).tolist()}
        return values, brought | {self.names[place] for _, place in wrong}

    def _read_labels(
        self, table: InputTable, reasons: list[list[str]], measured: np.ndarray
    ) -> tuple[dict[str, list[str | None]], list[str]]:
        columns: dict[str, list[str | None]] = {}
        held = set(table.columns)
        notes = []
        for entry in self.labels:
            name = entry["feature"]
            if name not in held:
                if not entry.get("missing_ok", True):
                    for found in reasons:
                        found.append(f"{name} is missing")
                continue
            texts, wrong = texts_of(table.series(name))
            columns[name] = texts.to_list()
            given = np.array([text is not None for text in columns[name]], dtype=bool)
            measured |= given | wrong
            known = set(entry.get("categories") or ())
            new = np.array([text is not None and text not in known for text in columns[name]], dtype=bool)
            if entry.get("open", "categories" not in entry):
                if new.any():
                    notes.append(f"{int(new.sum())} people have a {name} that the model does not know")
                new = np.zeros(table.height, dtype=bool)
            for row in np.flatnonzero(wrong | new):
                reasons[row].append(f"{name} is none of the model's {len(known)} categories (schema)")
            if not entry.get("missing_ok", True):
                for row in np.flatnonzero(~given & ~wrong):
                    reasons[row].append(f"{name} is missing")
        return columns, notes

    def _look(self, table: InputTable, values: np.ndarray, reasons: list[list[str]]) -> None:
        """Add what is outside a range, missing where it must not be, or likely to be in another unit."""
        known = ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            outside = (values < self._low) | (values > self._high)
        for row, place in np.argwhere(outside).tolist():
            entry = self.numbers[place]
            reasons[row].append(f"{entry['feature']} is not within {_range(entry)} {entry['unit']}".rstrip())
        for place in self._needed:
            name = self.names[place]
            for row in np.flatnonzero(~known[:, place]).tolist():
                if not any(one.startswith(f"{name} ") for one in reasons[row]):
                    reasons[row].append(f"{name} is missing")
        sound = np.where(outside, np.nan, values) if outside.any() else values
        for row, said in [
            *doubted_values(self._usual, sound),
            *doubted_columns(self._usual, sound, _groups(table, self.labels)),
        ]:
            if not any(one.startswith(said.split(":")[0]) for one in reasons[row]):
                reasons[row].append(said)

    def _notes(self, table: InputTable) -> list[str]:
        held = set(table.columns)
        further = sorted(held - {_ID, *self.inputs})
        absent = [name for name in self.inputs if name not in held]
        notes = []
        if further:
            notes.append(f"{len(further)} columns are not used by this model and were left out: {_listed(further)}")
        if absent:
            notes.append(f"{len(absent)} inputs are absent and count as not measured: {_listed(absent)}")
        return notes


def _groups(table: InputTable, labels: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Sites, plates and other places of the people, by which a unit may differ."""
    names = [entry["feature"] for entry in labels if entry.get("open")]
    found, held = {}, set(table.columns)
    for name in dict.fromkeys([*names, "site", "plate"]):
        if name in held:
            found[name] = texts_of(table.series(name))[0].to_list()
    return found


def _status(reasons: list[str], measured: bool) -> str:
    if reasons:
        more = len(reasons) - _NAMED
        return "rejected: " + "; ".join(reasons[:_NAMED]) + (f"; and {more} more" if more > 0 else "")
    return OK if measured else NOTHING_MEASURED


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _end(entry: dict[str, Any], side: str, otherwise: float) -> float:
    for name in (side, f"scale_{side}"):
        if entry.get(name) is not None:
            return float(entry[name])
    return otherwise


def _range(entry: dict[str, Any]) -> str:
    low, high = _end(entry, "low", -np.inf), _end(entry, "high", np.inf)
    if np.isinf(low) and np.isinf(high):
        return "finite numbers, in"
    return f"{low:g} to {high:g}"
