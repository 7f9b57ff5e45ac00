"""Scores straight from a wide table: the same numbers and words as from a long one, and a plan that can stream."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from nociomics.errors import TableError
from nociomics.harmonise.instrument_scores import score_table
from nociomics.harmonise.wide_scores import (
    PARTS,
    WideAnswers,
    checked_answers,
    long_scores,
    rows_that_recur,
    wide_answers,
    wide_scores,
)
from nociomics.knowledge.instrument import Instrument, load_instruments
from tests.conftest import examples

ALL = load_instruments()


def column(instrument: Instrument, item: str) -> str:
    return f"{instrument.id}_{item}".lower()


def long_table(wide: pl.DataFrame, instrument: Instrument) -> pl.DataFrame:
    items = {column(instrument, item): item for item in instrument.items}
    index = [name for name in ("patient_id", "visit") if name in wide.columns]
    text = wide.with_columns(pl.col(list(items)).cast(pl.String))
    long = text.unpivot(list(items), index=index, variable_name="item", value_name="response")
    return long.with_columns(pl.col("item").replace(items))


def scored(wide: pl.DataFrame | pl.LazyFrame, instrument: Instrument, value_set: str | None = None) -> pl.DataFrame:
    answers, _ = checked_answers(wide_answers(wide.lazy(), {instrument.id: instrument}))
    return long_scores(answers, value_set).collect(engine="streaming")


@st.composite
def tables(draw):
    """An instrument and answers of a few people, as text or as numbers."""
    instrument = ALL[draw(st.sampled_from(sorted(ALL)))]
    rows = draw(st.integers(1, 4))
    columns = {"patient_id": [f"P{row}" for row in range(rows)]}
    as_text = draw(st.booleans())
    types = {}
    for item in instrument.items.values():
        if item.kind == "clock":
            allowed, kind = ["23:15", "07:00", "6:30 am", "11.40 p.m.", "12:05 am"], pl.String
        elif item.kind == "coded":
            allowed, kind = [*item.codes], pl.String
        else:
            allowed = [str(number) for number in range(int(item.low), int(item.high) + 1)][:30]
            kind = draw(st.sampled_from([pl.Int8, pl.Int64, pl.Float64])) if max(item.high, 0) < 128 else pl.Int64
        answers = st.lists(st.one_of(st.none(), *[st.sampled_from(allowed)] * 3), min_size=rows, max_size=rows)
        name = column(instrument, item.id)
        columns[name] = draw(answers)
        types[name] = pl.String if as_text else kind
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return instrument, frame.with_columns(pl.col(name).cast(kind) for name, kind in types.items())


@settings(max_examples=examples(30), deadline=None)
@given(tables(), st.sampled_from([None, "USA", "Canada", "Netherlands"]))
def test_a_wide_table_gives_what_the_long_one_gives(case, value_set):
    instrument, wide = case
    expected, _ = score_table(long_table(wide, instrument), instrument, value_set)
    assert_frame_equal(scored(wide, instrument, value_set), expected, check_row_order=False, abs_tol=1e-12)


@settings(max_examples=examples(15), deadline=None)
@given(tables())
def test_wide_and_long_results_of_one_table_agree(case):
    instrument, wide = case
    answers = wide_answers(wide.lazy(), {instrument.id: instrument})
    row = wide_scores(answers, PARTS).collect().row(0, named=True)
    for said in long_scores(answers).collect().filter(pl.col("patient_id") == "P0").iter_rows(named=True):
        name = f"{instrument.feature_prefix}_{said['scale']}"
        assert [row[name], *[row[f"{name}_{part}"] for part in PARTS[1:]]] == [said[part] for part in PARTS]


@pytest.mark.parametrize("instrument", ALL.values(), ids=list(ALL))
def test_worked_examples(instrument):
    for example in instrument.examples:
        answers = {column(instrument, item): answer for item, answer in example.responses.items()}
        wide = pl.DataFrame({"patient_id": "P1", **answers}, schema_overrides=dict.fromkeys(answers, pl.String))
        found = {row["scale"]: row for row in scored(wide, instrument).iter_rows(named=True)}
        for scale, expected in example.expect.items():
            if scale.startswith("index_"):
                index = scored(wide, instrument, scale.removeprefix("index_"))
                assert index.filter(pl.col("scale") == "index")["score"][0] == expected
            elif isinstance(expected, str):
                assert found[scale]["band"] == expected
            else:
                assert found[scale]["score"] == (None if expected is None else pytest.approx(expected, abs=1e-6))


def nodes(plan: pl.LazyFrame, colour: str) -> list[str]:
    drawn = plan.show_graph(engine="streaming", plan_stage="physical", raw_output=True, show=False)
    return [line for line in drawn.splitlines() if f'fillcolor="{colour}"' in line]


@pytest.mark.parametrize("text", [False, True], ids=["numbers", "text"])
@pytest.mark.parametrize("instrument", ALL.values(), ids=list(ALL))
def test_every_instrument_streams(instrument, text, tmp_path):
    kinds = {
        column(instrument, i.id): pl.String if text or i.kind == "clock" else pl.Int8 for i in instrument.items.values()
    }
    path = tmp_path / "t.parquet"
    pl.DataFrame(schema={"patient_id": pl.String, **kinds}).write_parquet(path)
    known = wide_answers(pl.scan_parquet(path), {instrument.id: instrument})
    answers = WideAnswers(known.frame, known.items, left_out=(1, 2))
    for plan in (wide_scores(answers, PARTS, "Canada"), long_scores(answers, "Canada")):
        assert nodes(plan, "0.0 0.3 1.0") == []  # would be taken to the in-memory engine
    assert nodes(pl.scan_parquet(path).select(pl.first().replace_strict({"a": 1}, default=None)), "0.0 0.3 1.0")


PEG = {"patient_id": ["A", "B"], "peg_1": [7, None], "peg_2": [8, 2], "peg_3": [6, 2]}


def test_small_integers_do_not_overflow():
    fiqr = ALL["fiqr"]
    wide = pl.DataFrame({"patient_id": "A", **{column(fiqr, i): pl.Series([10], dtype=pl.Int8) for i in fiqr.items}})
    assert scored(wide, fiqr).filter(pl.col("scale") == "total")["score"].to_list() == [100.0]


def test_nan_is_missing_and_a_missing_column_is_not_answered():
    wide = pl.DataFrame(PEG).with_columns(peg_1=pl.Series([7.0, float("nan")])).drop("peg_3")
    assert scored(wide, ALL["peg"]).select("n_valid", "status").rows() == [
        (2, "incomplete_block"),
        (1, "incomplete_block"),
    ]


def test_visits_are_scored_apart_and_ids_become_text():
    wide = pl.DataFrame({**PEG, "patient_id": [1, 1], "visit": ["baseline", "week12"]})
    assert scored(wide, ALL["peg"]).select("patient_id", "visit", "score").rows() == [
        ("1", "baseline", 7.0),
        ("1", "week12", None),
    ]


def test_rows_that_repeat_another_are_left_out_and_counted():
    wide = pl.DataFrame(PEG)
    answers, findings = checked_answers(wide_answers(pl.concat([wide, wide[:1]]).lazy(), {"peg": ALL["peg"]}))
    assert [(finding.severity, finding.count) for finding in findings] == [("warning", 1)]
    assert long_scores(answers).collect()["patient_id"].to_list() == ["A", "B"]


def test_rows_of_one_person_that_differ_are_refused():
    wide = pl.DataFrame({**PEG, "patient_id": ["A", "A"]})
    with pytest.raises(TableError, match=r"1 rows \(first: row 2\) answer differently for the same patient"):
        scored(wide, ALL["peg"])


def test_every_problem_is_told_at_once_and_no_answer_is_shown():
    wide = pl.DataFrame(
        {"patient_id": ["SECRET", None], "peg_1": [11, 77], "peg_2": ["often", "3"], "peg_3": [2.5, 1.0]}
    )
    with pytest.raises(TableError) as refused:
        scored(wide, ALL["peg"])
    told = str(refused.value)
    assert len(told.splitlines()) == 5
    assert 'column "patient_id": 1 rows are empty (first: row 2)' in told
    assert 'item "1": 2 answers are not allowed (first: row 1); allowed: whole numbers 0 to 10' in told
    assert 'item "2": 1 answers' in told and 'item "3": 1 answers' in told
    assert not any(word in told for word in ("SECRET", "77", "often", "2.5"))


@pytest.mark.parametrize("name", [name for name, instrument in ALL.items() if instrument.id != "psqi"])
def test_an_answer_outside_its_range_is_found_in_any_type_of_column(name):
    instrument = ALL[name]
    item = next(iter(instrument.items.values()))
    for kind in (pl.Int64, pl.Float64, pl.String):
        for outside in (int(item.low) - 1, int(item.high) + 1):
            wide = pl.DataFrame({"patient_id": "A", column(instrument, item.id): [outside]}).cast({pl.Int64: kind})
            with pytest.raises(TableError, match="1 answers are not allowed"):
                scored(wide, instrument)


def test_columns_that_are_no_items_or_the_same_item_are_refused():
    with pytest.raises(TableError, match="No column is an item of peg"):
        wide_answers(pl.LazyFrame({"patient_id": ["A"], "pcs_1": [1]}), {"peg": ALL["peg"]})
    with pytest.raises(TableError, match='the columns "bpi_sf_3" and "bpi_sev_1" both hold the item 3'):
        wide_answers(pl.LazyFrame({"bpi_sf_3": [1], "bpi_sev_1": [1]}), {"bpi_sf": ALL["bpi_sf"]})


@given(st.lists(st.integers(0, 20)))
def test_rows_that_recur(values):
    expected = [row for row, value in enumerate(values) if values.count(value) > 1]
    assert rows_that_recur(pl.Series(values, dtype=pl.UInt64)).to_list() == expected
