"""A page opens from a file with the network blocked, asks for nothing, and says nothing in the console."""

from __future__ import annotations

from tests.browser.conftest import ShowHtml
from tests.browser.opening import Opened


def test_a_page_opens_alone_and_in_silence(shown: Opened) -> None:
    assert shown.page.title() and shown.page.locator("main").inner_text().strip()
    assert (shown.asked, shown.said) == ([], [])


def test_a_page_has_one_heading_a_language_and_landmarks(shown: Opened) -> None:
    counts = shown.page.evaluate(
        "() => ['h1', 'body > header', 'main#content', 'html[lang=en]']"
        ".map(one => document.querySelectorAll(one).length)"
    )
    assert counts == [1, 1, 1, 1]


def test_a_page_that_asks_for_something_outside_is_caught(show_html: ShowHtml) -> None:
    picture = '<img alt="" src="https://example.org/x.png">'
    sheet = '<link rel="stylesheet" href="http://a.example/a.css">'
    with show_html(f"<!DOCTYPE html><title>x</title>{sheet}{picture}") as seen:
        assert sorted(seen.asked) == ["http://a.example/a.css", "https://example.org/x.png"]
        assert seen.said, "the browser complains of what it did not get"


def test_a_page_whose_script_fails_is_caught(show_html: ShowHtml) -> None:
    with show_html("<!DOCTYPE html><title>x</title><script>nothing.here()</script>") as seen:
        assert seen.said == ["nothing is not defined"]
