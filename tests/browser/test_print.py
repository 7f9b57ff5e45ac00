"""On paper: dark ink on white, nothing cut, and so few sheets as were promised."""

from __future__ import annotations

from pathlib import Path

from nociomics.report.profile import patient_profile
from tests.browser.checks import faint_drawings, luminances, printed, sheets, too_wide
from tests.browser.conftest import ShowHtml
from tests.browser.opening import Opened
from tests.report import demo

_CARD, _OTHER = 703, 688  # pixels between the margins of A4: 186 and 182 mm
_AT_MOST = {"profile": 2, "pgx": 2}  # sheets of A4, by kind; reports are as long as they need


def test_paper_is_white_even_in_the_dark_and_nothing_is_cut(shown: Opened) -> None:
    inner = _CARD if shown.name.startswith("pgx") else _OTHER
    page = shown.window(inner, media="print", color_scheme="dark")
    paper, ink = luminances(page)
    assert paper == 1 and ink < 0.3
    assert too_wide(page) == []
    assert faint_drawings(page) == []
    assert not any(one.is_visible() for one in page.locator("nav, .skip").all())


def test_a_page_prints_on_so_many_sheets(shown: Opened, folder: Path) -> None:
    paper = printed(shown.window())
    (folder / f"{shown.name}.pdf").write_bytes(paper)
    assert paper.startswith(b"%PDF-") and len(paper) > 10_000
    assert 1 <= sheets(paper) <= _AT_MOST.get(shown.name.split("-")[0], 12)


def test_a_profile_of_which_nothing_is_predicted_prints_on_two_sheets(show_html: ShowHtml) -> None:
    absent = dict.fromkeys(("predictions", "effects", "shap", "base", "gate", "target", "arms", "assignment"))
    with show_html(patient_profile(demo.person(**absent))) as seen:
        assert 1 <= sheets(printed(seen.page)) <= 2


def test_a_page_that_is_too_long_for_its_sheets_is_caught(show_html: ShowHtml) -> None:
    with show_html("<!DOCTYPE html><title>x</title>" + "<p>line</p>" * 100) as seen:
        assert sheets(printed(seen.page)) > 2
