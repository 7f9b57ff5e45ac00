"""The command that converts one table of biomarkers."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

COLUMNS = ["patient_id", "analyte", "value", "unit", "below_lod", "lod", "status"]
ROWS = (
    "patient_id,analyte,value,unit,standard,target_unit\n"
    "P2,IL-6,<0.4,ng/L,,\n"
    "P1,crp,0.8,mg/dL,,mg/dL\n"
    "P1,crp,0.8,,,\n"
    "P3,il6,50,IU/mL,,\n"
    "P3,il6,50,IU/mL,WHO 89/548,ng/mL\n"
    "P4,unobtainium,1,pg/mL,,\n"
)


def as_parquet(path: Path) -> Path:
    pl.read_csv(path, infer_schema=False).write_parquet(path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_rows_keep_their_order_and_refused_rows_say_why(nociomics, tmp_path, form):
    (tmp_path / "t.csv").write_text(ROWS)
    table = tmp_path / "t.csv" if form == "csv" else as_parquet(tmp_path / "t.csv")
    told = nociomics("biomarkers", table, "-o", tmp_path / f"out.{form}")
    found = pl.read_csv(tmp_path / "out.csv") if form == "csv" else pl.read_parquet(tmp_path / "out.parquet")
    assert found.columns == COLUMNS
    assert found["patient_id"].to_list() == ["P2", "P1", "P1", "P3", "P3", "P4"]
    assert found["value"].to_list() == [0.4, 0.8, None, None, 0.5, None]
    assert found["unit"].to_list()[:2] == ["pg/mL", "mg/dL"]
    assert found["below_lod"].to_list() == [True] + [False] * 5
    assert [status.split(":")[0] for status in found["status"]] == [
        "ok",
        "ok",
        "rejected",
        "rejected",
        "ok",
        "rejected",
    ]
    assert told.exit == 0 and "fatal" not in told.err and "ERROR" not in told.err
    assert told.err.count("warning: ") == 3


def test_numbers_and_flags_of_a_parquet_file_are_taken_as_they_are(nociomics, tmp_path):
    rows = {"patient_id": [7, 8], "analyte": ["il6", "il6"], "value": [None, 3.0], "unit": ["pg/mL"] * 2}
    frame = pl.DataFrame({**rows, "below_lod": [True, False], "lod": [0.4, 0.4]})
    frame.with_columns(pl.col("analyte", "unit").cast(pl.Categorical)).write_parquet(tmp_path / "t.parquet")
    assert nociomics("biomarkers", tmp_path / "t.parquet", "-o", tmp_path / "o.parquet").exit == 0
    found = pl.read_parquet(tmp_path / "o.parquet")
    assert found.rows() == [("7", "il6", 0.4, "pg/mL", True, 0.4, "ok"), ("8", "il6", 3.0, "pg/mL", False, 0.4, "ok")]


def test_a_unit_that_only_the_whole_column_betrays_is_told(nociomics, tmp_path):
    rows = "".join(f"P{n},cortisol,{350 + n},ug/dL\n" for n in range(20))
    (tmp_path / "t.csv").write_text("patient_id,analyte,value,unit\n" + rows)
    told = nociomics("biomarkers", tmp_path / "t.csv", "-o", tmp_path / "o.csv")
    assert told.exit == 0
    assert "cortisol in ug/dL, the whole column: the 20 values look as if they were in nmol/L" in told.err


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_without_units_is_the_users_error(nociomics, tmp_path, form):
    (tmp_path / "t.csv").write_text("patient_id,analyte,value,units\nA,il6,1,pg/mL\n")
    table = tmp_path / "t.csv" if form == "csv" else as_parquet(tmp_path / "t.csv")
    told = nociomics("biomarkers", table, "-o", tmp_path / "o.csv")
    assert told.exit == 1 and 'has no column unit. Did you mean "units"?' in told.err
    assert not (tmp_path / "o.csv").exists()


def test_an_unknown_suffix_of_the_output_is_refused(nociomics, tmp_path):
    (tmp_path / "t.csv").write_text(ROWS)
    told = nociomics("biomarkers", tmp_path / "t.csv", "-o", tmp_path / "o.xlsx")
    assert told.exit == 1 and "give a name that ends in .csv or .parquet" in told.err
