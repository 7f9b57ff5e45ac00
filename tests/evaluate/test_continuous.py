from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr
from sklearn.metrics import r2_score

from nociomics.evaluate.continuous import coverage, mae, r2, r2_statistic, rmse, spearman, spearman_statistic

VALUES = arrays(np.float64, 15, elements=st.integers(-5, 5).map(float)).filter(lambda x: x.std() > 0)
WEIGHTS = arrays(np.int64, 15, elements=st.integers(0, 3)).filter(lambda w: w.sum() > 2)


@given(VALUES, VALUES)
def test_spearman_and_r2_equal_other_libraries(y, predicted):
    assert spearman(y, predicted) == pytest.approx(spearmanr(y, predicted).statistic, abs=1e-12)
    assert r2(y, predicted) == pytest.approx(r2_score(y, predicted))


@given(VALUES, VALUES, WEIGHTS)
def test_weights_are_repeated_rows(y, predicted, weights):
    drawn = weights[None, :].astype(np.float64)
    twice_y, twice_p = np.repeat(y, weights), np.repeat(predicted, weights)
    assert spearman_statistic(y, predicted)(drawn)[0] == pytest.approx(
        spearman(twice_y, twice_p), abs=1e-9, nan_ok=True
    )
    assert r2_statistic(y, predicted)(drawn)[0] == pytest.approx(r2(twice_y, twice_p), nan_ok=True)


def test_constants_have_no_rank_correlation_and_no_r2():
    assert np.isnan(spearman([1, 2, 3], [5, 5, 5]))
    assert np.isnan(r2([2, 2, 2], [1, 2, 3]))


def test_errors_by_hand():
    assert mae([0, 0], [3, -1]) == 2
    assert rmse([0, 0], [3, -1]) == pytest.approx(5**0.5)
    assert coverage([0, 1, 2, 9], [0, 0, 0, 0], [2, 2, 2, 2]) == 0.75
