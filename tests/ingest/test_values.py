"""Numbers as they are written: decimal marks that are said, and codes for missing that are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from nociomics.ingest.study_tables import IngestedStudy

from .study_folder import PEOPLE, csv_text, fatal, only_fatal, read_in, study_of


def proteins(folder: Path, values: list[str], **described: object) -> IngestedStudy:
    """The small study with one protein; the first values as given, all further ones in the same style."""
    rest = values[-1]
    rows = [f"{p};{values[i] if i < len(values) else rest}" for i, p in enumerate(PEOPLE)]
    source = {"name": "proteins", "path": "proteins.csv", **described}
    return read_in(folder, {"proteins.csv": csv_text("patient_id;p1", rows)}, study_of(blocks=[source]))


@pytest.mark.parametrize(
    ("mark", "values", "numbers"),
    [
        (",", ["1,234", "2,5", "1.234,5", "3"], [1.234, 2.5, 1234.5, 3.0]),
        (".", ["1,234", "2.5", "1,234.5", "3"], [1234.0, 2.5, 1234.5, 3.0]),
    ],
)
def test_a_decimal_mark_that_is_said_leaves_no_doubt(
    tmp_path: Path, mark: str, values: list[str], numbers: list[float]
) -> None:
    read = proteins(tmp_path, values, decimal=mark)
    assert fatal(read) == [] and read.blocks["proteins"]["p1"].to_list()[:4] == numbers


def test_thousands_or_decimals_are_refused_while_nothing_is_said(tmp_path: Path) -> None:
    message = only_fatal(proteins(tmp_path, ["1,234", "2,345"]))
    assert 'say decimal: "," or decimal: "."' in message


def test_usual_words_for_missing_are_named_and_others_never_shown(tmp_path: Path) -> None:
    message = only_fatal(proteins(tmp_path, ["n.d.", "SECRET", "NULL", "1.5"]))
    assert 'such as missing: ["NULL", "n.d."]' in message
    read = proteins(tmp_path, ["n.d.", ".", "1.5"], missing=["n.d.", "."])
    assert fatal(read) == [] and read.blocks["proteins"]["p1"].null_count() == 2


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["999", "1.5", "2.5", "3.5"], True),
        (["-9", "1.5", "2.5", "3.5"], True),
        (["99", "18", "80", "64"], False),
        (["-9", "-3.5", "2.5", "3.5"], False),
    ],
)
def test_usual_codes_far_from_the_rest_are_told_and_stay(tmp_path: Path, values: list[str], told: bool) -> None:
    rows = [f"{p},{values[i] if i < len(values) else values[-1]}" for i, p in enumerate(PEOPLE)]
    study = study_of()
    study["target"] = None
    read = read_in(tmp_path, {"patients.csv": csv_text("patient_id,stiffness", rows)}, study)
    found = [f for f in read.findings if "far outside the others" in f.message]
    assert fatal(read) == [] and [(f.severity, f.count) for f in found] == [("warning", 1)] * told
    assert read.patients is not None and read.patients["stiffness"][0] == float(values[0])


def test_labels_that_look_like_numbers_stay_text(tmp_path: Path) -> None:
    rows = [f"{p},00{i % 3}" for i, p in enumerate(PEOPLE)]
    files: dict[str, str | bytes | None] = {"patients.csv": csv_text("patient_id,ward", rows)}
    study = study_of(patients={"path": "patients.csv", "as_text": ["ward"]})
    study["target"] = None
    read = read_in(tmp_path, files, study)
    assert read.patients is not None and read.patients["ward"].unique().sort().to_list() == ["000", "001", "002"]


def test_types_of_pain_are_unified_only_where_exact(tmp_path: Path) -> None:
    words = ["Neuropathic", "mixed", "Unknown", "", "visceral"]
    rows = [f"{p},{words[i % 5]}" for i, p in enumerate(PEOPLE)]
    study = study_of()
    study["target"] = None
    read = read_in(tmp_path, {"patients.csv": csv_text("patient_id,pain_type", rows)}, study)
    assert read.patients is not None
    assert read.patients["pain_type"].to_list()[:5] == ["neuropathic", "mixed", "unknown", None, "visceral"]
    assert [f.count for f in read.findings if "type of pain otherwise" in f.message] == [24]
