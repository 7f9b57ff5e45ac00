"""The patient profile: what it may say, to whom, and what it must hide."""

from __future__ import annotations

import polars as pl
import pytest

from nociomics.report.pages import patient_profile
from tests.report import demo
from tests.report.html_page import Page, reading_grade

_SECTIONS = ["plain", "clinician", "expected", "why", "stratum", "measured", "pharmacogenes", "unknown"]


def _page(**changes: object) -> Page:
    return Page(patient_profile(demo.person(**changes)))


def _abstained() -> pl.DataFrame:
    effects = demo.person().effects
    assert effects is not None
    return effects.with_columns(
        recommended=pl.lit(None, dtype=pl.String), status=pl.lit("abstained: the difference is within its error")
    )


def test_plain_words_come_before_the_clinicians_half() -> None:
    assert [id_ for id_ in _page().ids if id_ in _SECTIONS] == _SECTIONS


def test_a_recommendation_is_the_models_estimate() -> None:
    page = _page()
    assert "For people like you, the model's estimate is best with SNRI." in page.text("plain")
    assert "SNRI rather than NSAID" in page.text("expected")


def test_abstention_is_a_first_class_answer_with_its_reason() -> None:
    page = _page(effects=_abstained())
    assert "Not enough information to prefer one treatment." in page.text("plain")
    assert "abstained: the difference is within its error" in page.text("expected")


def test_a_closed_gate_names_one_treatment_for_all_and_shows_no_difference_for_the_person() -> None:
    page = _page(gate=demo.CLOSED)
    assert "no evidence that patients differ in which treatment helps: recommended for all: SNRI" in page.text(
        "expected"
    )
    assert "rather than" not in page.text()
    assert "estimate is best with" not in page.text()


def test_a_closed_gate_without_a_best_arm_shows_no_difference_either() -> None:
    page = _page(gate=demo.CLOSED | {"best_fixed": None})
    assert "rather than" not in page.text()


def test_behind_an_open_gate_harm_is_the_persons_own_and_each_weight_gives_its_order() -> None:
    text = _page().text("expected")
    assert "SNRI, then CBT, then tramadol, then NSAID" in text  # benefit only: .61 .44 .41 .38
    assert "CBT, then SNRI, then NSAID, then tramadol" in text  # equal: .37 .30 .16 .05
    assert "CBT, then NSAID, then SNRI, then tramadol" in text  # harm first: .07 .22 .31 .36
    assert "Unwanted effects: in 31% of people like you." in _page().text("plain")


def test_behind_a_closed_gate_harm_and_order_are_those_of_the_whole_group() -> None:
    page = _page(gate=demo.CLOSED)
    assert "the order is the same for everybody" in page.text("expected")
    assert "36%" not in page.text("expected")  # the person's own chance of harm under tramadol
    other = demo.person().predictions.with_columns(p_response=1 - pl.col("p_response"))
    for text in (page, _page(gate=demo.CLOSED, predictions=other)):
        assert "SNRI, then CBT, then NSAID, then tramadol" in text.text("expected")  # shares of the group
    assert "Unwanted effects: in 25% of people in the study." in page.text("plain")


def test_a_caution_stands_beside_the_numbers() -> None:
    doubtful = demo.person().predictions.with_columns(caution=pl.lit("atypical: far from everyone"))
    assert "Read with caution: atypical: far from everyone." in _page(predictions=doubtful).text("expected")


def test_drivers_are_hidden_when_the_gate_for_explanations_is_closed() -> None:
    page = _page(gate=demo.OPEN | {"individual_explanations": False})
    assert "Drivers are not shown" in page.text("why")
    assert "because" not in page.text() and "+0.3" not in page.text("why")
    assert "average estimate" in _page().text("why")


def test_drivers_are_hidden_without_a_gate() -> None:
    assert "Drivers are not shown" in _page(gate=None).text("why")


def test_parts_of_the_explanation_add_up_to_the_prediction() -> None:
    data = demo.person()
    assert data.predictions is not None
    expected = data.predictions.filter(pl.col("treatment") == "SNRI")["expected"][0]
    lines = _page().text("why").split("\n")
    assert lines[lines.index("this person's estimate") + 1] == f"{expected:.2f}"
    start, end = lines.index("average estimate"), lines.index("this person's estimate")
    numbers = [float(line.replace("−", "-")) for line in lines[start:end] if line.lstrip("+−")[:1].isdigit()]
    assert sum(numbers) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("gate", [demo.OPEN, demo.CLOSED])
