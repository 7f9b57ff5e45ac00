"""Small invented cohorts with honest out-of-fold predictions, for tests of the whole evaluation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import expit
from scipy.stats import norm

from nociomics.tables.study import ResponseRule, Target

ARMS = ["cbt", "nsaid", "snri"]
CHANGE = Target(
    kind="change",
    outcome="pain",
    baseline="pain0",
    response=ResponseRule(fall_percent=30),
    treatment="arm",
    groups="site",
)


@dataclass(frozen=True)
class Cohort:
    out_of_fold: pl.DataFrame
    target_rows: pl.DataFrame
    splits: pl.DataFrame
    value: dict[str, float]


def randomised_cohort(
    seed: int, heterogeneity: float, people: int = 400, repeats: int = 3, prognosis: float = 1.0, folds: int = 5
) -> Cohort:
    """Three randomised arms; a regression per arm is fitted in each fold and predicts the held-out fold."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(people, 3))
    arm = rng.integers(0, 3, people)
    gain = heterogeneity * np.stack([x[:, 0], -x[:, 0], x[:, 1]], axis=1)
    mean = 1.5 + prognosis * x[:, [2]] + gain
    baseline = np.clip(6 + rng.normal(size=people), 3, 10)
    fall = mean[np.arange(people), arm] + rng.normal(scale=1.2, size=people)
    observed = rng.random(people) > 0.1
    ids = [f"P{i:04d}" for i in range(people)]
    made, split = [], []
    for repeat in range(repeats):
        fold = rng.permutation(people) % folds
        expected, sigma = _fitted(x, arm, fall, fold, observed)
        made.append(_predictions(ids, repeat, fold, expected, norm.cdf((expected - 0.3 * baseline[:, None]) / sigma)))
        split.append(pl.DataFrame({"patient_id": ids, "repeat": repeat, "outer_fold": fold, "inner_fold": 0}))
    rows = _target_rows(ids, [ARMS[a] for a in arm], baseline, np.where(observed, fall, np.nan))
    best = {"model": float(mean.max(axis=1).mean()), "fixed": float(mean.mean(axis=0).max())}
    return Cohort(pl.concat(made), rows, pl.concat(split), best)


def _fitted(x, arm, fall, fold, observed):
    expected = np.empty((arm.size, 3))
    residuals = []
    design = np.c_[np.ones(arm.size), x]
    for one in np.unique(fold):
        for k in range(3):
            rows = (fold != one) & (arm == k) & observed
            beta = np.linalg.lstsq(design[rows], fall[rows], rcond=None)[0]
            expected[fold == one, k] = design[fold == one] @ beta
            residuals.append(fall[rows] - design[rows] @ beta)
    return expected, np.concatenate(residuals).std()


def _predictions(ids, repeat, fold, expected, p):
    arms = np.tile(ARMS, len(ids))
    return pl.DataFrame(
        {
            "patient_id": np.repeat(ids, 3),
            "repeat": repeat,
            "outer_fold": np.repeat(fold, 3),
            "treatment": arms,
            "expected": expected.ravel(),
            "p_response": p.ravel(),
        }
    )


def _target_rows(ids, arms, baseline, fall):
    n = len(ids)
    return pl.DataFrame(
        {
            "patient_id": ids,
            "treatment": arms,
            "assignment": ["randomised"] * n,
            "baseline": baseline,
            "outcome": baseline - fall,
            "label": [None] * n,
            "response_value": fall,
            "responded": np.where(np.isnan(fall), np.nan, (fall >= 0.3 * baseline).astype(float)),
            "adverse_event": [0.0] * n,
            "group": [f"site{i % 2}" for i in range(n)],
        },
        schema_overrides={"label": pl.String},
    ).with_columns(pl.col("outcome", "response_value", "responded").fill_nan(None))


def binary_cohort(seed: int, signal: float, people: int = 300, repeats: int = 2) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A study without treatments; true probabilities, slightly blurred, stand for predictions."""
    rng = np.random.default_rng(seed)
    score = signal * rng.normal(size=people)
    y = (rng.random(people) < expit(score)).astype(float)
    ids = [f"P{i:04d}" for i in range(people)]
    made = [
        pl.DataFrame(
            {
                "patient_id": ids,
                "repeat": repeat,
                "outer_fold": rng.permutation(people) % 5,
                "treatment": pl.Series([None] * people, dtype=pl.String),
                "expected": pl.Series([None] * people, dtype=pl.Float64),
                "p_response": expit(score + 0.2 * rng.normal(size=people)),
            }
        )
        for repeat in range(repeats)
    ]
    return pl.concat(made), plain_targets(ids, y, y)


def plain_targets(ids, value, responded=None, label=None) -> pl.DataFrame:
    """Target rows of a study without treatments."""
    n = len(ids)
    columns = {
        "patient_id": ids,
        "treatment": [None] * n,
        "assignment": [None] * n,
        "baseline": [None] * n,
        "outcome": value,
        "label": label if label is not None else [None] * n,
        "response_value": value,
        "responded": responded if responded is not None else [None] * n,
        "adverse_event": [None] * n,
        "group": [None] * n,
    }
    text, number = pl.String, pl.Float64
    kinds = {"treatment": text, "assignment": text, "label": text, "group": text}
    kinds |= {name: number for name in ("baseline", "outcome", "response_value", "responded", "adverse_event")}
    return pl.DataFrame(columns, schema_overrides=kinds)
