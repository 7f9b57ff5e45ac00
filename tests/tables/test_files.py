"""A file is written whole or not at all, and what was read is what was written."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path

import polars as pl
import pytest

from nociomics.errors import TableError
from nociomics.tables.contract import Column, Contract
from nociomics.tables.files import read_json, read_table, write_json, write_table, write_text, written_whole

SCORES = Contract("scores", (Column("patient_id"), Column("score", "number", null=True, low=0)), key=("patient_id",))
FRAME = pl.DataFrame({"patient_id": ["a", "b"], "score": [1.5, None]})


class ENOSPCError(OSError):
    """What a full disk raises."""

    def __init__(self) -> None:
        super().__init__(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_table_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "scores.parquet"
    write_table(FRAME, SCORES, path)
    assert read_table(path, SCORES).equals(FRAME)
    assert path.stat().st_mode & 0o777 == 0o644


def test_some_columns_are_read_and_checked_alone(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    FRAME.with_columns(score=pl.lit(-1.0)).write_parquet(path)
    assert read_table(path, SCORES, ["patient_id"]).equals(FRAME.select("patient_id"))
    with pytest.raises(TableError, match="below 0"):
        read_table(path, SCORES, ["patient_id", "score"])
    FRAME.select("patient_id").write_parquet(path)
    with pytest.raises(TableError, match='column "score" is missing'):
        read_table(path, SCORES, ["patient_id", "score"])


def test_the_new_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")
    with written_whole(path) as draft:
        draft.write_text("half of the n")
        assert path.read_text() == "old"
        assert draft.parent == path.parent, "a rename is whole only within one file system"
        draft.write_text("new")
    assert path.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, ValueError])
def test_an_interrupt_or_a_bug_keeps_the_old_file_and_leaves_no_draft(
    tmp_path: Path, stop: type[BaseException]
) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(stop), written_whole(path) as draft:
        draft.write_text("half")
        raise stop
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_a_full_disk_is_told_in_one_clear_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: pl.DataFrame, file: Path) -> None:
        file.write_bytes(b"PAR1")
        raise ENOSPCError

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(TableError, match=r"No space left on device.*Free some space") as caught:
        write_table(FRAME, SCORES, tmp_path / "scores.parquet")
    assert str(tmp_path / "scores.parquet") in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_at_the_rename_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")

    def full(source: Path, target: Path) -> None:
        raise ENOSPCError

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(TableError, match="No space left"):
        write_text("new", path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("not a folder")
    with pytest.raises(TableError, match="cannot be written"):
        write_text("new", tmp_path / "results" / "page.html")


def test_a_table_that_breaks_its_contract_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(TableError, match='column "score" is below 0 in 1 rows'):
        write_table(FRAME.with_columns(score=pl.lit(-3.0)).head(1), SCORES, tmp_path / "scores.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"", b"PAR1 and no more", b"patient_id,score\na,1\n"])
def test_what_is_no_parquet_is_the_users_to_mend(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "scores.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TableError, match="cannot be read as Parquet"):
        read_table(path, SCORES)


def test_a_table_is_checked_again_when_it_is_read(tmp_path: Path) -> None:
    pl.DataFrame({"patient_id": ["a", "a"], "score": [1.0, 2.0]}).write_parquet(tmp_path / "scores.parquet")
    with pytest.raises(TableError, match=r"scores\.parquet: .*1 rows repeat the key"):
        read_table(tmp_path / "scores.parquet", SCORES)


def test_json_is_the_same_text_for_the_same_content(tmp_path: Path) -> None:
    write_json({"b": [1, None], "a": "é"}, tmp_path / "one.json")
    write_json({"a": "é", "b": [1, None]}, tmp_path / "two.json")
    text = (tmp_path / "one.json").read_text(encoding="utf-8")
    assert text == '{\n  "a": "é",\n  "b": [\n    1,\n    null\n  ]\n}\n'
    assert (tmp_path / "two.json").read_text(encoding="utf-8") == text
    assert read_json(tmp_path / "one.json") == {"a": "é", "b": [1, None]}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_has_no_nan_and_no_infinity(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json({"auroc": value}, tmp_path / "metrics.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe"])
def test_broken_json_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "metrics.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TableError, match=r"metrics\.json: cannot be read as JSON"):
        read_json(path)
