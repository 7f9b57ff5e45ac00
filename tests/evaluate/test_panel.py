from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nociomics.evaluate.panel import build_panel, direction, panel_scores
from nociomics.tables.study import ResponseRule, Target
from tests.evaluate.cohorts import ARMS, CHANGE, randomised_cohort

COHORT = randomised_cohort(0, 1.0, people=90, repeats=2)
OBSERVATIONAL = COHORT.target_rows.with_columns(assignment=pl.lit("observational"))


def propensities(share=1 / 3, thin=0):
    ids = COHORT.target_rows["patient_id"].to_list()
    rows = [(one, arm, 0.01 if i < thin and arm == "cbt" else share) for i, one in enumerate(ids) for arm in ARMS]
    return pl.DataFrame(rows, schema=["patient_id", "treatment", "propensity"], orient="row")


def test_arrays_hold_what_the_table_says():
    panel = build_panel(COHORT.out_of_fold.sample(fraction=1.0, shuffle=True, seed=2), COHORT.target_rows, CHANGE)
    person, repeat, arm = 7, 1, 2
    told = COHORT.out_of_fold.filter(
        (pl.col("patient_id") == panel.patient_ids[person])
        & (pl.col("repeat") == panel.repeats[repeat])
        & (pl.col("treatment") == panel.arms[arm])
    )
    assert panel.expected[repeat, person, arm] == told["expected"].item()
    assert panel.fold[repeat, person] == told["outer_fold"].item()
    assert (panel.n, panel.arms, panel.randomised) == (90, ARMS, True)


def test_a_person_without_all_predictions_is_left_out():
    made = COHORT.out_of_fold.filter(~((pl.col("patient_id") == "P0003") & (pl.col("treatment") == "snri")))
    panel = build_panel(made, COHORT.target_rows, CHANGE)
    assert panel.n == 89
    assert "P0003" not in panel.patient_ids


def test_one_arm_cannot_be_compared():
    one = COHORT.target_rows.with_columns(treatment=pl.lit("cbt"))
    assert build_panel(COHORT.out_of_fold, one, CHANGE) is None


def test_lower_is_better_only_by_an_at_most_rule():
    low = Target(kind="continuous", outcome="pain", response=ResponseRule(at_most=3), treatment="arm")
    assert (direction(CHANGE), direction(low)) == (1, -1)
    panel, turned = (build_panel(COHORT.out_of_fold, COHORT.target_rows, target) for target in (CHANGE, low))
    assert (turned.expected == -panel.expected).all()
    assert np.array_equal(turned.y, -panel.y, equal_nan=True)


def test_in_a_trial_the_propensity_is_the_share_of_the_arm_and_of_its_outcomes():
    panel = build_panel(COHORT.out_of_fold, COHORT.target_rows, CHANGE)
    scores = panel_scores(panel, None)
    person = int(np.flatnonzero(np.isfinite(panel.y))[0])
    arm = panel.arm[person]
    chance = (np.isfinite(panel.y) & (panel.arm == arm)).sum() / panel.n
    own = panel.expected[0, person, arm]
    assert scores.values[0, person, arm] == pytest.approx(own + (panel.y[person] - own) / chance)


def test_an_observational_study_needs_propensities():
    panel = build_panel(COHORT.out_of_fold, OBSERVATIONAL, CHANGE)
    assert panel_scores(panel, None) is None
    assert panel_scores(panel, propensities()).values.shape == (2, 90, 3)


def test_people_outside_overlap_are_left_out_and_counted():
    panel = build_panel(COHORT.out_of_fold, OBSERVATIONAL, CHANGE)
    scores = panel_scores(panel, propensities(thin=11))
    assert scores.people.size == 79
    assert "11 of 90 people" in scores.method
    assert panel_scores(panel, propensities(share=0.01)) is None


def test_propensities_may_differ_between_repeats():
    panel = build_panel(COHORT.out_of_fold, OBSERVATIONAL, CHANGE)
    by_repeat = pl.concat([propensities(share).with_columns(repeat=pl.lit(r)) for r, share in enumerate((0.3, 0.4))])
    scores = panel_scores(panel, by_repeat).values
    one = panel_scores(panel, propensities(0.3)).values
    assert (scores[0] == one[0]).all()
    assert (scores[1] != one[1]).any()
