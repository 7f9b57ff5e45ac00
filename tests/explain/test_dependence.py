"""Dependence: means over bins of people, whose values nobody can read off, whatever the chunk."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nociomics.explain import cohort
from nociomics.explain.dependence import DependenceView
from nociomics.models.feature_blocks import EncodedColumn
from nociomics.tables.results import DEPENDENCE
from tests.explain.test_cohort import explained

COLUMNS = (
    EncodedColumn("il6", "biomarkers", "IL6"),
    EncodedColumn("site_a", "clinical", "site"),
    EncodedColumn("site_b", "clinical", "site"),
    EncodedColumn("site_c", "clinical", "site"),
    EncodedColumn("expression_component_01", "expression", "expression components", True),
)
CATEGORIES = {"site": ["site_a", "site_b", "site_c"]}


def seen(sites: list[str | None], il6: np.ndarray, values: np.ndarray, refits: np.ndarray, chunk: int = 1000):
    people = pl.DataFrame({"patient_id": [str(n) for n in range(len(il6))], "il6": il6, "site": sites}).with_columns(
        pl.col("il6").fill_nan(None)
    )
    shown = np.random.default_rng(4).normal(size=(len(il6), 5))
    view = DependenceView(COLUMNS, CATEGORIES, people, shown, len(refits))
    for first in range(0, len(il6), chunk):
        rows = slice(first, first + chunk)
        view.add(people[rows], shown[rows], values[rows])
        for refit, own in enumerate(refits):
            view.add_refit(refit, own[rows])
    return DEPENDENCE.check(view.table(["x"], (None,)))


@pytest.fixture
def drawn():
    rng = np.random.default_rng(1)
    il6 = rng.lognormal(1, 1, 200)
    il6[:25] = np.nan
    sites = ["a"] * 80 + ["b"] * 60 + ["c"] * 40 + ["d"] * 12 + ["e"] * 5 + ["f"] * 3
    values = rng.normal(size=(200, 1, 1, 5)) * 0.1
    values[:, 0, 0, 0] += np.nan_to_num(np.log(il6))
    return sites, il6, values, values + 0.05 * rng.normal(size=(6, 1, 1, 1, 5))


def test_bins_are_means_of_those_inside_and_follow_the_feature(drawn):
    sites, il6, values, refits = drawn
    table = seen(sites, il6, values, refits).filter(pl.col("feature") == "il6")
    assert table["rank"].unique().to_list() == [1]
    numbers = table.filter(pl.col("kind") == "values")
    assert numbers["people"].sum() == 175 and numbers["people"].min() >= 10
    assert (numbers["mean_shap"].diff().drop_nulls() > 0).all()
    second = numbers.row(1, named=True)
    inside = (il6 >= second["from_value"]) & (il6 < second["to_value"])
    assert second["people"] == inside.sum()
    assert second["mean_value"] == pytest.approx(il6[inside].mean())
    assert second["mean_shap"] == pytest.approx(values[inside, 0, 0, 0].mean())
    assert (numbers["lower"] < numbers["mean_shap"]).all() and (numbers["mean_shap"] < numbers["upper"]).all()
    without = table.filter(pl.col("kind") == "not_measured").row(0, named=True)
    assert without["people"] == 25 and without["mean_value"] is None


def test_levels_are_one_feature_and_rare_ones_stand_together(drawn):
    sites, il6, values, refits = drawn
    table = seen(sites, il6, values, refits).filter(pl.col("feature") == "site")
    assert table["level"].to_list() == ["a", "b", "c", "d|e|f"] or table["level"].to_list() == [
        "a",
        "b",
        "c",
        "d",
        "e|f",
    ]
    assert table["people"].sum() == 200 and table["people"].min() >= 10
    assert table["mean_shap"][0] == pytest.approx(values[:80, 0, 0, 1:4].sum(axis=-1).mean())
    assert table["mean_value"].null_count() == table.height


def test_nobodys_own_value_is_in_the_table(drawn):
    sites, il6, values, refits = drawn
    table = seen(sites, il6, values, refits)
    shown = {*table["from_value"].drop_nulls(), *table["to_value"].drop_nulls(), *table["mean_value"].drop_nulls()}
    assert not shown & set(il6[~np.isnan(il6)])
    first = table.filter((pl.col("feature") == "il6") & (pl.col("kind") == "values"))
    assert first["from_value"][0] is None and first["to_value"][-1] is None  # neither the smallest nor the largest
    assert "patient_id" not in table.columns


def test_few_people_are_one_bin_and_fewer_than_ten_none(drawn):
    sites, il6, values, refits = drawn
    few = seen(sites[30:49], il6[30:49], values[30:49], refits[:, 30:49]).filter(pl.col("feature") == "il6")
    assert few["people"].to_list() == [19] and few["from_value"][0] is None and few["to_value"][0] is None
    assert seen(sites[30:39], il6[30:39], values[30:39], refits[:, 30:39]).height == 0
    with_gaps = seen(sites[20:60], il6[20:60], values[20:60], refits[:, 20:60]).filter(pl.col("feature") == "il6")
    assert "not_measured" not in set(with_gaps["kind"])  # five people: nothing is said of them


def test_chunks_change_nothing(drawn):
    assert_frame_equal(seen(*drawn), seen(*drawn, chunk=7), abs_tol=1e-12)


def test_without_refits_there_is_no_interval(drawn):
    sites, il6, values, refits = drawn
    table = seen(sites, il6, values, refits[:0])
    assert table["lower"].null_count() == table.height > 0


@pytest.mark.parametrize("kind", ["change", "binary", "multiclass"])
def test_a_cohort_has_its_leading_features_whatever_the_target(kind, monkeypatch):
    *_, whole, _ = explained(kind)
    monkeypatch.setattr(cohort, "_VALUES_AT_ONCE", 1000)
    *_, parts, _ = explained(kind)
    table = DEPENDENCE.check(whole.dependence)
    assert_frame_equal(table, parts.dependence, abs_tol=1e-9)
    keys = ["treatment", *(["class"] if kind == "multiclass" else [])]
    counts = table.group_by(keys).agg(pl.col("feature").n_unique())["feature"]
    assert counts.max() <= 12 and counts.min() >= 5
    leading = table.filter(pl.col("rank") == 1)
    assert leading["mean_shap"].abs().max() > 0.02
