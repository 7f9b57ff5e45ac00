"""A message of FHIR resources to the tables that a study or a service reads."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.fhir.answers import read_answers
from nociomics.fhir.content import FhirError, Resources
from nociomics.fhir.elements import moment, objects
from nociomics.fhir.listing import Listing
from nociomics.fhir.medications import KINDS, read_medications
from nociomics.fhir.observations import read_observations
from nociomics.fhir.people import People
from nociomics.knowledge.instrument import load_instruments

_LOG = logging.getLogger(__name__)
_READ = ("Patient", "Observation", "QuestionnaireResponse", *KINDS)
_ASIDE = ("Medication", "Specimen")  # only followed from others
BASELINE = "baseline"

_TEXT = pl.String()
_COLUMNS = {
    "biomarkers": ("patient_id", "analyte", "value", "unit", "below_lod", "lod", "specimen", "collected_at"),
    "questionnaires": ("patient_id", "visit", "instrument", "item", "response", "answered_at"),
    "scores": ("patient_id", "visit", "instrument", "scale", "score"),
    "diplotypes": ("patient_id", "gene", "diplotype"),
    "phenotypes": ("patient_id", "gene", "phenotype"),
    "treatment_history": ("patient_id", "drug", "dose", "dose_unit", "started_at", "stopped_at"),
    "treatments": ("patient_id", "arm", "assignment", "started_at"),
}


@dataclass(frozen=True)
class FhirTables:
    """Tables of a message, and what was not taken.

    Attributes
    ----------
    tables : dict of str to DataFrame
        ``patients`` always; ``biomarkers, questionnaires, scores, diplotypes, treatment_history, treatments`` where
        there are rows. Their columns are those of the canonical tables (config/README.md), texts as they came, so
        that ingest reads and checks them as any other table. ``phenotypes`` (metaboliser phenotypes as a laboratory
        reported them: ``patient_id, gene, phenotype``) is no table of a study; it is for comparison and for services.
    listing : DataFrame
        As in `listing.LISTING`.
    """

    tables: dict[str, pl.DataFrame]
    listing: pl.DataFrame


def tables_of(
    resources: Resources,
    listing: Listing,
    *,
    on: date | None = None,
    identifier_system: str | None = None,
    forms: Mapping[str, str] | None = None,
    arms: Sequence[str] = (),
) -> FhirTables:
    """Turn resources into tables.

    Parameters
    ----------
    resources : Resources
        From `content.read_files` or `content.read_content`, with the same listing.
    on : date or None
        Day on which ages are counted; else the day of the Bundle's timestamp, else ages stay null.
    identifier_system : str or None
        See `People`.
    forms : mapping of str to str, optional
        Canonical URL of a questionnaire -> instrument, for forms under another URL than ours or LOINC's.
    arms : sequence of str
        Drugs that are the study's treatments: who takes exactly one of them gets a row of ``treatments``.

    Raises
    ------
    FhirError
        For a form that names no instrument.
    """
    people = People(resources, listing, identifier_system)
    _list_other_types(resources, listing)
    observed = read_observations(resources, people, listing)
    answers = read_answers(resources, people, listing, _known_forms(forms or {}))
    medications = read_medications(resources, people, listing)
    rows = {
        "biomarkers": observed.biomarkers,
        "questionnaires": [{**row, "visit": BASELINE} for row in _latest_form(answers, listing)],
        "scores": [{**row, "visit": BASELINE} for row in _latest_score(observed.scores, listing)],
        "diplotypes": _agreed(observed.diplotypes, "diplotype", listing),
        "phenotypes": _agreed(observed.phenotypes, "phenotype", listing),
        "treatment_history": medications,
        "treatments": _treatments(medications, arms, listing),
    }
    frames = {name: _frame(_COLUMNS[name], found) for name, found in rows.items() if found}
    stamp = moment(resources.timestamp)
    day = on or (None if stamp is None else date.fromisoformat(stamp[:10]))
    tables = {"patients": people.frame(day), **frames}
    listed = listing.frame()
    _LOG.info(
        "%d resources to %s; %d listed as not taken or taken with a reserve",
        len(resources.all),
        ", ".join(f"{name} {frame.height}" for name, frame in tables.items()),
        int(listed["count"].sum()),
    )
    return FhirTables(tables, listed)


def _frame(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series([row.get(name) for row in rows], dtype=_TEXT) for name in columns})


def _known_forms(forms: Mapping[str, str]) -> dict[str, str]:
    known = load_instruments()
    for name in forms.values():
        if name not in known:
            raise FhirError(f'There is no instrument "{name}".{did_you_mean(name, known)} Known: {", ".join(known)}.')
    return dict(forms)


def _list_other_types(resources: Resources, listing: Listing) -> None:
    for one in resources.all:
        if one["resourceType"] not in (*_READ, *_ASIDE):
            listing.add(one["resourceType"], "this type of resource is not read")
        for inside in objects(one.get("contained")):
            if inside.get("resourceType") in _READ[1:]:
                # it has no name of its own in FHIR, and often no subject
                listing.add(str(inside["resourceType"]), "contained in another resource: not read")


def _latest_form(rows: list[dict[str, Any]], listing: Listing) -> list[dict[str, Any]]:
    """Keep a person's latest form of each questionnaire; forms that cannot be ordered are all left out."""
    return _latest(rows, ("patient_id", "instrument"), "answered_at", "form", "QuestionnaireResponse", listing)


