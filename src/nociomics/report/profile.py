"""The patient profile: one person, first in plain words, then for the clinician."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from nociomics.report.decision import (
    OWN_RATING,
    Decision,
    decide,
    has_own_numbers,
    plain_chance,
    plain_expected,
    plain_goal,
    plain_harm,
    plain_performance,
    plain_reason,
)
from nociomics.report.explanation import Explanation, explain_contrast, explain_one
from nociomics.report.formats import NOT_MEASURED, in_ten, interval, is_null, number, quantity, share
from nociomics.report.options import HarmView, harm_view
from nociomics.report.options_weighed import weighed_view
from nociomics.report.pgx_advice import drug_groups, shared_sentence
from nociomics.report.pgx_rows import gene_rows, has_guideline
from nociomics.report.plots import Scale, axis_strip, interval_strip, percentile_strip, share_strip, ten_dots
from nociomics.report.profile_strata import Dimension, dimension_rows, mechanism_rows, stratum_view
from nociomics.report.rendering import render
from nociomics.report.safety import safety_lines
from nociomics.report.wording import (
    DRIVERS_REFUSED,
    finding,
    headline_measure,
    outcome_words,
    plain_modality,
    response_words,
)
from nociomics.tables.study import Target

_MOST_ROWS = 40
_ORDER = ("clinical", "questionnaires", "biomarkers", "pgx", "genotype", "expression")


@dataclass(frozen=True)
class PatientProfileData:
    """All that one person's page may show; what is absent is None and takes one line.

    Parameters
    ----------
    patient_id, study : str
    features : mapping of feature to value
        The person's row of `FEATURES`; null = not measured.
    catalogue : DataFrame
        As in `FEATURE_CATALOGUE`.
    percentiles : mapping of feature to 0-100 or None
        Standing within the cohort.
    pgx_calls, pgx_recommendations : DataFrame or None
        The person's rows.
    assignment : mapping or None
        The person's row of `ASSIGNMENTS`.
    predictions, effects, shap : DataFrame or None
        The person's rows of `PREDICTIONS`, `EFFECTS`, `SHAP_VALUES`.
    base : DataFrame or None
        As in `BASE_VALUES`.
    gate, metrics : mapping
        As in `evaluation/`.
    target : Target or None
    missing_modalities : list of str
        Modalities of the study of which nothing was measured in this person.
    n_similar : int or None
        Similar people in the cohort; None = not measured.
    safety : DataFrame or None
        The person's rows of `SAFETY_ITEMS`.
    arms : DataFrame or None
        As in `ARMS`: what became of the whole group.
    dimensions : list of Dimension
        The person's place on each factor of the strata model.
    pain_mechanisms : DataFrame or None
        The person's rows of `PAIN_MECHANISMS`.
    strata_cluster : str or None
        The sentence that says that the groups found are no strata, see `strata_words.cluster_sentence`.
    """

    patient_id: str
    study: str
    features: Mapping[str, Any]
    catalogue: pl.DataFrame
    percentiles: Mapping[str, float | None] = field(default_factory=dict)
    pgx_calls: pl.DataFrame | None = None
    pgx_recommendations: pl.DataFrame | None = None
    assignment: Mapping[str, Any] | None = None
    predictions: pl.DataFrame | None = None
    effects: pl.DataFrame | None = None
    shap: pl.DataFrame | None = None
    base: pl.DataFrame | None = None
    gate: Mapping[str, Any] | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    target: Target | None = None
    missing_modalities: list[str] = field(default_factory=list)
    n_similar: int | None = None
    safety: pl.DataFrame | None = None
    arms: pl.DataFrame | None = None
    dimensions: list[Dimension] = field(default_factory=list)
    pain_mechanisms: pl.DataFrame | None = None
    strata_cluster: str | None = None


def patient_profile(context: PatientProfileData) -> str:
    """Write one person's page as one HTML page that needs no network.

    Parameters
    ----------
    context : PatientProfileData
        Everything it may show. Drivers appear only when ``gate`` allows individual explanations, and
        differences between treatments only when it allows individual recommendations.

    Returns
    -------
    str
        HTML; equal bytes for equal input.
    """
    decision = decide(context.target, context.gate, context.effects)
    predictions = _predictions(context, decision)
    why = _why(context, decision, predictions)
    harm = harm_view(context.target, context.gate, predictions, context.arms)
    modalities = context.catalogue["modality"].unique().sort().to_list()
    return render(
        "profile.html",
        data=context,
        decision=decision,
        plain=_plain(context, predictions, why, harm),
        harm=harm,
        weighed=weighed_view(context.target, context.gate, predictions),
        caution=next((row.get("caution") for row in predictions), None),
        safety=safety_lines(context.safety),
        expected=_expected(context, predictions, personal_harm=harm is not None and harm.personal),
        classes=_classes(predictions),
        differences=_differences(context, decision),
        why=why,
        refusal=DRIVERS_REFUSED,
        stratum=stratum_view(context.assignment, context.strata_cluster),
        dimensions=dimension_rows(context.dimensions),
        mechanisms=mechanism_rows(context.pain_mechanisms),
        blocks=_blocks(context, why),
        pharmacogenes=_pharmacogenes(context),
        performance=headline_measure(context.metrics, context.gate),
        finding=finding(context.target, context.metrics, context.gate, modalities),
        outcome=outcome_words(context.target),
        response=None if context.target is None else response_words(context.target),
        unmeasured=sum(is_null(context.features.get(name)) for name in context.catalogue["feature"]),
    )


def _pharmacogenes(context: PatientProfileData) -> dict[str, Any]:
    """Write genes and drug advice in short, from the rows that the card shows."""
    genes = gene_rows(context.pgx_calls)
    groups = drug_groups(context.pgx_recommendations, genes)
    tested = [row for row in genes if row.state != "not_tested"]
    return {
        "genes": [row for row in tested if has_guideline(row.gene)],
        "others": [row for row in tested if not has_guideline(row.gene)],
        "untested": [row.gene for row in genes if row.state == "not_tested"],
        "shown": [group for group in groups if group.name in ("act", "open")],
        "shared": shared_sentence(groups),
        "folded": [group for group in groups if group.name not in ("act", "open")],
    }


def _predictions(context: PatientProfileData, decision: Decision) -> list[dict[str, Any]]:
    """Rows by expected value when the choice may be the person's, else by name: an order is a claim, too."""
    if context.predictions is None:
        return []
    ranked = context.predictions.sort("treatment", nulls_last=True)
    if decision.kind == "person":
        ranked = ranked.sort("expected", descending=True, nulls_last=True, maintain_order=True)
    return ranked.to_dicts()


