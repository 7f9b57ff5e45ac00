"""Earlier drugs are counted only as far as they were known before the study."""

from __future__ import annotations

import datetime as dt

import polars as pl

from nociomics.harmonise.history_features import history_features

DAY = dt.datetime(2024, 1, 10)


def history(*rows: tuple[str, str, dt.datetime | None, dt.datetime | None, str | None, bool | None]) -> pl.DataFrame:
    names = {"patient_id": pl.String, "drug": pl.String, "started_at": pl.Datetime, "stopped_at": pl.Datetime}
    return pl.DataFrame(rows, schema={**names, "response": pl.String, "stopped_for_harm": pl.Boolean}, orient="row")


TREATMENTS = pl.DataFrame({"patient_id": ["P1", "P2", "P3"], "started_at": [DAY, DAY, None]})
BEFORE, AFTER = DAY - dt.timedelta(days=90), DAY + dt.timedelta(days=30)


def test_what_began_later_or_was_only_known_later_does_not_count() -> None:
    table = history(
        ("P1", "tramadol", BEFORE, BEFORE, "none", True),
        ("P1", "duloxetine", BEFORE, AFTER, "good", True),
        ("P1", "pregabalin", AFTER, None, "good", False),
        ("P2", "pregabalin", DAY, None, "good", False),
    )
    assert history_features(table, TREATMENTS).frame.rows() == [("P1", 2.0, 0.0, 1.0)]


def test_a_drug_taken_twice_is_one_drug_and_undated_entries_count() -> None:
    table = history(
        ("P2", "ibuprofen", None, None, "none", False),
        ("P2", "ibuprofen", None, None, "partial", False),
        ("P3", "ibuprofen", AFTER, None, "good", None),
    )
    assert history_features(table, TREATMENTS).frame.rows() == [("P2", 1.0, 1.0, 0.0), ("P3", 1.0, 1.0, None)]


def test_nothing_known_is_null_and_never_zero() -> None:
    part = history_features(history(("P1", "tramadol", None, None, None, None)))
    assert part.frame.rows() == [("P1", 1.0, None, None)]
    assert [entry.modality for entry in part.features] == ["clinical"] * 3
