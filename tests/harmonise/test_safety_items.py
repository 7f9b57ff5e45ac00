"""Answers that must be seen: raised whatever the total, listed for clinicians, and only counted elsewhere."""

from __future__ import annotations

import polars as pl

from nociomics.harmonise.safety_items import SAFETY_ITEMS, safety_findings, safety_items
from nociomics.knowledge.instrument import load_instruments

ALL = load_instruments()


def answers(*rows: tuple[str, str, str, str, float | None]) -> pl.DataFrame:
    names = ("patient_id", "visit", "instrument", "item", "response")
    return pl.DataFrame(rows, schema=dict(zip(names, [pl.String] * 4 + [pl.Float64], strict=True)), orient="row")


def test_a_single_answer_is_enough():
    given = answers(
        ("SECRET-2", "baseline", "phq_9", "9", 1.0),
        ("SECRET-1", "week4", "bdi_ii", "9", 3.0),
        ("SECRET-1", "baseline", "bdi_ii", "9", 0.0),
        ("SECRET-3", "baseline", "bdi_ii", "9", None),
        ("SECRET-3", "baseline", "bdi_ii", "8", 3.0),
        ("SECRET-3", "baseline", "pcs", "9", 4.0),
    )
    raised = SAFETY_ITEMS.check(safety_items(given, ALL))
    assert raised.select("patient_id", "visit", "instrument", "item", "points", "concern").rows() == [
        ("SECRET-1", "week4", "bdi_ii", "9", 3.0, "suicidality"),
        ("SECRET-2", "baseline", "phq_9", "9", 1.0, "suicidality"),
    ]
    (told,) = safety_findings(raised)
    assert (told.severity, told.count) == ("warning", 2)
    assert "SECRET" not in told.message


def test_nothing_is_told_when_there_is_none():
    raised = safety_items(answers(("A", "baseline", "phq_9", "9", 0.0)), ALL)
    assert SAFETY_ITEMS.problems(raised) == []
    assert raised.height == 0 and safety_findings(raised) == []


def test_the_two_known_safety_items_are_marked():
    assert {(name, rule.item, rule.at_least) for name, one in ALL.items() for rule in one.safety} == {
        ("phq_9", "9", 1),
        ("bdi_ii", "9", 1),
    }
