from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.evaluate.intervals import cross_fitted_coverage
from nociomics.models.intervals import conformal_quantile


@pytest.mark.parametrize(("n", "level", "rank"), [(9, 0.9, 9), (19, 0.9, 18), (99, 0.9, 90), (100, 0.9, 91)])
def test_the_finite_sample_rank(n, level, rank):
    assert conformal_quantile(np.arange(1.0, n + 1), level) == rank


def test_too_few_for_the_level_promise_nothing():
    assert conformal_quantile(np.arange(8.0), 0.9) == np.inf


@given(st.integers(0, 1000))
def test_signs_order_and_missing_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    residuals = rng.normal(size=30)
    turned = np.r_[rng.permutation(-residuals), np.nan]
    assert conformal_quantile(turned) == conformal_quantile(residuals)


def test_coverage_is_as_promised_for_new_people():
    rng = np.random.default_rng(0)
    held = [abs(rng.normal()) <= conformal_quantile(rng.normal(size=19)) for _ in range(4000)]
    assert np.mean(held) == pytest.approx(0.9, abs=0.015)


def test_cross_fitted_coverage_and_the_worth_of_features():
    rng = np.random.default_rng(1)
    known = rng.normal(size=1000)
    y = known + rng.normal(size=1000)
    result = cross_fitted_coverage(y, known, np.arange(1000) % 5)
    assert result.covered.mean() == pytest.approx(0.9, abs=0.03)
    assert result.marginal_half_width.mean() / result.half_width.mean() == pytest.approx(2**0.5, abs=0.1)


def test_a_fold_never_sets_its_own_width():
    fold = np.repeat([0, 1], 20)
    y = np.r_[np.zeros(20), np.full(20, 100.0)]
    result = cross_fitted_coverage(y, np.zeros(40), fold)
    assert result.half_width[fold == 1].max() == 0
    assert result.covered[fold == 1].sum() == 0


def test_a_treatment_is_judged_by_the_width_that_it_would_get():
    rng = np.random.default_rng(2)
    arm = np.tile(["quiet", "loud"], 300)
    y = np.where(arm == "loud", 3.0, 1.0) * rng.normal(size=600)
    fold = np.arange(600) // 2 % 5
    result = cross_fitted_coverage(y, np.zeros(600), fold, group=arm.tolist())
    for name in ("quiet", "loud"):
        assert result.covered[arm == name].mean() == pytest.approx(0.9, abs=0.05)
    one = cross_fitted_coverage(y, np.zeros(600), fold)
    assert one.covered[arm == "loud"].mean() < 0.85 < result.covered[arm == "loud"].mean()


def test_one_fold_alone_has_no_interval():
    assert np.isnan(cross_fitted_coverage(np.arange(20.0), np.zeros(20), np.zeros(20, dtype=int)).covered).all()
