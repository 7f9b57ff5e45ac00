from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from nociomics.evaluate import classes


def answers(seed, n=40, k=3):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(k), n)
    y = rng.integers(0, k, n)
    y[:k] = np.arange(k)
    return y, p


@given(st.integers(0, 10_000))
def test_equal_scikit_learn(seed):
    y, p = answers(seed)
    named = p.argmax(axis=1)
    assert classes.accuracy(y, p) == pytest.approx(metrics.accuracy_score(y, named))
    assert classes.balanced_accuracy(y, p) == pytest.approx(metrics.balanced_accuracy_score(y, named))
    assert classes.macro_f1(y, p) == pytest.approx(metrics.f1_score(y, named, average="macro"))
    assert classes.log_loss(y, p) == pytest.approx(metrics.log_loss(y, p))
    assert classes.macro_auroc(y, p) == pytest.approx(metrics.roc_auc_score(y, p, multi_class="ovr"))


def test_a_class_that_never_occurs_is_left_out_of_the_means():
    y = np.array([0, 0, 1, 1])
    p = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1]])
    assert classes.balanced_accuracy(y, p) == 0.75
    assert classes.macro_auroc(y, p) == 1.0
    assert classes.macro_f1(y, p) == pytest.approx((0.8 + 2 / 3) / 2)


def test_the_worst_brier_score_is_two():
    assert classes.brier_losses(np.array([0]), np.array([[0.0, 1.0]])).tolist() == [2.0]
    assert classes.log_loss(np.array([0]), np.array([[0.0, 1.0]])) == np.inf
