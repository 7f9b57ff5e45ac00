"""A folder of converted genotype files that several studies and runs share, by the content of the files."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from nociomics.tables.files import written_whole

_log = logging.getLogger(__name__)

_MANIFEST = "manifest.json"
_CALLS = "calls.bed"


def cache_key(digests: Mapping[str, str | None], build: str, code: str) -> str:
    """Name a conversion by all that it follows from: the files' content and names, the build asked for, the code.

    Parameters
    ----------
    digests : mapping of str to (str or None)
        File of the set -> SHA-256, as `input_digests.file_digests` gives it.
    build, code : str
    """
    return hashlib.sha256(json.dumps([dict(digests), build, code], sort_keys=True).encode()).hexdigest()


def reading_code() -> str:
    """Digest the code and the facts that a conversion can depend on."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for room in ("knowledge", "tables", "ingest"):
        for file in sorted(path for path in (package / room).rglob("*") if path.is_file()):
            if "__pycache__" not in file.parts:
                digest.update(file.relative_to(package).as_posix().encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def converted(key: str, cache: Path, output: Path, convert: Callable[[], object]) -> None:
    """Take a store from the cache, or convert and leave a copy there.

    Parameters
    ----------
    key : str
        As `cache_key` gives it.
    cache : Path
        The folder; made when it is not there. Two processes may fill it at once.
    output : Path
        Folder of the store.
    convert : callable
        Converts into ``output``. What could not be converted is not kept.
    """
    kept = cache / key
    if (kept / _MANIFEST).is_file():
        _copy(kept, output)
        _log.info("took the converted genotypes from the cache %s", cache)
        return
    convert()
    if not (output / _CALLS).is_file():
        return
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".") as folder:
        draft = Path(folder) / key
        _copy(output, draft)
        try:
            os.replace(draft, kept)
        except OSError as error:
            # mostly another process that was faster, with the same content
            _log.warning("%s was not kept in the cache: %s", output.name, error.strerror)


def _copy(source: Path, target: Path) -> None:
    """Copy a store file by file, its manifest last, so that a copy with a manifest is whole."""
    names = {path.name for path in source.iterdir() if path.is_file() and not path.name.startswith(".")}
    for stale in target.iterdir() if target.is_dir() else ():
        if stale.is_file() and stale.name not in names:
            stale.unlink()
    for name in sorted(names, key=lambda name: (name == _MANIFEST, name)):
        with written_whole(target / name) as draft:
            shutil.copyfile(source / name, draft)
