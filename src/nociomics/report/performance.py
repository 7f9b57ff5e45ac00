"""The performance section: the headline beside its baselines, then every other figure with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from nociomics.report.charts_tables import FULL, GAIN, WITHOUT, gain_words, is_comparator, measures, policy_words
from nociomics.report.formats import interval, is_null, listed
from nociomics.report.plots import Scale, axis_strip, interval_strip
from nociomics.report.wording import (
    HARM,
    Measure,
    comparator_words,
    headline_measure,
    modality_words,
    split_metric,
    unmeasured,
)

_BEDSIDE = ("clinical", "questionnaires")


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


def harm_figures(metrics: Mapping[str, Any]) -> tuple[list[Measure], str | None]:
    """List how well the adverse event is predicted, and say why a figure lacks (the reason is one for all)."""
    own = {name.removeprefix(HARM): entry for name, entry in metrics.items() if name.startswith(HARM)}
    reasons = [reason for _, reason in unmeasured(own) if reason]
    return measures(own), reasons[0] if reasons else None


def headline_table(metrics: Mapping[str, Any], gate: Mapping[str, Any] | None = None) -> MetricTable | None:
    """Set the headline figure beside the same figure of simpler models, on one scale."""
    head = headline_measure(metrics, gate)
    if head is None:
        return None
    rows = [(FULL, head)]
    for measure in measures(metrics):
        base, rest = split_metric(measure.name)
        if base == head.name and is_comparator(rest):
            rows.append((comparator_words(rest), measure))
    return _table(head.label, rows, strong=head.name)


def gain_table(metrics: Mapping[str, Any]) -> MetricTable | None:
    """Paired differences of the full model from simpler ones, around zero; policy figures stand elsewhere."""
    rows = []
    for measure in measures(metrics):
        base, rest = split_metric(measure.name)
        if rest.startswith(GAIN) and not base.startswith("policy"):
            rows.append((f"{measure.label.split(':')[0]} over {gain_words(rest.removeprefix(GAIN))}", measure))
    return _table("gain of the full model", rows) if rows else None


def block_gains_absent(metrics: Mapping[str, Any], modalities: Sequence[str]) -> str | None:
    """Say of which omics blocks the gain was not measured; None when there is nothing to say.

    A block's gain is ``<figure>_gain_over_without_<modality>``: the full model less the same model without the block.
    """
    told = {split_metric(name)[1].removeprefix(GAIN + WITHOUT) for name in metrics if f"_{GAIN}{WITHOUT}" in name}
    lacking = [modality_words(name) for name in modalities if name not in _BEDSIDE and name not in told]
    return f"Gain of {listed(lacking)} alone" if lacking and metrics else None


def other_figures(metrics: Mapping[str, Any], gate: Mapping[str, Any] | None = None) -> list[Measure]:
    """List every further figure, in the order given: nothing that was measured is left out."""
    head = headline_measure(metrics, gate)
    shown = set()
    for measure in measures(metrics):
        base, rest = split_metric(measure.name)
        is_headline = head is not None and base == head.name and (not rest or is_comparator(rest))
        if is_headline or rest.startswith(GAIN) or base.startswith("policy"):
            shown.add(measure.name)
    return [measure for measure in measures(metrics) if measure.name not in shown]


def policy_figures(metrics: Mapping[str, Any]) -> list[Measure]:
    """List what following the model's choice of treatment would bring, beside the alternatives."""
    return [measure for measure in measures(metrics) if split_metric(measure.name)[0].startswith("policy")]


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
        label = policy_words(row)
        ends = (row["value"], row.get("lower"), row.get("upper"))
        text = interval(*ends)
        strip = interval_strip(*ends, scale, f"{label}: {text}", strong=row["policy"] == "model")
        rows.append(MetricRow(label, text, row.get("n"), "", "", strip))
    return MetricTable("mean outcome", rows, axis_strip(scale, "Scale of the mean outcome"))
