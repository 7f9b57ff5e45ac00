"""Which files are read as a stream, and that nothing is lost by it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nociomics.ingest.answer_scan import answer_scans, column_names

PLAIN = b"patient_id,pcs_1,pcs_2\nA,4,\nB,NA,3\n"


def first(folder: Path, data: bytes) -> pl.LazyFrame | None:
    (folder / "a.csv").write_bytes(data)
    return next(answer_scans(folder / "a.csv"), None)


@pytest.mark.parametrize(
    "data", [PLAIN, PLAIN.rstrip(), PLAIN.replace(b"\n", b"\r\n")], ids=["plain", "no end", "crlf"]
)
def test_a_plain_file_is_scanned_with_narrow_columns(tmp_path: Path, data: bytes) -> None:
    found = first(tmp_path, data)
    assert found is not None
    assert dict(found.collect_schema()) == {"patient_id": pl.String, "pcs_1": pl.Int16, "pcs_2": pl.Int16}
    assert found.collect().rows() == [("A", 4, None), ("B", None, 3)]


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.replace(b",", b";"),
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN.replace(b"A", b'"A"'),
        PLAIN.replace(b"B,NA,3", b"B,NA"),
        PLAIN.replace(b"\nB", b"\n\nB"),
        PLAIN.replace(b"\n", b"\r"),
        PLAIN.replace(b"pcs_2", b"pcs_1"),
        b"patient_id\nA\n",
        b"",
        b"\x1f\x8b123",
    ],
    ids=["semicolon", "bom", "quotes", "short row", "blank line", "cr", "twice", "one column", "empty", "gzip"],
)
def test_other_files_are_left_to_the_reader_of_all_tables(tmp_path: Path, data: bytes) -> None:
    assert first(tmp_path, data) is None


def test_a_later_row_that_is_no_number_makes_way_for_the_next_reading(tmp_path: Path) -> None:
    many = PLAIN + b"C,1,1\n" * 20_000 + b"D,2a,1\n"
    (tmp_path / "a.csv").write_bytes(many)
    narrow, text = list(answer_scans(tmp_path / "a.csv"))
    with pytest.raises(pl.exceptions.PolarsError):
        narrow.collect()
    assert text.collect().height == 20_003


def test_parquet_is_scanned_unless_it_is_nested(tmp_path: Path) -> None:
    pl.DataFrame({"patient_id": ["A"], "pcs_1": [1]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"patient_id": ["A"], "pcs_1": [[1]]}).write_parquet(tmp_path / "b.parquet")
    assert len(list(answer_scans(tmp_path / "a.parquet"))) == 1
    assert list(answer_scans(tmp_path / "b.parquet")) == []
    assert column_names(tmp_path / "a.parquet") == ["patient_id", "pcs_1"]
    assert column_names(tmp_path / "nowhere.csv") == []
