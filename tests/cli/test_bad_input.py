"""Whatever a user hands over: exit 1, one clear message, no traceback, no patient in it, and nothing written."""

from __future__ import annotations

import errno
import gzip
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from tests.cli.conftest import Command, Told
from tests.cli.small_cohort import PEOPLE, Break, content, csv, field, files, replaced, study, target, written

LAST = "stops the run.\n", "stop the run.\n"


def assert_clear(told: Told) -> None:
    """One message for the user: no traceback, no id, no value of a patient."""
    assert told.exit == 1, told
    assert told.err.startswith("ERROR: "), told.err
    assert "Traceback" not in told.err
    assert "SECRET" not in told.err + told.out


def assert_wrote_nothing(folder: Path) -> None:
    found = [path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".log"]
    assert found == []


BAD: dict[str, tuple[Break, list[str]]] = {
    "missing table file": (content("cytokines.csv", None), ["biomarkers: cytokines.csv: does not exist"]),
    "empty table": (content("cytokines.csv", ""), ["cytokines.csv: the file is empty"]),
    "table without rows": (content("proteins.csv", "patient_id,p1\n"), ["proteins.csv", "no rows"]),
    "a patient twice": (
        field("patients.csv", 5, 0, "SECRET-000"),
        ['patients.csv, column "patient_id": 1 row (first: line 6) repeat an id'],
    ),
    "ids that are in no other table": (
        content("outcomes.csv", csv("patient_id,pain_week12", [f"SECRET-X{i},{i % 9}" for i in range(60)])),
        ['outcomes.csv, column "patient_id": none of 60 rows match'],
    ),
    "text for a number": (
        field("patients.csv", 7, 1, "SECRET"),
        ['patients.csv, column "age": 1 row (first: line 8)', "text where a number belongs"],
    ),
    "unknown unit": (
        field("cytokines.csv", 4, 3, "pg/hL"),
        ['cytokines.csv, column "unit": 1 row (first: line 5)', "pg/hL", 'Did you mean "pg/mL"?'],
    ),
    "unknown analyte": (
        field("cytokines.csv", 4, 1, "IL-66x"),
        ['cytokines.csv, column "analyte": 1 row (first: line 5)', "Known: "],
    ),
    "unknown questionnaire item": (
        replaced("questionnaires.csv", "pcs_2", "psc_2"),
        ['questionnaires.csv, column "psc_2"', 'Did you mean "pcs_2"?'],
    ),
    "item outside its range": (
        field("questionnaires.csv", 9, 1, "7"),
        ['questionnaires.csv, column "pcs_1": 1 row (first: line 10)', "0 to 4"],
    ),
    "unknown arm column": (
        target(treatment="armm"),
        ['treatments.csv: has no column "armm"', "target.treatment", 'Did you mean "arm"?'],
    ),
    "unknown outcome column": (
        target(outcome="pain_week13"),
        ['outcomes.csv: has no column "pain_week13"', 'Did you mean "pain_week12"?'],
    ),
    "outcome of one class": (
        lambda tables, asked: (
            [
                content("outcomes.csv", csv("patient_id,well", [f"{p},1" for p in PEOPLE]))(tables, asked),
                target(kind="binary", outcome="well", baseline=None)(tables, asked),
            ]
            and None
        ),
        ["outcomes.csv", "the outcome has one class only"],
    ),
    "all outcomes missing": (
        content("outcomes.csv", csv("patient_id,pain_week12", [f"{p},NA" for p in PEOPLE])),
        ["outcomes.csv", "the outcome is missing in all 60 rows"],
    ),
    "VCF without samples": (
        content("genotypes.vcf", "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"),
        ["genotypes.vcf: a VCF without samples"],
    ),
    "truncated gzip": (
        content("proteins.csv", gzip.compress(str(files()["proteins.csv"]).encode())[:-9]),
        ["proteins.csv", "truncated"],
    ),
    "truncated VCF": (
        content("genotypes.vcf", gzip.compress(str(files()["genotypes.vcf"]).encode())[:-9]),
        ["genotypes.vcf", "truncated"],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_table_is_told_before_anything_is_written(name: str, tmp_path: Path, nociomics: Command) -> None:
    change, words = BAD[name]
    folder = written(tmp_path / "study", change)
    ingested = tmp_path / "results" / "small" / "ingested"
    told = nociomics("ingest", "tables", "--study", folder.study_json, "--data", folder.path, "--output", ingested)
    assert_clear(told)
    assert [word for word in words if word not in told.err] == []
    assert told.err.endswith("1 problem stops the run.\n"), told.err
    assert not ingested.exists()
    checked = nociomics("check", folder.study)
    assert_clear(checked)
    assert checked.err == told.err, "`check` finds what a run would find"


def test_three_ids_of_600_that_match_are_not_taken_for_a_cohort(tmp_path: Path, nociomics: Command) -> None:
    people = [f"SECRET-{number}" for number in range(600)]
    shown = [person if number < 3 else person.lower() for number, person in enumerate(people)]
    (tmp_path / "patients.csv").write_text(csv("patient_id,age", [f"{person},40" for person in people]))
    (tmp_path / "proteins.csv").write_text(csv("patient_id,p1", [f"{person},1.{i}" for i, person in enumerate(shown)]))
    tables = {"patients": "patients.csv", "blocks": [{"name": "proteins", "path": "proteins.csv"}]}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({"study": "small", "tables": tables}))
    told = nociomics("check", tmp_path / "study.yaml")
    assert_clear(told)
    assert 'proteins.csv, column "patient_id": 3 of 600 rows match an id of the table patients.' in told.err
    assert "597 more ids would match if upper and lower case were the same" in told.err


def test_all_problems_of_all_tables_are_named_at_once(tmp_path: Path, nociomics: Command) -> None:
    folder = written(
        tmp_path,
        field("patients.csv", 7, 1, "SECRET"),
        field("cytokines.csv", 4, 3, "pg/hL"),
        replaced("questionnaires.csv", "pcs_2", "psc_2"),
        content("proteins.csv", None),
        target(outcome="pain_week13", treatment="armm"),
    )
    told = nociomics("check", folder.study)
    assert_clear(told)
    starts = ("ERROR: patients: ", "treatments: ", "outcomes: ", "biomarkers: ", "questionnaires: ", "block proteins: ")
    lines = told.err.splitlines()
    assert [line.split(": ", 2 if line.startswith("ERROR") else 1)[0] for line in lines[:-1]] == [
        start.removesuffix(": ").split(": ")[0] for start in starts
    ]
    assert lines[-1] == "6 problems stop the run."


def test_old_macintosh_and_latin_1_files_are_read(tmp_path: Path, nociomics: Command) -> None:
    text = str(files()["patients.csv"]).replace("s1", "Zürich").replace("\n", "\r")
    folder = written(tmp_path / "study", content("patients.csv", text.encode("latin-1")))
    ingested = tmp_path / "ingested"
    told = nociomics("ingest", "tables", "--study", folder.study_json, "--data", folder.path, "--output", ingested)
    assert (told.exit, told.err) == (0, "")
    patients = pl.read_parquet(ingested / "patients.parquet")
    assert patients.height == 60
    assert set(patients["site"]) == {"s0", "Zürich", "s2"}


def test_a_sound_study_passes_the_check(tmp_path: Path, nociomics: Command) -> None:
    told = nociomics("check", written(tmp_path).study)
    assert (told.exit, told.err) == (0, "")
    assert told.out.endswith("no problem would stop a run (60 patients).\n")
    assert "SECRET" not in told.out


def test_the_check_also_finds_what_only_harmonising_finds(tmp_path: Path, nociomics: Command) -> None:
    study = written(tmp_path).study
    study.write_text(study.read_text().replace("baseline: bpi_severity", "baseline: bpi_severityx"))
    told = nociomics("check", study)
    assert told.exit == 1
    assert (
        'target.baseline = "bpi_severityx": there is no such column' in told.err
        and 'Did you mean "bpi_severity"?' in told.err
    )
    assert "SECRET" not in told.out + told.err


# -- the study file

STUDY_FILES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "misspelt key": ({"tragets": 1}, ["tragets: is not a key of a study.", 'Did you mean "target"?']),
    "misspelt table": ({"tables": {"patients": "patients.csv", "outcome": "o.csv"}}, ['Did you mean "outcomes"?']),
    "misspelt option of a table": (
        {"tables": {"patients": {"path": "patients.csv", "colums": {}}}},
        ["tables.patients.0.colums", 'Did you mean "columns"?'],
    ),
    "misspelt setting": ({"response": {"tree": 3}}, ["response.tree", 'Did you mean "trees"?']),
    "impossible setting": ({"folds": {"outer_folds": 1}}, ["folds.outer_folds", "greater than or equal to 2"]),
    "no tables": ({"tables": None}, ["tables: "]),
}


