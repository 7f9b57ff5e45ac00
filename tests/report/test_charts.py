"""Charts: drawn without script or network, in the page's colours, escaped, with every mark of their table."""

from __future__ import annotations

import json
import locale
import re
from functools import cache
from html import unescape
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import polars as pl
import pytest

from nociomics.report import charts, charts_drawing, charts_tables
from nociomics.report.charts_drawing import colours, drawn, page_style, picture_file
from nociomics.report.charts_figures import CAPTIONS, CATEGORIES, Figure, cohort_figures
from nociomics.report.cohort import CohortReportData
from nociomics.report.downloads import table_text
from tests.report import demo

BAD = '<script>alert("1")</script>'
ROWS = pl.DataFrame(
    {
        "name": ["full model", "chance", BAD],
        "value": [0.64, 0.5, 0.125],
        "lower": [0.6, None, 0.1],
        "upper": [0.68, None, 0.2],
    }
)


@cache
def _figures() -> list[Figure]:
    return cohort_figures(demo.cohort())


def picture(chart: Any, name: str = "one") -> str:
    return str(drawn(chart, name, "A title", "What it says"))


def test_a_chart_holds_one_dot_per_row_and_one_line_per_interval() -> None:
    dots = re.findall(r"<path transform=[^>]*fill=", picture(charts.interval_chart(ROWS, "AUROC")))
    assert len(dots) == ROWS.height
    assert picture(charts.interval_chart(ROWS, "AUROC")).count('stroke-width="2.5"') == 2


def test_colours_are_the_pages_variables_so_that_the_dark_setting_holds() -> None:
    svg = picture(charts.interval_chart(ROWS, "AUROC", reference=0.5, strong="full model"))
    assert "var(--accent)" in svg and "var(--ink)" in svg
    assert re.findall(r'(?:fill|stroke)="#', svg) == []
    for name, value in colours().items():
        assert f"--{name}: {value}" in page_style()


def test_words_with_html_in_them_are_escaped_and_digits_of_labels_are_kept() -> None:
    svg = picture(charts.interval_chart(ROWS, BAD))
    assert "<script" not in svg and "&lt;script&gt;" in svg
    assert ElementTree.fromstring(picture_file(svg)) is not None
    thousandths = ROWS.with_columns(value=pl.lit(0.1255), lower=pl.lit(0.125), upper=pl.lit(0.126))
    assert ">0.1255<" in picture(charts.interval_chart(thousandths, "x")) or ">0.1252<" in picture(
        charts.interval_chart(thousandths, "x")
    )


def test_a_screen_reader_hears_title_and_description_and_ids_do_not_meet() -> None:
    chart = charts.interval_chart(ROWS, "AUROC")
    page = picture(chart, "first") + picture(chart, "second")
    assert 'role="img" aria-labelledby="first-title"' in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) and all(name.startswith(("first", "second")) for name in ids)


def test_a_picture_is_a_whole_file_in_both_schemes_without_font_script_or_address() -> None:
    curve = pl.DataFrame({"predicted": [0.2, 0.6], "observed": [0.3, 0.5]})
    file = picture_file(picture(charts.calibration_chart(curve)))
    assert "prefers-color-scheme: dark" in file and "--accent: #" in file
    assert not any(word in file for word in ("@font-face", "<script", "url(", "href"))
    assert len(file) < 12_000


def test_every_picture_and_table_to_download_is_a_whole_file() -> None:
    for figure in _figures():
        root = ElementTree.fromstring(figure.file)
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and root[0].tag.endswith("style")
        held = re.findall(r'href="data:([^;]*);charset=utf-8,([^"]*)"', figure.links)
        assert [kind for kind, _ in held] == ["text/csv", "image/svg+xml"]
        assert [unquote(unescape(text)) for _, text in held] == [table_text(figure.table), figure.file]


def test_a_long_name_is_broken_into_lines_and_no_letter_is_lost() -> None:
    names = ["the same model without gene_expression_whole_blood", "one", "x" * 60]
    rows = pl.DataFrame({"name": names, "value": [0.1, 0.2, 0.3], "lower": [0.0] * 3, "upper": [0.4] * 3})
    svg = picture(charts.interval_chart(rows, "gain"))
    told = "".join(re.findall(r"<tspan[^>]*>([^<]*)</tspan>", svg)).replace(" ", "")
    assert told == names[0].replace(" ", "") + names[2]
    assert "…" not in svg and max(len(line) for line in charts.in_lines(names[0]).splitlines()) <= 24
    few = picture(charts.interval_chart(rows.with_columns(name=pl.Series(["a", "b", "c"])), "gain"))
    assert _height(svg) > _height(few)


def _height(svg: str) -> float:
    return float(svg.split('viewBox="', 1)[1].split('"', 1)[0].split()[3])


def test_bands_of_age_stand_from_the_youngest_on() -> None:
    rows = [
        {"trait": trait, "level": level, "metric": "auroc", "n": 90, "value": 0.6, "lower": 0.5, "upper": 0.7}
        for trait, levels in {"sex": "FM", "age_band": ("40 to 64", "65 and over", "under 40")}.items()
        for level in levels
    ]
    table = charts_tables.subgroup_points({"subgroups": rows})
    assert table is not None
    assert table["level"].to_list() == ["F", "M", "under 40", "40 to 64", "65 and over"]


