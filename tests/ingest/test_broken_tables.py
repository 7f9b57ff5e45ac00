"""A thousand tables broken by chance: no traceback, no value changed in silence, no value in a message."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nociomics.ingest.study_tables import IngestedStudy, read_study
from nociomics.tables.study import Study

from .study_folder import fatal

PEOPLE = [f"SECRET{number}ä" for number in range(8)]
# One file of each kind: header, rows of text, and what of it comes out unchanged as a number or a text.
NUMBERS = [f"{41 + i}.73{i}91" for i in range(8)]
TABLES: dict[str, tuple[list[str], list[list[str]]]] = {
    "patients": (
        ["patient_id", "age", "place", "bmi"],
        [[p, NUMBERS[i], f"SECRETtown{i} é", f"2{i}.58{i}13"] for i, p in enumerate(PEOPLE)],
    ),
    "biomarkers": (
        ["patient_id", "analyte", "value", "unit"],
        [[p, "IL-6", NUMBERS[i], "pg/mL"] for i, p in enumerate(PEOPLE)],
    ),
    "questionnaires": (["patient_id", "pcs_1", "pcs_2"], [[p, str(i % 5), str(i % 3)] for i, p in enumerate(PEOPLE)]),
    "treatments": (
        ["patient_id", "arm", "assignment"],
        [[p, ("drug", "placebo")[i % 2], "randomised"] for i, p in enumerate(PEOPLE)],
    ),
    "outcomes": (["patient_id", "pain"], [[p, NUMBERS[i]] for i, p in enumerate(PEOPLE)]),
    "blocks": (["patient_id", "p1", "p2"], [[p, NUMBERS[i], f"{i}.001234"] for i, p in enumerate(PEOPLE)]),
}
PLAIN_PATIENTS = "patient_id\n" + "\n".join(PEOPLE) + "\n"


@dataclass
class Table:
    """A table on its way to a file, with the rows that were touched."""

    header: list[str]
    rows: list[list[str]]
    touched: set[str] = field(default_factory=set)
    delimiter: str = ","
    end: str = "\n"
    encoding: str = "utf-8"
    quoted: bool = False
    zipped: bool = False
    before: str = ""
    all_touched: bool = False

    def touch(self, row: list[str]) -> None:
        self.touched |= {cell for cell in row if cell in PEOPLE}


def drop_column(table: Table, rng: random.Random) -> None:
    which = rng.randrange(len(table.header))
    table.all_touched |= which == 0
    for row in (table.header, *table.rows):
        if which < len(row):
            del row[which]


def repeat_column(table: Table, rng: random.Random) -> None:
    which = rng.randrange(len(table.header))
    for row in (table.header, *table.rows):
        row.append(row[which] if which < len(row) else "")


def other_cell(table: Table, rng: random.Random) -> None:
    row = rng.choice(table.rows)
    table.touch(row)
    cells = [
        "SECRETword",
        "1e400",
        "-99",
        "9" * 40,
        "NaN",
        "1,5",
        "\x00",
        "<3",
        "☃",
        "=1+1",
        '"',
        " ",
        "n.d.",
        "\ufeff",
    ]
    which = rng.randrange(len(row))
    # Analytes and units are words of the laboratory, which a message may show.
    labels = {"IL-6": "no analyte", "pg/mL": "no unit"}
    row[which] = labels.get(row[which]) or rng.choice(cells)


def long_row(table: Table, rng: random.Random) -> None:
    row = rng.choice(table.rows)
    table.touch(row)
    row.extend(["SECRETmore"] * rng.randrange(1, 4))


def short_row(table: Table, rng: random.Random) -> None:
    row = rng.choice(table.rows)
    table.touch(row)
    del row[rng.randrange(1, len(row) + 1) :]


def repeat_row(table: Table, rng: random.Random) -> None:
    table.rows.insert(rng.randrange(len(table.rows)), list(rng.choice(table.rows)))


def empty_lines(table: Table, rng: random.Random) -> None:
    for _ in range(rng.randrange(1, 4)):
        table.rows.insert(rng.randrange(len(table.rows) + 1), [""])


def no_header(table: Table, rng: random.Random) -> None:
    table.header = table.rows.pop(0) if len(table.rows) > 1 else table.header
    table.all_touched = True


def spaced_names(table: Table, rng: random.Random) -> None:
    table.header = [f" {name} " for name in table.header]


def no_rows(table: Table, rng: random.Random) -> None:
    table.rows = [[]]


def shuffle(table: Table, rng: random.Random) -> None:
    rng.shuffle(table.rows)


def writing(name: str, *choices: Any) -> Callable[[Table, random.Random], None]:
    def change(table: Table, rng: random.Random) -> None:
        setattr(table, name, rng.choice(choices))

    return change


BREAKS: list[Callable[[Table, random.Random], None]] = [
    drop_column, repeat_column, other_cell, other_cell, long_row, short_row, repeat_row, empty_lines, no_header,
    spaced_names, no_rows, shuffle,
    writing("delimiter", ";", "\t", "|", " "),
    writing("end", "\r\n", "\r", "\n\n", "\r\r\n"),
    writing("encoding", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252"),
    writing("quoted", True),
    writing("zipped", True),
    writing("before", "# remark, of 2024\n", "## a\n! b\n", "\n\n"),
]  # fmt: skip


def nothing(data: bytes, rng: random.Random) -> bytes:
    return data


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def beheaded(data: bytes, rng: random.Random) -> bytes:
    return data[rng.randrange(len(data)) :]


def flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 10)):
        changed[rng.randrange(len(changed))] = rng.choice(
            [0, 10, 13, 34, 44, 0x80, 0x93, 0xC3, 0xFF, rng.randrange(256)]
        )
    return bytes(changed)


def written(table: Table) -> bytes:
    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if table.quoted else text

    lines = [table.delimiter.join(cell(text) for text in row) for row in (table.header, *table.rows)]
    text = table.before + table.end.join(lines) + table.end
    data = text.encode(table.encoding, errors="replace")
    return gzip.compress(data, mtime=0) if table.zipped else data


def study_of(name: str) -> Study:
    table: Any = [{"name": "proteins", "path": "broken.csv"}] if name == "blocks" else "broken.csv"
    tables = {"patients": "plain.csv", name: table}
    return Study.model_validate({"study": "broken", "tables": tables})


def came_out(read: IngestedStudy, name: str) -> pl.DataFrame | None:
    """What was read, with the person and the columns of numbers or texts that went in."""
    if name == "blocks":
        return read.blocks.get("proteins")
    if name == "questionnaires":
        rows = read.responses
        if rows is None or rows.height == 0:
            return None
        named = rows.with_columns(item=pl.concat_str("instrument", pl.lit("_"), "item"))
        return named.pivot(on="item", index="patient_id", values="response", aggregate_function="first")
    frame: pl.DataFrame | None = getattr(read, name)
    return frame


def check(name: str, breaks: list[int], damage: Callable[[bytes, random.Random], bytes], seed: int, path: Path) -> None:
    rng = random.Random(seed)
    header, rows = TABLES[name]
    table = Table(list(header), [list(row) for row in rows])
    for which in breaks:
        if table.rows and all(table.rows):
            BREAKS[which](table, rng)
    data = damage(written(table), rng)
    (path / "plain.csv").write_text(PLAIN_PATIENTS, encoding="utf-8")
    (path / "broken.csv").write_bytes(data)
    read = read_study(study_of(name), path)
    said = [finding.message for finding in read.findings]
    secrets = [word for words in (PEOPLE, NUMBERS, ["SECRET"]) for word in words]
    assert [message for message in said for word in secrets if word in message] == []
    if damage is nothing and not table.all_touched and not fatal(read):
        _compare(came_out(read, name), name, table)


def _compare(frame: pl.DataFrame | None, name: str, table: Table) -> None:
    """Every value of an untouched row that came out is the one that went in."""
    if frame is None:
        return
    header, rows = TABLES[name]
    went_in = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    for row in frame.iter_rows(named=True):
        expected = went_in.get(row["patient_id"])
        if expected is None or row["patient_id"] in table.touched:
            continue
        written_names = {name.strip() for name in table.header} - {"patient_id", "analyte"}
        for column in [column for column in header if column in row and column in written_names]:
            value, text = row[column], expected[column]
            same = value == (float(text) if isinstance(value, float) else text)
            assert same, f"{name}.{column}"


DAMAGES = [nothing, nothing, nothing, cut, beheaded, flipped]
SHARES = {"patients": 300, "biomarkers": 140, "questionnaires": 140, "treatments": 140, "outcomes": 140, "blocks": 140}


@pytest.mark.parametrize("name", SHARES)
def test_a_broken_table_is_told_and_never_changed_in_silence(name: str, tmp_path: Path) -> None:
    @settings(
        max_examples=SHARES[name],
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        breaks=st.lists(st.integers(0, len(BREAKS) - 1), min_size=1, max_size=3),
        damage=st.sampled_from(DAMAGES),
        seed=st.integers(0, 2**32 - 1),
    )
    def run(breaks: list[int], damage: Callable[[bytes, random.Random], bytes], seed: int) -> None:
        check(name, breaks, damage, seed, tmp_path)

    run()


def test_the_sound_tables_are_sound(tmp_path: Path) -> None:
    for name in SHARES:
        check(name, [], nothing, 0, tmp_path)
        read = read_study(study_of(name), tmp_path)
        assert fatal(read) == [] and came_out(read, name) is not None


def test_a_thousand_tables_are_broken() -> None:
    assert sum(SHARES.values()) == 1000
