"""Each patient's rows of every result, for the patient pages."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from nociomics.report.profile_strata import Dimension

_LOG = logging.getLogger(__name__)
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")


def profile_pages(config: Any, results: Path) -> Iterator[tuple[str, str]]:
    """Yield a file name and a page for each patient, in the order of the ids."""
    from nociomics.report.pages import PatientProfileData, patient_profile
    from nociomics.tables.files import read_json, read_table
    from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES
    from nociomics.tables.results import ARMS, BASE_VALUES

    features = read_table(results / "harmonised" / "features.parquet", FEATURES)
    catalogue = read_table(results / "harmonised" / "feature_catalogue.parquet", FEATURE_CATALOGUE)
    gate = read_json(results / "evaluation" / "gate.json")
    metrics = read_json(results / "evaluation" / "metrics.json")
    base = read_table(results / "explanations" / "base.parquet", BASE_VALUES)
    arms = read_table(results / "evaluation" / "arms.parquet", ARMS)
    rows = _rows_by_patient(results)
    strata = _strata(results)
    percentiles = _percentiles(features, catalogue)
    wanted = sorted(features["patient_id"].to_list())[: config.profiles.people]
    place = {patient: row for row, patient in enumerate(features["patient_id"])}
    for patient in wanted:
        own = features.row(place[patient], named=True)
        assignment = rows["assignment"].get(patient)
        data = PatientProfileData(
            patient_id=patient,
            study=config.study,
            features=own,
            catalogue=catalogue,
            percentiles={name: values[place[patient]] for name, values in percentiles.items()},
            pgx_calls=rows["calls"].get(patient),
            pgx_recommendations=rows["recommendations"].get(patient),
            assignment=assignment.row(0, named=True) if assignment is not None else None,
            predictions=rows["predictions"].get(patient),
            effects=rows["effects"].get(patient),
            shap=rows["shap"].get(patient),
            base=base,
            gate=gate,
            metrics=metrics,
            target=config.target,
            safety=rows["safety"].get(patient),
            arms=arms,
            dimensions=strata.dimensions(patient),
            pain_mechanisms=rows["mechanisms"].get(patient),
            strata_cluster=strata.cluster,
            missing_modalities=_missing_modalities(own, catalogue),
        )
        yield page_name(patient), patient_profile(data)
    _LOG.info("%d patient pages of %d people", len(wanted), features.height)


def page_name(patient: str) -> str:
    """File name of a patient's page: the id itself where that is a safe name, else a hash of it."""
    safe = _SAFE.fullmatch(patient) is not None
    return f"{patient}.html" if safe else f"id-{hashlib.sha256(patient.encode()).hexdigest()[:16]}.html"


def _rows_by_patient(results: Path) -> dict[str, dict[str, pl.DataFrame]]:
    from nociomics.tables.files import read_table
    from nociomics.tables.harmonised import SAFETY_ITEMS
    from nociomics.tables.results import (
        ASSIGNMENTS,
        EFFECTS,
        PAIN_MECHANISMS,
        PGX_CALLS,
        PGX_RECOMMENDATIONS,
        PREDICTIONS,
        SHAP_VALUES,
    )

    places = {
        "assignment": ("strata/assignments.parquet", ASSIGNMENTS, "patient_id"),
        "predictions": ("response/predictions.parquet", PREDICTIONS, "patient_id"),
        "effects": ("response/effects.parquet", EFFECTS, "patient_id"),
        "safety": ("harmonised/safety_items.parquet", SAFETY_ITEMS, "patient_id"),
        "shap": ("explanations/shap.parquet", SHAP_VALUES, "patient_id"),
    }
    if (results / "pgx" / "calls.parquet").exists():
        places["calls"] = ("pgx/calls.parquet", PGX_CALLS, "sample")
        places["recommendations"] = ("pgx/recommendations.parquet", PGX_RECOMMENDATIONS, "sample")
    if (results / "strata" / "pain_mechanisms.parquet").exists():
        places["mechanisms"] = ("strata/pain_mechanisms.parquet", PAIN_MECHANISMS, "patient_id")
    found: dict[str, dict[str, pl.DataFrame]] = {"calls": {}, "recommendations": {}, "mechanisms": {}}
    for name, (path, contract, key) in places.items():
        frame = read_table(results / path, contract)
        found[name] = {str(patient[0]): part for patient, part in frame.partition_by(key, as_dict=True).items()}
    return found


@dataclass(frozen=True)
class _Strata:
    """What of the strata belongs on every page: dimensions with their percentiles, and whether they are a cluster."""

    loads_on: list[list[str]]
    percentiles: dict[str, tuple[float, ...]]
    cluster: str | None

    def dimensions(self, patient: str) -> list[Dimension]:
        from nociomics.report.profile_strata import Dimension

        own = self.percentiles.get(patient)
        return [
            Dimension(f"factor {place + 1}", names, None if own is None else own[place])
            for place, names in enumerate(self.loads_on)
        ]


def _strata(results: Path) -> _Strata:
    from nociomics.cli.strata_data import optional_table
    from nociomics.models.stratification import StratumModel
    from nociomics.report.strata_inputs import factor_words
    from nociomics.report.strata_words import cluster_sentence
    from nociomics.tables.files import read_json, read_table
    from nociomics.tables.results import FACTOR_SCORES, STRATA_ASSOCIATIONS

    folder = results / "strata"
    scores = read_table(folder / "factor_scores.parquet", FACTOR_SCORES)
    names = [name for name in scores.columns if name != "patient_id"]
    percentiles = mid_ranks(scores, names)
    associations = optional_table(folder / "associations.parquet", STRATA_ASSOCIATIONS)
    return _Strata(
        factor_words(StratumModel.from_dict(read_json(folder / "model.json"))),
        dict(zip(scores["patient_id"], zip(*percentiles.values(), strict=True), strict=True)) if names else {},
        cluster_sentence(read_json(folder / "summary.json"), associations),
    )


def _percentiles(features: pl.DataFrame, catalogue: pl.DataFrame) -> dict[str, list[float | None]]:
    """Mid-rank percentile of each person in the cohort, for features that a page may show."""
    import polars as pl

    shown = catalogue.filter(
        pl.col("modality").is_in(["clinical", "questionnaires", "biomarkers"]) & (pl.col("kind") == "numeric")
    )["feature"]
    return mid_ranks(features, shown.to_list())


def mid_ranks(frame: pl.DataFrame, names: list[str]) -> dict[str, list[float | None]]:
    """Percentile of each row in some columns, 0 to 100; equal values share one, nulls stay null."""
    import polars as pl

    ranks = frame.select(
        ((pl.col(name).rank("average") - 0.5) / pl.col(name).count() * 100).alias(name) for name in names
    )
    return {name: ranks[name].to_list() for name in ranks.columns}


def _missing_modalities(own: dict[str, Any], catalogue: pl.DataFrame) -> list[str]:
    measured = {
        modality
        for feature, modality in catalogue.select("feature", "modality").iter_rows()
        if own[feature] is not None
    }
    return sorted(set(catalogue["modality"].unique()) - measured)
