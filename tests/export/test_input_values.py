"""Tables of any make become the same numbers and texts, whether of few people or of many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.export.input_values import as_frame, numbers_of, texts_of

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just(1 << 70), st.lists(st.integers())
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES), min_size=1, max_size=4)
MANY = 40  # more than are laid out at once


def read(frame: pl.DataFrame, name: str) -> tuple[Any, ...]:
    numbers, texts = numbers_of(frame[name], truth=True), texts_of(frame[name])
    return (*(one.tolist() for one in numbers), texts[0].to_list(), texts[1].tolist())


@given(ROWS)
def test_a_person_is_read_alone_as_among_many(rows: list[dict[str, Any]]) -> None:
    few, many = as_frame(rows), as_frame([rows[place % len(rows)] for place in range(MANY)])
    assert set(few.columns) == set(many.columns)
    for name in few.columns:
        for one, other in zip(read(few, name), read(many, name), strict=True):
            assert np.array_equal(np.array(one, dtype=object).astype(str), np.array(other[: len(rows)]).astype(str))


@pytest.mark.parametrize("people", [2, MANY])
def test_a_table_of_pandas_keeps_its_values(people: int) -> None:
    columns = {"x": [1.5, None], "whole": [3, 4], "yes": [True, False], "text": ["u", None]}
    table = pd.DataFrame({name: [values[place % 2] for place in range(people)] for name, values in columns.items()})
    found = as_frame(table)
    assert found.columns == list(columns)
    assert numbers_of(found["x"], truth=False)[0][:2].tolist()[0] == 1.5
    assert np.isnan(numbers_of(found["x"], truth=False)[0][1])
    assert numbers_of(found["whole"], truth=False)[0][:2].tolist() == [3.0, 4.0]
    assert numbers_of(found["yes"], truth=True)[0][:2].tolist() == [1.0, 0.0]
    assert texts_of(found["text"])[0].to_list()[:2] == ["u", None]


def test_a_long_number_that_names_a_person_is_kept_to_the_last_digit() -> None:
    assert texts_of(as_frame([{"patient_id": (1 << 70) + 1}])["patient_id"])[0].to_list() == [str((1 << 70) + 1)]
    assert texts_of(as_frame([{"patient_id": (1 << 62) + 1}])["patient_id"])[0].to_list() == [str((1 << 62) + 1)]
