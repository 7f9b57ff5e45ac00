"""Harm is judged as any event is, and a rare one has a reason in place of figures."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nociomics.errors import StudyError
from nociomics.evaluate.adverse import adverse_metrics
from nociomics.evaluate.metric_sets import Sampling
from nociomics.models.adverse_event import adverse_rows, adverse_status, adverse_target
from tests.evaluate.cohorts import ARMS, CHANGE, randomised_cohort

HARM = CHANGE.model_copy(update={"adverse_event": "bleeding"})
FEW = Sampling(100, 1)


def cohort_with_harm(share: float, people: int = 600) -> tuple[pl.DataFrame, pl.DataFrame]:
    """True chances of harm as predictions of it; events drawn from them for the treatment received."""
    rng = np.random.default_rng(5)
    rows = randomised_cohort(1, 1.0, people=people, repeats=1).target_rows
    chance = np.clip(share * rng.gamma(2.0, 0.5, size=(people, 3)), 0, 0.95)
    received = rows["treatment"].replace_strict({arm: k for k, arm in enumerate(ARMS)}).to_numpy()
    event = rng.random(people) < chance[np.arange(people), received]
    made = pl.DataFrame(
        {
            "patient_id": np.repeat(rows["patient_id"].to_numpy(), 3),
            "repeat": 0,
            "outer_fold": np.repeat(np.arange(people) % 5, 3),
            "treatment": ARMS * people,
            "expected": chance.ravel(),
            "p_response": chance.ravel(),
        }
    )
    return made, rows.with_columns(adverse_event=pl.Series(event.astype(float)))


def test_true_chances_of_harm_are_found_to_be_right():
    made, rows = cohort_with_harm(0.3)
    found = adverse_metrics(made, rows, HARM, FEW)
    assert found["adverse_n"].value == 600
    assert found["adverse_n_events"].value == rows["adverse_event"].sum()
    assert found["adverse_auroc"].lower > 0.5
    slope = found["adverse_calibration_in_the_large"]
    assert slope.lower < 0 < slope.upper
    assert found["adverse_brier"].value < 0.25


def test_fewer_than_ten_events_are_too_few_to_model():
    made, rows = cohort_with_harm(0.3)
    rare = rows.with_columns(adverse_event=pl.when(pl.int_range(pl.len()) < 9).then(1.0).otherwise(0.0))
    found = adverse_metrics(made.clear(), rare, HARM, FEW)
    assert found["adverse_n_events"].value == 9
    assert found["adverse_auroc"].value is None and found["adverse_brier"].value is None
    assert "too few to model: 9 events in 600 people" in found["adverse_auroc"].method
    assert adverse_status(rare, HARM)["modelled"] is False
    enough = rows.with_columns(adverse_event=pl.when(pl.int_range(pl.len()) < 10).then(1.0).otherwise(0.0))
    assert adverse_status(enough, HARM) == {
        "outcome": "bleeding", "modelled": True, "people": 600, "events": 10, "reason": None,
    }  # fmt: skip


def test_a_study_that_names_no_harm_has_no_figures_of_it():
    made, rows = cohort_with_harm(0.3)
    assert adverse_metrics(made, rows, CHANGE, FEW) == {}
    assert adverse_target(CHANGE) is None


def test_harm_of_whom_nothing_is_recorded_is_not_counted_as_none():
    _, rows = cohort_with_harm(0.3)
    lost = rows.with_columns(adverse_event=pl.when(pl.int_range(pl.len()) >= 100).then(pl.col("adverse_event")))
    assert adverse_status(lost, HARM)["people"] == 500
    assert adverse_rows(lost)["label"].null_count() == 100


def test_a_class_whose_column_would_be_that_of_harm_is_refused():
    _, rows = cohort_with_harm(0.3)
    classes = HARM.model_copy(update={"kind": "multiclass", "baseline": None, "response": None})
    with pytest.raises(StudyError, match="class called"):
        adverse_status(rows.with_columns(label=pl.lit("adverse")), classes)
