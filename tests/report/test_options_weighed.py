"""The two orders on the pages: with the weight and its source, and nothing for one person behind a closed gate."""

from __future__ import annotations

import polars as pl
import pytest

from nociomics.report.options_weighed import weighed_group, weighed_view
from nociomics.report.pages import cohort_report, patient_profile
from tests.report import demo
from tests.report.html_page import Page

WEIGHED = demo.TARGET.model_copy(update={"harm_weight": 4.0})


def predictions(weight: float | None = 4.0, source: str = "patient", *, ordered: bool = True) -> pl.DataFrame:
    """The demo's person, with a weight of harm."""
    shown = demo.person().predictions.with_columns(
        harm_weight=pl.lit(weight, pl.Float64), harm_weight_source=pl.lit(source)
    )
    net = shown.with_columns(net_benefit=pl.col("expected") - weight * pl.col("p_adverse") if weight else pl.lit(None))
    return net.with_columns(
        benefit_place=pl.col("expected").rank("min", descending=True).cast(pl.Int64) if ordered else pl.lit(None),
        net_benefit_place=pl.col("net_benefit").rank("min", descending=True).cast(pl.Int64)
        if ordered
        else pl.lit(None),
        net_benefit=pl.col("net_benefit") if ordered else pl.lit(None),
    )


def page(**changes: object) -> Page:
    return Page(patient_profile(demo.person(**changes)))


def test_both_orders_stand_side_by_side_with_the_weight_and_its_source() -> None:
    view = weighed_view(demo.TARGET, demo.OPEN, predictions().to_dicts())
    assert view is not None
    assert view.sentence == "One adverse event counts as much as a benefit of 4 points: this person's own weight."
    assert [row["net_place"] for row in view.rows] == ["1", "2", "3", "4"]
    places = {row["treatment"]: row["benefit_place"] for row in view.rows}
    assert places["SNRI"] == "1"
    dear = weighed_view(demo.TARGET, demo.OPEN, predictions(10.0).to_dicts())
    assert dear is not None and dear.rows[0]["treatment"] == "CBT"  # harm .31 against .07, ten points each
    assert dear.rows[0]["benefit_place"] != "1"
    text = page(predictions=predictions()).text("expected")
    assert "this person's own weight" in text and "Place by net benefit" in text
    assert "What is recommended stays as it is, by benefit alone." in text


def test_the_studys_weight_is_called_the_studys() -> None:
    view = weighed_view(demo.TARGET, demo.OPEN, predictions(source="study").to_dicts())
    assert view is not None and view.sentence.endswith("the study's weight, for people who gave none.")


@pytest.mark.parametrize("gate", [demo.CLOSED, None])
def test_behind_a_closed_gate_the_weight_is_named_and_nothing_is_ordered(gate: dict | None) -> None:
    view = weighed_view(demo.TARGET, gate, predictions().to_dicts())
    assert view is not None and view.rows == []
    assert "the gate for individual recommendations is closed" in view.notes[0]
    closed = page(gate=demo.CLOSED, predictions=predictions(ordered=False))
    assert "Place by net benefit" not in closed.text("expected")


def test_without_a_weight_the_page_is_as_it_was() -> None:
    assert weighed_view(demo.TARGET, demo.OPEN, demo.person().predictions.to_dicts()) is None
    assert weighed_view(demo.TARGET, demo.OPEN, predictions(None).to_dicts()) is None
    assert "Harm weighed against benefit" not in page().text("expected")


def test_a_treatment_that_is_not_compared_stands_last_and_says_so() -> None:
    rows = predictions().with_columns(
        pl.when(pl.col("treatment") != "CBT").then(pl.col(name)).alias(name)
        for name in ("net_benefit", "benefit_place", "net_benefit_place")
    )
    view = weighed_view(demo.TARGET, demo.OPEN, rows.to_dicts())
    assert view is not None and view.rows[-1]["treatment"] == "CBT"
    assert view.rows[-1]["net"] == "not compared" and any("without a place" in note for note in view.notes)


def test_the_group_is_ordered_by_the_studys_weight_alone() -> None:
    view = weighed_group(WEIGHED, demo.CLOSED, demo.arms())
    assert view is not None
    nets = [float(row["net"].replace("−", "-").replace("+", "")) for row in view.rows]
    assert nets == sorted(nets, reverse=True)
    assert view.rows[0]["treatment"] == "CBT"  # 1.77 - 4 x 9/143; SNRI: 2.12 - 4 x 35/139
    assert any("the same for everybody" in note for note in view.notes)
    assert weighed_group(demo.TARGET, demo.OPEN, demo.arms()) is None
    assert weighed_group(WEIGHED, demo.OPEN, demo.arms().drop("adverse_events")) is None


def test_the_cohorts_page_shows_it_where_the_study_gives_a_weight() -> None:
    shown = Page(cohort_report(demo.cohort(target=WEIGHED), []))
    assert "One adverse event counts as much as a benefit of 4 points: the study's weight." in shown.text()
    assert "One adverse event counts as much" not in Page(cohort_report(demo.cohort(), [])).text()
