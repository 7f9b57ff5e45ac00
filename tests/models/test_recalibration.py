"""Probabilities brought into line with what was seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from nociomics.models.recalibration import fit_recalibration, outcome_step, recalibrate


def test_probabilities_that_are_right_are_left_alone():
    rng = np.random.default_rng(1)
    probability = rng.uniform(0.1, 0.9, 4000)
    intercept, slope = fit_recalibration(probability, (rng.random(4000) < probability).astype(float))
    assert intercept == pytest.approx(0, abs=0.1)
    assert slope == pytest.approx(1, abs=0.1)


def test_probabilities_that_are_too_high_are_brought_down():
    rng = np.random.default_rng(2)
    truth = rng.uniform(0.1, 0.6, 4000)
    claimed = expit(logit(truth) + 1)
    intercept, _ = fit_recalibration(claimed, (rng.random(4000) < truth).astype(float))
    assert intercept == pytest.approx(-1, abs=0.15)
    assert recalibrate(claimed, (intercept, 1.0)).mean() == pytest.approx(truth.mean(), abs=0.02)


def test_with_many_people_the_line_is_that_of_a_logistic_regression():
    rng = np.random.default_rng(3)
    probability = rng.uniform(0.05, 0.95, 50_000)
    responded = (rng.random(50_000) < expit(0.3 + 0.9 * logit(probability))).astype(float)
    reference = LogisticRegression(C=np.inf).fit(logit(probability)[:, None], responded)
    found = fit_recalibration(probability, responded)
    assert found == pytest.approx((reference.intercept_[0], reference.coef_[0, 0]), abs=0.01)


@pytest.mark.parametrize("responded", [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [np.nan, np.nan, np.nan], [1.0, np.nan, 1.0]])
def test_nothing_is_learned_when_nobody_or_everybody_responded(responded):
    assert fit_recalibration(np.array([0.2, 0.5, 0.9]), np.array(responded)) == (0.0, 1.0)


def test_people_without_an_outcome_or_a_prediction_do_not_count():
    probability = np.array([0.2, 0.4, 0.6, 0.8, 0.7, np.nan])
    responded = np.array([0.0, 1.0, 0.0, 1.0, np.nan, 1.0])
    assert fit_recalibration(probability, responded) == fit_recalibration(probability[:4], responded[:4])


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=20, unique=True),
    st.floats(-3, 3),
    st.floats(0.05, 3),
)
def test_the_order_of_people_never_changes_and_nothing_leaves_zero_to_one(probability, intercept, slope):
    found = recalibrate(np.sort(probability), (intercept, slope))
    assert (np.diff(found) >= 0).all()
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize(
    ("outcome", "step"),
    [
        (np.arange(11.0), 1.0),
        (np.array([2.0, 4.0, 10.0]), 2.0),
        (
            np.array([0.5, 3.0, 9.5]),
            0.0,
        ),  # steps of 2.5 from .5: not counted from zero, so no limit can be rounded to it
        (np.array([1.25, 1.5, 7.75]), 0.25),
        (np.array([3.0, 3.0]), 0.0),
        (np.array([]), 0.0),
        (np.linspace(0, 100, 101), 0.0),  # a hundred steps are as good as none
    ],
)
def test_the_step_of_an_outcome(outcome, step):
    assert outcome_step(outcome) == pytest.approx(step)
