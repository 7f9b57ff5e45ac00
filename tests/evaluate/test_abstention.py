"""Where the model is surer it must be right more often; where being sure means nothing, the figures say so."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.evaluate.abstention import choice_curve, prediction_curve, sureness, sureness_metrics
from nociomics.evaluate.metric_sets import Sampling
from nociomics.evaluate.panel import Panel, Scores, build_panel, panel_scores
from nociomics.evaluate.received import Rows
from tests.evaluate.cohorts import CHANGE, randomised_cohort

FEW = Sampling(200, 1)


def rows_of(y: np.ndarray, predicted: np.ndarray) -> Rows:
    people = np.arange(y.size)
    return Rows(people, np.zeros(y.size, dtype=int), people % 5, y.astype(float), predicted)


def test_sureness_is_nothing_at_even_chances_and_everything_at_certainty():
    p = np.array([[0.25] * 4, [1.0, 0, 0, 0], [0.7, 0.1, 0.1, 0.1]])
    found = sureness(p)
    assert found[0] == pytest.approx(0) and found[1] == pytest.approx(1) and 0 < found[2] < 1


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_of_two_chances_the_one_further_from_a_half_is_surer(one, other):
    a, b = sureness(np.array([one, other]))
    assert (a >= b - 1e-12) == (abs(one - 0.5) >= abs(other - 0.5) - 1e-9) or abs(a - b) < 1e-9


def test_true_probabilities_are_right_more_often_where_they_are_surer():
    rng = np.random.default_rng(1)
    p = rng.uniform(size=4000)
    rows = rows_of((rng.random(4000) < p).astype(float), p)
    curve = prediction_curve(rows, FEW)
    accuracy = [row["value"] for row in curve]
    assert curve[0]["share"] == 1.0 and len(curve) == 10
    assert all(later > earlier - 0.01 for earlier, later in pairwise(accuracy))
    assert accuracy[-1] > accuracy[0] + 0.15
    assert curve[-1]["brier"] < curve[0]["brier"]
    gain = sureness_metrics(rows, FEW)["surest_half_gain"]
    assert gain.lower > 0.1


def test_chances_that_say_nothing_are_not_righter_where_they_are_surer():
    rng = np.random.default_rng(2)
    rows = rows_of((rng.random(1000) < 0.5).astype(float), rng.uniform(size=1000))
    gain = sureness_metrics(rows, FEW)["surest_half_gain"]
    assert gain.lower < 0 < gain.upper


def test_classes_are_ordered_by_entropy():
    rng = np.random.default_rng(3)
    p = rng.dirichlet([0.5] * 3, 3000)
    y = np.array([rng.choice(3, p=one) for one in p])
    curve = prediction_curve(rows_of(y, p), FEW)
    assert curve[-1]["value"] > curve[0]["value"] + 0.1


def test_fewer_than_twenty_people_kept_are_not_told_of():
    rng = np.random.default_rng(4)
    curve = prediction_curve(rows_of((rng.random(60) < 0.5).astype(float), rng.uniform(size=60)), FEW)
    assert min(row["n"] for row in curve) >= 20 and len(curve) < 10


def test_too_few_people_have_a_reason_in_place_of_a_figure():
    found = sureness_metrics(rows_of(np.zeros(10), np.full(10, 0.3)), FEW)
    assert all(one.value is None and "at least 20" in one.method for one in found.values())


def fitted_panel(heterogeneity: float, seed: int = 1) -> tuple[Panel, Scores]:
    cohort = randomised_cohort(seed, heterogeneity, people=1500, repeats=1)
    panel = build_panel(cohort.out_of_fold, cohort.target_rows, CHANGE)
    scores = panel_scores(panel, None)
    return panel, scores


def test_the_choice_gains_more_where_the_two_best_treatments_lie_further_apart():
    curve = choice_curve(*fitted_panel(1.0))
    gains = {row["share"]: row for row in curve}
    assert gains[1.0]["n"] == 1500
    assert gains[0.3]["value"] > gains[1.0]["value"] > 0
    assert gains[0.3]["lower"] > gains[1.0]["lower"]


def test_on_average_nothing_is_gained_where_everybody_gains_alike():
    gains = [choice_curve(*fitted_panel(0.0, seed))[0]["gain_over_best_fixed"] for seed in range(4)]
    assert abs(np.mean(gains)) < 0.05
