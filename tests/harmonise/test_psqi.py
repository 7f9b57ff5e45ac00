"""Edges of the components of the Pittsburgh Sleep Quality Index."""

from __future__ import annotations

import polars as pl
import pytest

from nociomics.harmonise.instrument_scores import score_table
from nociomics.knowledge.instrument import load_instrument

PSQI = load_instrument("psqi")
GOOD = {
    **dict.fromkeys(PSQI.items, "0"),
    "bed_time": "23:00",
    "getup_time": "07:00",
    "latency_min": "5",
    "sleep_hours": "7.5",
}


def scored(**changes: str | None) -> dict[str, dict]:
    answers = {**GOOD, **changes}
    columns = {"patient_id": "P1", "item": list(answers), "response": list(answers.values())}
    scores, _ = score_table(pl.DataFrame(columns, schema_overrides={"response": pl.String}), PSQI)
    return {row["scale"]: row for row in scores.iter_rows(named=True)}


@pytest.mark.parametrize(
    ("component", "changes", "expected"),
    [
        ("c2_latency", {"latency_min": "15"}, 0),
        ("c2_latency", {"latency_min": "16"}, 1),
        ("c2_latency", {"latency_min": "60", "cannot_sleep_30min": "1"}, 2),
        ("c2_latency", {"latency_min": "61", "cannot_sleep_30min": "2"}, 3),
        ("c3_duration", {"sleep_hours": "7"}, 1),
        ("c3_duration", {"sleep_hours": "6"}, 1),
        ("c3_duration", {"sleep_hours": "5"}, 2),
        ("c3_duration", {"sleep_hours": "4.9"}, 3),
        ("c4_efficiency", {"sleep_hours": "6.8"}, 0),
        ("c4_efficiency", {"sleep_hours": "6"}, 1),
        ("c4_efficiency", {"sleep_hours": "5.2"}, 2),
        ("c4_efficiency", {"sleep_hours": "5.1"}, 3),
        ("c4_efficiency", {"bed_time": "01:00", "getup_time": "09:00", "sleep_hours": "8"}, 0),
        ("c5_disturbance", {"disturb_b": "3", "disturb_c": "3", "disturb_d": "3"}, 1),
        ("c5_disturbance", {"disturb_b": "3", "disturb_c": "3", "disturb_d": "3", "disturb_e": "1"}, 2),
        ("c5_disturbance", {"disturb_j": None}, 0),
        ("c7_daytime", {"stay_awake_trouble": "2", "enthusiasm_problem": "3"}, 3),
    ],
)
def test_components(component, changes, expected):
    found = scored(**changes)
    assert found[component]["score"] == expected
    assert found["global"]["score"] == sum(
        found[name]["score"] for name in found if name[0] == "c" and name[1].isdigit()
    )


def test_a_missing_answer_leaves_no_global_score_but_the_other_components():
    found = scored(sleep_medicine=None)
    assert (found["global"]["score"], found["global"]["status"]) == (None, "incomplete_block")
    assert found["c1_quality"]["score"] == 0


def test_more_sleep_than_time_in_bed_is_not_scored():
    found = scored(sleep_hours="9")
    assert [found[name]["status"] for name in ("efficiency_percent", "c4_efficiency", "global")] == [
        "inconsistent_times"
    ] * 3
    assert found["global"]["score"] is None


def test_an_empty_last_disturbance_is_no_proration():
    assert scored(disturb_j=None)["global"]["prorated"] is False
