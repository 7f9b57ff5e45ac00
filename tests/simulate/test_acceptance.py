"""The published acceptance table of the generator, row by row.

Questionnaires and laboratory are judged at 4000 patients, averaged over four seeds and worlds (one plate shift per
80 patients moves a median by 3 % from seed to seed); chances of response on the hidden truth of 100 000 people.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nociomics.simulate.cohort import Cohort
from nociomics.simulate.mechanisms import ARMS, Settings
from nociomics.simulate.truth import METABOLISERS, Truth, draw_truth

# Reported unit -> factor to the base unit, written out anew: cortisol 1 ug/dL = 27.59 nmol/L.
_TO_BASE = {
    ("TNF", "pg/mL"): 1.0,
    ("TNF", "ng/L"): 1.0,
    ("IL-6", "pg/mL"): 1.0,
    ("IL-6", "fg/mL"): 0.001,
    ("IL-1b", "pg/mL"): 1.0,
    ("IL-10", "pg/mL"): 1.0,
    ("CRP", "mg/L"): 1.0,
    ("CRP", "mg/dL"): 10.0,
    ("BDNF", "ng/mL"): 1.0,
    ("BDNF", "pg/mL"): 0.001,
    ("cortisol", "nmol/L"): 1.0,
    ("cortisol", "ug/dL"): 27.59,
}


def _answers(cohort: Cohort, prefix: str) -> np.ndarray:
    return cohort.questionnaires.select(pl.col(f"^{prefix}_.*$")).cast(pl.Float64).to_numpy()


def _score(answers: np.ndarray, *, total: bool) -> np.ndarray:
    """Mean of the answered items, times the number of items for a sum score."""
    return np.nanmean(answers, axis=1) * (answers.shape[1] if total else 1)


def _alpha(answers: np.ndarray) -> float:
    whole = answers[~np.isnan(answers).any(axis=1)]
    items = whole.shape[1]
    return items / (items - 1) * (1 - whole.var(axis=0, ddof=1).sum() / whole.sum(axis=1).var(ddof=1))


@pytest.mark.parametrize(
    ("prefix", "total", "mean", "sd", "tolerance"),
    [
        ("bpi_sev", False, 6.25, 1.63, 0.1),
        ("bpi_int", False, 6.55, 1.75, 0.1),
        ("pcs", True, 28.9, 11.1, 0.6),
        ("bdi", True, 19.4, 9.9, 0.6),
        ("dn4", True, 5.0, 2.84, 0.15),
    ],
)
def test_questionnaire_scores(
    large_cohorts: list[Cohort], prefix: str, total: bool, mean: float, sd: float, tolerance: float
) -> None:
    scores = [_score(_answers(cohort, prefix), total=total) for cohort in large_cohorts]
    assert np.mean([score.mean() for score in scores]) == pytest.approx(mean, abs=tolerance)
    assert np.mean([score.std() for score in scores]) == pytest.approx(sd, abs=tolerance)


@pytest.mark.parametrize(("prefix", "alpha"), [("pcs", 0.92), ("bdi", 0.89)])
def test_cronbachs_alpha(large_cohorts: list[Cohort], prefix: str, alpha: float) -> None:
    for cohort in large_cohorts:
        assert _alpha(_answers(cohort, prefix)) == pytest.approx(alpha, abs=0.02)


@pytest.mark.parametrize(
    ("analyte", "median"),
    [("TNF", 2.3), ("IL-6", 2.6), ("IL-1b", 0.36), ("IL-10", 0.84), ("CRP", 2.8), ("BDNF", 26), ("cortisol", 298)],
)
def test_medians_after_unit_conversion(large_cohorts: list[Cohort], analyte: str, median: float) -> None:
    medians = []
    for cohort in large_cohorts:
        rows = cohort.biomarkers.filter(pl.col("analyte") == analyte)
        factors = [_TO_BASE[analyte, unit] for unit in rows["unit"]]
        medians.append(np.median(rows["value"].to_numpy() * factors))
    assert np.mean(medians) == pytest.approx(median, rel=0.10)


@pytest.mark.parametrize(("analyte", "share", "tolerance"), [("IL-1b", 0.15, 0.03), ("IL-10", 0.02, 0.01)])
def test_share_below_detection_limit(large_cohorts: list[Cohort], analyte: str, share: float, tolerance: float) -> None:
    shares = [cohort.biomarkers.filter(pl.col("analyte") == analyte)["below_lod"].mean() for cohort in large_cohorts]
    assert np.mean(shares) == pytest.approx(share, abs=tolerance)


@pytest.mark.parametrize(
    ("metaboliser", "share"), [("poor", 0.038), ("intermediate", 0.35), ("normal", 0.58), ("ultrarapid", 0.026)]
)
def test_metaboliser_shares(large_cohorts: list[Cohort], metaboliser: str, share: float) -> None:
    assert metaboliser in METABOLISERS
    for cohort in large_cohorts:
        assert (cohort.truth["people"]["metaboliser"] == metaboliser).mean() == pytest.approx(share, abs=0.015)


@pytest.fixture(scope="module")
def plain_truths() -> list[Truth]:
    """Hidden truth without effects of sites and small variants: then all worlds are alike."""
    return [draw_truth(Settings(20_000, seed, world=seed, world_effects=False)) for seed in range(5)]


def test_response_by_endotype_and_arm(plain_truths: list[Truth]) -> None:
    published = [
        [0.759, 0.386, 0.560, 0.364],
        [0.236, 0.717, 0.393, 0.359],
        [0.258, 0.450, 0.336, 0.579],
        [0.454, 0.566, 0.355, 0.419],
    ]
    kind = np.concatenate([truth.latents.kind for truth in plain_truths])
    chance = np.vstack([truth.effects.p_response for truth in plain_truths])
    found = [chance[kind == number].mean(axis=0) for number in range(4)]
    np.testing.assert_allclose(found, published, rtol=0, atol=0.02)


def test_response_by_arm(plain_truths: list[Truth]) -> None:
    chance = np.vstack([truth.effects.p_response for truth in plain_truths])
    np.testing.assert_allclose(chance.mean(axis=0), [0.424, 0.528, 0.416, 0.430], rtol=0, atol=0.01)
    assert chance.mean() == pytest.approx(0.450, abs=0.01)


def test_endotype_shares(plain_truths: list[Truth]) -> None:
    kind = np.concatenate([truth.latents.kind for truth in plain_truths])
    np.testing.assert_allclose(np.bincount(kind) / len(kind), [0.270, 0.275, 0.265, 0.189], rtol=0, atol=0.015)


@pytest.mark.parametrize("world", range(12))
def test_event_rate_with_site_and_polygenic_effects(world: int) -> None:
    rate = draw_truth(Settings(4000, seed=world + 100, world=world)).effects.p_response.mean()
    assert 0.38 <= rate <= 0.55


def test_observed_responses_come_at_their_chance(large_cohorts: list[Cohort]) -> None:
    """What happened agrees with the stated probability: in each tenth of it, and for each arm."""
    people = pl.concat([cohort.truth["people"] for cohort in large_cohorts])
    received = pl.coalesce(pl.when(pl.col("arm") == arm).then(pl.col(f"p_response_{arm}")) for arm in ARMS)
    chance = people.select(received.alias("p"), "response", "arm").with_columns(tenth=(pl.col("p") * 10).floor())
    for by in ("tenth", "arm"):
        groups = chance.group_by(by).agg(pl.mean("p"), pl.mean("response"), pl.len())
        error = (groups["p"] * (1 - groups["p"]) / groups["len"]).sqrt()
        assert ((groups["p"] - groups["response"]).abs() < 4 * error).all()
