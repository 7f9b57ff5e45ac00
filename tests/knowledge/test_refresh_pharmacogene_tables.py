"""Downloaded CPIC workbooks against the shipped tables; the workbooks here are invented, of that layout."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from xml.sax.saxutils import escape

import polars as pl
import pytest

ROOT = Path(__file__).resolve().parents[2]
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the script, with a copy of the shipped tables as its own."""
    spec = importlib.util.spec_from_file_location("refresh", ROOT / "workflow/scripts/refresh_pharmacogene_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "refresh", module)
    spec.loader.exec_module(module)
    shutil.copytree(module.SHIPPED, tmp_path / "shipped")
    monkeypatch.setattr(module, "SHIPPED", tmp_path / "shipped")
    return module


def workbook(path: Path, rows: list[list[str]], sheet: str = "Sheet1") -> None:
    """Write the smallest Excel file with these texts."""
    path.parent.mkdir(exist_ok=True)
    lines = []
    for number, row in enumerate(rows, 1):
        cells = [
            f'<c r="{chr(65 + i)}{number}" t="inlineStr"><is><t>{escape(text)}</t></is></c>'
            for i, text in enumerate(row)
            if text
        ]
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        f'ContentType="{kind}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" '
        f'ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets><sheet name="{sheet}" sheetId="1" '
        'r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in parts.items():
            packed.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')


def functions(folder: Path, rows: list[tuple[str, str, str]], gene: str = "CYP3A5") -> None:
    header = ["Allele/cDNA/rsID", "Activity Value (Optional)", "Allele Biochemical Functional Status (Optional)"]
    header.append("Allele Clinical Functional Status (Required)")
    body = [[allele, value, "", function] for allele, value, function in rows]
    workbook(folder / f"{gene}_allele_functionality_reference.xlsx", [[f"GENE: {gene}"], header, *body])


def definitions(folder: Path, names: list[str], places: list[str], alleles: list[list[str]]) -> None:
    rows = [
        ["GENE: CYP3A5"],
        ["Nucleotide change per gene", *["-"] * len(names)],
        ["Effect on protein (NP_000768.1)"],
        ["Position at NC_000007.14 (Homo sapiens chromosome 7, GRCh38.p2)", *places],
        ["Position at NG_007938.1 (CYP3A5 RefSeqGene)"],
        ["rsID", *names],
        ["CYP3A5 Allele"],
        *alleles,
        [""],
        ["NOTES:"],
        ["*9 stands in a note only"],
    ]
    workbook(folder / "CYP3A5_allele_definition_table.xlsx", rows, "Alleles")


SAME = [("*1", "", "Normal function"), ("*3", "", "No function"), ("*6", "", "No function"), ("*7", "", "No function")]
REST = [("*8", "", "Unknown function"), ("*9", "", "Unknown function")]


def test_functions_added_gone_and_changed_are_told_and_written(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = [*SAME, ("*8", "", "Decreased Function"), ("*77", "", "No function")]
    functions(tmp_path / "cpic", changed)
    assert script.main([str(tmp_path / "cpic")]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told == [
        "allele_functions CYP3A5: 1 added, 1 gone, 1 changed",
        "  added: *77 No function, -",
        "  gone: *9",
        "  changed: *8 Unknown function, - -> Decreased function, -",
    ]
    before = pl.read_csv(tmp_path / "shipped/allele_functions.csv", infer_schema=False)
    assert script.main([str(tmp_path / "cpic"), "--write", "--version", "2026-03"]) == 0
    after = pl.read_csv(tmp_path / "shipped/allele_functions.csv", infer_schema=False)
    other = pl.col("gene") != "CYP3A5"
    assert after.filter(other).equals(before.filter(other))
    rows = after.filter(~other).select("allele", "clinical_function", "version").rows()
    assert rows[-2:] == [("*8", "Decreased function", "2026-03"), ("*77", "No function", "2026-03")]
    assert dict(after.filter(~other).select("allele", "version").iter_rows())["*3"] == "2025-11"
    capsys.readouterr()
    script.main([str(tmp_path / "cpic")])
    assert capsys.readouterr().out == "allele_functions CYP3A5: 0 added, 0 gone, 0 changed\n"


def test_equal_files_write_equal_bytes(script: ModuleType, tmp_path: Path) -> None:
    functions(tmp_path / "cpic", [*SAME, *REST])
    before = (tmp_path / "shipped/allele_functions.csv").read_bytes()
    assert script.main([str(tmp_path / "cpic"), "--write", "--version", "2026-03"]) == 0
    assert (tmp_path / "shipped/allele_functions.csv").read_bytes() == before


def test_values_are_read_as_numbers(script: ModuleType, tmp_path: Path) -> None:
    functions(tmp_path / "cpic", [("*1", "1", "Normal Function"), ("*2x≥3", "≥3", "Increased function")], "CYP2D6")
    facts = script.read_download(tmp_path / "cpic").functions["CYP2D6"]
    assert facts["CYP2D6", "*1"] == ("Normal function", "1.0")
    assert facts["CYP2D6", "*2x≥3"] == ("Increased function", "≥3.0")


def test_definitions_are_compared_by_base(script: ModuleType, tmp_path: Path) -> None:
    names, places = ["rs776746", "rs10264272", ""], ["g.99672916T>C", "g.99665212C>T", "g.99660516C>T"]
    alleles = [["*1", "T", "C", "C"], ["*3", "C", "", ""], ["*6", "", "T", ""], ["*8", "", "", "Y"]]
    definitions(tmp_path / "cpic", names, places, alleles)
    facts = script.read_download(tmp_path / "cpic").definitions["CYP3A5"]
    assert facts["CYP3A5", "*3", "rs776746"] == ("C",)
    assert facts["CYP3A5", "*8", "rs28383479"] == ("C|T",)
    assert not [key for key in facts if key[1] == "*9"]
    told = script.differences({("CYP3A5", "*3", "rs776746"): ("C",), ("CYP3A5", "*6", "rs10264272"): ("A",)}, facts)
    assert told["changed"] == ["*6 rs10264272 A -> T"]
    assert "*8 rs28383479 C|T" in told["added"]
    assert script.main([str(tmp_path / "cpic"), "--write", "--version", "2026-03"]) == 0
    after = pl.read_csv(tmp_path / "shipped/allele_definitions.csv", infer_schema=False).filter(gene="CYP3A5")
    rows = {(a, r): (b, q) for a, r, b, q in after.select("allele", "rsid", "allele_bases", "required").iter_rows()}
    assert rows["*8", "rs28383479"] == ("C|T", "optional_either")
    assert ("*1", "rs776746") not in rows, "what the reference row spells out is not listed"
    assert after.filter(kind="reference_row").height == 1


def test_a_position_that_no_table_has_is_left_to_a_person(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    definitions(
        tmp_path / "cpic", ["rs776746", "rs1"], ["g.99672916T>C", "g.1A>C"], [["*1", "T", "A"], ["*3", "C", ""]]
    )
    before = (tmp_path / "shipped/allele_definitions.csv").read_bytes()
    assert script.main([str(tmp_path / "cpic"), "--write", "--version", "2026-03"]) == 1
    told = capsys.readouterr().out
    assert "CYP3A5: definitions not taken over, position rs1 is in no table." in told
    assert (tmp_path / "shipped/allele_definitions.csv").read_bytes() == before


def test_pairs_are_checked_against_the_rules(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = ["CYP2C9 Diplotype", "Coded Diplotype/Phenotype Summary", "Activity Score", "EHR Priority Notation"]
    rows = [
        header,
        ["*1/*1", "CYP2C9 Normal Metabolizer", "2.0"],
        ["*1/*2", "CYP2C9 Normal Metabolizer", "1.5"],
        ["*1/*7", "CYP2C9 Indeterminate", "n/a"],
    ]
    workbook(tmp_path / "cpic/CYP2C9_Diplotype_Phenotype_Table.xlsx", rows)
    script.main([str(tmp_path / "cpic")])
    assert capsys.readouterr().out.splitlines() == [
        "diplotypes CYP2C9: 3 pairs, 1 differ from our rules",
        "  *1/*2 Normal Metabolizer, 1.5, ours Intermediate Metabolizer, 1.5",
    ]


def test_a_foreign_workbook_is_named(script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workbook(tmp_path / "cpic/other.xlsx", [["Gene", "Drug"], ["TPMT", "azathioprine"]])
    assert script.main([str(tmp_path / "cpic")]) == 1
    assert "other.xlsx: none of the three kinds" in capsys.readouterr().out


def test_writing_needs_a_version(script: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        script.main([str(tmp_path), "--write"])
