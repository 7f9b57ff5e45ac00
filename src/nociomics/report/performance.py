"""The performance section: the headline beside its baselines, then every other figure with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from nociomics.report.formats import interval, is_null
from nociomics.report.plots import Scale, axis_strip, calibration_chart, interval_strip, net_benefit_chart
from nociomics.report.wording import (
    HARM,
    METRICS,
    Measure,
    MetricName,
    comparator_words,
    headline_measure,
    read_measure,
    split_metric,
    unmeasured,
)

_POLICY_WORDS = {
    "model": "the model's choice",
    "best_fixed": "the best single treatment, chosen in other folds",
    "uniform": "every treatment equally often",
    "usual": "treatment as given",
}


@dataclass(frozen=True)
class MetricRow:
    """One figure and its picture."""

    label: str
    text: str
    n: int | None
    method: str
    meaning: str
    strip: Markup


@dataclass(frozen=True)
class MetricTable:
    """Figures on one common scale."""

    caption: str
    rows: list[MetricRow]
    axis: Markup | None


def _table(caption: str, measures: list[tuple[str, Measure]], strong: str | None = None) -> MetricTable:
    """Rows on one scale; ``strong`` names the figure in accent colour (None: all of them)."""
    ends = [end for _, measure in measures for end in (measure.value, measure.lower, measure.upper)]
    chance = next((measure.chance for _, measure in measures if measure.chance is not None), None)
    scale = Scale.around(ends, include=[] if chance is None else [chance])
    rows = [
        MetricRow(
            label, measure.text, measure.n, measure.method, measure.meaning,
            interval_strip(
                measure.value, measure.lower, measure.upper, scale, f"{label}: {measure.text}",
                reference=chance, strong=strong is None or measure.name == strong,
            ),
        )
        for label, measure in measures
    ]  # fmt: skip
    return MetricTable(caption, rows, axis_strip(scale, f"Scale of {caption}") if rows else None)


def _measures(metrics: Mapping[str, Any]) -> list[Measure]:
    benefit = [name for name in metrics if not name.startswith(HARM)]
    return [found for found in (read_measure(metrics, name) for name in benefit) if found is not None]


def harm_figures(metrics: Mapping[str, Any]) -> tuple[list[Measure], str | None]:
    """List how well the adverse event is predicted, and say why a figure lacks (the reason is one for all)."""
    own = {name.removeprefix(HARM): entry for name, entry in metrics.items() if name.startswith(HARM)}
    reasons = [reason for _, reason in unmeasured(own) if reason]
    return _measures(own), reasons[0] if reasons else None


def headline_table(metrics: Mapping[str, Any], gate: Mapping[str, Any] | None = None) -> MetricTable | None:
    """Set the headline figure beside the same figure of simpler models, on one scale."""
    head = headline_measure(metrics, gate)
    if head is None:
        return None
    rows = [("full model", head)]
    for measure in _measures(metrics):
        base, rest = split_metric(measure.name)
        if base == head.name and _is_comparator(rest):
            rows.append((comparator_words(rest), measure))
    return _table(head.label, rows, strong=head.name)


def _is_comparator(rest: str) -> bool:
    """Pooling the folds is another way to count the same model, not another model."""
    return rest not in ("", "pooled") and not rest.startswith("gain_over_")


def gain_table(metrics: Mapping[str, Any]) -> MetricTable | None:
    """Paired differences of the full model from simpler ones, around zero; policy figures stand elsewhere."""
    rows = []
    for measure in _measures(metrics):
        base, rest = split_metric(measure.name)
        if rest.startswith("gain_over_") and not base.startswith("policy"):
            rows.append((f"{measure.label.split(':')[0]} over {comparator_words(rest[10:])}", measure))
    return _table("gain of the full model", rows) if rows else None


def other_figures(metrics: Mapping[str, Any], gate: Mapping[str, Any] | None = None) -> list[Measure]:
    """List every further figure, in the order given: nothing that was measured is left out."""
    head = headline_measure(metrics, gate)
    shown = set()
    for measure in _measures(metrics):
        base, rest = split_metric(measure.name)
        is_headline = head is not None and base == head.name and (not rest or _is_comparator(rest))
        if is_headline or rest.startswith("gain_over_") or base.startswith("policy"):
            shown.add(measure.name)
    return [measure for measure in _measures(metrics) if measure.name not in shown]


def policy_figures(metrics: Mapping[str, Any]) -> list[Measure]:
    """List what following the model's choice of treatment would bring, beside the alternatives."""
    return [measure for measure in _measures(metrics) if split_metric(measure.name)[0].startswith("policy")]


