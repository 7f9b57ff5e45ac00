"""``nociomics score``: wide or long, CSV or Parquet, scores as the contract says, problems one line each."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.cli.conftest import Command
from tests.knowledge.test_instrument_file import OWN

COLUMNS = ["patient_id", "instrument", "scale", "score", "n_valid", "prorated", "band", "status", "flags"]
WIDE = "patient_id,phq_9_1,phq_9_2,phq_9_3,phq_9_4,phq_9_5,phq_9_6,phq_9_7,phq_9_8,phq_9_9,age\n"
ROWS = "A,2,2,1,2,1,1,1,0,0,40\nB,1,1,1,1,,1,,1,0,50\nC,,,,,,,,,2,60\n"


def scores(folder: Path, nociomics: Command, text: str | bytes, *more: str, name: str = "answers.csv") -> pl.DataFrame:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    told = nociomics("score", *(more or ("phq_9",)), path, "-o", folder / "scores.parquet")
    assert (told.exit, told.out) == (0, ""), told.err
    return pl.read_parquet(folder / "scores.parquet")


def test_one_row_per_patient_and_scale(tmp_path: Path, nociomics: Command) -> None:
    found = scores(tmp_path, nociomics, WIDE + ROWS)
    assert found.columns == COLUMNS
    assert found.drop("score").rows() == [
        ("A", "phq_9", "total", 9, False, "moderate", "ok", "cutoff:>=10"),
        ("B", "phq_9", "total", 7, True, "mild", "ok", ""),
        ("C", "phq_9", "total", 1, False, None, "too_many_missing", "safety:9"),
    ]
    assert found["score"].to_list() == [10.0, pytest.approx(54 / 7), None]


@pytest.mark.parametrize("kind", ["crlf", "semicolon", "bom", "gzip", "quoted", "decimals", "latin", "parquet", "long"])
def test_every_way_of_writing_the_table_gives_the_same_scores(tmp_path: Path, nociomics: Command, kind: str) -> None:
    text = WIDE + ROWS
    frame = pl.read_csv(text.encode())
    long = frame.drop("age").unpivot(index="patient_id", variable_name="item", value_name="response")
    written: dict[str, str | bytes] = {
        "crlf": text.replace("\n", "\r\n"),
        "semicolon": text.replace(",", ";"),
        "bom": b"\xef\xbb\xbf" + text.encode(),
        "gzip": gzip.compress(text.encode()),
        "quoted": text.replace("A,2", '"A","2"'),
        "decimals": text.replace("A,2,2", "A,2.0,2.0").replace("C,", "C,NA"),
        "latin": text.replace("age", "\u00e4ge").encode("latin-1"),
        "long": long.write_csv(),
    }
    expected = scores(tmp_path, nociomics, text)
    if kind == "parquet":
        frame.write_parquet(tmp_path / "t.parquet")
        written["parquet"] = (tmp_path / "t.parquet").read_bytes()
    assert_frame_equal(scores(tmp_path, nociomics, written[kind], name=f"a.{kind}"), expected)


def test_visits_make_rows_and_a_csv_can_be_written(tmp_path: Path, nociomics: Command) -> None:
    (tmp_path / "a.csv").write_text("patient_id,visit,peg_1,peg_2,peg_3\nA,V1,7,8,6\nA,V2,1,2,3\n")
    told = nociomics("score", "peg", tmp_path / "a.csv", "-o", tmp_path / "s.csv")
    assert told.exit == 0
    assert (tmp_path / "s.csv").read_text().splitlines() == [
        "patient_id,visit,instrument,scale,score,n_valid,prorated,band,status,flags",
        'A,V1,peg,peg,7.0,3,false,,ok,""',
        'A,V2,peg,peg,2.0,3,false,,ok,""',
    ]


def test_an_index_needs_the_name_of_its_value_set(tmp_path: Path, nociomics: Command) -> None:
    text = "patient_id,eq5d_mo,eq5d_sc,eq5d_ua,eq5d_pd,eq5d_ad\nA,2,1,2,3,2\n"
    plain = scores(tmp_path, nociomics, text, "eq_5d_5l")
    assert plain.select("scale", "score", "band", "status").rows()[:2] == [
        ("index", None, None, "no_value_set"),
        ("profile", 21232.0, "21232", "ok"),
    ]
    named = scores(tmp_path, nociomics, text, "eq_5d_5l", "--value-set", "England")
    assert named.filter(pl.col("scale") == "index")["score"].to_list() == [0.73]


def test_a_definition_of_ones_own_is_used_and_its_examples_must_come_out(tmp_path: Path, nociomics: Command) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN)
    text = "patient_id,own_scale_1,own_scale_2,own_scale_3\nA,7,1,7\n"
    assert scores(tmp_path, nociomics, text, str(own))["score"].to_list() == [21.0]
    own.write_text(OWN.replace("expect: {total: 21}", "expect: {total: 15}"))
    told = nociomics("score", own, tmp_path / "answers.csv", "-o", tmp_path / "none.csv")
    assert told.exit == 1 and "own-1: total" in told.err


def test_repeated_rows_are_dropped_with_a_word(tmp_path: Path, nociomics: Command) -> None:
    (tmp_path / "a.csv").write_text("patient_id,peg_1,peg_2,peg_3\nA,7,8,6\nB,7,8,6\nA,7,8,6\n")
    told = nociomics("score", "peg", tmp_path / "a.csv", "-o", tmp_path / "s.csv")
    assert told.exit == 0 and "1 rows only repeat another row" in told.err
    assert pl.read_csv(tmp_path / "s.csv").height == 2


@pytest.mark.parametrize("layout", ["wide", "long", "text"])
def test_all_problems_are_told_at_once_without_a_value(tmp_path: Path, nociomics: Command, layout: str) -> None:
    long = "patient_id,item,response\nSECRET,1,77\nSECRET,2,often\nSECRET,3,2\nSECRET,3,3\n,3,1\n"
    wide = "patient_id,peg_1,peg_2,peg_3\nSECRET,77,often,2\n,1,1,1\n"
    (tmp_path / "a.csv").write_text(long if layout == "long" else wide.replace(",", ";") if layout == "text" else wide)
    told = nociomics("score", "peg", tmp_path / "a.csv", "-o", tmp_path / "s.csv")
    lines = told.err.strip().splitlines()
    assert told.exit == 1 and lines[0].startswith("ERROR: ")
    assert len(lines) == (5 if layout == "long" else 4)
    assert not any(word in told.err for word in ("77", "often", "SECRET", "Traceback"))
    assert not (tmp_path / "s.csv").exists()


def test_a_short_row_is_refused_not_read_as_unanswered(tmp_path: Path, nociomics: Command) -> None:
    (tmp_path / "a.csv").write_text("patient_id,peg_1,peg_2,peg_3\nA,7,8,6\nB,7,8\n")
    told = nociomics("score", "peg", tmp_path / "a.csv", "-o", tmp_path / "s.csv")
    assert told.exit == 1 and "first: line 3" in told.err
