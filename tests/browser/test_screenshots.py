"""Pictures of every page, and of every kind in the dark and on a phone, for people to look at (prints: test_print)."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.browser.cases import KINDS
from tests.browser.opening import Opened

_LOOKED_AT = (*KINDS, "profile-closed", "strata-one")


@pytest.mark.parametrize(
    ("kind", "width", "scheme"), [("light", 1200, "light"), ("dark", 1200, "dark"), ("phone", 390, "light")]
)
def test_a_page_is_drawn(shown: Opened, folder: Path, kind: str, width: int, scheme: str) -> None:
    if kind != "light" and shown.name not in _LOOKED_AT:
        return  # a state of a kind: its colours and its layout are tested, its picture is not kept
    picture = shown.window(width, color_scheme=scheme).screenshot(full_page=True)
    (folder / f"{shown.name}-{kind}.png").write_bytes(picture)
    assert struct.unpack(">II", picture[16:24])[0] == width
    assert len(picture) > 20_000, "more than an empty page"