def _plain(
    context: PatientProfileData, predictions: list[dict[str, Any]], why: dict[str, Any], harm: HarmView | None
) -> dict[str, Any]:
    """Collect the half that everyone can read."""
    rows = []
    shown = predictions if has_own_numbers(context.metrics, context.gate) else []
    for row in shown:
        probability = row["p_response"]
        known = not is_null(probability)
        rows.append(
            {
                "treatment": row["treatment"],
                "expected": plain_expected(context.target, row),
                "chance": plain_chance(probability),
                "dots": ten_dots(probability, in_ten(probability)) if known else None,
                "harm": plain_harm(harm, row["treatment"]),
            }
        )
    one: Explanation | None = why["one"]
    return {
        "rows": rows,
        "goal": plain_goal(context.target),
        "performance": plain_performance(context.metrics, context.gate),
        "why": plain_reason(one.by_modality, why["arm"]) if one is not None else [],
        "missing": [plain_modality(name) for name in context.missing_modalities],
        "own_rating": OWN_RATING,
    }


def _threshold(context: PatientProfileData) -> float | None:
    """Work out the fall that counts as a response for this person, when baseline and rule say it."""
    target = context.target
    if target is None or target.kind != "change" or target.response is None:
        return None
    rule = target.response
    if rule.fall_points is not None:
        return rule.fall_points
    baseline = context.features.get(target.baseline or "")
    if not isinstance(baseline, int | float) or is_null(baseline):
        return None
    if rule.fall_percent is not None:
        return rule.fall_percent / 100 * baseline
    return None if rule.at_most is None else baseline - rule.at_most


def _expected(
    context: PatientProfileData, predictions: list[dict[str, Any]], *, personal_harm: bool
) -> dict[str, Any] | None:
    """Dot and interval per treatment on one scale, with the line that counts as a response."""
    answered = [row for row in predictions if not is_null(row["expected"]) or not is_null(row["p_response"])]
    if not predictions:
        return None
    ends = [row[name] for row in answered for name in ("expected", "lower", "upper")]
    threshold = _threshold(context)
    is_change = context.target is not None and context.target.kind == "change"
    include = ([0.0] if is_change else []) + ([threshold] if threshold is not None else [])
    scale = Scale.around(ends, include=include)
    reference = threshold if threshold is not None else (0.0 if is_change else None)
    rows = []
    for row in predictions:
        text = interval(row["expected"], row["lower"], row["upper"])
        label = f"{row['treatment'] or 'outcome'}: {text}"
        strip = interval_strip(row["expected"], row["lower"], row["upper"], scale, label, reference=reference)
        told = share(row.get("p_adverse")) if personal_harm else None
        rows.append({"treatment": row["treatment"] or "no treatment", "text": text, "strip": strip,
                     "p_response": share(row["p_response"]), "p_adverse": told, "status": row["status"]})  # fmt: skip
    drawn = any(not is_null(row["expected"]) for row in predictions)
    axis = axis_strip(scale, "Scale of expected values") if drawn else None
    return {"rows": rows, "axis": axis, "threshold": threshold, "is_change": is_change, "harm": personal_harm}


