"""The fast reader gives what the reader of text gives, or nothing at all."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nociomics.ingest.delimited import read_raw
from nociomics.ingest.matrix import Matrix, read_matrix
from nociomics.tables.study import TableSource
from tests.conftest import examples

LABELS = ("gene", "patient_id", "", "ID_REF")


def matrix(folder: Path, content: bytes, **described: object) -> Matrix | None:
    (folder / "m").write_bytes(content)
    source = TableSource.model_validate({"path": "m", **described})
    return read_matrix(folder / "m", source, lambda name: name in LABELS, np.float64)


SOUND: dict[str, tuple[bytes, dict[str, object]]] = {
    "tabs": (b"gene\tA\tB\nG1\t1\t2\nG2\t3\t4\n", {}),
    "commas and quotes": (b'"gene","A","B"\n"G1","1","2"\n"G2","3","4"\n', {}),
    "only names quoted": (b'"gene","A","B"\n"G1",1,2\n"G2",3,4\n', {}),
    "R row names": (b'"A" "B"\n"G1" 1 2\n"G2" 3 4\n'.replace(b" ", b"\t"), {}),
    "line ends of Windows": (b"gene\tA\tB\r\nG1\t1\t2\r\nG2\t3\t4", {}),
    "line ends of old Macs": (b"gene\tA\tB\rG1\t1\t2\rG2\t3\t4\r", {}),
    "byte order mark": (b"\xef\xbb\xbfgene;A;B\nG1;1;2\nG2;3;4\n", {}),
    "decimal commas": (b"gene;A;B\nG1;1,0;2\nG2;3;4,00\n", {}),
    "declared decimal commas": (b"gene;A;B\nG1;1,000;2\nG2;3,000;4\n", {"decimal": ","}),
    "a blank line": (b"gene\tA\tB\nG1\t1\t2\n\nG2\t3\t4\n\n", {}),
    "numbers of any kind": (b"gene\tA\tB\nG1\t 1\t2.0\nG2\t3e0\t+4 \n", {}),
    "gzip": (gzip.compress(b"gene\tA\tB\nG1\t1\t2\nG2\t3\t4\n"), {}),
    "a series matrix of GEO": (
        b'!Series_title\t"x"\n!Sample_title\t"a, b"\t"c"\n\n!series_matrix_table_begin\n"ID_REF"\t"A"\t"B"\n'
        b'"G1"\t1\t2\n"G2"\t3\t4\n!series_matrix_table_end\n',
        {},
    ),
}


@pytest.mark.parametrize("content", SOUND.values(), ids=SOUND)
def test_a_table_of_numbers_is_read_however_it_is_written(
    tmp_path: Path, content: tuple[bytes, dict[str, object]]
) -> None:
    found = matrix(tmp_path, content[0], **content[1])
    assert found is not None
    assert found.labels[:, 1].to_list() == ["G1", "G2"] and found.names == ["A", "B"]
    assert found.values.tolist() == [[1, 2], [3, 4]]


def test_rows_keep_the_lines_on_which_they_stand(tmp_path: Path) -> None:
    found = matrix(tmp_path, b"gene\tA\n\nG1\t1\n\n\nG2\t2\n")
    assert found is not None and found.labels["__row"].to_list() == [3, 6]


def test_missing_words_are_missing(tmp_path: Path) -> None:
    found = matrix(tmp_path, b"gene\tA\tB\tC\tD\nG1\t\tNA\tnan\t1\nG2\t-9\tn/a\t-9.0\t2\n", missing=["-9", "n/a"])
    assert found is not None
    np.testing.assert_array_equal(found.values, [[np.nan, np.nan, np.nan, 1], [np.nan, np.nan, -9, 2]])


LEFT_TO_THE_READER_OF_TEXT = {
    "a short row": b"gene\tA\tB\nG1\t1\t2\nG2\t3\n",
    "a long row": b"gene\tA\tB\nG1\t1\t2\nG2\t3\t4\t5\n",
    "widths that make up for each other": b"gene\tA\tB\nG1\t1\t2\nG2\t3\t4\t5\nG3\t6\n",
    "text among numbers": b"gene\tA\tB\nG1\t1\t2\nG2\tx\t4\n",
    "an infinite number": b"gene\tA\tB\nG1\t1\t2\nG2\tinf\t4\n",
    "commas that may part thousands": b"gene;A;B\nG1;1,234;2\nG2;3;4\n",
    "points and commas": b"gene;A;B\nG1;1,5;2\nG2;3.5;4\n",
    "a column name twice": b"gene\tA\tA\nG1\t1\t2\n",
    "no rows": b"gene\tA\tB\n",
    "nothing": b"",
    "no number": b"gene\tA\nG1\tx\n",
    "a cut gzip file": gzip.compress(b"gene\tA\tB\nG1\t1\t2\nG2\t3\t4\n")[:-6],
    "an underscore": b"gene\tA\tB\nG1\t1\t1_000\n",
    "Latin-1": "gene\tA\tB\nGène\t1\t2\n".encode("latin-1"),
}


@pytest.mark.parametrize("content", LEFT_TO_THE_READER_OF_TEXT.values(), ids=LEFT_TO_THE_READER_OF_TEXT)
def test_what_is_not_plainly_a_matrix_is_left_to_the_reader_of_text(tmp_path: Path, content: bytes) -> None:
    assert matrix(tmp_path, content) is None


def test_a_missing_file_is_left_to_the_reader_of_text(tmp_path: Path) -> None:
    assert read_matrix(tmp_path / "none", TableSource.model_validate({"path": "none"}), bool) is None


def test_parquet_keeps_its_numbers(tmp_path: Path) -> None:
    frame = pl.DataFrame({"patient_id": [7, 8], "batch": ["x", None], "G1": [1, None], "G2": [0.5, 1.5]})
    frame.write_parquet(tmp_path / "m")
    found = matrix(tmp_path, (tmp_path / "m").read_bytes())
    assert found is not None and found.labels.rows() == [(1, "7", "x"), (2, "8", None)]
    np.testing.assert_array_equal(found.values, [[1, 0.5], [np.nan, 1.5]])


def test_many_lines_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nociomics.ingest.matrix._PIECE", 40)
    rows = [f"G{row}\t{row}\t{row / 8 if row == 30 else 2 * row}" for row in range(60)]
    found = matrix(tmp_path, "\n".join(["gene\tA\tB", *rows]).encode())
    assert found is not None and found.values[:, 0].tolist() == list(range(60))
    assert found.values[29:32, 1].tolist() == [58, 3.75, 62]


CELL = st.one_of(
    st.integers(0, 10**9).map(str),
    st.floats(-1e6, 1e6, allow_nan=False).map(repr),
    st.sampled_from(["", "NA", "nan", " 5", "-0", "007", "1e-3", "123456789012"]),
)


@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=6), st.sampled_from(["\t", ";", ","]))
def test_both_readers_agree(tmp_path: Path, cells: list[list[str]], mark: str) -> None:
    lines = [mark.join(["gene", "A", "B", "C"])] + [mark.join([f"g{row}", *some]) for row, some in enumerate(cells)]
    content = "\n".join(lines).encode()
    found = matrix(tmp_path, content, delimiter=mark)
    text = read_raw(tmp_path / "m", TableSource.model_validate({"path": "m", "delimiter": mark}))
    plain = text.select(pl.col("A", "B", "C").str.strip_chars().cast(pl.Float64)).fill_null(float("nan")).to_numpy()
    assert found is not None and found.labels["gene"].to_list() == text["gene"].to_list()
    np.testing.assert_array_equal(found.values, plain)
