"""Who counts as alike: a rule that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nociomics.report import similar_people
from nociomics.report.similar_people import similar_counts


def test_people_within_half_a_standard_deviation_count_and_the_person_does_not() -> None:
    scores = np.array([[-1.0, 0.0], [1.0, 0.0], [-1.0, 0.4], [1.0, -0.4], [np.nan, 0.0]])
    assert similar_counts(scores, [0, 1, 2, 3, 4]) == [0, 0, 0, 0, None]
    assert similar_counts(np.repeat(scores[:2], 3, axis=0), [0, 3]) == [2, 2]


def test_units_and_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(1).normal(size=(300, 3))
    whole = similar_counts(scores, range(300))
    monkeypatch.setattr(similar_people, "_AT_ONCE", 1000)
    assert similar_counts(scores * [1, 100, 0.01], range(300)) == whole
    assert max(number for number in whole if number is not None) > 5


def test_without_dimensions_it_is_not_known() -> None:
    assert similar_counts(np.empty((3, 0)), [0, 2]) == [None, None]
