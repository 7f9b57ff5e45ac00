"""People with somebody else's measurements."""

from __future__ import annotations

import polars as pl

from nociomics.quality.duplicates import duplicate_findings, identical_people
from nociomics.tables.data_quality import IDENTICAL_PEOPLE


def block(*rows: list[float | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=[f"c{number}" for number in range(6)], orient="row")


ONE: list[float | None] = [1.0, 2.0, 3.0, 4.0, 5.0, None]
OTHER: list[float | None] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_a_copied_sample_is_counted_for_both_people() -> None:
    table = identical_people({"block_proteins": block(ONE, OTHER, ONE)})
    IDENTICAL_PEOPLE.check(table)
    assert table.row(0) == ("block_proteins", 6, 2)
    assert [one.severity for one in duplicate_findings(table)] == ["warning"]


def test_people_without_values_or_with_one_value_everywhere_are_no_duplicates() -> None:
    table = identical_people({"b": block([None] * 6, [None] * 6, [0.0] * 6, [0.0] * 6, OTHER)})
    assert table["people"].to_list() == [0] and duplicate_findings(table) == []


def test_a_table_of_few_columns_is_not_searched() -> None:
    assert identical_people({"b": block(ONE, ONE).select("c0", "c1")}).is_empty()
