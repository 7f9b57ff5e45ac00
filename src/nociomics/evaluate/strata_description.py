"""All that is told about strata once they are found: what they go with, what marks them, what they are worth."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from nociomics.evaluate.strata_agreement import strata_agreement
from nociomics.evaluate.strata_associations import concentrations, factor_associations, strata_associations
from nociomics.evaluate.strata_groups import beside_strata
from nociomics.evaluate.strata_interaction import strata_by_treatment
from nociomics.evaluate.strata_markers import factor_markers, strata_markers
from nociomics.evaluate.strata_names import found_clusters, stratum_names
from nociomics.evaluate.strata_scorecard import factor_scorecard, strata_scorecard
from nociomics.models.people_order import content_order
from nociomics.models.settings import BlockSettings, StrataSettings
from nociomics.tables.study import Study

_LOG = logging.getLogger(__name__)
_ID = "patient_id"
_MEMBERSHIP = "p_"


@dataclass(frozen=True)
class FoundStrata:
    """What the stage strata wrote: `ASSIGNMENTS`, `FACTOR_SCORES` and the number of strata."""

    assignments: pl.DataFrame
    scores: pl.DataFrame
    k: int


@dataclass(frozen=True)
class StrataDescription:
    """Tables and reports on strata.

    Attributes
    ----------
    associations, concentrations, markers : DataFrame
        As in `tables.results`.
    report : dict
        ``k``, ``of`` (strata, or factors where there is one stratum), ``people``, ``batch_cluster``,
        ``site_cluster``, ``missingness_cluster`` (booleans), ``clusters``, ``names`` (per stratum), ``agreement``
        (halves and seeds), ``interaction`` and ``words`` (sentences, the most important first).
    scorecard : dict
        See `strata_scorecard.strata_scorecard` and `factor_scorecard`.
    """

    associations: pl.DataFrame
    concentrations: pl.DataFrame
    markers: pl.DataFrame
    report: dict[str, Any]
    scorecard: dict[str, Any]


def describe_strata(
    tables: Mapping[str, pl.DataFrame],
    features: pl.DataFrame,
    catalogue: pl.DataFrame,
    target: pl.DataFrame,
    study: Study,
    found: FoundStrata,
    settings: StrataSettings,
    blocks: BlockSettings,
    seed: int,
) -> StrataDescription:
    """Describe strata, or with one stratum the factors that stand in for them; nothing is fed back to the strata.

    Parameters
    ----------
    tables : mapping of name to DataFrame
        Ingested ``patients``, and ``biomarkers`` and ``expression_samples`` where the study has them.
    features, catalogue, target : DataFrame
        As in `tables.harmonised`.
    found : FoundStrata
        From the same features.
    settings, blocks, seed
        With which the strata were found: the models of halves and seeds use them again.
    """
    people = features[content_order(features)]
    ids = people.select(_ID)
    strata = _beside(ids, found.assignments)
    scores = _beside(ids, found.scores).select(pl.col("^factor_\\d+$"))
    outcome = _beside(ids, target)
    beside = beside_strata(tables, people, catalogue, target, study)
    typed = found.k > 1
    membership = strata.select(pl.col(f"^{_MEMBERSHIP}S\\d+$").name.replace(f"^{_MEMBERSHIP}", ""))
    if typed:
        associations = strata_associations(strata["stratum"], beside, seed)
        where = concentrations(strata["stratum"], beside)
        markers = strata_markers(people, catalogue, membership)
        card = strata_scorecard(people, catalogue, strata["stratum"], membership, seed)
    else:
        associations = factor_associations(scores, beside, seed)
        where = concentrations(strata["stratum"].clear(), [])
        markers = factor_markers(people, catalogue, scores)
        card = factor_scorecard(people, catalogue, scores, seed)
    clusters = found_clusters(associations, where)
    kind = None if study.target is None else study.target.kind
    report: dict[str, Any] = {
        "k": found.k,
        "of": "strata" if typed else "factors",
        "people": int(strata["stratum"].count()),
        **{f"{name}_cluster": _any(clusters, name) for name in ("batch", "site", "missingness")},
        "clusters": clusters,
        "names": stratum_names(membership.columns, markers, clusters) if typed else {},
        "agreement": strata_agreement(people, catalogue, settings, blocks, seed),
        "interaction": strata_by_treatment(outcome, kind, membership if typed else None, scores, seed),
    }
    report["words"] = _words(report, associations, card)
    _LOG.info(
        "described %s: %d people, %d variables beside them, %d markers, %d clusters of batch, site or gaps",
        report["of"], report["people"], len(beside), markers.height, len(clusters),
    )  # fmt: skip
    return StrataDescription(associations, where, markers, report, card)


def _beside(ids: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows in the order of these people; null for people whom the table lacks."""
    return ids.join(frame, on=_ID, how="left", maintain_order="left", validate="1:1")


