"""CDS Hooks services and their cards: a warning where genetics makes an order a bad idea, and silence elsewhere."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl

from nociomics.knowledge.drug_code import load_contraindications
from nociomics.knowledge.fhir_code import load_fhir_codes
from nociomics.knowledge.pharmacogene import TABLE_VERSION, load_advice_categories
from nociomics.pharmacogenomics.guideline import drug_genes, known_drugs
from nociomics.pharmacogenomics.recommendation import recommend_drugs
from nociomics.service.hook_consent import genetics_allowed
from nociomics.service.hook_genomics import GeneResults, read_results
from nociomics.service.hook_orders import Codes, ordered_drugs
from nociomics.service.hook_requests import (
    ORDER_SELECT,
    ORDER_SIGN,
    PATIENT_VIEW,
    HookRequest,
    Resource,
    read_hook,
    reference_of,
)
from nociomics.service.refusal import Refusal

MOST_CARDS = 3
LONGEST_SUMMARY = 139
WARN_FROM, TELL_FROM = 58, 42
"""Caution of an advice category from which a card warns, and from which it informs (project_default)."""
_NAMESPACE = uuid.UUID("8d0f0d0a-4d5c-4a2e-9a35-3b7b8c3a5d10")
_ANSWERED = ("decided", "open")
_EXTENSION = "org.nociomics"
_OVERRIDES = (
    ("tolerated-before", "Tolerated before without harm"),
    ("no-alternative", "No alternative is suitable"),
    ("result-doubted", "The genetic result is in doubt"),
    ("palliative", "Palliative care: relief goes first"),
)

OVERRIDE_CODES = tuple(code for code, _ in _OVERRIDES)


@dataclass(frozen=True)
class HookService:
    """One service of the discovery."""

    id: str
    hook: str
    title: str
    description: str


SERVICES = (
    HookService(
        "pgx-order-select",
        ORDER_SELECT,
        "Pharmacogenes: drugs being selected",
        "Warns when a guideline advises against a selected pain drug, or another dose of it, for the patient's "
        "pharmacogene results. Research use.",
    ),
    HookService(
        "pgx-order-sign",
        ORDER_SIGN,
        "Pharmacogenes: drugs being signed",
        "The same for every drug of the orders that are about to be signed. Research use.",
    ),
    HookService(
        "pain-patient-view",
        PATIENT_VIEW,
        "Pharmacogenes: drugs that are taken",
        "Shows the active pain drugs for which a guideline advises something else for the patient's pharmacogene "
        "results. Research use.",
    ),
)


def discovery() -> dict[str, Any]:
    """Answer ``GET /cds-services``: each service asks for what it uses and no more."""
    return {
        "services": [
            {
                "hook": one.hook,
                "title": one.title,
                "description": one.description,
                "id": one.id,
                "prefetch": _prefetch(one.hook),
                "usageRequirements": "Genetic results are used only with an active Consent that permits it.",
            }
            for one in SERVICES
        ]
    }


def _prefetch(hook: str) -> dict[str, str]:
    of_patient = "?patient={{context.patientId}}"
    roles = ("genotype", "metaboliser_phenotype")
    results = [f"{row.system}|{row.code}" for row in load_fhir_codes().values() if row.role in roles]
    asked = {
        "genomics": f"Observation{of_patient}&code={','.join(results)}",
        "consent": f"Consent{of_patient}&status=active",
    }
    if hook != PATIENT_VIEW:
        return asked
    kinds = {"medications": "MedicationRequest", "statements": "MedicationStatement"}
    return asked | {key: f"{kind}{of_patient}&status=active" for key, kind in kinds.items()}


def find_service(name: str) -> HookService:
    """Return a service by its id, or refuse with 404."""
    for one in SERVICES:
        if one.id == name:
            return one
    raise Refusal(404, "no_such_service", "No such CDS service; see /cds-services.")


def answer_hook(name: str, body: Mapping[str, Any], codes: Codes, consent_elsewhere: bool = False) -> dict[str, Any]:
    """Answer a call of a service: at most three cards, the most serious first.

    Parameters
    ----------
    name : str
        Id of the service.
    body : mapping
        The request.
    codes : mapping
        Drugs by (system, code), as `knowledge.drug_code.load_drug_codes`.
    consent_elsewhere : bool
        True where the caller sends genetics of consenting people only; a consent that denies still silences.

    Raises
    ------
    Refusal
        400 for a request that is none, 412 when what is needed to judge was not sent: silence could be taken for
        "nothing speaks against it".
    """
    service = find_service(name)
    request = read_hook(body, service.hook)
    ordered, unknown = ordered_drugs(request, codes)
    concerned = [(drug, one) for drug, one in ordered if drug in known_drugs() and drug_genes(drug)]
    _require_medications(request)
    if concerned and (request.prefetched is None or not request.is_whole):
        raise _lacking("the prefetch of /cds-services, without errors and all its pages")
    told: dict[str, Any] = {"unknown_codes": unknown}
    allowed = genetics_allowed(request.prefetched or (), request.patient)
    if not (allowed or (allowed is None and consent_elsewhere)):
        return {"cards": [], "extension": {_EXTENSION: {**told, "genetics": "not used: no consent"}}}
    if concerned and request.lacks("genomics", "Observation"):
        raise _lacking("the prefetch genomics (null where there are no results)")
    results = read_results(request.prefetched or (), request.patient)
    cards = _cards(request, concerned, results)
    return {"cards": cards, "extension": {_EXTENSION: {**told, "observations_left_out": results.left_out}}}


def _require_medications(request: HookRequest) -> None:
    kinds = {"medications": "MedicationRequest", "statements": "MedicationStatement"}
    if request.hook == PATIENT_VIEW and all(request.lacks(key, *kinds.values()) for key in kinds):
        raise _lacking("the prefetch medications (null where the patient takes none)")


def _lacking(what: str) -> Refusal:
    return Refusal(412, "no_prefetch", f"Send {what}; this service fetches nothing itself.")


def _cards(
    request: HookRequest, concerned: Sequence[tuple[str, Resource]], results: GeneResults
) -> list[dict[str, Any]]:
    drugs = list(dict.fromkeys(drug for drug, _ in concerned))
    if not drugs or results.calls.is_empty():
        return []
    advice = recommend_drugs(results.calls, None, drugs)
    worded = []
    for drug, order in concerned:
        rows = advice.filter((pl.col("drug") == drug) & pl.col("answer").is_in(_ANSWERED))
        first = max(rows.iter_rows(named=True), key=lambda row: _caution()[row["category"]], default=None)
        if first is None or _caution()[first["category"]] < TELL_FROM:
            continue
        worded.append((_caution()[first["category"]], _card(request, drug, order, first, results)))
    order_of = {"critical": 0, "warning": 1, "info": 2}
    worded.sort(key=lambda pair: (order_of[pair[1]["indicator"]], -pair[0]))
    return [card for _, card in worded[:MOST_CARDS]]


@cache
def _caution() -> dict[str, int]:
    return dict(load_advice_categories().select("category", "caution").iter_rows())


def _card(
    request: HookRequest, drug: str, order: Resource, advice: Mapping[str, Any], results: GeneResults
) -> dict[str, Any]:
    genes = [(gene, _phenotypes(results, gene)) for gene in str(advice["genes_used"] or "").split("|") if gene]
    card: dict[str, Any] = {
        "uuid": str(uuid.uuid5(_NAMESPACE, f"{request.instance}|{reference_of(order)}|{drug}")),
        "summary": _summary(drug, genes, str(advice["text"])),
        "indicator": _indicator(drug, genes, advice),
        "source": _source(advice),
        "detail": _detail(genes, advice, results),
        "links": [{"label": "CPIC guidelines", "url": "https://cpicpgx.org/guidelines/", "type": "absolute"}],
        "overrideReasons": [
            {"system": "urn:nociomics:override", "code": code, "display": display} for code, display in _OVERRIDES
        ],
    }
    place = reference_of(order)
    if request.hook != PATIENT_VIEW and place is not None and card["indicator"] != "info":
        action = {"type": "delete", "description": f"Remove the draft order of {drug}", "resourceId": place}
        card["selectionBehavior"] = "at-most-one"
        card["suggestions"] = [
            {
                "label": f"Remove {drug} and choose another drug",
                "uuid": str(uuid.uuid5(_NAMESPACE, f"{card['uuid']}|remove")),
                "actions": [action],
            }
        ]
    return card


def _phenotypes(results: GeneResults, gene: str) -> list[str]:
    text = results.calls.filter(pl.col("gene") == gene)["phenotype_candidates"].first()
    return str(text).split("|") if text else []


def _summary(drug: str, genes: list[tuple[str, list[str]]], text: str) -> str:
    results = " and ".join(f"{gene} {_plain(words)}" for gene, words in genes)
    said = text.split(":")[0].split(". ")[0].rstrip(".")
    whole = f"{drug.capitalize()}, {results}: {said[:1].lower()}{said[1:]}"
    return whole if len(whole) <= LONGEST_SUMMARY else whole[: LONGEST_SUMMARY - 1].rsplit(" ", 1)[0] + "…"


def _plain(words: list[str]) -> str:
    return " or ".join(word.lower().replace("metabolizer", "metaboliser") for word in words)


def _indicator(drug: str, genes: list[tuple[str, list[str]]], advice: Mapping[str, Any]) -> str:
    """Critical for a contraindication that is certain, a warning for another drug or dose, information below that."""
    barred = any((drug, gene, word) in load_contraindications() for gene, words in genes for word in words)
    if (barred or advice["category"] == "DO_NOT_USE") and advice["certain"]:
        return "critical"
    return "warning" if _caution()[str(advice["category"])] >= WARN_FROM else "info"


def _source(advice: Mapping[str, Any]) -> dict[str, str]:
    label = " ".join(str(part) for part in (advice["guideline"], advice["year"]) if part)
    pmid = advice["pmid"]
    url = f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/" if pmid else "https://cpicpgx.org/guidelines/"
    return {"label": label or "CPIC guidelines", "url": url}


def _detail(genes: list[tuple[str, list[str]]], advice: Mapping[str, Any], results: GeneResults) -> str:
    lines = [str(advice["text"]), ""]
    for gene, words in genes:
        day = results.dates.get(gene)
        lines.append(f"- {gene}: {_plain(words)}{f', result of {day}' if day else ', date of the result not given'}")
    lines.append(f"- Strength of the recommendation: {advice['strength']}; guideline of {advice['year']}")
    lines.append(f"- Tables of facts: {TABLE_VERSION}")
    lines += ["", "Research use. Not for treating a patient without a clinician."]
    return "\n".join(lines)
