"""People by type of pain, and figures by subgroup."""

from __future__ import annotations

import polars as pl

from nociomics.report.pain_types import pain_type_rows, subgroup_rows


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
