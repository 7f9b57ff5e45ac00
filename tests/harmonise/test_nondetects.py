"""Non-detects: estimates against the worked example and another optimiser, bands, findings."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import norm

from nociomics.harmonise.nondetects import (
    censored_log_normal,
    nondetect_band,
    nondetect_findings,
    nondetect_shares,
    substituted,
)

VALUES = [1.2, 0.8, 2.5, 3.1, 0.9, 1.7, 0.6, 4.4, 0.5, 0.5, 0.5, 0.5]
BELOW = [False] * 8 + [True] * 4


def test_the_worked_example_by_maximum_likelihood():
    found = censored_log_normal(VALUES, BELOW)
    assert (found.mean, found.sd) == pytest.approx((-0.1728, 1.0522), abs=5e-5)
    assert (found.detected, found.censored) == (8, 4)


@pytest.mark.parametrize(
    ("divisor", "mean", "sd"),
    [(2**0.5, -0.0630, 0.9159), (2, -0.1785, 1.0556), (None, 0.4254, 0.7075)],
    ids=["LOD over root 2", "LOD/2", "dropped"],
)
def test_the_worked_example_by_substitution(divisor, mean, sd):
    found = substituted(VALUES, BELOW, divisor)
    assert (found.mean, found.sd) == pytest.approx((mean, sd), abs=5e-5)


def by_another_optimiser(logs: np.ndarray, below: np.ndarray, above: np.ndarray) -> np.ndarray:
    seen = ~below & ~above

    def loss(at: np.ndarray) -> float:
        mean, sd = at[0], np.exp(at[1])
        return -float(
            norm.logpdf(logs[seen], mean, sd).sum()
            + norm.logcdf(logs[below], mean, sd).sum()
            + norm.logsf(logs[above], mean, sd).sum()
        )

    start = [logs.mean(), np.log(logs.std() + 0.1)]
    found = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12, "maxiter": 10_000})
    return np.array([found.x[0], np.exp(found.x[1])])


@pytest.mark.parametrize("seed", range(6))
def test_limits_on_both_sides_and_by_plate_agree_with_another_optimiser(seed):
    rng = np.random.default_rng(seed)
    logs = rng.normal(0.5, 1.1, 60)
    low, high = rng.choice([-0.7, 0.2], 60), 2.0
    below, above = logs < low, logs > high
    shown = np.where(below, low, np.where(above, high, logs))
    found = censored_log_normal(np.exp(shown), below, above)
    assert (found.mean, found.sd) == pytest.approx(tuple(by_another_optimiser(shown, below, above)), abs=2e-6)


@given(st.lists(st.floats(0.01, 100), min_size=3, max_size=20, unique=True))
def test_without_non_detects_it_is_the_plain_estimate(values):
    logs = np.log(values)
    if logs.std() < 1e-3:
        return
    found = censored_log_normal(values, [False] * len(values))
    assert (found.mean, found.sd) == pytest.approx((logs.mean(), logs.std()), abs=1e-7)


@given(st.floats(0.01, 100))
def test_another_unit_moves_the_mean_alone(factor):
    one, other = censored_log_normal(VALUES, BELOW), censored_log_normal(np.array(VALUES) * factor, BELOW)
    assert other.mean == pytest.approx(one.mean + np.log(factor), abs=1e-7)
    assert other.sd == pytest.approx(one.sd, abs=1e-7)


@pytest.mark.parametrize(("values", "below"), [([0.5] * 3, [True] * 3), ([0.5, 2.0], [True, False]), ([], [])])
def test_too_little_gives_no_estimate(values, below):
    found = censored_log_normal(values, below)
    assert (found.mean, found.sd) == (None, None)


def test_a_limit_of_nothing_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        censored_log_normal([0.0, 1.0, 2.0], [True, False, False])


@pytest.mark.parametrize(
    ("share", "band"), [(0, "few"), (0.149, "few"), (0.15, "some"), (0.5, "some"), (0.501, "most"), (1, "most")]
)
def test_bands(share, band):
    assert nondetect_band(share) == band


def measured(analyte: str, below: int, n: int, limits: tuple[float, ...] = (0.4,)) -> pl.DataFrame:
    flags = [True] * below + [False] * (n - below)
    lods = [limits[place % len(limits)] if flag else None for place, flag in enumerate(flags)]
    rows = {"value": [1.0] * n, "below_lod": flags, "lod": lods, "plate": ["a"] * n}
    return pl.DataFrame(rows, schema_overrides={"lod": pl.Float64}).with_columns(analyte=pl.lit(analyte))


def test_each_analyte_is_told_what_its_share_allows():
    rows = pl.concat([measured("il6", 1, 10), measured("il10", 3, 10, (0.1, 0.2)), measured("il1b", 8, 10)])
    rows = pl.concat([rows, measured("crp", 0, 10)])
    shares = nondetect_shares(rows)
    assert shares.select("analyte", "below", "share", "limits", "band").rows() == [
        ("il6", 1, 0.1, 1, "few"),
        ("il10", 3, 0.3, 2, "some"),
        ("il1b", 8, 0.8, 1, "most"),
        ("crp", 0, 0.0, 0, "few"),
    ]
    found = nondetect_findings(rows)
    assert [(finding.severity, finding.count) for finding in found] == [("info", 1), ("warning", 3), ("warning", 8)]
    assert "2 different limits" in found[1].message and "censored models" in found[1].message
    assert "whether it was detected" in found[2].message
