"""The strata page: the finding first, a batch cluster named as one, nothing shown that was not measured."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote

import polars as pl
import pytest

from nociomics.report.strata_page import StrataPageData, strata_page, symptom_groups
from nociomics.report.strata_tables import left_out_sentence
from nociomics.report.strata_words import evidence_words
from tests.report import strata_demo as demo
from tests.report.html_page import Page

_SECTIONS = ["evidence", "pictures", "markers", "confused", "diagnosis", "treatment", "bedside", "challengers"]


def _page(data: StrataPageData) -> Page:
    return Page(strata_page(data))


def test_three_strata_are_told_with_their_stability_and_a_name_that_was_earned() -> None:
    page = _page(demo.three())
    assert (
        page.first_sentence() == "The data support at least 3 strata; more may exist that this many people cannot show."
    )
    assert "S1 comes back (stable); S2 comes back in part (a pattern only); S3 does not (not stable)" in page.text(
        "finding"
    )
    assert "inflammatory (crp)" in page.text("sizes")
    assert "0.52, not stable" in page.text("sizes")
    assert set(_SECTIONS) <= set(page.ids)


def test_a_continuum_is_called_dimensions_and_no_group_is_drawn() -> None:
    page = _page(demo.one())
    assert page.first_sentence().startswith("Dimensions, not types")
    assert "sizes" not in page.ids and "flows" not in page.ids
    assert "One cloud without gaps" in page.text("map")
    assert "stratum" not in page.text("heat").lower()
    assert "everybody" in page.text("mechanisms") and "S1" not in page.text("mechanisms")


def test_a_continuum_that_a_smaller_bic_speaks_against_is_still_one() -> None:
    summary = {"k": 1, "bic": {"1": 100.0, "2": 80.0}, "evidence": "none: dimensions, not types (one continuum)"}
    assert evidence_words(summary).startswith("none; dimensions, not types (one continuum)")


def test_what_took_no_part_is_told_with_its_reason() -> None:
    rare = {"column": "crp_mg_per_l", "reason": "measured in 20% of the people, less than half"}
    alike = {"column": "il6_pg_per_ml", "reason": "the same in everybody who has it, or measured in nobody"}
    assert left_out_sentence({"left_out": []}) is None
    assert left_out_sentence({"left_out": [rare, alike]}) == (
        "1 measurement took no part, since fewer than half of the people have it: crp. "
        "1 measurement took no part, since everybody who has it is alike: il6."
    )


def test_weak_evidence_is_said_first() -> None:
    found = demo.people()
    page = _page(replace(found, summary={**found.summary, "evidence": "weak: at least this many"}))
    assert page.first_sentence().startswith(f"The data hint at {found.summary['k']} strata, but the evidence is weak")


def test_a_cluster_of_batches_is_named_one_and_its_groups_get_no_name() -> None:
    page = _page(demo.batch())
    assert page.first_sentence().startswith(
        "A batch cluster, not strata: the 3 groups found go with expression batch (Cramér's V 0.93)"
    )
    assert "comes back" not in page.text("finding"), "a batch comes back in every resample, too"
    assert "inflammatory (crp)" not in page.text("sizes")
    assert "at least 3" not in page.text()
    assert "batch 1" in page.text("confused") and "fewer than 5" in page.text("confused")


def test_what_is_missing_takes_one_line_each() -> None:
    text = _page(StrataPageData(study="empty")).text()
    for what in ("Strata", "Heat map", "Markers", "Scorecard", "Challengers", "Pain mechanisms by rules"):
        assert f"{what}: not measured." in text
    assert _page(StrataPageData(study="empty")).first_sentence() == "Strata were not measured."


def test_too_few_people_are_not_called_dimensions() -> None:
    summary = {"k": 1, "bic": {}, "bic_gain": None, "evidence": "not enough people or measurements to look for strata"}
    page = _page(replace(demo.people(n=5, k=1), summary=summary))
    assert page.first_sentence() == "Not enough people or measurements to look for strata."


def test_one_factor_has_a_heat_map_and_no_map() -> None:
    page = _page(demo.people(factors=1, k=1))
    assert "map" not in page.ids and "heat" in page.ids
    assert "Factor map (two factors are needed): not measured." in page.text("pictures")


@pytest.mark.parametrize("make", [demo.three, demo.one, demo.batch, demo.people])
def test_the_page_names_nobody_needs_no_network_and_stays_small(make) -> None:
    html = strata_page(make())
    assert "SECRET" not in unquote(html)
    assert len(html.encode()) < 400_000
    links = re.findall(r'(?:href|src)="([^"]*)"', html)
    assert all(link.startswith(("#", "../", "data:text/csv")) for link in links)
    assert strata_page(make()) == html


def test_challengers_that_cannot_place_new_people_are_marked() -> None:
    text = _page(demo.three()).text("challenger-table")
    assert text.count("cannot place new people") == 3
    assert "not installed" in text


def test_small_groups_are_neither_told_nor_downloaded() -> None:
    html = strata_page(demo.three())
    tables = [unquote(link) for link in re.findall(r'href="data:text/csv;charset=utf-8,([^"]*)"', html)]
    crossed = next(table for table in tables if table.startswith("stratum,mechanism"))
    assert "not shown,fewer than 5,," in crossed
    diagnosis = next(table for table in tables if table.startswith("type of pain"))
    assert "complex regional pain syndrome,fewer than 5,0,0" in diagnosis


def test_the_treatment_question_shows_both_sides_and_dimensions_reach_the_finding() -> None:
    data = replace(demo.three(), report=demo.report("dimensions"))
    page = _page(data)
    assert "Dimensions: continuous factor scores tell" in page.text("finding")
    assert "−0.4%" in page.text("interaction") and "+2.1%" in page.text("interaction")
    assert "Neither strata" not in _page(demo.three()).text("finding")


@pytest.mark.parametrize(
    ("card", "told"),
    [
        (
            demo.tree_card(),
            ["dn4 total at most 3.5\nask on", "sex is M: no\nS1", "dn4 total above 3.5\nS2", "kappa 0.52"],
        ),
        (demo.points_card(), ["above 2, at most 5\n0\n5\n2", "above 5\n0\n10\n4", "yes\n1\n0\n2"]),
        (demo.weights_card(), ["dn4 total\n+0.21\n+0.21", "+0.004", "R²\n0.61\nnot measured"]),
        ({"reason": "12 people are too few (50 are needed)"}, ["No scorecard: 12 people are too few (50 are needed)."]),
    ],
)
def test_every_kind_of_scorecard_is_readable(card, told: list[str]) -> None:
    text = _page(replace(demo.three(), scorecard=card)).text("bedside")
    for words in told:
        assert words in text


def test_a_scorecard_in_points_places_as_its_table_says() -> None:
    """The points that a reader adds up are those of `models.scorecard`."""
    from nociomics.models.scorecard import Scorecard
    from nociomics.report.strata_bedside import scorecard_view

    card = demo.points_card()
    rule = card["rule"] | {"by_size": [2, 0, 1]}
    view = scorecard_view(card)
    assert view is not None
    by_answer = {(row["variable"], row["answer"]): [int(text) for text in row["points"]] for row in view["rows"]}
    start = [int(text) for text in view["start"]]
    for dn4, words in ((1.0, "at most 2"), (4.0, "above 2, at most 5"), (7.0, "above 5")):
        for sex, answer in ((0.0, "no"), (1.0, "yes")):
            parts = zip(start, by_answer["dn4 total", words], by_answer["sex is M", answer], strict=True)
            sums = [sum(points) for points in parts]
            best = max(range(3), key=lambda place: (sums[place], -view["ties"].index(f"S{place + 1}")))
            placed = Scorecard("points", (0, 1), (4.0, 0.0), rule).place(
                pl.DataFrame([[dn4, sex]], orient="row").to_numpy()
            )
            assert placed.tolist() == [best]


def test_without_a_diagnosis_people_are_grouped_by_what_the_rules_find_likely() -> None:
    groups, what = symptom_groups(None, demo.pain_mechanisms(["a", "b", "c"]))
    assert groups is not None
    assert dict(groups.iter_rows()) == {"a": "neuropathic", "b": "inflammatory", "c": "none likely"}
    assert what == "mechanism by rules"
    nobody = demo.pain_mechanisms(["a"]).with_columns(evidence=pl.lit("not measured"))
    assert symptom_groups(None, nobody)[0] is None
    assert symptom_groups(None, None)[0] is None


def test_factors_that_go_with_a_batch_are_no_cluster() -> None:
    data = replace(demo.one(), associations=demo.associations(0.4, "batch cluster", "factor_1"))
    page = _page(data)
    assert page.first_sentence().startswith("Dimensions, not types")
    assert "batch effect" in page.text("judging")


def test_words_of_a_study_are_text_and_never_markup() -> None:
    nasty = "<b>x & 'y' \"z\"</b><script>alert(1)</script>"
    data = demo.three()
    assert data.pain_types is not None and data.associations is not None
    html = strata_page(
        replace(
            data,
            study=nasty,
            pain_types=data.pain_types.with_columns(pain_type=pl.lit(nasty)),
            associations=data.associations.with_columns(variable=pl.lit(nasty)),
        )
    )
    Page(html)
    assert "<script" not in html and "<b>x" not in html
