"""When a batch is said to go with the outcome, and what is then counted."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from nociomics.evaluate.bootstrap import point
from nociomics.evaluate.confounding import (
    batch_sentences,
    batch_tests,
    chance_within,
    confounded_cells,
    pairs,
    within_batches,
)
from nociomics.evaluate.discrimination import auroc, auroc_statistic
from nociomics.evaluate.received import CELL
from nociomics.tables.study import Target

BINARY = Target(kind="binary", outcome="responded")
VALUE = Target(kind="continuous", outcome="pain")


def rows_of(event: np.ndarray, group: list[str | None] | None = None) -> pl.DataFrame:
    label = [None if np.isnan(one) else str(int(one)) for one in event]
    return pl.DataFrame(
        {
            "patient_id": [f"P{place:03d}" for place in range(len(event))],
            "label": label,
            "responded": event,
            "response_value": event,
            "group": group or [None] * len(event),
        },
        schema_overrides={"group": pl.String},
    ).fill_nan(None)


def batches_of(rows: pl.DataFrame, batch: list[str | None]) -> pl.DataFrame:
    return rows.select("patient_id").with_columns(plate=pl.Series(batch, dtype=pl.String))


def two_batches(first: int, second: int, size: int = 50) -> tuple[pl.DataFrame, pl.DataFrame]:
    """So many events among 50 people of each batch."""
    event = np.array([1.0] * first + [0.0] * (size - first) + [1.0] * second + [0.0] * (size - second))
    rows = rows_of(event)
    return rows, batches_of(rows, ["a"] * size + ["b"] * size)


def test_p_and_strength_are_those_of_the_table():
    rows, batches = two_batches(15, 30)
    (found,) = batch_tests(batches, rows, BINARY)
    square, p = stats.chi2_contingency([[35, 15], [20, 30]], correction=False)[:2]
    assert found.p == pytest.approx(p)
    assert found.strength == pytest.approx(np.sqrt((square / 100 - 1 / 99) / (2 - 1 / 99 - 1)))
    assert found.confounded
    assert (found.people, found.batches) == (100, 2)


@pytest.mark.parametrize(
    ("first", "second", "size", "confounded"),
    [(25, 26, 50, False), (20, 28, 50, False), (15, 30, 50, True), (0, 50, 50, True), (3, 7, 10, False)],
    ids=["equal", "a little", "clearly", "the batch is the outcome", "few people"],
)
def test_what_counts_as_confounded(first, second, size, confounded):
    rows, batches = two_batches(first, second, size)
    (found,) = batch_tests(batches, rows, BINARY)
    assert found.confounded is confounded


def test_small_counts_take_a_permutation_test():
    rows, batches = two_batches(1, 9, 12)
    (found,) = batch_tests(batches, rows, BINARY)
    assert found.p == pytest.approx(stats.fisher_exact([[11, 1], [3, 9]])[1], abs=0.005)


def test_tiny_batches_and_one_outcome_cannot_be_tested():
    rows, batches = two_batches(10, 10)
    for other in (batches.with_columns(plate=pl.lit("a")), batches.with_columns(plate=pl.col("patient_id"))):
        (found,) = batch_tests(other, rows, BINARY)
        assert (found.p, found.confounded) == (None, False)
        assert found.method.startswith("not tested")
    (constant,) = batch_tests(batches, rows_of(np.ones(100)), BINARY)
    assert not constant.confounded


def test_sites_count_only_when_they_almost_tell_the_outcome():
    rows, _ = two_batches(15, 30)
    site = ["a"] * 50 + ["b"] * 50
    sites = rows.with_columns(group=pl.Series(site))
    none = rows.select("patient_id")
    (mild,) = batch_tests(none, sites, BINARY, "site")
    assert mild.p < 0.01
    assert not mild.confounded
    strong = two_batches(5, 40)[0].with_columns(group=pl.Series(site))
    (found,) = batch_tests(none, strong, BINARY, "site")
    assert found.confounded


def test_a_measured_outcome_is_tested_by_its_ranks():
    rng = np.random.default_rng(1)
    batch = ["a"] * 60 + ["b"] * 60
    plain = rng.normal(size=120)
    shifted = plain + np.where(np.arange(120) < 60, 0.0, 1.5)
    for value, confounded in ((plain, False), (shifted, True)):
        rows = rows_of(np.zeros(120)).with_columns(response_value=pl.Series(value))
        (found,) = batch_tests(batches_of(rows, batch), rows, VALUE)
        assert found.confounded is confounded


def test_all_batches_that_go_with_the_outcome_make_the_cells():
    rows, batches = two_batches(15, 30)
    tests = batch_tests(batches, rows, BINARY)
    cells = confounded_cells(batches, rows, tests)
    assert cells[CELL].to_list() == ["a"] * 50 + ["b"] * 50
    assert "plate" in batch_sentences(tests, "auroc")[0]
    quiet = batch_tests(*reversed(two_batches(25, 25)), BINARY)
    assert confounded_cells(batches, rows, quiet) is None
    assert batch_sentences(quiet, "auroc") == []


def test_the_auroc_within_batches_counts_pairs_of_one_batch_only():
    y = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    score = np.array([0.1, 0.2, 0.9, 0.8, 0.7, 0.95])
    part = np.array([0, 0, 1, 1, 1, 1])
    statistic = within_batches(y, score, part, auroc_statistic, pairs)
    assert point(statistic, 6) == pytest.approx((1 + 0) / 5)  # one pair right, four pairs wrong
    assert auroc(y, score) != pytest.approx(0.2)
    one_class = within_batches(y, score, np.array([0, 1, 0, 1, 1, 0]), auroc_statistic, pairs)
    assert np.isnan(point(one_class, 6))


def test_naming_the_commonest_class_of_each_batch_is_chance():
    assert chance_within(np.array([0, 0, 1, 1, 1, 2]), np.array([0, 0, 0, 1, 1, 1])) == pytest.approx(4 / 6)
