"""The patient profile: what it may say, to whom, and what it must hide."""

from __future__ import annotations

import os
import subprocess
import sys

import polars as pl
import pytest

from nociomics.report.pages import patient_profile
from tests.report import demo
from tests.report.html_page import Page, reading_grade

_SECTIONS = ["plain", "clinician", "dials", "molecules", "pharmacogenes", "stratum", "expected", "why", "unknown"]


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


_NOTHING_FOUND = {"gate": demo.CLOSED, "metrics": demo.metrics((0.51, 0.45, 0.57), 0.51)}
_ALONE = demo.TARGET.model_copy(update={"treatment": None, "adverse_event": None})
_CLASSES = _ALONE.model_copy(update={"kind": "multiclass", "baseline": None, "response": None})
_ABSENT = dict.fromkeys(("predictions", "effects", "shap", "base", "gate", "target", "arms", "assignment"))
_SCALES = {"pcs_total": 31.0, "bdi_total": 20.0, "gad_7_total": 9.0, "isi_total": 12.0, "mlq_presence": 22.0}
_SCALES |= {"cpaq_8_total": 25.0, "promis_29_social_roles": 41.0, "bpi_severity": 6.0, "dn4_total": 5.0}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        _NOTHING_FOUND,
        {"gate": demo.CLOSED},
        {"gate": demo.CLOSED | {"heterogeneity": {}}},
        {"gate": demo.CLOSED | {"best_fixed": None}},
        {"effects": _abstained()},
        {"gate": None},
        {"target": _ALONE, "effects": None, "predictions": demo.person().predictions.head(1)},
        {"target": _CLASSES, "effects": None, "predictions": demo.class_predictions()},
        _ABSENT | {"metrics": {}},
        _ABSENT | {"features": dict.fromkeys(demo.person().features), "percentiles": {}, "metrics": {}},
        {"features": dict(demo.person().features) | _SCALES},
        {"n_similar": 0},
        {"n_similar": 3},
        {"n_similar": None},
        {"missing_modalities": ["biomarkers", "clinical", "expression", "genotype", "pgx", "questionnaires"]},
    ],
    ids=[
        "open", "nothing found", "closed", "not tested", "closed without a best arm", "abstained", "no gate",
        "no treatments", "classes", "nothing predicted", "nothing measured", "every dial", "nobody alike", "few alike",
        "alike not known", "no modality",
    ],
)  # fmt: skip
def test_reading_grade_of_the_plain_half_is_at_most_eight(changes: dict) -> None:
    text = _page(**changes).text("plain")
    assert reading_grade(text) <= 8
    assert "Your own rating of your pain is what counts." in text


@pytest.mark.parametrize("gate", [demo.OPEN, demo.CLOSED, None], ids=["open", "closed", "none"])
def test_every_page_tells_performance_similar_people_and_what_was_missing(gate: dict | None) -> None:
    page = _page(gate=gate)
    assert "In the study, 41 other people gave data much like yours." in page.text("plain")
    assert "These were not measured: test of gene activity." in page.text("plain")
    text = page.text("unknown")
    assert "AUROC 0.64" in text and "41 (within half a standard deviation" in text and "3/12" in text


def test_a_status_that_all_rows_share_is_said_once() -> None:
    text = _page(effects=_abstained()).text("expected")
    assert text.count("abstained: the difference is within its error") == 1
    mixed = _abstained().with_columns(
        status=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("ok")).otherwise(pl.col("status"))
    )
    assert _page(effects=mixed).text("expected").count("abstained: the difference is within its error") > 1


def test_numbers_of_the_contrast_equal_the_table_of_effects() -> None:
    data, lines = demo.person(), _page().text("why").split("\n")
    assert data.effects is not None
    row = data.effects.filter(treatment_a="SNRI").sort("effect")
    other = data.effects.filter(treatment_b="SNRI")
    known = dict(zip(row["treatment_b"], row["effect"], strict=True)) | dict(
        zip(other["treatment_a"], -other["effect"], strict=True)
    )
    title = next(line for line in lines if line.startswith("Why SNRI rather than "))
    shown = lines[lines.index("difference for this person") + 1]
    assert shown == f"{known[title.removeprefix('Why SNRI rather than ')]:.2f}".replace("-", "−")


