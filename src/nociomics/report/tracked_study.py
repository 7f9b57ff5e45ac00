"""What MLflow is given of a study: few numbers with the first one first, pictures, tables and words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from nociomics.report import charts, charts_tables
from nociomics.report.charts_drawing import drawn, picture_file
from nociomics.report.wording import (
    METRICS,
    RESEARCH_USE,
    Measure,
    comparator_words,
    headline_measure,
    outcome_words,
    read_measure,
)
from nociomics.tables.study import Target

HEADLINE = "headline"
_ENDS = {"value": "", "lower": "_ci_low", "upper": "_ci_high"}
_GAIN = "gain_over_clinical_only"
_TESTED = (
    *("auroc", "spearman", "accuracy", "brier", "mae", "macro_f1"),
    *("calibration_slope", "calibration_in_the_large", "coverage_90", "n", "n_events"),
)
_SHOWN = ("calibration_slope", "n")


def study_numbers(metrics: Mapping[str, Any], gate: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the numbers of a study's own run: what it is judged by with intervals, then a few more without.

    Parameters
    ----------
    metrics, gate : mapping
        As in ``evaluation/metrics.json`` and ``evaluation/gate.json``.

    Returns
    -------
    dict of str to float or None
        ``headline/<figure>``, ``headline/gain_over_clinical_only`` and ``headline/policy_gain``, each with
        ``_ci_low`` and ``_ci_high``, and ``test/<figure>``; in the order of their names the headline comes first.
    """
    head = str(gate.get("headline") or "")
    judged = {head: head, f"{head}_{_GAIN}": _GAIN, "policy_gain": "policy_gain"}
    found = {
        f"{HEADLINE}/{short}{suffix}": metrics[name].get(part)
        for name, short in judged.items()
        if name in metrics
        for part, suffix in _ENDS.items()
    }
    return found | {f"test/{name}": metrics[name].get("value") for name in _TESTED if name in metrics}


