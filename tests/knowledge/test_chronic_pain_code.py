"""The codes of chronic pain, entered a second time from the published list of families."""

from __future__ import annotations

from nociomics.knowledge.chronic_pain_code import is_known_family, load_chronic_pain_codes

FAMILIES = {
    "MG30.0": "primary",
    "MG30.1": "cancer",
    "MG30.2": "surgery or injury",
    "MG30.3": "musculoskeletal",
    "MG30.4": "visceral",
    "MG30.5": "neuropathic",
    "MG30.6": "headache or orofacial",
}


def test_the_seven_families_are_there_and_every_code_has_its_parent_and_source() -> None:
    codes = load_chronic_pain_codes()
    for code, word in FAMILIES.items():
        assert word in codes[code].name and codes[code].status == "checked"
    assert all(row.source and is_known_family(code) for code, row in codes.items())
    assert {code[:6] for code in codes if len(code) == 7} <= set(FAMILIES)
