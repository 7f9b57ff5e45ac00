"""Distributions as reported and as harmonised."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nociomics.quality.distributions import Spread, analyte_spreads, distributions, score_spreads, wide_spreads
from nociomics.quality.histogram import MOST_BINS, round_bins
from nociomics.tables.data_quality import DISTRIBUTIONS, HISTOGRAMS

NUMBERS = arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6, width=32))


@given(NUMBERS)
def test_every_value_is_counted_once_and_bins_rise(values: np.ndarray) -> None:
    bins = round_bins(values)
    assert sum(bins.counts) == values.size
    assert list(bins.edges) == sorted(set(bins.edges))
    assert len(bins.counts) <= MOST_BINS + 2


@given(NUMBERS)
def test_counts_are_those_of_numpy_between_the_edges(values: np.ndarray) -> None:
    bins = round_bins(values)
    inside = [
        int(((values >= low) & (values < high)).sum()) for low, high in zip(bins.edges, bins.edges[1:], strict=False)
    ]
    assert list(bins.counts) == inside


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(1e-6, 1e6)))
def test_a_log_axis_counts_what_is_above_zero(values: np.ndarray) -> None:
    assert sum(round_bins(np.concatenate([values, [0.0, -1.0]]), log=True).counts) == values.size


def test_whole_numbers_stand_in_the_middle_of_their_bin() -> None:
    bins = round_bins(np.array([2.0, 3.0, 3.0, 5.0]), whole=True)
    assert bins.edges == (1.5, 2.5, 3.5, 4.5, 5.5) and bins.counts == (1, 2, 0, 1)


def test_edges_are_round_and_no_persons_value() -> None:
    values = np.array([37.123, 41.877, 55.019, 60.333, 71.456])
    assert not set(round_bins(values).edges) & set(values.tolist())


def biomarkers() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "patient_id": ["a", "b", "c", "d", "e", "f"],
            "analyte": ["crp"] * 6,
            "value": [2.0, 4.0, 0.1, 700.0, 0.3, None],
            "unit": ["mg/L", "mg/L", "mg/L", "mg/L", "mg/dL", "mg/dL"],
            "below_lod": [False, False, True, False, False, False],
            "lod": [None, None, 0.1, None, None, None],
            "plate": [None] * 6,
        },
        schema_overrides={"lod": pl.Float64, "plate": pl.String},
    )


def features() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "patient_id": ["a", "b", "c", "d", "e", "f"],
            "crp_mg_per_l": [2.0, 4.0, 0.1, 700.0, 3.0, None],
            "crp_below_lod": [0.0, 0.0, 1.0, 0.0, 0.0, None],
        }
    )


def catalogue(*rows: tuple[str, str, str]) -> pl.DataFrame:
    names = ("feature", "modality", "kind")
    whole = [
        dict(zip(names, row, strict=True)) | {"unit": "score", "description": row[0], "group": row[0]} for row in rows
    ]
    return pl.DataFrame(whole).with_columns(low=pl.lit(None, pl.Float64), high=pl.lit(None, pl.Float64))


def test_an_analyte_is_shown_in_each_reported_unit_and_in_its_base_unit() -> None:
    known = catalogue(("crp_mg_per_l", "biomarkers", "numeric"), ("crp_below_lod", "biomarkers", "binary"))
    table, bins = distributions(analyte_spreads(biomarkers(), features(), known))
    DISTRIBUTIONS.check(table)
    HISTOGRAMS.check(bins)
    shown = {(row["stage"], row["unit"]): row for row in table.iter_rows(named=True)}
    assert set(shown) == {("reported", "mg/L"), ("reported", "mg/dL"), ("harmonised", "mg/L")}
    assert (shown["reported", "mg/L"]["values"], shown["reported", "mg/L"]["non_detects"]) == (4, 1)
    assert (shown["reported", "mg/dL"]["values"], shown["reported", "mg/dL"]["missing"]) == (1, 1)
    assert shown["reported", "mg/dL"]["high"] == pytest.approx(shown["reported", "mg/L"]["high"] / 10)
    assert (shown["harmonised", "mg/L"]["above"], shown["harmonised", "mg/L"]["missing"]) == (1, 1)


def test_answers_come_before_the_score() -> None:
    responses = pl.DataFrame(
        {"patient_id": ["a"] * 4, "visit": ["baseline"] * 3 + ["week12"], "instrument": ["pcs"] * 4,
         "item": ["1", "2", "3", "1"], "response": [0.0, 4.0, None, 1.0]}
    )  # fmt: skip
    people = pl.DataFrame({"patient_id": ["a"], "pcs_total": [26.0]})
    spreads = list(score_spreads(responses, people, catalogue(("pcs_total", "questionnaires", "numeric"))))
    assert [(one.stage, one.unit) for one in spreads] == [("reported", "answers to 13 items"), ("harmonised", "score")]
    assert spreads[0].values.to_list() == [0.0, 4.0, None] and (spreads[0].low, spreads[0].high) == (0.0, 4.0)


def test_few_values_have_no_quartiles() -> None:
    table, _ = distributions([Spread("clinical", "x", "reported", "u", "x", pl.Series([1.0, 2.0, 3.0, None]))])
    assert table.select("values", "missing", "median").row(0) == (3, 1, None)


def test_labels_are_counted_and_rare_ones_put_together() -> None:
    labels = pl.Series(["a"] * 9 + ["b"] * 6 + [f"rare {number}" for number in range(20)] + [None])
    table, bins = distributions([Spread("clinical", "site", "reported", "category", "site", labels)])
    assert table.select("scale", "values", "missing").row(0) == ("category", 35, 1)
    assert bins["level"].to_list()[:2] == ["a", "b"] and bins["level"].to_list()[-1] == "all others"
    assert bins["count"].sum() == 35


def test_a_wide_modality_is_one_distribution() -> None:
    raw = pl.DataFrame({f"G{number}": [1.0, 10.0, 0.0] for number in range(50)})
    table, _ = distributions(wide_spreads(raw, raw, "expression", "gene", "counts", log=True))
    assert table.select("name", "stage", "values", "not_positive").rows() == [
        ("all genes", "reported", 150, 50),
        ("all genes", "harmonised", 150, 0),
    ]
