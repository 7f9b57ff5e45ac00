"""Cortisol over time: worked cases, refusals, slopes, and what becomes a feature."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nociomics.harmonise.cortisol import awakening_response, diurnal_slopes
from nociomics.harmonise.cortisol_features import cortisol_features


@pytest.mark.parametrize(
    ("minutes", "values", "auc_g", "auc_i", "increase", "rise"),
    [
        ([0, 30, 45], [12, 20, 18], 765.0, 225.0, 7.0, 200 / 3),
        ([0, 15, 30, 45, 60], [10, 14, 17, 16, 13], 877.5, 277.5, 5.0, 40.0),
    ],
    ids=["car1", "car2"],
)
def test_the_worked_cases(minutes, values, auc_g, auc_i, increase, rise):
    found = awakening_response(minutes, values)
    assert (found["auc_g"], found["auc_i"], found["mean_increase"]) == (auc_g, auc_i, increase)
    assert found["rise_percent"] == pytest.approx(rise)
    assert found["status"] == "ok" and found["samples"] == len(minutes)


@pytest.mark.parametrize(
    ("peak", "marks"), [(11.4, (False, False)), (11.5, (True, False)), (12.4, (True, False)), (12.5, (True, True))]
)
def test_responders_by_both_thresholds(peak, marks):
    found = awakening_response([0, 30, 45], [10, peak, 10])
    assert (found["responder_1_5"], found["responder_2_5"]) == marks


@pytest.mark.parametrize(("minutes", "delta"), [([0, 30], 5.0), ([0, 26], 5.0), ([0, 45], None), ([0, 24], None)])
def test_the_rise_to_30_minutes_needs_a_sample_there(minutes, delta):
    assert awakening_response(minutes, [10, 15])["delta_30"] == delta


@pytest.mark.parametrize(
    ("minutes", "values", "status"),
    [
        ([], [], "refused: no sample"),
        ([0], [12], "refused: a single sample"),
        ([16, 45], [12, 20], "refused: the first sample was taken more than 15 minutes"),
        ([0, 45, 30], [12, 20, 18], "refused: the samples are out of order"),
        ([0, 30, 30], [12, 20, 18], "refused: the samples are out of order"),
        ([-5, 30], [12, 20], "refused: the first sample was taken before waking"),
        ([0, 30], [12, None], "refused: a sample has no value"),
        ([0, 30], [12, float("nan")], "refused: a sample has no value"),
        ([0, 30], [12, -1], "refused: a value is below zero"),
    ],
)
def test_what_is_refused_has_no_number(minutes, values, status):
    found = awakening_response(minutes, values)
    assert found.pop("status").startswith(status)
    found.pop("samples")
    assert set(found.values()) == {None}


@pytest.mark.parametrize(("first", "flagged"), [(4.9, False), (5, True), (15, True)])
def test_a_late_first_sample_is_flagged(first, flagged):
    found = awakening_response([first, 45], [12, 20])
    assert found["status"].startswith("flagged: the first sample") == flagged
    assert found["auc_g"] == pytest.approx(16 * (45 - first))


def day(hours: list[float | None], values: list[float | None]) -> dict:
    frame = pl.DataFrame({"hours": hours, "value": values}, schema={"hours": pl.Float64, "value": pl.Float64})
    return diurnal_slopes(frame.with_columns(patient_id=pl.lit("a"), day=pl.lit(None, pl.String))).row(0, named=True)


def test_the_slope_is_the_least_squares_line_of_the_logarithm():
    hours, values = [0.0, 4.0, 9.0, 15.0], [14.0, 7.0, 4.0, 1.5]
    assert day(hours, values)["slope"] == pytest.approx(np.polyfit(hours, np.log(values), 1)[0])
    assert day([7.0, 19.0], [10.0, 10 * np.exp(-1.2)])["slope"] == pytest.approx(-0.1)


@pytest.mark.parametrize(
    ("hours", "values", "reason"),
    [
        ([8.0], [10.0], "a single sample"),
        ([8.0, None], [10.0, 3.0], "no time of day"),
        ([8.0, 20.0], [10.0, 0.0], "no value above zero"),
        ([8.0, 8.0], [10.0, 3.0], "two samples have one time"),
        ([8.0, 13.9], [10.0, 3.0], "span less than 6 hours"),
    ],
)
def test_no_slope_without_what_it_needs(hours, values, reason):
    found = day(hours, values)
    assert found["slope"] is None and reason in found["status"]


def saliva(*rows: tuple) -> pl.DataFrame:
    frame = pl.DataFrame(
        list(rows),
        schema={
            "patient_id": pl.String,
            "collected_at": pl.String,
            "minutes_since_waking": pl.Float64,
            "value": pl.Float64,
        },
        orient="row",
    )
    return frame.with_columns(analyte=pl.lit("cortisol_saliva"))


def test_features_of_days_that_can_be_worked_out():
    rows = saliva(
        ("a", "2024-01-01 07:45", 45, 18),  # rows of a table are in no order
        ("a", "2024-01-01 07:00", 0, 12),
        ("a", "2024-01-01 07:30", 30, 20),
        ("a", "2024-01-01 19:00", 720, 3),
        ("a", "2024-01-02 07:00", 0, 10),
        ("a", "2024-01-02 07:30", 30, 10),
        ("a", "2024-01-02 07:45", 45, 10),
        ("b", "2024-01-01 08:00", 20, 12),
        ("b", "2024-01-01 08:30", 50, 12),
        ("c", "2024-01-01 08:00", 0, 12),
    )
    part = cortisol_features(rows)
    found = {row["patient_id"]: row for row in part.frame.iter_rows(named=True)}
    assert found["a"]["cortisol_awakening_auc_g"] == (765 + 450) / 2
    assert found["a"]["cortisol_awakening_auc_i"] == 225 / 2
    assert found["a"]["cortisol_slope"] == pytest.approx(np.log(3 / 12) / 12)
    assert found["b"]["cortisol_awakening_auc_g"] is None and found["c"]["cortisol_awakening_auc_g"] is None
    text = " ".join(finding.message for finding in part.findings)
    assert "1 days of a person refused: the first sample was taken more than 15 minutes" in text
    assert "1 days of a person refused: a single sample shows no response" in text
    assert [entry.feature for entry in part.features] == [
        "cortisol_awakening_auc_g",
        "cortisol_awakening_auc_i",
        "cortisol_slope",
    ]
    assert [entry.low for entry in part.features] == [0.0, None, None]


def test_clock_times_that_contradict_the_minutes_are_out_of_order():
    rows = saliva(("a", "2024-01-01 07:00", 30, 12), ("a", "2024-01-01 07:30", 0, 20))
    part = cortisol_features(rows)
    assert part.frame["cortisol_awakening_auc_g"].to_list() == [None]
    assert "out of order" in part.findings[0].message


def test_different_spans_are_told():
    rows = saliva(("a", None, 0, 12), ("a", None, 30, 20), ("b", None, 0, 12), ("b", None, 60, 20))
    text = " ".join(finding.message for finding in cortisol_features(rows).findings)
    assert (
        "2 different spans (30 to 60 minutes)" in text and "2 people have a response to awakening from one day" in text
    )


def test_a_single_sample_has_no_such_feature():
    part = cortisol_features(saliva(("a", None, None, 12), ("b", "2024-01-01 07:00", 0, 12)))
    assert part.features == [] and part.frame.columns == ["patient_id"]


def test_serum_cortisol_brings_its_clock_time():
    rows = saliva(("a", "2024-01-01 08:30:00", None, 300), ("b", "2024-01-01", None, 300), ("c", None, None, 300))
    part = cortisol_features(rows.with_columns(analyte=pl.lit("cortisol_serum_am")))
    assert part.frame.rows() == [("a", 8.5), ("b", None), ("c", None)]
    assert [(finding.count, "without a clock time" in finding.message) for finding in part.findings] == [(2, True)]
    dated = rows.with_columns(analyte=pl.lit("cortisol_serum_am"), collected_at=pl.lit("2024-01-01 00:00:00"))
    assert cortisol_features(dated).features == []
