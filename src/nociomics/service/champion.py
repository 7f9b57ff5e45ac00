"""The model that answers, and how another takes its place without a request being lost."""

from __future__ import annotations

import gc
import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nociomics.errors import BundleError, NociomicsError
from nociomics.export.bundle import Bundle, load_bundle
from nociomics.service.input_counts import InputCounts
from nociomics.service.refusal import Refusal
from nociomics.tables.files import read_json

POINTER = "champion.json"
_LOG = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class Champion:
    """A model that was verified, with everything that can be made ready once.

    Attributes
    ----------
    bundle : Bundle
        Hashes and golden rows were checked.
    name : str
        Name of its folder.
    card : str
        ``MODEL_CARD.md``.
    digest : str
        SHA-256 of its manifest: tells models apart.
    loaded_at : str
        When, ISO 8601, UTC.
    counts : InputCounts
        What was asked of this very model.
    """

    bundle: Bundle
    name: str
    card: str
    digest: str
    loaded_at: str
    counts: InputCounts
    ready: dict[str, Any] = field(default_factory=dict)
    """Made on first use, such as the explainer."""


def require_model_name(name: str) -> str:
    """Return a name that is one plain folder name; everything that could leave the folder is refused.

    Examples
    --------
    >>> require_model_name("response-2026.1")
    'response-2026.1'
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise Refusal(
            400, "bad_model_name", "A model's name has letters, digits, dots, hyphens and underscores, and no path."
        )
    return name


def bundle_folder(model: Path) -> Path:
    """Return the folder of the bundle: the one given, or the one that ``champion.json`` in it names.

    A folder of several models has ``champion.json`` with ``{"champion": "name of one of its folders"}``; write it
    beside its place and rename it.

    Raises
    ------
    BundleError
        When the pointer names nothing, or something outside the folder.
    """
    pointer = model / POINTER
    if (model / "manifest.json").is_file() or not pointer.is_file():
        return model
    stored = read_json(pointer)
    name = stored.get("champion") if isinstance(stored, dict) else None
    try:
        folder = model / require_model_name(name if isinstance(name, str) else "")
    except Refusal as refused:
        raise BundleError(f'{pointer}: {refused} Write {{"champion": "<folder>"}}.') from None
    if not folder.resolve().is_relative_to(model.resolve()):
        raise BundleError(f"{pointer}: names a folder outside {model}. Nothing was loaded.")
    return folder


def load_champion(model: Path) -> Champion:
    """Verify and load the model that a folder holds or names."""
    from hashlib import sha256

    folder = bundle_folder(model)
    bundle = load_bundle(folder)
    return Champion(
        bundle,
        folder.resolve().name,
        (folder / "MODEL_CARD.md").read_text(encoding="utf-8"),
        sha256((folder / "manifest.json").read_bytes()).hexdigest(),
        datetime.now(UTC).isoformat(timespec="seconds"),
        InputCounts.of_bundle(folder),
    )


class Reigning:
    """Holds the champion; a request takes it once and keeps it to its end.

    Parameters
    ----------
    model : Path
        A bundle, or a folder with ``champion.json``.
    load : callable
        Makes a champion of the folder; replaced in tests.
    """

    def __init__(self, model: Path, load: Callable[[Path], Champion] = load_champion) -> None:
        self.model, self._load = model, load
        self._one_at_a_time = threading.Lock()
        self._current: Champion | None = None
        self.refused: str | None = None
        self.reloads = {"loaded": 0, "refused": 0}

    @property
    def current(self) -> Champion:
        """The champion, or a refusal while there is none."""
        if self._current is None:
            raise Refusal(503, "not_ready", "No model could be loaded yet; see /ready.", {"Retry-After": "5"})
        return self._current

    def take(self) -> Champion | None:
        """Return the champion, None where there is none."""
        return self._current

    def reload(self) -> bool:
        """Verify what the folder holds now, and only then put it in the place of the champion.

        A model that cannot be verified changes nothing: the old one goes on, and `refused` says why.

        Returns
        -------
        bool
            Whether the new one answers.
        """
        with self._one_at_a_time:
            try:
                found = self._load(self.model)
            except (NociomicsError, OSError, ValueError, KeyError, TypeError) as error:
                self.refused = _said(error)
                self.reloads["refused"] += 1
                if self._current is not None:
                    _LOG.error("model refused, the one before goes on: %s", self.refused)
                return False
            before = self._current
            if before is not None and before.digest == found.digest:
                found = replace(found, counts=before.counts)
            self._current, self.refused = found, None
            self.reloads["loaded"] += 1
            _LOG.info("model loaded: %s, %s", found.name, found.digest[:12])
            return True

    def mark(self) -> tuple[Any, ...]:
        """Return what changes on disk when another model is put there: place, size and time of its files."""
        found: list[Any] = []
        for path in (self.model / POINTER, self.model / "manifest.json", self.model):
            try:
                stat = path.stat()
            except OSError:
                found.append(None)
            else:
                found.append((stat.st_ino, stat.st_mtime_ns, stat.st_size))
        return tuple(found)


def settle_memory() -> None:
    """Let go of a model that went before, and stop looking for garbage in the one that stays.

    To look through a model of many megabytes again and again would cost requests their time. What was set aside for an
    earlier model is looked through once more first: model and its ready-made parts point at each other.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _said(error: Exception) -> str:
    """Say why a model was refused; a fault of a file that is not ours to read is named by its kind."""
    if isinstance(error, NociomicsError):
        return str(error)
    return f"a file of the model cannot be used ({type(error).__name__})."