def _latest_score(rows: list[dict[str, Any]], listing: Listing) -> list[dict[str, Any]]:
    numbered = [{**row, "observation": number} for number, row in enumerate(rows)]
    keys = ("patient_id", "instrument", "scale")
    return _latest(numbered, keys, "taken_at", "observation", "Observation", listing)


def _latest(
    rows: list[dict[str, Any]], keys: tuple[str, ...], time: str, source: str, kind: str, listing: Listing
) -> list[dict[str, Any]]:
    groups: dict[tuple[Any, ...], dict[int, str | None]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), {})[row[source]] = row[time]
    kept = set()
    for key, sources in groups.items():
        times = sorted((at or "", number) for number, at in sources.items())
        if len(times) == 1:
            kept.add(times[0][1])
            continue
        undated = times[0][0] == "" or times[-1][0] == times[-2][0]
        what = "several of one person, without different dates; none is taken" if undated else "older than the latest"
        count = len(times) if undated else len(times) - 1
        listing.add(kind, what, code="/".join(key[1:]), count=count)
        kept |= set() if undated else {times[-1][1]}
    return [row for row in rows if row[source] in kept]


def _agreed(rows: list[dict[str, Any]], value: str, listing: Listing) -> list[dict[str, Any]]:
    """Keep one row per person and gene; results that differ are all left out: genes do not change."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["patient_id"], row["gene"]), []).append(row)
    kept = []
    for (_, gene), found in groups.items():
        if len({row[value] for row in found}) > 1:
            listing.add(
                "Observation",
                f"several results of one gene that differ ({value}); none is taken",
                code=gene,
                count=len(found),
            )
        else:
            kept.append(found[0])
    return kept


def _treatments(medications: list[dict[str, Any]], arms: Sequence[str], listing: Listing) -> list[dict[str, Any]]:
    """Say who takes exactly one of the study's drugs; nobody was randomised as far as a record tells."""
    wanted = {arm.strip().lower() for arm in arms}
    taken: dict[str, list[dict[str, Any]]] = {}
    for row in medications:
        if row["drug"] in wanted and row["stopped_at"] is None:
            taken.setdefault(row["patient_id"], []).append(row)
    rows = []
    for patient, found in taken.items():
        if len({row["drug"] for row in found}) > 1:
            listing.add("MedicationStatement", "takes several of the study's treatments; no arm is given")
            continue
        starts = [row["started_at"] for row in found if row["started_at"] is not None]
        first = min(starts) if starts else None
        rows.append(
            {"patient_id": patient, "arm": found[0]["drug"], "assignment": "observational", "started_at": first}
        )
    return rows
