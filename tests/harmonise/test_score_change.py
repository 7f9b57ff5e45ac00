"""Changes between two visits: direction, thresholds side by side, and what cannot be told."""

from __future__ import annotations

import polars as pl
import pytest

from nociomics.errors import NociomicsError
from nociomics.harmonise.score_change import Reliability, score_changes, threshold_changes
from nociomics.knowledge.instrument import load_instruments

ALL = load_instruments()


def changed(instrument: str, scale: str, earlier: float | None, later: float | None, **more) -> dict:
    return score_changes(two_visits(instrument, scale, earlier, later), ALL, "baseline", "week12", **more).row(
        0, named=True
    )


def two_visits(instrument: str, scale: str, earlier: float | None, later: float | None) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "patient_id": "P1",
            "visit": ["baseline", "week12"],
            "instrument": instrument,
            "scale": scale,
            "score": [earlier, later],
        },
        schema_overrides={"score": pl.Float64},
    )


def met(
    instrument: str, scale: str, earlier: float | None, later: float | None
) -> dict[tuple[str, float], bool | None]:
    rows = threshold_changes(
        score_changes(two_visits(instrument, scale, earlier, later), ALL, "baseline", "week12"), ALL
    )
    return {(row["kind"], row["value"]): row["met"] for row in rows.iter_rows(named=True)}


@pytest.mark.parametrize(
    ("earlier", "later", "percent", "thirty", "fifty", "two"),
    [
        (8, 6, -25.0, False, False, True),
        (6, 4, -100 / 3, True, False, True),
        (8, 4, -50.0, True, True, True),
        (0, 2, None, None, None, False),
    ],
)
def test_pain_ratings(earlier, later, percent, thirty, fifty, two):
    """8 to 6 is two points, which counts, and a quarter, which does not: both are said."""
    found = changed("nrs_pain", "intensity", earlier, later)
    assert (found["change"], found["percent"]) == (
        later - earlier,
        percent if percent is None else pytest.approx(percent),
    )
    thresholds = met("nrs_pain", "intensity", earlier, later)
    assert [thresholds["percent", 30], thresholds["percent", 50], thresholds["absolute", 2]] == [thirty, fifty, two]


def test_all_thresholds_are_listed_with_their_provenance():
    rows = threshold_changes(score_changes(two_visits("bdi_ii", "total", 30, 24), ALL, "baseline", "week12"), ALL)
    assert rows.select("kind", "value", "direction", "provenance", "met").rows() == [
        ("absolute", 5.0, "decrease", "checked", True),
        ("percent", 17.5, "decrease", "general", True),
    ]
    assert rows["source"].str.len_chars().min() > 0


@pytest.mark.parametrize(
    ("instrument", "scale", "better"),
    [
        ("pcs", "total", "fall"), ("pseq", "total", "rise"), ("cpaq_20", "total", "rise"), ("cpaq_8", "total", "rise"),
        ("mlq", "presence", "rise"), ("pil", "total", "rise"), ("facit_sp_12", "total", "rise"),
        ("eq_5d_5l", "index", "rise"), ("promis_29", "physical_function", "rise"),
        ("promis_29", "social_roles", "rise"),
        ("promis_29", "anxiety", "fall"), ("odi", "percent", "fall"), ("rmdq", "total", "fall"),
    ],
)  # fmt: skip
def test_the_direction_of_a_scale_says_what_is_better(instrument, scale, better):
    low, high = ALL[instrument].scales[scale].range
    assert changed(instrument, scale, low, high)["direction"] == ("improved" if better == "rise" else "worsened")
    assert changed(instrument, scale, high, low)["direction"] == ("worsened" if better == "rise" else "improved")
    assert changed(instrument, scale, high, high)["direction"] == "unchanged"


def test_every_threshold_points_where_the_scale_improves():
    for instrument in ALL.values():
        for scale in instrument.scales.values():
            better = {"higher_worse": "decrease", "higher_better": "increase"}.get(scale.direction)
            assert all(change.direction in (better, "state") for change in scale.change), (instrument.id, scale.id)


@pytest.mark.parametrize(
    ("instrument", "scale", "earlier", "later", "threshold", "expected"),
    [
        ("pseq", "total", 21, 28, ("absolute", 7), False),  # seven points, but still the same band
        ("pseq", "total", 25, 32, ("absolute", 7), True),
        ("pseq", "total", 32, 25, ("absolute", 7), False),
        ("sf_mpq", "total", 20, 15, ("absolute", 5), False),  # more than 5 is asked for
        ("sf_mpq", "total", 20, 14, ("absolute", 5), True),
        ("rmdq", "total", 3, 2, ("absolute", 2), True),  # recovered: a state, not a change
        ("rmdq", "total", 10, 3, ("absolute", 2), False),
        ("nrs_pain", "intensity", 10, 7, ("percent", 30), True),
        ("odi", "percent", 40, 30.0000001, ("absolute", 10), False),
    ],
)
def test_thresholds_at_their_edge(instrument, scale, earlier, later, threshold, expected):
    assert met(instrument, scale, earlier, later)[threshold] is expected


def test_without_a_score_nothing_can_be_told():
    found = changed("pcs", "total", 30, None)
    assert (found["change"], found["direction"], found["reliable"]) == (None, None, "cannot tell")
    assert set(met("pcs", "total", 30, None).values()) == {None}


def test_a_scale_without_a_better_end_has_no_direction_and_a_label_is_left_out():
    assert changed("mlq", "search", 10, 20)["direction"] is None
    assert score_changes(two_visits("eq_5d_5l", "profile", 11111, 21111), ALL, "baseline", "week12").height == 0
    assert score_changes(two_visits("other", "total", 1, 2), ALL, "baseline", "week12").height == 0


def test_the_reliable_change_index_is_that_of_jacobson_and_truax():
    """By hand: SD 7.5 and reliability 0.80 give 7.5 * 1.414 * 0.447 = 4.743; 15 points are 3.16 of it."""
    known = {("pcs", "total"): Reliability(7.5, 0.80, "invented")}
    found = changed("pcs", "total", 47.5, 32.5, reliability=known)
    assert found["reliable_change_index"] == pytest.approx(-3.16, abs=0.005)
    assert found["reliable"] == "improved"
    assert changed("pcs", "total", 40, 31, reliability=known)["reliable"] == "no reliable change"
    assert changed("pcs", "total", 20, 40, reliability=known)["reliable"] == "worsened"
    upwards = {("pseq", "total"): Reliability(10, 0.80, "invented")}
    assert changed("pseq", "total", 20, 40, reliability=upwards)["reliable"] == "improved"
    assert changed("pcs", "total", 47.5, 32.5)["reliable"] == "cannot tell"


@pytest.mark.parametrize(("sd", "coefficient"), [(0, 0.8), (-1, 0.8), (10, 1), (10, -0.1), (float("nan"), 0.8)])
def test_a_reliability_that_cannot_be_is_refused(sd, coefficient):
    with pytest.raises(NociomicsError, match="a reliability needs"):
        Reliability(sd, coefficient, "none")


def test_people_seen_once_have_a_row_too():
    scores = pl.concat(
        [
            two_visits("pcs", "total", 30, 20),
            two_visits("pcs", "total", 10, 5)[1:].with_columns(patient_id=pl.lit("P2")),
        ]
    )
    found = score_changes(scores, ALL, "baseline", "week12")
    assert found.select("patient_id", "from_score", "to_score", "change").rows() == [
        ("P1", 30, 20, -10),
        ("P2", None, 5, None),
    ]
