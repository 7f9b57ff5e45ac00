"""The arm table: counts, shares and means as observed."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from nociomics.report.arms import arm_rows, wilson_interval


@given(st.integers(1, 400).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_wilson_interval_equals_scipys(counts: tuple[int, int]) -> None:
    found = wilson_interval(*counts)
    other = binomtest(*counts).proportion_ci(method="wilson")
    assert found == pytest.approx((other.low, other.high), abs=1e-12)


def test_missing_outcomes_are_counted_and_responders_given_of_all_and_of_observed() -> None:
    arms = pl.DataFrame(
        {
            "treatment": ["psychological", "usual care"],
            "people": [50, 50],
            "with_outcome": [44, 48],
            "responders": [33, 8],
            "mean_baseline": [4.221, 4.1],
            "mean_outcome": [1.184, 3.13],
            "mean_fall": [3.0, 0.97],
            "adverse_events": [None, 3],
        }
    )
    first, second = arm_rows(arms)
    assert first.responders_of_all == ("33/50", "66% (52% to 78%)")
    assert first.responders_of_observed[0] == "33/44"
    assert first.without_outcome == "6"
    assert (first.outcome, first.adverse_events) == ("1.18", "not measured")
    assert second.adverse_events == "3/50"


def test_a_study_without_a_response_rule_has_no_responders_rather_than_none() -> None:
    arms = pl.DataFrame({"treatment": [None], "people": [10], "with_outcome": [0], "responders": [None]})
    (row,) = arm_rows(arms)
    assert row.responders_of_all == ("not measured", "") and row.share is None
    assert (row.treatment, row.outcome) == ("everyone", "not measured")
