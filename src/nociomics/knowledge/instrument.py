"""Questionnaires as data: items, scales, bands and thresholds, each with its source; no item wording."""

from __future__ import annotations

import csv
import re
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from nociomics.errors import NociomicsError, did_you_mean

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

SCHEMA = "nociomics-instrument/1"
Status = Literal["checked", "general", "project_default"]
Method = Literal[
    "sum",
    "mean",
    "lookup",
    "percent_of_max",
    "combine",
    "count_nonzero",
    "single",
    "index_value_set",
    "profile",
    "custom:psqi",
]

_EMPTY = {"", "na", "nan"}
_BOOLEAN = {"0": 0.0, "1": 1.0, "no": 0.0, "yes": 1.0, "n": 0.0, "y": 1.0, "false": 0.0, "true": 1.0}
_CLOCK = re.compile(r"(\d{1,2})[:.h](\d{2})(?::\d{2}(?:\.0+)?)?\s*([ap]\.?m\.?)?")


class Fact(BaseModel):
    """A frozen record of a knowledge file that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Item(Fact):
    """One item: how it is answered and what an answer is worth.

    Attributes
    ----------
    id : str
        Number or neutral name, as in the instrument's file.
    kind : {"integer", "number", "boolean", "coded", "clock"}
        A clock answer is worth its hours since midnight.
    low, high : float
        Smallest and largest number of points, before any reversal.
    codes : dict of str to float
        Allowed answers of a coded item and their points.
    """

    id: str
    kind: Literal["integer", "number", "boolean", "coded", "clock"]
    low: float
    high: float
    codes: dict[str, float] = {}

    def points(self, text: str | float | None) -> float | None:
        """Return the points of an answer as written, None when it is empty.

        Raises
        ------
        ValueError
            When the answer is not allowed; its text does not show the answer.

        Examples
        --------
        >>> sleep = load_instrument("bdi_ii").item("16")
        >>> sleep.points("2a"), sleep.points(" "), load_instrument("dn4").item("1").points("yes")
        (2.0, None, 1.0)
        """
        answer = "" if text is None else str(text).strip().casefold()
        if answer in _EMPTY:
            return None
        points = self._read(answer)
        if points is None or not self.low <= points <= self.high:
            raise ValueError(f'item "{self.id}" allows {self.allowed}')
        return points

    def _read(self, answer: str) -> float | None:
        if self.kind == "clock":
            return _hours(answer)
        if self.kind == "boolean" and answer in _BOOLEAN:
            return _BOOLEAN[answer]
        number = _number(answer)
        if self.kind == "coded":
            key = answer if number is None or number != int(number) else str(int(number))
            return self.codes.get(key)
        whole = number is not None and number == int(number)
        return number if whole or self.kind == "number" else None

    @property
    def allowed(self) -> str:
        """What may be answered, for a message."""
        if self.kind == "coded":
            return ", ".join(self.codes)
        if self.kind == "boolean":
            return "0, 1, yes, no, true, false"
        if self.kind == "clock":
            return "a clock time such as 23:15"
        return f"{'whole numbers ' if self.kind == 'integer' else ''}{self.low:g} to {self.high:g}"


def _number(answer: str) -> float | None:
    try:
        value = float(answer)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _hours(answer: str) -> float | None:
    match = _CLOCK.fullmatch(answer)
    if match is None:
        return None
    hours, minutes, half = int(match[1]), int(match[2]), (match[3] or "").replace(".", "")
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half == "pm" else 0)
    return hours + minutes / 60 if hours < 24 and minutes < 60 else None


class Missing(Fact):
    """How many answers a score needs, and what is done when some are missing."""

    rule: Literal["none", "prorate", "mean_of_valid", "denominator"]
    min_valid: int = Field(ge=1)
    status: Status


class Band(Fact):
    """A named stretch of a score: closed [low, high], or half-open [low, below)."""

    low: float
    high: float | None = None
    below: float | None = None
    label: str


class Cutoff(Fact):
    """A score at which a finding is named."""

    op: Literal[">=", ">", "<", "<="]
    value: float
    label: str
    status: Status


class Change(Fact):
    """A change that matters: absolute points or percent of baseline, in one direction."""

    kind: Literal["absolute", "percent"]
    value: float
    direction: Literal["decrease", "increase", "state"]
    label: str
    status: Status
    source: str


class Code(Fact):
    """A LOINC code."""

    code: str
    status: Status


class Scale(Fact):
    """One score of an instrument.

    Attributes
    ----------
    items, reversed : tuple of str
        Items that enter, and those turned round first (low + high - points).
    method : str
        How the points become a score; see `harmonise.instrument_scores`.
    divisor : float
        A sum is divided by it (FIQR).
    low, high : float
        Possible scores.
    missing : Missing or None
        None only for a combination of scales, which needs them all.
    feature : bool
        False for a label in digits, which is no quantity.
    """

    id: str
    name: str
    method: Method
    items: tuple[str, ...] = ()
    reversed: tuple[str, ...] = ()
    divisor: float = 1.0
    weights: dict[str, float] = {}
    item_max: float | None = None
    table: dict[int, float] = {}
    standard_error: dict[int, float] = {}
    range: tuple[float, float]
    direction: Literal["higher_worse", "higher_better", "neutral"]
    missing: Missing | None = None
    bands: tuple[Band, ...] = ()
    cutoffs: tuple[Cutoff, ...] = ()
    change: tuple[Change, ...] = ()
    loinc: tuple[Code, ...] = ()
    feature: bool = True

    @property
    def low(self) -> float:
        """Smallest possible score."""
        return self.range[0]

    @property
    def high(self) -> float:
        """Largest possible score."""
        return self.range[1]

    @property
    def min_valid(self) -> int:
        """Answers that the score needs."""
        return self.missing.min_valid if self.missing else len(self.items)


class SafetyItem(Fact):
    """An answer that a clinician must see, whatever becomes of the total."""

    item: str
    at_least: float
    concern: str
    status: Status


class Licence(Fact):
    """Who holds the form."""

    terms: str
    status: Status


class Source(Fact):
    """What was looked up, where, and how sure we are."""

    what: str
    status: Status
    source: str


class Citation(Fact):
    """A paper."""

    text: str
    status: Status


class Example(Fact):
    """A worked case: answers as written, and the scores and bands they give."""

    id: str
    responses: dict[str, str | None]
    expect: dict[str, float | str | None]
    bands: dict[str, str] = {}


class Instrument(Fact):
    """One questionnaire.

    Attributes
    ----------
    items : dict of str to Item
        By item id, in the order of the file.
    scales : dict of str to Scale
        By scale id, in the order of the file.
    feature_prefix : str
        Begins the names of its features: ``bpi_severity``.
    column_aliases : dict of str to str
        Other wide column names and the items they mean.
    """

    schema_name: Literal["nociomics-instrument/1"] = Field(alias="schema")
    id: str
    version: int
    short_name: str
    full_name: str
    feature_prefix: str
    aliases: tuple[str, ...] = ()
    construct_of: tuple[str, ...] = Field(alias="construct")
    dials: tuple[str, ...]
    respondent: str
    recall: str
    licence: Licence
    column_aliases: dict[str, str] = {}
    items: dict[str, Item]
    scales: dict[str, Scale]
    safety: tuple[SafetyItem, ...] = ()
    notes: tuple[str, ...] = ()
    sources: tuple[Source, ...]
    citations: tuple[Citation, ...]
    examples: tuple[Example, ...]

    @model_validator(mode="after")
    def _names_exist(self) -> Instrument:
        for scale in self.scales.values():
            named = set(scale.items) | set(scale.reversed)
            if named - set(self.items) or set(scale.reversed) - set(scale.items):
                raise ValueError(f"scale {scale.id} names an item that there is not")
            if set(scale.weights) - set(self.scales):
                raise ValueError(f"scale {scale.id} combines a scale that there is not")
        if {entry.item for entry in self.safety} - set(self.items):
            raise ValueError("a safety rule names an item that there is not")
        return self

    def item(self, item_id: str) -> Item:
        """Return an item; an unknown one is a `NociomicsError` that names the nearest."""
        if item_id not in self.items:
            raise NociomicsError(
                f'instrument {self.id} has no item "{item_id}".{did_you_mean(item_id, self.items)} '
                f"Its items: {', '.join(self.items)}."
            )
        return self.items[item_id]

    @cached_property
    def columns(self) -> dict[str, str]:
        """Wide column name, in lower case, to item id; a single item answers to the instrument's own name."""
        names = (*self.aliases, self.id)
        own = {f"{name}_{item}".lower(): item for name in names for item in self.items}
        alone = {self.id: next(iter(self.items))} if len(self.items) == 1 else {}
        return {**alone, **own, **self.column_aliases}


