"""Nothing sticks out: on a desk, on a phone, at twice the zoom and with letters of twice the size."""

from __future__ import annotations

import pytest

from tests.browser.checks import too_wide
from tests.browser.conftest import ShowHtml
from tests.browser.opening import Opened

_PAGE = "<!DOCTYPE html><html lang=en><title>x</title><body style='margin:0'>{}</body></html>"
_WIDTHS = (1200, 1000, 980, 740, 640, 390, 320)  # 640: a window of 1280 at a zoom of 200%


def test_a_page_fits_its_window(shown: Opened) -> None:
    assert {width: too_wide(shown.window(width)) for width in _WIDTHS} == {width: [] for width in _WIDTHS}


def test_letters_of_twice_the_size_fit(shown: Opened) -> None:
    page = shown.window()
    session = page.context.new_cdp_session(page)
    sizes = []
    for size in (16, 32):
        session.send("Page.setFontSizes", {"fontSizes": {"standard": size, "fixed": 13 * size // 16}})
        sizes.append(page.locator("main").evaluate("one => parseFloat(getComputedStyle(one).fontSize)"))
    wrong = {width: too_wide(shown.window(width)) for width in (1200, 640)}
    session.send("Page.setFontSizes", {"fontSizes": {"standard": 16, "fixed": 13}})
    assert sizes[1] == 2 * sizes[0] and wrong == {1200: [], 640: []}


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("<div style='width:800px'>wide</div>", "the page is 800 wide"),
        ("<div style='width:50px;overflow:hidden;white-space:nowrap'>much too long for it</div>", "cut"),
        ("<p style='position:relative;left:-40px'>to the left</p>", "-40 to"),
    ],
)
def test_what_sticks_out_or_is_cut_is_caught(show_html: ShowHtml, broken: str, words: str) -> None:
    with show_html(_PAGE.format(broken), width=390) as seen:
        assert any(words in wrong for wrong in too_wide(seen.page))


def test_a_wide_table_in_a_box_that_scrolls_is_none(show_html: ShowHtml) -> None:
    box = "<div style='overflow-x:auto'><div style='width:800px'>wide</div></div>"
    with show_html(_PAGE.format(box), width=390) as seen:
        assert too_wide(seen.page) == []
