"""A small invented study at the models' door: every kind of feature, a treatment or none, any kind of target."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from nociomics.models.settings import BlockSettings, ResponseSettings, SplitSettings, StrataSettings
from nociomics.models.splits import make_splits
from nociomics.models.value_model import Training
from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES, TARGET_ROWS
from nociomics.tables.study import ResponseRule, Target

BLOCKS = BlockSettings()
QUICK = ResponseSettings(refits=3, refits_in_folds=2, trees=6, tree_depth=3, background_people=20)
STRATA = StrataSettings(starts=1, bootstraps=0, largest_k=2, factors=2)
GENES = [f"gene_{number:02d}" for number in range(50)]
ARMS = ("cbt", "snri")
CLASSES = ("inflammatory", "neuropathic", "psychosocial")

# feature, modality, group, unit, kind, within, low, high
_ENTRIES: list[tuple[Any, ...]] = [
    ("age", "clinical", "age", "years", "numeric", None, 0.0, 120.0),
    ("sex", "clinical", "sex", "category", "category", None, None, None),
    ("pain_type", "clinical", "pain_type", "category", "category", None, None, None),
    ("bpi_severity", "questionnaires", "bpi_sf", "score", "numeric", None, 0.0, 10.0),
    ("pcs_total", "questionnaires", "pcs", "score", "numeric", None, 0.0, 52.0),
    ("il6_pg_per_ml", "biomarkers", "IL6", "pg/mL", "numeric", None, 0.0, 5000.0),
    ("crp_mg_per_l", "biomarkers", "CRP", "mg/L", "numeric", None, 0.0, 500.0),
    ("il6_below_lod", "biomarkers", "IL6", "0/1", "binary", None, 0.0, 1.0),
    ("cyp2d6_activity_score", "pgx", "CYP2D6", "score", "numeric", None, 0.0, 10.0),
    ("cyp2d6_phenotype", "pgx", "CYP2D6", "category", "category", None, None, None),
    ("expression_batch", "expression", "batch", "category", "category", None, None, None),
    *[(gene, "expression", gene, "log2", "numeric", "expression_batch", None, None) for gene in GENES],
]


@dataclass(frozen=True)
class SmallStudy:
    """Tables of one invented study, rows of all of them in the same order."""

    features: pl.DataFrame
    catalogue: pl.DataFrame
    rows: pl.DataFrame
    splits: pl.DataFrame
    target: Target

    @property
    def training(self) -> Training:
        """Everybody, with the inner folds of the first repeat."""
        folds = self.rows.select("patient_id").join(
            self.splits.filter(pl.col("repeat") == 0), on="patient_id", how="left", maintain_order="left"
        )
        return Training(self.features, self.catalogue, self.rows, folds["inner_fold"].to_numpy())

    @property
    def baseline(self) -> np.ndarray:
        """Baseline of the outcome, NaN where unknown."""
        return self.rows["baseline"].cast(pl.Float64).fill_null(np.nan).to_numpy()

    def changed(self, **tables: Any) -> SmallStudy:
        """The same study with some of its tables replaced."""
        return replace(self, **tables)


def small_study(
    kind: str = "change",
    people: int = 90,
    seed: int = 1,
    arms: tuple[str, ...] = ARMS,
    outer_folds: int = 3,
    effect: float = 1.5,
) -> SmallStudy:
    """Draw a study in which IL-6 and catastrophising move the outcome, in opposite ways under two arms."""
    rng = np.random.default_rng(seed)
    ids = [f"P{number:03d}" for number in range(people)]
    features = _features(ids, rng)
    arm = rng.integers(0, len(arms), people) if arms else np.zeros(people, dtype=int)
    il6 = np.nan_to_num(np.log2(features["il6_pg_per_ml"].cast(pl.Float64).fill_null(np.nan).to_numpy()) - 1)
    distress = (features["pcs_total"].fill_null(29).to_numpy() - 29) / 11
    fall = 1.5 + effect * np.where(arm == 0, distress, il6) + rng.normal(size=people)
    rows = _rows(ids, kind, features, fall, [arms[a] for a in arm] if arms else None, rng)
    folds = SplitSettings(outer_folds=outer_folds, inner_folds=3, repeats=1)
    balanced = rows.select("patient_id", pl.col("label").fill_null("")).iter_rows()
    splits = make_splits(ids, {one: one for one in ids}, dict(balanced), folds, seed)
    catalogue = FEATURE_CATALOGUE.check(catalogue_of(_ENTRIES))
    return SmallStudy(FEATURES.check(features), catalogue, TARGET_ROWS.check(rows), splits, target_of(kind, arms))


def target_of(kind: str, arms: tuple[str, ...] = ARMS) -> Target:
    """What such a study predicts."""
    change, continuous = ResponseRule(fall_percent=30), ResponseRule(at_most=4)
    return Target(
        kind=kind,
        outcome="pain_week12",
        baseline="bpi_severity" if kind == "change" else None,
        response={"change": change, "continuous": continuous}.get(kind),
        treatment="arm" if arms else None,
    )


def catalogue_of(entries: list[tuple[Any, ...]]) -> pl.DataFrame:
    """A feature catalogue from (feature, modality, group, unit, kind, within, low, high)."""
    names = ("feature", "modality", "group", "unit", "kind", "within", "low", "high")
    types = {name: pl.Float64 if name in ("low", "high") else pl.String for name in names}
    extra = {"measured_at": "baseline", "description": "invented", "missing_share": 0.0}
    return pl.DataFrame(entries, schema=types, orient="row").with_columns(
        pl.lit(value).alias(name) for name, value in extra.items()
    )


def numeric_study(
    columns: dict[str, np.ndarray], modality: str = "questionnaires"
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Features and catalogue of plain numeric columns; ids are P000, P001, ..."""
    people = len(next(iter(columns.values())))
    ids = {"patient_id": [f"P{number:03d}" for number in range(people)]}
    entries = [(name, modality, name, "score", "numeric", None, None, None) for name in columns]
    return pl.DataFrame({**ids, **columns}).with_columns(pl.col(list(columns)).fill_nan(None)), catalogue_of(entries)


