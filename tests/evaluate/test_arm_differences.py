from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from nociomics.evaluate.arm_differences import adjusted_differences
from nociomics.tables.study import Target
from tests.conftest import shared

CHANGE = Target(kind="change", outcome="after", baseline="before", treatment="arm")
VALUE = Target(kind="continuous", outcome="after", treatment="arm")


def trial(fall: list[float | None], arm: list[str], baseline: list[float], assignment: str = "randomised"):
    return pl.DataFrame(
        {"treatment": arm, "assignment": assignment, "baseline": baseline, "response_value": fall}, strict=False
    )


def test_without_a_baseline_it_is_the_interval_of_a_t_test():
    rng = np.random.default_rng(1)
    arm = ["a"] * 30 + ["b"] * 20
    outcome = rng.normal(size=50) + np.repeat([1.0, 0.0], [30, 20])
    rows = trial(list(outcome), arm, [5.0] * 50)
    found = adjusted_differences(rows, VALUE)["adjusted_difference_a_minus_b"]
    interval = stats.ttest_ind(outcome[:30], outcome[30:]).confidence_interval(0.95)
    assert found.value == pytest.approx(outcome[:30].mean() - outcome[30:].mean())
    assert (found.lower, found.upper) == pytest.approx((interval.low, interval.high))
    assert found.n == 50


def test_a_difference_in_baseline_is_taken_out():
    # the fall is half the baseline and 1 more in arm a, where everybody began 2 points higher
    baseline = [4.0, 5, 6, 7, 8, 9, 2.0, 3, 4, 5, 6, 7]
    noise = [0.1, -0.1, 0, 0, 0.1, -0.1] * 2
    fall = [0.5 * b + e + (i < 6) for i, (b, e) in enumerate(zip(baseline, noise, strict=True))]
    found = adjusted_differences(trial(fall, ["a"] * 6 + ["b"] * 6, baseline), CHANGE)
    assert found["adjusted_difference_a_minus_b"].value == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("target", "assignment", "arms"),
    [
        (CHANGE, "observational", "ab"),
        (Target(kind="binary", outcome="after"), "randomised", "ab"),
        (CHANGE, "randomised", "aa"),
    ],
)
def test_there_is_none_without_randomised_arms_and_numbers(target: Target, assignment: str, arms: str):
    rows = trial([1.0, 2, 3, 4, 5] * 2, [arms[0]] * 5 + [arms[1]] * 5, [6.0, 7, 5, 6, 9] * 2, assignment)
    assert adjusted_differences(rows, target) == {}


def test_the_published_difference_of_a_real_trial():
    path = shared("data/acupuncture-headache/acupuncture_long.csv")
    visit = pl.read_csv(path).filter(pl.col("time") == 12)
    rows = visit.select(
        treatment=pl.col("treat").replace_strict({1: "usual_care", 2: "acupuncture"}),
        assignment=pl.lit("randomised"),
        baseline="head_base",
        response_value=pl.col("head_base") - pl.col("head"),
    )
    found = adjusted_differences(rows, CHANGE)["adjusted_difference_acupuncture_minus_usual_care"]
    assert found.n == 301
    # BMJ 2004;328:744: 4.6 (2.2 to 7.0)
    assert (found.value, found.lower, found.upper) == pytest.approx((4.6, 2.2, 7.0), abs=0.1)