def _any(clusters: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(cluster["kind"] == f"{name} cluster" for cluster in clusters)


def _words(report: Mapping[str, Any], associations: pl.DataFrame, card: Mapping[str, Any]) -> list[str]:
    words = [_cluster_words(cluster) for cluster in report["clusters"]]
    if report["of"] == "factors":
        nobody = (
            "Strata were not looked for: too few people or measurements. Covariates of the table patients, genotypes "
            "and pharmacogenes take no part in them."
        )
        some = "One stratum was found: the tables describe the continuous factors instead of strata."
        words.append(some if report["people"] else nobody)
    unsure = associations.filter(pl.col("verdict") == "cannot tell")["variable"].unique(maintain_order=True).to_list()
    if unsure:
        words.append(f"It cannot be told whether {report['of']} go with: {', '.join(unsure)}.")
    alone = associations.filter((pl.col("verdict") == "one group") & pl.col("role").is_in(["site", "batch"]))
    words += [
        f"All people are of one {name}: whether {report['of']} hold elsewhere cannot be told."
        for name in alone["variable"].unique(maintain_order=True)
    ]
    words += [_name_words(stratum, entry) for stratum, entry in report["names"].items()]
    if report["of"] == "strata":
        words.append("Features that strata were made of differ between them by construction: that is no proof of them.")
    words.append(_agreement_words(report["agreement"]))
    words.append(report["interaction"].get("words") or f"Strata by treatment: {report['interaction']['reason']}.")
    words.append(_card_words(card))
    return words


def _cluster_words(cluster: Mapping[str, Any]) -> str:
    kind, variable, value = cluster["kind"], cluster["variable"], abs(cluster["value"])
    if cluster["of"] != "strata":
        return f"{cluster['of']} goes with {variable} ({value:.2f}): read it as a {kind.split()[0]} effect."
    places = sorted(cluster["strata"], key=lambda place: (place["stratum"], -place["share"]))
    told = "; ".join(
        f"{place['share']:.0%} of {place['stratum']} in {place['level']} (everybody: {place['expected_share']:.0%})"
        for place in places
    )
    return (
        f"The strata are a {kind}, not strata of patients: Cramer's V with {variable} is {value:.2f}"
        f"{': ' + told if told else ''}."
    )


def _name_words(stratum: str, entry: Mapping[str, Any]) -> str:
    if entry["kind"] == "biology":
        return f"{stratum} may be called {entry['name']}: {', '.join(entry['because'])} raised by more than 0.5 SD."
    if entry["kind"] == "number":
        return f"{stratum} has no name from biology: no pre-specified marker is raised by more than 0.5 SD."
    return f"{stratum} gets no name from biology: it is a {entry['kind']}."


def _agreement_words(agreement: Mapping[str, Any]) -> str:
    halves = agreement["halves"]
    if "reason" in halves:
        return f"Agreement between halves was not measured: {halves['reason']}"
    if halves["ari"] is None:
        alike = "not measured" if halves["factors"] is None else f"{halves['factors']:.2f}"
        return f"Halves of the people do not all find more than one stratum; their factor scores correlate: {alike}."
    return f"Strata found in two halves place everybody alike with an adjusted Rand index of {halves['ari']:.2f}."


def _card_words(card: Mapping[str, Any]) -> str:
    if "reason" in card:
        return f"No scorecard: {card['reason']}."
    names = ", ".join(entry["feature"] for entry in card["variables"])
    if card["kind"] == "weights":
        return f"Bedside variables that tell the factors best: {names}."
    kappa, lost = card["kappa"]["value"], card["loses"]["placed_otherwise"]
    told = "not measured" if kappa is None else f"{kappa:.2f}"
    return f"A scorecard of {names} agrees with kappa {told} and places {lost:.0%} of people otherwise."
