from __future__ import annotations

import numpy as np
import pytest

from nociomics.simulate.mechanisms import Settings
from nociomics.simulate.people import draw_people, draw_visits

_SETTINGS = Settings(20_000, seed=5)


def test_people_are_as_described() -> None:
    people = draw_people(_SETTINGS)
    assert people.age.min() == 18
    assert people.age.max() == 85
    assert people.age.mean() == pytest.approx(52, abs=0.5)
    assert people.bmi_z.mean() == pytest.approx(0, abs=0.03)
    assert people.bmi_z.std() == pytest.approx(1, abs=0.03)
    assert people.female.mean() == pytest.approx(0.62, abs=0.015)
    assert people.smoker.mean() == pytest.approx(0.22, abs=0.015)
    assert people.group.mean() == pytest.approx(0.20, abs=0.015)


def test_months_of_pain_rise_with_the_hidden_duration_and_fit_into_a_life() -> None:
    people = draw_people(_SETTINGS)
    months = people.pain_months
    assert (np.diff(months[people.duration.argsort()]) >= 0).all()
    assert months.min() >= 3
    assert (months <= 12 * people.age).all()
    assert len(np.unique(months)) > 100


def test_more_blocks_are_missing_at_even_sites() -> None:
    visits, person = draw_visits(_SETTINGS)
    once = person == np.arange(len(person))
    for site in range(4):
        missing = 1 - visits.measured[(visits.site == site) & once].mean(axis=0)
        factor = 1.5 if site in (1, 3) else 0.5
        np.testing.assert_allclose(missing, factor * np.array([0.08, 0.15, 0.10]), rtol=0, atol=0.02)