def test_no_sentence_blames_a_biomarker_or_tells_to_change_one(gate: dict) -> None:
    text = _page(gate=gate).text().lower()
    for forbidden in ("because of your", "lower your", "raise your", "caused by", "causal", "overrules your"):
        assert forbidden not in text
    assert "your own rating of your pain is what counts" in text


def test_reading_grade_of_the_plain_half_is_at_most_eight() -> None:
    nothing = demo.metrics((0.51, 0.45, 0.57), 0.51)
    for changes in ({}, {"gate": demo.CLOSED, "metrics": nothing}, {"effects": _abstained()}, {"gate": None}):
        assert reading_grade(_page(**changes).text("plain")) <= 8


def test_plain_half_tells_chances_in_ten_and_ranges() -> None:
    text = _page().text("plain")
    assert "about 6 in 10 people like you" in text and "It could be anything from" in text


def test_a_model_that_found_nothing_says_so_to_the_patient() -> None:
    text = _page(metrics=demo.metrics((0.51, 0.45, 0.57), 0.51), gate=demo.CLOSED).text("plain")
    assert "no better than chance" in text and "no numbers for you" in text
    assert "The model expects" not in text


def test_not_measured_is_written_and_percentiles_stand_beside_values() -> None:
    lines = _page().text("measured").split("\n")
    assert lines[lines.index("C-reactive protein, serum") + 1] == "not measured"
    assert lines[lines.index("interleukin 6, serum") + 1] == "3.42 pg/mL"
    assert "Expression (2 features): not measured." in lines


def test_the_threshold_of_this_person_is_drawn_from_their_own_baseline() -> None:
    assert "a response for this person (1.9 points)" in _page().text("expected")
    features = dict(demo.person().features) | {"bpi_severity": None}
    assert "a response for this person" not in _page(features=features).text("expected")


def test_pharmacogene_doubt_is_shown_and_advice_without_change_is_folded() -> None:
    text = _page().text("pharmacogenes")
    assert "*1/*4" in text and "also possible: *1/*10" in text and "phenotype not certain" in text
    assert "1 to 1.25" in text
    assert "PMID 33387367" in text and "gabapentin, pregabalin." in text


def test_stratum_comes_with_its_uncertainty() -> None:
    assert "71%" in _page().text("stratum")
    between = {"stratum": "S1", "p_S1": 0.5, "p_S2": 0.5, "entropy": 0.69, "atypical": True, "between": True}
    text = _page(assignment=between).text("stratum")
    assert "Between strata" in text and "atypical" in text
    one = {"stratum": "S1", "p_S1": 1.0, "entropy": 0.0, "atypical": False, "between": False}
    assert "dimensions, not types" in _page(assignment=one).text("stratum")
    unknown = {"stratum": None, "p_S1": None, "entropy": None, "atypical": None, "between": None}
    assert "Not assigned" in _page(assignment=unknown).text("stratum")


def test_what_is_not_known_is_on_the_page() -> None:
    text = _page().text("unknown")
    assert "AUROC 0.64 (0.59 to 0.69)" in text and "41" in text and "expression" in text
    assert "not measured" in _page(n_similar=None).text("unknown")


def test_a_rejected_person_gets_the_reason_and_no_number() -> None:
    predictions = demo.person().predictions
    assert predictions is not None
    empty = predictions.with_columns(
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in ("expected", "lower", "upper", "p_response")),
        status=pl.lit("rejected: crp_mg_per_l outside its range"),
    )
    page = _page(predictions=empty, effects=_abstained(), shap=None)
    assert "rejected: crp_mg_per_l outside its range" in page.text("expected")
    assert "not measured" in page.text("expected")


def test_classes_show_their_probabilities() -> None:
    predictions = pl.DataFrame(
        {
            "patient_id": ["P1"],
            "treatment": pl.Series([None], dtype=pl.String),
            "expected": pl.Series([None], dtype=pl.Float64),
            "lower": pl.Series([None], dtype=pl.Float64),
            "upper": pl.Series([None], dtype=pl.Float64),
            "p_response": pl.Series([None], dtype=pl.Float64),
            "p_mild": [0.7],
            "p_severe": [0.3],
            "status": ["ok"],
        }
    )
    target = demo.TARGET.model_copy(
        update={"kind": "multiclass", "treatment": None, "baseline": None, "response": None}
    )
    page = _page(predictions=predictions, target=target, effects=None, shap=None)
    assert "mild" in page.text("expected") and "70%" in page.text("expected")
    assert "did not compare treatments" in page.text("plain")
