from __future__ import annotations

import time

import numpy as np
import pytest

from nociomics.evaluate.bootstrap import (
    bootstrap_draws,
    bootstrap_interval,
    mean_interval,
    mean_statistic,
    mean_within,
    paired_difference,
    percentile_interval,
)
from nociomics.evaluate.discrimination import auroc_statistic, delong_interval


def events(n, seed=0, gap=0.8):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n).astype(float)
    return y, rng.normal(size=n) + gap * y


def test_same_seed_same_draws_and_another_seed_others():
    y, score = events(80)
    people = np.arange(80)
    first, again, other = (
        bootstrap_draws(auroc_statistic(y, score), people, resamples=50, seed=seed) for seed in (3, 3, 4)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_draws_do_not_depend_on_how_they_are_portioned(monkeypatch):
    y, score = events(80)
    whole = bootstrap_draws(auroc_statistic(y, score), np.arange(80), resamples=40)
    monkeypatch.setattr("nociomics.evaluate.bootstrap._CELLS", 80 * 7)
    assert bootstrap_draws(auroc_statistic(y, score), np.arange(80), resamples=40) == pytest.approx(whole)


def test_repeats_of_a_person_add_no_certainty():
    """Ten copies of everybody give the interval of one copy; drawing rows would make it three times narrower."""
    y, score = events(150)
    once = bootstrap_interval(auroc_statistic(y, score), np.arange(150))
    ten = bootstrap_interval(auroc_statistic(np.tile(y, 10), np.tile(score, 10)), np.tile(np.arange(150), 10))
    assert ten == pytest.approx(once)


def test_close_to_delong_for_one_test_set():
    y, score = events(300)
    _, lower, upper = bootstrap_interval(auroc_statistic(y, score), np.arange(300), resamples=2000)
    assert (lower, upper) == pytest.approx(delong_interval(y, score)[1:], abs=0.01)


def test_the_difference_of_a_model_from_itself_is_zero_with_no_width():
    y, score = events(100)
    statistic = auroc_statistic(y, score)
    assert paired_difference(statistic, auroc_statistic(y, score * 2), np.arange(100)) == (0.0, 0.0, 0.0)
    assert bootstrap_interval(statistic, np.arange(100))[1] < bootstrap_interval(statistic, np.arange(100))[2]


def test_a_paired_difference_is_narrower_than_an_unpaired_one():
    y, score = events(200)
    blurred = score + 0.3 * np.random.default_rng(5).normal(size=200)
    _, low, high = paired_difference(auroc_statistic(y, score), auroc_statistic(y, blurred), np.arange(200))
    _, low_one, high_one = bootstrap_interval(auroc_statistic(y, score), np.arange(200))
    assert high - low < high_one - low_one


def test_the_mean_within_folds_ignores_their_intercepts():
    y, score = events(200)
    fold = np.arange(200) % 4
    within = mean_within(fold, lambda at: auroc_statistic(y[at], score[at] + 0.0))
    shifted = score + 10.0 * fold
    moved = mean_within(fold, lambda at: auroc_statistic(y[at], shifted[at]))
    ones = np.ones((1, 200))
    assert moved(ones) == pytest.approx(within(ones))
    assert auroc_statistic(y, shifted)(ones)[0] < within(ones)[0]


def test_a_fold_without_events_is_left_out():
    y = np.array([0.0, 1.0, 0.0, 0.0])
    statistic = mean_within(
        np.array([0, 0, 1, 1]), lambda at: auroc_statistic(y[at], np.array([0.1, 0.9, 0.3, 0.2])[at])
    )
    assert statistic(np.ones((1, 4)))[0] == 1.0


def test_mean_interval_equals_the_general_way():
    rng = np.random.default_rng(0)
    people, values = rng.integers(0, 30, 100), rng.normal(size=100)
    people = np.unique(people, return_inverse=True)[1]
    assert mean_interval(values, people) == pytest.approx(bootstrap_interval(mean_statistic(values), people))


def test_many_undefined_draws_give_no_interval():
    assert np.isnan(percentile_interval(np.array([0.5] * 8 + [np.nan] * 2))).all()
    assert percentile_interval(np.array([0.5] * 95 + [np.nan] * 5)) == (0.5, 0.5)


def test_a_thousand_resamples_of_600_people_in_10_repeats_are_quick():
    people = np.tile(np.arange(600), 10)
    y, score = events(6000)
    fold = np.repeat(np.arange(10), 600) * 5 + np.random.default_rng(0).integers(0, 5, 6000)
    start = time.process_time()
    bootstrap_interval(mean_within(fold, lambda at: auroc_statistic(y[at], score[at])), people, resamples=1000)
    bootstrap_interval(auroc_statistic(y, score), people, resamples=1000)
    assert time.process_time() - start < 4.0