def _classes(predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Probability of each class, for a target of classes."""
    return [
        {
            "treatment": row["treatment"],
            "name": name.removeprefix("p_"),
            "text": share(value),
            "strip": share_strip(value, f"{name.removeprefix('p_')}: {share(value)}"),
        }
        for row in predictions
        for name, value in row.items()
        if name.startswith("p_") and name not in ("p_response", "p_adverse") and not is_null(value)
    ]


def _differences(context: PatientProfileData, decision: Decision) -> dict[str, Any] | None:
    """Pairs of treatments, turned so that the recommended one comes first; hidden while the gate is closed."""
    effects = context.effects
    is_open = context.gate is not None and bool(context.gate.get("individual_recommendations"))
    if not is_open or effects is None or not effects.height or decision.kind not in ("person", "abstained"):
        return None
    rows = [_turned(row, decision.arm) for row in effects.iter_rows(named=True)]
    rows.sort(key=lambda row: (row["first"] != decision.arm, row["first"], row["second"]))
    scale = Scale.around([row[name] for row in rows for name in ("effect", "lower", "upper")], include=[0])
    for row in rows:
        row["text"] = interval(row["effect"], row["lower"], row["upper"], signed=True)
        row["p_better"] = share(row["p_better"])
        label = f"{row['first']} rather than {row['second']}: {row['text']}"
        row["strip"] = interval_strip(row["effect"], row["lower"], row["upper"], scale, label, reference=0)
    return {"rows": rows, "axis": axis_strip(scale, "Scale of differences")}


def _turned(row: dict[str, Any], first: str | None) -> dict[str, Any]:
    a, b = row["treatment_a"], row["treatment_b"]
    kept = {"status": row["status"]}
    if first is None or b != first:
        figures = {name: row[name] for name in ("effect", "lower", "upper", "p_better")}
        return kept | figures | {"first": a, "second": b}
    negative = {name: None if row[name] is None else -row[name] for name in ("effect", "lower", "upper")}
    better = None if row["p_better"] is None else 1 - row["p_better"]
    ends = {"effect": negative["effect"], "lower": negative["upper"], "upper": negative["lower"]}
    return kept | ends | {"p_better": better, "first": b, "second": a}


def _why(context: PatientProfileData, decision: Decision, predictions: list[dict[str, Any]]) -> dict[str, Any]:
    """Attributions of one treatment and its contrast with the next best; refused without the gate's leave."""
    allowed = context.gate is not None and bool(context.gate.get("individual_explanations"))
    view: dict[str, Any] = {"allowed": allowed, "one": None, "contrast": None, "arm": None}
    if not allowed or context.shap is None or not context.shap.height:
        return view
    units = dict(context.catalogue.select("feature", "unit").iter_rows())
    known = [row for row in predictions if not is_null(row["expected"])]
    ranked = [row["treatment"] for row in sorted(known, key=lambda row: -row["expected"])]
    arm = decision.arm or next(iter(ranked), context.shap["treatment"][0])
    class_ = next((row["name"] for row in sorted(_classes(predictions), key=_size_of_share)), None)
    view["arm"] = arm
    view["one"] = explain_one(context.shap, context.base, arm, context.features, units, class_)
    others = [other for other in ranked if other != arm]
    if others and arm is not None and decision.kind == "person":
        view["contrast"] = explain_contrast(context.shap, arm, others[0], context.features, units)
    return view


def _size_of_share(row: dict[str, Any]) -> float:
    """Sort key: the likeliest class first."""
    return -float(row["text"].strip("<>%"))


def _blocks(context: PatientProfileData, why: dict[str, Any]) -> list[dict[str, Any]]:
    """Features by modality; a modality without any value takes one line, a huge one shows what moved the model."""
    known = context.catalogue["modality"].unique().sort().to_list()
    order = sorted(known, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
    one: Explanation | None = why["one"]
    drivers = [] if one is None else [part.label for part in one.features]
    blocks = []
    for modality in order:
        rows = context.catalogue.filter(pl.col("modality") == modality).to_dicts()
        measured = sum(not is_null(context.features.get(row["feature"])) for row in rows)
        shown = rows if len(rows) <= _MOST_ROWS else [row for row in rows if row["feature"] in drivers]
        blocks.append(
            {
                "modality": modality,
                "measured": measured,
                "total": len(rows),
                "hidden": len(rows) - len(shown),
                "rows": [_feature_row(row, context) for row in shown] if measured else [],
            }
        )
    return blocks


def _feature_row(row: dict[str, Any], context: PatientProfileData) -> dict[str, Any]:
    value = quantity(context.features.get(row["feature"]), row["unit"])
    percentile = context.percentiles.get(row["feature"])
    known = value != NOT_MEASURED and not is_null(percentile)
    text = number(percentile, 0) if known else ""
    label = f"{row['feature']}: percentile {text}"
    unit = "" if value == NOT_MEASURED or row["unit"] in ("0/1", "category", "count", "score") else row["unit"]
    return {
        "feature": row["feature"],
        "description": row["description"],
        "value": value,
        "unit": unit,
        "percentile": text,
        "strip": percentile_strip(percentile, label) if known else "",
    }
