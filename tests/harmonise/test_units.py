"""Biomarker tables: conversion, non-detects, refusals, and units that only a whole column betrays."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from nociomics.harmonise.units import biomarkers_table, convert_biomarkers, suspect_units


def table(*rows: tuple[str, str, str], **columns: list) -> pl.DataFrame:
    names, values, units = zip(*rows, strict=True)
    ids = [f"P{place}" for place in range(len(rows))]
    return pl.DataFrame({"patient_id": ids, "analyte": names, "value": values, "unit": units, **columns})


def measured(analyte: str, values: list[float], unit: str, **columns) -> pl.DataFrame:
    rows = pl.DataFrame({"patient_id": [f"P{n}" for n in range(len(values))], "value": values})
    return rows.with_columns(
        analyte=pl.lit(analyte),
        unit=pl.lit(unit),
        below_lod=pl.lit(False),
        lod=pl.lit(None, dtype=pl.Float64),
        **{name: pl.Series(column) for name, column in columns.items()},
    )


def test_each_analyte_comes_in_its_base_unit_and_rows_keep_their_order():
    given_rows = table(
        ("IL-6", "3", "ng/L"), ("crp", "0.8", "mg/dL"), ("cortisol", "10", "µg/dL"), ("BDNF", "25000", "pg/mL")
    )
    found, findings = biomarkers_table(given_rows)
    assert found["analyte"].to_list() == ["IL-6", "crp", "cortisol", "BDNF"]
    assert found["unit"].to_list() == ["pg/mL", "mg/L", "nmol/L", "ng/mL"]
    assert found["value"].to_list() == pytest.approx([3, 8, 275.892512, 25])
    assert found["status"].to_list() == ["ok"] * 4
    assert findings == []
    assert found.columns == ["patient_id", "analyte", "value", "unit", "below_lod", "lod", "status"]


def test_a_non_detect_keeps_its_limit_and_is_never_halved():
    found, _ = biomarkers_table(table(("il6", "<0.4", "pg/mL"), ("crp", "< 0.03", "mg/dL"), ("il6", "2", "pg/mL")))
    assert found["below_lod"].to_list() == [True, True, False]
    assert found["value"].to_list() == pytest.approx([0.4, 0.3, 2.0])
    assert found["lod"].to_list() == pytest.approx([0.4, 0.3, None])


def test_a_non_detect_given_by_its_limit_alone():
    rows = measured("il6", [0.0], "ng/mL").with_columns(
        value=pl.lit(None, dtype=pl.Float64), below_lod=pl.lit(True), lod=pl.lit(0.0004)
    )
    found, _ = convert_biomarkers(rows)
    assert found.select("value", "lod").row(0) == pytest.approx((0.4, 0.4))


@pytest.mark.parametrize(
    ("row", "status"),
    [
        (("crp", "0.8", ""), "rejected: no unit"),
        (("crp", "5", "nmol/L"), "rejected: unit unknown for crp; known: mg/L"),
        (("il6", "5", "pg/dL"), "rejected: unit unknown for il6; known: pg/mL"),
        (("il6", "50", "IU/mL"), "rejected: international units need the WHO standard (WHO 89/548)"),
        (("unobtainium", "5", "pg/mL"), "rejected: unknown analyte"),
        (("il6", "much", "pg/mL"), "rejected: the value is not a number"),
    ],
)
def test_what_is_refused_says_why_and_has_no_value(row, status):
    found, findings = biomarkers_table(table(row))
    assert found["status"][0].startswith(status)
    assert found["value"][0] is None
    assert [(finding.severity, finding.count) for finding in findings] == [("fatal", 1)]
    assert "much" not in findings[0].message


def test_international_units_with_their_standard_and_a_wanted_unit():
    rows = table(
        ("il6", "50", "IU/mL"), ("crp", "3", "mg/L"), standard=["WHO 89/548", None], target_unit=["pg/mL", "mg/dL"]
    )
    found, _ = biomarkers_table(rows)
    assert found["value"].to_list() == pytest.approx([500, 0.3])
    assert found["unit"].to_list() == ["pg/mL", "mg/dL"]


def test_the_specimen_decides_what_bdnf_is():
    rows = measured("bdnf", [20.0, 2.0], "ng/mL", specimen=["serum", "EDTA plasma"])
    assert convert_biomarkers(rows)[0]["analyte"].to_list() == ["bdnf_serum", "bdnf_plasma"]


def test_an_impossible_value_is_named_and_kept():
    found, findings = biomarkers_table(table(("cortisol", "400", "ug/dL")))
    assert found["status"][0].startswith("implausible")
    assert found["value"][0] == pytest.approx(11035.7, abs=0.1)
    assert findings[0].severity == "warning"


def test_an_empty_value_is_missing():
    found, findings = biomarkers_table(table(("il6", "", "pg/mL")))
    assert (found["value"][0], found["status"][0], findings) == (None, "missing: no value", [])


@given(st.lists(st.floats(0.1, 400), min_size=1, max_size=8), st.sampled_from(["mg/dL", "ug/mL", "ng/mL"]))
def test_the_unit_of_entry_never_changes_a_result(values, unit):
    base = measured("crp", values, "mg/L")
    entered, _ = convert_biomarkers(base, unit)
    back, _ = convert_biomarkers(entered.with_columns(analyte=pl.lit("crp")))
    assert_frame_equal(back.select("value", "unit"), convert_biomarkers(base)[0].select("value", "unit"))


def crp(n: int = 200) -> np.ndarray:
    return np.exp(np.log(2.0) + 0.9 * np.random.default_rng(1).normal(size=n))


def test_a_column_in_its_unit_raises_no_suspicion():
    rows = measured("crp", crp().tolist(), "mg/L", plate=[str(n // 80) for n in range(200)])
    sites = rows.select("patient_id", site=pl.Series(np.arange(200) % 4))
    assert suspect_units(rows, sites) == []


@pytest.mark.parametrize("part", ["site", "plate"])
def test_one_site_or_plate_written_in_another_unit_is_found(part):
    place = np.arange(200) % 4
    rows = measured("crp", np.where(place == 2, crp() / 10, crp()).tolist(), "mg/L")
    if part == "plate":
        found = suspect_units(rows.with_columns(plate=pl.Series(place.astype(str))))
    else:
        found = suspect_units(rows, rows.select("patient_id", site=pl.Series(place)))
    assert [(finding.count, finding.severity) for finding in found] == [(50, "warning")]
    assert f'{part} "2"' in found[0].message
    assert "mg/dL" in found[0].message


def test_a_plate_that_is_plausible_alone_is_found_beside_the_others():
    place = np.arange(200) % 4
    rows = measured("il6", np.where(place == 1, crp() * 100, crp()).tolist(), "pg/mL", plate=place.astype(str))
    assert suspect_units(rows) == []  # no unit of IL-6 is a hundred times another
    rows = measured("il6", np.where(place == 1, crp() * 1000, crp()).tolist(), "pg/mL", plate=place.astype(str))
    found = suspect_units(rows)
    assert [(finding.count, 'plate "1"' in finding.message) for finding in found] == [(50, True)]
    assert "fg/mL" in found[0].message


def test_a_whole_column_in_another_unit_is_found():
    found = suspect_units(measured("cortisol", [350.0 + n for n in range(20)], "ug/dL"))
    assert len(found) == 1
    assert "the whole column" in found[0].message
    assert suspect_units(measured("cortisol", [350.0 + n for n in range(20)], "nmol/L")) == []


def test_a_whole_column_below_what_assays_detect_is_found():
    found = suspect_units(measured("crp", (crp() / 20).tolist(), "mg/L"))
    assert "the whole column" in found[0].message
    assert suspect_units(measured("il1b", (crp() / 40).tolist(), "pg/mL")) == []  # ultrasensitive, still plausible


def test_different_units_that_are_labelled_rightly_raise_no_suspicion():
    half = crp(100)
    rows = pl.concat([measured("crp", half.tolist(), "mg/L"), measured("crp", (half / 10).tolist(), "mg/dL")])
    rows = rows.with_columns(plate=pl.Series(["a"] * 100 + ["b"] * 100))
    assert suspect_units(rows) == []
