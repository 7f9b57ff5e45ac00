"""The data-quality page with its figures: what stands there, and what must not."""

from __future__ import annotations

import re

import polars as pl
import pytest

from nociomics.quality.batches import Measured, batch_figures, components, cross_tables
from nociomics.quality.distributions import Spread, distributions
from nociomics.quality.missingness import missing_items, missing_patterns, missingness
from nociomics.report.pages import quality_report
from nociomics.report.quality import QualityFigures, gathered_findings, todo_rows
from nociomics.report.quality_plots import histogram
from nociomics.tables.finding import Finding, findings_frame
from tests.report import demo
from tests.report.html_page import Page

SECTIONS = ("findings", "reading", "flow", "distributions", "missing", "batches", "genotypes", "duplicates", "safety")
PEOPLE = [f"P{number:03d}" for number in range(40)]


def figures() -> QualityFigures:
    plates = pl.Series(["one"] * 20 + ["two"] * 17 + ["three"] * 3)
    sites = ["north"] * 20 + ["south"] * 20
    values = pl.Series([1.0 + number for number in range(40)])
    spreads, bins = distributions(
        [
            Spread("biomarkers", "crp_mg_per_l", "reported", "mg/dL", "CRP", values / 10, True, 0.0, 2.0, 4),
            Spread("biomarkers", "crp_mg_per_l", "harmonised", "mg/L", "CRP", values, True, 0.0, 20.0, 4),
            Spread("clinical", "site", "reported", "category", "site", pl.Series(["a"] * 37 + ["b"] * 3)),
            Spread("genotype quality", "call rate of people", "reported", "share", "call rate", values / 40, low=0.95),
        ]
    )
    missing = pl.DataFrame({"patient_id": PEOPLE, "clinical": [0] * 40, "expression": [0] * 37 + [5] * 3})
    levels, shares = batch_figures([Measured("biomarkers", "crp_mg_per_l", "plate", values, plates, log=True)])
    crossed, associations = cross_tables(pl.DataFrame({"plate": plates, "site": sites}), [("plate", "site")])
    genes = pl.DataFrame({f"g{n}": [float((k * n) % 11) for k in range(40)] for n in range(1, 6)})
    answers = pl.DataFrame({"patient_id": PEOPLE, "visit": ["baseline"] * 40, "instrument": ["pcs"] * 40})
    answers = answers.with_columns(item=pl.lit("1"), response=pl.lit(1.0))
    readings = {"table": ["biomarkers"], "file": ["lab.csv"], "step": ["matched"], "rows_in": [50], "rows_out": [40]}
    counts = {"of": ["people"], "what": ["sex differs"], "count": [2], "total": [40], "doubtful": [True]}
    return QualityFigures(
        readings=pl.DataFrame(readings | {"rule": ["rows of people of the study"]}),
        distributions=spreads,
        histograms=bins,
        missingness=missingness(missing, {"clinical": 2, "expression": 5}),
        missing_patterns=missing_patterns(missing, {"clinical": 2, "expression": 5}),
        missing_items=missing_items(answers),
        batches=levels,
        batch_shares=shares,
        components=components(genes, "expression", {"plate": plates}),
        cross_tables=crossed,
        associations=associations,
        identical_people=pl.DataFrame({"table": ["expression"], "columns": [5], "people": [2]}),
        genotype_counts=pl.DataFrame(counts),
        safety=pl.DataFrame({"patient_id": ["P001", "P002"], "instrument": ["bdi_ii"] * 2, "points": [3.0, 2.0]}),
    )


@pytest.fixture(scope="module")
def html() -> str:
    return quality_report(demo.findings(), demo.flow(), demo.catalogue(), "demo", figures())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_every_section_says_something(page: Page) -> None:
    for name in SECTIONS:
        text = page.text(name)
        assert len(text.split("\n")) > 1 and "not measured in this study" not in text, name


def test_a_section_without_its_input_says_so() -> None:
    bare = Page(quality_report(demo.findings(), demo.flow(), demo.catalogue(), "demo"))
    for name in ("reading", "distributions", "batches", "genotypes", "duplicates", "safety"):
        assert "not measured in this study" in bare.text(name), name


