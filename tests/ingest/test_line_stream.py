"""Pieces of whole lines: the reader that fills the same buffers again gives what the plain one gives."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nociomics.ingest import line_stream
from nociomics.ingest.line_stream import lines_ahead, whole_lines
from tests.conftest import examples

TEXTS = st.lists(st.sampled_from([b"", b"a", b"bc", b"\r", b"\n", b"x" * 30, b"y\n"]), max_size=40).map(b"".join)


@settings(max_examples=examples(60), deadline=None)
@given(text=TEXTS, piece=st.integers(1, 50), step=st.integers(1, 60), before=st.sampled_from([b"", b"\n"]))
def test_recycled_buffers_hold_the_same_lines_whatever_their_size(
    text: bytes, piece: int, step: int, before: bytes
) -> None:
    after = b"\n" * 8
    plain = b"".join(whole_lines(iter([text] if text else [])))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_stream, "_PIECE", piece)
        patch.setattr(line_stream, "_STEP", step)
        found = [bytes(part) for part in lines_ahead(io.BytesIO(text), before, after)]
    assert all(part.startswith(before) and part.endswith(b"\n" + after) for part in found)
    assert b"".join(part[len(before) : -len(after)] for part in found) == plain


class Broken(io.BytesIO):
    """A stream that ends in an error."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 20:
            raise EOFError("cut")
        return super().read(size)


def test_an_error_of_the_stream_is_raised_where_the_lines_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_stream, "_PIECE", 10)
    taken = []
    with pytest.raises(EOFError, match="cut"):
        for piece in lines_ahead(Broken(b"line of a file\n" * 9)):
            taken.append(bytes(piece))
    assert taken
    assert set(taken) == {b"line of a file\n"}


def test_whoever_stops_early_leaves_no_thread_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr(line_stream, "_PIECE", 10)
    before = threading.active_count()
    pieces = lines_ahead(io.BytesIO(b"1\n" * 1000))
    assert bytes(next(pieces)) == b"1\n" * 5
    pieces.close()
    assert threading.active_count() == before
