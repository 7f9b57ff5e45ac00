"""Golden rows: invented people whose answers every machine has to give as the one that exported did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from nociomics.errors import BundleError
from nociomics.export.manifest import read_bundle_json
from nociomics.export.prediction import predict_people
from nociomics.tables.files import write_json

GOLDEN_TOLERANCE = 1e-6
_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)


def write_golden(folder: Path, bundle: Any, features: pl.DataFrame) -> None:
    """Write golden rows: quantiles column by column, so that they show no person, and one of whom nothing is known."""
    rows: dict[str, list[Any]] = {"patient_id": [f"golden-{place}" for place in range(1, len(_QUANTILES) + 2)]}
    for entry in bundle.schema:
        values = features[entry["feature"]]
        if entry["kind"] == "category":
            levels = entry["categories"] or [None]
            rows[entry["feature"]] = [levels[place % len(levels)] for place in range(len(_QUANTILES))] + [None]
        else:
            known = values.cast(pl.Float64).drop_nulls()
            made = [None if known.is_empty() else known.quantile(share, "linear") for share in _QUANTILES]
            rows[entry["feature"]] = [*made, None]
    frame = _golden_frame(rows, bundle.schema)
    predictions, _ = predict_people(bundle, frame, bundle.baseline(frame))
    write_json({"features": rows, "predictions": predictions.to_dicts()}, folder / "golden.json")


def golden_rows(folder: Path) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Return a bundle's invented example people and what it predicts for them."""
    golden = read_bundle_json(Path(folder), "golden.json")
    return _golden_frame(golden["features"], read_bundle_json(Path(folder), "schema.json")), golden["predictions"]


def check_golden(bundle: Any, golden: dict[str, Any]) -> None:
    """Refuse a machine that gives other answers than those stored."""
    frame = _golden_frame(golden["features"], bundle.schema)
    predictions, _ = predict_people(bundle, frame, bundle.baseline(frame))
    found = predictions.to_dicts()
    for one, expected in zip(found, golden["predictions"], strict=False):
        if unknown := sorted(set(one) ^ set(expected)):
            raise KeyError(unknown[0])  # another version's columns: `layout.reading` says so
    different = [
        name
        for one, expected in zip(found, golden["predictions"], strict=False)
        for name, value in expected.items()
        if not _same(one.get(name), value)
    ]
    if different or len(found) != len(golden["predictions"]):
        first = f' (first difference: "{different[0]}")' if different else ""
        raise BundleError(
            f"The model does not give its own golden answers on this machine{first}. "
            "Use the library versions of its manifest.json; nothing was predicted."
        )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= GOLDEN_TOLERANCE
    return bool(one == other)


def _golden_frame(rows: dict[str, list[Any]], schema: list[dict[str, Any]]) -> pl.DataFrame:
    types = {entry["feature"]: pl.String if entry["kind"] == "category" else pl.Float64 for entry in schema}
    return pl.DataFrame(rows, schema={"patient_id": pl.String, **types})
