"""Durations as people count them."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.ingest.calendar_spans import months_between

DAYS = st.dates(date(1920, 1, 1), date(2100, 1, 1))


@pytest.mark.parametrize(
    ("earlier", "later", "months"),
    [
        (date(2025, 1, 15), date(2025, 4, 15), 3.0),
        (date(2025, 1, 15), date(2025, 4, 14), 3 - 1 / 31),
        (date(2024, 1, 31), date(2024, 2, 29), 1.0),
        (date(2004, 2, 29), date(2022, 2, 28), 18 * 12.0),
        (date(2007, 6, 1), date(2025, 6, 1), 18 * 12.0),
        (date(2025, 5, 2), date(2025, 5, 2), 0.0),
    ],
)
def test_months_are_those_of_the_calendar(earlier: date, later: date, months: float) -> None:
    assert months_between(pl.Series([earlier]), pl.Series([later])).item() == pytest.approx(months)


@given(DAYS, st.integers(0, 20000))
def test_a_later_day_is_never_a_shorter_time(start: date, days: int) -> None:
    ends = pl.Series([start + timedelta(days), start + timedelta(days + 1)])
    one, other = months_between(pl.Series([start, start]), ends)
    assert 0 <= one <= other
    assert one == pytest.approx(days / 30.4375, abs=1.1)


@given(DAYS, DAYS)
def test_the_sign_says_which_came_first(one: date, other: date) -> None:
    months = months_between(pl.Series([one]), pl.Series([other])).item()
    assert (months > 0) == (other > one) and (months < 0) == (other < one)


def test_a_missing_date_has_no_duration() -> None:
    assert months_between(pl.Series([None], dtype=pl.Date), pl.Series([date(2025, 1, 1)])).item() is None
