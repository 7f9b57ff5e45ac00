"""Results of people as FHIR R4: predictions as RiskAssessment, the rest as Observations, with the gate's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from nociomics.fhir.outgoing import (
    Resource,
    Row,
    absent,
    bundle,
    concept,
    entry_uuid,
    genotype_observation,
    observation,
    patient_reference,
    patient_resource,
    quantity,
    resource_id,
)
from nociomics.knowledge.fhir_code import LOINC, code_for

RESULT_SYSTEM = "urn:nociomics:result"
METABOLISER_SYSTEM = "urn:nociomics:metaboliser-phenotype"
STRATUM_SYSTEM = "urn:nociomics:stratum"
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
RESEARCH = "For research on groups; not for treating a person without a clinician."
_OK = "ok"


@dataclass(frozen=True)
class Origin:
    """What made the results, and what may be said about one person.

    Attributes
    ----------
    method : str
        Name, version and hash of the model.
    outcome : str
        What is predicted, in words.
    gate : mapping
        gate.json of the model: ``individual_recommendations``, ``reasons``.
    made_at : str
        Time with offset, such as ``2026-11-21T10:00:00Z``.
    """

    method: str
    outcome: str
    gate: Mapping[str, Any]
    made_at: str


def results_bundle(
    origin: Origin,
    predictions: pl.DataFrame,
    *,
    effects: pl.DataFrame | None = None,
    strata: pl.DataFrame | None = None,
    calls: pl.DataFrame | None = None,
    scores: pl.DataFrame | None = None,
    patients: Sequence[str] | None = None,
) -> Resource:
    """Return one Bundle with the results of people.

    Parameters
    ----------
    predictions, effects, strata, calls : DataFrame
        As in `tables.results`: PREDICTIONS, EFFECTS, ASSIGNMENTS, PGX_CALLS.
    scores : DataFrame, optional
        ``patient_id`` and one column of numbers per questionnaire score.
    patients : sequence of str, optional
        Only these; everybody of the predictions by default.

    Returns
    -------
    dict
        A Bundle of type collection: each Patient (id only), scores, calls, stratum, then per treatment a
        RiskAssessment and the expected outcome, then the comparisons. A person who was abstained from or rejected has
        no numbers but the reason; nothing is left out in silence.
    """
    wanted = list(dict.fromkeys(predictions["patient_id"])) if patients is None else list(patients)
    found: list[Resource] = []
    for patient in wanted:
        parts = [_scores(rows) for rows in _of(scores, "patient_id", patient)]
        parts += [_call(row) for row in _of(calls, "sample", patient)]
        basis = [one for part in parts for one in part]
        found += [patient_resource({"patient_id": patient}), *basis]
        found += [_stratum(row) for row in _of(strata, "patient_id", patient)]
        references = [{"reference": f"urn:uuid:{entry_uuid(one)}"} for one in basis]
        for row in _of(predictions, "patient_id", patient):
            found += [_risk(row, origin, references), _expected(row, origin)]
        found += [_effect(row, origin) for row in _of(effects, "patient_id", patient)]
    return bundle(found, origin.made_at)


def _of(frame: pl.DataFrame | None, column: str, patient: str) -> list[Row]:
    return [] if frame is None else list(frame.filter(pl.col(column) == patient).iter_rows(named=True))


def _about(resource: Resource, origin: Origin) -> Resource:
    return resource | {"effectiveDateTime": origin.made_at, "method": {"text": origin.method}}


def _notes(origin: Origin, *words: str | None) -> list[dict[str, str]]:
    """Return what must be read with a number: purpose, the gate, and the row's own reasons."""
    closed = not origin.gate.get("individual_recommendations")
    verdict = (
        "Individual recommendations are not supported." if closed else "Individual recommendations passed the gate."
    )
    gate = " ".join([verdict, *origin.gate.get("reasons", ())])
    return [{"text": text} for text in (RESEARCH, gate, *words) if text]


def _risk(row: Row, origin: Origin, basis: list[dict[str, str]]) -> Resource:
    """Return the chances under one treatment; without an answer a reason stands in the place of each."""
    treatment = row["treatment"]
    chances = {origin.outcome: row.get("p_response")}
    classes = {name[2:]: value for name, value in row.items() if name.startswith("p_") and name not in _CHANCES}
    chances = {f"{origin.outcome}: {name}": value for name, value in classes.items()} or chances
    if "p_adverse" in row:
        chances["adverse event"] = row["p_adverse"]
    made: Resource = {
        "resourceType": "RiskAssessment",
        "id": resource_id(row["patient_id"], "risk", treatment or "any"),
        "status": "final",
        "method": {"text": origin.method},
        "code": {"text": "chances under one treatment" if treatment else "chances"},
        "subject": patient_reference(row["patient_id"]),
        "occurrenceDateTime": origin.made_at,
        "prediction": [_chance(name, value, row, treatment) for name, value in chances.items()],
        "note": _notes(origin, None if row["status"] == _OK else row["status"], row.get("caution")),
    }
    return made | ({"basis": basis} if basis else {})


_CHANCES = ("p_response", "p_adverse")


