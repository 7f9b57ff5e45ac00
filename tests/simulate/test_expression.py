from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nociomics.simulate.cohort import Cohort
from nociomics.simulate.expression import draw_genes, gene_names


def _log_cpm(cohort: Cohort) -> np.ndarray:
    counts = cohort.expression.drop("patient_id").cast(pl.Float64).to_numpy()
    return np.log2((counts + 0.5) / (counts.sum(axis=1, keepdims=True) + 1) * 1e6)


def _within_batch(cohort: Cohort) -> np.ndarray:
    level, batch = _log_cpm(cohort), cohort.expression_samples["batch"].to_numpy()
    for name in np.unique(batch):
        level[batch == name] -= level[batch == name].mean(axis=0)
    return level


def test_counts_are_whole_numbers_of_a_thousand_genes(cohort: Cohort) -> None:
    assert cohort.expression.columns == ["patient_id", *gene_names()]
    assert set(cohort.expression.dtypes[1:]) == {pl.Int32}
    counts = cohort.expression.drop("patient_id")
    assert counts.min_horizontal().min() >= 0
    assert np.median(counts.sum_horizontal()) == pytest.approx(2e6, rel=0.1)
    assert cohort.expression["patient_id"].equals(cohort.expression_samples["patient_id"])


def test_modules_have_their_sizes_and_come_shuffled(cohort: Cohort) -> None:
    genes = cohort.truth["genes"]
    sizes = dict(genes["module"].value_counts().iter_rows())
    assert sizes == {"INF": 40, "NEU": 30, "HPA": 25, "IFN": 30, "CELL1": 60, "CELL2": 60, "none": 755}
    assert genes["module"].head(40).n_unique() > 2
    loadings = genes.drop_nulls("loading").filter(~pl.col("module").str.starts_with("CELL"))["loading"]
    assert loadings.abs().min() >= 0.25
    assert loadings.abs().max() <= 0.70


@pytest.mark.parametrize(
    ("module", "driver", "rho"),
    [("INF", "u_inflammatory", 0.75), ("NEU", "u_neuropathic", 0.50), ("HPA", "u_psychosocial", 0.45)],
)
def test_modules_follow_their_driver(large_cohorts: list[Cohort], module: str, driver: str, rho: float) -> None:
    """The signed mean of a module's genes is a noisy reading of the driver, and no other module's is."""
    cohort = large_cohorts[0]
    level, genes = _within_batch(cohort), cohort.truth["genes"]
    people = cohort.expression.select("patient_id").join(cohort.truth["people"], on="patient_id", maintain_order="left")
    sign = np.sign(genes["loading"].fill_null(0).to_numpy())

    def correlation(name: str) -> float:
        members = (genes["module"] == name).to_numpy()
        return float(np.corrcoef((level * sign)[:, members].mean(axis=1), people[driver])[0, 1])

    # activity = rho u + sqrt(1 - rho^2) w, and u varies by about .9: the expected correlation follows.
    spread = float(people[driver].std())
    expected = rho * spread / np.hypot(rho * spread, np.sqrt(1 - rho**2))
    assert correlation(module) == pytest.approx(expected, abs=0.08)
    assert abs(correlation("IFN")) < 0.08


def test_sites_have_a_batch_of_their_own(large_cohorts: list[Cohort]) -> None:
    cohort = large_cohorts[0]
    rows = cohort.expression_samples.join(cohort.patients, on="patient_id")
    shares = rows.group_by("site").agg((pl.col("batch").str.tail(1) == pl.col("site").str.tail(1)).mean())
    expected = np.exp(0.8) / (np.exp(0.8) + 3)
    assert all(share == pytest.approx(expected, abs=0.06) for share in shares["batch"])


def test_batches_shift_genes_as_stated(large_cohorts: list[Cohort]) -> None:
    cohort = large_cohorts[0]
    level, batch = _log_cpm(cohort), cohort.expression_samples["batch"].to_numpy()
    found = level[batch == "batch_1"].mean(axis=0) - level[batch == "batch_2"].mean(axis=0)
    shift = draw_genes(0).shift
    assert np.corrcoef(found, shift[0] - shift[1])[0, 1] > 0.98
    assert shift.std() == pytest.approx(0.5, abs=0.03)
