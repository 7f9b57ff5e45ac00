"""How a table is written never changes what is read."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nociomics.ingest.content import UnreadableTable
from nociomics.ingest.delimited import read_raw
from nociomics.ingest.notes import ROW
from nociomics.tables.study import TableSource
from tests.conftest import examples


def read(path: Path, **described: object) -> pl.DataFrame:
    return read_raw(path, TableSource.model_validate({"path": path.name, **described}))


cells = st.text(st.sampled_from("abcÄé012.,;\t \"'-"), min_size=1, max_size=6).filter(
    lambda text: text.strip() == text and text.lower() not in ("na", "nan")
)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width + 1, max_size=width + 1), min_size=1, max_size=5)
)


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=tables,
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16"]),
    zipped=st.booleans(),
    last=st.booleans(),
)
def test_line_ends_encodings_delimiters_and_gzip_change_nothing(
    tmp_path: Path, rows: list[list[str]], delimiter: str, end: str, encoding: str, zipped: bool, last: bool
) -> None:
    header = [f"c{number}" for number in range(len(rows[0]))]
    text = end.join(delimiter.join(quoted(cell) for cell in row) for row in [header, *rows]) + (end if last else "")
    data = text.encode(encoding)
    path = tmp_path / "table.bin"
    path.write_bytes(gzip.compress(data) if zipped else data)
    frame = read(path)
    assert frame.columns == [ROW, *header]
    assert frame.drop(ROW).rows() == [tuple(row) for row in rows]
    assert frame[ROW].to_list() == list(range(2, len(rows) + 2))


def test_latin_1_with_carriage_returns_works(tmp_path: Path) -> None:
    path = tmp_path / "mac.csv"
    path.write_bytes("patient_id;ort\rP1;Köln\rP2;Orléans\r".encode("latin-1"))
    assert read(path).rows() == [(2, "P1", "Köln"), (3, "P2", "Orléans")]


def test_the_row_number_is_the_line_of_the_file_even_behind_blank_lines_and_broken_texts(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n\n1,"two\nlines"\n\n2,x\n')
    assert read(path).rows() == [(3, "1", "two\nlines"), (6, "2", "x")]


def test_missing_words_are_null_and_nothing_is_trimmed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,c,d,e,f\nNA,nan,, <x>,-9, P1 \n")
    assert read(path, missing=["-9"]).rows() == [(2, None, None, None, " <x>", None, " P1 ")]


def test_row_names_without_a_header_become_a_column_without_a_name(tmp_path: Path) -> None:
    path = tmp_path / "r.txt"
    path.write_text("age\tsex\nP1\t30\tF\nP2\t31\tM\n")
    assert read(path).columns == [ROW, "", "age", "sex"]


def test_parquet_and_excel_are_known_by_content(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    pl.DataFrame({"patient_id": ["P1", "P2"], "age": [30, None]}).write_parquet(path)
    assert read(path).rows() == [(1, "P1", "30"), (2, "P2", None)]
    path.write_bytes(excel(["patient_id", "age"], ["P1", "30"]))
    assert read(path).rows() == [(2, "P1", "30")]
    with pytest.raises(UnreadableTable, match=r'no sheet "Shet1".*Did you mean "Sheet1"'):
        read(path, sheet="Shet1")


def excel(*rows: list[str]) -> bytes:
    """The smallest workbook: one sheet of inline texts."""
    import io
    import zipfile

    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    lines = "".join(
        f'<row r="{r}">'
        + "".join(f'<c r="{chr(64 + c)}{r}" t="inlineStr"><is><t>{text}</t></is></c>' for c, text in enumerate(row, 1))
        + "</row>"
        for r, row in enumerate(rows, 1)
    )
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{types}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{types}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {space} xmlns:r="{office}"><sheets><sheet name="Sheet1" sheetId="1" '
        'r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f"<worksheet {space}><sheetData>{lines}</sheetData></worksheet>",
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as book:
        for name, text in parts.items():
            book.writestr(name, text)
    return stream.getvalue()


BROKEN = {
    "no file": (None, "does not exist"),
    "nothing in it": (b"  \n", "the file is empty"),
    "header only": (b"a,b\n", "has a header but no rows"),
    "ragged": (b"a,b\n1,2\n1\n1,2,3\n", r"2 rows \(first: line 3, with 1 fields\)"),
    "open quotation mark": (b'a,b\n1,2\n"1\n3,4\n', "A quotation mark is never closed"),
    "two columns of one name": (b"a,b,a\n1,2,3\n", r"1 column names appear more than once \(first: field 3"),
    "cut gzip": (gzip.compress(b"a,b\n1,2\n")[:-5], "gzip file is truncated"),
    "cut Parquet": (b"PAR1xxxx", "cannot be read as Parquet"),
    "cut Excel": (b"PK\x03\x04xxxx", "cannot be read as Excel"),
    "no text": (b"\x00\x01\x02 x", r"holds zero bytes \(first: line 1\)"),
}


@pytest.mark.parametrize(("data", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_file_that_is_no_table_is_named(tmp_path: Path, data: bytes | None, words: str) -> None:
    path = tmp_path / "t.csv"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UnreadableTable, match=words) as raised:
        read(path)
    assert str(raised.value).startswith("t.csv: ")


WRITTEN = {
    "Windows-1252 between 0x80 and 0x9f": "a,b\n1,“x” – 5 €\n".encode("cp1252"),
    "UTF-16 without a mark": "a,b\n1,“x” – 5 €\n".encode("utf-16-le"),
    "big-endian UTF-16": "a,b\n1,“x” – 5 €\n".encode("utf-16-be"),
    "mixed line ends": "a,b\r\n\r1,“x” – 5 €\n".encode(),
    "remarks above the header": "# of, 2024\n!a,b\n##\na,b\n1,“x” – 5 €\n".encode(),
    "delimiters at the end of all lines": "a,b,\n1,“x” – 5 €,\n".encode(),
    "delimiters at the end of the rows": "a,b\n1,“x” – 5 €,\n".encode(),
    "a delimiter at the end of the header": "a,b,\n1,“x” – 5 €\n".encode(),
    "spaces around names": ' a ,"b "\n1,“x” – 5 €\n'.encode(),
}


@pytest.mark.parametrize("data", WRITTEN.values(), ids=WRITTEN.keys())
def test_other_ways_of_writing_the_same_table(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    frame = read(path)
    assert frame.columns == [ROW, "a", "b"]
    assert frame.drop(ROW).rows() == [("1", "“x” – 5 €")]


def test_names_of_a_header_that_begins_with_a_hash_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("##made by a program\n#id\tage\nP1\t30\n")
    assert read(path).rows(named=True) == [{ROW: 3, "#id": "P1", "age": "30"}]


def test_columns_parted_by_spaces_are_read_where_nothing_else_can_be_meant(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("id    age  sex\nP1     30    F\nP10     9    M\n")
    assert read(path).drop(ROW).rows() == [("P1", "30", "F"), ("P10", "9", "M")]
    path.write_text('"age" "sex" "town"\n"P1" 30 "F" "New York"\n')
    assert read(path).drop(ROW).rows() == [("P1", "30", "F", "New York")]
    path.write_text("full name\nAnn Lee\nBo Ek\n")
    assert read(path).columns == [ROW, "full name"]


UNSURE = {
    "a quotation mark inside": (b'a,b\n1,2\n"x" y,3\n', "line 3 has a quotation mark inside a field"),
    "two encodings": ("a,b\n1,é\n".encode() + "2,é\n".encode("latin-1"), r"1 bytes \(first: line 3\) are not UTF-8"),
    "a zero byte at the end": (b"a,b\n" + b"1,2\n" * 5000 + b"\x00,1\n", r"holds zero bytes \(first: line 5002\)"),
}


@pytest.mark.parametrize(("data", "words"), UNSURE.values(), ids=UNSURE.keys())
def test_what_could_be_read_in_two_ways_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(UnreadableTable, match=words):
        read(path)


def test_inches_are_no_quotation_marks(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n5" nail,1\n3" and 4" nail,2\n')
    assert read(path)["a"].to_list() == ['5" nail', '3" and 4" nail']


def test_blocks_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [[f"P{number}", f"text {number}\nof two, lines", str(number)] for number in range(200)]
    lines = [",".join(quoted(cell) for cell in row) for row in [["id", "a", "b"], *rows]]
    path = tmp_path / "t.csv"
    path.write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    whole = read(path)
    monkeypatch.setattr("nociomics.ingest.text_encoding.BLOCK_BYTES", 37)
    assert read(path).equals(whole)
    assert whole.drop(ROW).rows() == [tuple(row) for row in rows]
    assert whole[ROW].to_list() == list(range(2, 402, 2))


def test_an_old_excel_file_keeps_dates_and_whole_numbers() -> None:
    path = Path(__file__).parents[1] / "data" / "people.xls"
    frame = read(path)
    assert frame.rows()[0] == (2, "1", "2023-01-01", "30", "21.5")
    assert frame["visited"].to_list() == ["2023-01-01", "2023-01-02", "2023-01-03"]
