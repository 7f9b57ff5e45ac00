"""Light, dark and the reader's own colours: paper and ink change, and every drawing can be read."""

from __future__ import annotations

import pytest

from tests.browser.checks import faint_drawings, luminances
from tests.browser.conftest import ShowHtml
from tests.browser.opening import Opened


def test_light_is_light_and_drawings_stand_out(shown: Opened) -> None:
    paper, ink = luminances(shown.window(color_scheme="light"))
    assert paper > 0.9 and ink < 0.3
    assert faint_drawings(shown.page) == []


def test_dark_is_dark_and_drawings_stand_out(shown: Opened) -> None:
    paper, ink = luminances(shown.window(color_scheme="dark"))
    assert paper < 0.2 and ink > 0.7
    assert faint_drawings(shown.page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marks_are_kept_in_the_readers_own_colours(shown: Opened, scheme: str) -> None:
    page = shown.window(color_scheme=scheme, forced_colors="active")
    assert page.evaluate("() => matchMedia('(forced-colors: active)').matches")
    assert faint_drawings(page) == []


def test_nothing_moves_for_a_reader_who_wants_it_still(shown: Opened) -> None:
    moving = shown.window(reduced_motion="reduce").evaluate(
        "() => { const all = [...document.querySelectorAll('*')].map(one => getComputedStyle(one)); "
        "return [document.getAnimations().length, all[0].scrollBehavior, "
        "all.filter(one => parseFloat(one.transitionDuration)).length]; }"
    )
    assert moving == [0, "auto", 0]


@pytest.mark.parametrize(
    ("drawing", "words"),
    [
        ("<text y='9' fill='#999'>faint</text>", "text.: 2.8"),
        ("<line x2='9' y2='9' stroke='#ccc'/>", "line.: 1.6"),
        ("<circle r='9' fill='#000' opacity='.2'/>", "circle.: 1.6"),
    ],
)
def test_a_faint_drawing_is_caught(show_html: ShowHtml, drawing: str, words: str) -> None:
    body = f"<body style='background:#fff'><svg>{drawing}</svg></body>"
    with show_html(f"<!DOCTYPE html><html lang=en><title>x</title>{body}</html>") as seen:
        assert [wrong[: len(words)] for wrong in faint_drawings(seen.page)] == [words]
