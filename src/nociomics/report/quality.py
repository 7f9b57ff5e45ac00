"""The data-quality page: every finding about the tables, who was left out, and what is missing."""

from __future__ import annotations

from typing import Any

import polars as pl

from nociomics.report.formats import plural, share
from nociomics.report.plots import share_strip
from nociomics.report.rendering import render

_ORDER = {"fatal": 0, "warning": 1, "info": 2}
_WORDS = {"fatal": "stops the run", "warning": "warning", "info": "remark"}
_MOST_MISSING = 40


def quality_report(findings: pl.DataFrame, flow: pl.DataFrame, catalogue: pl.DataFrame, study: str) -> str:
    """Write the data-quality page as one HTML page that needs no network.

    Parameters
    ----------
    findings, flow, catalogue : DataFrame
        As in `FINDINGS`, `COHORT_FLOW`, `FEATURE_CATALOGUE`.
    study : str
        Name of the study.

    Returns
    -------
    str
        HTML; equal bytes for equal input.
    """
    return render(
        "quality.html",
        study=study,
        sentence=quality_sentence(findings),
        findings=finding_rows(findings),
        flow=flow.to_dicts(),
        modalities=modality_rows(catalogue),
        missing=_missing_features(catalogue),
        features=catalogue.height,
    )


def severity_counts(findings: pl.DataFrame) -> dict[str, int]:
    """Count the findings of each severity, the gravest first."""
    return {severity: findings.filter(pl.col("severity") == severity).height for severity in _ORDER}


def quality_sentence(findings: pl.DataFrame) -> str:
    """Say the outcome of all checks in one sentence."""
    counts = severity_counts(findings)
    rest = f"{plural(counts['warning'], 'warning')} and {plural(counts['info'], 'remark')}"
    if counts["fatal"]:
        verb = "stops" if counts["fatal"] == 1 else "stop"
        return f"{plural(counts['fatal'], 'problem')} {verb} the run; there are also {rest}."
    if counts["warning"]:
        return f"Nothing stops the run, but there are {rest} to look at."
    return f"Nothing stops the run and there is no warning, only {plural(counts['info'], 'remark')}."


def finding_rows(findings: pl.DataFrame) -> list[dict[str, Any]]:
    """List the findings, the gravest first, otherwise in their order."""
    rows = [row | {"word": _WORDS[row["severity"]]} for row in findings.to_dicts()]
    return sorted(rows, key=lambda row: _ORDER[row["severity"]])


def modality_rows(catalogue: pl.DataFrame) -> list[dict[str, Any]]:
    """Features per modality and the share of missing values, as mean and worst feature."""
    table = (
        catalogue.group_by("modality")
        .agg(
            features=pl.len(),
            missing=pl.col("missing_share").mean(),
            worst=pl.col("missing_share").max(),
            worst_feature=pl.col("feature").sort_by("missing_share", "feature", descending=[True, False]).first(),
        )
        .sort("modality")
    )
    return [row | {"strip": _missing_strip(row["missing"])} for row in table.to_dicts()]


def _missing_features(catalogue: pl.DataFrame) -> list[dict[str, Any]]:
    table = catalogue.filter(pl.col("missing_share") > 0).sort("missing_share", "feature", descending=[True, False])
    return [row | {"strip": _missing_strip(row["missing_share"])} for row in table.head(_MOST_MISSING).to_dicts()]


def _missing_strip(value: float | None) -> str:
    return share_strip(value, f"{share(value)} missing")
