from __future__ import annotations

import numpy as np
import pytest

from nociomics.models.spread import Spread, fit_spread


def test_a_spread_that_grows_with_the_baseline_is_found() -> None:
    rng = np.random.default_rng(1)
    baseline = rng.uniform(5, 60, 4000)
    true = 4 * np.exp(0.5 * (baseline - baseline.mean()) / baseline.std())
    found = fit_spread(rng.normal(scale=true), baseline)
    assert found.slope == pytest.approx(0.5, abs=0.03)
    assert found.at(np.array([10.0, 30.0, 50.0])) == pytest.approx(
        np.interp([10, 30, 50], *_sorted(baseline, true)), rel=0.05
    )


def test_one_spread_for_all_is_found_too() -> None:
    rng = np.random.default_rng(2)
    slopes = [fit_spread(rng.normal(scale=1.5, size=300), rng.normal(6, 1.5, 300)).slope for _ in range(50)]
    assert np.mean(slopes) == pytest.approx(0, abs=0.03) and np.std(slopes) < 0.06


@pytest.mark.parametrize("baseline", [np.full(50, 5.0), np.full(50, np.nan), np.arange(50.0)[:10]])
def test_without_varied_baselines_it_is_the_same_for_everyone(baseline: np.ndarray) -> None:
    residual = np.linspace(-1, 1, len(baseline))
    found = fit_spread(residual, baseline)
    assert found == Spread(float(np.sqrt(np.mean(residual**2))))
    assert found.at(np.array([1.0, np.nan, 99.0])).tolist() == [found.sd] * 3


def test_beyond_what_was_seen_it_stays_and_an_unknown_baseline_has_the_mean_one() -> None:
    found = Spread(2.0, 0.5, centre=5.0, scale=2.0, low=1.0, high=9.0)
    assert found.at(np.array([9.0, 100.0, 1.0, -4.0, np.nan])) == pytest.approx(
        [2 * np.e, 2 * np.e, 2 / np.e, 2 / np.e, 2.0]
    )
    assert Spread.from_dict(found.to_dict()) == found


def _sorted(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(x)
    return x[order], y[order]
