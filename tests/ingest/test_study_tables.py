"""Each bad input has one clear message; all problems are told at once; no message shows a patient."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import pytest

from nociomics.errors import TableError
from nociomics.ingest.study_tables import read_study, require_sound, write_ingested
from nociomics.tables.files import read_table
from nociomics.tables.finding import Finding
from nociomics.tables.ingested import BIOMARKERS, PHARMACOGENE_GENOTYPES, RESPONSES, SCORES
from nociomics.tables.study import Study

from .study_folder import PEOPLE, csv_text, fatal, only_fatal, read_in, sound_files, study_of


def test_a_sound_study_has_nothing_fatal_and_every_table_keeps_its_contract(tmp_path: Path) -> None:
    read = read_in(tmp_path, {})
    assert fatal(read) == []
    write_ingested(read, tmp_path / "ingested")
    written = sorted(path.name for path in (tmp_path / "ingested").iterdir())
    assert written == sorted(
        f"{name}.parquet"
        for name in [
            "patients", "covariates", "dosages", "variants", "pharmacogene_genotypes", "genotype_people", "diplotypes",
            "expression", "expression_samples", "biomarkers", "responses", "scores", "treatments", "outcomes", "flow",
            "block_proteins", "origins", "readings",
        ]
    )  # fmt: skip
    assert read_table(tmp_path / "ingested/biomarkers.parquet", BIOMARKERS).height == 60
    assert read_table(tmp_path / "ingested/responses.parquet", RESPONSES).height == 120
    assert read_table(tmp_path / "ingested/scores.parquet", SCORES).height == 0
    calls = read_table(tmp_path / "ingested/pharmacogene_genotypes.parquet", PHARMACOGENE_GENOTYPES)
    assert calls.row(0, named=True)["base_1"] == "G" and calls.row(0, named=True)["base_2"] == "A"


def changed(file: str, row: int, column: int, value: str) -> dict[str, str]:
    """Replace one field of a sound file; row 1 is the first after the header."""
    lines = sound_files()[file].splitlines()
    fields = lines[row].split(",")
    fields[column] = value
    lines[row] = ",".join(fields)
    return {file: "\n".join(lines) + "\n"}


def replaced(file: str, old: str, new: str) -> dict[str, str]:
    return {file: sound_files()[file].replace(old, new)}


BAD: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("missing table", {"biomarkers.csv": None}, {}, ["biomarkers.csv: does not exist"]),
    ("empty file", {"biomarkers.csv": ""}, {}, ["biomarkers.csv: the file is empty"]),
    (
        "table without rows",
        {"biomarkers.csv": "patient_id,analyte,value,unit\n"},
        {},
        ["biomarkers.csv: the table has a header but no rows"],
    ),
    (
        "ragged rows",
        {"proteins.csv": "patient_id,p1,p2\nSECRET-000,1,2\nSECRET-001,1\nSECRET-002,1,2,3\n"},
        {},
        ["proteins.csv: 2 rows (first: line 3, with 2 fields)", "3 fields of the header"],
    ),
    (
        "repeated column",
        {"proteins.csv": "patient_id,p1,p1\nSECRET-000,1,2\n"},
        {},
        ["proteins.csv: 1 column names appear more than once (first: field 3"],
    ),
    (
        "double patient",
        changed("patients.csv", 5, 0, "SECRET-000"),
        {},
        ['patients.csv, column "patient_id": 1 row (first: line 6) repeat an id'],
    ),
    (
        "ids of nobody",
        {"outcomes.csv": csv_text("patient_id,pain_week12", [f"SECRET-X{i},{i % 5}" for i in range(60)])},
        {},
        ["none of 60 rows match"],
    ),
    (
        "3 of 60 ids",
        {
            "outcomes.csv": csv_text(
                "patient_id,pain_week12", [f"{p if i < 3 else p.lower()},{i % 5}" for i, p in enumerate(PEOPLE)]
            )
        },
        {},
        ["outcomes.csv", "3 of 60 rows match", "57 more ids would match if upper and lower case were the same"],
    ),
    (
        "text for a number",
        changed("patients.csv", 7, 1, "SECRET"),
        {},
        ['patients.csv, column "age": 1 row (first: line 8) hold text where a number belongs', "missing:"],
    ),
    (
        "decimal commas beside points",
        {
            "proteins.csv": csv_text(
                "patient_id;p1", [f"{p};{'1,5' if i == 3 else '1.5'}" for i, p in enumerate(PEOPLE)]
            )
        },
        {},
        ['proteins.csv, column "p1": 1 row (first: line 5)', "decimal comma"],
    ),
    (
        "unknown unit",
        changed("biomarkers.csv", 4, 3, "pg/hL"),
        {},
        [
            'column "unit": 1 row (first: line 5) have the unit "pg/hL", unknown for il6',
            'Did you mean "pg/mL"?',
            "ng/L",
        ],
    ),
    ("empty unit", changed("biomarkers.csv", 4, 3, ""), {}, ['column "unit": 1 row (first: line 5) have no unit']),
    (
        "unknown analyte",
        changed("biomarkers.csv", 4, 1, "interleukine 6x"),
        {},
        ['column "analyte": 1 row (first: line 5)', "interleukine 6x", 'Did you mean "interleukin 6"?', "Known: "],
    ),
    (
        "negative amount",
        changed("biomarkers.csv", 4, 2, "-3"),
        {},
        ["1 row (first: line 5) are below zero"],
    ),
    (
        "unknown item",
        replaced("questionnaires.csv", "pcs_2", "psc_2"),
        {},
        ['questionnaires.csv, column "psc_2"', "is no item", 'Did you mean "pcs_2"?'],
    ),
    (
        "item outside its range",
        changed("questionnaires.csv", 9, 1, "7"),
        {},
        ['column "pcs_1": 1 row (first: line 10)', "whole numbers 0 to 4"],
    ),
    (
        "unknown arm column",
        {},
        {"target": {"kind": "change", "outcome": "pain_week12", "treatment": "armm"}},
        ['treatments.csv: has no column "armm"', 'Did you mean "arm"?'],
    ),
    (
        "unknown outcome",
        {},
        {"target": {"kind": "change", "outcome": "pain_week13", "treatment": "arm"}},
        ['outcomes.csv: has no column "pain_week13"', 'Did you mean "pain_week12"?'],
    ),
    (
        "one class",
        {"outcomes.csv": csv_text("patient_id,pain_week12", [f"{p},yes" for p in PEOPLE])},
        {"target": {"kind": "binary", "outcome": "pain_week12"}},
        ["the outcome has one class only"],
    ),
    (
        "outcome that never varies",
        {"outcomes.csv": csv_text("patient_id,pain_week12", [f"{p},4" for p in PEOPLE])},
        {},
        ["the outcome is the same for everyone"],
    ),
    (
        "all outcomes missing",
        {"outcomes.csv": csv_text("patient_id,pain_week12", [f"{p},NA" for p in PEOPLE])},
        {},
        ["the outcome is missing in all 60 rows"],
    ),
    (
        "text in the outcome",
        changed("outcomes.csv", 3, 1, "SECRET"),
        {},
        ['outcomes.csv, column "pain_week12": 1 row (first: line 4) hold text'],
    ),
    (
        "no yes and no",
        changed("outcomes.csv", 3, 1, "maybe"),
        {"target": {"kind": "binary", "outcome": "pain_week12"}},
        ['column "pain_week12"', "none of 0/1, true/false, yes/no"],
    ),
    (
        "VCF without samples",
        {"genotypes.vcf": "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n1\t5\t.\tA\tC\t.\t.\t.\n"},
        {},
        ["genotypes.vcf: a VCF without samples"],
    ),
    (
        "truncated gzip",
        {"proteins.csv": gzip.compress(b"patient_id,p1\nSECRET-000,1\n" * 99)[:-9]},
        {},
        ["proteins.csv", "truncated"],
    ),
    (
        "truncated VCF",
        {"genotypes.vcf": gzip.compress(sound_files()["genotypes.vcf"].encode())[:-12]},
        {},
        ["genotypes.vcf", "truncated"],
    ),
    (
        "unknown column of ours",
        {},
        {"patients": {"path": "patients.csv", "columns": {"agee": "age_years"}}},
        ['columns: names the column "agee"', 'Did you mean "age"?'],
    ),
    (
        "no person column",
        replaced("proteins.csv", "patient_id", "patientid"),
        {},
        ['proteins.csv: has no column "patient_id"', 'Is it "patientid"?'],
    ),
    (
        "column after treatment",
        replaced("patients.csv", "pain,site", "odi_week12,site"),
        {},
        ['column "odi_week12": looks measured after treatment', "measured_at: {odi_week12: baseline}"],
    ),
    (
        "the outcome among the covariates",
        replaced("patients.csv", "pain,site", "pain_week12,site"),
        {},
        ['patients.csv, column "pain_week12": is the outcome'],
    ),
    (
        "the outcome in a block",
        replaced("proteins.csv", "p1", "pain_week12"),
        {},
        ['proteins.csv, column "pain_week12": is the outcome'],
    ),
    (
        "measured after treatment start",
        changed("biomarkers.csv", 4, 4, "2024-02-01"),
        {},
        ["biomarkers.csv", "1 row (first: line 5) of the table biomarkers were measured after treatment start"],
    ),
    (
        "words for counts",
        changed("expression.csv", 4, 1, "1.5"),
        {},
        ["expression.csv: 1 values are no whole numbers"],
    ),
    (
        "wrong block value",
        changed("proteins.csv", 4, 1, "SECRET"),
        {},
        ['proteins.csv, column "p1": 1 row (first: line 5) hold text'],
    ),
    ("unknown assignment", changed("treatments.csv", 4, 2, "perhaps"), {}, ["neither randomised nor observational"]),
    (
        "unknown rule",
        {},
        {"include": {"agee": {"at_least": 3}}},
        ['include: names the column "agee"', 'Did you mean "age"?'],
    ),
    ("nobody left", {}, {"include": {"age": {"at_least": 300}}}, ["include: leaves nobody"]),
    (
        "log of zero",
        changed("proteins.csv", 1, 1, "0"),
        {"blocks": [{"name": "proteins", "path": "proteins.csv", "transform": "log2", "keep": ["p1"]}]},
        ['column "p1": 1 row (first: line 2) are 0 or less and have no log2'],
    ),
]


@pytest.mark.parametrize(("files", "changes", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_input_has_one_clear_message(
    tmp_path: Path, files: dict[str, Any], changes: dict[str, Any], words: list[str]
) -> None:
    message = only_fatal(read_in(tmp_path, files, study_of(**changes)))
    for word in words:
        assert word in message


def test_all_problems_of_all_tables_are_told_at_once(tmp_path: Path) -> None:
    files = {
        "biomarkers.csv": None,
        **changed("patients.csv", 7, 1, "SECRET"),
        **changed("questionnaires.csv", 9, 1, "7"),
        **changed("outcomes.csv", 3, 1, "SECRET"),
    }
    read = read_in(tmp_path, files)
    assert {finding.table for finding in fatal(read)} == {"biomarkers", "patients", "questionnaires", "outcomes"}
    with pytest.raises(TableError) as raised:
        require_sound(read.findings)
    lines = str(raised.value).splitlines()
    assert len(lines) == 5 and lines[-1] == "4 problems stop the run."
    assert "SECRET" not in str(raised.value)
    with pytest.raises(TableError):
        write_ingested(read, tmp_path / "ingested")
    assert not (tmp_path / "ingested").exists()


def test_require_sound_passes_what_is_not_fatal() -> None:
    require_sound([Finding("patients", None, "warning", 3, "three rows")])
    with pytest.raises(TableError, match=r"^patients: broken\n1 problem stops the run\.$"):
        require_sound([Finding("patients", None, "fatal", 1, "broken"), Finding("a", None, "info", 1, "fine")])


def test_some_unknown_ids_are_a_warning_and_left_out(tmp_path: Path) -> None:
    read = read_in(tmp_path, changed("outcomes.csv", 2, 0, "stranger"))
    assert fatal(read) == []
    assert read.outcomes is not None and read.outcomes.height == 59
    messages = {(f.table, f.severity): f.message for f in read.findings}
    assert "1 row (first: line 3) have an id that is not in the table patients" in messages["outcomes", "warning"]
    assert "1 of 60 people have no row" in messages["outcomes", "info"]


def test_a_biobank_beside_a_small_study_is_only_a_warning(tmp_path: Path) -> None:
    rows = [f"{p},1,2" for p in PEOPLE] + [f"other{i},1,2" for i in range(500)]
    read = read_in(tmp_path, {"proteins.csv": csv_text("patient_id,p1,p2", rows)})
    assert fatal(read) == []
    assert read.blocks["proteins"].height == 60


def test_rules_of_inclusion_are_counted_and_hold_in_every_table(tmp_path: Path) -> None:
    read = read_in(tmp_path, {}, study_of(include={"age": {"at_least": 40}, "sex": {"one_of": ["F"]}}))
    assert fatal(read) == [] and read.flow is not None and read.patients is not None and read.biomarkers is not None
    ages = [30 + i % 40 for i in range(60)]
    old = [i for i in range(60) if ages[i] >= 40]
    women = [i for i in old if i % 2 == 0]
    assert read.flow["people"].to_list() == [60, len(old), len(women)]
    assert read.flow["left_out"].to_list() == [0, 60 - len(old), len(old) - len(women)]
    assert (
        read.patients.height == read.biomarkers["patient_id"].n_unique() == read.blocks["proteins"].height == len(women)
    )


def test_new_patients_need_no_outcome_and_no_treatment(tmp_path: Path) -> None:
    study = study_of()
    for name in ("outcomes", "treatments"):
        del study["tables"][name]
    assert len(fatal(read_in(tmp_path, {}, study))) == 2
    read = read_study(Study.model_validate(study), tmp_path, for_prediction=True)
    assert fatal(read) == [] and read.outcomes is None


def test_undeclared_assignment_counts_as_observational_and_says_so(tmp_path: Path) -> None:
    read = read_in(tmp_path, replaced("treatments.csv", "assignment", "how"))
    assert fatal(read) == [] and read.treatments is not None
    assert read.treatments["assignment"].unique().to_list() == ["observational"]
    assert any("label: {assignment: randomised}" in f.message for f in read.findings if f.severity == "warning")


def test_a_declared_later_time_leaves_the_column_out(tmp_path: Path) -> None:
    files = replaced("patients.csv", "pain,site", "odi_week12,site")
    patients = {"path": "patients.csv", "measured_at": {"odi_week12": "week12"}}
    read = read_in(tmp_path, files, study_of(patients=patients))
    assert fatal(read) == [] and read.patients is not None
    assert "odi_week12" not in read.patients.columns
    before = {"path": "patients.csv", "measured_at": {"odi_week12": "baseline"}}
    read = read_in(tmp_path, files, study_of(patients=before))
    assert fatal(read) == [] and read.patients is not None and "odi_week12" in read.patients.columns


def test_samples_of_a_later_time_are_left_out_when_declared(tmp_path: Path) -> None:
    files = changed("biomarkers.csv", 4, 4, "2024-02-01")
    read = read_in(tmp_path, files, study_of(biomarkers={"path": "biomarkers.csv", "measured_at": "week4"}))
    assert fatal(read) == [] and read.biomarkers is not None and read.biomarkers.height == 0
    assert any(f.table == "biomarkers" and f.count == 60 for f in read.findings)


def damaged(text: bytes, kind: str, rng: random.Random) -> bytes:
    """Damage a table as people and programs do."""
    lines = [line.split(b",") for line in text.split(b"\n")]
    if kind == "bytes":
        data = bytearray(text)
        for _ in range(rng.randrange(1, 20)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data)
    if kind == "cut":
        return text[: rng.randrange(len(text))]
    if kind == "header":
        rng.shuffle(lines[0])
    elif kind == "no header":
        del lines[0]
    elif kind == "column":
        which = rng.randrange(3)
        lines = [line[:which] + line[which + 1 :] for line in lines]
    else:
        for line in lines[1:]:
            line[rng.randrange(len(line))] = rng.choice([b"", b"NA", b"x", b"1,5", b"-1", b"<3", b"1e400", b'"'])
    return b"\n".join(b",".join(line) for line in lines)


@pytest.mark.parametrize("kind", ["bytes", "cut", "header", "no header", "column", "cells"])
@pytest.mark.parametrize("name", sorted(sound_files()))
def test_a_damaged_file_never_raises_and_no_finding_shows_an_id(tmp_path: Path, name: str, kind: str) -> None:
    rng = random.Random(f"{name} {kind}")
    for _ in range(3):
        read = read_in(tmp_path, {name: damaged(sound_files()[name].encode(), kind, rng)})
        assert not any("SECRET-" in finding.message for finding in read.findings)
        if not fatal(read):
            write_ingested(read, tmp_path / "ingested")
