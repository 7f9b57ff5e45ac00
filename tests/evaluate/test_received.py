from __future__ import annotations

import polars as pl
import pytest

from nociomics.errors import TableError
from nociomics.evaluate.received import check_folds, class_rows, event_rows, received_rows, value_rows
from nociomics.tables.study import Target
from tests.evaluate.cohorts import CHANGE, plain_targets, randomised_cohort


def test_only_the_treatment_received_counts():
    cohort = randomised_cohort(0, 1.0, people=30, repeats=2)
    received = received_rows(cohort.out_of_fold, cohort.target_rows, CHANGE)
    assert received.height == 60
    assert (received["treatment"] == received["received"]).all()
    known = dict(cohort.target_rows.select("patient_id", "treatment").iter_rows())
    assert all(known[patient] == arm for patient, arm in received.select("patient_id", "received").iter_rows())


def test_people_without_an_outcome_are_left_out_of_the_rows():
    cohort = randomised_cohort(0, 1.0, people=80, repeats=2)
    observed = cohort.target_rows["outcome"].count()
    rows = value_rows(received_rows(cohort.out_of_fold, cohort.target_rows, CHANGE))
    assert observed < 80
    assert (rows.n, rows.y.size, rows.n_folds) == (observed, 2 * observed, 10)


def test_row_order_does_not_matter():
    cohort = randomised_cohort(0, 1.0, people=30, repeats=2)
    shuffled = cohort.out_of_fold.sample(fraction=1.0, shuffle=True, seed=1)
    first, second = (
        event_rows(received_rows(frame, cohort.target_rows, CHANGE)) for frame in (cohort.out_of_fold, shuffled)
    )
    assert (first.predicted == second.predicted).all()
    assert (first.people == second.people).all()


def test_a_comparator_without_treatments_is_joined_by_person():
    cohort = randomised_cohort(0, 1.0, people=30, repeats=2)
    one_each = cohort.out_of_fold.unique(["patient_id", "repeat"]).with_columns(treatment=pl.lit(None, dtype=pl.String))
    assert received_rows(one_each, cohort.target_rows, CHANGE).height == 60


def test_predictions_from_other_folds_are_refused_without_naming_anyone():
    cohort = randomised_cohort(0, 1.0, people=30, repeats=2)
    check_folds(cohort.out_of_fold, cohort.splits)
    moved = cohort.splits.with_columns(outer_fold=pl.col("outer_fold") + 1)
    with pytest.raises(TableError, match="180 of 180 rows lie in another outer fold") as caught:
        check_folds(cohort.out_of_fold, moved)
    assert "P00" not in str(caught.value)


def test_a_class_without_probabilities_is_refused():
    target = Target(kind="multiclass", outcome="type")
    rows = plain_targets(["P1", "P2"], [0.0, 1.0], label=["mild", "severe"])
    made = pl.DataFrame(
        {
            "patient_id": ["P1", "P2"],
            "repeat": 0,
            "outer_fold": 0,
            "treatment": pl.Series([None, None], dtype=pl.String),
            "p_mild": [0.5, 0.5],
        }
    )
    with pytest.raises(TableError, match=r"1 classes of the outcome \(1 rows\)"):
        class_rows(received_rows(made, rows, target), ["p_mild"])