class ValueSet(Fact):
    """Coefficients of one national EQ-5D-5L value set, by term."""

    value_set: str
    paper: str
    source: str
    status: Status
    version: int
    terms: dict[str, float]


def _folder() -> Traversable:
    return resources.files("nociomics.knowledge").joinpath("instruments")


def _expanded(raw: dict[str, Any]) -> dict[str, Any]:
    """Give every item of a group its own record, and scales their id as key."""
    items: dict[str, Any] = {}
    for group in raw["items"]:
        shared = {key: value for key, value in group.items() if key != "ids"}
        if "codes" in shared:
            shared |= {"low": min(shared["codes"].values()), "high": max(shared["codes"].values())}
        items |= {item: {"id": item, **shared} for item in group["ids"]}
    return {**raw, "items": items, "scales": {scale["id"]: scale for scale in raw["scales"]}}


@cache
def instrument_ids() -> tuple[str, ...]:
    """Ids of all shipped instruments, sorted."""
    names = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


@cache
def _aliases() -> dict[str, str]:
    """Short names of instruments that are not ids."""
    return {alias: instrument.id for instrument in load_instruments().values() for alias in instrument.aliases}


@cache
def _read(instrument_id: str) -> Instrument:
    text = _folder().joinpath(f"{instrument_id}.yaml").read_text(encoding="utf-8")
    return Instrument.model_validate(_expanded(yaml.safe_load(text)))


