"""The cohort report: what was found, who was in it, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from nociomics.report.arms import arm_rows
from nociomics.report.cohort_card import model_card
from nociomics.report.formats import interval, plural
from nociomics.report.options import harm_view
from nociomics.report.options_weighed import weighed_group
from nociomics.report.overlap import dropout_sentence, overlap_view
from nociomics.report.pain_types import pain_type_rows, subgroup_table
from nociomics.report.performance import (
    block_gains_absent,
    gain_table,
    harm_figures,
    headline_table,
    other_figures,
    policy_figures,
    policy_table,
)
from nociomics.report.plots import Scale, axis_strip, interval_strip, share_strip
from nociomics.report.quality import finding_rows, modality_rows, quality_sentence
from nociomics.report.rendering import render
from nociomics.report.strata import strata_view
from nociomics.report.strata_words import strata_fact
from nociomics.report.wording import finding, outcome_words, response_words, unmeasured
from nociomics.tables.study import Target

if TYPE_CHECKING:
    from nociomics.report.charts_figures import Figure

DRIVERS = (
    "The model's estimate is higher or lower with these values. They describe the model: they are no causes of pain, "
    "and changing a value need not change the pain."
)
DRIVERS_UNPROVEN = (
    "The model did not pass the gate for explanations. What follows says what this model leans on, not what matters: a "
    "model of pure noise leans on something too. Nothing is shown about any one person."
)


@dataclass(frozen=True)
class CohortReportData:
    """All that the cohort report may show; what a study lacks is None and takes one line.

    Parameters
    ----------
    study, version : str
        Name of the study; version of the program.
    created : str
        Date as text, given by the caller (from SOURCE_DATE_EPOCH) or empty: no clock is read here.
    target : Target or None
        None when nothing was to be predicted.
    flow, findings, catalogue : DataFrame
        As in `COHORT_FLOW`, `FINDINGS`, `FEATURE_CATALOGUE`.
    pain_types : DataFrame or None, one row per person
        ``patient_id, pain_type``; None when the study does not record it.
    arms : DataFrame or None, one row per treatment
        As in `arms.arm_rows`.
    metrics : mapping of name to {value, lower, upper, n, method}
    gate : mapping or None
        ``individual_recommendations, individual_explanations, best_fixed, reasons``.
    curves : mapping
        ``calibration`` (predicted, observed), ``net_benefit`` (threshold, model, treat_all); each optional.
    strata_summary : mapping or None
        ``k, evidence, stability, bic`` and whatever else the strata stage tells.
    assignments, predictions, effects : DataFrame or None
        As in `ASSIGNMENTS`, `PREDICTIONS`, `EFFECTS`.
    strata_associations : DataFrame or None
        As in `STRATA_ASSOCIATIONS`: tells a cluster of a batch from strata.
    importance, stability, dependence : DataFrame or None
        As in `IMPORTANCE`, `EXPLANATION_STABILITY`, `DEPENDENCE`: of the cohort, never of one person.
    provenance : mapping of str to str
        Commit, digests, versions, seed.
    """

    study: str
    version: str
    created: str
    target: Target | None
    flow: pl.DataFrame
    findings: pl.DataFrame
    catalogue: pl.DataFrame
    pain_types: pl.DataFrame | None = None
    arms: pl.DataFrame | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    gate: Mapping[str, Any] | None = None
    curves: Mapping[str, Any] = field(default_factory=dict)
    strata_summary: Mapping[str, Any] | None = None
    assignments: pl.DataFrame | None = None
    strata_associations: pl.DataFrame | None = None
    importance: pl.DataFrame | None = None
    stability: pl.DataFrame | None = None
    dependence: pl.DataFrame | None = None
    effects: pl.DataFrame | None = None
    predictions: pl.DataFrame | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)


def cohort_report(context: CohortReportData, figures: Sequence[Figure] | None = None) -> str:
    """Write the cohort report as one HTML page that needs no network.

    Parameters
    ----------
    context : CohortReportData
        Everything it may show.
    figures : sequence of Figure, optional
        From `charts_figures.cohort_figures`, when they were drawn already.

    Returns
    -------
    str
        HTML; equal bytes for equal input.
    """
    # drawing takes a second to import, which the pages of patients do without
    from nociomics.report.charts_figures import cohort_figures

    drawings = {figure.name: figure for figure in (cohort_figures(context) if figures is None else figures)}
    modalities = context.catalogue["modality"].unique().sort().to_list()
    target = context.target
    return render(
        "cohort.html",
        data=context,
        finding=finding(target, context.metrics, context.gate, modalities),
        in_short=_in_short(context),
        outcome=outcome_words(target),
        response=None if target is None else response_words(target),
        flow=context.flow.to_dicts(),
        pain_types=pain_type_rows(context.pain_types),
        subgroups=subgroup_table(context.curves),
        overlap=overlap_view(context.curves),
        dropout=dropout_sentence(context.metrics, context.gate),
        arms=_arms(context.arms),
        modalities=modality_rows(context.catalogue),
        quality=quality_sentence(context.findings),
        findings=finding_rows(context.findings.filter(pl.col("severity") != "info")),
        headline=headline_table(context.metrics, context.gate),
        gains=gain_table(context.metrics),
        figures=other_figures(context.metrics, context.gate),
        unmeasured=unmeasured(context.metrics),
        policies=policy_table(context.curves),
        drawings=drawings,
        blocks_absent=block_gains_absent(context.metrics, modalities),
        card=model_card(context),
        policy=policy_figures(context.metrics),
        harm=harm_view(target, context.gate, [], context.arms),
        weighed=weighed_group(target, context.gate, context.arms),
        harm_figures=harm_figures(context.metrics),
        recommended=_recommended(context),
        spread=_spread(context.predictions),
        strata=strata_view(context.strata_summary, context.assignments, context.strata_associations),
        drivers=_drivers(context),
        provenance=sorted(context.provenance.items()),
    )


def _in_short(context: CohortReportData) -> list[tuple[str, str]]:
    """Pick the few facts that stand under the first paragraph."""
    facts = []
    if context.flow.height:
        facts.append(("People", plural(int(context.flow["people"][-1]), "person", "people") + " analysed"))
    if context.arms is not None and context.arms.height and context.arms["with_outcome"].null_count() == 0:
        people, observed = int(context.arms["people"].sum()), int(context.arms["with_outcome"].sum())
        facts.append(("Outcome", f"observed in {observed}, missing in {people - observed}"))
    if context.gate is not None and context.target is not None and context.target.treatment is not None:
        facts.append(
            ("Choice of treatment", "by person" if context.gate.get("individual_recommendations") else "one for all")
        )
    if context.strata_summary is not None and context.strata_summary.get("k") is not None:
        facts.append(("Strata", strata_fact(context.strata_summary, context.strata_associations)))
    facts.append(("Features", f"{context.catalogue.height} in {context.catalogue['modality'].n_unique()} modalities"))
    return facts


def _arms(arms: pl.DataFrame | None) -> dict[str, Any] | None:
    if arms is None or not arms.height:
        return None
    rows = arm_rows(arms)
    scale = Scale(0, 1)
    drawn = any(row.share is not None for row in rows)
    strips = [
        interval_strip(
            row.share, row.lower, row.upper, scale, f"{row.treatment}: {' or '.join(row.responders_of_observed)}"
        )
        for row in rows
    ]
    return {
        "rows": list(zip(rows, strips, strict=True)),
        "drawn": drawn,
        "axis": axis_strip(scale, "Share of responders, 0 to 1"),
        "known": {
            name: name in arms.columns and arms[name].null_count() < arms.height
            for name in ("responders", "mean_baseline", "mean_fall", "adverse_events")
        },
        "missing": int((arms["people"] - arms["with_outcome"]).sum()),
        "people": int(arms["people"].sum()),
    }


def _recommended(context: CohortReportData) -> dict[str, Any] | None:
    """How many people each arm is recommended to, and how many were abstained from; only when the gate is open."""
    effects = context.effects
    if effects is None or not effects.height or context.gate is None:
        return None
    if not context.gate.get("individual_recommendations"):
        return None
    people = effects.group_by("patient_id").agg(pl.col("recommended").drop_nulls().first())
    counted = people.group_by("recommended").len().sort("len", "recommended", descending=[True, False])
    rows = [
        {
            "arm": row["recommended"] or "not enough information to prefer one",
            "people": row["len"],
            "strip": share_strip(row["len"] / people.height, f"{row['len']} of {people.height}"),
        }
        for row in counted.sort(pl.col("recommended").is_null(), maintain_order=True).iter_rows(named=True)
    ]
    return {"rows": rows, "people": people.height}


def _spread(predictions: pl.DataFrame | None) -> dict[str, Any] | None:
    """Middle and middle 80% of the people's expected values per treatment: how much the model tells them apart."""
    if predictions is None or predictions["expected"].null_count() == predictions.height:
        return None
    answered = pl.col("status") == "ok"
    table = (
        predictions.group_by("treatment")
        .agg(
            people=answered.sum(),
            unanswered=(~answered).sum(),
            middle=pl.col("expected").median(),
            low=pl.col("expected").quantile(0.1, "linear"),
            high=pl.col("expected").quantile(0.9, "linear"),
            p_response=pl.col("p_response").mean(),
        )
        .sort("treatment", nulls_last=True)
    )
    scale = Scale.around([*table["low"], *table["high"]], include=[0])
    rows = [
        row
        | {
            "treatment": row["treatment"] or "everyone",
            "text": interval(row["middle"], row["low"], row["high"]),
            "strip": interval_strip(
                row["middle"], row["low"], row["high"], scale, "middle and middle 80%", reference=0
            ),
        }
        for row in table.iter_rows(named=True)
    ]
    return {"rows": rows, "axis": axis_strip(scale, "Scale of expected values")}


def _drivers(context: CohortReportData) -> str:
    """Say how to read the drivers of the whole cohort's predictions; they may be shown behind a closed gate."""
    passed = context.gate is None or context.gate.get("individual_explanations")
    return DRIVERS if passed else DRIVERS_UNPROVEN
