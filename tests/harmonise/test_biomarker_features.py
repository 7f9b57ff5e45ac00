"""What becomes of measurements that are repeated, limited, or of another specimen."""

from __future__ import annotations

import polars as pl
import pytest

from nociomics.harmonise.biomarker_features import biomarker_features
from nociomics.harmonise.units import convert_biomarkers


def converted(*rows: tuple, **columns: list) -> pl.DataFrame:
    frame = pl.DataFrame(
        list(rows),
        schema={
            "patient_id": pl.String,
            "analyte": pl.String,
            "value": pl.Float64,
            "unit": pl.String,
            "below_lod": pl.Boolean,
        },
        orient="row",
    ).with_columns(lod=pl.when("below_lod").then("value"))
    return convert_biomarkers(frame.with_columns(pl.Series(name, values) for name, values in columns.items()))[0]


def il6(*values: float, below: tuple[int, ...] = ()) -> list[tuple]:
    return [("a", "il6", value, "pg/mL", place in below) for place, value in enumerate(values)]


def messages(part) -> str:
    return " ".join(finding.message for finding in part.findings)


def test_replicates_become_their_median_before_times_do():
    rows = converted(*il6(2, 2, 8, 30), collected_at=["d1", "d1", "d1", "d2"])
    part = biomarker_features(rows)
    assert part.frame["il6_pg_per_ml"].to_list() == [16.0]  # of 2 (the median of 2, 2, 8) and 30; all four: 5
    assert "1 people and analytes were measured more than once" in messages(part)
    assert "1 samples have replicates that vary by more than 25%" in messages(part).replace("1 of 1", "1")


@pytest.mark.parametrize(("pair", "told"), [((10, 14), False), ((10, 15), True)])
def test_duplicates_that_vary_by_more_than_a_quarter_are_counted(pair, told):
    assert ("vary by more than 25%" in messages(biomarker_features(converted(*il6(*pair))))) == told


@pytest.mark.parametrize(
    ("values", "below", "expected"),
    [((0.4, 0.4, 3), (0, 1), (0.4, 1.0)), ((0.4, 3, 3), (0,), (3.0, 0.0)), ((0.4, 0.6), (0,), (0.5, 0.0))],
)
def test_a_median_of_mostly_limits_is_a_limit(values, below, expected):
    frame = biomarker_features(converted(*il6(*values, below=below))).frame
    assert frame.select("il6_pg_per_ml", "il6_below_lod").row(0) == pytest.approx(expected)


def test_specimens_are_features_of_their_own():
    rows = [("a", "BDNF", value, "ng/mL", False) for value in (20, 2, 9)]
    rows += [("a", "cortisol", 300, "nmol/L", False), ("a", "cortisol", 8, "nmol/L", False)]
    rows += [("a", "cortisol", 5, "pg/mg", False)]
    part = biomarker_features(converted(*rows, specimen=["serum", "plasma EDTA", None, "serum", "saliva", "hair"]))
    assert part.frame.row(0, named=True) == {
        "patient_id": "a",
        "bdnf_ng_per_ml": 9.0,
        "bdnf_serum_ng_per_ml": 20.0,
        "bdnf_plasma_ng_per_ml": 2.0,
        "cortisol_serum_nmol_per_l": 300.0,
        "cortisol_saliva_nmol_per_l": 8.0,
        "cortisol_hair_pg_per_mg": 5.0,
    }
    assert {entry.feature for entry in part.features} == set(part.frame.columns) - {"patient_id"}


def test_serum_and_plasma_in_one_feature_are_told():
    rows = converted(*[(who, "il8", 3, "pg/mL", False) for who in "abc"], specimen=["serum", "EDTA plasma", "serum"])
    assert "il8: 1 values in plasma stand beside values in serum" in messages(biomarker_features(rows))


def test_a_value_above_the_assay_has_a_flag():
    rows = converted(("a", "crp", 200, "mg/L", False), ("b", "crp", 2, "mg/L", False), ("c", "il6", 2, "pg/mL", False))
    part = biomarker_features(rows.with_columns(above_limit=pl.Series([True, False, False])))
    assert part.frame["crp_above_limit"].to_list() == [1.0, 0.0, None]


def test_plates_are_no_feature_and_non_detects_are_told():
    rows = converted(*[(who, "il1b", 0.2, "pg/mL", who != "a") for who in "abc"], plate=["1", "1", "2"])
    part = biomarker_features(rows)
    assert part.frame.columns == ["patient_id", "il1b_pg_per_ml", "il1b_below_lod"]
    assert "il1b: 2 of 3 values (67%) are below detection" in messages(part)
