"""What drives a cohort, with intervals over people and refits, and whether refits agree."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.stats import spearmanr

from nociomics.explain.global_view import GlobalView
from nociomics.models.feature_blocks import EncodedColumn
from nociomics.tables.results import EXPLANATION_STABILITY, IMPORTANCE

COLUMNS = tuple(
    EncodedColumn(name, modality, group)
    for name, modality, group in [
        ("il6", "biomarkers", "IL6"),
        ("il6_low", "biomarkers", "IL6"),
        ("pcs", "questionnaires", "pcs"),
        ("idle", "clinical", "idle"),
    ]
)


def seen(values: np.ndarray, refits: np.ndarray, chunk: int = 1000) -> GlobalView:
    """Values of shape (people, arms, outputs, columns) and refits before that, in chunks."""
    view = GlobalView(COLUMNS, len(values), len(refits), seed=1)
    for first in range(0, len(values), chunk):
        view.add(values[first : first + chunk])
        for refit, own in enumerate(refits):
            view.add_refit(refit, first, own[first : first + chunk])
    return view


@pytest.fixture
def drawn():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(60, 2, 1, 4)) * [1.0, 0.5, 2.0, 0.0]
    refits = values + 0.3 * rng.normal(size=(8, 60, 2, 1, 4)) * [1.0, 1.0, 1.0, 0.0]
    return values, refits


def test_values_are_summed_with_their_signs_before_their_size_is_taken(drawn):
    values, refits = drawn
    table = IMPORTANCE.check(seen(values, refits).importance(["a", "b"], (None,)))
    of = {(row["level"], row["name"], row["treatment"]): row for row in table.iter_rows(named=True)}
    assert of["feature", "pcs", "a"]["mean_abs_shap"] == pytest.approx(np.abs(values[:, 0, 0, 2]).mean())
    together = values[:, 1, 0, 0] + values[:, 1, 0, 1]
    assert of["modality", "biomarkers", "b"]["mean_abs_shap"] == pytest.approx(np.abs(together).mean())
    assert of["group", "IL6", "b"]["mean_shap"] == pytest.approx(together.mean())
    assert table["people"].unique().to_list() == [60] and table["refits"].unique().to_list() == [8]


def test_intervals_hold_the_figure_and_widen_with_the_distance_between_refits(drawn):
    values, refits = drawn
    table = seen(values, refits).importance(["a", "b"], (None,))
    inside = table.filter(~pl.col("name").is_in(["idle", "clinical"]))
    assert (inside["lower"] < inside["mean_abs_shap"]).all() and (inside["mean_abs_shap"] < inside["upper"]).all()
    idle = table.filter((pl.col("name") == "idle") & (pl.col("level") == "feature"))
    assert idle["upper"].to_list() == [0.0, 0.0]
    scale = np.linspace(0.3, 1.7, 8)[:, None, None, None, None]
    apart = seen(values, values * scale).importance(["a", "b"], (None,))
    together = seen(values, np.repeat(values[None], 8, axis=0)).importance(["a", "b"], (None,))
    width = {name: (t["upper"] - t["lower"]).sum() for name, t in (("apart", apart), ("together", together))}
    assert width["apart"] > 2 * width["together"]


def test_chunks_change_nothing(drawn):
    one, many = seen(*drawn), seen(*drawn, chunk=7)
    for table in ("importance", "stability"):
        first, second = (getattr(view, table)(["a", "b"], (None,)) for view in (one, many))
        assert_frame_equal(first, second)


def test_agreement_is_the_mean_rank_correlation_of_pairs(drawn):
    values, refits = drawn
    table = EXPLANATION_STABILITY.check(seen(values, refits).stability(["a", "b"], (None,)))
    pairs = [
        spearmanr(refits[i, person, 0, 0], refits[j, person, 0, 0]).statistic
        for person in range(60) for i in range(8) for j in range(i)
    ]  # fmt: skip
    assert table["rank_correlation"][0] == pytest.approx(np.mean(pairs))
    assert table["rank_correlation_halves"][0] > table["rank_correlation"][0]


def test_without_refits_there_is_no_interval_and_nothing_agrees(drawn):
    view = seen(drawn[0], drawn[1][:0])
    table = IMPORTANCE.check(view.importance(["a", "b"], (None,)))
    assert table["lower"].null_count() == table.height and table["mean_abs_shap"].null_count() == 0
    assert EXPLANATION_STABILITY.check(view.stability(["a", "b"], (None,)))["rank_correlation"].null_count() == 2


def test_nothing_is_said_of_so_few_that_it_would_be_said_of_each(drawn):
    view = seen(drawn[0][:9], drawn[1][:, :9])
    assert IMPORTANCE.check(view.importance(["a", "b"], (None,))).height == 0
    assert view.stability(["a", "b"], (None,))["rank_correlation"].null_count() == 2


def test_classes_are_told_apart(drawn):
    values = np.concatenate([drawn[0], -2 * drawn[0]], axis=2)
    table = IMPORTANCE.check(seen(values, values[None].repeat(3, axis=0)).importance(["a", "b"], ("x", "y")))
    sizes = table.group_by("class").agg(pl.col("mean_abs_shap").sum()).sort("class")["mean_abs_shap"]
    assert sizes[1] == pytest.approx(2 * sizes[0])
