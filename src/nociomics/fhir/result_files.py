"""Read the results of a run, or of `nociomics predict`, and the model that made them, for export."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from nociomics.fhir.content import FhirError
from nociomics.fhir.outgoing import Resource
from nociomics.fhir.results import Origin, results_bundle
from nociomics.tables.contract import Contract
from nociomics.tables.files import read_json, read_table
from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES
from nociomics.tables.results import ASSIGNMENTS, EFFECTS, PGX_CALLS, PREDICTIONS

_SCORES = "questionnaires"


def bundle_of_folder(results: Path, model: Path | None = None, patients: Sequence[str] | None = None) -> Resource:
    """Return the Bundle of a results folder.

    Parameters
    ----------
    results : Path
        ``results/<study>`` of a run, or the folder that `nociomics predict` wrote to.
    model : Path, optional
        The bundle that predicted; ``export/model`` of a run by default.
    patients : sequence of str, optional
        Only these.

    Raises
    ------
    FhirError
        When there are no predictions or no model, or a patient asked for is not among them.
    """
    of_run = (results / "response" / "predictions.parquet").exists()
    places = ("response", "response", "strata") if of_run else ("", "", "")
    predictions = _table(results / places[0] / "predictions.parquet", PREDICTIONS)
    folder = model or (results / "export" / "model")
    if predictions is None or not (folder / "manifest.json").exists():
        lacking = "predictions.parquet" if predictions is None else "the model that made them"
        raise FhirError(
            f"{results}: lacks {lacking}. Give results/<study> of a run, or what predict wrote and --model."
        )
    strangers = len(set(patients or ()) - set(predictions["patient_id"]))
    if strangers:
        raise FhirError(f"{results}: {strangers} of the patients asked for have no prediction. Look at --patient.")
    return results_bundle(
        model_origin(folder, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")),
        predictions,
        effects=_table(results / places[1] / "effects.parquet", EFFECTS),
        strata=_table(results / places[2] / "assignments.parquet", ASSIGNMENTS),
        calls=_table(results / "pgx" / "calls.parquet", PGX_CALLS),
        scores=_scores(results / "harmonised"),
        patients=patients,
    )


def _table(path: Path, contract: Contract) -> pl.DataFrame | None:
    return read_table(path, contract) if path.exists() else None


def _scores(harmonised: Path) -> pl.DataFrame | None:
    catalogue = _table(harmonised / "feature_catalogue.parquet", FEATURE_CATALOGUE)
    features = _table(harmonised / "features.parquet", FEATURES)
    if catalogue is None or features is None:
        return None
    chosen = catalogue.filter((pl.col("modality") == _SCORES) & (pl.col("kind") == "numeric"))["feature"]
    return features.select("patient_id", *chosen)


def model_origin(folder: Path, made_at: str) -> Origin:
    """Read name, hash, gate and target of an exported model.

    Parameters
    ----------
    folder : Path
        The bundle; it is not verified here: whoever predicted with it did that.
    made_at : str
        Time with offset.
    """
    manifest = read_json(folder / "manifest.json")
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    name = f"nociomics {manifest['nociomics']}, model of study {manifest['study']}, manifest SHA-256 {digest}"
    return Origin(
        name, outcome_words(read_json(folder / "model.json")["target"]), read_json(folder / "gate.json"), made_at
    )


def outcome_words(target: Mapping[str, Any]) -> str:
    """Say in words what a target's probability is of.

    Examples
    --------
    >>> outcome_words({"kind": "change", "outcome": "week12", "baseline": "bpi", "response": {"fall_percent": 30.0}})
    'response: week12 at least 30 % below bpi'
    """
    rule = {name: value for name, value in (target.get("response") or {}).items() if value is not None}
    outcome, baseline = str(target["outcome"]), target.get("baseline")
    words = {
        "fall_percent": "response: {outcome} at least {value:g} % below {baseline}",
        "fall_points": "response: {outcome} at least {value:g} points below {baseline}",
        "at_most": "response: {outcome} of at most {value:g}",
    }
    for name, value in rule.items():
        return words[name].format(outcome=outcome, baseline=baseline, value=value)
    return {"binary": f"{outcome} is 1", "change": f"change of {outcome}"}.get(target["kind"], outcome)
