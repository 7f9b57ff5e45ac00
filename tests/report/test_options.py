"""Benefit and harm: side by side, and ordered by weights that are said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.report.options import harm_view, ordered_options
from tests.report import demo

BENEFIT = {"cbt": 0.44, "nsaid": 0.38, "snri": 0.61}
HARM = {"cbt": 0.07, "nsaid": 0.22, "snri": 0.46}


@pytest.mark.parametrize(
    ("weight", "order"),
    [
        (0.0, ["snri", "cbt", "nsaid"]),
        (0.3, ["snri", "cbt", "nsaid"]),
        (1.0, ["cbt", "nsaid", "snri"]),
        (None, ["cbt", "nsaid", "snri"]),
    ],
)
def test_the_weight_decides_the_order(weight, order):
    assert [option.treatment for option in ordered_options(BENEFIT, HARM, weight)] == order


def test_benefit_and_harm_stay_apart_whatever_the_weight():
    for weight in (0.0, 1.0, None):
        found = {option.treatment: (option.benefit, option.harm) for option in ordered_options(BENEFIT, HARM, weight)}
        assert found == {name: (BENEFIT[name], HARM[name]) for name in BENEFIT}


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1))
def test_a_treatment_that_is_better_in_both_is_never_behind(figures):
    benefit, harm = {k: v[0] for k, v in figures.items()}, {k: v[1] for k, v in figures.items()}
    for weight in (0.0, 0.5, 1.0, 4.0, None):
        place = {option.treatment: p for p, option in enumerate(ordered_options(benefit, harm, weight))}
        for one in figures:
            for other in figures:
                if benefit[one] > benefit[other] + 1e-9 and harm[one] < harm[other] - 1e-9:
                    assert place[one] < place[other]


def test_what_is_not_known_stands_last_and_only_where_it_counts():
    unknown = HARM | {"snri": None}
    assert [option.treatment for option in ordered_options(BENEFIT, unknown, 1.0)][-1] == "snri"
    assert [option.treatment for option in ordered_options(BENEFIT, unknown, None)][-1] == "snri"
    assert next(iter(ordered_options(BENEFIT, unknown, 0.0))).treatment == "snri"


def test_of_equal_harm_the_larger_benefit_comes_first():
    same = dict.fromkeys(BENEFIT, 0.2)
    assert [option.treatment for option in ordered_options(BENEFIT, same, None)] == ["snri", "cbt", "nsaid"]


def test_points_and_chances_have_no_common_weight():
    target = demo.TARGET.model_copy(update={"response": None})
    arms = demo.arms().drop("response_share_of_observed", "responders")
    view = harm_view(target, demo.CLOSED, [], arms)
    assert [weighting.name for weighting, _ in view.orders] == ["Benefit only", "Harm first"]
    assert any("no weight" in note for note in view.notes)
    assert {row["treatment"]: row["benefit"] for row in view.rows}["SNRI"] == "+2.1"


def test_a_study_without_harm_or_treatments_shows_none():
    for change in ({"adverse_event": None}, {"treatment": None}):
        assert harm_view(demo.TARGET.model_copy(update=change), demo.OPEN, [], demo.arms()) is None
    assert harm_view(demo.TARGET, demo.OPEN, [], demo.arms().drop("adverse_events")) is None
