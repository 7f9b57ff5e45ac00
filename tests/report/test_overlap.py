"""The words of the section on treatments that were not randomised."""

from nociomics.report.overlap import dropout_sentence, overlap_view
from nociomics.report.wording import treatment_sentence

REPORT = {
    "people": 600,
    "outside": 9,
    "clipped": 0,
    "threshold": 0.05,
    "arms": [
        {"treatment": "cbt", "people": 122, "least": 0.03, "fifth": 0.1, "median": 0.19, "below": 1, "effective": 101.6}
    ],
    "balance": {
        "covariates": 63,
        "above_before": 62,
        "above_after": 20,
        "largest_before": 1.205,
        "largest_after": 0.31,
        "by_chance": 0.27,
        "rows": [{"covariate": "dn4_total", "before": 1.205, "after": 0.2}],
    },
    "sensitivity": [
        {"comparison": "policy_gain", "value": 0.4, "lower": 0.1, "upper": 0.7, "e_value": 1.8, "e_value_limit": 1.4},
        {
            "comparison": "snri against cbt",
            "value": 0.4,
            "lower": -0.1,
            "upper": 0.9,
            "e_value": None,
            "e_value_limit": 1,
        },
    ],
}


def all_words(view: dict) -> str:
    return " ".join(str(part) for part in view.values())


def test_it_speaks_of_association_and_never_of_cause():
    words = all_words(overlap_view({"overlap": REPORT})).lower()
    assert "adjusted association" in words
    assert "caus" not in words


def test_it_gives_the_figures_of_the_report():
    view = overlap_view({"overlap": REPORT})
    assert "9 of 600" in view["outside"]
    assert "No chance was clipped" in view["outside"]
    assert "Of 63 traits, 62 differed" in view["balance"]
    assert "1.21 and is 0.31" in view["balance"] or "1.20 and is 0.31" in view["balance"]
    assert view["arms"][0] == {
        "treatment": "cbt", "people": 122, "effective": "102", "least": "0.03", "fifth": "0.10", "median": "0.19",
        "below": 1,
    }  # fmt: skip
    assert view["rows"][0]["covariate"] == "dn4 total"
    assert view["sensitivity"][0]["comparison"] == "the model's choice against the best single treatment"


def test_the_worth_of_the_models_choice_comes_with_what_could_explain_it_away():
    told = overlap_view({"overlap": REPORT})["value"]
    assert "adjusted associations" in told and "what was not measured is not adjusted for at all" in told
    assert "risk ratio of 1.8 each" in told and "1.4 would do for the interval's end" in told
    lost = {**REPORT, "sensitivity": [{**REPORT["sensitivity"][0], "value": -0.1}]}
    assert "E-value" not in overlap_view({"overlap": lost})["value"]
    assert overlap_view({"overlap": {**REPORT, "sensitivity": []}})["value"] is None


def test_a_randomised_study_has_no_such_section():
    assert overlap_view({}) is None


def test_nobody_within_overlap_has_no_balance():
    empty = REPORT | {"balance": REPORT["balance"] | {"covariates": 0}, "sensitivity": []}
    assert overlap_view({"overlap": empty})["balance"] == "Balance: not measured."


def metric(value: float | None, n: int = 600) -> dict:
    return {"value": value, "lower": value, "upper": value, "n": n, "method": ""}


def test_it_says_how_many_lack_the_outcome_and_how_the_headline_moves():
    metrics = {"auroc": metric(0.63), "outcome_missing": metric(0.11), "auroc_ipcw": metric(0.61)}
    words = dropout_sentence(metrics, {"headline": "auroc"})
    assert "66 of 600" in words
    assert "from 0.63 to 0.61" in words


def test_few_dropouts_are_told_without_a_figure():
    metrics = {"auroc": metric(0.63), "outcome_missing": metric(0.01), "auroc_ipcw": metric(None)}
    assert "too few to say" in dropout_sentence(metrics, {"headline": "auroc"})
    assert dropout_sentence({"auroc": metric(0.63)}, {"headline": "auroc"}) is None
    assert dropout_sentence({}, None) is None


def test_an_open_gate_without_randomisation_is_an_adjusted_association():
    gate = {"individual_recommendations": True, "best_fixed": "snri"}
    metrics = {"policy_gain": metric(0.45)}
    drawn = gate | {"heterogeneity": {"assignment": "randomised"}}
    chosen = gate | {"heterogeneity": {"assignment": "observational"}}
    assert "adjusted association" in treatment_sentence(chosen, metrics)
    assert "adjusted" not in treatment_sentence(drawn, metrics)
