"""The data-quality page."""

from __future__ import annotations

import polars as pl

from nociomics.report.pages import quality_report
from nociomics.report.quality import quality_sentence
from tests.report import demo
from tests.report.html_page import Page


def test_the_first_sentence_counts_what_stops_the_run() -> None:
    fatal = demo.findings().with_columns(severity=pl.Series(["fatal", "warning", "info"]))
    page = Page(quality_report(fatal, demo.flow(), demo.catalogue(), "demo"))
    assert page.first_sentence() == "1 problem stops the run; there are also 1 warning and 1 remark."


def test_no_finding_is_said() -> None:
    assert quality_sentence(demo.findings().clear()) == (
        "Nothing stops the run and there is no warning, only 0 remarks."
    )


def test_the_gravest_finding_comes_first() -> None:
    turned = demo.findings().with_columns(severity=pl.Series(["info", "warning", "fatal"]))
    lines = Page(quality_report(turned, demo.flow(), demo.catalogue(), "demo")).text("findings").split("\n")
    assert lines.index("stops the run") < lines.index("warning") < lines.index("remark")


def test_features_with_missing_values_are_listed_most_missing_first() -> None:
    lines = Page(quality_report(demo.findings(), demo.flow(), demo.catalogue(), "demo")).text("missing").split("\n")
    assert lines.index("expression_1") < lines.index("il6_pg_per_ml") and "18%" in lines
