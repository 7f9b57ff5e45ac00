"""Tables written chunk by chunk."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nociomics.errors import TableError
from nociomics.tables.contract import Column, Contract
from nociomics.tables.files import read_table
from nociomics.tables.row_groups import RowGroups

CONTRACT = Contract("numbers", (Column("name"), Column("number", "number", null=True)))


def chunk(first: int, rows: int) -> pl.DataFrame:
    numbers = list(range(first, first + rows))
    schema = {"name": pl.String, "number": pl.Float64}
    return pl.DataFrame({"name": [f"n{one}" for one in numbers], "number": numbers}, schema=schema)


def test_chunks_are_one_table_and_empty_ones_leave_no_trace(tmp_path):
    path = tmp_path / "table.parquet"
    with RowGroups(path, CONTRACT) as rows:
        for one in (chunk(0, 3), chunk(3, 0), chunk(3, 2)):
            rows.add(one)
    assert_frame_equal(read_table(path, CONTRACT), chunk(0, 5))


def test_a_table_without_rows_keeps_its_columns(tmp_path):
    path = tmp_path / "table.parquet"
    with RowGroups(path, CONTRACT) as rows:
        rows.add(chunk(0, 0))
        rows.add(chunk(0, 0))
    assert read_table(path, CONTRACT).schema == chunk(0, 0).schema


def test_a_chunk_that_breaks_the_contract_is_refused(tmp_path):
    with RowGroups(tmp_path / "table.parquet", CONTRACT) as rows, pytest.raises(TableError):
        rows.add(chunk(0, 2).drop("name"))