@pytest.mark.parametrize("name", STUDY_FILES)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_wrong_study_file_names_the_key_and_the_nearest(
    name: str, command: str, tmp_path: Path, nociomics: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, words = STUDY_FILES[name]
    folder = written(tmp_path)
    folder.study.write_text(yaml.safe_dump({**study(), **keys}))
    monkeypatch.chdir(tmp_path)
    told = nociomics(command, folder.study)
    assert_clear(told)
    assert str(folder.study) in told.err
    assert [word for word in words if word not in told.err] == []
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "there is no such file"),
        ("study: [small\n", "line 2: is not valid YAML"),
        ("- study\n", "a study file is a mapping"),
        ("", "a study file is a mapping"),
        ("study: !!python/object/apply:os.system [true]\n", "is not valid YAML"),
        (b"study: \xff\n", "cannot be read"),
    ],
)
def test_a_broken_study_file_is_told(text: str | bytes | None, words: str, tmp_path: Path, nociomics: Command) -> None:
    path = tmp_path / "study.yaml"
    if text is not None:
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    told = nociomics("check", path)
    assert_clear(told)
    assert words in told.err


# -- the whole run, as users start it


def run(folder: Path, *words: object, **limits: Any) -> Told:
    """Run a command in a process of its own."""
    program = Path(sys.executable).with_name("nociomics")
    ended = subprocess.run(
        [str(program), *(str(word) for word in words)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        **limits,
    )
    return Told(ended.returncode, ended.stdout, ended.stderr)


def last_message(told: Told) -> Told:
    """The run's message, without the lines of its progress before."""
    at = told.err.find("ERROR: ")
    assert at >= 0, told
    return Told(told.exit, told.out, told.err[at:])


def test_a_run_tells_what_its_step_found_and_leaves_no_table(tmp_path: Path) -> None:
    folder = written(tmp_path / "study", field("cytokines.csv", 4, 3, "pg/hL"), field("patients.csv", 7, 1, "SECRET"))
    told = last_message(run(tmp_path, "run", folder.study, "--cores", "1"))
    assert_clear(told)
    assert "ERROR: patients: patients.csv" in told.err
    assert "\nbiomarkers: cytokines.csv" in told.err
    assert told.err.endswith("2 problems stop the run.\n")
    ingested = tmp_path / "results" / "small" / "ingested"
    assert list(ingested.glob("*.parquet")) == [], "what was converted may stand in a folder below"
    log = (tmp_path / "results" / "small" / "logs" / "ingest_tables.log").read_text(encoding="utf-8")
    assert "SECRET" not in log


def test_a_run_names_every_missing_file_before_it_starts(tmp_path: Path, nociomics: Command) -> None:
    folder = written(tmp_path / "study", content("cytokines.csv", None), content("proteins.csv", None))
    told = nociomics("run", folder.study)
    assert_clear(told)
    assert "2 files are missing" in told.err
    assert "tables.biomarkers" in told.err and "tables.blocks" in told.err
    assert "paths (they are relative to data_root)" in told.err


@pytest.mark.parametrize("blocked", ["results", "results/small"])
def test_a_results_folder_that_cannot_be_made_is_told(
    blocked: str, tmp_path: Path, nociomics: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path / "study")
    (tmp_path / blocked).parent.mkdir(exist_ok=True)
    (tmp_path / blocked).write_text("a file in the place of the folder")
    monkeypatch.chdir(tmp_path)
    told = nociomics("run", folder.study)
    assert_clear(told)
    assert "cannot be written" in told.err and "choose another folder" in told.err


def test_a_folder_that_another_run_has_locked_is_told(
    tmp_path: Path, nociomics: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(command: list[str], log: Path) -> int:
        log.write_text("LockException:\nError: Directory cannot be locked.\n", encoding="utf-8")
        return 1

    folder = written(tmp_path / "study")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nociomics.cli.run._with_progress", locked)
    told = nociomics("run", folder.study)
    assert_clear(told)
    assert "another run is at work here" in told.err and "`-- --unlock` once" in told.err


def fill_the_disk(monkeypatch: pytest.MonkeyPatch, inside: Path, after: int) -> list[Path]:
    """Refuse to write Parquet below a folder after some files, having written a part of the next; those written."""
    written_before: list[Path] = []
    write = pl.DataFrame.write_parquet

    def full(frame: pl.DataFrame, file: Path) -> None:
        if inside not in Path(file).parents:
            write(frame, file)
            return
        Path(file).write_bytes(b"PAR1")
        if len(written_before) == after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written_before.append(file)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    return written_before


def test_a_disk_that_is_full_leaves_nothing_half_written(
    tmp_path: Path, nociomics: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path / "study")
    ingested = tmp_path / "ingested"
    fill_the_disk(monkeypatch, ingested, after=1)
    told = nociomics("ingest", "tables", "--study", folder.study_json, "--data", folder.path, "--output", ingested)
    assert_clear(told)
    assert "No space left on device" in told.err and "Free some space" in told.err
    assert [path.name for path in ingested.iterdir()] == ["patients.parquet"], "what was whole before, and no draft"


@pytest.mark.parametrize("after", [0, 1])
def test_a_disk_that_is_full_leaves_no_part_of_a_store(
    after: int, tmp_path: Path, nociomics: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path / "study")
    store = tmp_path / "stores" / "1"
    fill_the_disk(monkeypatch, tmp_path / "stores", after)
    told = nociomics("genotypes", folder.path / "genotypes.vcf", "-o", store)
    assert_clear(told)
    assert "No space left on device" in told.err and "Free some space" in told.err
    assert list((tmp_path / "stores").iterdir()) == []


def test_a_file_that_may_not_grow_is_told_as_a_full_disk_is(tmp_path: Path) -> None:
    folder = written(tmp_path / "study")
    words = ("ingest", "tables", "--study", folder.study_json, "--data", folder.path, "--output", tmp_path / "ingested")
    told = run(tmp_path, *words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))
    assert_clear(last_message(told))
    assert "cannot be written" in told.err
    assert_wrote_nothing(tmp_path / "ingested")


# -- the other commands


def test_an_unknown_bundle_is_told(tmp_path: Path, nociomics: Command) -> None:
    folder = written(tmp_path / "study")
    (tmp_path / "empty").mkdir()
    for model in (tmp_path / "nowhere", tmp_path / "empty"):
        told = nociomics("predict", model, folder.study, "-o", tmp_path / "out" / "predictions.parquet")
        assert_clear(told)
        assert f"{model}: is not an exported model" in told.err
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["score", "pcss", "questionnaires.csv", "-o", "out.csv"], 'no instrument "pcss". Did you mean "pcs"?'),
        (["score", "pcs", "cytokines.csv", "-o", "out.csv"], "No column is an item of pcs"),
        (["score", "pcs", "nowhere.csv", "-o", "out.csv"], "nowhere.csv"),
        (["score", "pcs", "long.csv", "-o", "out.csv"], 'long.csv: has no column response. Did you mean "respons"?'),
        (["score", "pcs", "questionnaires.csv", "-o", "out.doc"], "ends in .csv or .parquet"),
        (["biomarkers", "nowhere.csv", "-o", "out.csv"], "nowhere.csv"),
        (["biomarkers", "patients.csv", "-o", "out.csv"], "patients.csv: has no column analyte, value, unit"),
        (["genotypes", "nowhere.vcf", "-o", "out"], "nowhere.vcf"),
        (["genotypes", "patients.csv", "-o", "out"], "patients.csv"),
        (["pgx", "-o", "out"], "Give a genotype file, --diplotypes, or both"),
        (["pgx", "nowhere.vcf", "-o", "out"], "nowhere.vcf"),
        (["simulate", "out", "--scale", "village"], "cannot be simulated: choose cohort or biobank"),
        (["simulate", "out", "--mechanism", "magic"], "magic"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_every_command_tells_what_is_wrong(
    words: list[str], said: str, tmp_path: Path, nociomics: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path)
    (folder.path / "long.csv").write_text("patient_id,item,respons\nSECRET-001,1,3\n")
    monkeypatch.chdir(folder.path)
    told = nociomics(*words)
    assert_clear(told)
    assert said in told.err
    assert [
        path.name for path in tmp_path.iterdir() if path.name.startswith("out") and path.name != "outcomes.csv"
    ] == []
