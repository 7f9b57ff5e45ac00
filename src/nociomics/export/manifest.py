"""The manifest: what a bundle holds, byte for byte, and who signed it; checked before anything else is opened."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import stat
from collections.abc import Mapping
from importlib import resources
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from nociomics.errors import BundleError
from nociomics.export.signature import SIGNATURE, check_signature

MANIFEST = "manifest.json"
FORMAT_NAME, FORMAT_VERSION = "nociomics-bundle", 3
FORMAT = f"{FORMAT_NAME}/{FORMAT_VERSION}"
INTENDED_USE = "Research on groups with chronic pain. Not for treating a person without a clinician."
LICENCE = "as the study that it was trained on; see MODEL_CARD.md"
_LIBRARIES = ("numpy", "polars", "scikit-learn", "scipy", "xgboost-cpu")
_CONTENTS = {
    "model.json, *.ubj": "linear parameters and trees of the response, with its calibration",
    "adverse/": "chance of the adverse event, in the same form",
    "propensity.json": "who got which treatment, of an observational study",
    "strata.json": "strata and how new people are placed",
    "schema.json": "unit, range, categories and missing_ok of every input",
    "interval.json": "level and conformal half-widths",
    "gate.json": "what may be said about one person",
    "reliance.json": "what the model leans on",
    "background.json": "encoded training people that explanations compare with, without ids",
    "golden.json": "invented people and the answers that every machine has to give",
    "onnx.json": "whether the second export stands, and why not",
    "model.onnx": "the second export: expectations only, without gate and intervals",
    "MODEL_CARD.md": "for people",
}
_LARGEST_FILE = 1 << 30
_LARGEST_JSON = 1 << 28
_LARGEST_MANIFEST = 1 << 24
_MOST_FILES = 20_000
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def manifest_of(folder: Path, study: str, people: int, seed: int) -> dict[str, Any]:
    """Describe the files of a folder.

    Parameters
    ----------
    people : int
        Number of training people.
    seed : int
        Of the study.
    """
    there = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        "format": FORMAT,
        "study": study,
        "training_people": people,
        "seed": seed,
        "nociomics": version("nociomics"),
        "knowledge": knowledge_digest(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "schema": "schema.json",
        "contents": {name: words for name, words in _CONTENTS.items() if _is_there(name, set(there))},
        "intended_use": INTENDED_USE,
        "licence": LICENCE,
        "files": {name: sha256(path) for name, path in there.items()},
    }


def _is_there(pattern: str, names: set[str]) -> bool:
    first = pattern.split(",")[0]
    return first in names or any(name.startswith(first) for name in names if first.endswith("/"))


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """Write a manifest in the one form that is accepted."""
    return json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Add the manifest's own hash: a manifest that was damaged is seen without any key."""
    plain = {name: value for name, value in manifest.items() if name != "sha256"}
    return {**plain, "sha256": hashlib.sha256(manifest_text(plain).encode()).hexdigest()}


