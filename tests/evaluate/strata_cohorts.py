"""Small invented cohorts in which it is known what makes people differ: types, a batch, a site, or gaps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from nociomics.evaluate import strata_agreement
from nociomics.evaluate.strata_description import FoundStrata, StrataDescription, describe_strata
from nociomics.models.settings import BlockSettings, StrataSettings
from nociomics.models.stratification import StratumModel
from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES, TARGET_ROWS
from nociomics.tables.ingested import BIOMARKERS
from nociomics.tables.study import ResponseRule, Study, Target

SETTINGS = StrataSettings(factors=2, largest_k=3, starts=2, bootstraps=0)
SCORES = ("dn4_total", "pcs_total", "bdi_total", "bpi_severity")
ANALYTES = ("crp_mg_per_l", "il6_pg_per_ml", "tnf_alpha_pg_per_ml")
PROTEINS = ("p1", "p2", "p3", "p4")
ARMS = ("cbt", "snri")


@dataclass(frozen=True)
class Cohort:
    """Harmonised tables of one cohort, and who belongs together in truth."""

    features: pl.DataFrame
    catalogue: pl.DataFrame
    target: pl.DataFrame
    tables: dict[str, pl.DataFrame]
    study: Study
    truth: np.ndarray

    def changed(self, **parts: Any) -> Cohort:
        """The same cohort with some parts replaced."""
        return replace(self, **parts)


def cohort(
    people: int = 400,
    types: float = 0.0,
    batch: float = 0.0,
    site: float = 0.0,
    effect: float = 0.0,
    seed: int = 1,
    sites: int = 3,
) -> Cohort:
    """Draw a cohort.

    Parameters
    ----------
    types : float
        How many SD two types of people are apart, in pain by nerves and in analytes.
    batch : float
        How many SD the second of two plates lies above the first, in every analyte and protein.
    site : float
        How many SD the first site lies above the others, in every score.
    effect : float
        Points that the treatments' difference grows by per SD of the first score.
    """
    rng = np.random.default_rng(seed)
    kind, plate = rng.integers(0, 2, people), rng.integers(0, 2, people)
    centre = rng.integers(0, sites, people)
    common = rng.normal(size=(people, 3))
    columns: dict[str, np.ndarray] = {}
    for place, name in enumerate(SCORES):
        toward = types * kind * (1.0 if place == 0 else 0.4)
        columns[name] = 5 + toward + site * (centre == 0) + 0.8 * common[:, 0] + 0.6 * rng.normal(size=people)
    for name in ANALYTES:
        level = 0.8 * common[:, 1] + 0.6 * rng.normal(size=people) - types * kind + batch * plate
        columns[name] = np.exp(0.5 * level)
    for name in PROTEINS:
        columns[name] = 0.8 * common[:, 2] + 0.6 * rng.normal(size=people) + batch * plate
    ids = [f"P{number:04d}" for number in range(people)]
    sex = np.where(rng.random(people) < 0.6, "F", "M").tolist()
    names = [f"s{one}" for one in centre]
    features = pl.DataFrame(
        {"patient_id": ids, "age": rng.normal(52, 13, people).clip(18, 90), "sex": sex, "site": names, **columns}
    )
    arm = rng.integers(0, 2, people)
    first = (columns[SCORES[0]] - columns[SCORES[0]].mean()) / columns[SCORES[0]].std()
    fall = 1 + effect * np.where(arm == 1, first, -first) + rng.normal(size=people)
    rows = TARGET_ROWS.check(_target_rows(ids, arm, columns["bpi_severity"], fall))
    tables = {"patients": features.select("patient_id", "age", "sex", "site"), "biomarkers": _plates(ids, plate)}
    study = Study(
        study="invented",
        tables={"patients": "patients.csv", "biomarkers": "b.csv", "outcomes": "o.csv", "treatments": "t.csv"},
        target=Target(
            kind="change",
            outcome="pain_week12",
            baseline="bpi_severity",
            treatment="arm",
            response=ResponseRule(fall_percent=30),
        ),
    )
    return Cohort(FEATURES.check(features), catalogue_of(features), rows, tables, study, kind)


def catalogue_of(features: pl.DataFrame) -> pl.DataFrame:
    """The catalogue of these features."""
    modality = {**dict.fromkeys(SCORES, "questionnaires"), **dict.fromkeys(ANALYTES, "biomarkers")}
    modality |= dict.fromkeys(PROTEINS, "proteins")
    rows = [
        {
            "feature": name,
            "modality": modality.get(name, "clinical"),
            "group": name.split("_")[0],
            "unit": "score" if name in SCORES else "category" if kind == pl.String else "unit",
            "measured_at": "baseline",
            "description": "invented",
            "missing_share": 0.0,
            "kind": "category" if kind == pl.String else "numeric",
            "within": None,
            "low": None,
            "high": None,
        }
        for name, kind in features.drop("patient_id").schema.items()
    ]
    text = dict.fromkeys(("feature", "modality", "group", "unit", "measured_at", "description"), pl.String)
    numbers = {"missing_share": pl.Float64, "kind": pl.String, "within": pl.String, "low": pl.Float64}
    return FEATURE_CATALOGUE.check(pl.DataFrame(rows, schema={**text, **numbers, "high": pl.Float64}))


def found_strata(one: Cohort, settings: StrataSettings = SETTINGS) -> FoundStrata:
    """Look for strata as the workflow does."""
    model = StratumModel(settings, BlockSettings(), 1).fit(one.features, one.catalogue)
    scores, measured = model.scores(one.features)
    columns = {f"factor_{place + 1}": scores[:, place] for place in range(scores.shape[1])}
    frame = pl.DataFrame({"patient_id": one.features["patient_id"], **columns}).filter(pl.Series(measured))
    return FoundStrata(model.assign(one.features), frame, int(model.k_))


def described(one: Cohort, found: FoundStrata | None = None, settings: StrataSettings = SETTINGS) -> StrataDescription:
    """Find strata and describe them."""
    strata = found_strata(one, settings) if found is None else found
    with pytest.MonkeyPatch.context() as quick:
        quick.setattr(strata_agreement, "_SPLITS", 1)
        quick.setattr(strata_agreement, "_SEEDS", 2)
        return describe_strata(
            one.tables, one.features, one.catalogue, one.target, one.study, strata, settings, BlockSettings(), 1
        )


def _plates(ids: list[str], plate: np.ndarray) -> pl.DataFrame:
    columns = {column.name: column for column in BIOMARKERS.columns if column.required}
    filled: dict[str, Any] = {"patient_id": ids, "analyte": ["crp"] * len(ids), "plate": [f"plate{p}" for p in plate]}
    kinds = {"number": 1.0, "boolean": False, "text": "mg/L"}
    for name, column in columns.items():
        filled.setdefault(name, [kinds.get(column.kind)] * len(ids))
    return pl.DataFrame(filled)


def _target_rows(ids: list[str], arm: np.ndarray, baseline: np.ndarray, fall: np.ndarray) -> pl.DataFrame:
    count = len(ids)
    return pl.DataFrame(
        {
            "patient_id": ids,
            "treatment": [ARMS[one] for one in arm],
            "assignment": ["randomised"] * count,
            "baseline": baseline,
            "outcome": baseline - fall,
            "label": pl.Series([None] * count, dtype=pl.String),
            "response_value": fall,
            "responded": (fall >= 0.3 * baseline).astype(float),
            "adverse_event": pl.Series([None] * count, dtype=pl.Float64),
            "group": pl.Series([None] * count, dtype=pl.String),
        }
    )
