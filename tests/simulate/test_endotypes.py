from __future__ import annotations

import numpy as np
import pytest

from nociomics.simulate.cohort import simulate_cohort
from nociomics.simulate.endotypes import NO_TYPE, pooled_moments
from nociomics.simulate.mechanisms import MECHANISMS, Settings, mechanism_types
from nociomics.simulate.truth import draw_truth


@pytest.mark.parametrize(
    ("mechanism", "types"), [("endotypes", 4), ("two_types", 2), ("six_types", 6), ("noise", 4), ("continuum", 0)]
)
def test_each_mechanism_has_its_types(mechanism: str, types: int) -> None:
    kind = draw_truth(Settings(4000, 1, 0, mechanism)).latents.kind
    found = set(kind.tolist()) - {NO_TYPE}
    assert len(found) == len(mechanism_types(mechanism)) == types
    assert sum(t.share for t in mechanism_types(mechanism)) == pytest.approx(1.0 if types else 0.0)
    names = simulate_cohort(200, seed=1, mechanism=mechanism).truth["people"]["endotype"]
    assert names.drop_nulls().n_unique() == types


def test_the_continuum_has_the_moments_of_the_four_types_but_one_centre() -> None:
    mixed = draw_truth(Settings(40_000, 1)).latents.drivers
    smooth = draw_truth(Settings(40_000, 1, 0, "continuum")).latents.drivers
    mean, covariance = pooled_moments()
    for drivers in (mixed, smooth):
        np.testing.assert_allclose(drivers.mean(axis=0), mean, rtol=0, atol=0.03)
        np.testing.assert_allclose(np.cov(drivers.T), covariance, rtol=0, atol=0.04)
    # A Gaussian has no excess kurtosis; the four types make flat-topped drivers.
    standard = (smooth - smooth.mean(axis=0)) / smooth.std(axis=0)
    np.testing.assert_allclose((standard**4).mean(axis=0), 3, rtol=0, atol=0.15)
    standard = (mixed - mixed.mean(axis=0)) / mixed.std(axis=0)
    assert ((standard**4).mean(axis=0) < 2.8).all()


def test_within_a_type_the_drivers_spread_as_stated() -> None:
    latents = draw_truth(Settings(40_000, 1)).latents
    expected = 0.36 * (0.85 * np.eye(3) + 0.15)
    for number, kind in enumerate(mechanism_types("endotypes")):
        here = latents.drivers[latents.kind == number]
        np.testing.assert_allclose(here.mean(axis=0), kind.centre, rtol=0, atol=0.03)
        np.testing.assert_allclose(np.cov(here.T), expected, rtol=0, atol=0.02)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_mechanism_leaves_bodies_as_they_are(mechanism: str) -> None:
    """Each part draws from a stream of its own, so worlds can be compared person by person."""
    plain = draw_truth(Settings(300, 1))
    other = draw_truth(Settings(300, 1, 0, mechanism))
    np.testing.assert_array_equal(plain.genotypes.snps, other.genotypes.snps)
    np.testing.assert_array_equal(plain.people.age, other.people.age)
