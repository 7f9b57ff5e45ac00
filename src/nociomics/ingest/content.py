"""Open a file by what it holds, not by its name: plain or gzipped, and which kind of table."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from gzip import BadGzipFile
from pathlib import Path

from isal import igzip
from isal.isal_zlib import IsalError

from nociomics.errors import TableError

CUT: tuple[type[Exception], ...] = (EOFError, BadGzipFile, zlib.error, IsalError)  # type: ignore[assignment]
"""What a gzip reader raises for a file that is cut or damaged."""
GZIP = b"\x1f\x8b"
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_HEAD_BYTES = 65536


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a file, and how many rows or columns it concerns."""

    message: str
    count: int = 1
    column: str | None = None


class UnreadableTable(TableError):
    """A file that cannot be taken as a table; holds every problem found in it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(problem.message for problem in problems))
        self.problems = problems


def refuse(message: str, count: int = 1) -> UnreadableTable:
    """Make the error of a file with a single problem."""
    return UnreadableTable(Problem(message, count))


def require_file(path: Path, shown: str) -> None:
    """Raise `UnreadableTable` when there is no readable file."""
    if not path.is_file():
        kind = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise refuse(f"{shown}: {kind} (looked for {path}). Correct the path in the study file, or data_root.")


def read_bytes(path: Path, shown: str) -> bytes:
    """Read a whole file, decompressed when it is gzipped.

    Parameters
    ----------
    path : Path
        The file.
    shown : str
        How messages name it: the path as the study writes it.

    Raises
    ------
    UnreadableTable
        When it is missing, empty, not readable, or a gzip file that ends too early.
    """
    require_file(path, shown)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise refuse(f"{shown}: cannot be read: {error.strerror}.") from error
    if data.startswith(GZIP):
        check_bgzf_end(path, shown)
        data = _decompressed(data, shown)
    if not data.strip():
        raise refuse(f"{shown}: the file is empty.")
    return data


def _decompressed(data: bytes, shown: str) -> bytes:
    try:
        return bytes(igzip.decompress(data))  # type: ignore[no-untyped-call]
    except CUT as error:
        raise truncated(shown) from error


def truncated(shown: str) -> UnreadableTable:
    """Make the error of a gzip file that is cut or damaged."""
    return refuse(f"{shown}: the gzip file is truncated or damaged. Copy it again from its source.")


def check_bgzf_end(path: Path, shown: str) -> None:
    """Raise `UnreadableTable` when a BGZF file lacks the empty block that marks its end.

    A plain gzip file has no such block and passes.
    """
    with path.open("rb") as stream:
        head = stream.read(18)
        if not (head.startswith(GZIP) and len(head) == 18 and head[3] & 4 and head[12:14] == b"BC"):
            return
        size = path.stat().st_size
        stream.seek(max(0, size - len(_BGZF_END)))
        if stream.read() != _BGZF_END:
            raise refuse(
                f"{shown}: the BGZF file is truncated: its end marker is missing. Copy it again from its source."
            )


def first_bytes(path: Path, shown: str) -> bytes:
    """Return the first decompressed bytes, to find out what a file holds.

    Raises
    ------
    UnreadableTable
        When the file is missing, or gzip and damaged at its start.
    """
    require_file(path, shown)
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if not head.startswith(GZIP):
        return head
    try:
        with igzip.open(path, "rb") as stream:  # type: ignore[no-untyped-call]
            return bytes(stream.read(_HEAD_BYTES))
    except CUT as error:
        raise truncated(shown) from error
