"""Amounts as laboratories write them."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.knowledge.reported_value import read_amounts, with_limits


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.4", (2.4, False, False, False)),
        (" 2.4 ", (2.4, False, False, False)),
        ("1e-3", (0.001, False, False, False)),
        ("<0.4", (0.4, True, False, False)),
        ("<= 0.4", (0.4, True, False, False)),
        ("≤0.4", (0.4, True, False, False)),
        (">500", (500.0, False, True, False)),
        ("<LOD", (None, True, False, False)),
        ("Not detected", (None, True, False, False)),
        (">ULOQ", (None, False, True, False)),
        ("", (None, False, False, False)),
        ("NA", (None, False, False, False)),
        (None, (None, False, False, False)),
        ("nd", (None, False, False, True)),  # not detected, or not done
        ("inf", (None, False, False, True)),
        ("<", (None, False, False, True)),
        ("2,4", (None, False, False, True)),
        ("about 3", (None, False, False, True)),
    ],
)
def test_what_a_text_means(text, expected):
    assert read_amounts(pl.Series([text], dtype=pl.String)).row(0) == expected


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), max_size=20))
def test_plain_numbers_are_read_as_numbers_are(values):
    numbers = pl.Series(values, dtype=pl.Float64)
    assert read_amounts(numbers.cast(pl.String)).rows() == read_amounts(numbers).rows()


@pytest.mark.parametrize(
    ("value", "marked", "flag", "lod", "expected"),
    [
        (0.4, True, None, None, (0.4, True, 0.4)),
        (0.4, True, False, 0.3, (0.4, True, 0.4)),
        (None, True, None, 0.3, (0.3, True, 0.3)),
        (0.2, False, True, 0.4, (0.4, True, 0.4)),
        (0.2, False, None, 0.4, (0.4, True, 0.4)),
        (0.2, False, False, 0.4, (0.2, False, 0.4)),
        (0.4, False, None, 0.4, (0.4, False, 0.4)),
        (0.0, False, True, None, (None, True, None)),
        (0.0, False, None, None, (0.0, False, None)),
        (None, False, True, 0.4, (0.4, True, 0.4)),
        (None, False, None, 0.4, (None, False, 0.4)),
    ],
)
def test_value_flag_and_limit_are_settled(value, marked, flag, lod, expected):
    row = {"value": [value], "marked": [marked], "below_lod": [flag], "lod": [lod]}
    frame = pl.DataFrame(row, schema_overrides={"value": pl.Float64, "lod": pl.Float64, "below_lod": pl.Boolean})
    assert frame.select(with_limits()).row(0) == expected
