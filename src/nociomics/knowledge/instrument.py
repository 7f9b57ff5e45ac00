"""Questionnaires as data: items, scales, bands and thresholds, each with its source; no item wording."""

from __future__ import annotations

import re
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import Field, model_validator

from nociomics.errors import NociomicsError, did_you_mean
from nociomics.knowledge.instrument_item import Code, Fact, Item, Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

SCHEMA = "nociomics-instrument/1"
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
    """A change that matters: absolute points or percent of the first score, in one direction.

    Attributes
    ----------
    direction : {"decrease", "increase", "state"}
        A state is no change: the later score lies at or below ``value``.
    above : bool
        True when the change must be larger than ``value``, not only as large.
    new_band : bool
        True when the score must have left its band as well.
    """

    kind: Literal["absolute", "percent"]
    value: float
    direction: Literal["decrease", "increase", "state"]
    above: bool = False
    new_band: bool = False
    label: str
    status: Status
    source: str


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
    weights: dict[str, float] = Field(default_factory=dict)
    item_max: float | None = None
    table: dict[int, float] = Field(default_factory=dict)
    standard_error: dict[int, float] = Field(default_factory=dict)
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
    bands: dict[str, str] = Field(default_factory=dict)


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
    column_aliases: dict[str, str] = Field(default_factory=dict)
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


def instruments_folder() -> Traversable:
    """Return the folder of the shipped files."""
    return resources.files("nociomics.knowledge").joinpath("instruments")


def expanded(raw: dict[str, Any]) -> dict[str, Any]:
    """Give every item of a group its own record, and scales their id as key."""
    items: dict[str, Any] = {}
    for group in raw["items"]:
        shared = {key: value for key, value in group.items() if key != "ids"}
        if "codes" in shared:
            shared |= {"low": min(shared["codes"].values()), "high": max(shared["codes"].values())}
        loinc = shared.pop("loinc", None)
        codes = (
            {}
            if loinc is None
            else {item: {"code": code, "status": loinc["status"]} for item, code in loinc["codes"].items()}
        )
        items |= {item: {"id": item, **shared, "loinc": codes.get(item)} for item in group["ids"]}
    return {**raw, "items": items, "scales": {scale["id"]: scale for scale in raw["scales"]}}


@cache
def instrument_ids() -> tuple[str, ...]:
    """Ids of all shipped instruments, sorted."""
    names = (entry.name for entry in instruments_folder().iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


@cache
def _aliases() -> dict[str, str]:
    """Short names of instruments that are not ids."""
    return {alias: instrument.id for instrument in load_instruments().values() for alias in instrument.aliases}


@cache
def _read(instrument_id: str) -> Instrument:
    text = instruments_folder().joinpath(f"{instrument_id}.yaml").read_text(encoding="utf-8")
    # PyYAML's reader in C, where it was built with it, knows the same safe types and takes a tenth of the time
    reader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        return Instrument.model_validate(expanded(reader.get_single_data()))
    finally:
        reader.dispose()


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


def item_columns(instruments: Mapping[str, Instrument]) -> dict[str, tuple[str, str]]:
    """Return every wide column name, in lower case, and the instrument and item that it means.

    Raises
    ------
    NociomicsError
        When two instruments claim the same column.
    """
    found: dict[str, tuple[str, str]] = {}
    for instrument in instruments.values():
        for column, item in instrument.columns.items():
            other, _ = found.setdefault(column, (instrument.id, item))
            if other != instrument.id:
                raise NociomicsError(f'the instruments {other} and {instrument.id} both claim the column "{column}".')
    return found


@cache
def _shipped_columns() -> dict[str, tuple[str, str]]:
    return item_columns(load_instruments())


def folded(word: str) -> str:
    """Write a name as instruments and items are looked up: lower case, with "_" for spaces, points and dashes."""
    return re.sub(r"[\s.-]+", "_", word.strip().lower())


def resolve_item(column: str, columns: Mapping[str, tuple[str, str]] | None = None) -> tuple[str, str] | None:
    """Return (instrument, item) of a wide questionnaire column, None when it is none.

    Parameters
    ----------
    columns : mapping, optional
        From `item_columns`; the shipped instruments when left out.

    Examples
    --------
    >>> resolve_item("bpi_sf_9a"), resolve_item("bpi_int_1"), resolve_item("age")
    (('bpi_sf', '9A'), ('bpi_sf', '9A'), None)
    """
    return (_shipped_columns() if columns is None else columns).get(folded(column))
