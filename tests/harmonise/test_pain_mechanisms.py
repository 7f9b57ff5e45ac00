"""Published rules for kinds of pain, person by person."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.harmonise.pain_mechanisms import pain_mechanisms
from nociomics.tables.results import PAIN_MECHANISMS

# dn4 | interview | painDETECT | CSI | CRP -> neuropathic | nociplastic | inflammatory | mixed
SPEC = """
4 | - | -  | -  | -   -> likely       | not measured | not measured | not measured
3 | - | -  | -  | -   -> unlikely     | not measured | not measured | not measured
- | 3 | -  | -  | -   -> likely       | not measured | not measured | not measured
3 | 3 | -  | -  | -   -> unlikely     | not measured | not measured | not measured
- | - | 19 | -  | -   -> likely       | not measured | not measured | not measured
- | - | 18 | -  | -   -> possible     | not measured | not measured | not measured
- | - | 13 | -  | -   -> possible     | not measured | not measured | not measured
- | - | 12 | -  | -   -> unlikely     | not measured | not measured | not measured
5 | - | 12 | -  | -   -> possible     | not measured | not measured | not measured
5 | - | 20 | -  | -   -> likely       | not measured | not measured | not measured
2 | - | 15 | -  | -   -> possible     | not measured | not measured | not measured
- | - | -  | 40 | -   -> not measured | possible     | not measured | not measured
- | - | -  | 39 | -   -> not measured | unlikely     | not measured | not measured
- | - | -  | -  | 5   -> not measured | not measured | not shown    | not measured
- | - | -  | -  | 5.1 -> not measured | not measured | possible     | not measured
5 | - | -  | 45 | -   -> likely       | possible     | not measured | possible
5 | - | -  | 20 | -   -> likely       | unlikely     | not measured | unlikely
5 | - | -  | -  | 2   -> likely       | not measured | not shown    | not shown
1 | - | -  | 20 | 2   -> unlikely     | unlikely     | not shown    | unlikely
1 | - | -  | 50 | 12  -> unlikely     | possible     | possible     | possible
- | - | -  | -  | -   -> not measured | not measured | not measured | not measured
"""
COLUMNS = ("dn4_total", "dn4_interview", "paindetect_total", "csi_total", "crp_mg_per_l")
MECHANISMS = ("neuropathic", "nociplastic", "inflammatory", "mixed")


def features(*cells: str) -> pl.DataFrame:
    """One person with these values; - is not measured."""
    values = {name: [None if cell == "-" else float(cell)] for name, cell in zip(COLUMNS, cells, strict=True)}
    return pl.DataFrame({"patient_id": ["p"], **values}, schema_overrides=dict.fromkeys(COLUMNS, pl.Float64))


def together(people: pl.DataFrame) -> dict[str, str]:
    """Mechanism to evidence of the only person."""
    rows = pain_mechanisms(people).filter(rule="together")
    return dict(rows.select("mechanism", "evidence").iter_rows())


@pytest.mark.parametrize("line", SPEC.strip().splitlines())
def test_spec(line: str) -> None:
    left, right = (part.split("|") for part in line.split("->"))
    found = together(features(*(cell.strip() for cell in left)))
    assert [found[name] for name in MECHANISMS] == [word.strip() for word in right]


def test_a_study_without_any_instrument_has_measured_nothing() -> None:
    rows = PAIN_MECHANISMS.check(pain_mechanisms(pl.DataFrame({"patient_id": ["a", "b"], "age": [40.0, 50.0]})))
    assert rows.height == 2 * len(MECHANISMS)
    assert set(rows["evidence"]) == {"not measured"}


def test_nobody_gives_an_empty_table() -> None:
    assert PAIN_MECHANISMS.check(pain_mechanisms(features(*"-----").clear())).is_empty()


def test_a_non_detect_never_raises_a_suspicion() -> None:
    """The assay could only say "below 8 mg/L"; the value that stands there is its limit."""
    person = features("-", "-", "-", "-", "8").with_columns(crp_below_lod=pl.lit(1.0))
    assert together(person)["inflammatory"] == "not shown"
    assert together(person.with_columns(crp_below_lod=pl.lit(0.0)))["inflammatory"] == "possible"


def test_the_sensitive_crp_speaks_only_where_there_is_no_other() -> None:
    person = features("-", "-", "-", "-", "9").with_columns(hscrp_mg_per_l=pl.lit(1.0))
    rows = pain_mechanisms(person).filter(mechanism="inflammatory")
    assert rows["rule"].to_list() == ["crp", "together"]
    alone = pain_mechanisms(person.drop("crp_mg_per_l")).filter(mechanism="inflammatory")
    assert alone["rule"].to_list() == ["hscrp", "together"]


def test_every_row_names_its_rule_and_source() -> None:
    rows = PAIN_MECHANISMS.check(pain_mechanisms(features("5", "4", "14", "41", "7")))
    single = rows.filter(pl.col("rule") != "together")
    assert single["value"].null_count() == 0
    assert (single["source"].str.contains(r"\((checked|general|project_default)\)$")).all()


_SCORES = st.fixed_dictionaries(
    {
        "dn4_total": st.none() | st.integers(0, 10),
        "paindetect_total": st.none() | st.integers(-1, 38),
        "csi_total": st.none() | st.integers(0, 100),
        "crp_mg_per_l": st.none() | st.floats(0, 300),
    }
)


@given(st.lists(_SCORES, min_size=1, max_size=8))
def test_a_person_is_judged_alike_whoever_else_is_there(people: list[dict[str, float | None]]) -> None:
    schema = {"patient_id": pl.String, **dict.fromkeys(people[0], pl.Float64)}
    rows = [
        {"patient_id": f"p{number}", **{name: None if value is None else float(value) for name, value in one.items()}}
        for number, one in enumerate(people)
    ]
    everybody = PAIN_MECHANISMS.check(pain_mechanisms(pl.DataFrame(rows, schema=schema)))
    alone = pain_mechanisms(pl.DataFrame(rows[-1:], schema=schema))
    assert everybody.filter(patient_id=rows[-1]["patient_id"]).equals(alone)
