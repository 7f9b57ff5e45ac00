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
    plain_similar,
)
from nociomics.report.dials import Dials, dials_view
from nociomics.report.explanation import Explanation, explain_contrast, explain_one, stability_words
from nociomics.report.formats import NOT_MEASURED, in_ten, is_null, number, quantity
from nociomics.report.molecules import Molecules, molecules_view
from nociomics.report.options import HarmView, harm_view
from nociomics.report.options_weighed import weighed_view
from nociomics.report.pgx_advice import drug_groups, shared_sentence
from nociomics.report.pgx_rows import gene_rows, has_guideline
from nociomics.report.plots import ten_dots
from nociomics.report.profile_expected import class_rows, differences_view, expected_view
from nociomics.report.profile_strata import Dimension, dimension_rows, mechanism_rows, stratum_view
from nociomics.report.rendering import render
from nociomics.report.safety import safety_lines
from nociomics.report.similar_people import MEANING
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
_MOST_FACTS = 8
_LONG_PAGE, _LONGEST_PAGE = 20, 52  # lines of tables, from which two A4 pages would not hold them in the usual type
_MOST_PLAIN = 12  # treatments that the plain half spells out; to pick some of more would be a claim
_UNSPOKEN = ("0/1", "category", "count", "score")
_ORDER = ("clinical", "questionnaires", "biomarkers", "pgx", "genotype", "expression")


@dataclass(frozen=True)
class CatalogueRows:
    """The catalogue as plain rows by modality, the same on every page of a study."""

    by_modality: dict[str, list[dict[str, Any]]]
    units: dict[str, str]
    measured_at: dict[str, str]

    @classmethod
    def of(cls, catalogue: pl.DataFrame) -> CatalogueRows:
        """Lay out a `FEATURE_CATALOGUE`; modalities stand in the order of the page."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for row in catalogue.to_dicts():
            rows.setdefault(row["modality"], []).append(row)
        order = sorted(rows, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
        told = [catalogue[name].to_list() for name in ("feature", "unit", "measured_at")]
        return cls(
            {name: rows[name] for name in order},
            dict(zip(told[0], told[1], strict=True)),
            dict(zip(told[0], told[2], strict=True)),
        )


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
        Similar people in the cohort, see `similar_people.similar_counts`; None = not measured.
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
    dates : mapping of group to str
        When this person answered a questionnaire or gave a sample, by its group in the catalogue; what was not
        recorded is left out.
    stability : DataFrame or None
        As in `EXPLANATION_STABILITY`.
    catalogue_rows : CatalogueRows or None
        The catalogue laid out once for many pages; None: laid out for this one.
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
    dates: Mapping[str, str] = field(default_factory=dict)
    stability: pl.DataFrame | None = None
    catalogue_rows: CatalogueRows | None = None


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
    facts = context.catalogue_rows or CatalogueRows.of(context.catalogue)
    predictions = _predictions(context, decision)
    why = _why(context, facts, decision, predictions)
    harm = harm_view(context.target, context.gate, predictions, context.arms)
    dials = dials_view(context.features, context.percentiles, facts.measured_at, context.dates)
    molecules = molecules_view(
        facts.by_modality.get("biomarkers", []), context.features, context.percentiles, context.dates
    )
    differences = differences_view(context.gate, context.effects, decision)
    pharmacogenes = _pharmacogenes(context)
    return render(
        "profile.html",
        data=context,
        length=_length(dials, molecules, pharmacogenes, predictions, differences, why),
        who=_who(context, facts),
        decision=decision,
        plain=_plain(context, predictions, why, harm, dials),
        harm=harm,
        weighed=weighed_view(context.target, context.gate, predictions),
        caution=next((row.get("caution") for row in predictions), None),
        safety=safety_lines(context.safety),
        expected=expected_view(context.target, context.features, predictions, harm),
        classes=class_rows(predictions),
        differences=differences,
        why=why,
        refusal=DRIVERS_REFUSED,
        dials=dials,
        molecules=molecules,
        stratum=stratum_view(context.assignment, context.strata_cluster),
        dimensions=dimension_rows(context.dimensions),
        mechanisms=mechanism_rows(context.pain_mechanisms),
        blocks=_blocks(context, facts, why),
        pharmacogenes=pharmacogenes,
        performance=headline_measure(context.metrics, context.gate),
        finding=finding(context.target, context.metrics, context.gate, sorted(facts.by_modality)),
        outcome=outcome_words(context.target),
        response=None if context.target is None else response_words(context.target),
        unmeasured=sum(is_null(context.features.get(name)) for name in facts.units),
        total=len(facts.units),
        similar=MEANING,
    )


def _length(
    dials: Dials,
    molecules: Molecules,
    pharmacogenes: dict[str, Any],
    predictions: list[dict[str, Any]],
    differences: dict[str, Any] | None,
    why: dict[str, Any],
) -> str:
    """Say whether there is so much to tell that it is printed in smaller type, to stay on two pages."""
    advice = sum(len(group.rows) for group in pharmacogenes["shown"])
    contrast = 0 if why["contrast"] is None else len(why["contrast"].groups)
    pairs = 0 if differences is None else len(differences["shown"])
    lines = 2 * advice + len(dials.rows) + len(molecules.rows) + max(len(predictions), pairs) + contrast
    return "long longest" if lines > _LONGEST_PAGE else "long" if lines > _LONG_PAGE else ""


def _who(context: PatientProfileData, facts: CatalogueRows) -> list[tuple[str, str]]:
    """Baseline facts in a line; the study's own id is the only one that tells who it is."""
    told = []
    for row in facts.by_modality.get("clinical", [])[:_MOST_FACTS]:
        shown = quantity(context.features.get(row["feature"]), row["unit"])
        unit = "" if shown == NOT_MEASURED or row["unit"] in _UNSPOKEN else f" {row['unit']}"
        told.append((row["feature"].replace("_", " "), shown + unit))
    return told


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
    context: PatientProfileData,
    predictions: list[dict[str, Any]],
    why: dict[str, Any],
    harm: HarmView | None,
    dials: Dials,
) -> dict[str, Any]:
    """Collect the half that everyone can read."""
    rows = []
    shown = predictions if has_own_numbers(context.metrics, context.gate) else []
    many = len(shown) > _MOST_PLAIN
    for row in [] if many else shown:
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
        "many": len(shown) if many else 0,
        "goal": plain_goal(context.target),
        "performance": plain_performance(context.metrics, context.gate),
        "why": plain_reason(one.by_modality, why["arm"]) if one is not None else [],
        "dials": [(row.plain_name, row.value, row.of, row.better) for row in dials.rows],
        "missing": [plain_modality(name) for name in context.missing_modalities],
        "asked": dials.plain_absent,
        "similar": plain_similar(context.n_similar),
        "own_rating": OWN_RATING,
    }


