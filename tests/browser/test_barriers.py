"""Nobody is kept out: WCAG 2.1 A and AA by axe, kinds of pages in light on a desk, every page in dark on a phone."""

from __future__ import annotations

import pytest

from tests.browser.cases import KINDS
from tests.browser.checks import barriers
from tests.browser.conftest import ShowHtml
from tests.browser.opening import Opened

_SOUND = "<!DOCTYPE html><html lang=en><title>x</title><body><main><h1>One</h1><p>Words</p></main></body></html>"


def test_axe_finds_nothing(shown: Opened) -> None:
    if shown.name in KINDS:
        assert barriers(shown.window()) == []
    assert barriers(shown.window(390, color_scheme="dark")) == []


@pytest.mark.parametrize(
    ("sound", "broken", "rule"),
    [
        ("<p>Words</p>", "<img src='data:,'>", "image-alt"),
        ("<p>Words</p>", "<p style='color:#aaa;background:#fff'>Words</p>", "color-contrast"),
        ("<p>Words</p>", "<svg role='img' width='9' height='9'><rect width='9' height='9'/></svg>", "svg-img-alt"),
        ("<p>Words</p>", "<input>", "label"),
        ("<p>Words</p>", "<h4>Four</h4>", "heading-order"),
        (" lang=en", "", "html-has-lang"),
        ("<main>", "<div>", "landmark-one-main"),
    ],
)
def test_a_page_that_keeps_somebody_out_is_caught(show_html: ShowHtml, sound: str, broken: str, rule: str) -> None:
    with show_html(_SOUND.replace(sound, broken)) as seen:
        assert {wrong.split(":")[0] for wrong in barriers(seen.page, rule)} == {rule}


def test_a_sound_page_passes(show_html: ShowHtml) -> None:
    with show_html(_SOUND) as seen:
        assert barriers(seen.page) == []
