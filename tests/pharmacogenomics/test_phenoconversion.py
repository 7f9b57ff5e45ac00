"""Inhibitors stand beside the genetic result, and nothing is claimed that a list does not say."""

from __future__ import annotations

import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pharmacogenomics.people import diplotype_rows, person

from nociomics.knowledge.enzyme_inhibitor import load_inhibitors
from nociomics.pharmacogenomics.calling import CALL_SCHEMA, call_pharmacogenes
from nociomics.pharmacogenomics.phenoconversion import (
    INHIBITOR_SCHEMA,
    as_listed,
    count_medications,
    current_medications,
    with_inhibitors,
)
from nociomics.pharmacogenomics.phenotype import read_score, score_phenotype
from nociomics.pharmacogenomics.recommendation import recommend_drugs

Row = dict[str, object]


def listed(*drugs: str, patient: str = "P1") -> pl.DataFrame:
    """A medication list of one person, without dates."""
    return pl.DataFrame(
        {"patient_id": [patient] * len(drugs), "drug": list(drugs)}, schema_overrides={"drug": pl.String}
    )


def called(diplotype: str | None, *drugs: str) -> pl.DataFrame:
    calls = call_pharmacogenes(None, diplotype_rows(CYP2D6=diplotype), ["P1"])
    return with_inhibitors(calls, current_medications(listed(*drugs)))


def cyp2d6(calls: pl.DataFrame) -> Row:
    return calls.row(by_predicate=pl.col("gene") == "CYP2D6", named=True)


def advice(calls: pl.DataFrame, drug: str, indication: str | None = None) -> Row:
    return recommend_drugs(calls, indication, [drug]).row(0, named=True)


# CYP2D6 | medications | inhibitors | score with them | phenotype with them
SPEC = """
*1/*1             | paroxetine              | paroxetine            | 0.0       | Poor Metabolizer
*1x2/*1           | Bupropion XL 150 mg     | bupropion             | 0.0       | Poor Metabolizer
*1x≥3/*1          | Chinidin                | quinidine             | 0.0       | Poor Metabolizer
*1/*1             | PROZAC 20mg             | fluoxetine            | 0.0       | Poor Metabolizer
*1/*1             | N06AB05                 | paroxetine            | 0.0       | Poor Metabolizer
*1/*1             | naltrexone/bupropion    | bupropion             | 0.0       | Poor Metabolizer
*1/*1             | Duloxetine 60 mg        | duloxetine            | 1.0       | Intermediate Metabolizer
*1x2/*1           | duloxetine              | duloxetine            | 1.5       | Normal Metabolizer
*1x≥3/*1          | duloxetine              | duloxetine            | ≥2.0      | Indeterminate
*4/*4             | duloxetine              | duloxetine            | 0.0       | Poor Metabolizer
*1/*41            | mirabegron;cinacalcet   | cinacalcet;mirabegron | 0.625     | Intermediate Metabolizer
*1/*1             | duloxetine;fluoxetine   | fluoxetine;duloxetine | 0.0       | Poor Metabolizer
*1/*4             | paroxetine;paroxetine   | paroxetine            | 0.0       | Poor Metabolizer
*1/*999           | fluoxetine              | fluoxetine            | n/a       | Indeterminate
*1/*1;*1/*999     | fluoxetine              | fluoxetine            | 0.0;n/a   | Indeterminate;Poor Metabolizer
*1/*1;*4/*4       | duloxetine              | duloxetine         | 0.0;1.0   | Intermediate Metabolizer;Poor Metabolizer
(*1/*1 or *4)     | fluoxetine              | fluoxetine            | -         | -
-                 | fluoxetine              | fluoxetine            | -         | -
*1/*1             | fluvoxamine;ibuprofen   | -                     | -         | -
*1/*1             | none                    | -                     | -         | -
*1/*1             | paroxetinol             | -                     | -         | -
"""
ROWS = [[part.strip() for part in line.split(" | ")] for line in SPEC.strip().splitlines()]


@pytest.mark.parametrize(("diplotype", "drugs", "inhibitors", "score", "phenotype"), ROWS)
def test_spec(diplotype: str, drugs: str, inhibitors: str, score: str, phenotype: str) -> None:
    told = None if diplotype == "-" else diplotype.replace(";", "|")
    row = cyp2d6(called(told, *drugs.split(";")))
    expected = [None if text == "-" else text.replace(";", "|") for text in (inhibitors, score, phenotype)]
    names = ("inhibitors", "activity_score_with_inhibitors", "phenotype_with_inhibitors")
    assert [row[name] for name in names] == expected
    assert (row["inhibitor_source"] is not None) == (inhibitors != "-")
    assert row["medication_state"] == "read"


