from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.evaluate.heterogeneity import blp_test, centre_within, contrast_tests, holm


def test_the_slope_is_one_when_predictions_are_the_truth():
    rng = np.random.default_rng(0)
    tau = rng.normal(size=4000)
    test = blp_test(tau + rng.normal(size=4000), tau)
    assert test.slope == pytest.approx(1, abs=0.06)
    assert test.p < 1e-10


def test_hc1_by_the_textbook_formula():
    rng = np.random.default_rng(1)
    tau, contrast = rng.normal(size=50), rng.normal(size=50)
    design = np.c_[np.ones(50), tau - tau.mean()]
    beta = np.linalg.lstsq(design, contrast, rcond=None)[0]
    bread = np.linalg.inv(design.T @ design)
    residual = contrast - design @ beta
    cover = 50 / 48 * bread @ (design.T * residual**2) @ design @ bread
    test = blp_test(contrast, tau)
    assert (test.slope, test.se) == pytest.approx((beta[1], cover[1, 1] ** 0.5))


def test_false_alarms_at_the_stated_rate():
    rng = np.random.default_rng(2)
    p = [blp_test(rng.normal(size=120), rng.normal(size=120)).p for _ in range(600)]
    assert 0.025 < np.mean(np.array(p) < 0.05) < 0.08


def test_the_test_is_one_sided():
    rng = np.random.default_rng(3)
    tau = rng.normal(size=200)
    assert blp_test(-tau + rng.normal(size=200), tau).p > 0.99


def test_the_same_prediction_for_everyone_is_no_evidence():
    test = blp_test(np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 0.7))
    assert test.p == 1.0
    assert np.isnan(test.slope)


def test_fold_means_are_no_evidence():
    """Predictions that differ between folds only say nothing about who gains."""
    fold = np.repeat([0, 1, 2], 30)
    assert blp_test(fold + np.random.default_rng(0).normal(size=90), fold.astype(float), fold).p == 1.0
    assert centre_within(np.array([1.0, 3.0, 10.0]), np.array([5, 5, 9])).tolist() == [-1.0, 1.0, 0.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_lies_between_the_plain_p_and_bonferroni(p):
    raw = np.array(p)
    adjusted = holm(raw)
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(1, raw * raw.size) + 1e-12).all() or raw.size > 1
    assert adjusted.max() <= 1
    assert adjusted[raw.argmin()] == pytest.approx(min(1, raw.min() * raw.size))


def test_only_the_contrast_with_heterogeneity_passes():
    rng = np.random.default_rng(4)
    n = 600
    gain = rng.normal(size=n)
    expected = np.stack([np.zeros(n), gain, 0.3 * rng.normal(size=n)], axis=1)[None].repeat(3, axis=0)
    scores = np.stack([rng.normal(size=n), gain + rng.normal(size=n), rng.normal(size=n)], axis=1)[None].repeat(3, 0)
    fold = np.tile(np.arange(n) % 5, (3, 1))
    tests = contrast_tests(scores, expected, fold, ["usual", "real", "phantom"], 0)
    assert [(test.treatment, test.passed) for test in tests] == [("real", True), ("phantom", False)]
    assert tests[0].autoc > 0
    assert tests == contrast_tests(scores, expected, fold, ["usual", "real", "phantom"], 0)
