"""Answers of R 4.2.2 (pROC 1.18.0, rms 6.5-0) on the fixture; tolerance 1e-6 unless noted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from nociomics.evaluate import calibration, discrimination
from nociomics.evaluate.net_benefit import net_benefit
from tests.evaluate.fixture_r import rows

ROWS = rows()
THRESHOLDS = [0.10, 0.25, 0.40, 0.50, 0.75]


def near(value, tolerance=1e-6):
    return pytest.approx(value, abs=tolerance)


def test_the_fixture_is_the_one_r_saw():
    assert (ROWS.y.size, ROWS.y.sum()) == (200, 112)
    assert ROWS.p1.sum() == near(88.0014167)
    assert ROWS.p2.sum() == near(103.9751517)


def test_auroc_and_delong_intervals():
    assert discrimination.delong_interval(ROWS.y, ROWS.p1) == near((0.7762784091, 0.7129323974, 0.8396244208))
    assert discrimination.delong_interval(ROWS.y, ROWS.p2) == near((0.6564529221, 0.5778379249, 0.7350679192))
    assert discrimination.delong_variance(ROWS.y, ROWS.p1)[1] == near(0.001044581598, 1e-11)
    assert discrimination.auroc(ROWS.y, ROWS.p1) == near(0.7762784091, 1e-9)


def test_paired_delong():
    test = discrimination.delong_paired_test(ROWS.y, ROWS.p1, ROWS.p2)
    assert test.z == near(3.397909222)
    assert test.p == near(6.790294789e-4, 1e-9)


def test_logistic_recalibration():
    fit = calibration.logistic_recalibration(ROWS.y, ROWS.p1)
    assert (fit.slope, fit.intercept) == near((0.8231400304, 0.6048684172))
    assert fit.slope_se == near(0.13626900, 3e-6)


def test_scikit_learn_agrees_only_without_its_penalty():
    score = calibration.log_odds(ROWS.p1)[:, None]
    free = LogisticRegression(C=np.inf, tol=1e-8).fit(score, ROWS.y)
    penalised = LogisticRegression(C=1.0).fit(score, ROWS.y)
    assert free.coef_[0, 0] == near(0.8231400304, 1e-5)
    assert penalised.coef_[0, 0] == near(0.8083, 1e-4)


def test_calibration_in_the_large():
    assert calibration.calibration_in_the_large(ROWS.y, ROWS.p1) == near((0.6947588505, 0.1708325), 1e-6)


def test_overall_error():
    assert calibration.brier(ROWS.y, ROWS.p1) == near(0.2050276788)
    assert calibration.log_loss(ROWS.y, ROWS.p1) == near(0.5973932582)
    assert calibration.nagelkerke(ROWS.y, ROWS.p1) == near(0.2174290212)


def test_val_prob_errors_by_local_lines():
    error = calibration.calibration_error(ROWS.p1, calibration.smoothed_share(ROWS.y, ROWS.p1, span=2 / 3, degree=1))
    assert (error.maximum, error.e90, error.ici) == near((0.16547, 0.16148, 0.11826), 5e-3)


def test_integrated_calibration_index():
    error = calibration.integrated_calibration_index(ROWS.y, ROWS.p1)
    assert (error.ici, error.e50, error.e90) == near((0.1205753747, 0.1299689, 0.1788655), 5e-3)


def test_spiegelhalter():
    assert calibration.spiegelhalter(ROWS.y, ROWS.p1) == near((2.568318901, 0.01021931))


def test_net_benefit():
    first, second = (net_benefit(ROWS.y, p, THRESHOLDS) for p in (ROWS.p1, ROWS.p2))
    assert first.model.tolist() == near([0.5022222222, 0.4083333333, 0.2850, 0.2400, 0.1200])
    assert second.model.tolist() == near([0.5111111111, 0.4133333333, 0.3250, 0.1650, -0.0350])
    assert first.treat_all.tolist() == near([0.5111111111, 0.4133333333, 0.2666666667, 0.1200, -0.7600])


def test_logistic_model_of_three_variables():
    design = np.c_[ROWS.z, ROWS.w, ROWS.x3]
    model = LogisticRegression(C=np.inf, tol=1e-8).fit(design, ROWS.y)
    assert [model.intercept_[0], *model.coef_[0]] == near(
        [0.3097728729, 1.231586072, -0.1367439473, 0.3567869003], 1e-5
    )
    # rms sorts predictions into bins before it counts pairs; half a pair of 9,856 is 5e-5.
    assert discrimination.auroc(ROWS.y, model.decision_function(design)) == near(0.7939833604, 6e-5)


def test_optimism_bootstrap_of_that_model():
    """Harrell's optimism, as `validate` of rms: corrected Dxy, slope and Brier score."""
    rng = np.random.default_rng(1)
    design = np.c_[np.ones(200), ROWS.z, ROWS.w, ROWS.x3]
    optimism, slopes, brier = [], [], []
    for _ in range(1000):
        drawn = rng.integers(0, 200, 200)
        score = design @ _newton(design[drawn], ROWS.y[drawn])
        inside, outside = (discrimination.auroc(ROWS.y[at], score[at]) for at in (drawn, slice(None)))
        optimism.append(2 * (inside - outside))
        slopes.append(calibration.logistic_recalibration(ROWS.y, expit(score)).slope)
        inside, outside = (calibration.brier(ROWS.y[at], expit(score[at])) for at in (drawn, slice(None)))
        brier.append(inside - outside)
    apparent = expit(design @ _newton(design, ROWS.y))
    assert 2 * discrimination.auroc(ROWS.y, apparent) - 1 == near(0.5879, 1e-4)
    assert np.mean(optimism) == near(0.0184, 3e-3)
    assert np.mean(slopes) == near(0.9544, 1e-2)
    assert calibration.brier(ROWS.y, apparent) - np.mean(brier) == near(0.1918, 1e-3)


def _newton(design, y):
    beta = np.zeros(design.shape[1])
    for _ in range(12):
        fitted = expit(design @ beta)
        beta += np.linalg.solve((design.T * (fitted * (1 - fitted))) @ design, design.T @ (y - fitted))
    return beta
