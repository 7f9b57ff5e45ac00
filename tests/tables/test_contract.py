"""Every contract accepts the frames that keep it and counts each break without showing a value."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nociomics.errors import TableError
from nociomics.tables import finding, harmonised, ingested, results
from nociomics.tables.contract import Column, Contract
from tests.conftest import examples

CONTRACTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": contract
    for module in (ingested, harmonised, results, finding)
    for name, contract in vars(module).items()
    if isinstance(contract, Contract)
}
TYPES = {"text": pl.String, "number": pl.Float64, "integer": pl.Int64, "boolean": pl.Boolean, "time": pl.String}
SECRET = "SECRET-4711"
ODD = -9876.54321

every_contract = pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
some = settings(max_examples=examples(8), deadline=None)


def cells(column: Column) -> st.SearchStrategy[object]:
    """Values that a column may hold."""
    if column.kind == "boolean":
        values: st.SearchStrategy[object] = st.booleans()
    elif column.kind == "integer":
        low, high = column.low if column.low is not None else -5, column.high if column.high is not None else 50
        values = st.integers(math.ceil(low), math.floor(high))
    elif column.kind == "number":
        low, high = column.low if column.low is not None else -1e6, column.high if column.high is not None else 1e6
        values = st.floats(low, high, allow_nan=False)
    else:
        values = st.sampled_from(column.allowed) if column.allowed else st.text(max_size=5)
    return values | st.none() if column.null else values


@st.composite
def frames(draw: st.DrawFn, contract: Contract, least: int = 0) -> pl.DataFrame:
    """Frames that keep a contract; a column that may be absent sometimes is."""
    height = draw(st.integers(least, 6))
    columns = [column for column in contract.columns if column.required or draw(st.booleans())]
    texts = [name for name in contract.key if _is_free_text(_column(contract, name))]
    free = next(iter([*texts, *contract.key]), None)
    data = {}
    for column in columns:
        # One column, text where there is any, numbers the rows, so that the key never repeats.
        numbered = [f"row {place}" for place in range(height)] if texts else list(range(height))
        values = numbered if column.name == free else None
        drawn = values or draw(st.lists(cells(column), min_size=height, max_size=height))
        data[column.name] = pl.Series(column.name, drawn, TYPES[column.kind], strict=True)
    if contract.open and draw(st.booleans()):
        data["further"] = pl.Series("further", range(height), pl.Float64)
    return pl.DataFrame(data)


def _is_free_text(column: Column) -> bool:
    return TYPES[column.kind] == pl.String and column.allowed is None


def _column(contract: Contract, name: str) -> Column:
    return next(column for column in contract.columns if column.name == name)


def _only_first(frame: pl.DataFrame, name: str, value: object, kind: pl.DataType | type[pl.DataType]) -> pl.DataFrame:
    """Put one value in the first row of a column."""
    return frame.with_columns(pl.Series(name, [value, *frame[name].to_list()[1:]], kind))


@every_contract
@some
@given(st.data())
def test_a_frame_that_keeps_the_contract_passes_unchanged(contract: Contract, data: st.DataObject) -> None:
    frame = data.draw(frames(contract))
    assert contract.problems(frame) == []
    assert contract.check(frame) is frame


@every_contract
@some
@given(st.data())
def test_each_break_is_counted_and_shows_no_value(contract: Contract, data: st.DataObject) -> None:
    frame = data.draw(frames(contract, least=1)).drop("further", strict=False)
    for column in (column for column in contract.columns if column.name in frame.columns):
        name = column.name
        if column.required:
            assert contract.problems(frame.drop(name)) == [f'column "{name}" is missing']
        if not column.null:
            told = contract.problems(_only_first(frame, name, None, TYPES[column.kind]))
            assert f'column "{name}" is empty in 1 rows' in told
        if column.kind in ("number", "integer", "boolean"):
            told = contract.problems(frame.with_columns(pl.lit(SECRET).alias(name)))
            assert f'column "{name}" holds String, expected {column.kind}' in told
        if column.kind == "text":
            told = contract.problems(frame.with_columns(pl.lit(ODD).alias(name)))
            assert f'column "{name}" holds Float64, expected text' in told
        if column.kind == "number":
            told = contract.problems(_only_first(frame, name, math.nan, pl.Float64))
            assert f'column "{name}" is not finite in 1 rows' in told
        if column.low is not None:
            wrong = _only_first(frame, name, math.floor(column.low) - 7.0, pl.Float64).cast({name: TYPES[column.kind]})
            told = contract.problems(wrong)
            assert told == [f'column "{name}" is below {column.low:g} in 1 rows']
        if column.high is not None:
            told = contract.problems(_only_first(frame, name, column.high + 7.25, pl.Float64))
            assert told == [f'column "{name}" is above {column.high:g} in 1 rows']
        if column.allowed is not None:
            told = contract.problems(_only_first(frame, name, SECRET, pl.String))
            assert [line for line in told if line.endswith("in 1 rows")], told
            assert SECRET not in str(told)


@every_contract
@some
@given(st.data())
def test_rows_that_repeat_the_key_are_counted(contract: Contract, data: st.DataObject) -> None:
    frame = data.draw(frames(contract, least=1))
    told = contract.problems(pl.concat([frame, frame]))
    expected = [f"{frame.height} rows repeat the key ({', '.join(contract.key)})"] if contract.key else []
    assert told == expected


@every_contract
def test_a_further_column_is_welcome_in_an_open_table_alone(contract: Contract) -> None:
    columns = {column.name: pl.Series(column.name, [], TYPES[column.kind]) for column in contract.columns}
    told = contract.problems(pl.DataFrame({**columns, "surplus": [], "more": []}))
    assert told == ([] if contract.open else ["2 columns are not part of the contract (first: 'surplus')"])


def test_all_problems_are_told_at_once_with_the_place_and_without_a_value() -> None:
    contract = Contract(
        "answers",
        (Column("patient_id"), Column("score", "number", low=0, high=10), Column("arm", allowed=("A", "B"))),
        key=("patient_id",),
    )
    frame = pl.DataFrame({"patient_id": [SECRET, SECRET], "score": [ODD, 11.0], "arm": [SECRET, "A"], "new": [1, 2]})
    with pytest.raises(TableError) as caught:
        contract.check(frame, "answers.parquet")
    assert str(caught.value) == (
        "answers.parquet: the table answers breaks its contract: "
        'column "score" is below 0 in 1 rows; column "score" is above 10 in 1 rows; '
        "column \"arm\" is none of A, B in 1 rows; 1 columns are not part of the contract (first: 'new'); "
        "1 rows repeat the key (patient_id)."
    )


def test_a_column_without_any_value_may_have_no_type_when_it_may_be_empty() -> None:
    contract = Contract("t", (Column("a", "number", null=True), Column("b", "number")))
    frame = pl.DataFrame({"a": [None, None], "b": [None, None]})
    assert contract.problems(frame) == ['column "b" is empty in 2 rows']


def test_every_column_of_every_contract_can_be_checked() -> None:
    for name, contract in CONTRACTS.items():
        assert {column.kind for column in contract.columns} <= set(TYPES), name
        assert set(contract.key) <= {column.name for column in contract.columns}, name
        assert contract.row, f"{name}: says what a row is"