def policy_table(curves: Mapping[str, Any]) -> MetricTable | None:
    """Set out the worth of each way to choose a treatment, from ``curves["policies"]``, on one scale.

    Parameters
    ----------
    curves : mapping
        ``policies``: list of {policy, treatment, value, lower, upper, n}; optional.
    """
    policies = [row for row in curves.get("policies") or [] if not is_null(row.get("value"))]
    if not policies:
        return None
    scale = Scale.around([row.get(end) for row in policies for end in ("value", "lower", "upper")])
    rows = []
    for row in policies:
        label = _POLICY_WORDS.get(row["policy"], str(row["policy"]).replace("_", " "))
        label = f"{row['treatment']} for everyone" if row["policy"] == "fixed" else label
        ends = (row["value"], row.get("lower"), row.get("upper"))
        text = interval(*ends)
        strip = interval_strip(*ends, scale, f"{label}: {text}", strong=row["policy"] == "model")
        rows.append(MetricRow(label, text, row.get("n"), "", "", strip))
    return MetricTable("mean outcome", rows, axis_strip(scale, "Scale of the mean outcome"))


def abstention_tables(curves: Mapping[str, Any]) -> dict[str, MetricTable]:
    """Set out figures by share of people answered, the surest first, from ``curves["abstention"]``.

    Parameters
    ----------
    curves : mapping
        ``abstention``: {choice, prediction}, each a list of {share, n, value, lower, upper}; optional.

    Returns
    -------
    dict of str to MetricTable
        ``choice`` (gain over a treatment drawn by lot) and ``prediction`` (accuracy), as far as they are there.
    """
    words = {"choice": "gain over a treatment drawn by lot", "prediction": "share of right answers"}
    found = {}
    for name, caption in words.items():
        rows = (curves.get("abstention") or {}).get(name) or []
        known = [row for row in rows if not is_null(row.get("value"))]
        if known:
            found[name] = _by_share(known, caption, zero=name == "choice")
    return found


def learning_table(curves: Mapping[str, Any]) -> MetricTable | None:
    """Set out the headline by the share of each training part that was learned from, from ``curves["learning"]``.

    Parameters
    ----------
    curves : mapping
        ``learning``: a list of {share, metric, value, lower, upper, n}, whole training parts last; optional.
    """
    known = [row for row in curves.get("learning") or [] if not is_null(row.get("value"))]
    if len(known) < 2:
        return None
    measured = METRICS.get(known[0]["metric"], MetricName(known[0]["metric"]))
    reference = [] if measured.chance is None else [measured.chance]
    scale = Scale.around([row[end] for row in known for end in ("value", "lower", "upper")], include=reference)
    drawn = []
    for row in known:
        label = "all of them" if row["share"] >= 1 else f"{100 * row['share']:.0f}% of them"
        text = interval(row["value"], row["lower"], row["upper"], measured.decimals)
        ends = (row["value"], row["lower"], row["upper"])
        strip = interval_strip(*ends, scale, f"{label}: {text}", reference=measured.chance)
        drawn.append(MetricRow(label, text, row["n"], "", "", strip))
    return MetricTable(measured.label, drawn, axis_strip(scale, f"Scale of {measured.label}"))


def _by_share(rows: list[dict[str, Any]], caption: str, *, zero: bool) -> MetricTable:
    ends = [row[end] for row in rows for end in ("value", "lower", "upper")]
    scale = Scale.around(ends, include=[0.0] if zero else [])
    drawn = []
    for row in rows:
        label = "everybody" if row["share"] >= 1 else f"the surest {100 * row['share']:.0f}%"
        text = interval(row["value"], row["lower"], row["upper"], signed=zero)
        strip = interval_strip(
            row["value"], row["lower"], row["upper"], scale, f"{label}: {text}", reference=0.0 if zero else None
        )
        drawn.append(MetricRow(label, text, row["n"], "", "", strip))
    return MetricTable(caption, drawn, axis_strip(scale, f"Scale of {caption}"))


def curve_charts(curves: Mapping[str, Any]) -> dict[str, Markup]:
    """Charts of the curves that are there: ``calibration`` and ``net_benefit`` (``threshold`` or ``thresholds``)."""
    charts: dict[str, Markup] = {}
    calibration = curves.get("calibration")
    if calibration and calibration["predicted"]:
        charts["calibration"] = calibration_chart(calibration["predicted"], calibration["observed"])
    benefit = curves.get("net_benefit")
    thresholds = (benefit or {}).get("threshold") or (benefit or {}).get("thresholds")
    if benefit and thresholds:
        charts["net_benefit"] = net_benefit_chart(thresholds, benefit["model"], benefit["treat_all"])
    return charts
