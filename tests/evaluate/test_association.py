"""Associations of groups and numbers: agreement with another implementation, no bias by chance, honest silence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from nociomics.evaluate.association import categories_together, group_and_number, numbered, numbers_together
from nociomics.quality.batches import cramers_v, share_between

RNG = np.random.default_rng(5)
FOUR = RNG.integers(0, 4, 400)
MIXED = np.where(RNG.random(400) < 0.4, FOUR, RNG.integers(0, 4, 400))
NUMBER = FOUR + RNG.normal(0, 2, 400)


def test_cramers_v_is_that_of_the_quality_page() -> None:
    table = np.zeros((4, 4), dtype=np.int64)
    np.add.at(table, (FOUR, MIXED), 1)
    found = categories_together(FOUR, MIXED, 1)
    assert found.value == pytest.approx(cramers_v(table))
    assert found.lower is not None and found.upper is not None and found.value is not None
    assert found.lower < found.value < found.upper
    assert found.p == pytest.approx(0.001)
    assert found.n == 400


def test_the_correlation_ratio_is_the_root_of_the_share_between_groups() -> None:
    share = share_between([NUMBER[group == FOUR] for group in range(4)])
    found = group_and_number(FOUR, NUMBER, 1)
    assert share is not None
    assert found.value == pytest.approx(share**0.5)
    assert found.lower < found.value < found.upper  # type: ignore[operator]


def test_rank_correlation_is_scipys() -> None:
    found = numbers_together(NUMBER, np.exp(NUMBER) + RNG.normal(0, 1, 400), 1)
    assert found.value == pytest.approx(spearmanr(NUMBER, np.exp(NUMBER)).statistic, abs=0.3)
    exact = numbers_together(NUMBER, -(NUMBER**3), 1)
    assert exact.value == pytest.approx(-1.0)
    assert exact.p == pytest.approx(0.001)


def test_two_groupings_of_two_give_the_same_by_either_way() -> None:
    """V of a 2 x 2 table is the correlation ratio of a 0/1 value, so one threshold serves both."""
    first, second = (FOUR > 1).astype(np.int64), (MIXED > 1).astype(np.int64)
    v = categories_together(first, second, 1).value
    ratio = group_and_number(first, second.astype(float), 1).value
    assert v == pytest.approx(ratio, abs=0.01)


def test_chance_gives_little_and_its_interval_starts_at_nothing() -> None:
    many = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found = categories_together(rng.integers(0, 3, 300), rng.integers(0, 8, 300), seed)
        many.append((found.value, found.lower, found.p))
    values, lowers, ps = (np.array(part, dtype=float) for part in zip(*many, strict=True))
    assert values.mean() < 0.06
    assert (lowers == 0).mean() >= 0.85
    assert (ps <= 0.05).mean() <= 0.2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.zeros(100, dtype=np.int64), FOUR[:100]),
        (FOUR[:100], np.full(100, -1)),
        (FOUR[:10], MIXED[:10]),
    ],
    ids=["one group", "nobody known", "ten people"],
)
def test_where_nothing_can_be_said_nothing_is(first: np.ndarray, second: np.ndarray) -> None:
    found = categories_together(first, second, 1)
    assert (found.value, found.lower, found.upper, found.p) == (None, None, None, None)


def test_a_constant_number_goes_with_nothing() -> None:
    assert group_and_number(FOUR, np.ones(400), 1).value is None
    assert numbers_together(np.ones(400), NUMBER, 1).value is None
    assert numbers_together(np.full(400, np.nan), NUMBER, 1).n == 0


def test_numbers_follow_the_names() -> None:
    assert numbered(["x", None, "a", "x"]).tolist() == [1, -1, 0, 1]
