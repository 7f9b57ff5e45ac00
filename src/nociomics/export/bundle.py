"""The bundle: a folder of declarative files with hashes; nothing in it can run code."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from nociomics.errors import BundleError
from nociomics.export.compiled import Compiled
from nociomics.export.gate import Gate
from nociomics.export.golden import check_golden, golden_rows, write_golden
from nociomics.export.input_schema import input_schema
from nociomics.export.input_values import numbers_of
from nociomics.export.layout import reading, require_layout
from nociomics.export.manifest import MANIFEST, manifest_of, manifest_text, read_bundle_json, sealed, verified
from nociomics.export.model_card import model_card
from nociomics.export.onnx_model import write_onnx
from nociomics.export.prediction import predict_admitted
from nociomics.export.signature import key_file, sign_manifest
from nociomics.models.propensity import PropensityModel, load_propensity
from nociomics.models.reliance import Reliance, load_reliance, measure_reliance
from nociomics.models.response import ResponseModel, load_response
from nociomics.models.stratification import StratumModel
from nociomics.tables.files import write_json, write_text

if TYPE_CHECKING:
    from nociomics.export.input_values import Rows

__all__ = ["Bundle", "golden_rows", "load_bundle", "write_bundle"]

ADVERSE = "adverse"


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

    @property
    def seed(self) -> int:
        """Seed of the study that it was trained in."""
        return int(self.manifest.get("seed", 1))

    @cached_property
    def input_gate(self) -> Gate:
        """The schema, ready to be asked about people."""
        return Gate(self.schema)

    @cached_property
    def compiled(self) -> Compiled:
        """The bundle, ready to answer people."""
        return Compiled(self)

    def predict_frame(self, features: Rows) -> pl.DataFrame:
        """Predict from harmonised features (polars, pandas, or lists of objects), one row per person.

        Returns
        -------
        DataFrame
            As in `tables.results.PREDICTIONS`.
        """
        return predict_admitted(self, self.input_gate.admit(features))[0]

    def baseline(self, features: pl.DataFrame) -> np.ndarray:
        """Baseline of the outcome from the features; NaN where unknown or no number."""
        name = self.model.target.baseline
        if name is None or name not in features.columns:
            return np.full(features.height, np.nan)
        return numbers_of(features[name], truth=False)[0]


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
    required: Sequence[str] = (),
    key: Path | None = None,
    onnx: bool = False,
    seed: int = 1,
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
    required : sequence of str
        Features without which nobody is answered.
    key : Path, optional
        Key file to sign the manifest with; without one the bundle is not signed.
    onnx : bool
        Whether to write ``model.onnx`` too; ``onnx.json`` says how far it agrees, or why it was refused.
    seed : int
        Of the study; explanations draw with it again.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        schema = input_schema(catalogue, features, _read_by(model, adverse, strata, propensity), required)
        _require_known(required, schema)
        reliance = measure_reliance(model, features, catalogue)
        write_json(model.save(draft), draft / "model.json")
        write_json(strata.to_dict(), draft / "strata.json")
        write_json(schema, draft / "schema.json")
        write_json(gate, draft / "gate.json")
        write_json(interval, draft / "interval.json")
        write_json(reliance.to_dict(), draft / "reliance.json")
        write_json(_listed(background), draft / "background.json")
        _write_further(draft, adverse, propensity)
        bundle = Bundle(model, strata, schema, gate, interval, background, {}, reliance, adverse, propensity)
        second = write_onnx(draft, bundle, features) if onnx else None
        if second is not None:
            write_json(second, draft / "onnx.json")
        write_text(model_card(study, model, strata, schema, gate, metrics, second), draft / "MODEL_CARD.md")
        write_golden(draft, bundle, features)
        text = manifest_text(sealed(manifest_of(draft, study, features.height, seed)))
        write_text(text, draft / MANIFEST)
        if key is not None:
            sign_manifest(draft, text.encode(), key)
        load_bundle(draft, key)
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


def _read_by(
    model: ResponseModel, adverse: ResponseModel | None, strata: StratumModel, propensity: PropensityModel | None
) -> dict[str, set[str]]:
    """List the features that each part of a bundle reads."""
    read = {"response": set(model.blocks_.input_features()), "strata": set(strata.blocks_.input_features())}
    if model.target.baseline:
        read["response"].add(model.target.baseline)
    if adverse is not None:
        read["adverse"] = set(adverse.blocks_.input_features())
    if propensity is not None:
        read["propensity"] = {*propensity.blocks_.input_features(), *(bar.feature for bar in propensity.barred_)}
    return read


def _require_known(required: Sequence[str], schema: list[dict[str, Any]]) -> None:
    unknown = sorted(set(required) - {entry["feature"] for entry in schema})
    if unknown:
        raise BundleError(
            f"{len(unknown)} required features are no input of this model (first: {unknown[0]}). "
            "Name features of harmonised/feature_catalogue.parquet that the model reads."
        )


def load_bundle(folder: Path, key: Path | None = None) -> Bundle:
    """Load a bundle after checking every file's hash, then its golden rows.

    Parameters
    ----------
    folder : Path
        ``export/model`` of a run.
    key : Path, optional
        File of the key that the bundle has to be signed with. Default: what ``NOCIOMICS_BUNDLE_KEY`` names.

    Raises
    ------
    BundleError
        When a file is missing, added or changed, when the signature is not by the key, when a newer nociomics wrote
        it or an older one laid it out otherwise, or when this machine does not reproduce the golden rows.
    """
    folder = Path(folder)
    manifest = verified(folder, key_file(key))
    require_layout(folder, manifest)
    bundle = _read_bundle(folder, manifest)
    with reading(folder, manifest, "golden.json, or a file that its rows need,"):
        check_golden(bundle, read_bundle_json(folder, "golden.json"))
    return bundle


def _read_bundle(folder: Path, manifest: dict[str, Any]) -> Bundle:
    with reading(folder, manifest, "model.json"):
        model = load_response(read_bundle_json(folder, "model.json"), folder)
        width = len(model.blocks_.columns_)
    with reading(folder, manifest, "background.json"):
        listed = read_bundle_json(folder, "background.json")
        rows = [[np.nan if v is None else v for v in row] for row in listed]
        background = np.array(rows, dtype=float).reshape(-1, width)
    with reading(folder, manifest, "strata.json"):
        strata = StratumModel.from_dict(read_bundle_json(folder, "strata.json"))
    schema, gate, interval = (read_bundle_json(folder, f"{name}.json") for name in ("schema", "gate", "interval"))
    return Bundle(model, strata, schema, gate, interval, background, manifest, *_further(folder, manifest))


def _further(
    folder: Path, manifest: dict[str, Any]
) -> tuple[Reliance | None, ResponseModel | None, PropensityModel | None]:
    """Read what a bundle may lack: its manifest has said already that nothing was taken away."""
    reliance = harm = propensity = None
    if (folder / "reliance.json").is_file():
        with reading(folder, manifest, "reliance.json"):
            reliance = load_reliance(read_bundle_json(folder, "reliance.json"))
    if (folder / ADVERSE / "model.json").is_file():
        with reading(folder, manifest, f"{ADVERSE}/model.json"):
            harm = load_response(read_bundle_json(folder, f"{ADVERSE}/model.json"), folder / ADVERSE)
    if (folder / "propensity.json").is_file():
        with reading(folder, manifest, "propensity.json"):
            propensity = load_propensity(read_bundle_json(folder, "propensity.json"))
    return reliance, harm, propensity


def _listed(values: np.ndarray) -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in values]