def test_the_spread_between_refits_and_the_stability_of_the_order_are_told() -> None:
    data = demo.person()
    assert data.shap is not None
    figures = {"people": 600, "refits": 20, "rank_correlation": 0.51, "rank_correlation_halves": 0.93}
    stable = pl.DataFrame([{"treatment": "SNRI"} | figures])
    page = _page(shap=data.shap.with_columns(shap_sd=pl.lit(0.04)), stability=stable)
    assert "±0.04" in page.text("why") and "±at most 0.08" in page.text("why")
    assert "the order of one person's reasons stays much the same: rank correlation 0.93" in page.text("why")
    closed = _page(shap=data.shap.with_columns(shap_sd=pl.lit(0.04)), stability=stable, gate=demo.CLOSED)
    assert "±" not in closed.text("why") and "rank correlation" not in closed.text("why")


def test_the_likeliest_class_is_explained() -> None:
    shap = pl.DataFrame(
        [
            {"patient_id": "P1", "treatment": None, "feature": "age", "modality": "clinical", "group": "age",
             "feature_value": 54.0, "shap_value": size, "class": name}
            for name, size in (("mild", 0.2), ("severe", -0.2))
        ],
        schema_overrides={"treatment": pl.String},
    )  # fmt: skip
    base = pl.DataFrame(
        {"treatment": [None, None], "base_value": [0.5, 0.5], "class": ["mild", "severe"]},
        schema_overrides={"treatment": pl.String},
    )
    page = _page(target=_CLASSES, predictions=demo.class_predictions(), effects=None, shap=shap, base=base)
    text = page.text("why")
    assert "the model's estimate for mild (probability of this class)" in text
    assert text.split("\n")[text.split("\n").index("this person's estimate") + 1] == "0.70"


def test_blocks_without_data_say_so_in_one_line_each() -> None:
    page = _page(
        **_ABSENT,
        pgx_calls=None,
        pgx_recommendations=None,
        features=dict.fromkeys(demo.person().features),
        percentiles={},
    )
    assert page.text("molecules").split("\n") == ["Molecules", "Molecules: not measured (3 analytes)."]
    assert len(page.text("dials").split("\n")) == 2
    assert "Pharmacogenes: not measured." in page.text("pharmacogenes")
    assert "Stratum: not measured." in page.text("stratum")
    assert "Expected response: not measured." in page.text("expected")


def _wide(features: int, arms: int) -> dict:
    names = [f"gene_{index:05d}" for index in range(features)]
    catalogue = pl.concat(
        [
            demo.catalogue(),
            demo.catalogue().head(1).select(pl.exclude("feature")).join(pl.DataFrame({"feature": names}), how="cross")
            .with_columns(modality=pl.lit("expression"), group=pl.col("feature"), unit=pl.lit("log2"))
            .select(demo.catalogue().columns),
        ]
    )  # fmt: skip
    treatments = [f"treatment {index}" for index in range(arms)]
    predictions = demo.person().predictions.head(1).select(pl.exclude("treatment")).join(
        pl.DataFrame({"treatment": treatments}), how="cross"
    )  # fmt: skip
    shap = pl.DataFrame({"feature": names}).select(
        pl.lit("P0001").alias("patient_id"), pl.lit(treatments[0]).alias("treatment"), "feature",
        pl.lit("expression").alias("modality"), pl.col("feature").alias("group"),
        pl.lit(1.5).alias("feature_value"), (pl.int_range(pl.len()) % 97 / 1e4).alias("shap_value"),
    )  # fmt: skip
    effects = demo.person().effects.head(1).select(pl.exclude("treatment_b")).join(
        pl.DataFrame({"treatment_b": treatments[1:]}), how="cross"
    ).with_columns(treatment_a=pl.lit(treatments[0]), recommended=pl.lit(treatments[0]))  # fmt: skip
    values = dict(demo.person().features) | dict.fromkeys(names, 1.5)
    return {"catalogue": catalogue, "predictions": predictions, "effects": effects, "shap": shap, "features": values}


def test_a_page_of_5000_features_and_150_treatments_stays_under_400_kb() -> None:
    page = patient_profile(demo.person(**_wide(5000, 150)))
    assert 50_000 < len(page.encode()) < 400_000
    text = Page(page)
    assert "The study looked at 150 treatments." in text.text("plain")
    assert "all other 4994 groups" in text.text("why")


