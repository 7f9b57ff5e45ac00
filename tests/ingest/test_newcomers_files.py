"""What newcomers hand over: each is read, or refused with what to do about it; no message shows an id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from .study_folder import PEOPLE, csv_text, fatal, only_fatal, read_in, sound_files, study_of


def said(read: Any, severity: str) -> list[str]:
    """Messages of one severity; none of any shows a person."""
    assert not any("SECRET" in finding.message for finding in read.findings)
    return [finding.message for finding in read.findings if finding.severity == severity]


def numbered(name: str) -> dict[str, str]:
    """A file with a first column of row numbers that has no name, as pandas and R write it."""
    header, *rows = sound_files()[name].splitlines()
    return {name: csv_text(f",{header}", [f"{number},{row}" for number, row in enumerate(rows)])}


@pytest.mark.parametrize("name", ["patients.csv", "proteins.csv", "outcomes.csv"])
def test_row_numbers_without_a_name_become_no_feature(tmp_path: Path, name: str) -> None:
    read = read_in(tmp_path, numbered(name))
    assert fatal(read) == []
    assert [text for text in said(read, "warning") if text.startswith(f"{name}: a column without a name")] != []
    for table in (read.patients, read.outcomes, read.blocks["proteins"]):
        assert table is not None and "" not in table.columns


def test_ids_in_a_column_without_a_name_can_be_named(tmp_path: Path) -> None:
    files = {"patients.csv": sound_files()["patients.csv"].replace("patient_id", "", 1)}
    assert '{"": patient_id}' in said(read_in(tmp_path, files), "fatal")[0]
    read = read_in(tmp_path, files, study_of(patients={"path": "patients.csv", "columns": {"": "patient_id"}}))
    assert fatal(read) == [] and read.patients is not None and read.patients.height == len(PEOPLE)


def test_titles_and_merged_cells_above_the_header_are_told(tmp_path: Path) -> None:
    text = "Demographics,,Pain,,\n" + sound_files()["patients.csv"]
    message = said(read_in(tmp_path, {"patients.csv": text}), "fatal")[0]
    assert "patients.csv: 3 columns hold values but have no name (first: field 2 of the header)" in message
    assert "merged cells" in message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ID", 'Is it "ID"?'),
        (" Subject ID", 'Is it "Subject ID"?'),
        ("patien_id", 'Did you mean "patien_id"?'),
        ("sample_id", 'Its rows seem to be samples ("sample_id"): give samples:'),
    ],
)
def test_the_column_of_people_is_pointed_out(tmp_path: Path, name: str, words: str) -> None:
    read = read_in(tmp_path, {"proteins.csv": sound_files()["proteins.csv"].replace("patient_id", name, 1)})
    message = only_fatal(read)
    assert words in message and "columns: {their name: patient_id}" in message
    assert "Where features stand in rows" in message


def test_a_column_that_is_no_id_is_not_taken_for_one(tmp_path: Path) -> None:
    read = read_in(tmp_path, {"proteins.csv": sound_files()["proteins.csv"].replace("patient_id", "protein_id", 1)})
    assert "Did you mean" not in only_fatal(read)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("<html><table><tr><td>SECRET-000</td></tr></table></html>", "a web page (HTML)"),
        ('\ufeff<?xml version="1.0"?><a/>', "XML"),
        ("%PDF-1.4\n", "a PDF"),
        ('[{"patient_id": "SECRET-000"}]', "JSON"),
        ("{\\rtf1 patient_id}", "a text document (RTF)"),
    ],
)
def test_exports_that_are_no_tables_are_called_by_their_name(tmp_path: Path, content: str, kind: str) -> None:
    message = only_fatal(read_in(tmp_path, {"proteins.csv": content}))
    assert message.startswith(f"proteins.csv: is {kind}, not a table.") and "CSV" in message


def test_zero_bytes_are_told_with_their_line(tmp_path: Path) -> None:
    text = sound_files()["proteins.csv"].replace(",0.2,", ",0.\x002,", 1)
    assert "proteins.csv: holds zero bytes (first: line 4)" in only_fatal(read_in(tmp_path, {"proteins.csv": text}))


def test_a_sheet_of_a_file_that_has_none_is_told(tmp_path: Path) -> None:
    read = read_in(tmp_path, {}, study_of(patients={"path": "patients.csv", "sheet": "Data"}))
    assert fatal(read) == []
    assert "patients.csv: is no Excel file, so sheet: is not used." in said(read, "warning")


def test_points_between_thousands_are_explained_and_read_when_the_study_says_so(tmp_path: Path) -> None:
    rows = [f"{person};IL-6;1.{number:03d},5;pg/mL" for number, person in enumerate(PEOPLE)]
    files = {"biomarkers.csv": csv_text("patient_id;analyte;value;unit", rows)}
    message = only_fatal(read_in(tmp_path, files))
    assert 'as 1.234,5: say decimal: "," for this file' in message
    read = read_in(tmp_path, files, study_of(biomarkers={"path": "biomarkers.csv", "decimal": ","}))
    assert fatal(read) == [] and read.biomarkers is not None
    assert read.biomarkers["value"].to_list() == [1000.5 + number for number in range(len(PEOPLE))]


def test_a_word_in_the_last_of_many_columns_is_not_hidden_behind_remarks(tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(15)]
    cells = [[f"{number % 7},5"] * 14 + ["SECRET" if number == 3 else "1"] for number, _ in enumerate(PEOPLE)]
    rows = [";".join([person, *row]) for person, row in zip(PEOPLE, cells, strict=True)]
    read = read_in(tmp_path, {"proteins.csv": csv_text(";".join(["patient_id", *names]), rows)})
    message = only_fatal(read)
    assert 'proteins.csv, column "p14": 1 row (first: line 5) hold text' in message and "drop:" in message
    assert "4 further columns are as those named before." in said(read, "info")


def test_decimal_commas_are_told_with_the_file(tmp_path: Path) -> None:
    rows = [f"{person};{number},5" for number, person in enumerate(PEOPLE)]
    read = read_in(tmp_path, {"outcomes.csv": csv_text("patient_id;pain_week12", rows)})
    assert fatal(read) == []
    wanted = 'outcomes.csv, column "pain_week12": decimal commas were read as decimal points.'
    assert wanted in said(read, "info")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"biomarkers": ["biomarkers.csv", "biomarkers.csv"]}, "biomarkers.csv: is given twice in the same way."),
        ({"patients": ["patients.csv", "patients.csv"]}, "patients.csv: is given twice in the same way."),
        ({"blocks": [{"name": "genotype", "path": "proteins.csv"}]}, 'name: "genotype" is what results call'),
        (
            {"polygenic_scores": [{"name": "pain", "path": "a.txt"}, {"name": "pain", "path": "b.txt"}]},
            'name: "pain" is given to several scores.',
        ),
    ],
)
def test_what_is_named_twice_is_told(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    assert [text for text in said(read_in(tmp_path, {}, study_of(**changes)), "fatal") if words in text] != []


def test_a_file_of_two_visits_may_be_named_twice_when_it_is_read_in_two_ways(tmp_path: Path) -> None:
    whole = {"path": "biomarkers.csv", "where": {"analyte": "IL-6"}}
    read = read_in(tmp_path, {}, study_of(biomarkers=[whole, {**whole, "where": {"analyte": ["IL-6"]}}]))
    assert fatal(read) == []


def vcf_with(names: list[str]) -> str:
    text = sound_files()["genotypes.vcf"]
    for person, name in zip(PEOPLE, names, strict=True):
        text = text.replace(person, name)
    return text


def test_samples_with_other_names_are_led_to_a_map(tmp_path: Path) -> None:
    tubes = [f"TUBE{number:03d}" for number in range(len(PEOPLE))]
    files = {"genotypes.vcf": vcf_with(tubes)}
    assert "or give samples:, a table of sample_id and patient_id" in only_fatal(read_in(tmp_path, files))
    rows = [f"{tube},{person}" for tube, person in zip(tubes, PEOPLE, strict=True)]
    mapped = study_of(genotype={"path": "genotypes.vcf", "samples": "map.csv"})
    read = read_in(tmp_path, {**files, "map.csv": csv_text("sample_id,patient_id", rows)}, mapped)
    assert fatal(read) == [] and read.dosages is not None and read.dosages["patient_id"].to_list() == PEOPLE
    for header, column in (("IID,patient_id", "sample_id"), ("sample_id,Subject", "patient_id")):
        message = only_fatal(read_in(tmp_path, {**files, "map.csv": csv_text(header, rows)}, mapped))
        assert f'map.csv: has no column "{column}"' in message and "Name its columns under samples:" in message


def test_a_sample_of_two_people_is_told_with_its_line(tmp_path: Path) -> None:
    rows = [*(f"{person},{person},b1,2024-01-01" for person in PEOPLE), f"{PEOPLE[0]},{PEOPLE[1]},b1,2024-01-01"]
    files = {"samples.csv": csv_text("sample_id,patient_id,batch,collected_at", rows)}
    files["expression.csv"] = sound_files()["expression.csv"].replace("patient_id", "sample_id", 1)
    message = only_fatal(read_in(tmp_path, files))
    assert 'samples.csv, column "sample_id": 1 row (first: line 62) give a sample to another person' in message


def test_people_of_a_plink_file_are_no_genotypes(tmp_path: Path) -> None:
    files: dict[str, str | bytes | None] = {"g.fam": "F1 SECRET-000 0 0 1 -9\n", "g.bim": "1 rs1 0 100 A G\n"}
    files["g.bed"] = b"\x6c\x1b\x01\x00"
    for path in ("g.fam", "g.bim", "g"):
        assert 'Name the file that holds the calls: "g.bed".' in only_fatal(
            read_in(tmp_path, files, study_of(genotype=path))
        )


@pytest.mark.parametrize("pair", ["AG", "A/G", "A|G", "a g"])
def test_pairs_of_bases_are_told_once(tmp_path: Path, pair: str) -> None:
    rows = [f"{person},{pair},{pair},1" for person in PEOPLE]
    files = {"dosages.csv": csv_text("patient_id,rs1,rs2,rs3", rows)}
    message = only_fatal(read_in(tmp_path, files, study_of(genotype="dosages.csv")))
    assert 'dosages.csv: 2 columns (first: "rs1") hold pairs of bases' in message and "0, 1 or 2" in message


def test_labels_that_look_like_numbers_are_told_how_to_stay(tmp_path: Path) -> None:
    header, *rows = sound_files()["patients.csv"].splitlines()
    codes = [f"{row},{'7; 8' if number % 5 == 0 else number % 4}" for number, row in enumerate(rows)]
    files = {"patients.csv": csv_text(f"{header},indication", codes)}
    assert 'as_text: ["indication"]' in only_fatal(read_in(tmp_path, files))
    kept = study_of(patients={"path": "patients.csv", "as_text": ["indication"]})
    read = read_in(tmp_path, files, kept)
    assert fatal(read) == [] and read.patients is not None
    assert read.patients["indication"].dtype == pl.String


def test_numbers_of_people_are_never_labels(tmp_path: Path) -> None:
    files = {"patients.csv": sound_files()["patients.csv"].replace(",33,", ",33y,", 1)}
    message = only_fatal(read_in(tmp_path, files))
    assert 'column "age": 1 row (first: line 5)' in message and "as_text" not in message


def test_spellings_of_an_arm_are_not_compared_as_treatments(tmp_path: Path) -> None:
    text = sound_files()["treatments.csv"].replace(",drug,", ",Drug,", 2).replace(",placebo,", ",placebo ,", 1)
    message = only_fatal(read_in(tmp_path, {"treatments.csv": text}))
    assert 'treatments.csv, column "arm": 3 rows (first: line 2) name an arm that differs' in message
    words = {"Drug": "drug", "placebo ": "placebo"}
    mapped = {"path": "treatments.csv", "values_map": {"arm": {**words, "drug": "drug", "placebo": "placebo"}}}
    read = read_in(tmp_path, {"treatments.csv": text}, study_of(treatments=mapped))
    assert fatal(read) == [] and read.treatments is not None
    assert sorted(read.treatments["arm"].unique().to_list()) == ["drug", "placebo"]


def test_star_alleles_without_a_meaning_are_told(tmp_path: Path) -> None:
    calls = ["*1/*4", "1/4", "poor", ""]
    rows = [f"{person},{calls[number % 4]},*1/*1" for number, person in enumerate(PEOPLE)]
    read = read_in(tmp_path, {"diplotypes.csv": csv_text("patient_id,cyp2d6_diplotype,foo_diplotype", rows)})
    assert fatal(read) == []
    told = [text for text in said(read, "warning") if text.startswith("diplotypes.csv")]
    assert 'column "gene": 60 rows (first: line 2) name a gene that gets no phenotype here' in told[0]
    assert "CYP2D6" in told[0]
    assert 'column "diplotype": 30 rows (first: line 3) hold no star alleles' in told[1]
