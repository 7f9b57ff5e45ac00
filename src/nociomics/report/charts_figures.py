"""The figures of a cohort: each a chart, its words and its table, for the page, for files and for MLflow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import polars as pl
from markupsafe import Markup

from nociomics.report import charts, charts_tables
from nociomics.report.charts_drawing import drawn, picture_file
from nociomics.report.downloads import table_link
from nociomics.report.formats import interval, is_null, number
from nociomics.report.pain_types import METRICS_BY_GROUP
from nociomics.report.plots import tag
from nociomics.report.wording import METRICS, MetricName, headline_measure

if TYPE_CHECKING:
    from nociomics.report.cohort import CohortReportData

CATEGORIES = ("Cohort", "Quality", "Performance", "Strata", "Explanations")
CAPTIONS = {
    "people": "People left after each step, from everyone in the tables to those who can be analysed.",
    "responders": "Share of responders among those observed, with a 95% Wilson interval; not adjusted for anything.",
    "missing": "Mean share of missing values by modality; the tick is the worst feature.",
    "headline": (
        "The headline figure of the full model beside the simplest models, out of fold; the dashed line is chance."
    ),
    "gains": "What the full model adds, as paired differences; an interval that reaches the dashed line shows no gain.",
    "calibration": (
        "Of people given a probability, how many responded. On the dashed line the model is right; above it, it "
        "promises too little."
    ),
    "net_benefit": (
        "The model helps where its line lies highest. Treating everyone and treating nobody are the other two. "
        "Lines end where they leave the chart."
    ),
    "learning": (
        "Models that learned from fewer people of each training part, on the folds of the first repeat; still "
        "rising at the end means that more people would help."
    ),
    "sureness": (
        "Right answers among those of whom the model is surest, out of fold; it falls from left to right where "
        "being sure means something."
    ),
    "sureness_of_choice": (
        "Gain over a treatment drawn by lot, among those whose two best treatments the model tells most apart, out "
        "of fold; it falls from left to right where a clear favourite is right more often."
    ),
    "policies": "Mean outcome under each way to choose a treatment, estimated on held-out people.",
    "subgroups": "The same figure within each subgroup, with its interval. Groups too small to show are left out.",
    "bic": "BIC of each number of strata against one stratum; smaller is better, and the filled dot is the smallest.",
    "modalities": (
        "Mean size of the contributions of each modality to the model's estimate, with 95% intervals over refits "
        "and people."
    ),
    "features": (
        "Mean size of the contributions of the leading features to the model's estimate, with 95% intervals over "
        "refits and people."
    ),
    "stability": (
        "Rank correlation of one person's contributions between refits, mean over people; the dashed line is what "
        "they should reach."
    ),
    "dependence": (
        "How far the model's estimate moves with the values of one feature, mean over people, with 95% intervals. "
        "It describes the model, not what would happen if the value changed."
    ),
}
_MOST_ROWS = 60
_TOLD = 8  # rows that a description says
_SAFE = ",:;/?@=+$-_.!~*()"


@dataclass(frozen=True)
class Figure:
    """One chart and all that belongs to it.

    Attributes
    ----------
    name : str
        Unique; of files too, such as ``calibration`` or ``subgroups_auroc``.
    category : str
        One of `CATEGORIES`.
    title, caption : str
        Heading, and what is seen.
    table : DataFrame
        What is drawn, one row per mark.
    svg : Markup
        For a page.
    reading : str
        The figures in words, for who does not see the picture.
    """

    name: str
    category: str
    title: str
    caption: str
    table: pl.DataFrame
    svg: Markup
    reading: str

    @property
    def file(self) -> str:
        """The picture as an SVG file."""
        return picture_file(self.svg)

    @property
    def links(self) -> Markup:
        """Links that hold the table and the picture."""
        data = f"data:image/svg+xml;charset=utf-8,{quote(self.file, safe=_SAFE)}"
        picture = tag("a", "picture (SVG)", class_="download", download=f"{self.name}.svg", href=data)
        return Markup(" ").join([table_link(self.table, f"{self.name}.csv") or Markup(""), picture])

    @property
    def rows(self) -> tuple[list[str], list[list[str]]] | None:
        """Heading and cells of the table in words; None when it is too long to read."""
        if self.table.height > _MOST_ROWS:
            return None
        hidden = {"value", "mean", "lower", "upper", "method", "metric"}
        columns = [name for name in self.table.columns if name not in hidden]
        main = "mean" if "mean" in self.table.columns else "value"
        if main not in self.table.columns:
            return None
        shown = [name for name in columns if name != "mean_signed"]
        heading = [*(name.replace("_", " ") for name in shown), "figure"]
        cells = [[*(_cell(name, row[name]) for name in shown), _figure(row, main)] for row in self.table.to_dicts()]
        return heading, cells


def _cell(name: str, value: Any) -> str:
    if name == "share":
        return f"{100 * value:.0f}%"
    if isinstance(value, int | float):
        return number(value, 0 if isinstance(value, int) else 2)
    return "" if value is None else str(value)


def _figure(row: Mapping[str, Any], main: str) -> str:
    if is_null(row.get("lower")) or is_null(row.get("upper")):
        return number(row[main])
    return interval(row[main], row["lower"], row["upper"])


def cohort_figures(data: CohortReportData) -> list[Figure]:
    """Draw every figure that a cohort has; what was not measured has none.

    Parameters
    ----------
    data : CohortReportData
        All that the report may show.
    """
    return [*_of_people(data), *_of_performance(data), *_of_groups(data), *_of_strata(data), *_of_drivers(data)]


def _of_people(data: CohortReportData) -> Iterator[Figure]:
    flow = data.flow if data.flow.height > 1 else None
    yield from _made("people", "Cohort", "Flow of people", flow, charts.people_chart)
    responders = charts_tables.responders_table(data.arms)
    yield from _made(
        "responders", "Cohort", "Responders by treatment", responders,
        lambda table: charts.interval_chart(table, "share of responders", percent=True),
    )  # fmt: skip
    missing = charts_tables.missing_table(data.catalogue)
    yield from _made("missing", "Quality", "Missing values by modality", missing, charts.missing_chart)


def _of_performance(data: CohortReportData) -> Iterator[Figure]:
    head = headline_measure(data.metrics, data.gate)
    if head is not None:
        label = head.label
        yield from _made(
            "headline", "Performance", f"{label} beside simpler models",
            charts_tables.models_table(data.metrics, data.gate),
            lambda table: charts.interval_chart(table, label, reference=head.chance, strong=charts_tables.FULL),
        )  # fmt: skip
    gains = charts_tables.gains_table(data.metrics)
    yield from _made(
        "gains", "Performance", "Gain of the full model", gains,
        lambda table: charts.interval_chart(table, "gain of the full model", reference=0.0),
    )  # fmt: skip
    calibration = charts_tables.calibration_table(data.curves)
    yield from _made("calibration", "Performance", "Calibration", calibration, charts.calibration_chart)
    benefit = charts_tables.net_benefit_table(data.curves)
    yield from _made("net_benefit", "Performance", "Net benefit", benefit, charts.net_benefit_chart)
    yield from _of_shares(data)
    policies = charts_tables.policy_points(data.curves)
    yield from _made(
        "policies", "Performance", "Worth of each way to choose", policies,
        lambda table: charts.interval_chart(table, "mean outcome", strong=charts_tables.POLICIES["model"]),
    )  # fmt: skip


def _of_shares(data: CohortReportData) -> Iterator[Figure]:
    learning = charts_tables.learning_points(data.curves)
    if learning is not None:
        known = METRICS.get(learning["metric"][0], MetricName(learning["metric"][0]))
        yield from _made(
            "learning", "Performance", "Would more people help?", learning,
            lambda table: charts.share_chart(table, "share learned from", known.label, reference=known.chance),
        )  # fmt: skip
    wanted = {
        "sureness": ("prediction", "Right answers among the surest", "share of right answers", None),
        "sureness_of_choice": ("choice", "Gain among the clearest choices", "gain over a treatment by lot", 0.0),
    }
    for name, (what, title, y_title, zero) in wanted.items():
        table = charts_tables.sureness_points(data.curves, what)
        yield from _made(
            name, "Performance", title, table,
            partial(charts.share_chart, x_title="share answered", y_title=y_title, reference=zero),
        )  # fmt: skip


def _of_groups(data: CohortReportData) -> Iterator[Figure]:
    points = charts_tables.subgroup_points(data.curves)
    if points is None:
        return
    for metric in points["metric"].unique(maintain_order=True).to_list():
        label = METRICS_BY_GROUP.get(metric, metric)
        aim = {"coverage_90": 0.9, "calibration_in_the_large": 0.0, "auroc": 0.5}.get(metric)
        yield from _made(
            f"subgroups_{metric}", "Performance", f"{label[:1].upper()}{label[1:]} by subgroup",
            points.filter(pl.col("metric") == metric),
            partial(charts.interval_chart, title=label, reference=aim),
            caption=CAPTIONS["subgroups"] + _AIMS.get(metric, ""),
        )  # fmt: skip


_AIMS = {
    "auroc": " The dashed line is chance.",
    "calibration_in_the_large": " At the dashed line predictions are right on average.",
    "coverage_90": " The dashed line is what the intervals promise.",
}


def _of_strata(data: CohortReportData) -> Iterator[Figure]:
    points = charts_tables.bic_points(data.strata_summary)
    yield from _made(
        "bic", "Strata", "How many strata?", points,
        lambda table: charts.count_chart(table, "number of strata", "BIC against one stratum"),
    )  # fmt: skip


def _of_drivers(data: CohortReportData) -> Iterator[Figure]:
    unit = driver_unit(data)
    titles = {"modality": ("modalities", "Contributions by modality"), "feature": ("features", "Leading features")}
    for level, (name, title) in titles.items():
        table = charts_tables.importance_points(data.importance, level)
        yield from _made(
            name, "Explanations", title, table, lambda points: charts.grouped_chart(points, f"mean size, {unit}")
        )
    stability = charts_tables.stability_points(data.stability)
    yield from _made(
        "stability", "Explanations", "Agreement between refits", stability,
        lambda table: charts.grouped_chart(table, "rank correlation", reference=charts.STABLE),
    )  # fmt: skip
    for place, feature in enumerate(charts_tables.leading_features(data.dependence), start=1):
        points = charts_tables.dependence_points(data.dependence, feature)
        yield from _made(
            f"dependence_{place}", "Explanations", f"The model's estimate over {feature}", points,
            partial(charts.dependence_chart, x_title=feature, y_title=f"contribution, {unit}"),
            caption=CAPTIONS["dependence"],
        )  # fmt: skip


def driver_unit(data: CohortReportData) -> str:
    """Name the unit of the contributions."""
    kind = None if data.target is None else data.target.kind
    return "probability" if kind in ("binary", "multiclass") else "points of the outcome"


def _made(
    name: str,
    category: str,
    title: str,
    table: pl.DataFrame | None,
    chart: Callable[[pl.DataFrame], Any],
    caption: str | None = None,
) -> Iterator[Figure]:
    """Draw one figure; none without a table."""
    if table is None or not table.height:
        return
    words = CAPTIONS[name] if caption is None else caption
    reading = _reading(table)
    safe = re.sub(r"[^\w-]", "_", name)
    svg = drawn(chart(table), safe, title, f"{words} {reading}".strip())
    yield Figure(safe, category, title, words, table, svg, reading)


def _reading(table: pl.DataFrame) -> str:
    """Say the first rows of a table in one sentence; the points of a curve are left to its table."""
    main = next((name for name in ("value", "people", "missing") if name in table.columns), None)
    label = next((name for name in ("name", "step", "modality") if name in table.columns), None)
    if main is None or label is None:
        return "The numbers are in its table."
    rows = table.head(_TOLD).to_dicts()
    told = [
        f"{row[label]} {_figure(row, main) if main == 'value' else number(row[main], 0 if main == 'people' else 2)}"
        for row in rows
    ]
    return f"{'; '.join(told)}{'; and so on' if table.height > _TOLD else ''}."
