"""Biomarker tables: conversion, non-detects, refusals, and units that only a whole column betrays."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from nociomics.harmonise.units import (
    OUTPUT,
    biomarkers_table,
    convert_biomarkers,
    converted_rows,
    suspect_units,
    typed_rows,
    unit_traits,
)

UNIT_CASES = Path(__file__).parents[1] / "knowledge/biomarker_units.csv"


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
        (("il6", "-2", "pg/mL"), "rejected: below zero"),
        (("cortisol", "12", "pg/mg"), "rejected: unit unknown for cortisol of no stated specimen; it fits hair"),
        (("BDNF (hair)", "12", "ng/mL"), "rejected: bdnf is known in plasma, serum, not in hair"),
        (("IL-6 (pg/mL)", "12", "ng/mL"), "rejected: the unit in the analyte's name is another one"),
    ],
)
def test_what_is_refused_says_why_and_has_no_value(row, status):
    found, findings = biomarkers_table(table(row))
    assert found["status"][0].startswith(status)
    assert found["value"][0] is None
    assert [(finding.severity, finding.count) for finding in findings] == [("warning", 1)]
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


def test_serum_plasma_and_unstated_bdnf_are_three_analytes():
    rows = measured("BDNF", [20.0, 2.0, 5.0, 5.0], "ng/mL", specimen=["sérum", "plasma EDTA", None, "whole blood"])
    assert convert_biomarkers(rows)[0]["analyte"].to_list() == ["bdnf_serum", "bdnf_plasma", "bdnf", "bdnf"]


def test_an_upper_limit_is_kept_as_one():
    found, findings = biomarkers_table(table(("crp", ">20", "mg/dL"), ("crp", ">ULOQ", "mg/L")))
    assert found["value"].to_list() == [200.0, None]
    assert found["below_lod"].to_list() == [False, False]
    assert found["status"][0].startswith("censored: above the upper limit")
    assert found["status"][1] == "missing: no value"
    assert [finding.severity for finding in findings] == ["warning"]


def test_a_value_below_its_own_limit_is_a_non_detect_unless_the_flag_says_no():
    rows = table(("il6", "0.2", "pg/mL"), ("il6", "0.2", "pg/mL"), lod=["0.4", "0.4"], below_lod=["", "no"])
    found, _ = biomarkers_table(rows)
    assert found.select("value", "below_lod").rows() == [(0.4, True), (0.2, False)]


def test_a_flag_that_is_neither_yes_nor_no_is_refused():
    found, _ = biomarkers_table(table(("il6", "2", "pg/mL"), below_lod=["maybe"]))
    assert found.select("value", "status").row(0) == (None, "rejected: below_lod is neither yes nor no")


def test_a_name_may_bring_its_unit_and_its_standard():
    found, _ = biomarkers_table(table(("IL-6 (pg/mL)", "3", ""), ("IL-6 (WHO 89/548)", "50", "[IU]/mL")))
    assert found["value"].to_list() == [3.0, 500.0]
    assert found["unit"].to_list() == ["pg/mL", "pg/mL"]


CASES = list(csv.DictReader((UNIT_CASES).read_text(encoding="utf-8").splitlines()))


def test_every_published_conversion_in_one_table():
    frame = pl.DataFrame(CASES).with_columns(patient_id=pl.lit("P"), target_unit="expected_unit")
    found, _ = biomarkers_table(frame)
    assert found["status"].to_list() == ["ok"] * len(CASES)
    assert found["value"].to_list() == pytest.approx([float(case["expected"]) for case in CASES], rel=2e-6)


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
    assert "the whole column" in found[0].message and "in nmol/L" in found[0].message
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


def test_half_of_a_column_is_no_sign_yet():
    values = [400.0] * 10 + [15.0] * 10
    assert suspect_units(measured("cortisol", values, "ug/dL")) == []


def test_crp_written_in_a_tenth_at_one_site_is_found_by_the_table_too():
    place = np.arange(200) % 4
    rows = measured("crp", np.where(place == 3, crp() / 10, crp()).tolist(), "mg/L", site=place)
    _, findings = biomarkers_table(rows)
    assert [('site "3"' in finding.message, finding.count) for finding in findings if finding.column == "unit"] == [
        (True, 50)
    ]


def in_memory_nodes(rows: pl.LazyFrame) -> int:
    """Nodes of the physical plan that leave the streaming engine; one more of that colour stands in the legend."""
    graph = rows.show_graph(engine="streaming", plan_stage="physical", raw_output=True, show=False)
    assert graph is not None
    return graph.count("0.0 0.3 1.0") - 1


def test_no_part_of_the_conversion_leaves_the_streaming_engine(tmp_path):
    rows = [("il6", "<3", "ng/L"), ("crp", "0.8", "mg/dL")] * 50
    table(*rows, lod=["0.1"] * 100, specimen=["serum"] * 100, plate=["a"] * 100).write_parquet(tmp_path / "t.parquet")
    raw = typed_rows(pl.scan_parquet(tmp_path / "t.parquet"))
    traits = unit_traits(raw)
    assert in_memory_nodes(converted_rows(raw, traits, keep_names=True).select(OUTPUT)) == 0
    assert in_memory_nodes(pl.scan_parquet(tmp_path / "t.parquet").group_by("unit").agg(pl.col("value").sort())) > 0


@given(st.permutations(range(6)))
def test_the_order_of_rows_changes_no_row(order):
    rows = table(*[("il6", str(n), unit) for n, unit in enumerate(["pg/mL", "ng/mL", "ng/L", "", "xx", "pmol/L"])])
    found, _ = biomarkers_table(rows)
    assert_frame_equal(biomarkers_table(rows[list(order)])[0], found[list(order)])
