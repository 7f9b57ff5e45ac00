"""The gate before every exported model: what may not come in is named person by person, and never changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from nociomics.errors import TableError
from nociomics.export.input_values import as_frame, numbers_of, texts_of
from nociomics.export.unit_doubts import Usual, doubted_columns, doubted_values

if TYPE_CHECKING:
    from nociomics.export.input_values import Rows

OK = "ok"
NOTHING_MEASURED = "abstained: nothing that the model uses was measured"
_ID = "patient_id"
_FEW = 32  # so few rows are read faster one by one than by a thousand columns
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
    """

    people: int | None = 10_000
    seconds: float | None = 120.0


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
    """

    patients: pl.Series
    values: np.ndarray
    labels: dict[str, list[str | None]]
    status: list[str]
    notes: tuple[str, ...]
    names: tuple[str, ...]

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

    @property
    def answered(self) -> np.ndarray:
        """Whether each person is answered: bool of shape (n_people,)."""
        return np.array([one == OK for one in self.status], dtype=bool)

    def part(self, rows: slice) -> Admitted:
        """Take some of the people."""
        labels = {name: texts[rows] for name, texts in self.labels.items()}
        return replace(
            self, patients=self.patients[rows], values=self.values[rows], labels=labels, status=self.status[rows]
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
        frame = as_frame(rows)
        patients = self._patients(frame, limits)
        reasons: list[list[str]] = [[] for _ in range(frame.height)]
        measured = np.zeros(frame.height, dtype=bool)
        values = self._read_numbers(frame, reasons, measured)
        labels, notes = self._read_labels(frame, reasons, measured)
        self._look(frame, values, reasons)
        status = [_status(found, any_of or not self.schema) for found, any_of in zip(reasons, measured, strict=True)]
        fine = np.array([one == OK for one in status], dtype=bool)
        kept = {name: [text if ok else None for text, ok in zip(t, fine, strict=True)] for name, t in labels.items()}
        answered = np.where(fine[:, None], values, np.nan)
        return Admitted(patients, answered, kept, status, (*self._notes(frame), *notes), self.names)

    def _patients(self, frame: pl.DataFrame, limits: Limits) -> pl.Series:
        if limits.people is not None and frame.height > limits.people:
            raise TableError(
                f"people to predict: {frame.height} rows; at most {limits.people} are answered at a time. "
                "Ask for them in several parts, or raise the limit."
            )
        if _ID not in frame.columns:
            if frame.height == 0:
                return pl.Series(_ID, [], dtype=pl.String)
            raise TableError(f"people to predict: there is no column {_ID}. Give each row its own, of any kind.")
        patients, _ = texts_of(frame[_ID])
        times = Counter(patients.to_list())
        lacking = times.pop(None, 0)
        repeated = sum(count > 1 for count in times.values())
        problems = [f"{lacking} rows have no patient_id"] if lacking else []
        problems += [f"{repeated} patient_id occur in more than one row"] if repeated else []
        if problems:
            raise TableError(f"people to predict: {'; '.join(problems)}. Keep one row for each person.")
        return patients.alias(_ID)

    def _read_numbers(self, frame: pl.DataFrame, reasons: list[list[str]], measured: np.ndarray) -> np.ndarray:
        """Values as (n_people, n_numbers), NaN where not measured; what is no number becomes a reason."""
        values = np.full((frame.height, len(self.numbers)), np.nan)
        order = {name: place for place, name in enumerate(frame.columns)}
        numeric = [kind.is_numeric() for kind in frame.dtypes]
        held = [(place, order[name]) for place, name in enumerate(self.names) if name in order]
        plain = [(place, where) for place, where in held if numeric[where]]
        if plain and frame.height:
            places, where = (list(one) for one in zip(*plain, strict=True))
            if frame.height <= _FEW:
                values[:, places] = np.array([[row[at] for at in where] for row in frame.rows()], dtype=float)
            else:
                values[:, places] = frame.select(self.names[place] for place in places).cast(pl.Float64).to_numpy()
        for place, where_held in held:
            if not numeric[where_held]:
                entry, name = self.numbers[place], self.names[place]
                values[:, place], wrong = numbers_of(frame[name], entry["kind"] == "binary")
                measured |= wrong
                for row in np.flatnonzero(wrong).tolist():
                    reasons[row].append(f"{name} is not a number")
        measured |= ~np.isnan(values).all(axis=1)
        return values

    def _read_labels(
        self, frame: pl.DataFrame, reasons: list[list[str]], measured: np.ndarray
    ) -> tuple[dict[str, list[str | None]], list[str]]:
        columns: dict[str, list[str | None]] = {}
        held = set(frame.columns)
        notes = []
        for entry in self.labels:
            name = entry["feature"]
            if name not in held:
                if not entry.get("missing_ok", True):
                    for found in reasons:
                        found.append(f"{name} is missing")
                continue
            texts, wrong = texts_of(frame[name])
            columns[name] = texts.to_list()
            given = np.array([text is not None for text in columns[name]], dtype=bool)
            measured |= given | wrong
            known = set(entry.get("categories") or ())
            new = np.array([text is not None and text not in known for text in columns[name]], dtype=bool)
            if entry.get("open", "categories" not in entry):
                if new.any():
                    notes.append(f"{int(new.sum())} people have a {name} that the model does not know")
                new = np.zeros(frame.height, dtype=bool)
            for row in np.flatnonzero(wrong | new):
                reasons[row].append(f"{name} is none of the model's {len(known)} categories (schema)")
            if not entry.get("missing_ok", True):
                for row in np.flatnonzero(~given & ~wrong):
                    reasons[row].append(f"{name} is missing")
        return columns, notes

    def _look(self, frame: pl.DataFrame, values: np.ndarray, reasons: list[list[str]]) -> None:
        """Add what is outside a range, missing where it must not be, or likely to be in another unit."""
        known = ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            outside = known & ((values < self._low) | (values > self._high))
        for row, place in np.argwhere(outside).tolist():
            entry = self.numbers[place]
            reasons[row].append(f"{entry['feature']} is not within {_range(entry)} {entry['unit']}".rstrip())
        for place, entry in enumerate(self.numbers):
            if not entry.get("missing_ok", True):
                for row in np.flatnonzero(~known[:, place]).tolist():
                    if not any(one.startswith(f"{entry['feature']} ") for one in reasons[row]):
                        reasons[row].append(f"{entry['feature']} is missing")
        sound = np.where(outside, np.nan, values)
        for row, said in [
            *doubted_values(self._usual, sound),
            *doubted_columns(self._usual, sound, _groups(frame, self.labels)),
        ]:
            if not any(one.startswith(said.split(":")[0]) for one in reasons[row]):
                reasons[row].append(said)

    def _notes(self, frame: pl.DataFrame) -> list[str]:
        inputs = [entry["feature"] for entry in self.schema]
        held = set(frame.columns)
        further = sorted(held - {_ID, *inputs})
        absent = [name for name in inputs if name not in held]
        notes = []
        if further:
            notes.append(f"{len(further)} columns are not used by this model and were left out: {_listed(further)}")
        if absent:
            notes.append(f"{len(absent)} inputs are absent and count as not measured: {_listed(absent)}")
        return notes


def _groups(frame: pl.DataFrame, labels: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Sites, plates and other places of the people, by which a unit may differ."""
    names = [entry["feature"] for entry in labels if entry.get("open")]
    found, held = {}, set(frame.columns)
    for name in dict.fromkeys([*names, "site", "plate"]):
        if name in held:
            found[name] = texts_of(frame[name])[0].to_list()
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
