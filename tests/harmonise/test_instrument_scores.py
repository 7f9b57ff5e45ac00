"""Scores against worked examples, and the rules that hold for every questionnaire."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from nociomics.errors import NociomicsError, TableError
from nociomics.harmonise.instrument_scores import (
    failing_examples,
    require_examples,
    score_instrument,
    score_responses,
    score_table,
    without_value_set,
)
from nociomics.knowledge.instrument import Instrument, load_instruments
from tests.conftest import examples

ALL = load_instruments()
EXAMPLES = [(instrument, example) for instrument in ALL.values() for example in instrument.examples]


def raw_answers(answers: dict[str, str | None], patient: str | None = "P1") -> pl.DataFrame:
    columns = {"patient_id": patient, "item": list(answers), "response": list(answers.values())}
    return pl.DataFrame(columns, schema_overrides={"response": pl.String, "patient_id": pl.String})


def by_scale(scores: pl.DataFrame) -> dict[str, dict]:
    return {row["scale"]: row for row in scores.iter_rows(named=True)}


def scored(instrument: str, answers: dict[str, str | None], value_set: str | None = None) -> dict[str, dict]:
    return by_scale(score_table(raw_answers(answers), ALL[instrument], value_set)[0])


@pytest.mark.parametrize("case", EXAMPLES, ids=lambda case: f"{case[0].id}-{case[1].id}")
def test_worked_examples(case):
    instrument, example = case
    plain = scored(instrument.id, example.responses)
    for name, expected in example.expect.items():
        if name.startswith("index_"):
            found = scored(instrument.id, example.responses, name.removeprefix("index_"))["index"]["score"]
        elif name == "profile":
            found = plain[name]["band"]
        else:
            found = plain[name]["score"]
        assert found == (
            expected if expected is None or isinstance(expected, str) else pytest.approx(expected, abs=1e-6)
        )
    assert {name: plain[name]["band"] for name in example.bands} == example.bands


def test_published_values_of_eq_5d_5l_worst_health():
    """Papers of the value sets: the worst state is worth -0.573 (USA), -0.285 (England), -0.661 (Germany)."""
    worst = dict.fromkeys(("MO", "SC", "UA", "PD", "AD"), "5")
    found = {name: scored("eq_5d_5l", worst, name)["index"]["score"] for name in ("USA", "England", "Germany")}
    assert found == {"USA": -0.573, "England": -0.285, "Germany": -0.661}


def test_without_a_value_set_there_is_no_index_but_a_profile():
    found = scored("eq_5d_5l", {"MO": "2", "SC": "1", "UA": "2", "PD": "3", "AD": "2"})
    assert (found["index"]["score"], found["index"]["status"]) == (None, "no_value_set")
    assert (found["profile"]["score"], found["profile"]["band"], found["lss"]["score"]) == (21232, "21232", 10)


@pytest.mark.parametrize(
    ("instrument", "answered", "scale", "score", "prorated", "status"),
    [
        ("bpi_sf", ["9A", "9B", "9D", "9F"], "interference", 2.0, True, "ok"),
        ("bpi_sf", ["9A", "9B", "9D"], "interference", None, False, "too_many_missing"),
        ("bpi_sf", ["3", "4", "5"], "severity", None, False, "incomplete_block"),
        ("bdi_ii", [str(n) for n in range(1, 20)], "total", 42.0, True, "ok"),
        ("bdi_ii", [str(n) for n in range(1, 19)], "total", None, False, "too_many_missing"),
        ("pcs", [str(n) for n in range(1, 13)], "total", 26.0, True, "ok"),
        ("pcs", [str(n) for n in range(1, 14)], "total", 26.0, False, "ok"),
        ("odi", [str(n) for n in range(1, 9)], "percent", 40.0, True, "ok"),
        ("odi", [str(n) for n in range(1, 8)], "percent", None, False, "too_many_missing"),
        ("fiqr", [str(n) for n in range(1, 21)], "total", None, False, "incomplete_block"),
        ("hads", ["1", "3", "5", "7"], "anxiety", 14.0, True, "ok"),
    ],
)
def test_missing_answers(instrument, answered, scale, score, prorated, status):
    """Every item that is answered is answered 2."""
    row = scored(instrument, dict.fromkeys(answered, "2"))[scale]
    assert (row["score"], row["prorated"], row["status"]) == (score, prorated, status)
    assert row["n_valid"] == len(answered)


def test_a_safety_item_is_named_even_when_the_total_is_refused():
    found = scored("phq_9", {"9": "1"})["total"]
    assert (found["score"], found["flags"]) == (None, "safety:9")
    assert scored("phq_9", {"9": "0"})["total"]["flags"] == ""
    assert scored("bdi_ii", {"9": "3", "1": "0"})["total"]["flags"] == "safety:9"


def test_a_score_at_its_cut_off_is_flagged():
    at = dict.fromkeys(map(str, range(1, 14)), "2") | dict.fromkeys(("1", "2", "3", "4"), "3")
    assert scored("pcs", at)["total"]["flags"] == "cutoff:>=30"
    assert scored("pcs", at | {"1": "2"})["total"]["flags"] == ""


def test_a_prorated_score_is_rounded_half_up_before_its_band():
    below = {"1": "1", "2": "1", "3": "1", "4": "0", "5": "1", "6": "0"}  # GAD-7: 4 of 6 items is 4.67, becomes 5
    assert scored("gad_7", below)["total"]["band"] == "mild"
    five = {"1": "1", "2": "1", "3": "1", "4": "1", "5": "2", "6": "2"}  # 8 of 6 items is 9.33, stays 9
    assert scored("gad_7", five)["total"]["band"] == "mild"


def test_all_bad_answers_are_reported_at_once_and_none_is_shown():
    bad = {"1": "77", "2": "3", "5": "often"}
    with pytest.raises(TableError) as refused:
        score_table(raw_answers(bad), ALL["pcs"])
    message = str(refused.value)
    assert 'item "1": 1 answers are not allowed (first: row 1); allowed: whole numbers 0 to 4' in message
    assert 'item "5"' in message
    assert "77" not in message
    assert "often" not in message
    assert "P1" not in message


@pytest.mark.parametrize("response", [5.0, -1.0, 2.5])
def test_points_out_of_range_are_refused_never_clipped(response):
    rows = pl.DataFrame(
        {"patient_id": "P1", "visit": "baseline", "instrument": "pcs", "item": ["1"], "response": [response]}
    )
    with pytest.raises(TableError, match="1 answers are not allowed"):
        score_instrument(rows, ALL["pcs"])


def test_two_answers_to_one_item_are_refused_and_a_mere_repetition_is_dropped():
    one = raw_answers({"1": "2", "2": "3"})
    with pytest.raises(TableError, match=r"1 rows \(first: row 3\) answer differently"):
        score_table(pl.concat([one, raw_answers({"1": "3"})]), ALL["pcs"])
    scores, findings = score_table(pl.concat([one, raw_answers({"1": "2.0"})]), ALL["pcs"])
    assert by_scale(scores)["total"]["n_valid"] == 2
    assert [(finding.severity, finding.count) for finding in findings] == [("warning", 1)]


def test_every_problem_of_a_long_table_is_told_at_once_in_a_line_of_its_own():
    rows = pl.concat([raw_answers({"1": "77", "2": "3"}), raw_answers({"2": "4"}), raw_answers({"3": "1"}, None)])
    with pytest.raises(TableError) as refused:
        score_table(rows, ALL["pcs"])
    lines = str(refused.value).splitlines()
    assert [
        word in line for word, line in zip(("patient_id", 'item "1"', "differently", "Nothing"), lines, strict=True)
    ]
    assert len(lines) == 4


def test_points_given_twice_are_refused():
    rows = responses_of(ALL["pcs"], [1.0] * 13)
    with pytest.raises(TableError, match="13 rows repeat a patient, visit and item"):
        score_instrument(pl.concat([rows, rows]), ALL["pcs"])


def test_an_index_that_lacks_its_value_set_is_told():
    answered = responses_of(ALL["eq_5d_5l"], [1.0] * 5 + [80.0])
    told = without_value_set(score_responses(answered, ALL))
    assert [(finding.severity, finding.count) for finding in told] == [("warning", 1)]
    assert "value_set" in told[0].message and "England" in told[0].message
    assert without_value_set(score_responses(answered, ALL, "England")) == []
    assert without_value_set(score_responses(responses_of(ALL["peg"], [1.0] * 3), ALL)) == []


def test_a_file_whose_own_example_does_not_come_out_is_refused():
    assert failing_examples(ALL["cpaq_20"]) == []
    wrong = ALL["pcs"].examples[0].model_copy(update={"expect": {"total": 25.0}, "bands": {"total": "high"}})
    broken = ALL["pcs"].model_copy(update={"examples": (wrong,)})
    assert failing_examples(broken) == ["pcs-1: total", "pcs-1: band of total"]
    with pytest.raises(NociomicsError, match="pcs-1: total"):
        require_examples(broken)


def test_there_are_66_worked_examples():
    assert len(EXAMPLES) == 66


def test_a_table_of_another_questionnaire_is_refused_and_strangers_are_counted():
    with pytest.raises(TableError, match="none of the 1 rows"):
        score_table(raw_answers({"x": "1"}), ALL["pcs"])
    _, findings = score_table(raw_answers({"1": "2", "x": "1", "y": "1"}), ALL["pcs"])
    assert [(finding.severity, finding.count) for finding in findings] == [("warning", 2)]


def test_an_unknown_value_set_is_refused():
    rows = responses_of(ALL["pcs"], [1.0] * 13)
    with pytest.raises(NociomicsError, match="no EQ-5D-5L value set"):
        score_instrument(rows, ALL["pcs"], "Atlantis")


def test_visits_are_scored_apart_and_kept():
    one = raw_answers({"1": "7", "2": "8", "3": "6"})
    both = pl.concat([one.with_columns(visit=pl.lit(visit)) for visit in ("baseline", "week12")])
    scores, _ = score_table(both, ALL["peg"])
    assert scores["visit"].to_list() == ["baseline", "week12"]
    assert "visit" not in score_table(one, ALL["peg"])[0].columns


def test_several_instruments_at_once():
    rows = pl.concat([responses_of(ALL["peg"], [1.0] * 3), responses_of(ALL["pcs"], [1.0] * 13)])
    scores = score_responses(rows, ALL)
    assert scores["instrument"].unique(maintain_order=True).to_list() == ["peg", "pcs"]
    assert score_responses(rows.clear(), ALL).columns == scores.columns


def responses_of(instrument: Instrument, points: list[float | None], patient: str = "P1") -> pl.DataFrame:
    columns = {
        "patient_id": patient,
        "visit": "baseline",
        "instrument": instrument.id,
        "item": list(instrument.items),
        "response": points,
    }
    return pl.DataFrame(columns, schema_overrides={"response": pl.Float64})


@st.composite
def any_answers(draw):
    """An instrument with allowed, partly missing answers."""
    instrument = ALL[draw(st.sampled_from([name for name in ALL if name != "psqi"]))]
    points = []
    for item in instrument.items.values():
        allowed = sorted(set(item.codes.values())) or [float(n) for n in range(int(item.low), int(item.high) + 1)]
        points.append(draw(st.one_of(st.none(), st.sampled_from(allowed), st.sampled_from(allowed))))
    return instrument, points


@settings(max_examples=examples(20), deadline=None)
@given(any_answers())
def test_a_score_lies_in_its_range_and_a_null_has_a_reason(case):
    instrument, points = case
    for row in score_instrument(responses_of(instrument, points), instrument, "USA").iter_rows(named=True):
        scale = instrument.scales[row["scale"]]
        if row["score"] is None:
            assert row["status"] != "ok"
        else:
            assert scale.low - 1e-9 <= row["score"] <= scale.high + 1e-9
            assert row["status"] == "ok"
            assert (row["band"] is not None) == (bool(scale.bands) or scale.method == "profile")


@settings(max_examples=examples(15), deadline=None)
@given(any_answers(), st.randoms(use_true_random=False))
def test_row_order_extra_items_and_other_people_change_nothing(case, random):
    instrument, points = case
    rows = responses_of(instrument, points)
    order = list(range(rows.height))
    random.shuffle(order)
    others = responses_of(instrument, [None] * len(points), "P2")
    stranger = rows.head(1).with_columns(item=pl.lit("stranger"), response=pl.lit(99.0))
    mixed = pl.concat([others, rows[order], stranger])
    again = score_instrument(mixed, instrument).filter(pl.col("patient_id") == "P1")
    assert_frame_equal(again, score_instrument(rows, instrument))


@settings(max_examples=examples(15), deadline=None)
@given(any_answers())
def test_items_turned_round_twice_are_as_they_were(case):
    """Answering the other way round (low + high - x) every reversed item undoes the reversal; twice is identity."""
    instrument, points = case
    reversed_items = {item for scale in instrument.scales.values() for item in scale.reversed}

    def turned(values):
        ends = [item.low + item.high for item in instrument.items.values()]
        names = zip(instrument.items, ends, values, strict=True)
        return [end - x if name in reversed_items and x is not None else x for name, end, x in names]

    assert turned(turned(points)) == points
    plain = instrument.model_copy(
        update={
            "scales": {name: scale.model_copy(update={"reversed": ()}) for name, scale in instrument.scales.items()}
        }
    )
    assert_frame_equal(
        score_instrument(responses_of(instrument, points), instrument),
        score_instrument(responses_of(instrument, turned(points)), plain),
    )


@settings(max_examples=examples(15), deadline=None)
@given(any_answers())
def test_n_valid_counts_the_answered_items_and_a_reason_follows_from_it(case):
    instrument, points = case
    given_items = {item for item, x in zip(instrument.items, points, strict=True) if x is not None}
    for row in score_instrument(responses_of(instrument, points), instrument, "USA").iter_rows(named=True):
        scale = instrument.scales[row["scale"]]
        parts = [instrument.scales[name] for name in scale.weights] or [scale]
        assert row["n_valid"] == sum(item in given_items for part in parts for item in part.items)
        enough = all(sum(item in given_items for item in part.items) >= part.min_valid for part in parts)
        assert (row["score"] is not None) == enough
        assert row["status"] in ("ok", "too_many_missing", "incomplete_block")


@settings(max_examples=examples(15), deadline=None)
@given(any_answers())
def test_a_prorated_sum_is_the_mean_of_the_answers_times_the_items(case):
    instrument, points = case
    given = dict(zip(instrument.items, points, strict=True))
    for row in score_instrument(responses_of(instrument, points), instrument).iter_rows(named=True):
        scale = instrument.scales[row["scale"]]
        if scale.method != "sum" or row["score"] is None:
            continue
        turned = [
            instrument.items[name].low + instrument.items[name].high - given[name]
            if name in scale.reversed
            else given[name]
            for name in scale.items
            if given[name] is not None
        ]
        assert row["score"] == pytest.approx(sum(turned) / len(turned) * len(scale.items) / scale.divisor)
        assert row["n_valid"] == len(turned)
        assert row["prorated"] == (len(turned) < len(scale.items))
