"""Folds by person."""

from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nociomics.models.settings import SplitSettings
from nociomics.models.splits import find_duplicates, make_splits, person_groups
from tests.conftest import examples

PEOPLE = [f"P{number:03d}" for number in range(200)]
STRATA = {one: ("cbt/1", "cbt/0", "snri/1", "snri/0", "snri/0")[place % 5] for place, one in enumerate(PEOPLE)}
ALONE = {one: one for one in PEOPLE}


def splits_of(groups: dict[str, str] = ALONE, seed: int = 1, **given_settings: int) -> pl.DataFrame:
    return make_splits(list(groups), groups, STRATA, SplitSettings(**given_settings), seed)


@pytest.mark.parametrize("fold", ["outer_fold", "inner_fold"])
def test_every_fold_gets_its_share_of_people_and_of_each_treatment_and_response(fold):
    splits = splits_of(repeats=2)
    for _, part in splits.group_by("repeat"):
        counts = Counter((row[fold], STRATA[row["patient_id"]]) for row in part.iter_rows(named=True))
        assert set(part[fold].value_counts()["count"]) == {40}
        for stratum, people in Counter(STRATA.values()).items():
            shares = [counts[number, stratum] for number in range(5)]
            assert sum(shares) == people
            assert max(shares) - min(shares) <= 1


def test_everybody_is_in_every_repeat_once():
    splits = splits_of()
    assert splits["repeat"].n_unique() == 10
    assert splits.select("patient_id", "repeat").is_unique().all()
    assert splits.height == 10 * len(PEOPLE)


@pytest.mark.parametrize(("people", "repeats"), [(499, 10), (500, 3)])
def test_a_study_below_500_people_is_repeated_ten_times(people, repeats):
    patients = [f"P{number:04d}" for number in range(people)]
    splits = make_splits(patients, {one: one for one in patients}, {}, SplitSettings(), 1)
    assert splits["repeat"].n_unique() == repeats


def test_folds_follow_from_ids_and_seed_alone():
    assert splits_of().equals(splits_of())
    assert not splits_of().equals(splits_of(seed=2))
    turned = make_splits(PEOPLE[::-1], dict(reversed(ALONE.items())), STRATA, SplitSettings(), 1)
    assert turned.equals(splits_of())


def test_repeats_and_inner_folds_are_different_divisions():
    splits = splits_of(repeats=2)
    first, second = (splits.filter(pl.col("repeat") == number) for number in (0, 1))
    assert not first["outer_fold"].equals(second["outer_fold"])
    assert not first["outer_fold"].equals(first["inner_fold"])
    # within an outer training part every inner fold is there, about evenly
    inner = first.filter(pl.col("outer_fold") != 0)["inner_fold"].value_counts()["count"]
    assert len(inner) == 5 and inner.min() >= 20


@settings(max_examples=examples(20), deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=25),
    seed=st.integers(0, 1000),
)
def test_ids_of_one_person_are_never_parted(pairs, seed):
    people = PEOPLE[:30]
    frame = pl.DataFrame(
        [tuple(sorted((people[a], people[b]))) for a, b in pairs if a != b],
        schema={"patient_a": pl.String, "patient_b": pl.String},
        orient="row",
    )
    groups = person_groups(people, frame)
    splits = make_splits(people, groups, STRATA, SplitSettings(repeats=2), seed)
    folds = {(one, repeat): (outer, inner) for one, repeat, outer, inner in splits.iter_rows()}
    for a, b in frame.iter_rows():
        assert groups[a] == groups[b]
        assert all(folds[a, repeat] == folds[b, repeat] for repeat in (0, 1))
    assert splits.height == 60


def test_a_chain_of_pairs_is_one_person():
    pairs = pl.DataFrame({"patient_a": ["P002", "P001", "P007"], "patient_b": ["P003", "P002", "P008"]})
    groups = person_groups(PEOPLE[:10], pairs)
    assert [one for one, root in groups.items() if root == "P001"] == ["P001", "P002", "P003"]
    assert groups["P008"] == "P007"
    assert groups["P005"] == "P005"


def test_pairs_of_people_who_are_not_in_the_study_do_not_matter():
    pairs = pl.DataFrame({"patient_a": ["P001"], "patient_b": ["somebody else"]})
    assert person_groups(["P001"], pairs) == {"P001": "P001"}


def dosages(calls: list[list[int | None]]) -> pl.DataFrame:
    columns = {f"rs{place}": [row[place] for row in calls] for place in range(len(calls[0]))}
    return pl.DataFrame({"patient_id": PEOPLE[: len(calls)], **columns})


def test_genotypes_need_a_hundred_shared_variants_to_speak():
    same = [[0, 1, 2, 0] * 25, [0, 1, 2, 0] * 25]
    assert find_duplicates(dosages(same), None, SplitSettings()).rows() == [("P000", "P001", "genotype")]
    lacking = [same[0], [None, *same[1][1:]]]
    assert find_duplicates(dosages(lacking), None, SplitSettings()).is_empty()
    assert find_duplicates(dosages([row[:99] for row in same]), None, SplitSettings()).is_empty()


@pytest.mark.parametrize(("different", "found"), [(4, True), (5, False)])
def test_more_than_95_percent_of_the_genotypes_must_agree(different, found):
    one = [0] * 100
    other = [2] * different + [0] * (100 - different)
    assert (not find_duplicates(dosages([one, other]), None, SplitSettings()).is_empty()) == found


def test_a_study_without_genotypes_and_expression_has_no_known_duplicates():
    found = find_duplicates(None, None, SplitSettings())
    assert found.is_empty() and found.columns == ["patient_a", "patient_b", "evidence"]


def test_a_gene_that_nobody_has_is_no_obstacle():
    rows = {f"gene_{g:03d}": [float((g * p) % 7) for p in range(1, 5)] for g in range(120)}
    expression = pl.DataFrame({"patient_id": PEOPLE[:4], **rows}).with_columns(lost=pl.lit(None, dtype=pl.Float64))
    assert find_duplicates(None, expression, SplitSettings()).is_empty()
