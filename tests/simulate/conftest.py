from __future__ import annotations

import pytest

from nociomics.simulate.cohort import Cohort, simulate_cohort

PATIENTS = 4000


@pytest.fixture(scope="session")
def large_cohorts() -> list[Cohort]:
    """Four cohorts of the size for which the acceptance table was written, of other seeds and worlds."""
    return [simulate_cohort(PATIENTS, seed=seed, world=world) for seed, world in ((1, 0), (2, 1), (3, 2), (4, 3))]


@pytest.fixture(scope="session")
def cohort() -> Cohort:
    return simulate_cohort(600, seed=1)
