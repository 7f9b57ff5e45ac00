"""An order of people that depends on their content alone."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from nociomics.models.people_order import content_order

PERSON = st.fixed_dictionaries(
    {
        "age": st.one_of(st.none(), st.floats(0, 100)),
        "sex": st.sampled_from(["F", "M", None]),
        "visits": st.integers(0, 5),
        "smoker": st.sampled_from([True, False, None]),
    }
)
KINDS = {"age": pl.Float64, "sex": pl.String, "visits": pl.Int64, "smoker": pl.Boolean}


def frame_of(people: list[dict]) -> pl.DataFrame:
    ids = pl.Series("patient_id", [f"P{place}" for place in range(len(people))], dtype=pl.String)
    return pl.DataFrame(people, schema=KINDS).with_columns(ids)


def content(frame: pl.DataFrame) -> list[tuple]:
    return frame[content_order(frame)].select(sorted(KINDS)).rows()


@given(st.lists(PERSON, max_size=12), st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_that_of_columns_nor_the_ids_matter(people, random):
    frame = frame_of(people)
    rows = list(range(frame.height))
    columns = frame.columns
    random.shuffle(rows)
    random.shuffle(columns)
    renamed = pl.Series("patient_id", [f"X{place}" for place in range(frame.height)][::-1], dtype=pl.String)
    assert content(frame[rows].select(columns).with_columns(renamed)) == content(frame)


@given(st.lists(PERSON, max_size=12))
def test_everybody_is_there_once(people):
    assert sorted(content_order(frame_of(people)).tolist()) == list(range(len(people)))


@given(st.lists(PERSON, min_size=2, max_size=12, unique_by=lambda person: tuple(person.values())))
def test_another_value_may_give_another_order_but_never_another_set(people):
    frame = frame_of(people)
    changed = frame.with_columns(visits=pl.col("visits") + 1)
    assert sorted(content_order(changed).tolist()) == sorted(content_order(frame).tolist())


def test_the_order_is_that_of_a_hash_not_of_a_value():
    frame = pl.DataFrame({"patient_id": [f"P{i}" for i in range(50)], "age": [float(i) for i in range(50)]})
    order = content_order(frame).tolist()
    assert order != list(range(50)) and order != list(range(50))[::-1]


def test_whole_numbers_and_fractions_of_the_same_size_are_the_same_content():
    one = pl.DataFrame({"patient_id": ["a", "b", "c"], "visits": [3, 1, 2]})
    other = one.with_columns(pl.col("visits").cast(pl.Float64))
    assert content_order(one).tolist() == content_order(other).tolist()


def test_a_frame_of_ids_alone_keeps_its_order():
    assert content_order(pl.DataFrame({"patient_id": ["b", "a"]})).tolist() == [0, 1]