def load_instrument(instrument_id: str) -> Instrument:
    """Return one instrument by its id (case, "-" and a short name such as ``bpi`` are forgiven).

    Raises
    ------
    NociomicsError
        When there is none of this name; it names the nearest one.
    """
    name = re.sub(r"[\s-]+", "_", instrument_id.strip().lower())
    if name in instrument_ids():
        return _read(name)
    if name in _aliases():
        return _read(_aliases()[name])
    near = did_you_mean(name, [*instrument_ids(), *_aliases()])
    raise NociomicsError(f'there is no instrument "{instrument_id}".{near} Known: {", ".join(instrument_ids())}.')


@cache
def load_instruments() -> dict[str, Instrument]:
    """Return all shipped instruments by id. The mapping is shared: do not change it."""
    return {name: _read(name) for name in instrument_ids()}


@cache
def _item_columns() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for instrument in load_instruments().values():
        for column, item in instrument.columns.items():
            if found.setdefault(column, (instrument.id, item)) != (instrument.id, item):
                raise ValueError(f'two instruments claim the column "{column}"')
    return found


def resolve_item(column: str) -> tuple[str, str] | None:
    """Return (instrument, item) of a wide questionnaire column, None when it is none.

    Examples
    --------
    >>> resolve_item("bpi_sf_9a"), resolve_item("bpi_int_1"), resolve_item("age")
    (('bpi_sf', '9A'), ('bpi_sf', '9A'), None)
    """
    return _item_columns().get(re.sub(r"[\s.-]+", "_", column.strip().lower()))


@cache
def load_value_sets() -> dict[str, ValueSet]:
    """Return the EQ-5D-5L value sets by name."""
    facts = ("value_set", "paper", "source", "status", "version")
    found = {}
    with _folder().joinpath("eq5d5l_value_sets.csv").open("r", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            terms = {term: float(value) for term, value in row.items() if term not in facts and value}
            record = {name: row[name] for name in facts}
            found[row["value_set"]] = ValueSet.model_validate({**record, "terms": terms})
    return found


def load_value_set(name: str) -> ValueSet:
    """Return one EQ-5D-5L value set by name (case is forgiven; ``Japan`` finds ``Japan_cTTO``).

    Raises
    ------
    NociomicsError
        When there is none of this name, with the names there are.
    """
    sets = load_value_sets()
    wanted = name.strip().lower()
    near = [known for known in sets if known.lower() == wanted or known.lower().split("_")[0] == wanted]
    if not near:
        raise NociomicsError(
            f'there is no EQ-5D-5L value set "{name}".{did_you_mean(name, sets)} Known: {", ".join(sets)}.'
        )
    return sets[near[0]]
