"""Bundles of small invented studies."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from nociomics.export.background import background_people
from nociomics.export.bundle import Bundle, load_bundle, write_bundle
from nociomics.export.manifest import manifest_text, sealed
from nociomics.models.adverse import fit_adverse
from nociomics.models.response import fit_response
from nociomics.models.stratification import StratumModel
from tests.models.small_study import BLOCKS, QUICK, STRATA, SmallStudy

OPEN = {
    "individual_recommendations": True,
    "individual_explanations": True,
    "best_fixed": "snri",
    "reasons": ["tested"],
}
CLOSED = {**OPEN, "individual_recommendations": False}
METRICS = {"auroc": {"value": 0.61, "lower": 0.55, "upper": 0.67, "n": 90, "method": "invented"}}
HALF_WIDTH = 2.5


def write_small_bundle(study: SmallStudy, folder: Path, gate: dict[str, Any] = OPEN, **further: Any) -> Path:
    """Fit a small study's model and strata and write them as a bundle into ``folder / "model"``."""
    model = fit_response(study.training, study.target, BLOCKS, QUICK, QUICK.refits, seed=1)
    strata = StratumModel(STRATA, BLOCKS, 1).fit(study.features, study.catalogue)
    half = HALF_WIDTH if model.kind == "value" else None
    background = background_people(model, study.features, study.rows, QUICK.background_people, 1)
    write_bundle(
        folder / "model",
        "small",
        model,
        strata,
        study.catalogue,
        study.features,
        gate,
        {"level": 0.9, "half_width": half},
        METRICS,
        background,
        adverse=fit_adverse(study.training, study.target, BLOCKS, QUICK, QUICK.refits, 1)[0],
        **further,
    )
    return folder / "model"


def small_bundle(study: SmallStudy, folder: Path, gate: dict[str, Any] = OPEN) -> Bundle:
    """Write a bundle and load it again, as any user of it would."""
    return load_bundle(write_small_bundle(study, folder, gate))


def reseal(folder: Path, **changes: Any) -> None:
    """Write the manifest of a spoilt bundle anew, with right hashes, as whoever made the files would have."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8")) | changes
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    del there["manifest.json"]
    manifest["files"] = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()}
    (folder / "manifest.json").write_text(manifest_text(sealed(manifest)), encoding="utf-8")
