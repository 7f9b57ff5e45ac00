"""The cohort report answers its questions in order."""

from __future__ import annotations

from functools import cache

import polars as pl

from nociomics.report.pages import CohortReportData, cohort_report
from tests.report import demo
from tests.report.html_page import Page

_SECTIONS = ["cohort", "harmonised", "performance", "treatment", "strata", "drivers", "card", "reproduce"]


@cache
def _html() -> str:
    return cohort_report(demo.cohort())


@cache
def _whole() -> Page:
    return Page(_html())


def _page(**changes: object) -> Page:
    """The page with its charts, which take a second; without changes it is drawn once."""
    return Page(cohort_report(demo.cohort(**changes))) if changes else _whole()


def _words(**changes: object) -> Page:
    """The page without charts: its words and tables are the same."""
    return Page(cohort_report(demo.cohort(**changes), []))


def test_sections_come_in_the_order_of_the_questions_after_the_finding() -> None:
    ids = _page().ids
    assert [id_ for id_ in ids if id_ in ("finding", *_SECTIONS)] == ["finding", *_SECTIONS]


def test_the_page_opens_with_the_finding() -> None:
    page = _words(metrics=demo.metrics((0.51, 0.45, 0.57), 0.51), gate=demo.CLOSED)
    assert page.first_sentence() == (
        "The model found nothing: its predictions are no better than chance (AUROC 0.51, 0.45 to 0.57), "
        "so no treatment is recommended to any one person, and no drivers of one person's prediction are shown."
    )


def test_people_are_counted_with_those_left_out_and_why() -> None:
    text = _page().text("cohort")
    assert "pain_months below 3" in text and "39 of 600 people have no outcome" in text
    assert "60/151" in text and "60/143" in text and "4.52" in text


def test_the_headline_stands_beside_simpler_models_and_every_figure_has_its_interval() -> None:
    text = _page().text("performance")
    for words in (
        "knowing the treatment alone",
        "the clinical variables alone",
        "the same model without the treatment",
    ):
        assert words in text
    assert "0.64 (0.59 to 0.69)" in text and "0.54 (0.49 to 0.58)" in text
    assert "Permutation p" in text and "0.005 (no interval)" in text


def test_a_figure_that_could_not_be_computed_is_named_with_its_reason() -> None:
    lost = demo.measure(None, None, None, "not computed: fewer than 20 people")
    text = _words(metrics=demo.metrics() | {"ici": lost}).text("performance")
    assert "Integrated calibration index: not measured (fewer than 20 people)." in text


def test_the_gate_and_its_reasons_are_shown() -> None:
    text = _words(gate=demo.CLOSED).text("treatment")
    assert "closed" in text and "smallest p 0.31" in text
    assert "Recommendation of the final model" not in text
    assert "Recommendation of the final model" in _page().text("treatment")


def test_policies_are_set_side_by_side() -> None:
    text = _page().text("treatment")
    assert "the model's choice" in text and "CBT for everyone" in text and "1.81 (1.60 to 2.02)" in text


def test_harm_stands_beside_benefit_with_its_own_figures_and_its_orders() -> None:
    harm = {f"adverse_{name}": value for name, value in demo.metrics((0.66, 0.6, 0.72)).items() if name == "auroc"}
    text = _words(metrics=demo.metrics() | harm).text("treatment")
    assert "Chance of an adverse event" in text and "0.66 (0.60 to 0.72)" in text
    assert "Benefit only" in text and "Harm first" in text
    assert "CBT, then" in text  # the least harm
    assert "0.66 (0.60 to 0.72)" not in _words(metrics=demo.metrics() | harm).text("performance")


def test_too_few_adverse_events_are_said_once() -> None:
    few = demo.measure(None, None, None, "not computed: too few to model: 4 events in 561 people")
    page = _words(metrics=demo.metrics() | {f"adverse_{name}": few for name in ("auroc", "brier", "ici")})
    assert page.text().count("too few to model: 4 events in 561 people") == 1


