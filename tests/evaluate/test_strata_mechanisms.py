"""Rule-based evidence crossed with strata."""

from __future__ import annotations

import polars as pl

from nociomics.evaluate.strata_mechanisms import mechanism_by_stratum
from nociomics.harmonise.pain_mechanisms import pain_mechanisms
from nociomics.tables.results import MECHANISM_BY_STRATUM

PEOPLE = pl.DataFrame(
    {"patient_id": list("abcde"), "dn4_total": [6.0, 7.0, 1.0, None, 5.0]}, schema_overrides={"dn4_total": pl.Float64}
)
STRATA = pl.DataFrame({"patient_id": list("abcd"), "stratum": ["S1", "S1", "S2", None]})


def test_who_is_where() -> None:
    rows = MECHANISM_BY_STRATUM.check(mechanism_by_stratum(pain_mechanisms(PEOPLE), STRATA))
    told = rows.filter(mechanism="neuropathic").select("stratum", "evidence", "people", "of_stratum", "of_everybody")
    assert told.rows() == [
        ("S1", "likely", 2, 1.0, 0.6),
        ("S2", "unlikely", 1, 1.0, 0.2),
        ("not placed", "likely", 1, 0.5, 0.6),
        ("not placed", "not measured", 1, 0.5, 0.2),
    ]


def test_everybody_is_counted_once_per_mechanism() -> None:
    rows = mechanism_by_stratum(pain_mechanisms(PEOPLE), STRATA)
    assert set(rows.group_by("mechanism").agg(pl.col("people").sum())["people"]) == {5}


def test_nobody() -> None:
    empty = mechanism_by_stratum(pain_mechanisms(PEOPLE.clear()), STRATA.clear())
    assert MECHANISM_BY_STRATUM.check(empty).is_empty()
