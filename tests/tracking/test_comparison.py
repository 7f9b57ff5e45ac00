"""Two runs side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nociomics.errors import NociomicsError
from nociomics.tracking.comparison import (
    FigurePair,
    LoggedRun,
    comparison_text,
    differences,
    figure_pairs,
    read_runs,
)
from nociomics.tracking.run_record import RunRecord
from nociomics.tracking.study_run import StudyRun, log_study

METRICS = {
    "auroc": {"value": 0.64, "lower": 0.59, "upper": 0.68, "n": 534},
    "brier": {"value": 0.23, "lower": 0.22, "upper": 0.24, "n": 534},
    "policy_gain": {"value": None, "lower": None, "upper": None, "n": 0},
    "e50": {"value": 0.02, "lower": None, "upper": None, "n": 534},
}
FIRST = LoggedRun(
    run_id="a" * 32,
    name="demo 17bbbe1",
    study="demo",
    parameters={"response.trees": "200", "seed": "1"},
    tags={"code.commit": "1" * 40, "knowledge.digest": "k1"},
    data={"outcomes": "0" * 64, "patients": "1" * 64},
    metrics=METRICS,
    headline="auroc",
)
SECOND = replace(
    FIRST,
    run_id="b" * 32,
    parameters={"response.trees": "50", "seed": "1", "response.depth": "2"},
    data={"outcomes": "9" * 64, "patients": "1" * 64},
    metrics={**METRICS, "auroc": {"value": 0.75, "lower": 0.70, "upper": 0.79, "n": 534}},
)


def test_only_what_differs_is_told() -> None:
    told = {(one.kind, one.name): (one.first, one.second) for one in differences(FIRST, SECOND)}
    assert told == {
        ("setting", "response.trees"): ("200", "50"),
        ("setting", "response.depth"): (None, "2"),
        ("data", "outcomes"): ("0" * 64, "9" * 64),
    }
    assert differences(FIRST, FIRST) == []


def test_the_headline_comes_first_with_both_intervals() -> None:
    pairs = figure_pairs(FIRST, SECOND)
    assert pairs[0] == FigurePair("auroc", (0.64, 0.59, 0.68), (0.75, 0.70, 0.79))
    assert pairs[0].verdict == "intervals apart"
    assert [pair.name for pair in pairs] == ["auroc", "brier", "e50", "policy_gain"]


@pytest.mark.parametrize(
    ("second", "verdict"),
    [
        ((0.6, 0.5, 0.7), "same"),
        ((0.65, 0.55, 0.75), "intervals overlap"),
        ((0.9, 0.7, 1.0), "intervals overlap"),
        ((0.9, 0.71, 1.0), "intervals apart"),
        ((0.3, 0.2, 0.4), "intervals apart"),
        ((0.65, None, None), "cannot tell"),
        ((None, None, None), "cannot tell"),
    ],
)
def test_two_intervals_say_no_more_than_they_can(second: tuple[float | None, ...], verdict: str) -> None:
    assert FigurePair("auroc", (0.6, 0.5, 0.7), second).verdict == verdict  # type: ignore[arg-type]


def test_the_words() -> None:
    text = comparison_text(FIRST, SECOND)
    assert "setting    response.trees: 200 -> 50\n" in text
    assert "setting    response.depth: absent -> 2\n" in text
    assert "data       outcomes: 000000000000 -> 999999999999\n" in text
    assert "the same: code, knowledge\n" in text
    assert "auroc: 0.640 (0.590 to 0.680) -> 0.750 (0.700 to 0.790)  +0.110, intervals apart\n" in text
    assert "policy_gain: not known -> not known" in text
    assert "e50" not in text and "e50" in comparison_text(FIRST, SECOND, whole=True)
    assert "nothing that was logged" in comparison_text(FIRST, FIRST)
    assert "different questions" in comparison_text(FIRST, replace(SECOND, study="other"))


def test_what_a_run_does_not_say_is_not_called_the_same() -> None:
    bare = replace(FIRST, data={}, tags={})
    assert "the same: code" not in comparison_text(bare, replace(SECOND, data={}, tags={}))


def test_runs_are_read_back_from_the_store_by_the_first_characters(uri: str) -> None:
    ids = []
    for trees in (200, 50):
        record = RunRecord(
            "demo",
            parameters={"response": {"trees": trees}},
            tags={"stage": "study", "study": "demo", "code.commit": "f" * 40},
            documents={"metrics": METRICS, "gate": {"headline": "auroc"}, "data": {"outcomes": "0" * 64}},
            children=(RunRecord("evaluation", tags={"stage": "evaluation"}),),
        )
        ids.append(log_study(StudyRun("demo", record), uri).run_id)
    first, second = read_runs(uri, (ids[0][:8], ids[1]))
    assert [(one.name, one.first, one.second) for one in differences(first, second)] == [
        ("response.trees", "200", "50")
    ]
    assert first.metrics == METRICS and first.headline == "auroc" and first.data == {"outcomes": "0" * 64}
    with pytest.raises(NociomicsError, match=r"fits no run of a study(.|\n)*demo"):
        read_runs(uri, ("zzzzzzzz", ids[1]))
    with pytest.raises(NociomicsError, match="at least 4"):
        read_runs(uri, (ids[0][:2], ids[1]))