@pytest.mark.parametrize("place", ["feature", "treatment", "patient", "site", "stratum", "analyte", "date", "reason"])
def test_names_with_html_in_them_are_shown_as_they_are_and_never_run(place: str) -> None:
    nasty = "<script>alert('x')</script><img src=x onerror=y>"
    data = demo.person()
    assert data.shap is not None and data.effects is not None and data.predictions is not None
    renamed = pl.col("feature").replace("age", nasty)
    pairs = pl.col("treatment_a", "treatment_b", "recommended").replace("SNRI", nasty)
    described = pl.col("description").replace("interleukin 6, serum", nasty)
    changes = {
        "feature": {
            "catalogue": data.catalogue.with_columns(feature=renamed),
            "features": {nasty if name == "age" else name: value for name, value in data.features.items()},
            "shap": data.shap.with_columns(feature=renamed, group=pl.col("group").replace("age", nasty)),
        },
        "treatment": {
            "predictions": data.predictions.with_columns(pl.col("treatment").replace("SNRI", nasty)),
            "effects": data.effects.with_columns(pairs),
            "shap": data.shap.with_columns(pl.col("treatment").replace("SNRI", nasty)),
        },
        "patient": {"patient_id": nasty, "study": nasty},
        "site": {"features": dict(data.features) | {"sex": nasty}},
        "stratum": {"assignment": {"stratum": nasty, f"p_{nasty}": 0.9, "p_S2": 0.1, "entropy": 0.3}},
        "analyte": {"catalogue": data.catalogue.with_columns(described)},
        "date": {"dates": {"IL-6": nasty, "bpi_sf": nasty}},
        "reason": {"gate": demo.CLOSED | {"reasons": [nasty], "best_fixed": nasty}},
    }[place]  # fmt: skip
    page = patient_profile(demo.person(**changes))
    assert "<script" not in page and "<img" not in page
    assert "&lt;script&gt;alert(" in page
    Page(page)


def test_a_locale_with_decimal_commas_changes_nothing() -> None:
    program = "from tests.report import demo; from nociomics.report.pages import patient_profile; "
    program += "import locale, sys; locale.setlocale(locale.LC_ALL, ''); sys.stdout.reconfigure(encoding='utf-8'); "
    program += "sys.stdout.write(patient_profile(demo.person()))"
    tried = "import locale; locale.setlocale(locale.LC_ALL, '')"
    for language in ("de_DE.UTF-8", "de_DE"):
        given = os.environ | {"LC_ALL": language}
        if subprocess.run([sys.executable, "-c", tried], env=given, capture_output=True, check=False).returncode:
            continue
        done = subprocess.run([sys.executable, "-c", program], env=given, capture_output=True, check=True)
        assert done.stdout.decode() == patient_profile(demo.person())
        return
    pytest.skip("there is no German locale on this machine (Debian: locales-all)")


def test_plain_half_tells_chances_in_ten_and_ranges() -> None:
    text = _page().text("plain")
    assert "about 6 in 10 people like you" in text and "It could be anything from" in text


def test_a_model_that_found_nothing_says_so_to_the_patient() -> None:
    text = _page(metrics=demo.metrics((0.51, 0.45, 0.57), 0.51), gate=demo.CLOSED).text("plain")
    assert "no better than chance" in text and "no numbers for you" in text
    assert "The model expects" not in text


def test_not_measured_is_written_and_percentiles_stand_beside_values() -> None:
    page = _page()
    lines = page.text("measured").split("\n")
    assert lines[lines.index("C-reactive protein, serum") + 1] == "not measured"
    assert lines[lines.index("interleukin 6, serum") + 1] == "3.42 pg/mL"
    assert "Expression (2 features): not measured." in lines
    told = page.text("molecules").split("\n")
    assert told[told.index("interleukin 6, serum") + 1 :][:2] == ["3.42 pg/mL", "0 to 6.40 pg/mL: within"]
    assert "Not measured: C-reactive protein, serum." in told


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
    page = _page(predictions=demo.class_predictions(), target=_CLASSES, effects=None, shap=None)
    assert "mild" in page.text("expected") and "70%" in page.text("expected")
    assert "did not compare treatments" in page.text("plain")
