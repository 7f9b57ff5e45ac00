from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from nociomics.evaluate.bootstrap import point
from nociomics.evaluate.discrimination import auroc, auroc_statistic, delong_interval, delong_paired_test

SCORES = arrays(np.float64, 30, elements=st.integers(-8, 8).map(float))
EVENTS = arrays(np.float64, 30, elements=st.sampled_from([0.0, 1.0])).filter(lambda y: 0 < y.sum() < 30)


@given(EVENTS, SCORES)
def test_equals_scikit_learn_with_ties(y, score):
    assert auroc(y, score) == pytest.approx(roc_auc_score(y, score))


@given(EVENTS, SCORES, st.floats(0.1, 5), st.floats(-3, 3))
def test_monotone_maps_change_nothing(y, score, scale, shift):
    assert auroc(y, np.arctan(scale * score + shift)) == pytest.approx(auroc(y, score))


@given(EVENTS, SCORES)
def test_turning_the_score_round_turns_the_auroc_round(y, score):
    assert auroc(y, -score) == pytest.approx(1 - auroc(y, score))


@given(EVENTS, SCORES, arrays(np.int64, 30, elements=st.integers(0, 3)))
def test_a_weight_of_two_is_a_row_twice(y, score, weights):
    value = auroc_statistic(y, score)(weights[None, :].astype(np.float64))[0]
    assert value == pytest.approx(auroc(np.repeat(y, weights), np.repeat(score, weights)), nan_ok=True)


def test_no_events_is_undefined_not_a_half():
    assert np.isnan(auroc([0, 0], [0.1, 0.2]))
    assert np.isnan(point(auroc_statistic(np.ones(3), np.arange(3.0)), 3))


def test_equal_scores_do_not_differ():
    test = delong_paired_test([0, 1, 0, 1, 1], [1, 2, 3, 4, 5], [2, 4, 6, 8, 10])
    assert (test.difference, test.p) == (0.0, 1.0)


def test_an_interval_needs_two_of_each():
    area, lower, _ = delong_interval([0, 0, 1], [1, 2, 3])
    assert area == 1.0
    assert np.isnan(lower)