def test_the_genetic_result_stays_as_it_is() -> None:
    calls = call_pharmacogenes(None, diplotype_rows(CYP2D6="*1/*4", CYP2C19="*1/*2"), ["P1", "P2"])
    beside = with_inhibitors(calls, current_medications(listed("paroxetine")))
    assert beside.select(list(CALL_SCHEMA)).equals(calls)
    assert beside.columns == [*CALL_SCHEMA, *INHIBITOR_SCHEMA]
    others = beside.filter(pl.col("gene") != "CYP2D6")
    assert others.select(list(INHIBITOR_SCHEMA)).null_count().row(0) == (others.height,) * len(INHIBITOR_SCHEMA)
    genetic, shown = recommend_drugs(calls), recommend_drugs(beside)
    with_ = ["category_with_inhibitors", "text_with_inhibitors"]
    assert shown.drop(with_).equals(genetic.drop(with_))
    assert genetic.select(with_).null_count().row(0) == (genetic.height,) * 2


def test_no_list_is_not_no_inhibitor() -> None:
    calls = call_pharmacogenes(None, diplotype_rows(CYP2D6="*1/*1"), ["P1", "P2"])
    none = with_inhibitors(calls, None).filter(gene="CYP2D6")
    assert none["medication_state"].to_list() == ["not_given"] * 2
    some = with_inhibitors(calls, current_medications(listed("ibuprofen", patient="P2"))).filter(gene="CYP2D6")
    assert dict(some.select("sample", "medication_state").iter_rows()) == {"P1": "not_listed", "P2": "read"}


DAY = datetime.date(2026, 3, 1)
# start | end | at the day | without a day
DATES = [
    ("2026-01-01", None, True, True),
    ("2026-01-01", "2026-03-01", True, None),
    ("2026-01-01", "2026-02-28", False, None),
    ("2026-03-01", None, True, True),
    ("2026-03-02", None, False, True),
    (None, "2026-02-01", False, None),
    (None, "2026-04-01", None, None),
    (None, None, None, None),
]


@pytest.mark.parametrize("kind", [pl.String, pl.Date, pl.Datetime("us")])
@pytest.mark.parametrize(("start", "end", "at_the_day", "without"), DATES)
def test_dates(start: str | None, end: str | None, at_the_day: object, without: object, kind: pl.DataType) -> None:
    text = pl.DataFrame(
        {"started_at": [start], "stopped_at": [end]},
        schema_overrides=dict.fromkeys(("started_at", "stopped_at"), pl.String),
    )
    dates = text if kind == pl.String else text.with_columns(pl.all().str.to_datetime("%Y-%m-%d").cast(kind))
    rows = listed("paroxetine").hstack(dates)
    reference = pl.DataFrame({"patient_id": ["P1"], "started_at": [DAY]})
    assert current_medications(rows, reference)["is_current"].to_list() == [at_the_day]
    assert current_medications(rows)["is_current"].to_list() == [without]


def test_open_dates_are_not_counted_and_are_said() -> None:
    calls = call_pharmacogenes(None, diplotype_rows(CYP2D6="*1/*1"), ["P1"])
    nulls = pl.lit(None, dtype=pl.String)
    rows = listed("paroxetine", "ibuprofen").with_columns(started_at=nulls, stopped_at=nulls)
    row = cyp2d6(with_inhibitors(calls, current_medications(rows)))
    assert (row["medication_state"], row["inhibitors"]) == ("unclear", None)
    harmless = current_medications(rows.filter(drug="ibuprofen"))
    assert cyp2d6(with_inhibitors(calls, harmless))["medication_state"] == "read", "no inhibitor is in doubt"


def test_a_list_with_an_end_alone_goes_on_where_the_end_is_empty() -> None:
    rows = listed("paroxetine", "paroxetine").with_columns(stopped_at=pl.Series([None, "2025-01-01"]))
    assert current_medications(rows)["is_current"].to_list() == [True, None]


@pytest.mark.parametrize(
    "entry", ["duloxetine (stopped 2019)", "paroxetine: allergy", "Terbinafine cream", "no fluoxetine"]
)
def test_an_entry_that_says_more_than_a_drug_is_in_doubt(entry: str) -> None:
    row = cyp2d6(called("*1/*1", entry))
    assert (row["medication_state"], row["inhibitors"]) == ("unclear", None)


def test_what_is_put_on_the_skin_does_not_count() -> None:
    rows = listed("terbinafine", "terbinafine").with_columns(route=pl.Series(["Topical", "oral"]))
    assert current_medications(rows)["is_current"].to_list() == [False, True]


