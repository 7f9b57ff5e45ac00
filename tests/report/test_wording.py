"""The first sentence and what else the pages may claim."""

from __future__ import annotations

from typing import Any

import pytest

from nociomics.report.wording import finding, outcome_words, read_measure, unmeasured
from nociomics.tables.study import Target
from tests.report.demo import CLOSED, OPEN, TARGET, measure, metrics

_OMICS = ["clinical", "biomarkers", "expression"]


def _first(figures: dict[str, Any], gate: dict[str, Any] | None = OPEN, modalities: list[str] = _OMICS) -> str:
    return finding(TARGET, figures, gate, modalities)[0]


def test_nothing_found_is_the_first_sentence() -> None:
    said = _first(metrics((0.51, 0.45, 0.57), 0.51), CLOSED)
    assert said == (
        "The model found nothing: its predictions are no better than chance (AUROC 0.51, 0.45 to 0.57), "
        "so no treatment is recommended to any one person, and no drivers of one person's prediction are shown."
    )


def test_an_interval_that_starts_at_chance_found_nothing() -> None:
    assert _first(metrics((0.56, 0.5, 0.62))).startswith("The model found nothing")


def test_a_permutation_test_that_fails_is_nothing_found() -> None:
    figures = metrics() | {"permutation_p": measure(0.2, None, None)}
    assert _first(figures).startswith("The model found nothing")


def test_worse_than_chance_is_called_an_error() -> None:
    assert "points to an error" in _first(metrics((0.42, 0.37, 0.47)))


def test_no_gain_from_omics_is_in_the_first_sentence() -> None:
    said = _first(metrics((0.64, 0.59, 0.69), clinical=0.63))
    assert "omics add nothing" in said and "(gain 0.01, −0.02 to 0.04)" in said


def test_without_omics_nothing_is_said_about_omics() -> None:
    said = _first(metrics((0.64, 0.59, 0.69), clinical=0.63), modalities=["clinical", "questionnaires"])
    assert "omics" not in said


def test_gain_over_the_clinical_baseline_is_told_with_its_interval() -> None:
    assert "omics improve on the clinical baseline (gain 0.04, 0.01 to 0.07)" in _first(metrics())


def test_no_better_than_the_treatment_alone_is_in_the_first_sentence() -> None:
    figures = metrics() | {"auroc_gain_over_treatment_only": measure(0.01, -0.03, 0.05)}
    assert "not shown to be better than knowing the treatment alone" in _first(figures)


def test_a_closed_gate_is_in_the_first_sentence_and_names_one_treatment_for_all() -> None:
    first, second = finding(TARGET, metrics(), CLOSED, _OMICS)
    assert "it cannot say which treatment suits whom, so no treatment is recommended to any one person" in first
    assert second == ("There is no evidence that patients differ in which treatment helps; recommended for all: SNRI.")


@pytest.mark.parametrize(
    "figures",
    [metrics((0.51, 0.45, 0.57), 0.51), metrics((0.42, 0.37, 0.47)), {"auroc": measure(0.7, None, None)}, {}],
    ids=["nothing", "worse than chance", "no interval", "not measured"],
)
def test_whatever_closed_the_gate_the_first_sentence_says_that_nobody_gets_advice_or_drivers(figures) -> None:
    said = _first(figures, CLOSED)
    assert said.endswith(
        "so no treatment is recommended to any one person, and no drivers of one person's prediction are shown."
    )
    assert "any one person" not in _first(figures, OPEN)
    alone = TARGET.model_copy(update={"treatment": None})
    assert finding(alone, figures, CLOSED, _OMICS)[0].endswith("so no drivers of one person's prediction are shown.")


def test_figures_of_harm_that_lack_are_not_listed_one_by_one() -> None:
    assert unmeasured({"adverse_auroc": measure(None, None, None, "not computed: too few to model")}) == []


def test_an_open_gate_tells_the_gain() -> None:
    said = finding(TARGET, metrics(), OPEN, _OMICS)
    assert "cannot say" not in said[0]
    assert said[1].endswith("compared with giving everyone SNRI, the estimated gain is 0.21 (0.05 to 0.37).")


def test_an_untested_difference_is_not_called_absent() -> None:
    said = finding(TARGET, metrics(), CLOSED | {"heterogeneity": {}, "best_fixed": None}, _OMICS)[1]
    assert said == "Whether patients differ in which treatment helps could not be tested."


def test_without_an_interval_nothing_is_claimed() -> None:
    assert "has no interval" in _first({"auroc": measure(0.7, None, None)})


def test_the_gates_headline_is_not_replaced_by_another_figure() -> None:
    figures = {"auroc": measure(None, None, None, "not computed: one class only"), "brier": measure(0.2, 0.1, 0.3)}
    assert "not known" in _first(figures, CLOSED | {"headline": "auroc"})
    assert unmeasured(figures) == [("AUROC", "one class only")]


@pytest.mark.parametrize(("allowed", "words"), [(False, "no better than naming the commonest class"), (True, "better")])
def test_accuracy_is_judged_by_the_gate(allowed: bool, words: str) -> None:
    gate = CLOSED | {"headline": "accuracy", "individual_explanations": allowed}
    target = TARGET.model_copy(update={"kind": "multiclass", "treatment": None, "baseline": None, "response": None})
    said = finding(target, {"accuracy": measure(0.6, 0.55, 0.65)}, gate, ["clinical"])
    assert words in said[0] and len(said) == 1
    assert ("found nothing" in said[0]) is not allowed


def test_no_target_and_no_metrics_are_said_plainly() -> None:
    assert finding(None, {}, None, [])[0].startswith("Nothing was predicted")
    assert "was not measured" in finding(TARGET, {}, None, [])[0]


def test_a_figure_we_do_not_know_keeps_its_name() -> None:
    found = read_measure({"new_figure": {"value": 2}}, "new_figure")
    assert found is not None and found.label == "New figure" and found.text == "2.00 (no interval)"


@pytest.mark.parametrize(
    ("kind", "words"), [("continuous", "larger is taken as better"), ("binary", "yes is taken as better")]
)
def test_which_end_of_the_outcome_is_better_is_said_where_treatments_are_compared(kind: str, words: str) -> None:
    assert words in outcome_words(Target(kind=kind, outcome="pain", treatment="arm"))
    assert "better" not in outcome_words(Target(kind=kind, outcome="pain"))
