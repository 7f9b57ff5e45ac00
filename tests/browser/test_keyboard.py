"""A page can be used with the keyboard alone."""

from __future__ import annotations

import pytest

from tests.browser.checks import blocked_ways
from tests.browser.conftest import ShowHtml
from tests.browser.opening import Opened

# milliseconds: for a machine that others use too
_WAIT = 20_000
_INSIDE = "() => document.querySelector('main').contains(document.activeElement)"
_IN_SIGHT = """place => {
    const box = document.querySelector(place).getBoundingClientRect();
    return location.hash === place && box.top < innerHeight && box.bottom > 0;
}"""
_PAGE = "<!DOCTYPE html><html lang=en><title>x</title><body>{}</body></html>"


def test_tab_reaches_everything_in_order_and_shows_where_it_is(shown: Opened) -> None:
    shown.window().reload()
    assert blocked_ways(shown.page) == []


def test_the_first_tab_shows_a_way_around_the_links_above(shown: Opened) -> None:
    page = shown.window()
    page.goto(page.url.split("#")[0])
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    box = page.locator(".skip").bounding_box()
    assert box is not None and box["y"] >= 0 and box["x"] >= 0, "the link is in sight while it has the focus"
    page.keyboard.press("Enter")
    # a way within the page is gone some time after the key: the browser says when
    page.wait_for_function("() => location.hash === '#content'", timeout=_WAIT)
    focusable = page.locator("main a[href], main summary, main button, main [tabindex='0']").count()
    page.keyboard.press("Tab")
    assert page.evaluate(_INSIDE) or not focusable


def test_every_link_within_a_page_leads_to_its_place(shown: Opened) -> None:
    page = shown.window()
    for place in range(page.locator("nav a").count()):
        link = page.locator("nav a").nth(place)
        link.focus()
        page.keyboard.press("Enter")
        page.wait_for_function(_IN_SIGHT, arg=link.get_attribute("href"), timeout=_WAIT)


def test_what_is_folded_opens_and_closes_with_the_keyboard(shown: Opened) -> None:
    page = shown.window()
    for folded in page.locator("details:visible").all():
        before = folded.evaluate("one => one.open")
        for key, open_ in (("Enter", not before), ("Space", before)):
            folded.locator("summary").focus()
            page.keyboard.press(key)
            page.wait_for_function(
                "([one, open]) => one.open === open", arg=[folded.element_handle(), open_], timeout=_WAIT
            )


def test_what_is_wider_than_a_phone_scrolls_in_its_own_box_by_keyboard(shown: Opened) -> None:
    page = shown.window(320)
    for box in page.locator(".scroll:visible").all():
        if box.evaluate("one => one.scrollWidth > one.clientWidth + 1"):
            box.focus()
            page.keyboard.press("ArrowRight")
            page.wait_for_function("one => one.scrollLeft > 0", arg=box.element_handle(), timeout=_WAIT)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("<a href='#a'>one</a><a href='#b' style='outline:none'>two</a>", "no ring"),
        ("<a href='#a'>one</a><a href='#b' tabindex='1'>two</a>", "not in the order of the page"),
        ("<a href='#a'>one</a><a href='#b' style='position:fixed;left:-999px'>two</a>", "out of sight"),
        ("<a href='#a'>one</a><a href='#b' onfocus='this.blur()'>two</a>", "never reached: a two"),
        (
            "<a href='#a'>a</a><button onkeydown=\"if (event.key == 'Tab') event.preventDefault()\">trap</button>"
            "<a href='#b'>beyond</a>",
            "never reached: a beyond",
        ),
    ],
)
def test_a_page_that_the_keyboard_cannot_use_is_caught(show_html: ShowHtml, broken: str, words: str) -> None:
    with show_html(_PAGE.format(broken)) as seen:
        assert any(words in wrong for wrong in blocked_ways(seen.page))