def test_unknown_drugs_are_counted() -> None:
    counts = count_medications(
        current_medications(listed("Lisinopril 10 mg", "lisinopril 10 mg", "codeine", "none", "Paxil"))
    )
    assert (counts.rows, counts.inhibitors, counts.unclear) == (5, 1, 0)
    assert (counts.unknown, counts.unknown_names) == (2, 1)


def test_advice_under_an_inhibitor_stands_beside_the_genetic_one() -> None:
    got = advice(called("*1/*1", "paroxetine"), "codeine")
    assert (got["category"], got["category_with_inhibitors"]) == ("USE_LABEL", "AVOID")
    assert "While paroxetine is taken" in str(got["text_with_inhibitors"])
    assert "score is taken as 0." in str(got["text_with_inhibitors"])
    ultrarapid = advice(called("*1x2/*1", "duloxetine"), "codeine")
    assert (ultrarapid["category"], ultrarapid["category_with_inhibitors"]) == ("AVOID", "USE_LABEL")


def test_an_inhibitor_is_not_counted_for_its_own_advice() -> None:
    own = advice(called("*1/*1", "paroxetine"), "paroxetine")
    assert (own["category_with_inhibitors"], own["text_with_inhibitors"]) == (None, None)
    other = advice(called("*1/*1", "paroxetine", "fluoxetine"), "paroxetine")
    assert (other["category"], other["category_with_inhibitors"]) == ("USE_LABEL", "REDUCE_50")
    assert "paroxetine is taken" not in str(other["text_with_inhibitors"])


@pytest.mark.parametrize("diplotype", ["*1/*999", "(*1/*4)", None])
def test_a_score_that_is_no_number_is_not_made_one(diplotype: str | None) -> None:
    got = advice(called(diplotype, "fluoxetine"), "codeine")
    assert got["category_with_inhibitors"] is None
    assert "not known as a number" in str(got["text_with_inhibitors"])


def test_a_halved_score_between_two_listed_ones_gets_the_weaker_of_their_advice() -> None:
    got = advice(called("*1/*41", "duloxetine"), "nortriptyline")
    assert got["category_with_inhibitors"] == "REDUCE_25"


def test_a_blocked_enzyme_needs_no_count_of_copies() -> None:
    calls = call_pharmacogenes(person(["CYP2D6"]), None, ["P1"])
    strong = advice(with_inhibitors(calls, current_medications(listed("paroxetine"))), "codeine")
    assert (strong["category_with_inhibitors"], "copies" in str(strong["text_with_inhibitors"])) == ("AVOID", False)
    moderate = advice(with_inhibitors(calls, current_medications(listed("duloxetine"))), "codeine")
    assert "copies were not counted" in str(moderate["text_with_inhibitors"])


def test_two_gene_and_low_dose_advice_follow_the_inhibitor() -> None:
    calls = call_pharmacogenes(None, diplotype_rows(CYP2D6="*1/*1", CYP2C19="*1/*1"), ["P1"])
    beside = with_inhibitors(calls, current_medications(listed("bupropion")))
    assert advice(beside, "amitriptyline")["category_with_inhibitors"] == "AVOID_OR_REDUCE_50"
    low = advice(beside, "amitriptyline", "neuropathic_pain")
    assert (low["category"], low["category_with_inhibitors"]) == ("USE_LABEL", "USE_LABEL_MONITOR")
    assert advice(beside, "celecoxib")["text_with_inhibitors"] is None


def test_every_inhibitor_has_an_effect_a_name_of_its_own_and_sources() -> None:
    rows = load_inhibitors()
    assert {(one.strength, one.multiplier) for one in rows} == {("strong", 0.0), ("moderate", 0.5)}
    names = [name for one in rows for name in (one.drug, one.atc, *one.synonyms)]
    assert len(names) == len(set(names))
    assert all(one.source and one.multiplier_source and one.evidence for one in rows)
    strong = {one.drug for one in rows if one.strength == "strong"}
    assert {"paroxetine", "fluoxetine", "bupropion", "quinidine"} <= strong


@given(st.integers(1, 24), st.sampled_from([one.drug for one in load_inhibitors()]))
def test_an_inhibitor_never_raises_a_score(quarters: int, drug: str) -> None:
    value = quarters / 4
    (factor,) = [one.multiplier for one in load_inhibitors() if one.drug == drug]
    near = as_listed("CYP2D6", str(value * factor))
    assert near, "the tables list a score of the same phenotype"
    for text in near:
        read = read_score(text)
        assert read is not None
        assert read.value <= value
        assert abs(read.value - value * factor) < 0.25
        assert score_phenotype("CYP2D6", read) == score_phenotype("CYP2D6", read_score(str(value * factor)))
