"""Biomarker files as laboratories hand them over: what is read, and what is said about the rest."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nociomics.ingest.biomarkers import read_biomarkers
from nociomics.ingest.notes import Notes
from nociomics.tables.study import TableSource

HEADER = "patient_id,analyte,value,unit"


def read(folder: Path, text: str, **described: object) -> tuple[pl.DataFrame, Notes]:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    notes = Notes("biomarkers")
    frame = read_biomarkers([TableSource.model_validate({"path": "t.csv", **described})], folder, None, None, notes)
    assert frame is not None
    return frame, notes


def said(notes: Notes, severity: str) -> list[str]:
    return [finding.message for finding in notes.findings if finding.severity == severity]


@pytest.mark.parametrize(
    ("row", "columns", "expected"),
    [
        ("A,IL-6,<0.4,pg/mL", "", (0.4, True, 0.4)),
        ("A,IL-6,≤ 0.4,pg/mL", "", (0.4, True, 0.4)),
        ("A,IL-6,<LOD,pg/mL,0.3", ",lod", (0.3, True, 0.3)),
        ("A,IL-6,not detected,pg/mL,0.3", ",lod", (0.3, True, 0.3)),
        ("A,IL-6,0.2,pg/mL,0.4", ",lod", (0.4, True, 0.4)),
        ("A,IL-6,0.2,pg/mL,0.4,no", ",lod,below_lod", (0.2, False, 0.4)),
        ("A,IL-6,0,pg/mL,,yes", ",lod,below_lod", (None, True, None)),
        ("A,IL-6,>500,pg/mL", "", (500.0, False, None)),
    ],
)
def test_non_detects_and_upper_limits(tmp_path, row, columns, expected):
    frame, notes = read(tmp_path, f"{HEADER}{columns}\n{row}\n")
    assert frame.select("value", "below_lod", "lod").row(0) == expected
    assert not notes.has_fatal


def test_what_is_odd_about_limits_is_said(tmp_path):
    rows = "A,il6,0.2,pg/mL,0.4,\nB,il6,0.2,pg/mL,0.4,no\nC,il6,>9,pg/mL,,\nD,il6,0,pg/mL,,\nE,il6,,pg/mL,,yes\n"
    _, notes = read(tmp_path, f"{HEADER},lod,below_lod\n{rows}")
    assert ["1 row (first: line 2) lie below their own limit" in text for text in said(notes, "info")] == [True]
    warnings = " ".join(said(notes, "warning"))
    assert "1 row (first: line 3) lie below their own limit of detection, but below_lod says no" in warnings
    assert "1 row (first: line 4) lie above the upper limit" in warnings
    assert "1 row (first: line 5) are 0 without a limit" in warnings
    assert "1 row (first: line 6) are below a detection limit that is not given" in warnings


def test_every_plate_keeps_its_own_limit(tmp_path):
    frame, _ = read(tmp_path, f"{HEADER},plate\nA,il6,<0.4,pg/mL,1\nB,il6,<0.1,pg/mL,2\n")
    assert frame.select("lod", "plate").rows() == [(0.4, "1"), (0.1, "2")]


def test_decimal_commas_and_limits_go_together(tmp_path):
    text = "patient_id;analyte;value;unit\nA;il6;2,5;pg/mL\nB;il6;<0,4;pg/mL\nC;il6;3;pg/mL\n"
    frame, notes = read(tmp_path, text)
    assert frame.select("value", "below_lod").rows() == [(2.5, False), (0.4, True), (3.0, False)]
    assert not notes.has_fatal


@pytest.mark.parametrize(
    "header",
    ["il6_pg_per_ml,crp_mg_per_dl", "IL-6 (pg/mL),CRP [mg/dL]", "IL.6..pg.mL.,CRP..mg.dL.", "IL6 pg/mL,CRP mg/dL"],
)
def test_a_wide_table_may_hold_its_units_in_its_names(tmp_path, header):
    frame, notes = read(tmp_path, f"patient_id,{header}\nA,1,2\nB,<3,\n")
    assert frame.select("patient_id", "analyte", "value", "unit").rows() == [
        ("A", "il6", 1.0, "pg/mL"),
        ("B", "il6", 3.0, "pg/mL"),
        ("A", "crp", 2.0, "mg/dL"),
        ("B", "crp", None, "mg/dL"),
    ]
    assert said(notes, "info") == ["t.csv: units were taken from the names of the analytes: il6 pg/mL, crp mg/dL."]


def test_units_of_the_mapping_go_before_names_and_must_not_contradict_them(tmp_path):
    frame, notes = read(tmp_path, "patient_id,il6\nA,1\n", unit={"il6": "ng/L"})
    assert frame["unit"].to_list() == ["ng/L"] and notes.findings == []
    _, notes = read(tmp_path, "patient_id,il6_pg_per_ml\nA,1\n", unit="ng/mL")
    assert 'have the unit "ng/mL", but the name of il6 says "pg/mL"' in said(notes, "fatal")[0]


def test_every_unknown_analyte_and_unit_is_named_at_once(tmp_path):
    rows = (
        "A,il6,1,pg/hL\nB,crp,1,nmol/L\nC,TNF-alfa,1,pg/mL\nD,crp,2,nmol/L\nE,il6,3,IU/mL\nF,il6,3,\nG,il8 ,3,pg/mL\n"
    )
    frame, notes = read(tmp_path, f"{HEADER}\n{rows}")
    problems = " ".join(said(notes, "fatal"))
    assert 'column "analyte": 1 row (first: line 4) name the analyte "TNF-alfa"' in problems
    assert 'Did you mean "tnf_alpha"?' in problems
    assert '1 row (first: line 2) have the unit "pg/hL", unknown for il6. Did you mean "pg/mL"?' in problems
    assert '2 rows (first: line 3) have the unit "nmol/L", unknown for crp' in problems
    assert (
        '1 row (first: line 6) have "IU/mL" for il6: add a column "standard" with the WHO standard (WHO 89/548)'
        in problems
    )
    assert "1 row (first: line 7) have no unit" in problems
    assert frame["patient_id"].to_list() == ["G"]


def test_international_units_with_their_standard_are_read(tmp_path):
    frame, notes = read(tmp_path, f"{HEADER},standard\nA,il6,50,[IU]/mL,WHO 89/548\n")
    assert frame.select("unit", "standard").row(0) == ("[IU]/mL", "WHO 89/548") and notes.findings == []


def test_specimens_decide_the_analyte_or_are_said_to_be_missing(tmp_path):
    rows = [("A", "serum"), ("B", "EDTA-Plasma"), ("C", ""), ("D", "tube 7")]
    frame, notes = read(
        tmp_path, f"{HEADER},specimen\n" + "".join(f"{who},BDNF,9,ng/mL,{word}\n" for who, word in rows)
    )
    assert frame["analyte"].to_list() == ["bdnf_serum", "bdnf_plasma", "bdnf", "bdnf"]
    warnings = said(notes, "warning")
    assert "1 row (first: line 5) hold a specimen that is not understood" in warnings[0]
    assert "2 rows (first: line 4) are of BDNF or cortisol without a stated specimen" in warnings[1]


@pytest.mark.parametrize(
    ("analyte", "specimen", "words"),
    [
        ("BDNF", "hair", "bdnf is known in plasma, serum, not in hair"),
        ("IL-6", "saliva", "il6 is known in blood, plasma, serum, not in saliva"),
        ("bdnf_serum", "plasma", "bdnf_serum is known in serum, not in plasma"),
    ],
)
def test_a_specimen_in_which_an_analyte_is_not_known_stops(tmp_path, analyte, specimen, words):
    frame, notes = read(tmp_path, f"{HEADER},specimen\nA,{analyte},9,ng/mL,{specimen}\n")
    assert words in said(notes, "fatal")[0] and frame.is_empty()


def test_times_are_carried_and_the_way_of_the_rows_is_recorded(tmp_path):
    text = f"{HEADER},specimen,collected_at,minutes_since_waking\nA,cortisol,9,nmol/L,saliva,2024-01-01 07:30,30\n"
    frame, notes = read(tmp_path, text)
    assert frame.select("collected_at", "minutes_since_waking").row(0) == ("2024-01-01 07:30", 30.0)
    assert notes.origins == [{"table": "biomarkers", "name": "cortisol_saliva", "file": "t.csv", "column": "value"}]
    assert next((step["step"], step["rows_in"], step["rows_out"]) for step in notes.readings) == ("read", 1, 1)


def test_no_message_holds_a_value_or_an_id(tmp_path):
    _, notes = read(tmp_path, f"{HEADER}\nSECRET7,il6,1234.5x,pg/mL\nSECRET8,il6,-77.5,pg/mL\n")
    text = " ".join(finding.message for finding in notes.findings)
    assert len(said(notes, "fatal")) == 2
    assert not any(word in text for word in ("SECRET", "1234", "77.5"))
