"""Numbers as the pages write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.report import formats

_ANY = st.one_of(st.none(), st.floats(), st.integers(-(10**9), 10**9))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (31.0, "score", "31"),
        (6.857, "points", "6.9"),
        (3.4182, "pg/mL", "3.42"),
        (288.4, "nmol/L", "288"),
        (0.000123, "pg/mL", "0.000123"),
        (-0.5, "log2", "−0.500"),
        (0.0, "0/1", "no"),
        (12345678.9, "count", "12345678.9"),
        ("tramadol <b>", "category", "tramadol <b>"),
        (None, "score", "not measured"),
        (math.nan, "pg/mL", "not measured"),
    ],
)
def test_quantity_has_the_digits_of_its_unit(value: object, unit: str, text: str) -> None:
    assert formats.quantity(value, unit) == text


def test_interval_stands_beside_its_value() -> None:
    assert formats.interval(0.81, 0.74, 0.87) == "0.81 (0.74 to 0.87)"
    assert formats.interval(-0.2, -0.5, 0.1, signed=True) == "−0.20 (−0.50 to 0.10)"
    assert formats.interval(None, 0.1, 0.2) == "not measured"
    assert formats.interval(0.5, None, 0.9) == "0.50 (no interval)"


@given(_ANY)
def test_a_null_is_words_and_a_number_is_never_nan(value: float | None) -> None:
    texts = [formats.number(value), formats.share(value), formats.quantity(value, "pg/mL")]
    missing = value is None or (isinstance(value, float) and not math.isfinite(value))
    for text in texts:
        assert (text == "not measured") == missing
        assert "nan" not in text and "inf" not in text
        assert "-" not in text  # a minus is U+2212


@given(st.floats(1e-6, 1 - 1e-6))
def test_a_share_between_none_and_all_is_never_written_as_either(value: float) -> None:
    assert formats.share(value) not in ("0%", "100%", "0.0%", "100.0%")


@given(st.floats(-1e5, 1e5), st.integers(0, 4))
def test_written_numbers_read_back(value: float, decimals: int) -> None:
    read = float(formats.number(value, decimals).replace("−", "-"))
    assert abs(read - value) <= 0.5 * 10**-decimals + 1e-9
