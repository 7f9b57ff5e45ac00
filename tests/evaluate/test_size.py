"""Worked cases printed by the authors of the criteria (R package pmsampsize, its help page)."""

from __future__ import annotations

import pytest

from nociomics.evaluate.size import minimum_size_binary, minimum_size_continuous


def test_binary_case():
    size = minimum_size_binary(parameters=24, event_share=0.174, r2=0.288)
    assert (size.shrinkage, size.optimism, size.precision, size.people) == (623, 662, 221, 662)


def test_continuous_case():
    size = minimum_size_continuous(parameters=25, r2=0.2)
    assert (size.shrinkage, size.optimism, size.precision, size.people) == (918, 401, 259, 918)


@pytest.mark.parametrize("parameters", [5, 50, 500])
def test_more_parameters_need_more_people(parameters):
    assert minimum_size_binary(2 * parameters, 0.4).people > minimum_size_binary(parameters, 0.4).people
    assert minimum_size_continuous(2 * parameters).people > minimum_size_continuous(parameters).people


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="event share"):
        minimum_size_binary(5, 1.0)
    with pytest.raises(ValueError, match="at least one parameter"):
        minimum_size_continuous(0)
    with pytest.raises(ValueError, match="R2"):
        minimum_size_binary(5, 0.4, r2=0.95)
