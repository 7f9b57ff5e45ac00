"""What the files of a bundle must hold for this version to read them; all that is lacking is said at once, by name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from polars.exceptions import PolarsError
from pydantic import ValidationError

from nociomics.errors import BundleError
from nociomics.export.manifest import read_bundle_json

_CARD = "MODEL_CARD.md"
# what is read of each file only when somebody asks for it; of the files that are built into a model at once, building
# says what is lacking
_KEYS = {
    "gate.json": ("individual_recommendations", "individual_explanations", "best_fixed", "reasons"),
    "interval.json": ("level", "half_width"),
    "golden.json": ("features", "predictions"),
}
_SCHEMA = "schema.json"
_BUILT = ("model.json", "strata.json", "background.json")
_OF_ALL = ("feature", "modality", "unit", "kind", "low", "high", "missing_ok", "missing_share")
_OF_CATEGORIES = ("categories", "open", "shares")
_OF_NUMBERS = ("quantiles", "median", "usual_low", "usual_high", "log10_mean", "log10_sd", "unit_factors")
_OF_MANIFEST = ("study", "training_people", "nociomics", "libraries")
_NAMED = 5
_ARGUMENTS = re.compile(r"(missing \d+ required).*|unexpected keyword argument.*")
_QUOTED = re.compile(r"'(\w+)'")
_FAULTS = (
    KeyError, TypeError, ValueError, IndexError, AttributeError, AssertionError, ArithmeticError, OSError, PolarsError,
)  # fmt: skip


def require_layout(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse a bundle that another version laid out, before anything is built from it.

    Parameters
    ----------
    folder : Path
        The bundle, with its hashes checked.
    manifest : mapping
        Of the bundle.

    Raises
    ------
    BundleError
        Naming every file and key that is lacking, and by which version the bundle was made.
    """
    lacking = [f"manifest.json lacks {_listed(gone)}" for gone in [_absent(_OF_MANIFEST, manifest)] if gone]
    there = {name for name in (*_KEYS, _SCHEMA, *_BUILT, _CARD) if (folder / name).is_file()}
    lacking += [f"there is no {name}" for name in (*_KEYS, _SCHEMA, *_BUILT, _CARD) if name not in there]
    for name in (name for name in _KEYS if name in there):
        lacking += _lacking_in(name, read_bundle_json(folder, name))
    if _SCHEMA in there:
        lacking += _lacking_inputs(read_bundle_json(folder, _SCHEMA))
    if lacking:
        raise _other_layout(folder, manifest, lacking)


def _lacking_in(name: str, stored: Any) -> list[str]:
    if not isinstance(stored, dict):
        return [f"{name} is no object"]
    gone = _absent(_KEYS[name], stored)
    return [f"{name} lacks {_listed(gone)}"] if gone else []


def _lacking_inputs(schema: Any) -> list[str]:
    if not isinstance(schema, list) or not all(isinstance(entry, dict) for entry in schema):
        return [f"{_SCHEMA} is no list of inputs"]
    times: Counter[str] = Counter()
    for entry in schema:
        own = _OF_CATEGORIES if entry.get("kind") == "category" else _OF_NUMBERS
        times.update(_absent((*_OF_ALL, *own), entry))
    return [f'{_SCHEMA} lacks "{key}" in {count} of {len(schema)} inputs' for key, count in times.items()]


@contextmanager
def reading(folder: Path, manifest: Mapping[str, Any], name: str) -> Iterator[None]:
    """Read one file of a bundle; what it lacks, or holds otherwise than this version writes it, is said by name."""
    try:
        yield
    except BundleError:
        raise
    except _FAULTS as error:
        raise _other_layout(folder, manifest, [f"{name} {_what(error)}"]) from error


def _what(error: Exception) -> str:
    """Say what a file lacks, as far as the fault names a key; never what stands in the file."""
    if isinstance(error, KeyError):
        return f"lacks {_listed([str(error.args[0])])}"
    if isinstance(error, ValidationError):
        places = [".".join(str(part) for part in one["loc"]) for one in error.errors(include_input=False)]
        return f"cannot be read at {_listed(places[:_NAMED])}"
    asked = _ARGUMENTS.search(str(error)) if isinstance(error, TypeError) else None
    if asked is not None:
        return f"{'lacks' if asked[1] else 'holds the unknown'} {_listed(re.findall(_QUOTED, asked[0]))}"
    return f"cannot be read ({type(error).__name__})"


def _other_layout(folder: Path, manifest: Mapping[str, Any], lacking: list[str]) -> BundleError:
    more = len(lacking) - _NAMED
    said = "; ".join(lacking[:_NAMED]) + (f"; and {more} more" if more > 0 else "")
    by = manifest.get("nociomics")
    return BundleError(
        f"{folder}: the files of the model do not fit this version of nociomics: {said}. It was exported by "
        f"{f'nociomics {by}' if isinstance(by, str) else 'an unknown version'}, in another layout. Nothing was loaded; "
        "export the model again with this version (nociomics export, or the run that made it)."
    )


def _absent(keys: tuple[str, ...], stored: Mapping[str, Any]) -> list[str]:
    return [key for key in keys if key not in stored]


def _listed(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
