"""A person's stratum on the profile: doubt is said, a batch cluster gives nobody a stratum, rules stand beside."""

from __future__ import annotations

from typing import Any

from nociomics.report.pages import PatientProfileData, patient_profile
from nociomics.report.profile_strata import Dimension
from nociomics.tables.results import PAIN_MECHANISMS
from tests.report import demo
from tests.report.html_page import Page
from tests.report.strata_demo import frame

_OF_ONE = {"stratum": "S1", "p_S1": 1.0, "entropy": 0.0, "atypical": False, "between": False}
_OF_TWO = {"stratum": "S2", "p_S1": 0.45, "p_S2": 0.55, "entropy": 0.69, "atypical": True, "between": True}
_DIMENSIONS = [Dimension("factor 1", ["pcs total", "−cortisol"], 92.4), Dimension("factor 2", ["crp"], None)]


def _text(**told: Any) -> str:
    data = PatientProfileData(patient_id="P1", study="demo", features={}, catalogue=demo.catalogue().clear(), **told)
    return Page(patient_profile(data)).text("stratum")


def test_in_a_continuum_a_person_has_places_on_dimensions_and_no_stratum() -> None:
    text = _text(assignment=_OF_ONE, dimensions=_DIMENSIONS)
    assert "dimensions, not types" in text and "S1" not in text
    assert "factor 1\npcs total, −cortisol\n92" in text.replace(" \n", "\n")
    assert "factor 2\ncrp\nnot measured" in text


def test_between_strata_and_atypical_are_said_in_words() -> None:
    text = _text(assignment=_OF_TWO, dimensions=_DIMENSIONS)
    assert "Between strata; the most likely is S2." in text and "atypical" in text
    assert "factor 1" not in text


def test_a_batch_cluster_gives_nobody_a_stratum() -> None:
    words = "A batch cluster, not strata: the 2 groups found go with plate (Cramér's V 0.91)."
    text = _text(assignment=_OF_TWO, dimensions=_DIMENSIONS, strata_cluster=words)
    assert words in text and "most likely" not in text and "55%" not in text
    assert "factor 1" in text


def test_rules_say_what_was_measured_and_what_was_not() -> None:
    rows = [
        ("neuropathic", "likely", "together", None),
        ("neuropathic", "likely", "dn4", 7.0),
        ("neuropathic", "not measured", "pain_detect", None),
        ("nociplastic", "not measured", "together", None),
    ]
    given = [dict(zip(("mechanism", "evidence", "rule", "value"), row, strict=True)) for row in rows]
    rules = frame(PAIN_MECHANISMS, [row | {"patient_id": "P1", "source": "invented"} for row in given])
    text = _text(assignment=_OF_TWO, pain_mechanisms=rules)
    assert "neuropathic\nlikely\ndn4 7: likely; pain detect not measured" in text
    assert "nociplastic\nnot measured" in text and "inflammatory\nnot measured" in text
    assert "Pain mechanisms by rules: not measured." in _text(assignment=_OF_TWO)


def test_nothing_looked_for_is_not_measured() -> None:
    assert "Stratum: not measured." in _text()