def _features(ids: list[str], rng: np.random.Generator) -> pl.DataFrame:
    people = len(ids)
    batch = rng.choice(["b1", "b2"], people)
    driver = rng.normal(size=(people, 2))
    genes = 5 + driver @ rng.normal(size=(2, len(GENES))) + rng.normal(size=(people, len(GENES)))
    genes += np.where(batch == "b1", 0.0, 0.7)[:, None]
    columns: dict[str, Any] = {
        "age": rng.normal(52, 13, people).round(1),
        "sex": rng.choice(["F", "M"], people),
        "pain_type": rng.choice(["back", "head", "nerve"], people),
        "bpi_severity": rng.uniform(4, 9, people).round(2),
        "pcs_total": np.clip(rng.normal(29, 11, people), 0, 52).round(1),
        "il6_pg_per_ml": np.exp2(1 + rng.normal(size=people)),
        "crp_mg_per_l": np.exp(rng.normal(size=people)),
        "il6_below_lod": (rng.random(people) < 0.2).astype(float),
        "cyp2d6_activity_score": rng.choice([0.0, 1.0, 2.0], people),
        "cyp2d6_phenotype": rng.choice(["intermediate", "normal", "poor"], people),
        "expression_batch": batch,
    }
    frame = pl.DataFrame({"patient_id": ids, **columns, **{gene: genes[:, g] for g, gene in enumerate(GENES)}})
    lost = {"expression": (["expression_batch", *GENES], 0.1), "il6": (["il6_pg_per_ml"], 0.1)}
    lost |= {"pcs": (["pcs_total"], 0.05), "sex": (["sex"], 0.05), "baseline": (["bpi_severity"], 0.03)}
    for names, share in lost.values():
        missing = pl.Series(rng.random(people) < share)
        frame = frame.with_columns(pl.when(~missing).then(pl.col(names)))
    return frame


def _rows(
    ids: list[str], kind: str, features: pl.DataFrame, fall: np.ndarray, arm: list[str] | None, rng: np.random.Generator
) -> pl.DataFrame:
    observed = pl.Series(rng.random(len(ids)) > 0.05)
    baseline = pl.col("bpi_severity") if kind == "change" else pl.lit(None, dtype=pl.Float64)
    frame = features.select("patient_id", "bpi_severity", baseline=baseline, fall=pl.Series(fall), known=observed)
    frame = frame.with_columns(outcome=_outcome(kind, fall))
    value = pl.col("baseline") - pl.col("outcome") if kind == "change" else pl.col("outcome")
    text = {"binary": pl.col("outcome").cast(pl.Int64).cast(pl.String)}
    if kind == "multiclass":
        text["multiclass"] = pl.col("outcome").replace_strict(dict(enumerate(CLASSES)), return_dtype=pl.String)
    responded = {
        "change": value >= 0.3 * pl.col("baseline"),
        "continuous": pl.col("outcome") <= 4,
        "binary": pl.col("outcome"),
    }
    frame = frame.with_columns(outcome=pl.when(pl.col("known")).then(pl.col("outcome")))
    return frame.select(
        "patient_id",
        treatment=pl.lit(None, dtype=pl.String) if arm is None else pl.Series(arm),
        assignment=pl.lit("randomised", dtype=pl.String),
        baseline=pl.col("baseline"),
        outcome=pl.col("outcome"),
        label=text.get(kind, pl.lit(None, dtype=pl.String)),
        response_value=value,
        responded=responded.get(kind, pl.lit(None)).cast(pl.Float64),
        adverse_event=pl.lit(None, dtype=pl.Float64),
        group=pl.lit(None, dtype=pl.String),
    )


def _outcome(kind: str, fall: np.ndarray) -> pl.Expr:
    if kind == "change":
        return pl.col("bpi_severity") - pl.col("fall")
    if kind == "continuous":
        return 6 - pl.col("fall")
    cuts = [np.median(fall)] if kind == "binary" else list(np.quantile(fall, [1 / 3, 2 / 3]))
    return pl.lit(pl.Series(np.searchsorted(cuts, fall).astype(float)))
