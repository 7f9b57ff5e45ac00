"""Analytes: their names, their units, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.knowledge.biomarker import find_biomarker, load_biomarkers, meaning_of
from nociomics.knowledge.unit import normalise_unit
from tests.conftest import shared

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
        ("BDNF", None, "bdnf"),
        ("BDNF", "serum", "bdnf_serum"),
        ("BDNF", "sérum", "bdnf_serum"),
        ("BDNF", "plasma EDTA", "bdnf_plasma"),
        ("BDNF", "whole blood", "bdnf"),
        ("BDNF", "tube 7", "bdnf"),
        ("BDNF", "hair", None),
        ("bdnf_serum", "EDTA plasma", None),
        ("IL-6", "citrate plasma", "il6"),
        ("IL-6", "saliva", None),
        ("26881-3", None, "il6"),
        ("LOINC 2142-8", None, "cortisol_saliva"),
        ("CRP (hs)", None, "hscrp"),
        ("il6_pg_per_ml", None, "il6"),
        ("IL.6..pg.mL.", None, "il6"),
        ("cortisol_serum_nmol_per_l", None, "cortisol_serum_am"),
        ("Cortisol saliva [nmol/L]", None, "cortisol_saliva"),
        ("il6 (WHO 89/548, 100000 IU per ug)", None, "il6"),
        ("bdnf", "EDTA plasma", "bdnf_plasma"),
        ("cortisol", None, "cortisol"),
        ("cortisol", "serum", "cortisol_serum_am"),
        ("cortisol", "Speichel", "cortisol_saliva"),
        ("cortisol pm", None, "cortisol_serum_pm"),
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
        ("pg mL-1", "pg/mL"),
        ("ng·mL⁻¹", "ng/mL"),
        ("pg per mL", "pg/mL"),
        ("m[IU]/mL", "mIU/mL"),
        ("mg/100mL", "mg/dL"),
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
        ("bdnf", "bdnf_ng_per_ml"),
        ("bdnf_serum", "bdnf_serum_ng_per_ml"),
        ("bdnf_plasma", "bdnf_plasma_ng_per_ml"),
        ("cortisol", "cortisol_nmol_per_l"),
        ("cortisol_serum_am", "cortisol_serum_nmol_per_l"),
        ("cortisol_saliva", "cortisol_saliva_nmol_per_l"),
        ("cortisol_hair", "cortisol_hair_pg_per_mg"),
    ],
)
def test_names_of_features(analyte, feature):
    assert load_biomarkers()[analyte].feature_name == feature


def test_every_analyte_is_usable():
    markers = load_biomarkers()
    assert len(markers) == 24  # the 22 of the literature, and BDNF and cortisol of no stated specimen
    assert len({marker.feature for marker in markers.values()}) == 24
    for marker in markers.values():
        assert marker.factor(marker.base_unit) == 1
        assert marker.plausible_low < marker.plausible_high
        assert marker.source


@pytest.mark.parametrize(
    ("name", "unit", "standard"),
    [
        ("IL-6 (pg/mL)", "pg/mL", None),
        ("TNF_alpha_pmol_L", "pmol/L", None),
        ("crp mg/dL", "mg/dL", None),
        ("cortisol (saliva) µg/dL", "ug/dL", None),
        ("esr_mm_per_h", "mm/h", None),
        ("il6 (WHO 89/548)", None, "89/548"),
        ("il6", None, None),
    ],
)
def test_a_name_may_hold_its_unit_or_its_standard(name, unit, standard):
    found = meaning_of(name)
    assert (found.unit, found.standard) == (unit, standard)
    assert found.marker is not None


def test_a_contradiction_and_a_wrong_specimen_say_why():
    assert meaning_of("bdnf_serum", "plasma").problem == "bdnf_serum is known in serum, not in plasma"
    assert (
        meaning_of("cortisol", "urine").problem
        == "cortisol is known in blood, hair, plasma, saliva, serum, not in urine"
    )
    assert not meaning_of("bdnf").specimen_known
    assert meaning_of("bdnf", "serum").specimen_known
    assert meaning_of("il6").specimen_known


@given(st.sampled_from([marker.feature_name for marker in load_biomarkers().values()]))
def test_the_name_of_every_feature_is_understood(feature):
    found = meaning_of(feature)
    assert found.marker is not None and found.marker.feature_name == feature


def test_the_literature_rows_agree():
    """Codes, units and conversions as in the developers' table, entered there by another hand."""
    rows = list(csv.DictReader(shared("knowledge/biomarkers.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 22
    for row in rows:
        marker = load_biomarkers()[row["id"]]
        codes = row["loinc_code"] if row["loinc_code"][:1].isdigit() else ""
        assert ";".join(marker.loinc) == codes
        if row["id"] == "cortisol_car":
            continue
        low, high = (float(row[f"plausible_{end}"]) * marker.factor(row["plausible_unit"]) for end in ("min", "max"))
        assert (marker.plausible_low, marker.plausible_high) == pytest.approx((low, high), rel=1e-4)
        if row["typical_lod"]:
            limit = float(row["typical_lod"]) * marker.factor(row["lod_unit"])
            assert marker.typical_lod == pytest.approx(limit, rel=1e-4)
        assert marker.factor(row["conventional_unit"]) is not None
        assert (marker.factor(row["si_unit"]) is None) == (row["id"] in {"crp", "hscrp"})


def test_the_unit_tests_of_the_literature():
    rows = list(csv.DictReader(shared("knowledge/biomarker_unit_tests.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 22
    for row in rows:
        found = meaning_of(row["analyte"])
        base = float(row["value"]) * found.marker.factor(row["unit"], found.standard)
        assert base / found.marker.factor(row["expected_unit"], found.standard) == pytest.approx(
            float(row["expected"]), rel=2e-6
        ), row["id"]
