"""Drawings: accessible, within their frame, escaped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.report import plots
from tests.report.html_page import Page

_NUMBERS = st.integers(-(10**9), 10**9).map(lambda thousandth: thousandth / 1000)


@given(st.lists(_NUMBERS, min_size=1), st.lists(st.just(0.0), max_size=1))
def test_a_scale_holds_all_its_values_and_few_ticks(values: list[float], include: list[float]) -> None:
    scale = plots.Scale.around(values, include=include)
    assert all(-1e-6 <= scale.percent(value) <= 100 + 1e-6 for value in [*values, *include])
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 8
    assert len({scale.tick_text(tick) for tick in ticks}) == len(ticks)


def test_nulls_are_left_undrawn() -> None:
    scale = plots.Scale(0, 1)
    assert "<circle" not in plots.interval_strip(None, None, None, scale, "nothing")
    without = plots.interval_strip(0.5, None, float("nan"), scale, "no interval")
    assert "<circle" in without and "whisker" not in without
    assert "NaN" not in without and "nan" not in without


def test_a_large_cohort_is_thinned_and_the_number_drawn_is_told() -> None:
    xs = [index / 7 for index in range(5000)]
    chart, groups, drawn = plots.factor_map(xs, xs, ["S1", None] * 2500)
    assert drawn <= 1500 and groups[0] == "S1"
    assert len(chart) < 120_000


@pytest.mark.parametrize(
    "drawing",
    [
        plots.interval_strip(0.5, 0.2, 0.8, plots.Scale(0, 1), 'a "b" <c>'),
        plots.span_strip(0, -1, plots.Scale(-1, 1), 'a "b" <c>', zero=0),
        plots.share_strip(None, 'a "b" <c>'),
        plots.percentile_strip(12, 'a "b" <c>'),
        plots.axis_strip(plots.Scale(0, 1), 'a "b" <c>'),
        plots.ten_dots(0.34, 'a "b" <c>'),
        plots.group_swatch(3, 'a "b" <c>'),
    ],
)
def test_every_drawing_has_a_name_and_escapes_it(drawing: str) -> None:
    page = Page(drawing)
    assert page.tags[0][1]["role"] == "img"
    assert page.tags[0][1]["aria-label"] == 'a "b" <c>'


def test_ten_dots_fill_the_nearest_whole_number() -> None:
    assert plots.ten_dots(0.34, "").count("dot strong") == 3
    assert plots.ten_dots(0.0, "").count("dot strong") == 0