def _why(
    context: PatientProfileData, facts: CatalogueRows, decision: Decision, predictions: list[dict[str, Any]]
) -> dict[str, Any]:
    """Attributions of one treatment and its contrast with the next best; refused without the gate's leave."""
    allowed = context.gate is not None and bool(context.gate.get("individual_explanations"))
    view: dict[str, Any] = {"allowed": allowed, "one": None, "contrast": None, "arm": None, "stable": ""}
    if not allowed or context.shap is None or not context.shap.height:
        return view
    known = [row for row in predictions if not is_null(row["expected"])]
    ranked = [row["treatment"] for row in sorted(known, key=lambda row: -row["expected"])]
    arm = decision.arm or next(iter(ranked), context.shap["treatment"][0])
    class_ = next((row["name"] for row in sorted(class_rows(predictions), key=lambda row: -row["share"])), None)
    view["arm"], view["class"] = arm, class_
    view["one"] = explain_one(context.shap, context.base, arm, context.features, facts.units, class_)
    view["stable"] = stability_words(context.stability, arm, class_)
    others = [other for other in ranked if other != arm]
    if others and arm is not None and decision.kind == "person":
        told = (context.features, facts.units, context.base)
        view["contrast"] = explain_contrast(context.shap, arm, others[0], *told)
    return view


def _blocks(context: PatientProfileData, facts: CatalogueRows, why: dict[str, Any]) -> list[dict[str, Any]]:
    """Features by modality; a modality without any value takes one line, a huge one shows what moved the model."""
    one: Explanation | None = why["one"]
    drivers = set() if one is None else {part.label for part in one.features}
    blocks = []
    for modality, rows in facts.by_modality.items():
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
    return {
        "feature": row["feature"],
        "description": row["description"],
        "value": value,
        "unit": "" if value == NOT_MEASURED or row["unit"] in _UNSPOKEN else row["unit"],
        "percentile": number(percentile, 0) if known else "",
    }
