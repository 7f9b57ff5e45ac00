"""What holds for every page: self-contained, well-formed, escaped, reproducible, no null shown as a number."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from functools import cache
from urllib.parse import unquote

import polars as pl
import pytest

from nociomics.report.pages import (
    CohortReportData,
    PatientProfileData,
    cohort_report,
    patient_profile,
    quality_report,
)
from tests.report import demo
from tests.report.html_page import Page

_NASTY = "<b>x & 'y' \"z\"</b><script>alert(1)</script>"


def _bare_cohort() -> str:
    empty = demo.findings().clear()
    return cohort_report(
        CohortReportData("bare", "0.1.0", "", None, demo.flow().clear(), empty, demo.catalogue().clear())
    )


def _bare_person() -> str:
    return patient_profile(PatientProfileData("P1", "bare", {}, demo.catalogue().clear()))


PAGES: dict[str, Callable[[], str]] = {
    "cohort, gate open": lambda: cohort_report(demo.cohort()),
    "cohort, gate closed": lambda: cohort_report(demo.cohort(gate=demo.CLOSED)),
    "cohort, nothing known": _bare_cohort,
    "person, gate open": lambda: patient_profile(demo.person()),
    "person, gate closed": lambda: patient_profile(demo.person(gate=demo.CLOSED)),
    "person, nothing known": _bare_person,
    "quality": lambda: quality_report(demo.findings(), demo.flow(), demo.catalogue(), "demo"),
    "quality, nothing found": lambda: quality_report(
        demo.findings().clear(), demo.flow().clear(), demo.catalogue().clear(), "bare"
    ),
}


_BESIDE = ("quality/report.html", "strata/report.html", "evaluation/tripod.html", "export/model/MODEL_CARD.md")
_OUTSIDE = re.compile(r"https?://|//[a-z]+\.|@import|url\((?!#)|<script|<link|<img|<iframe|\bon\w+=")
_HELD = re.compile(r'href="(data:[^"]*)"')  # a file inside its link: shown to nobody before it is saved


@cache
def _page(name: str) -> str:
    return PAGES[name]()


@pytest.fixture(params=list(PAGES))
def html(request: pytest.FixtureRequest) -> str:
    return _page(request.param)


def test_a_page_needs_nothing_from_outside(html: str) -> None:
    assert not _OUTSIDE.search(_HELD.sub("", html))
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    links = [str(given["href"]) for tag, given in Page(html).tags if tag == "a"]
    assert all(link.startswith(("#", "data:")) or link in _BESIDE for link in links)


def test_a_file_inside_a_link_is_a_table_or_a_picture_that_needs_nothing_from_outside(html: str) -> None:
    for held in _HELD.findall(html):
        kind, text = held.split(",", 1)
        assert kind in ("data:text/csv;charset=utf-8", "data:image/svg+xml;charset=utf-8")
        assert not _OUTSIDE.search(unquote(text).replace('xmlns="http://www.w3.org/2000/svg"', ""))


def test_tags_are_balanced_ids_unique_and_inner_links_lead_somewhere(html: str) -> None:
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    inner = [str(given["href"])[1:] for tag, given in page.tags if tag == "a" and str(given["href"]).startswith("#")]
    assert set(inner) <= set(page.ids)


def test_every_figure_has_a_name(html: str) -> None:
    page = Page(html)
    drawings = [given for tag, given in page.tags if tag == "svg"]
    assert all(given.get("role") == "img" for given in drawings)
    for given in drawings:  # a strip says it itself; a chart has a title and a description
        titles = [given.get(name) for name in ("aria-labelledby", "aria-describedby")]
        assert given.get("aria-label") or all(title in page.ids for title in titles)


def test_no_null_is_printed_as_a_number_or_a_word_of_the_program(html: str) -> None:
    assert not re.search(r"\b(nan|None|null|NaN|inf|True|False|Undefined)\b", Page(html).text())


def test_light_dark_phone_and_paper_are_provided_for(html: str) -> None:
    for needed in ("prefers-color-scheme: dark", "width=device-width", "size: A4", "@media print", "max-width: 36rem"):
        assert needed in html


def test_research_use_is_said_on_every_page(html: str) -> None:
    assert "Not for treating a patient without a clinician." in Page(html).text()


@pytest.mark.parametrize("name", list(PAGES))
def test_the_same_input_gives_the_same_bytes(name: str) -> None:
    assert PAGES[name]().encode() == _page(name).encode()


def test_row_order_of_the_results_does_not_change_the_cohort_report() -> None:
    whole = demo.cohort()
    assert whole.effects is not None and whole.predictions is not None and whole.importance is not None
    assert whole.dependence is not None
    turned = dataclasses.replace(
        whole,
        effects=whole.effects.reverse(),
        predictions=whole.predictions.reverse(),
        importance=whole.importance.reverse(),
        dependence=whole.dependence.reverse(),
    )
    assert _page("cohort, gate open") == cohort_report(turned)


def _renamed(frame: pl.DataFrame | None, column: str, old: str) -> pl.DataFrame:
    assert frame is not None
    return frame.with_columns(pl.col(column).replace(old, _NASTY))


def test_names_from_the_data_are_escaped_in_the_cohort_report() -> None:
    whole = demo.cohort()
    page = cohort_report(
        dataclasses.replace(
            whole,
            study=_NASTY,
            created=_NASTY,
            gate=demo.OPEN | {"best_fixed": _NASTY, "reasons": [_NASTY]},
            arms=_renamed(whole.arms, "treatment", "SNRI"),
            catalogue=_renamed(whole.catalogue, "modality", "expression"),
            importance=_renamed(whole.importance, "name", "age"),
            assignments=_renamed(whole.assignments, "stratum", "S2"),
            effects=_renamed(whole.effects, "recommended", "SNRI"),
            dependence=_renamed(whole.dependence, "feature", "dn4_total"),
            findings=_renamed(whole.findings, "table", "biomarkers"),
            provenance={_NASTY: _NASTY},
        )
    )
    assert "<b>x" not in page and "<script" not in page
    assert page.count("&lt;b&gt;x &amp;") > 10
    Page(page)


def test_names_from_the_data_are_escaped_in_the_profile() -> None:
    whole = demo.person()
    page = patient_profile(
        dataclasses.replace(
            whole,
            patient_id=_NASTY,
            study=_NASTY,
            features=dict(whole.features) | {"sex": _NASTY},
            predictions=_renamed(whole.predictions, "treatment", "SNRI"),
            effects=_renamed(whole.effects, "recommended", "SNRI"),
            shap=_renamed(whole.shap, "treatment", "SNRI"),
            pgx_calls=_renamed(whole.pgx_calls, "diplotype_top", "*1/*4"),
            missing_modalities=[_NASTY],
        )
    )
    assert "<b>x" not in page and "<script" not in page
    Page(page)
