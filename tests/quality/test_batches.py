"""Level and spread of batches, and groupings that cannot be told apart."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import f_oneway
from scipy.stats.contingency import association

from nociomics.quality.batches import (
    Measured,
    alias_findings,
    batch_figures,
    components,
    cramers_v,
    cross_tables,
    share_between,
)
from nociomics.tables.data_quality import ASSOCIATIONS, BATCH_SHARES, BATCHES, COMPONENTS, CROSS_TABLES


def groups(**columns: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame(columns)


def test_a_plate_of_another_level_holds_much_of_the_spread() -> None:
    rng = np.random.default_rng(1)
    values = pl.Series(np.exp(np.concatenate([rng.normal(0, 1, 50), rng.normal(3, 1, 50)])))
    plates = pl.Series(["one"] * 50 + ["two"] * 50)
    levels, shares = batch_figures([Measured("biomarkers", "il6", "plate", values, plates, log=True)])
    BATCHES.check(levels)
    BATCH_SHARES.check(shares)
    assert levels["level"].to_list() == ["one", "two"] and levels["scale"].unique().to_list() == ["log10"]
    assert levels["median"][1] - levels["median"][0] == pytest.approx(3 / np.log(10), abs=0.2)
    assert shares["share"][0] > 0.5


def test_chance_gives_about_nothing() -> None:
    rng = np.random.default_rng(2)
    shares = [share_between(list(rng.normal(size=(4, 25)))) for _ in range(200)]
    assert abs(np.mean([share for share in shares if share is not None])) < 0.01


def test_the_share_is_that_of_the_f_test() -> None:
    rng = np.random.default_rng(3)
    parts = [rng.normal(place, 1, size) for place, size in ((0, 12), (1, 20), (0.4, 9))]
    f, n, k = float(f_oneway(*parts).statistic), 41, 3
    expected = (k - 1) * (f - 1) / ((k - 1) * f + n - k)  # epsilon squared from F
    assert share_between(parts) == pytest.approx(expected)


def test_a_group_of_fewer_than_five_has_no_quartiles() -> None:
    values, plates = pl.Series([float(n) for n in range(12)]), pl.Series(["large"] * 8 + ["small"] * 4)
    levels, _ = batch_figures([Measured("biomarkers", "il6", "plate", values, plates)])
    small = levels.row(by_predicate=pl.col("level") == "small", named=True)
    assert small["values"] == 4 and small["median"] is None and small["low"] is None


def test_one_group_says_nothing() -> None:
    levels, shares = batch_figures(
        [Measured("biomarkers", "il6", "plate", pl.Series([1.0, 2.0]), pl.Series(["a", "a"]))]
    )
    assert levels.is_empty() and shares.is_empty()


@given(st.lists(st.lists(st.integers(1, 40), min_size=3, max_size=3), min_size=2, max_size=5))
def test_v_is_at_most_that_without_correction(rows: list[list[int]]) -> None:
    table = np.array(rows)
    v = cramers_v(table)
    plain = association(table, method="cramer", correction=False)
    assert v is not None and 0 <= v <= max(plain, 1e-9) + 0.05


def test_v_of_independent_groups_is_zero_and_of_aliased_ones_one() -> None:
    assert cramers_v(np.full((3, 4), 25)) == 0
    assert cramers_v(np.diag([30, 30, 30])) == pytest.approx(1)
    assert cramers_v(np.array([[5, 9]])) is None


def test_a_batch_of_one_site_each_is_found_and_said() -> None:
    people = groups(batch=["1"] * 20 + ["2"] * 20, site=["north"] * 20 + ["south"] * 20, arm=["a", "b"] * 20)
    cells, found = cross_tables(people, [("batch", "site"), ("batch", "arm"), ("site", "arm")])
    CROSS_TABLES.check(cells)
    ASSOCIATIONS.check(found)
    assert found["nested"].to_list() == ["both", None, None]
    warnings = alias_findings(found, ["batch"])
    assert [(one.severity, one.column, one.count) for one in warnings] == [("warning", "batch", 40)]
    assert "batch and site" in warnings[0].message


def test_plates_within_sites_are_nested() -> None:
    people = groups(plate=["1", "2", "3", "4"] * 10, site=["north", "north", "south", "south"] * 10)
    _, found = cross_tables(people, [("plate", "site")])
    assert found["nested"].to_list() == ["first"]


def test_people_of_unknown_group_are_left_out_of_the_count() -> None:
    people = groups(batch=["1", "2", None], site=["n", None, "s"])
    _, found = cross_tables(people, [("batch", "site")])
    assert found["people"].to_list() == [1] and found["cramers_v"].to_list() == [None]


def test_two_clouds_lie_apart_on_the_first_component_as_scikit_learn_has_it() -> None:
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(4)
    values = rng.normal(size=(40, 30)) + np.repeat([[0.0], [6.0]], 20, axis=0)
    frame = pl.DataFrame(values.astype(np.float32), schema=[f"g{n}" for n in range(30)])
    table = components(frame, "expression", {"batch": pl.Series(["1"] * 20 + ["2"] * 20)})
    COMPONENTS.check(table)
    reference = PCA(2).fit(values)
    scores = reference.transform(values)
    assert np.allclose(np.abs(table["first"]), np.abs(scores[:, 0]), atol=1e-3)
    assert table["share_first"][0] == pytest.approx(reference.explained_variance_ratio_[0], abs=1e-5)
    assert "patient_id" not in table.columns


def test_people_without_the_modality_are_not_drawn() -> None:
    frame = pl.DataFrame({f"g{n}": [float(n * k % 7) for k in range(12)] + [None] for n in range(1, 5)})
    table = components(frame, "expression", {"batch": pl.Series([str(n % 2) for n in range(13)])})
    assert table.height == 12
