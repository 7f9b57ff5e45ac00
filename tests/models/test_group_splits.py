"""Folds that leave one group out at a time."""

from __future__ import annotations

import polars as pl

from nociomics.models.study_splits import group_splits
from nociomics.tables.results import SPLITS

NO_PAIRS = pl.DataFrame(schema={"patient_a": pl.String, "patient_b": pl.String, "evidence": pl.String})


def rows(groups: dict[str, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {"patient_id": list(groups), "group": list(groups.values())}, schema_overrides={"group": pl.String}
    )


def splits(people: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "patient_id": people * 2,
            "repeat": [0] * len(people) + [1] * len(people),
            "outer_fold": [0] * 2 * len(people),
            "inner_fold": [place % 3 for place in range(len(people))] + [9] * len(people),
        }
    )


def folds_of(groups: dict[str, str | None], pairs: pl.DataFrame = NO_PAIRS) -> dict[str, int]:
    found = SPLITS.check(group_splits(rows(groups), splits(list(groups)), pairs))
    return dict(found.select("patient_id", "outer_fold").iter_rows())


def test_each_group_is_a_fold_of_its_own() -> None:
    assert folds_of({"a": "north", "b": "south", "c": "north", "d": "west"}) == {"a": 0, "b": 1, "c": 0, "d": 2}


def test_people_without_a_group_are_left_out_together() -> None:
    folds = folds_of({"a": "north", "b": None, "c": None})
    assert folds["b"] == folds["c"] != folds["a"]


def test_one_person_under_two_ids_is_never_on_both_sides() -> None:
    pair = pl.DataFrame({"patient_a": ["a"], "patient_b": ["d"], "evidence": ["genotype"]})
    folds = folds_of({"a": "north", "b": "south", "c": "north", "d": "south"}, pair)
    assert folds["a"] == folds["d"]
    assert folds["b"] != folds["a"]


def test_the_first_repeat_gives_the_inner_folds() -> None:
    groups = {"a": "north", "b": "south", "c": "north"}
    found = group_splits(rows(groups), splits(list(groups)), NO_PAIRS)
    assert found["inner_fold"].to_list() == [0, 1, 2]
    assert found["repeat"].unique().to_list() == [0]


def test_a_single_group_gives_no_folds() -> None:
    assert group_splits(rows({"a": "north", "b": "north"}), splits(["a", "b"]), NO_PAIRS).is_empty()
