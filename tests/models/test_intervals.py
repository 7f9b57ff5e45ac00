"""Conformal widths: against a slow count of our own, by group, and for people that were never seen."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nociomics.models.intervals import conformal_quantile, group_widths, outcome_widths, plus_interval, row_widths
from tests.conftest import examples
from tests.models.small_study import small_study


def slow_plus(held_out: np.ndarray, residuals: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Barber et al. 2021, equation 1.5, one new person at a time and one order statistic at a time."""
    n, lower, upper = len(residuals), [], []
    for person in range(held_out.shape[1]):
        low = sorted(held_out[i, person] - abs(residuals[i]) for i in range(n))
        high = sorted(held_out[i, person] + abs(residuals[i]) for i in range(n))
        down, up = int(alpha * (n + 1) + 1e-9), -int(-((1 - alpha) * (n + 1) - 1e-9) // 1)
        lower.append(low[down - 1] if down >= 1 else -np.inf)
        upper.append(high[up - 1] if up <= n else np.inf)
    return np.array(lower), np.array(upper)


@given(st.integers(0, 500), st.sampled_from([5, 9, 19, 40]))
@settings(max_examples=examples(15), deadline=None)
def test_cv_plus_is_what_the_paper_counts(seed, people):
    rng = np.random.default_rng(seed)
    held_out, residuals = rng.normal(size=(people, 7)), rng.normal(size=people)
    for fast, slow in zip(
        plus_interval(held_out, residuals, 0.9, rows=3), slow_plus(held_out, residuals, 0.1), strict=True
    ):
        np.testing.assert_array_equal(fast, slow)


def test_cv_plus_with_one_model_for_all_is_the_stored_width():
    rng = np.random.default_rng(1)
    residuals, new = rng.normal(size=99), rng.normal(size=4)
    lower, upper = plus_interval(np.tile(new, (99, 1)), residuals)
    width = conformal_quantile(residuals)
    np.testing.assert_allclose(upper, new + width)
    np.testing.assert_allclose(lower, new - width)


def test_a_group_of_sixty_has_its_own_width_and_a_smaller_one_takes_everybodys():
    rng = np.random.default_rng(2)
    group = ["wide"] * 80 + ["narrow"] * 80 + ["few"] * 59 + [None] * 5
    scale = np.array([3.0] * 80 + [0.5] * 80 + [1.0] * 64)
    residuals = scale * rng.normal(size=len(group))
    own = group_widths(residuals, group)
    assert set(own) == {"wide", "narrow"}
    assert own["narrow"] == conformal_quantile(residuals[80:160])
    everyone = conformal_quantile(residuals)
    assert row_widths(residuals, group, ["wide", "few", None, "new"], 0.9).tolist() == [own["wide"], *[everyone] * 3]


def test_groups_whose_errors_are_alike_share_one_width():
    rng = np.random.default_rng(6)
    alike = [bool(group_widths(rng.normal(size=400), ["a", "b", "c", "d"] * 100)) for _ in range(200)]
    assert np.mean(alike) < 0.1


def test_each_group_is_covered_as_promised_only_with_widths_of_its_own():
    """One treatment's outcomes scatter three times as much: one width for all covers the one too seldom."""
    rng = np.random.default_rng(3)
    covered = {"own": [], "one": []}
    for _ in range(200):
        spread = np.repeat([1.0, 3.0], 100)
        residuals, group = spread * rng.normal(size=200), ["a"] * 100 + ["b"] * 100
        new = 3.0 * rng.normal(size=100)
        covered["own"].append(np.abs(new) <= row_widths(residuals, group, ["b"] * 100, 0.9))
        covered["one"].append(np.abs(new) <= conformal_quantile(residuals))
    assert np.mean(covered["own"]) == pytest.approx(0.9, abs=0.02)
    assert np.mean(covered["one"]) < 0.86


def test_a_study_gets_widths_from_the_mean_over_repeats_of_each_person():
    study = small_study(people=90)
    rng = np.random.default_rng(4)
    arms = ["cbt", "snri"]
    frames = [
        study.rows.select("patient_id")
        .join(pl.DataFrame({"treatment": arms}), how="cross")
        .with_columns(repeat=pl.lit(repeat), outer_fold=pl.lit(0), expected=pl.Series(rng.normal(size=180)))
        for repeat in range(2)
    ]
    predicted = pl.concat(frames)
    widths = outcome_widths(predicted, study.rows, 0.9)
    mean = predicted.group_by("patient_id", "treatment").agg(pl.col("expected").mean())
    own = study.rows.join(mean, on=["patient_id", "treatment"]).drop_nulls("response_value")
    errors = np.sort(np.abs(own["response_value"].to_numpy() - own["expected"].to_numpy()))
    assert widths.people == len(errors)
    assert widths.half_width == pytest.approx(errors[int(np.ceil(0.9 * (len(errors) + 1))) - 1])
    assert widths.by_treatment == {}  # fewer than 60 people got either
    assert widths.to_dict()["marginal_half_width"] == widths.marginal_half_width > 0


def test_too_few_people_for_the_level_give_no_width():
    study = small_study(people=20)
    predicted = study.rows.select("patient_id", "treatment", expected=pl.lit(1.0))
    widths = outcome_widths(predicted, study.rows, 0.99)
    assert widths.half_width is None and widths.marginal_half_width is None
