"""Rows written twice go, with a count; one key with two contents stays fatal."""

from __future__ import annotations

from pathlib import Path

from .study_folder import fatal, only_fatal, read_in, sound_files


def test_equal_rows_are_dropped_and_counted(tmp_path: Path) -> None:
    text = sound_files()["patients.csv"]
    again = "\n".join(text.splitlines()[1:4]) + "\n"
    read = read_in(tmp_path, {"patients.csv": text + again})
    assert fatal(read) == [] and read.patients is not None and read.patients.height == 60
    found = [f for f in read.findings if "in every column" in f.message]
    assert [(f.severity, f.count) for f in found] == [("warning", 3)]
    assert read.readings is not None
    steps = read.readings.filter(table="patients", step="left out").select("rows_in", "rows_out").rows()
    assert (63, 60) in steps


def test_one_person_with_two_contents_is_fatal(tmp_path: Path) -> None:
    text = sound_files()["patients.csv"] + "SECRET-000,99,F,1,s0\n"
    assert "1 row (first: line 62) repeat an id" in only_fatal(read_in(tmp_path, {"patients.csv": text}))