def test_the_same_table_gives_the_same_bytes() -> None:
    before = picture(charts.interval_chart(ROWS, "x"))
    charts_drawing._compiled.cache_clear()
    assert picture(charts.interval_chart(ROWS.clone(), "x")) == before


def test_net_benefit_far_below_zero_leaves_the_chart_instead_of_being_moved() -> None:
    curve = {"threshold": [0.1, 0.5, 0.9], "model": [0.4, 0.2, 0.05], "treat_all": [0.39, 0.0, -4.5]}
    table = charts_tables.net_benefit_table({"net_benefit": curve})
    assert table is not None and table["net_benefit"].min() == -4.5
    spec = json.dumps(charts.net_benefit_chart(table).to_dict())
    assert "-4.5" not in spec and "0.05" in spec


def test_points_without_an_observation_are_left_out_of_a_curve() -> None:
    curves = {"calibration": {"predicted": [0.2, 0.4, 0.6], "observed": [0.25, None, 0.55]}}
    table = charts_tables.calibration_table(curves)
    assert table is not None and table["predicted"].to_list() == [0.2, 0.6]
    assert charts_tables.calibration_table({"calibration": {"predicted": [0.2], "observed": [0.1]}}) is None
    assert charts_tables.calibration_table({}) is None


def test_a_group_too_small_has_no_row_and_no_mark() -> None:
    row = {"trait": "age_band", "level": "80+", "metric": "auroc"} | dict.fromkeys(("n", "value", "lower", "upper"))
    known = row | {"level": "40-59", "n": 120, "value": 0.6, "lower": 0.5, "upper": 0.7, "note": None}
    table = charts_tables.subgroup_points({"subgroups": [row | {"note": "too few to show"}, known]})
    assert table is not None and table["name"].to_list() == ["age band: 40-59"]


def test_leading_features_come_first_and_few_are_kept() -> None:
    table = charts_tables.importance_points(demo.importance(), "feature", most=3)
    assert table is not None
    sizes = table.group_by("name", maintain_order=True).agg(pl.col("value").max())["value"].to_list()
    assert len(sizes) == 3 and sizes == sorted(sizes, reverse=True)
    assert table.height == 3 * len(demo.ARMS)


def test_people_without_a_value_have_no_place_on_a_features_axis() -> None:
    table = charts_tables.dependence_points(demo.dependence(), "dn4_total")
    assert table is not None and table["value"].null_count() == 0 and table.height == 4 * len(demo.ARMS)
    levels = charts_tables.dependence_points(demo.dependence(), "sex")
    assert levels is not None and set(levels["value"]) == {"F", "M"}


def test_a_decimal_comma_of_the_machine_changes_no_picture_and_no_table() -> None:
    before = picture(charts.interval_chart(ROWS, "x", reference=0.5)), table_text(ROWS)
    kept = locale.setlocale(locale.LC_ALL)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "nl_NL.UTF-8"):
        try:
            locale.setlocale(locale.LC_ALL, name)
            break
        except locale.Error:
            continue
    else:
        pytest.skip("this machine has no language with a decimal comma")
    try:
        charts_drawing._compiled.cache_clear()
        assert (picture(charts.interval_chart(ROWS, "x", reference=0.5)), table_text(ROWS)) == before
    finally:
        locale.setlocale(locale.LC_ALL, kept)


def test_tables_are_written_with_points_and_quoted_names() -> None:
    text = table_text(pl.DataFrame({"name": ['a,b "c"', "d"], "value": [0.123456, 1.0]}))
    assert text == 'name,value\n"a,b ""c""",0.1235\nd,1.0\n'


def test_every_figure_has_a_category_a_caption_and_a_table_that_names_nobody() -> None:
    figures = _figures()
    assert {figure.category for figure in figures} == set(CATEGORIES)
    assert len({figure.name for figure in figures}) == len(figures)
    for figure in figures:
        assert figure.caption and figure.title and figure.table.height
        assert "patient_id" not in figure.table.columns
        assert any(figure.caption.startswith(words) for words in CAPTIONS.values())


def test_a_study_that_measured_nothing_has_the_figures_of_its_people_alone() -> None:
    bare = CohortReportData("s", "0", "", None, demo.flow(), demo.findings(), demo.catalogue())
    assert [figure.name for figure in cohort_figures(bare)] == ["people", "missing"]
    empty = CohortReportData("s", "0", "", None, demo.flow().head(1), demo.findings(), demo.catalogue().clear())
    assert cohort_figures(empty) == []


def test_a_study_of_classes_without_treatments_names_its_groups_by_class() -> None:
    importance = demo.importance().filter(pl.col("treatment") == "SNRI")
    classes = importance.with_columns(pl.lit(None, pl.String).alias("treatment"), pl.lit("ill").alias("class"))
    table = charts_tables.importance_points(classes, "feature")
    assert table is not None and table["group"].unique().to_list() == ["ill"]
    alone = charts_tables.importance_points(classes.drop("class"), "modality")
    assert alone is not None and alone["group"].unique().to_list() == ["everyone"]
