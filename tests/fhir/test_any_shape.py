"""Whatever stands in an element, a message gives tables and a list, or one error of ours."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nociomics.fhir.content import FhirError, read_content
from nociomics.fhir.incoming import tables_of
from nociomics.fhir.listing import LISTING, Listing
from tests.conftest import examples
from tests.fhir.messages import bundle, form, genotype, lab, patient, phenotype, request, statement

_LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
_ANY = st.recursive(
    _LEAF, lambda part: st.lists(part, max_size=2) | st.dictionaries(st.text(max_size=4), part, max_size=2)
)
_WHOLE = bundle(patient(), lab(), lab("44261-6"), genotype(), phenotype(), form(), statement(), request(), lab(id="o"))
_WHOLE["entry"][0]["fullUrl"] = "https://one.example/fhir/Patient/secret-1"
_WHOLE["entry"][-1]["fullUrl"] = "https://one.example/fhir/Observation/o"


def _places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(place for name, part in parts for place in _places(part, (*way, name)))]


_PLACES = [place for place in _places(_WHOLE) if place]


@given(st.lists(st.tuples(st.sampled_from(_PLACES), _ANY), min_size=1, max_size=2))
@settings(max_examples=examples(200))
def test_any_element_may_be_anything(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    message = copy.deepcopy(_WHOLE)
    for place, value in changes:
        target: Any = message
        with contextlib.suppress(LookupError, TypeError):  # the other change took this place away
            for name in place[:-1]:
                target = target[name]
            target[place[-1]] = value
    listing = Listing()
    with contextlib.suppress(FhirError):
        resources = read_content(message, listing)
        found = tables_of(resources, listing)
        assert LISTING.problems(found.listing) == []
        assert found.tables["patients"]["patient_id"].null_count() == 0
