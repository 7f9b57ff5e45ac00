"""Observation resources: which table each belongs to, and the rows of analytes and scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nociomics.fhir.content import Resources
from nociomics.fhir.elements import (
    codings,
    codings_or_none,
    mapping,
    meanings,
    moment,
    number,
    objects,
    taken_at,
    text,
    unit,
)
from nociomics.fhir.genomics import diplotype_row, phenotype_row
from nociomics.fhir.identities import Resource
from nociomics.fhir.listing import Listing
from nociomics.fhir.people import People
from nociomics.knowledge.biomarker import Biomarker, load_biomarkers, meaning_of
from nociomics.knowledge.fhir_code import LOINC
from nociomics.knowledge.instrument import load_instruments
from nociomics.knowledge.specimen import specimen_of

ANALYTE_SYSTEM = "urn:nociomics:analyte"
SCORE_SYSTEM = "urn:nociomics:score"
_USABLE = ("final", "amended", "corrected")
_SCORE_UNITS = (None, "{score}", "{T-score}", "1", "score")
_BELOW, _ABOVE = ("<", "<="), (">", ">=")
_NOON = 12

Row = dict[str, Any]
Follow = Callable[[Any], Resource | None]


@dataclass
class ObservedRows:
    """Rows of the tables that come from Observations."""

    biomarkers: list[Row] = field(default_factory=list)
    scores: list[Row] = field(default_factory=list)
    diplotypes: list[Row] = field(default_factory=list)
    phenotypes: list[Row] = field(default_factory=list)


def read_observations(resources: Resources, people: People, listing: Listing) -> ObservedRows:
    """Read every Observation that is final, and list the others.

    Every component counts as one measurement more, beside the Observation's own value where it has one.
    """
    rows = ObservedRows()
    for observation in resources.of("Observation"):
        status = text(observation.get("status"))
        if status not in _USABLE:
            _list_code(observation, f"status {_word(status)}: not taken", listing)
            continue
        patient = people.of(observation)
        if patient is None:
            continue
        for measured in _measurements(observation):
            _place(measured, patient, partial(resources.follow, holder=observation), rows, listing)
    return rows


def _word(status: str | None) -> str:
    """Return a status that R4 knows; another word may be anything."""
    known = ("registered", "preliminary", "cancelled", "entered-in-error", "unknown")
    return status if status in known else "absent or unknown to R4"


def _measurements(observation: Resource) -> Iterator[Resource]:
    """Yield the Observation where it has a value or no components, and what its components measured."""
    components = objects(observation.get("component"))
    has_value = any(name.startswith("value") for name in observation)
    genetic = meanings(observation.get("code"), "genotype") or meanings(
        observation.get("code"), "metaboliser_phenotype"
    )
    if has_value or not components or genetic:
        yield observation
    if genetic:
        return  # its components say which gene was studied, and the like
    about = {
        name: value
        for name, value in observation.items()
        if name not in ("component", "dataAbsentReason") and not name.startswith("value")
    }
    listed = not has_value or _is_known(observation)
    for component in components:
        measured = {**about, **component}
        # parts of a value that is not taken go with it, but a measurement that we know is one wherever it stands
        if listed or _is_known(measured):
            yield measured


def _is_known(measured: Resource) -> bool:
    return bool(_analyte(measured) or _score(measured.get("code")))


def _place(measured: Resource, patient: str, follow: Follow, rows: ObservedRows, listing: Listing) -> None:
    """Give a measurement to the reader of its code."""
    code = measured.get("code")
    analyte, score = _analyte(measured), _score(code)
    readers: dict[str, Callable[[], Row | None]] = {}
    if meanings(code, "genotype"):
        readers["genotype"] = lambda: diplotype_row(measured, listing)
    if meanings(code, "metaboliser_phenotype"):
        readers["phenotype"] = lambda: phenotype_row(measured, listing)
    if score:
        readers["score"] = lambda: _score_row(measured, score, listing)
    if analyte:
        readers["analyte"] = lambda: _biomarker_row(measured, analyte, follow, listing)
    if len(readers) != 1 or len(score) > 1 or len(analyte) > 1:
        _list_unplaced(measured, bool(readers), listing)
        return
    kind, reader = next(iter(readers.items()))
    if "dataAbsentReason" in measured and not any(name.startswith("value") for name in measured):
        _list_code(measured, "says why there is no value (dataAbsentReason)", listing)
        return
    row = reader()
    if row is not None:
        places = {"genotype": rows.diplotypes, "phenotype": rows.phenotypes, "score": rows.scores}
        places.get(kind, rows.biomarkers).append({"patient_id": patient, **row})


def _list_unplaced(measured: Resource, ambiguous: bool, listing: Listing) -> None:
    code = measured.get("code")
    reasons = meanings(code, "no_table")
    if ambiguous:
        problem = "its codes mean different things here"
    elif meanings(code, "clock_analyte"):
        problem = "needs the time of day, which it does not give"
    else:
        problem = f"no table takes it: {'; '.join(sorted(reasons))}" if reasons else "unknown code"
    _list_code(measured, problem, listing)


def _list_code(measured: Resource, problem: str, listing: Listing) -> None:
    found = codings(measured.get("code"))
    if not found:
        listing.add("Observation", f"{problem}; without a code", element="code")
    for system, code in found:
        listing.add("Observation", problem, element="code", system=system, code=code)


def _analyte(measured: Resource) -> set[str]:
    """Return the analytes that the codes mean: by LOINC, by our own code, or by LOINC and the clock."""
    known = load_biomarkers()
    timeless = meanings(measured.get("code"), "clock_analyte")
    found = {
        marker.id
        for system, code in codings(measured.get("code"))
        for marker in known.values()
        if (system == LOINC and code in marker.loinc) or (system == ANALYTE_SYSTEM and code == marker.id)
    }
    if not timeless:
        return found
    morning, afternoon = timeless.pop().split("|")
    at = taken_at(measured)
    if at is None or "T" not in at:
        return set()
    return {morning if int(at[11:13]) < _NOON else afternoon}


def _biomarker_row(measured: Resource, analytes: set[str], follow: Follow, listing: Listing) -> Row | None:
    marker = load_biomarkers()[next(iter(analytes))]
    quantity = mapping(measured.get("valueQuantity"))
    amount, printed, sign = number(quantity.get("value")), unit(quantity), quantity.get("comparator")
    if amount is None:
        _list_code(measured, "has no quantity with a number", listing)
        return None
    if printed is None or marker.factor(printed) is None:
        problem = "unknown unit for this analyte" if printed else "has no unit"
        system = text(quantity.get("system"))
        listing.add("Observation", f"{problem} ({marker.id})", element="valueQuantity", system=system, code=printed)
        return None
    if _units_differ(marker, quantity):
        _list_code(measured, "its unit and the code of its unit differ", listing)
        return None
    if sign is not None and sign not in (*_BELOW, *_ABOVE):
        _list_code(measured, "has a comparator that R4 does not know", listing)
        return None
    specimen = _specimen(measured, follow, listing)
    if meaning_of(marker.id, specimen).marker is None:
        _list_code(measured, "its specimen contradicts its code", listing)
        return None
    return _amount(marker, amount, sign) | {
        "unit": printed,
        "specimen": specimen,
        "collected_at": taken_at(measured),
    }


def _units_differ(marker: Biomarker, quantity: Resource) -> bool:
    """Whether the printed unit and its code are different amounts: one of them is wrong, and nobody can tell which."""
    words = [text(quantity.get(name)) for name in ("unit", "code")]
    factors = [found for word in words if word is not None and (found := marker.factor(word)) is not None]
    return not all(math.isclose(factors[0], other) for other in factors)


def _amount(marker: Biomarker, amount: str, sign: str | None) -> Row:
    """Write an amount as the contract wants it; the limit of a non-detect is its value."""
    below = sign in _BELOW
    return {
        "analyte": marker.id,
        "value": f">{amount}" if sign in _ABOVE else amount,
        "below_lod": "yes" if below else "no",
        "lod": amount if below else None,
    }


def _specimen(measured: Resource, follow: Follow, listing: Listing) -> str | None:
    """Return a specimen in words that are understood; others are listed and count as not stated."""
    reference = measured.get("specimen")
    if reference is None:
        return None
    kind = mapping(follow(reference)).get("type")
    words = [code for _, code in codings(kind)] + [
        text(mapping(kind).get("text")),
        text(mapping(reference).get("display")),
    ]
    words += [text(one.get("display")) for one in objects(mapping(kind).get("coding"))]
    for word in words:
        if word is not None and specimen_of(word) is not None:
            return word
    for system, code in codings_or_none(kind):
        listing.add(
            "Observation",
            "specimen is not understood; counts as not stated",
            element="specimen",
            system=system,
            code=code,
        )
    return None


def _score(code: Any) -> set[str]:
    """Return the scales, as instrument/scale, that the codes mean."""
    own = {name for system, name in codings(code) if system == SCORE_SYSTEM and _is_scale(name)}
    return own | meanings(code, "score")


def _is_scale(name: str) -> bool:
    instrument, _, scale = name.partition("/")
    known = load_instruments().get(instrument)
    return known is not None and scale in known.scales


def _score_row(measured: Resource, scales: set[str], listing: Listing) -> Row | None:
    quantity = mapping(measured.get("valueQuantity"))
    whole = number(measured.get("valueInteger"))
    value = whole if whole is not None else number(quantity.get("value"))
    if value is None or quantity.get("comparator") is not None:
        _list_code(measured, "has no exact number", listing)
        return None
    if unit(quantity) not in _SCORE_UNITS:
        listing.add("Observation", "unknown unit for a score", element="valueQuantity", code=unit(quantity))
        return None
    instrument, _, scale = next(iter(scales)).partition("/")
    return {"instrument": instrument, "scale": scale, "score": value, "taken_at": moment(taken_at(measured))}
