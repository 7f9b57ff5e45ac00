"""Differences of strata and factors in every feature, and the names that they allow."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import false_discovery_control, pearsonr, ttest_ind

from nociomics.evaluate.strata_markers import benjamini_hochberg, factor_markers, strata_markers
from nociomics.evaluate.strata_names import stratum_names
from nociomics.tables.results import STRATA_MARKERS
from tests.evaluate.strata_cohorts import ANALYTES, catalogue_of, cohort

ONE = cohort(people=300, types=3.0)
HARD = pl.DataFrame({"S1": (ONE.truth == 0).astype(float), "S2": (ONE.truth == 1).astype(float)})


def row(frame: pl.DataFrame, of: str, feature: str, level: str = "") -> dict[str, object]:
    return frame.row(
        by_predicate=(pl.col("of") == of) & (pl.col("feature") == feature) & (pl.col("level") == level), named=True
    )


MARKERS = STRATA_MARKERS.check(strata_markers(ONE.features, ONE.catalogue, HARD))


def test_with_certain_membership_it_is_the_plain_difference() -> None:
    values = ONE.features["dn4_total"].to_numpy()
    first, second = values[ONE.truth == 0], values[ONE.truth == 1]
    found = row(MARKERS, "S1", "dn4_total")
    assert found["mean_in"] == pytest.approx(first.mean())
    assert found["difference_own"] == pytest.approx(first.mean() - second.mean())
    assert found["difference"] == pytest.approx((first.mean() - second.mean()) / values.std(ddof=1))
    assert (found["n_in"], found["n_rest"]) == (first.size, second.size)
    interval = ttest_ind(first, second, equal_var=False).confidence_interval()
    assert found["lower"] == pytest.approx(interval.low / values.std(ddof=1), rel=0.01)


def test_analytes_are_compared_as_logs_and_their_ratio_is_told() -> None:
    values = ONE.features["crp_mg_per_l"].to_numpy()
    first, second = (np.exp(np.log(values[ONE.truth == kind]).mean()) for kind in (0, 1))
    found = row(MARKERS, "S1", "crp_mg_per_l")
    assert found["scale"] == "log"
    assert found["mean_in"] == pytest.approx(first)
    assert found["difference_own"] == pytest.approx(first / second)


def test_a_category_is_compared_level_by_level_as_a_share() -> None:
    sexes = (ONE.features["sex"] == "F").to_numpy()
    found = row(MARKERS, "S2", "sex", "F")
    assert found["mean_in"] == pytest.approx(sexes[ONE.truth == 1].mean())
    assert found["unit"] == "share"
    assert found["clustered_on"] is False


def test_only_prespecified_markers_that_are_raised_may_name() -> None:
    naming = MARKERS.filter("names")
    assert naming["mechanism"].null_count() == 0
    assert (naming["difference"] > 0.5).all() and (naming["lower"] > 0).all()
    lowered = MARKERS.filter(pl.col("of") == "S2", pl.col("feature").is_in(ANALYTES))
    assert (lowered["difference"] < -0.5).all() and not lowered["names"].any()


def test_half_certain_membership_of_everybody_tells_nothing_apart() -> None:
    half = pl.DataFrame({"S1": np.full(300, 0.5), "S2": np.full(300, 0.5)})
    found = strata_markers(ONE.features, ONE.catalogue, half)
    assert found["difference"].drop_nulls().abs().max() in (None, pytest.approx(0.0, abs=1e-9))
    assert not found["names"].any()


def test_a_shift_between_batches_is_no_marker_where_values_compare_within_them() -> None:
    """S1 lies in one batch; the protein differs between batches and not between people of a batch."""
    rng = np.random.default_rng(4)
    batch = np.where(rng.random(300) < 0.9, ONE.truth, 1 - ONE.truth)
    features = ONE.features.select("patient_id").with_columns(
        batch=pl.Series([f"b{one}" for one in batch]), protein=pl.Series(rng.normal(size=300) + 4 * batch)
    )
    plain = catalogue_of(features)
    within = plain.with_columns(pl.when(pl.col("feature") == "protein").then(pl.lit("batch")).alias("within"))
    apart = row(strata_markers(features, plain, HARD), "S1", "protein")["difference"]
    levelled = row(strata_markers(features, within, HARD), "S1", "protein")["difference"]
    assert abs(apart) > 1.0 and abs(levelled) < 0.3  # type: ignore[arg-type]


def test_a_factor_is_compared_by_correlation() -> None:
    scores = pl.DataFrame({"factor_1": ONE.features["bdi_total"].to_numpy() * 2 + 1})
    found = STRATA_MARKERS.check(factor_markers(ONE.features, ONE.catalogue, scores))
    expected = pearsonr(ONE.features["bdi_total"], ONE.features["pcs_total"]).statistic
    assert row(found, "factor_1", "pcs_total")["difference"] == pytest.approx(expected)
    assert row(found, "factor_1", "bdi_total")["difference"] == pytest.approx(1.0)


def test_people_who_are_not_placed_count_nowhere() -> None:
    some = pl.Series(np.arange(300) < 250)
    partly = HARD.select(pl.when(some).then(pl.all()))
    found = row(strata_markers(ONE.features, ONE.catalogue, partly), "S1", "age")
    assert found["n_in"] + found["n_rest"] == 250  # type: ignore[operator]


def test_groups_of_fewer_than_five_have_no_figures() -> None:
    few = pl.DataFrame({"S1": (np.arange(300) < 4).astype(float), "S2": (np.arange(300) >= 4).astype(float)})
    assert strata_markers(ONE.features, ONE.catalogue, few)["difference"].null_count() > 0


def test_without_features_there_is_an_empty_table() -> None:
    features = ONE.features.select("patient_id")
    assert STRATA_MARKERS.check(strata_markers(features, ONE.catalogue, HARD)).is_empty()


def test_q_values_are_scipys() -> None:
    p = np.random.default_rng(1).random(40) ** 2
    assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p))


def test_a_stratum_without_markers_keeps_its_number_and_two_of_one_name_are_told_apart() -> None:
    rows = [("S1", "dn4_total", "neuropathic"), ("S2", "paindetect_total", "neuropathic")]
    markers = pl.DataFrame(rows, schema=["of", "feature", "mechanism"], orient="row").with_columns(names=True)
    named = stratum_names(["S1", "S2", "S3"], markers, [])
    assert [entry["name"] for entry in named.values()] == ["neuropathic (S1)", "neuropathic (S2)", "S3"]
    assert named["S3"]["kind"] == "number"


def test_a_site_cluster_gets_no_name_from_biology() -> None:
    markers = pl.DataFrame({"of": ["S1"], "feature": ["dn4_total"], "mechanism": ["neuropathic"], "names": [True]})
    place = {"stratum": "S1", "level": "north", "share": 0.9, "expected_share": 0.3}
    named = stratum_names(["S1", "S2"], markers, [{"kind": "site cluster", "variable": "site", "strata": [place]}])
    assert named["S1"]["name"] == "site cluster: site north"
    assert named["S2"]["name"] == "S2" and named["S2"]["kind"] == "site cluster"
