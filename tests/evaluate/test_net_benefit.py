from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nociomics.evaluate.net_benefit import net_benefit

EVENTS = arrays(np.float64, 20, elements=st.sampled_from([0.0, 1.0]))


@given(EVENTS, st.floats(0.01, 0.99))
def test_treating_no_one_brings_nothing(y, threshold):
    benefit = net_benefit(y, np.zeros(20), [threshold])
    assert benefit.model[0] == 0
    assert benefit.treat_none[0] == 0


@given(EVENTS, st.floats(0.01, 0.99))
def test_a_model_that_treats_everyone_equals_treat_all(y, threshold):
    benefit = net_benefit(y, np.ones(20), [threshold])
    assert benefit.model[0] == pytest.approx(benefit.treat_all[0])


@given(EVENTS, st.floats(0.01, 0.99))
def test_knowing_the_outcome_brings_the_event_share_and_no_more(y, threshold):
    assert net_benefit(y, y, [threshold]).model[0] == pytest.approx(y.mean())


def test_a_threshold_of_one_is_refused():
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        net_benefit([0, 1], [0.2, 0.8], [1.0])
