"""Tables to FHIR to tables: nothing is lost but what FHIR cannot hold, whatever the values."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from nociomics.fhir.content import read_content
from nociomics.fhir.incoming import tables_of
from nociomics.fhir.listing import Listing
from nociomics.fhir.outgoing import bundle, resources_of, to_json
from nociomics.fhir.validation import require_valid
from nociomics.knowledge.biomarker import load_biomarkers
from nociomics.knowledge.instrument import load_instruments
from nociomics.pharmacogenomics.assessment import call_with_medications
from tests.conftest import examples

_PEOPLE = st.lists(st.from_regex(r"[A-Za-z0-9.-]{1,20}", fullmatch=True), min_size=1, max_size=4, unique=True)
_AMOUNT = st.decimals("0.001", "4000", places=3).map(str)
_DAY = st.dates(min_value=date(1950, 1, 1)).map(str)
_ANALYTES = sorted(name for name, one in load_biomarkers().items() if one.quantity == "concentration")


@st.composite
def _tables(draw: st.DrawFn) -> dict[str, pl.DataFrame]:
    people = draw(_PEOPLE)
    sexes = [draw(st.sampled_from(["F", "M", "other", None])) for _ in people]
    one = st.sampled_from(people)
    biomarkers = [_measured(draw, draw(one)) for _ in range(draw(st.integers(1, 5)))]
    items = list(load_instruments()["pcs"].items)
    answers = [
        (person, "baseline", "pcs", item, str(draw(st.integers(0, 4))), "2026-01-05")
        for person in people
        for item in draw(st.lists(st.sampled_from(items), min_size=1, max_size=4, unique=True))
    ]
    scores = [(person, "baseline", "phq_9", "total", str(draw(st.integers(0, 27)))) for person in people]
    pairs = [(person, "CYP2D6", draw(st.sampled_from(["*1/*4", "*1x2/*2", "*4/*41"]))) for person in people]
    drugs = [
        (draw(one), draw(st.sampled_from(["codeine", "duloxetine"])), draw(_AMOUNT), "mg", draw(_DAY), None)
        for _ in range(draw(st.integers(1, 3)))
    ]
    return {
        "patients": _frame(["patient_id", "sex"], list(zip(people, sexes, strict=True))),
        "biomarkers": _frame(_MEASURED, biomarkers),
        "questionnaires": _frame(["patient_id", "visit", "instrument", "item", "response", "answered_at"], answers),
        "scores": _frame(["patient_id", "visit", "instrument", "scale", "score"], scores),
        "diplotypes": _frame(["patient_id", "gene", "diplotype"], pairs),
        "treatment_history": _frame(["patient_id", "drug", "dose", "dose_unit", "started_at", "stopped_at"], drugs),
    }


_MEASURED = ["patient_id", "analyte", "value", "unit", "below_lod", "lod", "specimen", "collected_at"]


def _measured(draw: st.DrawFn, person: str) -> tuple[str | None, ...]:
    amount, kind = draw(_AMOUNT), draw(st.sampled_from("=<>"))
    value, below, lod = {"=": (amount, "no", None), "<": (amount, "yes", amount), ">": (f">{amount}", "no", None)}[kind]
    unit = draw(st.sampled_from(["mg/L", "pg/mL", "ng/mL"]))
    return person, draw(st.sampled_from(_ANALYTES)), value, unit, below, lod, None, draw(_DAY)


def _frame(columns: list[str], rows: list[tuple[str | None, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


@given(_tables())
@settings(max_examples=examples(25))
def test_tables_come_back_as_they_went(tables: dict[str, pl.DataFrame]) -> None:
    made = bundle(resources_of(tables))
    listing = Listing()
    found = tables_of(read_content(to_json(made), listing), listing)
    assert found.listing.is_empty()
    assert found.tables["patients"].select("patient_id", "sex").equals(tables["patients"])
    for name in set(tables) - {"patients"}:
        assert found.tables[name].rows() == tables[name].rows(), name


@given(_tables())
@settings(max_examples=examples(5))
def test_what_is_written_is_valid(tables: dict[str, pl.DataFrame]) -> None:
    require_valid(json.loads(to_json(bundle(resources_of(tables), "2026-01-05T10:00:00Z"))))


def test_a_diplotype_that_came_as_fhir_is_called_like_any_other() -> None:
    tables = {
        "patients": _frame(["patient_id", "sex"], [("P1", "F")]),
        "diplotypes": _frame(["patient_id", "gene", "diplotype"], [("P1", "CYP2D6", "*4/*4")]),
    }
    listing = Listing()
    found = tables_of(read_content(to_json(bundle(resources_of(tables))), listing), listing)
    calls = call_with_medications(None, found.tables["diplotypes"], ["P1"])
    assert calls.filter(gene="CYP2D6")["phenotype"].to_list() == ["Poor Metabolizer"]
