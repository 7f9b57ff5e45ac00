"""Earlier treatments: read as written, never guessed, and not from the future."""

from __future__ import annotations

from pathlib import Path

import pytest

from nociomics.ingest.study_tables import IngestedStudy, write_ingested

from .study_folder import PEOPLE, csv_text, fatal, only_fatal, read_in, study_of

HEADER = "patient_id,drug,dose,dose_unit,route,started_at,stopped_at,response,adverse_event,stopped_for_harm"
ROWS = [
    f"{PEOPLE[0]}, Ibuprofen,400,mg,oral,2020-01-01,2020-02-01,partial,,no",
    f"{PEOPLE[0]},tramadol,50,mg,oral,2021-01-01,2021-03-01,No,nausea,yes",
    f"{PEOPLE[1]},amitriptyline,25,mg,oral,,,good,,",
    f"{PEOPLE[2]},duloxetine,30,mg,oral,2024-03-01,,,,",
]


def read(folder: Path, rows: list[str]) -> IngestedStudy:
    files: dict[str, str | bytes | None] = {"history.csv": csv_text(HEADER, rows)}
    return read_in(folder, files, study_of(treatment_history="history.csv"))


def test_the_table_keeps_its_contract_and_later_entries_are_told(tmp_path: Path) -> None:
    study = read(tmp_path, ROWS)
    assert fatal(study) == [] and study.treatment_history is not None
    assert study.treatment_history["drug"].to_list() == ["ibuprofen", "tramadol", "amitriptyline", "duloxetine"]
    assert study.treatment_history["response"].to_list() == ["partial", "none", "good", None]
    assert study.treatment_history["stopped_for_harm"].to_list() == [False, True, None, None]
    said = [f.message for f in study.findings if f.table == "treatment_history"]
    assert any("1 row (first: line 2) write the drug with capitals or spaces" in message for message in said)
    assert any("1 row (first: line 5) begin on or after" in message for message in said)
    assert not any("SECRET" in message for message in said)
    write_ingested(study, tmp_path / "ingested")
    assert (tmp_path / "ingested" / "treatment_history.parquet").exists()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("tramadol,50,mg,oral,2021-05-01,2021-03-01,no,,", "1 row (first: line 6) stop before they start"),
        ("tramadol,50,mg,oral,,,7,,", "are no word for a response"),
        ("tramadol,-1,mg,oral,,,no,,", "are below zero, which no dose can be"),
        ("tramadol,fifty,mg,oral,,,no,,", "hold text where a number belongs"),
        ("tramadol,50,mg,oral,03/04/2021,,no,,", "are not dates"),
        ("tramadol,50,mg,oral,,,no,,perhaps", "are none of 0/1"),
    ],
)
def test_a_wrong_entry_has_one_clear_message(tmp_path: Path, row: str, words: str) -> None:
    assert words in only_fatal(read(tmp_path, [*ROWS, f"{PEOPLE[4]},{row}"]))


def test_a_table_without_drugs_says_what_is_missing(tmp_path: Path) -> None:
    files: dict[str, str | bytes | None] = {"history.csv": csv_text("patient_id,drugs", [f"{PEOPLE[0]},tramadol"])}
    message = only_fatal(read_in(tmp_path, files, study_of(treatment_history="history.csv")))
    assert 'has no column "drug".' in message and 'Did you mean "drugs"?' in message
