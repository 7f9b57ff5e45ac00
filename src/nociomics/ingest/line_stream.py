"""Read a text file in pieces of whole lines, decompressed in a second thread while the last piece is worked on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Empty, Full, Queue
from typing import IO

_PIECE = 4 << 20
_STEP = 1 << 20
"""Bytes that are asked for at once: few enough to lie in the cache when they are put in their place."""
_AHEAD = 2


def lines_ahead(stream: IO[bytes], before: bytes = b"", after: bytes = b"") -> Iterator[bytearray]:
    """Yield what `whole_lines` yields, the next pieces read in a thread meanwhile; its errors are raised here.

    Decompressing leaves the interpreter's lock, so both go on at once; at most ``_AHEAD`` pieces wait. A piece is good
    until the next one is asked for: its memory is used again, since to get fresh memory from the system for each
    would take half as long as to decompress. No view of it may be kept.
    """
    # one is worked on, one is filled, the others wait
    free = [bytearray() for _ in range(_AHEAD + 2)]
    pieces: Queue[bytearray | BaseException | None] = Queue(_AHEAD)
    stopped = threading.Event()

    def put(piece: bytearray | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                return pieces.put(piece, timeout=0.1)
            except Full:
                continue

    def read() -> None:
        try:
            for piece in _filled(stream, free, before, after):
                put(piece)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while (piece := _taken(pieces)) is not None:
            yield piece
            free.append(piece)
    finally:
        stopped.set()
        _emptied(pieces)
        thread.join()


def _taken(pieces: Queue[bytearray | BaseException | None]) -> bytearray | None:
    piece = pieces.get()
    if isinstance(piece, BaseException):
        raise piece
    return piece


def _emptied(pieces: Queue[bytearray | BaseException | None]) -> None:
    try:
        while True:
            pieces.get_nowait()
    except Empty:
        return


def _filled(stream: IO[bytes], free: list[bytearray], before: bytes, after: bytes) -> Iterator[bytearray]:
    """Fill one free buffer after the other with whole lines, and take it from the free ones."""
    rest, ended = b"", False
    while not ended:
        buffer = free.pop()
        start, end = len(before) + len(rest), 0
        buffer.extend(bytes(max(0, start + _PIECE + len(after) - len(buffer))))
        buffer[:start] = before + rest
        while not end and not ended:
            filled, ended = _read_into(stream, buffer, start, len(buffer) - len(after))
            end = buffer.rfind(b"\n", start, filled) + 1
            if not end and not ended:  # a line longer than a piece
                buffer.extend(bytes(_PIECE))
            start = filled
        if ended and filled > max(end, len(before)):
            buffer[filled:] = b"\n"
            end = filled = filled + 1
        rest = bytes(buffer[end:filled])
        buffer[end:] = after
        if end > len(before):
            yield buffer


def _read_into(stream: IO[bytes], buffer: bytearray, start: int, stop: int) -> tuple[int, bool]:
    """Read until a part of a buffer is full; says where what was read ends, and whether the stream did."""
    with memoryview(buffer) as view:  # bytes put into a bytearray itself would be copied twice
        while start < stop:
            some = stream.read(min(_STEP, stop - start))
            if not some:
                return start, True
            view[start : start + len(some)] = some
            start += len(some)
    return start, False


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
