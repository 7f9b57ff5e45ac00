from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.evaluate.policy import (
    autoc,
    autoc_statistic,
    best_fixed_arm,
    best_fixed_by_fold,
    chosen_scores,
    doubly_robust_scores,
    policy_difference,
    policy_value,
    uniform_policy,
    usual_policy,
)


def trial(seed, n=400, arms=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    chance = np.exp(0.8 * np.outer(x, np.arange(arms)))
    chance /= chance.sum(axis=1, keepdims=True)
    arm = (rng.random((n, 1)) > chance.cumsum(axis=1)).sum(axis=1)
    mean = np.stack([1.0 + x, 1.5 - x, np.full(n, 1.2)], axis=1)[:, :arms]
    y = mean[np.arange(n), arm] + rng.normal(size=n)
    return x, arm, y, mean, chance


@given(st.integers(0, 10_000))
def test_the_logged_policy_is_worth_the_mean_outcome(seed):
    """Exactly so when everybody was certain to get what they got, whatever the outcome model says."""
    _, arm, y, mean, _ = trial(seed, n=50)
    scores = doubly_robust_scores(y, arm, mean + 3, np.eye(3)[arm])
    assert policy_value(scores, arm).value == pytest.approx(y.mean())


@given(st.integers(0, 10_000))
def test_usual_care_is_worth_the_mean_outcome_in_a_trial(seed):
    _, arm, y, _, _ = trial(seed, n=60)
    usual = usual_policy(arm, 3)
    means = np.array([y[arm == k].mean() if (arm == k).any() else 0.0 for k in range(3)])
    scores = doubly_robust_scores(y, arm, np.tile(means, (60, 1)), usual)
    assert policy_value(scores, usual).value == pytest.approx(y.mean())


@pytest.mark.parametrize("wrong", ["nothing", "expectations", "propensities"])
def test_unbiased_when_either_nuisance_is_true(wrong):
    errors = []
    for seed in range(30):
        x, arm, y, mean, chance = trial(seed, n=1500)
        expected = np.zeros_like(mean) if wrong == "expectations" else mean
        propensity = np.full_like(chance, 1 / 3) if wrong == "propensities" else chance
        chosen = (x < 0).astype(int)
        value = policy_value(doubly_robust_scores(y, arm, expected, propensity), chosen)
        errors.append(value.value - mean[np.arange(1500), chosen].mean())
    assert abs(np.mean(errors)) < 3.5 * np.std(errors) / np.sqrt(30)


def test_biased_when_both_are_wrong():
    """The test above could fail: with both nuisances wrong the same cohorts are far off."""
    errors = []
    for seed in range(30):
        x, arm, y, mean, chance = trial(seed, n=1500)
        scores = doubly_robust_scores(y, arm, np.zeros_like(mean), np.full_like(chance, 1 / 3))
        chosen = (x < 0).astype(int)
        errors.append(policy_value(scores, chosen).value - mean[np.arange(1500), chosen].mean())
    assert abs(np.mean(errors)) > 0.2


def test_the_interval_covers():
    covered = 0
    for seed in range(100):
        x, arm, y, mean, chance = trial(seed, n=300)
        value = policy_value(doubly_robust_scores(y, arm, mean, chance), (x < 0).astype(int))
        covered += value.lower <= _truth() <= value.upper
    assert 88 <= covered <= 100


def _truth():
    """E[1 + x; x >= 0] + E[1.5 - x; x < 0] with x standard normal."""
    return 0.5 * (1 + 1.5) + 2 * 0.3989422804014327


def test_people_without_an_outcome_enter_with_their_expectation():
    scores = doubly_robust_scores(np.array([np.nan]), np.array([1]), np.array([[1.0, 2.0]]), np.array([[0.5, 0.5]]))
    assert scores.tolist() == [[1.0, 2.0]]


def test_an_impossible_assignment_is_refused():
    with pytest.raises(ValueError, match="1 people got an arm whose propensity is 0"):
        doubly_robust_scores(np.array([1.0]), np.array([0]), np.array([[1.0, 2.0]]), np.array([[0.0, 1.0]]))


def test_two_equal_rules_do_not_differ():
    scores = np.random.default_rng(0).normal(size=(20, 3))
    chosen = scores.argmax(axis=1)
    assert policy_difference(scores, chosen, chosen).value == 0
    assert chosen_scores(scores, uniform_policy(20, 3)) == pytest.approx(scores.mean(axis=1))


def test_the_best_fixed_arm_is_chosen_without_the_people_it_is_valued_on():
    rng = np.random.default_rng(0)
    naive, honest = [], []
    for _ in range(200):
        scores = rng.normal(size=(60, 4))
        naive.append(scores[:, best_fixed_arm(scores)].mean())
        honest.append(chosen_scores(scores, best_fixed_by_fold(scores, np.arange(60) % 5)).mean())
    assert np.mean(naive) > 0.1
    assert np.mean(honest) < 0.03


def test_autoc_by_hand_and_with_ties():
    assert autoc(np.array([3.0, 2.0, 1.0]), np.array([3.0, 0.0, 0.0]), resamples=5).value == pytest.approx(5 / 6)
    assert autoc(np.zeros(3), np.array([3.0, 0.0, 0.0]), resamples=5).value == pytest.approx(0)


@given(st.integers(0, 10_000))
def test_autoc_weights_are_repeated_people(seed):
    rng = np.random.default_rng(seed)
    priority, contrast, weights = (
        rng.integers(0, 5, 12).astype(float),
        rng.normal(size=12),
        rng.multinomial(12, [1 / 12] * 12),
    )
    weighted = autoc_statistic(priority, contrast)(weights[None, :].astype(float))[0]
    plain = autoc_statistic(np.repeat(priority, weights), np.repeat(contrast, weights))(np.ones((1, 12)))[0]
    assert weighted == pytest.approx(plain)


def test_autoc_sees_a_useful_priority_and_seldom_a_useless_one():
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        gain = rng.normal(size=300)
        contrast = gain + rng.normal(size=300)
        assert autoc(gain, contrast).lower > 0
        useless = autoc(rng.normal(size=300), contrast)
        alarms += not useless.lower < 0 < useless.upper
    assert alarms <= 7


def test_autoc_is_reproducible():
    rng = np.random.default_rng(0)
    priority, contrast = rng.normal(size=50), rng.normal(size=50)
    assert autoc(priority, contrast, seed=3) == autoc(priority, contrast, seed=3)
    assert autoc(priority, contrast, seed=3).se != autoc(priority, contrast, seed=4).se
