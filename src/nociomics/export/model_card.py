"""The model card that travels with a bundle."""

from __future__ import annotations

from typing import Any

from nociomics.export.manifest import INTENDED_USE
from nociomics.models.response import ResponseModel
from nociomics.models.stratification import StratumModel


def model_card(
    study: str,
    model: ResponseModel,
    strata: StratumModel,
    schema: list[dict[str, Any]],
    gate: dict[str, Any],
    metrics: dict[str, Any],
    onnx: dict[str, Any] | None = None,
) -> str:
    """Say in Markdown what the model is for, how good it was, and what may not be done with it."""
    target = model.target
    needed = [entry["feature"] for entry in schema if not entry.get("missing_ok", True)]
    arms = ", ".join(str(arm) for arm in model.arms_ if arm is not None) or "none: a study without treatments"
    modalities = sorted({entry["modality"] for entry in schema})
    lines = [
        f"# Model card: {study}",
        "",
        "For research on groups. Not for treating a person without a clinician.",
        "",
        f"- Predicts: {target.outcome} ({target.kind})" + (f", baseline {target.baseline}" if target.baseline else ""),
        f"- Treatments: {arms}",
        f"- Inputs: {len(schema)} features ({', '.join(modalities) or 'none'}); units and ranges in schema.json",
        f"- Inputs without which nobody is answered: {', '.join(needed) or 'none'}",
        f"- Strata: {strata.k_}",
        f"- Refits: {model.refits}, seed {model.seed}",
        "- background.json holds encoded values of up to 100 training people, without ids: share the bundle as you "
        "would share the study's data.",
        f"- ONNX: {_second_export(onnx)}",
        f"- Intended use: {INTENDED_USE}",
        "- Licence: that of the study's data; the program that reads the bundle is under Apache-2.0.",
        "",
        "## Measured out of fold",
        "",
        "| metric | value | interval | n | method |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [_metric_row(name, entry) for name, entry in sorted(metrics.items())]
    lines += ["", "## What may be said about one person", ""]
    lines += [
        f"- individual recommendations: {'yes' if gate['individual_recommendations'] else 'no'}",
        f"- individual explanations: {'yes' if gate['individual_explanations'] else 'no'}",
        f"- best treatment for all: {gate['best_fixed'] or 'not known'}",
    ]
    lines += [f"- {reason}" for reason in gate["reasons"]]
    return "\n".join(lines) + "\n"


def _second_export(onnx: dict[str, Any] | None) -> str:
    if onnx is None:
        return "not asked for"
    if not onnx["written"]:
        return f"refused, {onnx['reason']}"
    away, rows = onnx["largest_difference"], onnx["rows"]
    return f"model.onnx gives expectations alone, within {away:.0e} for all {rows} training people; it has no gate"


def _metric_row(name: str, entry: dict[str, Any]) -> str:
    value = "no value" if entry["value"] is None else f"{entry['value']:.3f}"
    known = entry.get("lower") is not None and entry.get("upper") is not None
    interval = f"{entry['lower']:.3f} to {entry['upper']:.3f}" if known else ""
    return f"| {name} | {value} | {interval} | {entry.get('n') or ''} | {entry.get('method') or ''} |"