def table_columns(metrics: Mapping[str, Any], gate: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the metrics that the table of runs shows, left to right; folds have their own column."""
    head = str(gate.get("headline") or "")
    ends = [f"{HEADLINE}/{head}{suffix}" for suffix in _ENDS.values()]
    wanted = (*ends, f"{HEADLINE}/{_GAIN}", f"{HEADLINE}/policy_gain", *(f"test/{name}" for name in _SHOWN))
    numbers = study_numbers(metrics, gate)
    known = [name for name in wanted if name in numbers]
    return (*known[: len(ends)], f"fold/{head}", *known[len(ends) :])


def comparator_numbers(metrics: Mapping[str, Any], gate: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the headline of the full model and of simpler ones: ``evaluation/<figure>_<model>``."""
    head = str(gate.get("headline") or "")
    return {f"evaluation/{name}": entry.get("value") for name, entry in metrics.items() if name.startswith(head)}


def metrics_table(metrics: Mapping[str, Any], gate: Mapping[str, Any]) -> pl.DataFrame:
    """Return every figure: ``metric, value, lower, upper, n, method``; null where it was not computed.

    The headline and what it is compared with come first; numbers have six significant digits (``metrics.json`` has
    them whole).
    """
    columns = {"value": pl.Float64, "lower": pl.Float64, "upper": pl.Float64, "n": pl.Int64, "method": pl.String}
    head = str(gate.get("headline") or "-")
    names = sorted(metrics, key=lambda name: (name != head, not name.startswith(head), name))
    rows = [{"metric": name, **{key: metrics[name].get(key) for key in columns}} for name in names]
    return pl.DataFrame(rows, schema={"metric": pl.String, **columns}).with_columns(
        pl.col(pl.Float64).round_sig_figs(6)
    )


def gate_table(gate: Mapping[str, Any]) -> pl.DataFrame:
    """Return the gate's answers and the reasons for them: ``question, answer``."""
    asked = {
        "better than chance": "performance_passed",
        "drivers of one person's prediction may be shown": "individual_explanations",
        "a treatment may be recommended to one person": "individual_recommendations",
        "exploratory (few events per feature)": "exploratory",
        "batches go with the outcome": "confounded",
    }
    told = {True: "yes", False: "no", None: "not known"}
    rows = [{"question": words, "answer": told.get(gate.get(name), "not known")} for words, name in asked.items()]
    rows += [{"question": "reason", "answer": str(reason)} for reason in gate.get("reasons") or ()]
    return pl.DataFrame(rows, schema={"question": pl.String, "answer": pl.String})


def evaluation_pictures(
    metrics: Mapping[str, Any], gate: Mapping[str, Any], curves: Mapping[str, Any]
) -> dict[str, str]:
    """Draw the full model beside simpler ones, calibration, net benefit and the learning curve, as SVG files."""
    head = headline_measure(metrics, gate)
    tables = {
        "models": charts_tables.models_table(metrics, gate),
        "calibration": charts_tables.calibration_table(curves),
        "net_benefit": charts_tables.net_benefit_table(curves),
        "learning_curve": charts_tables.learning_points(curves),
    }
    label = head.label if head else "headline"
    made: dict[str, Callable[[pl.DataFrame], Any]] = {
        "models": lambda table: charts.interval_chart(table, label, reference=head.chance if head else None),
        "calibration": charts.calibration_chart,
        "net_benefit": charts.net_benefit_chart,
        "learning_curve": lambda table: charts.share_chart(table, "share of the people learned from", label),
    }
    return {name: _picture(made[name](table), name) for name, table in tables.items() if table is not None}


def importance_picture(importance: pl.DataFrame | None) -> dict[str, str]:
    """Draw what moves the predictions, by modality and feature; nothing where the gate keeps it back."""
    found = {}
    for level in ("modality", "feature"):
        table = charts_tables.importance_points(importance, level)
        if table is not None and table.height:
            drawing = charts.grouped_chart(table, "mean size of the contribution, in units of the outcome")
            found[f"importance_by_{level}"] = _picture(drawing, level)
    return found


def modality_shares(importance: pl.DataFrame | None) -> dict[str, float | None]:
    """Return each modality's share of all contributions, mean over treatments: ``explanations/share_<modality>``."""
    if importance is None:
        return {}
    rows = importance.filter(pl.col("level") == "modality")
    sizes = rows.group_by("name").agg(pl.col("mean_abs_shap").sum()).sort("name")
    whole = sizes["mean_abs_shap"].sum()
    return {f"explanations/share_{name}": size / whole for name, size in sizes.iter_rows() if whole > 0}


def _picture(chart: Any, name: str) -> str:
    words = name.replace("_", " ")
    return picture_file(str(drawn(chart, name.replace("_", "-"), words, words)))


def experiment_note(study: str, target: Target | None, gate: Mapping[str, Any] | None, source: str | None) -> str:
    """Write what somebody must know who opens the study's experiment for the first time.

    Parameters
    ----------
    study : str
        Its name.
    target : Target or None
        What is predicted; None: only strata were looked for.
    gate : mapping or None
        As in ``evaluation/gate.json``; names the headline.
    source : str or None
        Where the data come from, in the study's own words.
    """
    lines = [f"**Study {study}.** {_asked(target)} {source or ''}".strip(), ""]
    if target is not None and gate is not None:
        head = METRICS.get(str(gate.get("headline")))
        if head is not None:
            lines += [f"**What it is judged by:** {head.label}: {head.meaning} (`headline/{gate['headline']}`).", ""]
        lines += [
            "**How to read a row.** `headline/` is what the study is judged by, `_ci_low` and `_ci_high` are the ends "
            "of its 95 % interval; `test/` are further figures of the same predictions. All of them were made for "
            "people whom the model had not seen. A difference inside the intervals is no finding.",
            "",
            "**Below a row** ([+]) are the stages of the run: data, strata, model, evaluation (with one run per fold), "
            "explanations, exported model. Click one to read what it found; its pictures and tables lie under "
            "*Artifacts*.",
            "",
        ]
    lines += [
        "**What changed between two runs?** Tick both and press *Compare*, or run "
        "`nociomics track compare RUN_A RUN_B`: settings, data, code, knowledge and figures side by side.",
        "",
        RESEARCH_USE,
    ]
    return "\n".join(lines)


def _asked(target: Target | None) -> str:
    if target is None:
        return "Nothing is predicted: the data were harmonised and strata looked for."
    given = f", for each treatment of `{target.treatment}`" if target.treatment else ""
    return f"Predicted: {outcome_words(target)}{given}."


def run_note(
    conclusion: Sequence[str], metrics: Mapping[str, Any], gate: Mapping[str, Any], pages: Sequence[str]
) -> str:
    """Write a run's description: the finding, the figures behind it, what may be said, and where the rest is."""
    head = str(gate.get("headline") or "")
    names = (head, f"{head}_clinical_only", f"{head}_{_GAIN}", "policy_gain", "calibration_slope", "coverage_90")
    shown = [found for found in (read_measure(metrics, name) for name in names) if found is not None]
    reasons = [f"- {reason}" for reason in gate.get("reasons") or ()]
    passed = gate.get("performance_passed") is True
    verdict = "The gate is passed." if passed else "The gate is not passed: the model has no alias."
    return "\n".join(
        [
            f"**{conclusion[0]}** {' '.join(conclusion[1:])}".strip(),
            "",
            "| figure | value (95 % interval) | people | how to read it |",
            "| --- | --- | --- | --- |",
            *(_row(measure, head) for measure in shown),
            "",
            f"**What may be said.** {verdict}",
            "",
            *reasons,
            "",
            "**Where to look.** Under *Artifacts*: " + ", ".join(f"`{page}`" for page in pages) + ". "
            "The stages are runs of their own below this one. " + RESEARCH_USE,
        ]
    )


def _row(measure: Measure, head: str) -> str:
    label, meaning = measure.label, measure.meaning
    rest = measure.name.removeprefix(f"{head}_")
    if rest.startswith("gain_over_"):
        label, meaning = f"gain over {comparator_words(rest.removeprefix('gain_over_'))}", "0: it adds nothing"
    elif rest != measure.name:
        label = f"the same of {comparator_words(rest)}"
    return f"| {label} | {measure.text} | {'' if measure.n is None else measure.n} | {meaning} |"
