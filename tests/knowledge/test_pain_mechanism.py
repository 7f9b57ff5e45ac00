"""Rules for kinds of pain say what the instruments' own files say, and leave no value between two bands."""

from __future__ import annotations

from itertools import groupby

import pytest

from nociomics.knowledge.biomarker import load_biomarkers
from nociomics.knowledge.instrument import load_instruments
from nociomics.knowledge.pain_mechanism import EvidenceBand, load_evidence_bands
from nociomics.knowledge.strata_marker import load_strata_markers

RULES = {rule: list(bands) for rule, bands in groupby(load_evidence_bands(), key=lambda band: band.rule)}
FEATURES = {
    *(f"{one.feature_prefix}_{scale}" for one in load_instruments().values() for scale in one.scales),
    *(marker.feature_name for marker in load_biomarkers().values()),
}


@pytest.mark.parametrize("rule", RULES)
def test_every_value_lies_in_exactly_one_band(rule: str) -> None:
    for value in (half / 2 for half in range(-4, 201)):
        assert sum(band.holds(value) for band in RULES[rule]) == 1


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_about_one_mechanism_and_one_feature_that_harmonising_makes(rule: str) -> None:
    assert len({(band.mechanism, band.feature, band.stands_in_for) for band in RULES[rule]}) == 1
    assert RULES[rule][0].feature in FEATURES
    assert RULES[rule][0].stands_in_for in {None, *RULES}


# rule, instrument, scale: cut-offs as the instrument's own file has them
@pytest.mark.parametrize(
    ("rule", "instrument", "scale"),
    [("dn4", "dn4", "total"), ("dn4_interview", "dn4", "interview"), ("csi", "csi", "total")],
)
def test_cut_offs_are_those_of_the_instrument(rule: str, instrument: str, scale: str) -> None:
    (cutoff,) = load_instruments()[instrument].scales[scale].cutoffs
    assert cutoff.op == ">="
    spoken = {band.evidence for band in RULES[rule] if band.holds(cutoff.value)}
    assert spoken <= {"likely", "possible"}
    assert {band.evidence for band in RULES[rule] if band.holds(cutoff.value - 1)} == {"unlikely"}


def test_the_bands_of_paindetect_are_those_of_the_instrument() -> None:
    words = {"unlikely": "unlikely", "unclear": "possible", "likely": "likely"}
    for band in load_instruments()["paindetect"].scales["total"].bands:
        assert band.high is not None
        for score in range(int(band.low), int(band.high) + 1):
            (said,) = [own.evidence for own in RULES["paindetect"] if own.holds(score)]
            assert said == words[band.label.split()[-1]]


def test_no_cytokine_is_judged_by_a_limit() -> None:
    judged = {band.feature for band in load_evidence_bands() if band.mechanism == "inflammatory"}
    assert judged == {"crp_mg_per_l", "hscrp_mg_per_l"}
    assert all(band.evidence != "likely" for band in load_evidence_bands() if band.mechanism == "inflammatory")


def test_markers_are_features_that_harmonising_makes() -> None:
    assert set(load_strata_markers()) <= FEATURES
    assert {marker.mechanism for marker in load_strata_markers().values()} == {
        "inflammatory",
        "neuropathic",
        "psychosocial",
        "nociplastic",
    }


def test_every_fact_has_a_source() -> None:
    facts: list[EvidenceBand] = list(load_evidence_bands())
    assert all(fact.source and fact.status for fact in [*facts, *load_strata_markers().values()])
