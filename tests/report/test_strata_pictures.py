"""The pictures of the strata page: who is drawn, in which order, and what is told of those who are not."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.report.flow_chart import Flow, flow_chart
from nociomics.report.heat_strips import HEAT_STEPS, heat_level, heat_strip
from nociomics.report.standalone import heat_picture, standalone
from nociomics.report.strata_figures import strata_figures, strata_numbers, strata_tables
from nociomics.report.strata_map import Cloud, MapPoint, stratum_map
from nociomics.report.strata_pictures import flow_view, heat_view, map_view
from tests.report import strata_demo as demo


def test_people_between_strata_are_hollow_and_atypical_ones_crossed() -> None:
    points = [MapPoint(0, 0, 0), MapPoint(1, 1, 0, between=True), MapPoint(2, 2, 1, atypical=True)]
    chart, drawn = stratum_map(points, [], ("factor 1", "factor 2"))
    assert drawn == 3
    assert chart.count('fill="none"') == 1 and chart.count('class="cross"') == 1
    assert "1 between strata, 1 atypical" in chart


def test_an_ellipse_holds_the_share_that_it_says() -> None:
    rng = np.random.default_rng(2)
    covariance = np.array([[1.5, 0.8], [0.8, 0.7]])
    points = rng.multivariate_normal([1.0, -2.0], covariance, 20_000)
    cloud = Cloud("S1", 0, (1.0, -2.0), tuple(map(tuple, covariance.tolist())))
    distance = np.einsum("ij,ij->i", (points - [1, -2]) @ np.linalg.inv(covariance), points - [1, -2])
    for share in (0.5, 0.9):
        (left, right), _ = cloud.reach(share)
        radius = (right - left) / 2 / np.sqrt(1.5)
        assert (distance <= radius**2).mean() == pytest.approx(share, abs=0.01)


def test_the_map_takes_the_two_factors_that_tell_the_strata_apart() -> None:
    data = demo.people()
    assert data.scores is not None and data.inputs is not None
    turned = data.scores.rename({"factor_1": "factor_3", "factor_3": "factor_1"})
    turned = turned.select("patient_id", "factor_1", "factor_2", "factor_3")
    view = map_view(data.assignments, turned, None)
    assert view is not None and view["pair"] == "factor 2 and factor 3"


def test_people_are_ordered_by_stratum_and_then_by_the_first_factor_in_bins_of_neighbours() -> None:
    data = demo.people(n=600)
    view = heat_view(data.assignments, data.scores, data.inputs)
    assert view is not None and view["each"] == 3
    table = _downloaded(view["download"])
    assert table["people"].sum() == 600 and table.height <= 203
    assert table["stratum"].to_list() == sorted(table["stratum"])
    for stratum in ("S1", "S2", "S3"):
        crp = table.filter(stratum=stratum)["crp_mg_per_l"].drop_nulls().to_list()
        assert np.mean(crp[:10]) > np.mean(crp[-10:])
    few = heat_view(*_parts(demo.people(n=5, k=1)))
    assert few is not None and few["each"] == 1


def _parts(data):
    return data.assignments, data.scores, data.inputs


def _downloaded(link: str) -> pl.DataFrame:
    from urllib.parse import unquote

    return pl.read_csv(unquote(re.search(r"utf-8,([^\"]*)", link)[1]).encode())  # type: ignore[index]


@given(st.lists(st.one_of(st.none(), st.floats(-9, 9)), min_size=1, max_size=60))
def test_a_strip_draws_every_person_once_at_their_level(values: list[float | None]) -> None:
    strip = heat_strip(values, [len(values)], "a strip")
    drawn: dict[int, str] = {}
    for trail, kind in re.findall(r'd="([^"]*)" class="heat-(\w+)"', strip):
        end = 0
        for step, start, length in re.findall(r"([Mm])(-?[\d.]+) [05]h(\d+)", trail):
            first = int(float(start)) + (0 if step == "M" else end)
            end = first + int(length)
            for place in range(first, end):
                assert place not in drawn
                drawn[place] = kind
    wanted = ["none" if heat_level(value) is None else str((heat_level(value) or 0) + HEAT_STEPS) for value in values]
    assert [drawn[place] for place in range(len(values))] == wanted


def test_flows_of_few_people_leave_their_place_empty() -> None:
    flows = [Flow("a", "S1", 40), Flow("a", "S2", 3), Flow("b", "S2", 20)]
    totals = {"left:a": "43", "left:b": "20", "right:S1": "40", "right:S2": "23"}
    chart = flow_chart(flows, ["a", "b"], ["S1", "S2"], fewest=5, totals=totals)
    assert re.findall(r"<title>([^<]*)</title>", chart) == ["a to S1: 40 people", "b to S2: 20 people"]


def test_flows_need_two_strata_and_a_grouping() -> None:
    one, three = demo.people(k=1), demo.people()
    groups = pl.DataFrame({"patient_id": ["SECRET-0000"], "group": ["a"]})
    assert flow_view(groups, one.assignments, "type of pain") is None
    assert flow_view(None, three.assignments, "type of pain") is None
    assert flow_view(groups.with_columns(group=pl.lit(None, pl.String)), three.assignments, "type") is None


def test_pictures_for_mlflow_stand_alone_and_name_nobody() -> None:
    figures = strata_figures(demo.three())
    assert set(figures) == {"factor_map", "heat_map", "groups_to_strata"}
    for picture in figures.values():
        assert picture.startswith('<svg xmlns="http://www.w3.org/2000/svg"') and "<style>" in picture
        assert "SECRET" not in picture
    assert set(strata_figures(demo.one())) == {"factor_map", "heat_map"}


def test_a_standalone_picture_is_well_formed() -> None:
    from xml.etree import ElementTree

    view = heat_view(*_parts(demo.people()))
    assert view is not None
    ElementTree.fromstring(standalone(heat_picture(view)))


def test_numbers_for_mlflow_are_few_and_null_where_not_measured() -> None:
    data = demo.three()
    numbers = strata_numbers(data.summary, data.assignments)
    assert numbers["k"] == 3 and numbers["least_jaccard"] == 0.52
    assert data.assignments is not None
    assert numbers["share_between"] == pytest.approx(data.assignments["between"].mean())
    assert set(strata_numbers(None, None).values()) == {None}


def test_tables_for_mlflow_hold_no_patient_and_no_small_count() -> None:
    tables = strata_tables(demo.three())
    assert all("patient_id" not in table.columns for table in tables.values())
    assert "fewer than 5" in tables["mechanism_by_stratum"]["people"].to_list()
