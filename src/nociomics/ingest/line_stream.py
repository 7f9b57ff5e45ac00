"""Read a text file in pieces of whole lines, decompressed in a second thread while the last piece is worked on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Empty, Full, Queue
from typing import IO

_PIECE = 4 << 20
_AHEAD = 2


def read_ahead(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield a stream's bytes in pieces, the next ones read in a thread meanwhile; its errors are raised here.

    Decompressing leaves the interpreter's lock, so both go on at once; at most ``_AHEAD`` pieces wait.
    """
    pieces: Queue[bytes | BaseException] = Queue(_AHEAD)
    stopped = threading.Event()

    def put(piece: bytes | BaseException) -> None:
        while not stopped.is_set():
            try:
                return pieces.put(piece, timeout=0.1)
            except Full:
                continue

    def read() -> None:
        try:
            while not stopped.is_set():
                piece = stream.read(_PIECE)
                put(piece)
                if not piece:
                    return
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while piece := _taken(pieces):
            yield piece
    finally:
        stopped.set()
        _emptied(pieces)
        thread.join()


def _taken(pieces: Queue[bytes | BaseException]) -> bytes:
    piece = pieces.get()
    if isinstance(piece, BaseException):
        raise piece
    return piece


def _emptied(pieces: Queue[bytes | BaseException]) -> None:
    try:
        while True:
            pieces.get_nowait()
    except Empty:
        return


def whole_lines(pieces: Iterator[bytes], before: bytes = b"", after: bytes = b"") -> Iterator[bytes]:
    r"""Cut pieces at line ends: each yielded part ends with a line end, and is put between ``before`` and ``after``.

    Examples
    --------
    >>> list(whole_lines(iter([b"a\nb", b"c", b"d\n", b"e"])))
    [b'a\n', b'bcd\n', b'e\n']
    """
    rest: list[bytes] = []
    for piece in pieces:
        end = piece.rfind(b"\n") + 1
        if not end:
            rest.append(piece)
            continue
        yield b"".join([before, *rest, memoryview(piece)[:end], after])
        rest = [piece[end:]] if end < len(piece) else []
    if rest:
        yield b"".join([before, *rest, b"\n", after])
