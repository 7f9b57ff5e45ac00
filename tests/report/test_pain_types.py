"""People by type of pain, and figures by subgroup."""

from __future__ import annotations

import polars as pl

from nociomics.report.pain_types import pain_type_rows, subgroup_rows, subgroup_table


def test_types_of_pain_are_counted_and_small_ones_are_not_told() -> None:
    types = ["neuropathic"] * 7 + ["unknown"] * 6 + ["mixed"] * 2 + [None] * 9
    people = pl.DataFrame({"patient_id": [str(i) for i in range(len(types))], "pain_type": types})
    rows = [(row["name"], row["people"], row["strip"] is None) for row in pain_type_rows(people)]
    assert rows == [
        ("neuropathic", "7/24", False),
        ("unknown", "6/24", False),
        ("mixed", "fewer than 5", True),
        ("not recorded", "9/24", False),
    ]


def test_a_study_without_types_of_pain_has_no_rows() -> None:
    empty = pl.DataFrame({"patient_id": ["a"], "pain_type": pl.Series([None], dtype=pl.String)})
    assert pain_type_rows(None) == pain_type_rows(empty) == []


def test_subgroups_are_listed_with_their_intervals() -> None:
    found = {
        "trait": "pain_type",
        "level": "mixed",
        "metric": "auroc",
        "n": 80,
        "value": 0.6,
        "lower": 0.5,
        "upper": 0.7,
    }
    unknown = found | {"value": None, "lower": None, "upper": None}
    rows = subgroup_rows({"subgroups": [found, unknown]})
    assert [(row["trait"], row["level"], row["metric"], row["n"]) for row in rows] == [
        ("pain type", "mixed", "AUROC", 80)
    ]
    assert "0.60" in rows[0]["text"] and "0.50" in rows[0]["text"]
    assert subgroup_rows({}) == []


def test_figures_of_one_group_stand_in_one_line() -> None:
    row = {"trait": "sex", "level": "F", "metric": "auroc", "n": 90, "value": 0.6, "lower": 0.5, "upper": 0.7}
    hidden = row | {"level": "X", "n": None, "value": None, "note": "too few to show"}
    other = row | {"metric": "coverage_90", "value": 0.91, "n": 88}
    table = subgroup_table({"subgroups": [row, other, hidden, hidden | {"metric": "coverage_90"}]})
    assert table is not None and table["metrics"] == ["AUROC", "coverage of 90 % intervals"]
    first, second = table["groups"]
    assert (first["n"], second["n"]) == (90, None)
    assert [text[:4] for text in first["texts"].values()] == ["0.60", "0.91"]
    assert list(second["texts"].values()) == ["too few to show"] * 2
    assert subgroup_table({}) is None


def test_coverage_that_breaks_its_promise_is_said() -> None:
    row = {"trait": "sex", "level": "F", "metric": "coverage_90", "n": 250, "value": 0.8, "lower": 0.75, "upper": 0.84}
    (told,) = subgroup_rows({"subgroups": [row | {"note": None, "accepted": False}]})
    assert "below the 0.85 that 200 people must reach" in told["text"]
    (kept,) = subgroup_rows({"subgroups": [row | {"value": 0.9, "note": None, "accepted": True}]})
    assert "below" not in kept["text"]
