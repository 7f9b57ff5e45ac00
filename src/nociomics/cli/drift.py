"""Compare what a service was asked with what its model learned from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN = 20


def drift(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="the exported model that served")],
    counts: Annotated[Path, typer.Argument(metavar="COUNTS", help="file of serve --counts")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="drift.json to write")] = None,
) -> None:
    """Say which inputs of a served model have drifted away from its training people, and which cannot be judged.

    The counts hold no patient's values. With fewer than 50 people of an input nothing is judged.

    Example: nociomics drift results/demo/export/model counts.json -o drift.json
    """
    from hashlib import sha256

    from nociomics.errors import BundleError
    from nociomics.export.bundle import load_bundle
    from nociomics.service.drift import compare
    from nociomics.service.input_counts import read_counts, training_points
    from nociomics.tables.files import write_json

    stored = read_counts(counts)
    load_bundle(model)
    digest = sha256((model / "manifest.json").read_bytes()).hexdigest()
    if stored["model"] != digest:
        raise BundleError(f"{counts}: was counted with another model than {model}. Give the model that served.")
    found = compare(training_points(model), stored)
    if output is not None:
        write_json({**found, "model": digest}, output)
    typer.echo(_table(found))


def _table(found: Mapping[str, Any]) -> str:
    """Lay the most notable inputs out as text."""
    verdicts = "; ".join(f"{word}: {count}" for word, count in found["verdicts"].items() if count)
    lines = [f"{found['people']} people; inputs {verdicts or 'none'}.", ""]
    lines.append(f"{'input':40} {'verdict':14} {'n':>6} {'distance':>9} {'PSI':>6}  missing (in training)")
    for one in found["inputs"][:_SHOWN]:
        numbers = (_number(one["distance"], 9), _number(one["psi"], 6))
        missing = f"{one['missing']:.0%} ({one['missing_in_training']:.0%})"
        note = "" if one["missing_verdict"] in ("none seen", "too few") else f" {one['missing_verdict']}"
        lines.append(f"{one['feature'][:40]:40} {one['verdict']:14} {one['n']:>6} {' '.join(numbers)}  {missing}{note}")
    left = len(found["inputs"]) - _SHOWN
    if left > 0:
        lines.append(f"... and {left} more inputs in the JSON file.")
    return "\n".join(lines)


def _number(value: float | None, width: int) -> str:
    return f"{'-' if value is None else f'{value:.2f}':>{width}}"
