"""The model card of the cohort report: what the model is, for whom, how good, and what must not be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nociomics.report.formats import count, interval, is_null, listed, number, plural, share
from nociomics.report.pain_types import METRICS_BY_GROUP
from nociomics.report.wording import headline_measure, modality_words, outcome_words, read_measure

if TYPE_CHECKING:
    from nociomics.report.cohort import CohortReportData

_UNLIKE = (
    "For research on groups like this cohort. Not for people unlike those who were in it, not for treating a person "
    "without a clinician, and not to overrule what a person says about their pain."
)
_FEW_EVENTS = 10.0


def model_card(data: CohortReportData) -> list[tuple[str, str]]:
    """List the facts of the model's card, as label and text; empty when nothing was predicted.

    Parameters
    ----------
    data : CohortReportData
        All that the report may show.
    """
    if data.target is None:
        return []
    facts = [
        ("Predicts", outcome_words(data.target)),
        ("Treatments", _treatments(data)),
        ("Learned from", _people(data)),
        ("Inputs", _inputs(data)),
        ("Meant for", _UNLIKE),
        ("How good, out of fold", _performance(data)),
        ("Least good for", _weakest(data)),
        ("What was missing", _missing(data)),
        ("Said about one person", _allowed(data)),
        ("Known limits", _limits(data)),
    ]
    return [(label, text) for label, text in facts if text]


def _treatments(data: CohortReportData) -> str:
    if data.target is None or data.target.treatment is None:
        return "none: a study without treatments"
    names = [] if data.arms is None else [str(name) for name in data.arms["treatment"].drop_nulls().to_list()]
    return listed(names) or "not recorded"


def _people(data: CohortReportData) -> str:
    measured, events = (read_measure(data.metrics, name) for name in ("n", "n_events"))
    if measured is None:
        return "not measured"
    people = plural(int(measured.value), "person", "people") + " with an outcome"
    return f"{people}, {count(int(events.value))} of them with the event" if events is not None else people


def _inputs(data: CohortReportData) -> str:
    names = [modality_words(str(name)) for name in data.catalogue["modality"].unique().sort()]
    return f"{plural(data.catalogue.height, 'feature')} of {listed(names)}" if names else "none"


def _performance(data: CohortReportData) -> str:
    found = [headline_measure(data.metrics, data.gate)]
    found += [read_measure(data.metrics, name) for name in ("calibration_slope", "coverage_90")]
    return "; ".join(f"{one.label} {one.text}" for one in found if one is not None) or "not measured"


def _weakest(data: CohortReportData) -> str:
    """Name the group with the lowest ranking or accuracy, with its interval: groups are small, so it may be chance."""
    rows = [
        row
        for row in data.curves.get("subgroups") or []
        if row["metric"] in ("auroc", "accuracy") and not is_null(row.get("value"))
    ]
    if len(rows) < 2:
        return "no subgroup was large enough to say"
    low = min(rows, key=lambda row: (row["value"], str(row["trait"]), str(row["level"])))
    words = f"{str(low['trait']).replace('_', ' ')} {low['level']}"
    figure = interval(low["value"], low["lower"], low["upper"])
    people = plural(low["n"], "person", "people")
    chance = f"the lowest of {len(rows)} groups, and some group is lowest by chance alone"
    return f"{words}: {METRICS_BY_GROUP[low['metric']]} {figure} in {people}; {chance}"


def _missing(data: CohortReportData) -> str:
    lacking = read_measure(data.metrics, "outcome_missing")
    told = [] if lacking is None else [f"the outcome of {share(lacking.value)} of people"]
    gaps = data.catalogue["missing_share"].mean() if data.catalogue.height else None
    told += [] if gaps is None else [f"{share(float(gaps))} of the features' values"]  # type: ignore[arg-type]
    return listed(told)


def _allowed(data: CohortReportData) -> str:
    gate: Any = data.gate or {}
    words = {True: "open", False: "closed"}
    choices = words[bool(gate.get("individual_recommendations"))]
    drivers = words[bool(gate.get("individual_explanations"))]
    return f"the gate for recommendations is {choices}, the gate for explanations is {drivers}"


def _limits(data: CohortReportData) -> str:
    limits = ["internal validation only: nobody from outside the cohort was predicted"]
    per = read_measure(data.metrics, "events_per_feature")
    if per is not None and per.value < _FEW_EVENTS:
        limits.append(f"{number(per.value, 1)} events per candidate feature, so the model is exploratory")
    needed, had = read_measure(data.metrics, "minimum_n"), read_measure(data.metrics, "n")
    if needed is not None and had is not None and needed.value > had.value:
        limits.append(f"a model with so many candidate features would need {count(int(needed.value))} people")
    if (data.gate or {}).get("confounded"):
        limits.append("outcome and batch go together")
    return "; ".join(limits)
