from __future__ import annotations

import polars as pl

from nociomics.evaluate.arms import arm_table
from tests.evaluate.cohorts import plain_targets


def test_by_hand():
    rows = pl.DataFrame(
        {
            "treatment": ["a", "a", "a", "b"],
            "baseline": [6.0, 8.0, None, 5.0],
            "outcome": [3.0, None, 4.0, 5.0],
            "responded": [1.0, None, None, 0.0],
            "adverse_event": [0.0, 1.0, None, None],
        },
        schema_overrides={"adverse_event": pl.Float64},
    )
    table = arm_table(rows).to_dicts()
    assert table[0] == {
        "treatment": "a",
        "people": 3,
        "with_outcome": 2,
        "responders": 1,
        "response_share_of_all": 1 / 3,
        "response_share_of_observed": 1.0,
        "mean_baseline": 7.0,
        "mean_outcome": 3.5,
        "mean_fall": 3.0,
        "adverse_events": 1,
        "adverse_known": 2,
    }
    assert table[1]["response_share_of_all"] == 0.0
    assert table[1]["adverse_events"] is None


def test_a_study_without_treatments_is_one_row_and_without_a_rule_has_no_responders():
    table = arm_table(plain_targets(["P1", "P2"], [1.0, None]))
    row = table.row(0, named=True)
    assert table.height == 1
    assert (row["people"], row["with_outcome"], row["treatment"]) == (2, 1, None)
    assert row["responders"] is row["response_share_of_all"] is row["mean_fall"] is None


def test_columns_that_nobody_filled_in_may_have_no_type():
    rows = pl.DataFrame(
        {name: [None, None] for name in ("treatment", "baseline", "outcome", "responded", "adverse_event")}
    )
    assert arm_table(rows).row(0, named=True)["people"] == 2
