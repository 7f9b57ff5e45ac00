"""Invented people and results for the pages: `uv run python -m tests.report.demo FOLDER` writes them to look at."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nociomics.pharmacogenomics.calling import call_pharmacogenes
from nociomics.pharmacogenomics.recommendation import recommend_drugs
from nociomics.report.pages import (
    CohortReportData,
    PatientProfileData,
    cohort_report,
    patient_profile,
    quality_report,
)
from nociomics.report.pgx_card import codeine_side_by_side
from nociomics.tables.study import ResponseRule, Target

ARMS = ("NSAID", "SNRI", "tramadol", "CBT")
TARGET = Target(
    kind="change",
    outcome="bpi_severity_week12",
    baseline="bpi_severity",
    response=ResponseRule(fall_percent=30, fall_points=None, at_most=None),
    treatment="arm",
    groups="site",
    adverse_event="adverse_event",
)
OPEN = {
    "individual_recommendations": True,
    "individual_explanations": True,
    "best_fixed": "SNRI",
    "reasons": ["SNRI against NSAID: slope 0.71, one-sided p 0.004", "AUTOC above 0 in 5 of 5 cross-fits"],
}
CLOSED = OPEN | {
    "individual_recommendations": False,
    "individual_explanations": False,
    "reasons": ["no contrast passes the heterogeneity test after Holm's correction (smallest p 0.31)"],
}
_FEATURES = (
    ("age", "clinical", "age", "years", "age at baseline", "numeric"),
    ("sex", "clinical", "sex", "category", "", "category"),
    ("bpi_severity", "questionnaires", "bpi_sf", "points", "pain severity, mean of 4 answers", "numeric"),
    ("bpi_interference", "questionnaires", "bpi_sf", "points", "pain interference, mean of 7 answers", "numeric"),
    ("pcs_total", "questionnaires", "pcs", "score", "pain catastrophising, sum", "numeric"),
    ("dn4_total", "questionnaires", "dn4", "count", "neuropathic signs, count", "numeric"),
    ("il6_pg_per_ml", "biomarkers", "IL-6", "pg/mL", "interleukin 6, serum", "numeric"),
    ("crp_mg_per_l", "biomarkers", "CRP", "mg/L", "C-reactive protein, serum", "numeric"),
    ("cortisol_nmol_per_l", "biomarkers", "cortisol", "nmol/L", "morning cortisol", "numeric"),
    ("cyp2d6_activity_score", "pgx", "CYP2D6", "score", "activity score", "numeric"),
    ("expression_1", "expression", "expression", "score", "component of gene activity", "numeric"),
    ("expression_2", "expression", "expression", "score", "component of gene activity", "numeric"),
)


def codeine_page() -> str:
    """The same tablet in a poor, a normal and an ultrarapid metaboliser."""
    people = {"Poor": "*4/*4", "Normal": "*1/*1", "Ultrarapid": "*1x2/*2"}
    outside = pl.DataFrame({"patient_id": list(people), "gene": "CYP2D6", "diplotype": list(people.values())})
    calls = call_pharmacogenes(None, outside, list(people))
    return codeine_side_by_side(calls, recommend_drugs(calls))


def catalogue() -> pl.DataFrame:
    rows = [
        {
            "feature": feature,
            "modality": modality,
            "group": group,
            "unit": unit,
            "measured_at": "baseline",
            "description": description,
            "missing_share": 0.02 * index if modality != "expression" else 0.18,
            "kind": kind,
            "within": None,
            "low": None,
            "high": None,
        }
        for index, (feature, modality, group, unit, description, kind) in enumerate(_FEATURES)
    ]
    return pl.DataFrame(rows, schema_overrides={"within": pl.String, "low": pl.Float64, "high": pl.Float64})


def flow() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "step": ["in the patients table", "pain for 3 months or more", "treated", "outcome observed"],
            "people": [612, 604, 600, 561],
            "left_out": [0, 8, 4, 39],
            "reason": ["", "pain_months below 3", "no arm recorded", "no outcome at week 12; kept for prediction"],
        }
    )


def findings() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "table": ["biomarkers", "questionnaires", "genotype"],
            "column": ["value", "bdi_21", None],
            "severity": ["warning", "warning", "info"],
            "count": [148, 31, 600],
            "message": [
                "CRP of site 2 is ten times smaller than elsewhere (first: row 19). Check the unit: mg/dL or mg/L?",
                "5% of answers are missing, against 2% elsewhere.",
                "build GRCh38 by a vote of 214 reference bases.",
            ],
        }
    )


def arms() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "treatment": list(ARMS),
            "people": [151, 148, 150, 151],
            "with_outcome": [143, 139, 136, 143],
            "responders": [60, 73, 56, 61],
            "response_share_of_all": [0.397, 0.493, 0.373, 0.404],
            "response_share_of_observed": [0.42, 0.525, 0.412, 0.427],
            "mean_baseline": [6.21, 6.3, 6.27, 6.24],
            "mean_outcome": [4.52, 4.18, 4.49, 4.47],
            "mean_fall": [1.69, 2.12, 1.78, 1.77],
            "adverse_events": [27, 35, 48, 9],
            "adverse_known": [143, 139, 136, 143],
        }
    )


def measure(
    value: float | None, lower: float | None, upper: float | None, method: str = "bootstrap over patients"
) -> dict:
    return {"value": value, "lower": lower, "upper": upper, "n": 561, "method": method}


def metrics(auroc: tuple[float, float, float] = (0.64, 0.59, 0.69), clinical: float = 0.6) -> dict[str, dict]:
    gain = auroc[0] - clinical
    return {
        "auroc": measure(*auroc, "mean within fold, 5 x 5 grouped folds, BCa bootstrap over patients"),
        "auroc_treatment_only": measure(0.54, 0.49, 0.58),
        "auroc_without_treatment": measure(0.61, 0.56, 0.65),
        "auroc_clinical_only": measure(clinical, clinical - 0.05, clinical + 0.05),
        "auroc_gain_over_treatment_only": measure(
            auroc[0] - 0.54, auroc[0] - 0.58, auroc[0] - 0.49, "paired bootstrap"
        ),
        "auroc_gain_over_clinical_only": measure(gain, gain - 0.03, gain + 0.03, "paired bootstrap"),
        "brier": measure(0.231, 0.222, 0.24),
        "scaled_brier": measure(0.07, 0.03, 0.11),
        "calibration_slope": measure(1.04, 0.78, 1.31),
        "calibration_in_the_large": measure(-0.02, -0.19, 0.15),
        "ici": measure(0.021, 0.011, 0.046),
        "mae": measure(1.41, 1.33, 1.5),
        "coverage_90": measure(0.91, 0.88, 0.93),
        "permutation_p": measure(0.005, None, None, "200 refits, labels permuted within site and arm"),
        "policy_value": measure(2.31, 2.14, 2.48, "doubly robust, held-out folds"),
        "policy_value_best_fixed": measure(2.1, 1.95, 2.25, "doubly robust, held-out folds"),
        "policy_gain": measure(0.21, 0.05, 0.37, "paired, doubly robust"),
    }


def subgroups() -> list[dict[str, Any]]:
    """As from `evaluate.subgroups.subgroup_table`: one level is too small to show."""
    levels = {"sex": ("F", "M"), "age_band": ("40 to 64", "65 and over", "under 40")}
    figures = {"F": 0.66, "M": 0.62, "40 to 64": 0.65, "65 and over": None, "under 40": 0.6}
    return [
        {"trait": trait, "level": level, "metric": "auroc", "accepted": None}
        | (
            {"n": None, "value": None, "lower": None, "upper": None, "note": "too few to show"}
            if figures[level] is None
            else {"n": 180, "value": figures[level], "lower": figures[level] - 0.09, "upper": 0.74, "note": None}
        )
        for trait, names in levels.items()
        for level in names
    ]


def _people(n: int = 300) -> pl.DataFrame:
    rng = np.random.default_rng(7)
    kind = rng.integers(0, 3, n)
    ids = [f"P{i:04d}" for i in range(n)]
    chances = rng.dirichlet((0.4, 0.4, 0.4), n)
    top = chances.max(axis=1)
    return pl.DataFrame(
        {
            "patient_id": ids,
            "stratum": [f"S{k + 1}" for k in kind],
            "entropy": -(chances * np.log(chances + 1e-12)).sum(axis=1),
            "atypical": rng.random(n) < 0.01,
            "between": top < 0.6,
            **{f"p_S{k + 1}": chances[:, k] for k in range(3)},
        }
    )


def shap_rows(patient_id: str = "P0001") -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(3)
    rows = [
        {
            "patient_id": patient_id,
            "treatment": arm,
            "feature": feature,
            "modality": modality,
            "group": group,
            "feature_value": None,
            "shap_value": float(rng.normal(0.06 if arm == "SNRI" else 0, 0.16)),
        }
        for arm in ARMS
        for feature, modality, group, *_ in _FEATURES
    ]
    base = pl.DataFrame({"treatment": list(ARMS), "base_value": [1.7, 2.1, 1.8, 1.75]})
    return pl.DataFrame(rows, schema_overrides={"feature_value": pl.Float64}), base


def importance() -> pl.DataFrame:
    """As in `IMPORTANCE`: every feature, group and modality under every treatment."""
    shap, _ = shap_rows()
    rows = []
    for level, name in (("feature", "feature"), ("group", "group"), ("modality", "modality")):
        sizes = shap.group_by("treatment", name, *{"modality"} - {name}).agg(pl.col("shap_value").sum())
        for row in sizes.sort("treatment", name).iter_rows(named=True):
            size = abs(row["shap_value"])
            rows.append(
                {
                    "level": level, "name": row[name], "modality": row["modality"], "treatment": row["treatment"],
                    "mean_abs_shap": size, "lower": 0.7 * size, "upper": 1.4 * size, "mean_shap": row["shap_value"] / 9,
                    "people": 561, "refits": 20,
                }
            )  # fmt: skip
    return pl.DataFrame(rows)


def stability() -> pl.DataFrame:
    """As in `EXPLANATION_STABILITY`."""
    return pl.DataFrame(
        {
            "treatment": list(ARMS),
            "people": 561,
            "refits": 20,
            "rank_correlation": [0.51, 0.63, 0.5, 0.48],
            "rank_correlation_halves": [0.85, 0.88, 0.82, None],
        }
    )


def dependence() -> pl.DataFrame:
    """As in `DEPENDENCE`: one feature with numbers, one with levels, and people who lack the first."""
    rows = []
    for arm in ARMS:
        for place in range(4):
            mean = 0.1 * place - 0.15
            rows.append(_bin(arm, "dn4_total", 1, "values", place + 1, mean, mean_value=2.0 * place))
        rows.append(_bin(arm, "dn4_total", 1, "not_measured", 5, 0.01))
        rows += [_bin(arm, "sex", 2, "level", place + 1, 0.02, level=name) for place, name in enumerate("FM")]
    return pl.DataFrame(rows, infer_schema_length=None)


def _bin(arm: str, feature: str, rank: int, kind: str, place: int, mean: float, **told: Any) -> dict[str, Any]:
    empty = {"level": None, "from_value": None, "to_value": None, "mean_value": None}
    named = {"treatment": arm, "feature": feature, "modality": "questionnaires", "group": "dn4", "rank": rank}
    figures = {"people": 140, "mean_shap": mean, "lower": mean - 0.05, "upper": mean + 0.05}
    return named | {"kind": kind, "bin": place} | empty | told | figures


def cohort(**changes: Any) -> CohortReportData:
    assigned = _people()
    curve = np.linspace(0.2, 0.8, 25)
    thresholds = np.linspace(0.05, 0.75, 30)
    rng = np.random.default_rng(5)
    expected = rng.normal(2, 0.6, (300, 4))
    predictions = pl.DataFrame(
        {
            "patient_id": [f"P{i:04d}" for i in range(300) for _ in ARMS],
            "treatment": list(ARMS) * 300,
            "expected": expected.ravel(),
            "lower": expected.ravel() - 2.5,
            "upper": expected.ravel() + 2.5,
            "p_response": 1 / (1 + np.exp(-(expected.ravel() - 1.9))),
            "status": ["ok"] * 1200,
        }
    )
    best = [
        ARMS[i] if gap > 0.2 else None
        for i, gap in zip(expected.argmax(1), np.ptp(expected[:, :2], axis=1), strict=True)
    ]
    effects = pl.DataFrame(
        {
            "patient_id": [f"P{i:04d}" for i in range(300)],
            "treatment_a": "SNRI",
            "treatment_b": "NSAID",
            "effect": expected[:, 1] - expected[:, 0],
            "lower": expected[:, 1] - expected[:, 0] - 0.8,
            "upper": expected[:, 1] - expected[:, 0] + 0.8,
            "p_better": 0.6,
            "recommended": best,
            "status": ["ok" if arm else "abstained: the difference is smaller than its error" for arm in best],
        }
    )
    whole = CohortReportData(
        study="demo",
        version="0.1.0",
        created="2026-11-21",
        target=TARGET,
        flow=flow(),
        findings=findings(),
        catalogue=catalogue(),
        arms=arms(),
        metrics=metrics(),
        gate=OPEN,
        curves={
            "calibration": {"predicted": curve.tolist(), "observed": (curve + 0.04 * np.sin(7 * curve)).tolist()},
            "net_benefit": {
                "threshold": thresholds.tolist(),
                "model": (0.45 - 0.55 * thresholds + 0.06 * np.sin(3 * thresholds)).tolist(),
                "treat_all": (0.45 - 0.55 * thresholds / (1 - thresholds)).tolist(),
            },
            "subgroups": subgroups(),
            "policies": [
                {"policy": "model", "treatment": None, "value": 2.31, "lower": 2.14, "upper": 2.48, "n": 561},
                {"policy": "best_fixed", "treatment": None, "value": 2.1, "lower": 1.95, "upper": 2.25, "n": 561},
                {"policy": "fixed", "treatment": "CBT", "value": 1.81, "lower": 1.6, "upper": 2.02, "n": 561},
            ],
        },
        strata_summary={
            "k": 3,
            "bic_gain": 28.6,
            "evidence": "strong",
            "bic": {"1": 5210.0, "2": 5188.2, "3": 5181.4, "4": 5193.0},
            "stability": {"jaccard": {"S1": 0.82, "S2": 0.77, "S3": 0.58}, "agreement": 0.71},
            "site_cramers_v": 0.07,
        },
        assignments=assigned,
        importance=importance(),
        stability=stability(),
        dependence=dependence(),
        effects=effects,
        predictions=predictions,
        provenance={"commit": "b975825", "seed": "1", "config_sha256": "4f0c" * 16, "polars": "2.1.0"},
    )
    return dataclasses.replace(whole, **changes)


def person(**changes: Any) -> PatientProfileData:
    shap, base = shap_rows()
    values: dict[str, Any] = {
        "age": 54.0, "sex": "F", "bpi_severity": 6.25, "bpi_interference": 6.857, "pcs_total": 31.0, "dn4_total": 7.0,
        "il6_pg_per_ml": 3.4182, "crp_mg_per_l": None, "cortisol_nmol_per_l": 288.4, "cyp2d6_activity_score": 1.0,
        "expression_1": None, "expression_2": None,
    }  # fmt: skip
    sums = {arm: value for arm, value in shap.group_by("treatment").agg(pl.col("shap_value").sum()).iter_rows()}
    expected = [b + sums[arm] for arm, b in base.iter_rows()]
    predictions = pl.DataFrame(
        {
            "patient_id": "P0001",
            "treatment": list(ARMS),
            "expected": expected,
            "lower": [value - 2.6 for value in expected],
            "upper": [value + 2.6 for value in expected],
            "p_response": [0.38, 0.61, 0.41, 0.44],
            "p_adverse": [0.22, 0.31, 0.36, 0.07],
            "status": "ok",
            "caution": None,
        }
    )
    pairs = [(a, b) for i, a in enumerate(ARMS) for b in ARMS[i + 1 :]]
    by_arm = dict(zip(ARMS, expected, strict=True))
    effects = pl.DataFrame(
        {
            "patient_id": "P0001",
            "treatment_a": [a for a, _ in pairs],
            "treatment_b": [b for _, b in pairs],
            "effect": [by_arm[a] - by_arm[b] for a, b in pairs],
            "lower": [by_arm[a] - by_arm[b] - 0.7 for a, b in pairs],
            "upper": [by_arm[a] - by_arm[b] + 0.7 for a, b in pairs],
            "p_better": [0.1, 0.5, 0.45, 0.88, 0.9, 0.5],
            "recommended": "SNRI",
            "status": "ok",
        }
    )
    whole = PatientProfileData(
        patient_id="P0001",
        study="demo",
        features=values,
        catalogue=catalogue(),
        percentiles={name: 7.5 * (index + 2) if name != "sex" else None for index, name in enumerate(values)},
        pgx_calls=pl.DataFrame(
            {
                "sample": "P0001",
                "gene": ["CYP2D6", "CYP2C9"],
                "diplotype_top": ["*1/*4", "*1/*1"],
                "diplotype_candidates": ["*1/*4|*1/*10", "*1/*1"],
                "phenotype": [None, "Normal Metabolizer"],
                "phenotype_candidates": ["Intermediate Metabolizer|Normal Metabolizer", "Normal Metabolizer"],
                "phenotype_certain": [False, True],
                "activity_score_min": [1.0, 2.0],
                "activity_score_max": [1.25, 2.0],
            }
        ),
        pgx_recommendations=pl.DataFrame(
            {
                "sample": "P0001",
                "drug": ["tramadol", "celecoxib", "gabapentin", "pregabalin"],
                "category": ["USE_LABEL_MONITOR", "USE_LABEL", "NO_ACTIONABLE_PGX", "NO_ACTIONABLE_PGX"],
                "strength": ["Optional", "Strong", None, None],
                "certain": [False, True, None, None],
                "genes_used": ["CYP2D6", "CYP2C9", None, None],
                "guideline": ["CPIC CYP2D6/OPRM1/COMT opioids", "CPIC CYP2C9 NSAIDs", None, None],
                "year": [2021, 2020, None, None],
                "pmid": ["33387367", "32189324", None, None],
                "text": ["label dose; if no response use an opioid other than codeine", "label dose", None, None],
            }
        ),
        assignment={"patient_id": "P0001", "stratum": "S2", "p_S1": 0.2, "p_S2": 0.71, "p_S3": 0.09,
                    "entropy": 0.78, "atypical": False, "between": False},
        predictions=predictions,
        effects=effects,
        shap=shap,
        base=base,
        gate=OPEN,
        metrics=metrics(),
        target=TARGET,
        missing_modalities=["expression"],
        arms=arms(),
        n_similar=41,
    )  # fmt: skip
    return dataclasses.replace(whole, **changes)


def class_predictions() -> pl.DataFrame:
    """One person's probabilities of two classes, in a study without treatments."""
    absent = {name: pl.Series([None], dtype=pl.Float64) for name in ("expected", "lower", "upper", "p_response")}
    return pl.DataFrame(
        {
            "patient_id": ["P1"],
            "treatment": pl.Series([None], dtype=pl.String),
            **absent,
            "p_mild": [0.7],
            "p_severe": [0.3],
            "status": ["ok"],
        }
    )


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    nothing = metrics((0.51, 0.45, 0.57), 0.51)
    one = {"k": 1, "evidence": "none", "bic": {"1": 5210.0, "2": 5244.0}}
    pages = {
        "open.html": cohort_report(cohort()),
        "null.html": cohort_report(cohort(metrics=nothing, gate=CLOSED, strata_summary=one)),
        "bare.html": cohort_report(CohortReportData("bare", "0.1.0", "", None, flow(), findings(), catalogue())),
        "person.html": patient_profile(person()),
        "person_closed.html": patient_profile(person(gate=CLOSED, metrics=nothing)),
        "quality.html": quality_report(findings(), flow(), catalogue(), "demo"),
    }
    for name, page in pages.items():
        (folder / name).write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
