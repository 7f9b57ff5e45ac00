"""Which files a study reads, and the SHA-256 of each, so that a run can be told apart from one of other data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from nociomics.tables.study import Study, Tables

_COMPANIONS = {".bed": (".bim", ".fam"), ".pgen": (".pvar", ".pvar.zst", ".psam")}


def input_digests(study: Study, data: Path) -> dict[str, str | None]:
    """Digest every file that a study names, with the other files of a PLINK set.

    Parameters
    ----------
    study : Study
    data : Path
        Folder that the study's paths are relative to.

    Returns
    -------
    dict of str to (str or None)
        Path as the study writes it -> SHA-256 of the file, null where there is none; sorted by path.
    """
    return {name: _sha256(data / name) for name in sorted(set(_named(study, data)))}


def file_digests(name: str, data: Path) -> dict[str, str | None]:
    """Digest one file of a study, with the other files of a PLINK set; as `input_digests`."""
    return {one: _sha256(data / one) for one in (name, *_others(name, data))}


def _named(study: Study, data: Path) -> Iterator[str]:
    for table in Tables.model_fields:
        for source in getattr(study.tables, table):
            for name in source.files:
                yield str(name)
                yield from _others(str(name), data)
    yield from (str(name) for name in study.instruments)
    if study.splits:
        yield str(study.splits)


def _others(name: str, data: Path) -> list[str]:
    others = [str(Path(name).with_suffix(end)) for end in _COMPANIONS.get(Path(name).suffix, ())]
    return [other for other in others if (data / other).is_file()]


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
