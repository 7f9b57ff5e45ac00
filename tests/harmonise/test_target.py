"""What is predicted: one table of cases per kind of target."""

from __future__ import annotations

import polars as pl
import pytest

from nociomics.errors import StudyError, TableError
from nociomics.harmonise.target import build_target
from nociomics.tables.harmonised import COHORT_FLOW, TARGET_ROWS
from nociomics.tables.study import Target


def cohort(baseline: list, outcome: list, **outcome_columns: list):
    ids = [f"P{n}" for n in range(len(baseline))]
    features = pl.DataFrame({"patient_id": ids, "pain": baseline}, schema_overrides={"pain": pl.Float64})
    patients = pl.DataFrame({"patient_id": ids, "site": ["A"] * len(ids)})
    treatments = pl.DataFrame({"patient_id": ids, "arm": "x", "assignment": "randomised"})
    outcomes = pl.DataFrame({"patient_id": ids, "end": outcome, **outcome_columns})
    return features, patients, treatments, outcomes


CHANGE = {"kind": "change", "outcome": "end", "baseline": "pain", "treatment": "arm", "groups": "site"}

SPECIFICATION = """
rule            | baseline | outcome | response_value | responded
fall_percent 30 | 8        | 6       | 2              | 0
fall_percent 30 | 8        | 5.6     | 2.4            | 1
fall_percent 30 | 6        | 4.2     | 1.8            | 1
fall_percent 30 | 6        | 4.3     | 1.7            | 0
fall_percent 50 | 8        | 4       | 4              | 1
fall_percent 30 | 4        | 6       | -2             | 0
fall_percent 30 | 0        | 0       | 0              | -
fall_percent 30 | 0        | 2       | -2             | -
fall_percent 30 | -        | 2       | -              | -
fall_percent 30 | 8        | -       | -              | -
fall_points 2   | 8        | 6       | 2              | 1
fall_points 2   | 8        | 6.1     | 1.9            | 0
fall_percent 30 | 1.4      | 0.98    | 0.42           | 1
fall_points 2   | 0        | 0       | 0              | 0
fall_points 2   | -        | 1       | -              | -
at_most 3       | 8        | 3       | 5              | 1
at_most 3       | 8        | 3.1     | 4.9            | 0
at_most 3       | -        | 1       | -              | 1
at_most 3       | 8        | -       | -              | -
none            | 8        | 2       | 6              | -
"""
CASES = [[cell.strip() for cell in line.split("|")] for line in SPECIFICATION.strip().splitlines()[1:]]


def number(cell: str) -> float | None:
    return None if cell == "-" else float(cell)


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_changes_and_responders(case):
    rule, *cells = case
    baseline, outcome, response_value, responded = map(number, cells)
    response = None if rule == "none" else {rule.split()[0]: float(rule.split()[1])}
    frames = cohort([baseline], pl.Series([outcome], dtype=pl.Float64))
    rows, flow = build_target(*frames, Target.model_validate({**CHANGE, "response": response}))
    found = rows.select("response_value", "responded").row(0)
    assert found == (pytest.approx(response_value), responded)
    TARGET_ROWS.check(rows)
    COHORT_FLOW.check(flow)


def test_the_flow_counts_who_is_left_and_why():
    features, patients, treatments, outcomes = cohort([5, None, 6, 7], [1.0, 2.0, None, 3.0])
    rows, flow = build_target(features, patients, treatments.head(3), outcomes, Target.model_validate(CHANGE))
    assert flow.select("step", "people", "left_out").rows() == [
        ("people", 4, 0),
        ("with treatment", 3, 1),
        ("with baseline", 2, 1),
        ("with outcome", 1, 1),
        ("analysable", 1, 3),
    ]
    assert rows.height == 4
    assert rows["group"].to_list() == ["A"] * 4


def test_a_continuous_outcome_without_treatments():
    features, patients, _, outcomes = cohort([1, 1], [4.5, None])
    target = Target(kind="continuous", outcome="end", response={"at_most": 5})
    rows, flow = build_target(features, patients, None, outcomes, target)
    assert rows["response_value"].to_list() == [4.5, None]
    assert rows["responded"].to_list() == [1, None]
    assert rows["treatment"].to_list() == [None, None]
    assert flow["people"].to_list() == [2, 2, 2, 1, 1]


@pytest.mark.parametrize("values", [[0, 1, None], [False, True, None], ["0", "1", None]])
def test_a_binary_outcome_is_its_own_response(values):
    frames = cohort([1, 1, 1], values)
    rows, _ = build_target(*frames, Target(kind="binary", outcome="end"))
    for column in ("outcome", "response_value", "responded"):
        assert rows[column].to_list() == [0, 1, None]


def test_classes_are_numbered_in_sorted_order():
    rows, _ = build_target(*cohort([1] * 4, ["b", "a", None, "c"]), Target(kind="multiclass", outcome="end"))
    assert rows["label"].to_list() == ["b", "a", None, "c"]
    assert rows["outcome"].to_list() == [1, 0, None, 2]
    rows, _ = build_target(*cohort([1] * 3, [10, 2, 1]), Target(kind="multiclass", outcome="end"))
    assert rows.select("label", "outcome").rows() == [("10", 2), ("2", 1), ("1", 0)]


def test_a_baseline_may_be_a_column_of_patients():
    features, patients, treatments, outcomes = cohort([5], [2.0])
    target = Target.model_validate(CHANGE | {"baseline": "nrs"})
    rows, _ = build_target(features, patients.with_columns(nrs=pl.lit(7)), treatments, outcomes, target)
    assert rows["response_value"].to_list() == [5]


def test_new_patients_need_no_outcomes():
    features, patients, treatments, _ = cohort([5], [2.0])
    rows, flow = build_target(features, patients, treatments, None, Target.model_validate(CHANGE))
    assert rows.select("baseline", "outcome", "response_value").row(0) == (5, None, None)
    assert flow["people"].to_list()[-1] == 0


def test_adverse_events_are_carried_along():
    frames = cohort([5, 6], [2.0, None], ae=[1, None])
    rows, _ = build_target(*frames, Target.model_validate(CHANGE | {"adverse_event": "ae"}))
    assert rows["adverse_event"].to_list() == [1, None]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"baseline": "pian"}, 'target.baseline = "pian".*Did you mean "pain"'),
        ({"outcome": "edn"}, 'target.outcome = "edn".*Did you mean "end"'),
        ({"treatment": "amr"}, 'target.treatment = "amr".*Did you mean "arm"'),
        ({"groups": "stie"}, 'target.groups = "stie".*Did you mean "site"'),
        ({"adverse_event": "x"}, 'target.adverse_event = "x"'),
        ({"baseline": None}, "target.baseline is missing"),
        ({"response": {"fall_points": 2, "at_most": 1}}, "has 2 rules"),
        ({"kind": "continuous", "response": {"fall_points": 2}}, "needs a baseline"),
    ],
)
def test_a_wrong_target_is_explained(change, message):
    with pytest.raises(StudyError, match=message):
        build_target(*cohort([5], [2.0]), Target.model_validate(CHANGE | change))


def test_values_that_do_not_fit_are_counted_and_not_shown():
    with pytest.raises(TableError, match="1 rows are neither 0 nor 1"):
        build_target(*cohort([1, 1], [0, 7]), Target(kind="binary", outcome="end"))
    with pytest.raises(TableError, match="1 rows are not numbers") as refused:
        build_target(*cohort([1, 1], ["3", "sore"]), Target(kind="continuous", outcome="end"))
    assert "sore" not in str(refused.value)
