"""The strata page: whether there are strata, what they are, what they may be confused with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from nociomics.report.formats import plural
from nociomics.report.rendering import render
from nociomics.report.strata_bedside import agreement_rows, interaction_view, scorecard_view
from nociomics.report.strata_inputs import StrataInputs
from nociomics.report.strata_pictures import flow_view, heat_view, map_view
from nociomics.report.strata_tables import (
    association_view,
    challenger_view,
    concentration_rows,
    continuum_sentence,
    evidence_rows,
    left_out_sentence,
    marker_view,
    mechanism_view,
    size_rows,
)
from nociomics.report.strata_words import (
    biology_names,
    cluster_sentence,
    evidence_words,
    stability_sentence,
    strata_fact,
    strata_sentence,
)


@dataclass(frozen=True)
class StrataPageData:
    """All that the strata page may show; what a study lacks is None and takes one line.

    Parameters
    ----------
    study, version, created : str
        As in `CohortReportData`.
    summary : mapping or None
        As in ``strata/summary.json``.
    assignments, scores : DataFrame or None
        As in `ASSIGNMENTS` and `FACTOR_SCORES`.
    inputs : StrataInputs or None
        What the strata were made of.
    associations, concentrations, markers, pain_mechanisms, mechanism_by_stratum, challengers : DataFrame or None
        As in the contracts of these names.
    report, scorecard : mapping or None
        As in ``strata/report.json`` and ``strata/scorecard.json``.
    pain_types : DataFrame or None, one row per person
        ``patient_id, pain_type``: the diagnosis by symptoms, when the study records one.
    """

    study: str
    version: str = ""
    created: str = ""
    summary: Mapping[str, Any] | None = None
    assignments: pl.DataFrame | None = None
    scores: pl.DataFrame | None = None
    inputs: StrataInputs | None = None
    associations: pl.DataFrame | None = None
    concentrations: pl.DataFrame | None = None
    markers: pl.DataFrame | None = None
    pain_mechanisms: pl.DataFrame | None = None
    mechanism_by_stratum: pl.DataFrame | None = None
    challengers: pl.DataFrame | None = None
    report: Mapping[str, Any] | None = None
    scorecard: Mapping[str, Any] | None = None
    pain_types: pl.DataFrame | None = None


def strata_page(data: StrataPageData) -> str:
    """Write the strata page as one HTML page that needs no network.

    Parameters
    ----------
    data : StrataPageData
        Everything it may show. It shows no patient id.

    Returns
    -------
    str
        HTML; equal bytes for equal input.
    """
    cluster = cluster_sentence(data.summary, data.associations)
    names = {} if cluster else biology_names(data.report)
    groups, what = symptom_groups(data.pain_types, data.pain_mechanisms)
    return render(
        "strata.html",
        data=data,
        finding=strata_sentence(data.summary, data.associations),
        cluster=cluster,
        several=data.summary is not None and (data.summary.get("k") or 1) > 1,
        in_short=_in_short(data),
        evidence=None if data.summary is None else evidence_words(data.summary),
        steps=[] if data.summary is None else evidence_rows(data.summary),
        stability=stability_sentence(data.summary),
        agreement=agreement_rows(data.report),
        continuum=continuum_sentence(data.summary),
        left_out=left_out_sentence(data.summary),
        sizes=size_rows(data.assignments, data.summary),
        names=names,
        map=map_view(data.assignments, data.scores, data.inputs),
        heat=heat_view(data.assignments, data.scores, data.inputs),
        flows=flow_view(groups, data.assignments, what),
        associations=association_view(data.associations),
        concentrations=concentration_rows(data.concentrations),
        markers=marker_view(data.markers, names),
        mechanisms=mechanism_view(data.mechanism_by_stratum, data.summary),
        interaction=interaction_view(data.report),
        scorecard=scorecard_view(data.scorecard),
        challengers=challenger_view(data.challengers),
    )


def _in_short(data: StrataPageData) -> list[tuple[str, str]]:
    """Pick the few facts that stand under the finding."""
    if data.summary is None or data.summary.get("k") is None:
        return []
    facts = [("Strata", strata_fact(data.summary, data.associations))]
    if data.summary.get("people") is not None:
        facts.append(("People", plural(int(data.summary["people"]), "person", "people")))
    if data.summary.get("factors") is not None:
        facts.append(("Dimensions", plural(int(data.summary["factors"]), "factor")))
    if data.inputs is not None:
        facts.append(("Made of", plural(data.inputs.columns.height, "measurement")))
    return facts


def symptom_groups(
    pain_types: pl.DataFrame | None, pain_mechanisms: pl.DataFrame | None
) -> tuple[pl.DataFrame | None, str]:
    """Group people by their diagnosis from symptoms, else by the pain mechanism that the rules find likely.

    Parameters
    ----------
    pain_types : DataFrame or None
        ``patient_id, pain_type``.
    pain_mechanisms : DataFrame or None
        As in `PAIN_MECHANISMS`.

    Returns
    -------
    DataFrame or None, str
        ``patient_id, group`` (null: not recorded) and the grouping in words.
    """
    if pain_types is not None and pain_types["pain_type"].null_count() < pain_types.height:
        return pain_types.select("patient_id", group=pl.col("pain_type").cast(pl.String)), "type of pain"
    if pain_mechanisms is None:
        return None, ""
    together = pain_mechanisms.filter(pl.col("rule") == "together")
    if (together["evidence"] == "not measured").all():
        return None, ""
    likely = pl.col("mechanism").filter(pl.col("evidence") == "likely")
    group = (
        pl.when((likely == "mixed").any() | (likely.len() > 1))
        .then(pl.lit("mixed"))
        .when(likely.len() == 1)
        .then(likely.first())
        .when((pl.col("evidence") != "not measured").any())
        .then(pl.lit("none likely"))
        .otherwise(pl.lit("not measured"))
    )
    return together.group_by("patient_id", maintain_order=True).agg(group=group), "mechanism by rules"
