"""Challengers of the strata: the same people, the same resampling, one table that says what each can do."""

from dataclasses import replace
from typing import get_args

import numpy as np
import polars as pl
import pytest

from nociomics.models import challengers
from nociomics.models.challengers import REGISTRY, compare
from nociomics.models.settings import BlockSettings, StrataSettings
from nociomics.models.stratification import StratumModel
from nociomics.tables.results import CHALLENGERS
from tests.models.small_study import catalogue_of

SETTINGS = StrataSettings(starts=2, bootstraps=0, largest_k=3, subsamples=3, factors=3)
HERE = tuple(SETTINGS.challengers)
BLOCKS = {"questionnaires": 4, "biomarkers": 3}


def types(people: int = 240, apart: float = 5.0, seed: int = 1) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two kinds of people in two blocks; a tenth lacks the second block, another tenth single values."""
    rng = np.random.default_rng(seed)
    drivers = rng.normal(size=(people, 2)) + np.outer(rng.integers(0, 2, people) - 0.5, [apart, -apart])
    columns, entries = {}, []
    for block, count in BLOCKS.items():
        values = np.repeat(drivers, 2, axis=1)[:, :count] + 0.5 * rng.normal(size=(people, count))
        if block == "biomarkers":
            values[rng.random(people) < 0.1] = np.nan
        values[rng.random(values.shape) < 0.02] = np.nan
        for place in range(count):
            columns[f"{block}_{place}"] = values[:, place]
            entries.append((f"{block}_{place}", block, f"{block}_{place}", "score", "numeric", None, None, None))
    frame = pl.DataFrame({"patient_id": [f"P{number:03d}" for number in range(people)], **columns})
    return frame.with_columns(pl.col(list(columns)).fill_nan(None)), catalogue_of(entries)


def compared(features: pl.DataFrame, catalogue: pl.DataFrame, settings: StrataSettings = SETTINGS) -> pl.DataFrame:
    model = StratumModel(settings, BlockSettings(), 1).fit(features, catalogue)
    return CHALLENGERS.check(compare(model, features, catalogue, settings, seed=1))


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return compared(*types())


def test_the_strata_come_first_and_each_challenger_twice(table):
    expected = [("strata", "own"), *[(name, k) for name in HERE for k in ("own", "strata")]]
    assert table.select("challenger", "k_from").rows() == expected
    assert table["status"].unique().to_list() == ["ok"]
    assert table.filter(pl.col("k_from") == "strata")["k"].unique().to_list() == [2]


def test_clear_types_are_found_by_all_and_found_again(table):
    rest = table.filter(pl.col("challenger") != "strata", pl.col("k") == 2)
    assert set(rest["challenger"]) == set(HERE)
    assert rest["ari"].min() > 0.9 and rest["nmi"].min() > 0.8
    assert table.filter(pl.col("k") == 2)["stability"].min() > 0.9
    assert table["subsamples"].unique().to_list() == [3]


def test_who_lacks_a_block_is_placed_where_the_method_can(table):
    features, _ = types()
    some = [pl.any_horizontal(pl.col(f"^{block}_.*$").is_not_null()) for block in BLOCKS]
    whole = features.select(pl.all_horizontal(some)).to_series()
    assert 0.8 < whole.mean() < 0.97
    placed = dict(table.filter(pl.col("k_from") == "own").select("challenger", "people").iter_rows())
    assert placed["strata"] == placed["average_neighbours"] == 240
    assert placed["kmeans"] == placed["consensus"] == placed["network_fusion"] == whole.sum()
    share = dict(table.filter(pl.col("k_from") == "own").select("challenger", "placed_share").iter_rows())
    assert share["kmeans"] == whole.mean() and share["average_neighbours"] == 1


def test_only_the_strata_and_nearest_means_can_place_a_new_person(table):
    assert set(table.filter("places_new_people")["challenger"]) == {"strata", "kmeans"}
    assert set(table.filter("can_say_one")["challenger"]) == {"strata"}


def test_neither_ids_nor_the_order_of_people_change_anything(table):
    features, catalogue = types()
    mixed = features.sample(fraction=1, shuffle=True, seed=3)
    mixed = mixed.with_columns(patient_id=pl.Series([f"X{number}" for number in range(mixed.height)]))
    assert compared(mixed, catalogue).equals(table)


def test_another_seed_draws_other_subsamples():
    features, catalogue = types(apart=1.0)
    model = StratumModel(SETTINGS, BlockSettings(), 1).fit(features, catalogue)
    one, two = (compare(model, features, catalogue, SETTINGS, seed) for seed in (1, 2))
    assert one.filter(pl.col("challenger") == "kmeans")["stability"][0] != two["stability"][1]


def test_a_continuum_is_divided_by_all_that_cannot_say_one():
    table = compared(*types(apart=0.0))
    own = table.filter(pl.col("k_from") == "own")
    assert own.filter("can_say_one").select("k", "status").rows() == [(1, "one group")]
    assert own.filter(~pl.col("can_say_one"))["k"].min() >= 2
    alike = table.filter(pl.col("k_from") == "strata")
    assert alike["status"].unique().to_list() == ["one group"]
    assert alike["stability"].null_count() == alike.height
    assert table["ari"].null_count() == table.height


def test_a_person_of_whom_nothing_was_measured_is_not_placed():
    features, catalogue = types()
    nobody = features[:5].with_columns(
        pl.format("N{}", pl.col("patient_id")).alias("patient_id"),
        *[pl.lit(None, pl.Float64).alias(name) for name in features.columns[1:]],
    )
    own = compared(pl.concat([features, nobody]), catalogue).filter(pl.col("k_from") == "own")
    people = dict(own.select("challenger", "people").iter_rows())
    assert people["strata"] == people["average_neighbours"] == 240
    assert own["placed_share"].max() == 240 / 245


def test_one_block_only():
    features, catalogue = types()
    table = compared(features.select("patient_id", pl.col("^questionnaires_.*$")), catalogue)
    assert table["status"].unique().to_list() == ["ok"]
    assert table.filter(pl.col("k") == 2)["ari"].drop_nulls().min() > 0.9


def test_a_constant_block_is_no_block():
    features, catalogue = types()
    constant = features.with_columns(pl.lit(1.0).alias(name) for name in features.columns if "biomarkers" in name)
    table = compared(constant, catalogue)
    assert table["people"].unique().to_list() == [240]


def test_few_people_are_not_grouped():
    table = compared(*types(people=45))
    assert table.filter(pl.col("challenger") != "strata")["status"].unique().to_list() == ["too few people"]
    assert table["ari"].null_count() == table.height


def test_nobody_measured_at_all():
    features, catalogue = types(people=60)
    empty = features.with_columns(pl.lit(None, pl.Float64).alias(name) for name in features.columns[1:])
    table = compared(empty, catalogue)
    assert table["status"].unique().to_list() == ["too few people"]
    assert table["people"].null_count() == table.height


def test_everybody_twice_is_no_crash():
    features, catalogue = types(people=80)
    again = features.with_columns(patient_id=pl.format("B{}", "patient_id"))
    assert compared(pl.concat([features, again]), catalogue)["status"].unique().to_list() == ["ok"]


def test_few_different_people_are_no_crash():
    features, catalogue = types(people=3)
    same = pl.concat([features] * 40).with_columns(patient_id=pl.Series([f"P{number}" for number in range(120)]))
    table = compared(same.fill_null(0.0), catalogue)
    assert table.filter(pl.col("challenger") == "kmeans")["status"].unique().to_list() != ["too few people"]


def test_too_many_people_are_left_out_where_memory_grows_with_their_square(monkeypatch):
    small = {name: replace(one, most_people=100) for name, one in REGISTRY.items()}
    monkeypatch.setattr(challengers, "REGISTRY", small)
    table = compared(*types())
    assert table.filter(pl.col("challenger") != "strata")["status"].unique().to_list() == ["too many people"]


def test_a_package_that_is_not_there_is_said_and_no_error(monkeypatch):
    absent = {"mofa": replace(REGISTRY["mofa"], package="a_package_that_nobody_has")}
    monkeypatch.setattr(challengers, "REGISTRY", absent)
    table = compared(*types(), settings=SETTINGS.model_copy(update={"challengers": ["mofa"]}))
    assert table["status"].to_list() == ["ok", "not installed", "not installed"]
    assert table["k"].to_list() == [2, None, 2]


def test_factors_of_mofa_where_the_package_is_installed():
    pytest.importorskip("mofapy2")
    table = compared(*types(), settings=SETTINGS.model_copy(update={"challengers": ["mofa"]}))
    assert table.select("challenger", "k_from", "people").rows() == [
        ("strata", "own", 240),
        ("mofa", "own", 240),
        ("mofa", "strata", 240),
    ]
    assert table["ari"][2] > 0.9 and table["stability"][2] > 0.9


def test_without_subsamples_nothing_is_said_of_stability():
    table = compared(*types(), settings=SETTINGS.model_copy(update={"subsamples": 0}))
    assert table["stability"].null_count() == table.height
    assert table["ari"].null_count() == 1


def test_settings_know_every_challenger():
    annotation = StrataSettings.model_fields["challengers"].annotation
    assert set(get_args(get_args(annotation)[0])) == set(REGISTRY)