def test_keeping_quiet_is_shown_by_share_of_people_answered() -> None:
    rows = [
        {"share": share, "n": round(561 * share), "value": 0.6 + 0.1 * (1 - share), "lower": 0.5, "upper": 0.8}
        for share in (1.0, 0.5, 0.2)
    ]
    curves = demo.cohort().curves | {"abstention": {"prediction": rows, "choice": rows}}
    page = _page(curves=curves)
    for section in ("performance", "treatment"):
        assert all(words in page.text(section) for words in ("20%", "100%", "0.68 (0.50 to 0.80)"))


def test_a_subgroup_too_small_to_show_is_named_without_a_figure() -> None:
    row = {"trait": "sex", "level": "X", "metric": "auroc", "n": None, "value": None, "lower": None, "upper": None}
    curves = demo.cohort().curves | {"subgroups": [row | {"note": "too few to show", "accepted": None}]}
    assert "too few to show" in _words(curves=curves).text("performance")


def test_one_stratum_is_dimensions_not_types() -> None:
    text = _words(strata_summary={"k": 1, "bic": {"1": 5210.0, "2": 5244.0}}).text("strata")
    assert "Dimensions, not types" in text and "none; BIC rises by 34.0" in text


def test_several_strata_are_at_least_that_many_with_their_stability() -> None:
    text = _page().text("strata")
    assert "at least 3 strata" in text
    assert "0.82, stable" in text and "0.58, not stable" in text


def test_too_few_people_for_strata_is_not_called_dimensions() -> None:
    summary = {"k": 1, "bic": {"1": 410.0}, "bic_gain": None, "evidence": "not enough people to look for strata"}
    text = _words(strata_summary=summary, assignments=None).text("strata")
    assert "Not enough people" in text and "Dimensions" not in text


def test_drivers_of_the_cohort_are_shown_behind_a_closed_gate_but_said_to_prove_nothing() -> None:
    closed = _page(gate=demo.CLOSED).text("drivers")
    assert "leans on something too" in closed and "cyp2d6_activity_score" in closed
    opened = _page().text("drivers")
    assert "no causes of pain" in opened and "leans on something too" not in opened


def test_no_sentence_about_drivers_speaks_of_one_person_or_of_a_cause() -> None:
    for gate in (demo.OPEN, demo.CLOSED):
        text = _page(gate=gate).text("drivers").lower()
        assert "because of your" not in text and "lower your" not in text and "caused by" not in text


def test_the_card_tells_use_people_performance_and_limits() -> None:
    sizes = {"n": demo.measure(561, None, None), "events_per_feature": demo.measure(0.4, None, None)}
    text = _words(metrics=demo.metrics() | sizes).text("card")
    for words in ("Not for people unlike", "561 people", "AUROC 0.64", "events per candidate", "internal validation"):
        assert words in text


def test_what_one_block_adds_is_shown_or_said_to_be_unmeasured() -> None:
    assert "Gain of biomarkers, expression and pharmacogenes alone: not measured." in _page().text("performance")
    metrics = demo.metrics() | {"auroc_gain_over_without_biomarkers": demo.measure(0.02, 0.0, 0.04)}
    text = _words(metrics=metrics).text("performance")
    assert "the same model without biomarkers" in text and "Gain of expression and pharmacogenes alone" in text


def test_provenance_is_complete() -> None:
    text = _page().text("reproduce")
    assert "b975825" in text and "4f0c" * 16 in text


def test_what_a_study_lacks_takes_one_line_each() -> None:
    page = Page(cohort_report(CohortReportData("s", "0", "", None, demo.flow(), demo.findings(), demo.catalogue())))
    assert page.first_sentence().startswith("Nothing was predicted")
    for section, words in {
        "performance": "Performance: not measured.",
        "treatment": "Choice of treatment: not measured.",
        "strata": "Strata: not measured.",
        "drivers": "Drivers: not measured.",
        "card": "Model card: not measured.",
        "reproduce": "Provenance: not measured.",
    }.items():
        assert page.text(section).split("\n")[1:] == [words]


