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


def test_files_put_together_are_the_file_of_all_chunks_byte_by_byte(tmp_path):
    chunks = [chunk(0, 3), chunk(3, 4), chunk(7, 2)]
    whole, first, second = (tmp_path / f"{name}.parquet" for name in ("whole", "first", "second"))
    for path, own in ((whole, chunks), (first, [chunk(0, 0), *chunks[:2]]), (second, chunks[2:])):
        with RowGroups(path, CONTRACT) as rows:
            for one in own:
                rows.add(one)
    nobody = tmp_path / "nobody.parquet"
    with RowGroups(nobody, CONTRACT) as rows:
        rows.add(chunk(0, 0))
    with RowGroups(tmp_path / "again.parquet", CONTRACT) as rows:
        for path in (first, nobody, second):
            rows.add_file(path)
    assert (tmp_path / "again.parquet").read_bytes() == whole.read_bytes()
    with RowGroups(tmp_path / "none.parquet", CONTRACT) as rows:
        rows.add_file(nobody)
    assert (tmp_path / "none.parquet").read_bytes() == nobody.read_bytes()


def test_a_file_that_is_no_table_is_named(tmp_path):
    (tmp_path / "broken.parquet").write_text("no table", encoding="utf-8")
    with RowGroups(tmp_path / "out.parquet", CONTRACT) as rows, pytest.raises(TableError, match=r"broken\.parquet"):
        rows.add_file(tmp_path / "broken.parquet")


def test_a_chunk_that_breaks_the_contract_is_refused(tmp_path):
    with RowGroups(tmp_path / "table.parquet", CONTRACT) as rows, pytest.raises(TableError):
        rows.add(chunk(0, 2).drop("name"))
