"""Tables of any make become the same numbers and texts, whether of few people or of many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.export.input_tables import FrameTable, RowsTable, table_of
from nociomics.export.input_values import as_frame, texts_of

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just(1 << 70), st.lists(st.integers())
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, min_size=1), min_size=1, max_size=4)
MANY = 40  # more than are read row by row
NAMES = ("a", "b", "c", "absent")


@given(ROWS, st.booleans())
def test_rows_are_read_as_the_same_rows_in_columns_are(rows: list[dict[str, Any]], truth: bool) -> None:
    by_row, by_column = table_of(rows), FrameTable(as_frame(rows))
    assert isinstance(by_row, RowsTable)
    names = list(by_row.columns)
    in_order = RowsTable([[row.get(name) for name in names] for row in rows], names)
    assert set(names) == set(by_column.columns)
    for table in (by_row, in_order):
        for one, other in zip(table.numbers(NAMES, [truth] * 4), by_column.numbers(NAMES, [truth] * 4), strict=True):
            np.testing.assert_array_equal(one, other)
        for name in names:
            (one, bad), (other, too) = texts_of(table.series(name)), texts_of(by_column.series(name))
            assert one.to_list() == other.to_list() and bad.tolist() == too.tolist()


@pytest.mark.parametrize("people", [2, MANY])
def test_a_table_of_pandas_keeps_its_values(people: int) -> None:
    columns = {"x": [1.5, None], "whole": [3, 4], "yes": [True, False], "text": ["u", None]}
    table = pd.DataFrame({name: [values[place % 2] for place in range(people)] for name, values in columns.items()})
    found = table_of(table)
    assert list(found.columns) == list(columns)
    values, wrong = found.numbers(list(columns), [True] * 4)
    assert {place for _, place in wrong} == {3}
    np.testing.assert_array_equal(values[:2, :3], [[1.5, 3.0, 1.0], [np.nan, 4.0, 0.0]])
    assert texts_of(found.series("text"))[0].to_list()[:2] == ["u", None]


def test_a_long_number_that_names_a_person_is_kept_to_the_last_digit() -> None:
    for number in ((1 << 70) + 1, (1 << 62) + 1):
        rows = [{"patient_id": number}]
        for table in (table_of(rows), FrameTable(as_frame(rows))):
            assert texts_of(table.series("patient_id"))[0].to_list() == [str(number)]