def knowledge_digest() -> str:
    """SHA-256 over the data files of the knowledge room: names and contents, in the order of their names."""
    digest = hashlib.sha256()
    root = Path(str(resources.files("nociomics.knowledge")))
    for path in sorted(path for path in root.rglob("*") if path.suffix in (".csv", ".yaml")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def verified(folder: Path, key: Path | None = None) -> dict[str, Any]:
    """Check a bundle's files against its manifest, and the manifest against its signature; open nothing else.

    Parameters
    ----------
    folder : Path
        The bundle.
    key : Path, optional
        File of the key that the bundle has to be signed with; without one a signature is not looked at.

    Raises
    ------
    BundleError
        Naming everything that is wrong: a newer format, a file missing, added, changed or too large, a link, a name
        that leads out of the folder, no signature or another one.
    """
    if not (folder / MANIFEST).is_file():
        raise BundleError(
            f"{folder}: is not an exported model (no manifest.json). Give the folder export/model of a run."
        )
    text = _read(folder / MANIFEST, _LARGEST_MANIFEST)
    manifest: dict[str, Any] = _parsed(text, folder / MANIFEST)
    _require_format(folder, manifest)
    if key is not None:
        check_signature(folder, text, key)
    problems = _problems(folder, manifest, text)
    if problems:
        raise BundleError(
            f"{folder}: the model was altered after its export: {'; '.join(problems)}. Nothing was loaded."
        )
    return manifest


def _require_format(folder: Path, manifest: Any) -> None:
    stated = manifest.get("format") if isinstance(manifest, dict) else None
    name, _, number = str(stated).partition("/")
    if name == FORMAT_NAME and number.isascii() and number.isdigit() and int(number[:9]) > FORMAT_VERSION:
        raise BundleError(
            f"{folder}: the model was exported by a newer nociomics (bundle format {int(number[:9])}; this version "
            f"reads {FORMAT_VERSION}). Update nociomics to load it."
        )
    if stated != FORMAT:
        raise BundleError(f"{folder}: this version reads {FORMAT} only. Export the model again.")


def _problems(folder: Path, manifest: dict[str, Any], text: bytes) -> list[str]:
    listed = manifest.get("files")
    if not isinstance(listed, dict) or len(listed) > _MOST_FILES:
        return ["manifest.json does not list its files"]
    problems = []
    if manifest_text(sealed(manifest)).encode() != text:
        problems.append("manifest.json is changed")
    wrong = sorted(name for name, digest in listed.items() if not _is_entry(name, digest))
    if wrong:
        return [*problems, f"{len(wrong)} entries of the manifest are no file of a bundle with its SHA-256"]
    there, odd = _files(folder)
    missing, added = sorted(set(listed) - there - odd), sorted(there - set(listed))
    large = sorted(name for name in there & set(listed) if _too_large(folder / name))
    changed = sorted(name for name in set(listed) & there - set(large) if sha256(folder / name) != listed[name])
    kinds = (
        (sorted(odd), "links or no plain files"),
        (missing, "missing"),
        (added, "not in the manifest"),
        (large, "too large"),
        (changed, "changed"),
    )
    return problems + [f"{len(names)} files are {what} (first: {names[0]})" for names, what in kinds if names]


def _is_entry(name: str, digest: Any) -> bool:
    """Whether a name stays within the folder, and has a hash."""
    inside = _NAME.fullmatch(name) and ".." not in PurePosixPath(name).parts and name not in (MANIFEST, SIGNATURE)
    return bool(inside and isinstance(digest, str) and _DIGEST.fullmatch(digest))


def _files(folder: Path) -> tuple[set[str], set[str]]:
    """Names of the plain files of a folder, and of everything else that is no folder; links are not followed."""
    plain: set[str] = set()
    odd: set[str] = set()
    for path in folder.rglob("*"):
        kind = path.lstat().st_mode
        if not stat.S_ISDIR(kind):
            (plain if stat.S_ISREG(kind) else odd).add(path.relative_to(folder).as_posix())
    return plain - {MANIFEST, SIGNATURE}, odd


def _too_large(path: Path) -> bool:
    return path.stat().st_size > (_LARGEST_JSON if path.suffix == ".json" else _LARGEST_FILE)


def sha256(path: Path) -> str:
    """Return a file's hash in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read_bundle_json(folder: Path, name: str) -> Any:
    """Read a JSON file of a verified bundle."""
    return _parsed(_read(folder / name, _LARGEST_JSON), folder / name)


def _read(path: Path, largest: int) -> bytes:
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise BundleError(
            f"{path}: is larger than the {largest >> 20} MiB that such a file may have. Nothing was loaded."
        )
    return content


def _parsed(content: bytes, path: Path) -> Any:
    try:
        return json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: cannot be read as JSON ({type(error).__name__}). Nothing was loaded.") from error


def _no_constant(word: str) -> float:
    raise ValueError(f"JSON has no {word}")
