"""Dials and molecules: value, place, published band or reference with its source, and what was not measured."""

from __future__ import annotations

import pytest

from nociomics.knowledge.dial import load_dials
from nociomics.knowledge.instrument import load_instruments
from nociomics.report.dials import band_of, dials_view
from nociomics.report.molecules import molecules_view
from nociomics.report.pages import patient_profile
from tests.report import demo
from tests.report.html_page import Page

_ANALYTE = {"modality": "biomarkers", "kind": "numeric", "measured_at": "baseline"}


def _dial(feature: str, value: float, **dates: str):
    return dials_view({feature: value}, {feature: 61.6}, {feature: "baseline"}, dates)


def _molecule(feature: str, unit: str, values: dict, description: str = "", group: str = "g", **dates: str):
    row = _ANALYTE | {"feature": feature, "unit": unit, "description": description, "group": group}
    return molecules_view([row], values, {feature: 40.0}, dates)


def test_every_row_names_a_scale_that_there_is_and_a_dial_that_its_instrument_names() -> None:
    for row in load_dials():
        assert row.scale in load_instruments()[row.instrument].scales, row
        assert row.board in load_instruments()[row.instrument].dials, row
        assert row.source
    assert {row.dial for row in load_dials()} == {
        "signal", "catastrophising", "mood", "acceptance", "meaning", "social", "sleep",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("feature", "value", "band", "source"),
    [
        ("bpi_severity", 6.25, "moderate", "ePPOC"),
        ("bpi_severity", 0.0, "none", "ePPOC"),
        ("bpi_interference", 6.0, "", ""),
        ("pcs_total", 30.0, "clinically relevant (75th percentile): 30 or more", "Rehabilitation Measures Database"),
        ("pcs_total", 29.0, "short of 30 or more (clinically relevant (75th percentile))", "Rehabilitation"),
        ("isi_total", 14.5, "moderate", "Morin 2011"),
        ("psqi_global", 5.0, "short of more than 5 (poor sleeper)", "jksaa"),
        ("dn4_total", 4.0, "neuropathic pain likely: 4 or more", "general knowledge"),
    ],
)
def test_a_score_has_its_published_band_and_source(feature: str, value: float, band: str, source: str) -> None:
    row = _dial(feature, value).rows[0]
    assert row.band == band and source in row.source
    assert row.percentile == "62"


def test_bands_are_those_that_scoring_gives() -> None:
    import polars as pl

    from nociomics.harmonise.scale_expressions import band

    for instrument in load_instruments().values():
        for scale in instrument.scales.values():
            if not scale.bands:
                continue
            steps = [scale.low + (scale.high - scale.low) * step / 83 for step in range(84)]
            told = pl.DataFrame({"score": steps}).select(band(scale, pl.col("score"))).to_series().to_list()
            assert [band_of(scale, value) for value in steps] == told, (instrument.id, scale.id)


def test_the_purest_scale_that_was_measured_is_read_and_the_others_are_named_as_lacking() -> None:
    both = dials_view({"peg_peg": 7.0, "nrs_pain_intensity": 6.0}, {}, {}, {})
    assert [row.instrument for row in both.rows] == ["NRS-11"]
    assert both.rows[0].percentile == ""
    assert both.absent == [
        "signal: pain interference", "signal: neuropathic signs", "catastrophising", "mood: depression",
        "mood: anxiety", "acceptance", "meaning", "social", "sleep",
    ]  # fmt: skip


def test_visit_and_date_are_said_and_a_date_that_was_not_recorded_is_not_made_up() -> None:
    assert _dial("pcs_total", 12.0, pcs="2026-03-04").rows[0].measured == "baseline, 2026-03-04"
    assert _dial("pcs_total", 12.0).measured == "baseline, date not recorded"


def test_a_dial_is_drawn_with_a_name_for_those_who_do_not_see_it() -> None:
    strip = str(_dial("bpi_severity", 6.25).rows[0].strip)
    assert 'role="img"' in strip and 'aria-label="pain severity, BPI-SF: 6.2 of 0 to 10, moderate"' in strip


@pytest.mark.parametrize(
    ("values", "shown", "note", "side"),
    [
        ({"crp_mg_per_l": 3.0}, "3 mg/L", "", "within"),
        ({"crp_mg_per_l": 7.5}, "7.50 mg/L", "", "above"),
        ({"crp_mg_per_l": 0.15, "crp_below_lod": 1.0}, "<0.150 mg/L", "below the limit of detection", "within"),
        ({"crp_mg_per_l": 9.0, "crp_below_lod": 1.0}, "<9 mg/L", "below the limit of detection", "cannot tell"),
        ({"crp_mg_per_l": 3.0, "crp_above_limit": 1.0}, ">3 mg/L", "above what the test can measure", "cannot tell"),
    ],
)
def test_a_molecule_has_unit_reference_and_is_a_non_detect_when_it_is_one(
    values: dict, shown: str, note: str, side: str
) -> None:
    row = _molecule("crp_mg_per_l", "mg/L", values, "C-reactive protein, serum/plasma").rows[0]
    assert (row.value, row.note, row.side) == (shown, note, side)
    assert row.reference == "0 to 5 mg/L" and "PMC10058189" in row.source


def test_a_reference_is_converted_to_the_unit_of_the_value_and_absent_where_there_is_none() -> None:
    feature, described = "cortisol_serum_nmol_per_l", "cortisol, serum, morning, serum/plasma"
    morning = _molecule(feature, "nmol/L", {feature: 300.0}, described)
    assert morning.rows[0].reference == "138 to 690 nmol/L"  # 5 to 25 ug/dL
    assert _molecule("x_pg_per_ml", "pg/mL", {"x_pg_per_ml": 1.0}).rows[0].reference == ""


def test_what_was_not_measured_is_named_and_takes_no_row() -> None:
    found = _molecule("crp_mg_per_l", "mg/L", {"crp_mg_per_l": None}, "C-reactive protein")
    assert found.rows == [] and found.absent == ["C-reactive protein"]


def test_dates_of_samples_are_said_once_when_they_are_one() -> None:
    found = _molecule("crp_mg_per_l", "mg/L", {"crp_mg_per_l": 1.0}, group="crp", crp="2023-05-20")
    assert found.measured == "2023-05-20"
    page = Page(
        patient_profile(demo.person(dates={"CRP": "2023-05-20", "IL-6": "2023-05-20", "cortisol": "2023-05-20"}))
    )
    assert page.text("molecules").count("2023-05-20") == 1
