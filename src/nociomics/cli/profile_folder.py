"""The folder of the patient pages: replaced as a whole, or given a few pages more."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from nociomics.errors import TableError

_OURS = frozenset({".snakemake_timestamp"})


def replace_pages(pages: Iterable[tuple[str, str]], folder: Path) -> None:
    """Write all pages into a folder, or leave it as it was.

    Parameters
    ----------
    pages : iterable of (file name, page)
    folder : Path
        Former pages in it go.

    Raises
    ------
    TableError
        When it holds anything but pages, or the operating system refuses.
    """
    _require_pages_only(folder)
    with _DraftBeside(folder) as draft:
        _write(pages, Path(draft))
        Path(draft).chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(draft, folder)


def add_pages(pages: Iterable[tuple[str, str]], folder: Path) -> None:
    """Write some pages into a folder, all or none; what else is there stays.

    Parameters
    ----------
    pages : iterable of (file name, page)
    folder : Path
        Made when it is not there.

    Raises
    ------
    TableError
        When it is a file, or the operating system refuses.
    """
    if folder.is_file():
        raise _is_file(folder)
    with _DraftBeside(folder) as draft:
        names = _write(pages, Path(draft))
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            os.replace(Path(draft) / name, folder / name)


def pages_of(folders: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Yield a file name and a page for each page of some folders, such as parts of the people were written to.

    Raises
    ------
    TableError
        When a folder is not there.
    """
    for folder in folders:
        if not folder.is_dir():
            raise TableError(f"{folder}: is no folder of pages. Give the folders that parts were written to.")
        for file in sorted(folder.glob("*.html")):
            yield file.name, file.read_bytes().decode("utf-8")


class _DraftBeside:
    """A folder to write to, on the same file system; gone afterwards, and a refusal is told in words."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.draft = folder, ""

    def __enter__(self) -> str:
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self.draft = tempfile.mkdtemp(dir=self.folder.parent, prefix=f".{self.folder.name}.")
        except OSError as error:
            raise _refused(self.folder, error) from error
        return self.draft

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        shutil.rmtree(self.draft, ignore_errors=True)
        if isinstance(error, OSError):
            raise _refused(self.folder, error) from error


def _write(pages: Iterable[tuple[str, str]], draft: Path) -> list[str]:
    """Write drafts without a rename of their own: the folder as a whole is renamed."""
    names = []
    for name, page in pages:
        (draft / name).write_text(page, encoding="utf-8")
        names.append(name)
    return names


def _require_pages_only(folder: Path) -> None:
    """Refuse a folder that holds anything but pages: it is replaced as a whole."""
    if folder.is_file():
        raise _is_file(folder)
    entries = folder.iterdir() if folder.is_dir() else []
    strangers = sum(entry.suffix != ".html" and entry.name not in _OURS for entry in entries)
    if strangers:
        raise TableError(
            f"{folder}: holds {strangers} files or folders that are no pages, and would be replaced as a whole. "
            "Name a folder that is new, empty, or holds pages alone."
        )


def _is_file(folder: Path) -> TableError:
    return TableError(f"{folder}: is a file; pages need a folder of their own. Choose another name.")


def _refused(folder: Path, error: OSError) -> TableError:
    return TableError(
        f"{folder}: pages cannot be written: {error.strerror or error}. Nothing was left behind. "
        "Free some space or choose another folder, then run the same command again."
    )