def test_a_study_without_treatments_renders_its_one_row() -> None:
    predictions = pl.DataFrame(
        {
            "patient_id": ["P1", "P2"],
            "treatment": pl.Series([None, None], dtype=pl.String),
            "expected": [1.0, 3.0],
            "lower": [0.0, 2.0],
            "upper": [2.0, 4.0],
            "p_response": pl.Series([None, None], dtype=pl.Float64),
            "status": ["ok", "rejected: age"],
        }
    )
    target = demo.TARGET.model_copy(
        update={"kind": "continuous", "treatment": None, "baseline": None, "response": None}
    )
    text = _words(target=target, predictions=predictions, effects=None, arms=None).text("treatment")
    assert "everyone" in text and "2.00 (1.20 to 2.80)" in text


def test_the_learning_curve_is_shown_from_few_to_all() -> None:
    points = [
        {"share": share, "metric": "auroc", "value": value, "lower": value - 0.1, "upper": value + 0.1, "n": 100}
        for share, value in ((0.25, 0.55), (0.5, 0.6), (1.0, 0.65))
    ]
    lost = {"share": 0.75, "metric": "auroc", "value": None, "n": 3}
    text = _page(curves=demo.cohort().curves | {"learning": [*points, lost]}).text("performance")
    shown = text[text.index("Would more people help") :].split("\n")
    assert [line for line in shown if line in ("25%", "50%", "75%", "100%")] == ["25%", "50%", "100%"]
    assert "Would more people help" not in _page(curves={"learning": points[:1]}).text("performance")


def test_every_figure_of_the_page_comes_with_its_table_and_its_picture() -> None:
    page = _page()
    links = [given for tag, given in page.tags if tag == "a" and given.get("class") == "download"]
    tables = [str(given["download"]) for given in links if str(given["download"]).endswith(".csv")]
    pictures = [str(given["download"]) for given in links if str(given["download"]).endswith(".svg")]
    assert [name.removesuffix(".csv") for name in tables] == [name.removesuffix(".svg") for name in pictures]
    assert {"people", "headline", "calibration", "net_benefit", "features", "dependence_1"} <= {
        name.removesuffix(".csv") for name in tables
    }
    assert all(str(given["href"]).startswith("data:") for given in links)


def test_the_page_needs_no_script_and_stays_small() -> None:
    html = _html()
    assert "<script" not in html and "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert len(html.encode()) < 1_000_000


def test_a_name_with_html_in_it_is_shown_and_never_run() -> None:
    bad = "<script>alert(1)</script>"
    importance = demo.importance().with_columns(name=pl.lit(bad) + pl.col("name"), treatment=pl.lit(bad))
    dependence = demo.dependence().with_columns(feature=pl.lit(bad))
    flow = demo.flow().with_columns(step=pl.lit(bad) + pl.col("step"))
    arms = demo.arms().with_columns(treatment=pl.lit(bad) + pl.col("treatment"))
    html = cohort_report(demo.cohort(importance=importance, dependence=dependence, flow=flow, arms=arms, study=bad))
    assert "<script" not in html and "&lt;script&gt;" in html
    for given in (given for tag, given in Page(html).tags if tag == "a" and "href" in given):
        assert "<" not in str(given["href"])


def test_five_thousand_features_and_one_person_and_no_omics_make_a_page() -> None:
    many = pl.DataFrame(
        {
            "level": "feature", "name": [f"gene_{place}" for place in range(5000)], "modality": "expression",
            "treatment": "SNRI", "mean_abs_shap": [1 / (1 + place) for place in range(5000)], "lower": 0.0,
            "upper": 1.0, "mean_shap": 0.0, "people": 561, "refits": 20,
        }
    )  # fmt: skip
    html = cohort_report(demo.cohort(importance=many))
    assert "gene_0" in html and "gene_4000" not in html and len(html) < 1_000_000
    plain = demo.catalogue().filter(pl.col("modality") == "clinical")
    one = demo.flow().with_columns(people=pl.lit(1), left_out=pl.lit(0))
    page = _page(catalogue=plain, flow=one, metrics={}, curves={}, importance=demo.importance().clear(), arms=None)
    assert "1 person analysed" in page.text() and "Drivers: not measured" not in page.text("performance")


def test_equal_input_gives_equal_bytes() -> None:
    assert cohort_report(demo.cohort()) == _html()
