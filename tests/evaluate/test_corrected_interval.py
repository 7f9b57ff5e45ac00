from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nociomics.evaluate.corrected_interval import CORRECTED, corrected_interval, widened
from nociomics.evaluate.estimate import estimate

UNIT = (0.0, 1.0)


def test_by_hand():
    # five folds of one repeat: variance times (1/5 + 1/4), t with 4 degrees of freedom
    values = np.array([0.5, 0.6, 0.7, 0.6, 0.6])
    reach = stats.t.ppf(0.975, 4) * np.sqrt((0.2 + 0.25) * values.var(ddof=1))
    assert corrected_interval(values, 5) == pytest.approx((0.6 - reach, 0.6 + reach))


def test_folds_without_a_value_do_not_count_and_one_fold_has_no_interval():
    assert corrected_interval(np.array([0.5, np.nan, 0.7]), 3) == corrected_interval(np.array([0.5, 0.7]), 3)
    assert np.isnan(corrected_interval(np.array([0.5, np.nan]), 2)).all()


def test_an_interval_is_never_narrowed():
    narrow, wide = estimate(0.6, 50, "m", (0.59, 0.61)), estimate(0.6, 50, "m", (0.1, 0.99))
    values = np.array([0.5, 0.7, 0.55, 0.65, 0.6])
    found = widened(narrow, values, 1, UNIT)
    assert (found.lower, found.upper) == pytest.approx(corrected_interval(values, 5))
    assert found.method == f"m; {CORRECTED}" and found.value == 0.6
    kept = widened(wide, values, 1, UNIT)
    assert (kept.lower, kept.upper) == (0.1, 0.99)


def test_what_has_no_interval_stays_without():
    none = estimate(float("nan"), 3, "m")
    assert widened(none, np.array([0.5, 0.6]), 1, UNIT) is none


def test_it_does_not_reach_beyond_what_the_figure_can_be():
    found = widened(estimate(0.9, 50, "m", (0.8, 0.95)), np.array([0.8, 1.0]), 1, UNIT)
    assert found.upper == 1.0 and found.lower == 0.0
