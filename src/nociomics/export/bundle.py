"""The bundle: a folder of declarative files with hashes; nothing in it can run code."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nociomics.errors import BundleError
from nociomics.export.model_card import model_card
from nociomics.export.prediction import predict_people
from nociomics.models.propensity import PropensityModel, load_propensity
from nociomics.models.reliance import Reliance, load_reliance, measure_reliance
from nociomics.models.response import ResponseModel, load_response
from nociomics.models.stratification import StratumModel
from nociomics.tables.files import read_json, write_json, write_text

FORMAT = "nociomics-bundle/2"
ADVERSE = "adverse"
GOLDEN_TOLERANCE = 1e-6
_LIBRARIES = ("numpy", "polars", "scikit-learn", "scipy", "xgboost-cpu")


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle.

    Attributes
    ----------
    model : ValueModel or ClassModel
        Response under each treatment.
    strata : StratumModel
        Places new people.
    schema : list of dict
        One entry per input feature: unit, range, kind, whether it may be missing.
    gate : dict
        What may be said about one person, and why.
    interval : dict
        ``level`` and conformal widths, as `models.intervals.OutcomeWidths` (null for probabilities).
    background : ndarray of shape (n_background, n_columns)
        Encoded training people for explanations, without ids.
    manifest : dict
        Format, study, versions and hashes.
    reliance : Reliance, optional
        What the model leans on; without it nobody is abstained from for what was not measured.
    adverse : ValueModel or ClassModel, optional
        Chance of the adverse event under each treatment; None where there is none or too few to model.
    propensity : PropensityModel, optional
        Who got which treatment; None where everybody was randomised.
    """

    model: ResponseModel
    strata: StratumModel
    schema: list[dict[str, Any]]
    gate: dict[str, Any]
    interval: dict[str, Any]
    background: np.ndarray
    manifest: dict[str, Any]
    reliance: Reliance | None = None
    adverse: ResponseModel | None = None
    propensity: PropensityModel | None = None

    @property
    def names_adverse_event(self) -> bool:
        """Whether the study asked for harm beside benefit."""
        return self.model.target.adverse_event is not None

    def predict_frame(self, features: Any) -> pl.DataFrame:
        """Predict from harmonised features (polars or pandas), one row per person.

        Returns
        -------
        DataFrame
            As in `tables.results.PREDICTIONS`.
        """
        frame = features if isinstance(features, pl.DataFrame) else pl.from_pandas(features)
        return predict_people(self, frame, self.baseline(frame))[0]

    def baseline(self, features: pl.DataFrame) -> np.ndarray:
        """Baseline of the outcome from the features; NaN where unknown."""
        name = self.model.target.baseline
        if name is None or name not in features.columns:
            return np.full(features.height, np.nan)
        return features[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


def write_bundle(
    folder: Path,
    study: str,
    model: ResponseModel,
    strata: StratumModel,
    catalogue: pl.DataFrame,
    features: pl.DataFrame,
    gate: dict[str, Any],
    interval: dict[str, Any],
    metrics: dict[str, Any],
    background: np.ndarray,
    *,
    adverse: ResponseModel | None = None,
    propensity: PropensityModel | None = None,
) -> None:
    """Write a bundle, whole or not at all, and load it once to see that it answers as it should.

    Parameters
    ----------
    folder : Path
        Replaced when it exists.
    features : DataFrame
        Training features; only medians, quantiles and category names of them are stored.
    background : ndarray of shape (n_background, n_columns)
        Encoded training people, without ids.
    adverse : ValueModel or ClassModel, optional
        Model of the adverse event.
    propensity : PropensityModel, optional
        Of an observational study.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        schema = _schema([model, *([adverse] if adverse is not None else [])], catalogue, features)
        reliance = measure_reliance(model, features, catalogue)
        write_json(model.save(draft), draft / "model.json")
        write_json(strata.to_dict(), draft / "strata.json")
        write_json(schema, draft / "schema.json")
        write_json(gate, draft / "gate.json")
        write_json(interval, draft / "interval.json")
        write_json(reliance.to_dict(), draft / "reliance.json")
        write_json(_listed(background), draft / "background.json")
        _write_further(draft, adverse, propensity)
        write_text(model_card(study, model, strata, schema, gate, metrics), draft / "MODEL_CARD.md")
        bundle = Bundle(model, strata, schema, gate, interval, background, {}, reliance, adverse, propensity)
        _write_golden(draft, bundle, features)
        write_json(_manifest(draft, study), draft / "manifest.json")
        load_bundle(draft)
        draft.chmod(0o755)  # a temporary folder is its owner's alone; services must be able to read the model
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_further(draft: Path, adverse: ResponseModel | None, propensity: PropensityModel | None) -> None:
    if adverse is not None:
        (draft / ADVERSE).mkdir()
        write_json(adverse.save(draft / ADVERSE), draft / ADVERSE / "model.json")
    if propensity is not None:
        write_json(propensity.to_dict(), draft / "propensity.json")


def load_bundle(folder: Path) -> Bundle:
    """Load a bundle after checking every file's hash, then its golden rows.

    Raises
    ------
    BundleError
        When a file is missing, added or changed, or when this machine does not reproduce the golden rows.
    """
    folder = Path(folder)
    manifest = _verified(folder)
    stored = read_json(folder / "model.json")
    model = load_response(stored, folder)
    width = len(model.blocks_.columns_)
    background = np.array(
        [[np.nan if value is None else value for value in row] for row in read_json(folder / "background.json")],
        dtype=float,
    ).reshape(-1, width)
    bundle = Bundle(
        model,
        StratumModel.from_dict(read_json(folder / "strata.json")),
        read_json(folder / "schema.json"),
        read_json(folder / "gate.json"),
        read_json(folder / "interval.json"),
        background,
        manifest,
        *_further(folder),
    )
    _check_golden(bundle, read_json(folder / "golden.json"))
    return bundle


def _further(folder: Path) -> tuple[Reliance | None, ResponseModel | None, PropensityModel | None]:
    """Read what a bundle may lack: its manifest has said already that nothing was taken away."""
    leaning, harm, chances = (folder / name for name in ("reliance.json", f"{ADVERSE}/model.json", "propensity.json"))
    return (
        load_reliance(read_json(leaning)) if leaning.is_file() else None,
        load_response(read_json(harm), harm.parent) if harm.is_file() else None,
        load_propensity(read_json(chances)) if chances.is_file() else None,
    )


def _verified(folder: Path) -> dict[str, Any]:
    if not (folder / "manifest.json").is_file():
        raise BundleError(
            f"{folder}: is not an exported model (no manifest.json). Give the folder export/model of a run."
        )
    manifest: dict[str, Any] = read_json(folder / "manifest.json")
    if manifest.get("format") != FORMAT:
        raise BundleError(f"{folder}: this version reads {FORMAT} only. Export the model again.")
    listed = manifest["files"]
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"manifest.json"}
    missing, added = sorted(set(listed) - there), sorted(there - set(listed))
    changed = sorted(name for name in set(listed) & there if _sha256(folder / name) != listed[name])
    problems = [
        f"{len(names)} files are {what} (first: {names[0]})"
        for names, what in ((missing, "missing"), (added, "not in the manifest"), (changed, "changed"))
        if names
    ]
    if problems:
        raise BundleError(
            f"{folder}: the model was altered after its export: {'; '.join(problems)}. Nothing was loaded."
        )
    return manifest


def _manifest(folder: Path, study: str) -> dict[str, Any]:
    files = {path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        "format": FORMAT,
        "study": study,
        "nociomics": version("nociomics"),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "schema": "schema.json",
        "intended_use": "Research on groups with chronic pain. Not for treating a person without a clinician.",
        "licence": "as the study that it was trained on; see MODEL_CARD.md",
        "files": files,
    }


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _schema(models: list[ResponseModel], catalogue: pl.DataFrame, features: pl.DataFrame) -> list[dict[str, Any]]:
    """List unit, range and kind of every input, with the training share of missing values."""
    names = {name for model in models for name in model.blocks_.input_features()}
    names |= {model.target.baseline for model in models if model.target.baseline}
    entries = []
    for row in catalogue.filter(pl.col("feature").is_in(list(names))).sort("feature").iter_rows(named=True):
        values = features[row["feature"]]
        entry = {name: row[name] for name in ("feature", "modality", "group", "unit", "kind", "low", "high", "within")}
        entry |= {"missing_ok": True, "missing_share": float(values.null_count() / max(len(values), 1))}
        if row["kind"] == "category":
            entry["categories"] = sorted(values.drop_nulls().cast(pl.String).unique().to_list())
        else:
            known = values.cast(pl.Float64).drop_nulls()
            entry["median"] = None if known.is_empty() else float(known.median())  # type: ignore[arg-type]
        entries.append(entry)
    return entries


def _write_golden(folder: Path, bundle: Bundle, features: pl.DataFrame) -> None:
    """Golden rows are made of quantiles column by column: they show no person."""
    rows: dict[str, list[Any]] = {"patient_id": [f"golden-{place}" for place in range(1, 7)]}
    for entry in bundle.schema:
        values = features[entry["feature"]]
        if entry["kind"] == "category":
            levels = entry["categories"] or [None]
            rows[entry["feature"]] = [levels[place % len(levels)] for place in range(5)] + [None]
        else:
            known = values.cast(pl.Float64).drop_nulls()
            points = [0.1, 0.3, 0.5, 0.7, 0.9]
            rows[entry["feature"]] = [None if known.is_empty() else known.quantile(q, "linear") for q in points] + [
                None
            ]
    frame = _golden_frame(rows, bundle.schema)
    predictions, _ = predict_people(bundle, frame, bundle.baseline(frame))
    write_json({"features": rows, "predictions": predictions.to_dicts()}, folder / "golden.json")


def _golden_frame(rows: dict[str, list[Any]], schema: list[dict[str, Any]]) -> pl.DataFrame:
    types = {entry["feature"]: pl.String if entry["kind"] == "category" else pl.Float64 for entry in schema}
    return pl.DataFrame(rows, schema={"patient_id": pl.String, **types})


def golden_rows(folder: Path) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Return a bundle's invented example people and what it predicts for them."""
    golden = read_json(Path(folder) / "golden.json")
    return _golden_frame(golden["features"], read_json(Path(folder) / "schema.json")), golden["predictions"]


def _check_golden(bundle: Bundle, golden: dict[str, Any]) -> None:
    frame = _golden_frame(golden["features"], bundle.schema)
    predictions, _ = predict_people(bundle, frame, bundle.baseline(frame))
    for found, expected in zip(predictions.to_dicts(), golden["predictions"], strict=True):
        for name, value in expected.items():
            same = found[name] == value
            if isinstance(value, float) and isinstance(found[name], float):
                same = abs(found[name] - value) <= GOLDEN_TOLERANCE
            if not same:
                raise BundleError(
                    f'The model does not give its own golden answers on this machine (first difference: "{name}"). '
                    "Use the library versions of its manifest.json; nothing was predicted."
                )


def _listed(values: np.ndarray) -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in values]
