from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from nociomics.evaluate import calibration
from nociomics.evaluate.bootstrap import point


def cohort(n, seed=0):
    rng = np.random.default_rng(seed)
    p = expit(rng.normal(scale=1.2, size=n))
    return (rng.random(n) < p).astype(float), p


@pytest.mark.parametrize("seed", range(2))
def test_true_probabilities_have_slope_one_and_are_right_on_the_whole(seed):
    y, p = cohort(20_000, seed)
    assert 0.9 < calibration.logistic_recalibration(y, p).slope < 1.1
    assert abs(calibration.calibration_in_the_large(y, p)[0]) < 0.06
    assert calibration.integrated_calibration_index(y, p).ici < 0.02


@given(st.floats(0.3, 3.0), st.floats(-1.5, 1.5))
def test_recalibrating_twice_finds_nothing_left(scale, shift):
    y, p = cohort(300)
    skewed = expit(shift + scale * calibration.log_odds(p))
    fit = calibration.logistic_recalibration(y, skewed)
    mended = expit(fit.intercept + fit.slope * calibration.log_odds(skewed))
    again = calibration.logistic_recalibration(y, mended)
    assert again.slope == pytest.approx(1, abs=1e-6)
    assert again.intercept == pytest.approx(0, abs=1e-6)


def test_statistics_of_all_ones_are_the_plain_figures():
    y, p = cohort(200)
    assert point(calibration.slope_statistic(y, p), 200) == calibration.logistic_recalibration(y, p).slope
    assert point(calibration.in_the_large_statistic(y, p), 200) == calibration.calibration_in_the_large(y, p)[0]


@pytest.mark.parametrize(
    ("case", "y", "p"),
    [
        ("a probability of 1", [0, 1, 0, 1], [0.2, 1.0, 0.6, 0.4]),
        ("constant probabilities", [0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5]),
        ("separated events", [0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]),
    ],
)
def test_what_cannot_be_fitted_is_undefined(case, y, p):
    assert np.isnan(calibration.logistic_recalibration(y, p).slope), case


def test_no_events_have_no_intercept():
    assert np.isnan(calibration.calibration_in_the_large([0, 0, 0], [0.2, 0.3, 0.4])[0])


def test_an_impossible_event_costs_infinitely_and_is_not_clipped():
    assert calibration.log_loss([1], [0.0]) == np.inf


def test_the_smoother_returns_a_parabola_and_a_constant_exactly():
    x = np.linspace(0, 1, 60)
    assert calibration.loess(x, x**2 - x, x) == pytest.approx(x**2 - x, abs=1e-9)
    assert calibration.loess(np.full(9, 0.3), np.ones(9), np.array([0.3])) == pytest.approx([1.0])


def test_the_smoother_survives_two_distinct_probabilities():
    p = np.repeat([0.2, 0.7], 50)
    y = np.r_[np.ones(10), np.zeros(40), np.ones(30), np.zeros(20)]
    error = calibration.integrated_calibration_index(y, p)
    assert error.ici == pytest.approx(0.05, abs=1e-6)


def test_interpolation_of_many_points_changes_little():
    y, p = cohort(3000)
    direct = calibration.loess(p, y, np.sort(p)[::50])
    assert np.interp(np.sort(p)[::50], np.sort(p), calibration.smoothed_share(y, p)[np.argsort(p)]) == pytest.approx(
        direct, abs=2e-3
    )


def test_scaled_brier_of_the_event_share_is_zero():
    y = np.array([0, 1, 1, 0, 1.0])
    assert calibration.scaled_brier(y, np.full(5, 0.6)) == pytest.approx(0)
    assert np.isnan(calibration.scaled_brier(np.ones(3), np.full(3, 0.9)))


def test_the_curve_spans_the_predictions():
    y, p = cohort(200)
    predicted, observed = calibration.smooth_curve(y, p, points=11)
    assert (predicted[0], predicted[-1], observed.size) == (p.min(), p.max(), 11)
