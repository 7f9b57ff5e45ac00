"""The headline on groups that were left out of training whole."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from nociomics.evaluate.held_out import held_out_metric
from nociomics.tables.study import Target

TARGET = Target.model_validate({"kind": "binary", "outcome": "event"})


def study(n: int = 120) -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(5)
    event = (rng.random(n) < 0.45).astype(float)
    fold = np.arange(n) % 3
    probability = 1 / (1 + np.exp(-(event - 0.5 + rng.normal(size=n) + 3 * fold)))
    people = [f"P{place:03d}" for place in range(n)]
    text, number = pl.lit(None, pl.String), pl.lit(None, pl.Float64)
    predictions = pl.DataFrame(
        {"patient_id": people, "repeat": 0, "outer_fold": fold, "expected": probability, "p_response": probability}
    ).with_columns(treatment=text)
    rows = pl.DataFrame(
        {
            "patient_id": people,
            "outcome": event,
            "response_value": event,
            "responded": event,
            "label": event.astype(str),
        }
    ).with_columns(treatment=text, assignment=text, group=text, baseline=number, adverse_event=number)
    return predictions, rows


def test_it_is_the_mean_within_groups_and_not_pooled() -> None:
    predictions, rows = study()
    found = held_out_metric(predictions, rows, TARGET, seed=1)["auroc_held_out_groups"]
    both = predictions.join(rows.select("patient_id", "responded"), on="patient_id")
    within = [roc_auc_score(part["responded"], part["p_response"]) for _, part in both.group_by("outer_fold")]
    assert found["value"] == pytest.approx(np.mean(within))
    assert found["value"] != pytest.approx(roc_auc_score(both["responded"], both["p_response"]), abs=0.02)
    assert found["lower"] < found["value"] < found["upper"]
    assert found["n"] == 120
    assert "3 groups" in found["method"]


def test_without_any_prediction_there_is_no_value() -> None:
    predictions, rows = study()
    found = held_out_metric(predictions.clear(), rows, TARGET, seed=1)
    assert found["held_out_groups"]["value"] is None
    assert found["held_out_groups"]["method"].startswith("not computed")
