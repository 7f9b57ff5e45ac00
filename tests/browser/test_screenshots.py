"""Pictures of every page, light, dark, on a phone and on paper, for people to look at: CI keeps them, git does not."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from tests.browser.opening import Opened

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder() -> Path:
    """Where pictures are kept: $CI_ARTIFACTS, or results/screenshots."""
    kept = _ROOT / (os.environ.get("CI_ARTIFACTS") or "results/screenshots")
    kept.mkdir(parents=True, exist_ok=True)
    return kept


@pytest.mark.parametrize(
    ("kind", "width", "scheme"), [("light", 1200, "light"), ("dark", 1200, "dark"), ("phone", 390, "light")]
)
def test_a_page_is_drawn(shown: Opened, folder: Path, kind: str, width: int, scheme: str) -> None:
    picture = shown.window(width, color_scheme=scheme).screenshot(full_page=True)
    (folder / f"{shown.name}-{kind}.png").write_bytes(picture)
    assert struct.unpack(">II", picture[16:24])[0] == width
    assert len(picture) > 20_000, "more than an empty page"


def test_a_page_is_printed(shown: Opened, folder: Path) -> None:
    paper = shown.window(media="print").pdf(format="A4", prefer_css_page_size=True)
    (folder / f"{shown.name}.pdf").write_bytes(paper)
    assert paper.startswith(b"%PDF-") and len(paper) > 10_000