def _chance(name: str, value: float | None, row: Row, treatment: str | None) -> Resource:
    outcome = {"text": f"{name} under {treatment}" if treatment else name}
    if value is None:
        why = "not modelled" if row["status"] == _OK else row["status"]
        code = "unsupported" if row["status"] == _OK else "unknown"
        reason = {"extension": [{"url": _ABSENT, "valueCode": code}]}
        return {"outcome": outcome, "_probabilityDecimal": reason, "rationale": f"No probability: {why}."}
    shown = quantity(value, None)["value"]
    return {"outcome": outcome, "probabilityDecimal": shown, "rationale": "A proportion from 0 to 1, not per cent."}


def _result(row: Row, kind: str, *names: str | None) -> Resource:
    code = concept(RESULT_SYSTEM, kind, kind.replace("-", " "))
    return observation(row, "-".join([kind, *(name for name in names if name)]), code, "survey")


def _valued(made: Resource, value: float | None, status: str, unit: str | None = None) -> Resource:
    if value is None:
        return made | {"dataAbsentReason": absent("unknown", "not modelled" if status == _OK else status)}
    return made | {"valueQuantity": quantity(value, unit)}


def _component(kind: str, value: float | str | None, unit: str | None = None) -> list[Resource]:
    if value is None:
        return []
    shown = {"valueString": value} if isinstance(value, str) else {"valueQuantity": quantity(value, unit)}
    return [{"code": concept(RESULT_SYSTEM, kind, kind.replace("-", " ")), **shown}]


def _expected(row: Row, origin: Origin) -> Resource:
    """Return the expected outcome under one treatment with its interval."""
    unit = "units of the outcome"
    made = _about(_result(row, "expected-outcome", row["treatment"]), origin)
    made = _valued(made, row["expected"], row["status"], unit)
    parts = _component("treatment", row["treatment"])
    parts += _component("lower", row["lower"], unit) + _component("upper", row["upper"], unit)
    notes = _notes(origin, origin.outcome, None if row["status"] == _OK else row["status"], row.get("caution"))
    return made | ({"component": parts} if parts else {}) | {"note": notes}


def _effect(row: Row, origin: Origin) -> Resource:
    """Return the difference between two treatments, and which one is recommended, if any."""
    unit = "units of the outcome"
    made = _about(_result(row, "effect", row["treatment_a"], row["treatment_b"]), origin)
    made = _valued(made, row["effect"], row["status"], unit)
    one_for_all = not origin.gate.get("individual_recommendations")
    recommended = "best-for-everybody" if one_for_all else "recommended"
    parts = [
        *_component("treatment-a", row["treatment_a"]),
        *_component("treatment-b", row["treatment_b"]),
        *_component("lower", row["lower"], unit),
        *_component("upper", row["upper"], unit),
        *_component("probability-that-a-is-better", row["p_better"]),
        *_component(recommended, row["recommended"]),
    ]
    notes = _notes(
        origin, "Expected outcome under a less that under b.", None if row["status"] == _OK else row["status"]
    )
    return made | {"component": parts, "note": notes}


def _stratum(row: Row) -> Resource:
    made = _result(row, "stratum")
    if row["stratum"] is None:
        return made | {"dataAbsentReason": absent("unknown", "nothing that strata rest on was measured")}
    shares = {name[2:]: value for name, value in row.items() if name.startswith("p_")}
    parts = [part for name, value in shares.items() for part in _component(f"probability-of-{name}", value)]
    value = {"valueCodeableConcept": concept(STRATUM_SYSTEM, row["stratum"])}
    return made | value | ({"component": parts} if parts else {})


def _scores(row: Row) -> list[Resource]:
    """Return one Observation per score that the person has."""
    return [
        observation(row, f"score-{name}", concept("urn:nociomics:feature", name, name), "survey")
        | {"valueQuantity": quantity(value, "score", "{score}")}
        for name, value in row.items()
        if name != "patient_id" and value is not None
    ]


def _call(row: Row) -> list[Resource]:
    """Return genotype and metaboliser phenotype of one gene; open calls say so instead of naming the likeliest."""
    gene, person = row["gene"], {"patient_id": row["sample"]}
    one = row["call_state"] == "called" and row["n_candidates"] == 1
    genotype = genotype_observation(person, f"genotype-{gene}", gene, row["diplotype_candidates"] if one else None)
    if not one:
        several = f"{row['n_candidates']} pairs of alleles fit" if row["call_state"] == "called" else row["call_state"]
        genotype["dataAbsentReason"] = absent("unknown", several)
    if row["phenotype_candidates"] is None:
        return [genotype]
    return [genotype, _phenotype(row, person, genotype)]


def _phenotype(row: Row, person: Row, genotype: Resource) -> Resource:
    gene = row["gene"]
    loinc = code_for("metaboliser_phenotype", gene)
    words = f"{gene} metabolic activity"
    code = concept(LOINC, loinc, words) if loinc else concept(METABOLISER_SYSTEM, gene, words)
    made = observation(person, f"phenotype-{gene}", code, "laboratory")
    made["derivedFrom"] = [{"reference": f"urn:uuid:{entry_uuid(genotype)}"}]
    parts = _component("activity-score", row.get("activity_score_candidates"))
    parts += _component("phenotype-with-inhibitors", row.get("phenotype_with_inhibitors"))
    if row["phenotype"] is None:
        possible = row["phenotype_candidates"].replace("|", ", ")
        made |= {"dataAbsentReason": absent("unknown", "several phenotypes are possible"), "note": [{"text": possible}]}
    else:
        answer = code_for("phenotype", row["phenotype"])
        made["valueCodeableConcept"] = concept(LOINC if answer else None, answer, row["phenotype"])
    return made | ({"component": parts} if parts else {})
