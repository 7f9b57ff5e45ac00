"""The tests' own reader, shown to fail where it should."""

from __future__ import annotations

import pytest

from tests.report.html_page import Page, reading_grade


@pytest.mark.parametrize("broken", ["<p><b>text</p></b>", "<div><p>text</p>", "text</p>"])
def test_unbalanced_tags_are_found(broken: str) -> None:
    with pytest.raises(AssertionError):
        Page(broken)


def test_reading_grade_tells_a_child_from_a_committee() -> None:
    assert reading_grade("The cat sat on the mat. The dog ran to the red door.") < 3
    committee = "Heterogeneity of therapeutic responsiveness necessitates individualised recommendations."
    assert reading_grade(committee) > 15
