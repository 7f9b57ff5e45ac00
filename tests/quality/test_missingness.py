"""What is missing, by modality, by combination and by item."""

from __future__ import annotations

import polars as pl
import pytest

from nociomics.quality.missingness import missing_by_person, missing_items, missing_patterns, missingness
from nociomics.tables.data_quality import MISSING_ITEMS, MISSING_PATTERNS, MISSINGNESS

PEOPLE = pl.Series("patient_id", ["a", "b", "c", "d"])
FEATURES = {
    "clinical": pl.DataFrame({"age": [40.0, None, 50.0, 60.0], "sex": ["F", "M", "F", "M"]}),
    "expression": pl.DataFrame({"g1": [1.0, None, 2.0, None], "g2": [1.0, None, None, None]}),
}
SIZES = {"clinical": 2, "expression": 2}


def test_a_whole_block_that_is_missing_is_told_from_single_gaps() -> None:
    table = missingness(missing_by_person(FEATURES, PEOPLE), SIZES)
    MISSINGNESS.check(table)
    row = table.row(by_predicate=pl.col("modality") == "expression", named=True)
    assert (row["people_with_any"], row["people_with_all"]) == (2, 1)
    assert row["missing_share"] == pytest.approx(5 / 8)
    assert row["missing_share_measured"] == pytest.approx(1 / 4)


def test_people_are_counted_by_what_they_have() -> None:
    table = missing_patterns(missing_by_person(FEATURES, PEOPLE), SIZES)
    MISSING_PATTERNS.check(table)
    assert dict(table.iter_rows()) == {"clinical": 2, "clinical;expression": 2}
    assert table["people"].sum() == PEOPLE.len()


def test_somebody_without_anything_is_counted_too() -> None:
    nobody = {"clinical": pl.DataFrame({"age": [None, 1.0]}, schema={"age": pl.Float64})}
    missing = missing_by_person(nobody, pl.Series("patient_id", ["a", "b"]))
    assert dict(missing_patterns(missing, {"clinical": 1}).iter_rows()) == {"": 1, "clinical": 1}


def test_missing_answers_count_among_those_who_answered_at_that_visit() -> None:
    rows = [("a", "baseline", "1", 1.0), ("a", "baseline", "2", None), ("b", "baseline", "1", 2.0)]
    rows += [("b", "baseline", "2", 0.0), ("c", "baseline", "1", None), ("c", "week12", "1", 3.0)]
    names = ["patient_id", "visit", "item", "response"]
    table = missing_items(pl.DataFrame(rows, schema=names, orient="row").with_columns(instrument=pl.lit("pcs")))
    MISSING_ITEMS.check(table)
    assert table.select("visit", "item", "people", "missing").rows() == [
        ("baseline", "1", 2, 0),
        ("baseline", "2", 2, 1),
        ("week12", "1", 1, 0),
    ]
