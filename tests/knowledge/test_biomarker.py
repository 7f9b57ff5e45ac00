"""Analytes: their names, their units, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.knowledge.biomarker import find_biomarker, load_biomarkers, normalise_unit

CASES = list(csv.DictReader((Path(__file__).parent / "biomarker_units.csv").read_text(encoding="utf-8").splitlines()))
PAIRS = [(marker.id, unit) for marker in load_biomarkers().values() for unit in marker.factors]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_published_conversions(case):
    marker = find_biomarker(case["analyte"], case["specimen"] or None)
    standard = case["standard"] or None
    base = float(case["value"]) * marker.factor(case["unit"], standard)
    assert base / marker.factor(case["expected_unit"], standard) == pytest.approx(float(case["expected"]), rel=2e-6)


@pytest.mark.parametrize(
    ("name", "specimen", "expected"),
    [
        ("TNF", None, "tnf_alpha"),
        ("tnf-alpha", None, "tnf_alpha"),
        ("TNF-α", None, "tnf_alpha"),
        ("IL-6", None, "il6"),
        ("interleukin 6", None, "il6"),
        ("IL-1β", None, "il1b"),
        ("il1beta", None, "il1b"),
        ("il-1b", None, "il1b"),
        ("IL10", None, "il10"),
        ("CRP", None, "crp"),
        ("C-reactive protein", None, "crp"),
        ("hs-CRP", None, "hscrp"),
        ("BDNF", None, "bdnf_serum"),
        ("bdnf", "EDTA plasma", "bdnf_plasma"),
        ("cortisol", None, "cortisol_serum_am"),
        ("cortisol", "saliva", "cortisol_saliva"),
        ("cortisol (hair)", None, "cortisol_hair"),
        ("cortisol", "serum, pm", "cortisol_serum_pm"),
        ("cortisol_serum_am", None, "cortisol_serum_am"),
        ("unobtainium", None, None),
    ],
)
def test_names_and_specimens(name, specimen, expected):
    found = find_biomarker(name, specimen)
    assert (found.id if found else None) == expected


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("µg/dL", "ug/dL"),
        ("μg/dl", "ug/dL"),
        ("mcg/dL", "ug/dL"),
        (" UG / DL ", "ug/dL"),
        ("PG/ML", "pg/mL"),
        ("[IU]/mL", "IU/mL"),
        ("mm/hr", "mm/h"),
        ("NMOL/L", "nmol/L"),
    ],
)
def test_spellings_of_units(text, unit):
    assert normalise_unit(text) == unit


@pytest.mark.parametrize(("analyte", "unit"), [("crp", "nmol/L"), ("il6", "pg/dL"), ("il6", "mm/h"), ("esr", "mg/L")])
def test_units_that_are_refused(analyte, unit):
    assert load_biomarkers()[analyte].factor(unit) is None


def test_international_units_need_their_standard():
    markers = load_biomarkers()
    assert markers["il6"].factor("IU/mL") is None
    assert markers["il6"].factor("IU/mL", "WHO 86/680") is None  # the standard of another cytokine
    assert markers["il6"].factor("IU/mL", "WHO 89/548") == 10
    assert markers["crp"].factor("IU/mL", "WHO 89/548") is None


@given(st.sampled_from(PAIRS), st.floats(1e-6, 1e6))
def test_converting_there_and_back_changes_nothing(pair, value):
    marker = load_biomarkers()[pair[0]]
    assert value * marker.factor(pair[1]) / marker.factor(pair[1]) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("analyte", "feature"),
    [
        ("tnf_alpha", "tnf_alpha_pg_per_ml"),
        ("il6", "il6_pg_per_ml"),
        ("crp", "crp_mg_per_l"),
        ("bdnf_serum", "bdnf_ng_per_ml"),
        ("cortisol_serum_am", "cortisol_nmol_per_l"),
    ],
)
def test_names_of_features(analyte, feature):
    assert load_biomarkers()[analyte].feature_name == feature


def test_every_analyte_is_usable():
    markers = load_biomarkers()
    assert len(markers) == 22
    assert len({marker.feature for marker in markers.values()}) == 22
    for marker in markers.values():
        assert marker.factor(marker.base_unit) == 1
        assert marker.plausible_low < marker.plausible_high
        assert marker.source