def test_nobody_is_named_and_no_answer_is_shown(html: str) -> None:
    assert not [person for person in PEOPLE if person in html]


def test_the_page_needs_no_network_and_shows_no_python(html: str) -> None:
    assert not re.search(r"https?://|<script|<link|url\(|built-in method|None|\bnan\b|dtype", html)


def test_small_groups_are_not_told(page: Page) -> None:
    assert "b: fewer than 5" in page.text("distributions")
    lines = page.text("batches").split("\n")
    assert "fewer than 5" in lines
    assert "fewer than 5" in page.text("missing")


def test_groups_that_go_together_are_said_in_a_plain_sentence(page: Page) -> None:
    assert "Every plate holds people of one site only" in page.text("batches")


def test_steps_stand_with_rows_in_and_out_and_the_rule(page: Page) -> None:
    lines = page.text("reading").split("\n")
    assert lines[-5:] == ["lab.csv", "matched", "50", "40", "rows of people of the study"]


def test_a_thing_is_drawn_in_the_reported_unit_and_in_the_base_unit(page: Page) -> None:
    text = page.text("distributions")
    assert "mg/dL, log axis" in text and "mg/L, log axis" in text
    assert "10% not detected" in text and "50% above the plausible range" in text


def test_safety_answers_are_only_counted(page: Page) -> None:
    assert page.text("safety").split("\n")[-2:] == ["bdi_ii", "2"]


def test_what_is_to_be_done_stands_beside_its_file_the_most_rows_first() -> None:
    found = findings_frame(
        [
            Finding("genotype", None, "warning", 9, "g.vcf.gz: 9 variants are on no chromosome. Leave them out."),
            Finding("biomarkers", "unit", "warning", 148, "crp in mg/L of lab.csv looks like mg/dL"),
            Finding("outcomes", "pain", "fatal", 1, "1 row (first: line 3) is no number. Correct it."),
        ]
    )
    rows = todo_rows(found, ["lab.csv"], {"outcomes": "end.csv", "genotype": "other.vcf"})
    assert [row["file"] for row in rows] == ["end.csv", "lab.csv", "g.vcf.gz"]
    assert [row["advice"] for row in rows][::2] == ["Correct it.", "Leave them out."]
    assert rows[1]["advice"].startswith("Look at it in the file")


def test_findings_of_all_stages_are_gathered_without_repeats() -> None:
    again = demo.findings().head(1)
    assert gathered_findings([demo.findings(), again]).equals(demo.findings())


def test_bars_outside_the_plausible_range_have_their_own_colour() -> None:
    bins = [{"low": float(n), "high": n + 1.0, "count": 1} for n in range(4)]
    drawn = histogram(bins, log=False, low=1.0, high=2.9, label="x")
    inside, outside = (re.search(rf'd="([^"]*)" class="bin {kind}"', drawn) for kind in ("inside", "outside"))
    assert inside is not None and outside is not None
    assert inside[1].count("z") == 2 and outside[1].count("z") == 2


def test_open_bins_are_drawn_and_none_is_lost() -> None:
    bins = [{"low": None, "high": 1.0, "count": 2}, {"low": 1.0, "high": 2.0, "count": 3}]
    bins += [{"low": 2.0, "high": None, "count": 1}]
    assert histogram(bins, log=False, low=None, high=None, label="x").count("z") == 3
    log = [{"low": None, "high": 0.1, "count": 2}, {"low": 0.1, "high": 1.0, "count": 3}]
    assert histogram(log, log=True, low=None, high=None, label="x").count("z") == 2


def test_a_study_of_many_things_keeps_its_page_small() -> None:
    spreads = [
        Spread("proteins", f"protein_{number}", stage, "NPX", "a protein", pl.Series([float(k) for k in range(40)]))
        for number in range(500)
        for stage in ("reported", "harmonised")
    ]
    table, bins = distributions(spreads)  # type: ignore[arg-type]
    whole = QualityFigures(distributions=table, histograms=bins)
    html = quality_report(demo.findings(), demo.flow(), demo.catalogue(), "demo", whole)
    assert len(html.encode()) < 2_000_000 and "60 of 500" in html
