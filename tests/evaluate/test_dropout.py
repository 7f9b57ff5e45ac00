"""The headline when those who left count too."""

import numpy as np
import polars as pl
import pytest

from nociomics.evaluate.dropout import chance_of_rows, dropout_metrics
from nociomics.evaluate.metric_sets import Sampling
from nociomics.evaluate.received import Rows

FEW = Sampling(resamples=50)


def two_kinds(people: int = 4000, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Half of the people are hard to predict; they leave often. Events, scores, who is hard, chance of staying."""
    rng = np.random.default_rng(seed)
    hard = rng.random(people) < 0.5
    event = (rng.random(people) < 0.5).astype(float)
    score = event * np.where(hard, 0.2, 2.0) + rng.normal(size=people)
    stay = np.where(hard, 0.3, 0.9)
    return event, 1 / (1 + np.exp(-score)), hard, stay


def rows_of(event: np.ndarray, score: np.ndarray) -> Rows:
    zeros = np.zeros(event.size, dtype=np.int64)
    return Rows(np.arange(event.size), zeros, zeros, event, score)


def test_weighting_brings_back_the_auroc_of_everybody():
    event, score, _, stay = two_kinds()
    seen = np.random.default_rng(2).random(event.size) < stay
    sampling = Sampling(resamples=10)
    whole = dropout_metrics("auroc", rows_of(event, score), np.ones(event.size), 1, event.size, sampling)
    left = dropout_metrics(
        "auroc", rows_of(event[seen], score[seen]), stay[seen], int((~seen).sum()), event.size, sampling
    )
    plain = dropout_metrics(
        "auroc", rows_of(event[seen], score[seen]), np.ones(seen.sum()), int((~seen).sum()), event.size, sampling
    )
    truth = whole["auroc_ipcw"].value
    assert left["auroc_ipcw"].value == pytest.approx(truth, abs=0.02)
    assert plain["auroc_ipcw"].value > truth + 0.05
    assert left["brier_ipcw"].value == pytest.approx(whole["brier_ipcw"].value, abs=0.01)
    assert left["outcome_missing"].value == pytest.approx((~seen).mean())
    assert f"{(~seen).sum()} of 4000 people lack the outcome" in left["auroc_ipcw"].method


@pytest.mark.parametrize("headline", ["auroc", "spearman"])
def test_equal_chances_change_nothing(headline):
    event, score, _, _ = two_kinds(200)
    rows = rows_of(event if headline == "auroc" else score + np.random.default_rng(1).normal(size=200), score)
    once = dropout_metrics(headline, rows, np.full(200, 0.8), 10, 210, FEW)[f"{headline}_ipcw"]
    again = dropout_metrics(headline, rows, np.ones(200), 10, 210, FEW)[f"{headline}_ipcw"]
    assert (once.value, once.lower, once.upper) == pytest.approx((again.value, again.lower, again.upper))


def test_nobody_missing_and_too_few_missing():
    event, score, _, _ = two_kinds(100)
    assert dropout_metrics("auroc", rows_of(event, score), None, 0, 100, FEW) == {}
    found = dropout_metrics("auroc", rows_of(event, score), None, 4, 104, FEW)
    assert found["auroc_ipcw"].value is None
    assert "4 of 104 people lack the outcome" in found["auroc_ipcw"].method


def test_chances_come_in_the_order_of_the_predictions():
    kept = pl.DataFrame({"patient_id": ["b", "a", "a"], "repeat": [0, 0, 1]})
    seen = pl.DataFrame({"patient_id": ["a", "a", "b"], "repeat": [0, 1, 0], "observed": [0.1, 0.2, 0.3]})
    assert chance_of_rows(seen, kept).tolist() == [0.3, 0.1, 0.2]
    assert chance_of_rows(seen.clear(), kept) is None
    assert np.isnan(chance_of_rows(seen[:2], kept)[0])
