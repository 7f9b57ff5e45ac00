from __future__ import annotations

import numpy as np
import pytest

from nociomics.evaluate.permutation import headline_value, permutation_p
from nociomics.evaluate.study_metrics import evaluate_study
from tests.evaluate.cohorts import CHANGE, randomised_cohort


def test_by_hand_and_never_zero() -> None:
    assert permutation_p(0.6, np.array([0.5, 0.61, 0.4]), 10).value == pytest.approx(2 / 4)
    assert permutation_p(0.9, np.full(199, 0.5), 10).value == pytest.approx(1 / 200)
    assert permutation_p(0.9, np.array([0.5, np.nan]), 10).value == pytest.approx(1 / 3)


def test_without_permutations_there_is_no_p() -> None:
    found = permutation_p(0.9, np.array([]), 10)
    assert found.value is None and "resampling.permutations" in found.method


def test_the_headline_is_that_of_the_evaluation() -> None:
    cohort = randomised_cohort(3, 1.0, people=200)
    found = evaluate_study(cohort.out_of_fold, cohort.target_rows, CHANGE, resamples=20)
    metric, value = headline_value(cohort.out_of_fold, cohort.target_rows, CHANGE)
    assert metric == "auroc" and value == pytest.approx(found.metrics["auroc"]["value"])
