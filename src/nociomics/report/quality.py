"""The data-quality page: what to mend first, then every table from its file to its features."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from nociomics.report.formats import plural, share
from nociomics.report.plots import share_strip
from nociomics.report.quality_batches import batch_tables, component_maps, cross_table_rows
from nociomics.report.quality_distributions import distribution_groups, genotype_pictures
from nociomics.report.quality_missing import instrument_rows, missing_rows, pattern_rows
from nociomics.report.rendering import render
from nociomics.report.wording import SMALL_CELLS, quality_advice

_ORDER = {"fatal": 0, "warning": 1, "info": 2}
_WORDS = {"fatal": "stops the run", "warning": "warning", "info": "remark"}
_MOST_MISSING = 40
_MOST_STEPS = 300
_FEW = 3
_FILE = re.compile(r"^([^\s:,]+\.[A-Za-z0-9.]+)(?=[:,])")
_SENTENCE = re.compile(r"(?<=[.:])\s+(?=[A-Z])")


@dataclass(frozen=True)
class QualityFigures:
    """What was measured, as in `tables.data_quality`; None for what this study has not.

    ``readings`` is as in `tables.ingested.READINGS`; ``safety`` has one row per answer that a clinician must see,
    with the column ``instrument``, and is only counted here.
    """

    readings: pl.DataFrame | None = None
    distributions: pl.DataFrame | None = None
    histograms: pl.DataFrame | None = None
    missingness: pl.DataFrame | None = None
    missing_patterns: pl.DataFrame | None = None
    missing_items: pl.DataFrame | None = None
    batches: pl.DataFrame | None = None
    batch_shares: pl.DataFrame | None = None
    components: pl.DataFrame | None = None
    cross_tables: pl.DataFrame | None = None
    associations: pl.DataFrame | None = None
    identical_people: pl.DataFrame | None = None
    genotype_counts: pl.DataFrame | None = None
    safety: pl.DataFrame | None = None


def quality_report(
    findings: pl.DataFrame,
    flow: pl.DataFrame,
    catalogue: pl.DataFrame,
    study: str,
    figures: QualityFigures | None = None,
) -> str:
    """Write the data-quality page as one HTML page that needs no network.

    Parameters
    ----------
    findings, flow, catalogue : DataFrame
        As in `FINDINGS`, `COHORT_FLOW`, `FEATURE_CATALOGUE`.
    study : str
        Name of the study.
    figures : QualityFigures, optional
        What was measured; a section without its figures says so.

    Returns
    -------
    str
        HTML; equal bytes for equal input.
    """
    figures = figures or QualityFigures()
    files = known_files(figures.readings, catalogue)
    return render(
        "quality.html",
        study=study,
        sentence=quality_sentence(findings),
        small_cells=SMALL_CELLS,
        todo=todo_rows(findings.filter(pl.col("severity") != "info"), files, only_files(figures.readings)),
        remarks=finding_rows(findings.filter(pl.col("severity") == "info")),
        readings=reading_groups(figures.readings),
        flow=flow.to_dicts(),
        distributions=distribution_groups(figures.distributions, figures.histograms, catalogue),
        modalities=missing_rows(figures.missingness) or modality_rows(catalogue),
        patterns=pattern_rows(figures.missing_patterns),
        instruments=instrument_rows(figures.missing_items),
        missing=_missing_features(catalogue),
        features=catalogue.height,
        batches=batch_tables(figures.batches, figures.batch_shares),
        maps=component_maps(figures.components),
        crossed=cross_table_rows(figures.cross_tables, figures.associations),
        genotypes=[] if figures.genotype_counts is None else figures.genotype_counts.to_dicts(),
        genotype_pictures=genotype_pictures(figures.distributions, figures.histograms),
        duplicates=[] if figures.identical_people is None else figures.identical_people.to_dicts(),
        safety=safety_rows(figures.safety),
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


def gathered_findings(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Put the findings of all stages together, each once, in the order of the stages."""
    return pl.concat(parts).unique(maintain_order=True)


def todo_rows(
    findings: pl.DataFrame, files: Collection[str] = (), only: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """List what is to be mended: the gravest first, then what concerns most rows; with its file and what to do.

    Parameters
    ----------
    findings : DataFrame
        As in `FINDINGS`, without remarks.
    files : collection of str
        Files of the study, to be known again in a message.
    only : mapping of table to file, optional
        For tables that were read from one file, which a message need not name.
    """
    rows = sorted(finding_rows(findings), key=lambda row: (_ORDER[row["severity"]], -row["count"]))
    return [row | _what_to_do(row, files, only or {}) for row in rows]


def _what_to_do(row: dict[str, Any], files: Collection[str], only: Mapping[str, str]) -> dict[str, str]:
    message = row["message"]
    begins = _FILE.match(message)
    guess = only.get(row["table"], row["table"])
    file = begins[1] if begins else next((name for name in files if name in message), guess)
    what, *advice = _SENTENCE.split(message.rstrip(), maxsplit=1)
    return {"file": file, "what": what, "advice": advice[0] if advice else quality_advice(row["severity"])}


def known_files(readings: pl.DataFrame | None, catalogue: pl.DataFrame) -> list[str]:
    """Name the files of a study, the longest names first."""
    names: set[str] = set()
    if readings is not None:
        names |= set(readings["file"].drop_nulls().to_list())
    if "source_file" in catalogue.columns:
        for text in catalogue["source_file"].drop_nulls().unique().to_list():
            names |= set(text.split("; "))
    return sorted(names, key=lambda name: (-len(name), name))


def only_files(readings: pl.DataFrame | None) -> dict[str, str]:
    """Name the file of each table that was read from one file alone."""
    if readings is None:
        return {}
    named = readings.drop_nulls("file").group_by("table").agg(pl.col("file").unique())
    return {table: files[0] for table, files in named.iter_rows() if len(files) == 1}


def reading_groups(readings: pl.DataFrame | None) -> list[dict[str, Any]]:
    """List what was done to the rows of each table, file by file, in the order in which it was done."""
    if readings is None:
        return []
    shown = readings.head(_MOST_STEPS)
    groups = []
    for (table,), rows in shown.group_by("table", maintain_order=True):
        groups.append({"table": table, "steps": rows.to_dicts()})
    return groups


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
    """List features with gaps, the widest first; many of one modality with the same share are one line."""
    gaps = catalogue.filter(pl.col("missing_share") > 0)
    if "source_file" not in gaps.columns:
        gaps = gaps.with_columns(source_file=pl.lit(None, pl.String))
    together = pl.when(pl.len().over("modality", "missing_share") <= _FEW).then("feature")
    lines = gaps.group_by("modality", "missing_share", together.alias("one"), maintain_order=True).agg(
        features=pl.len(), first=pl.col("feature").first(), file=pl.col("source_file").unique(maintain_order=True)
    )
    shown = lines.sort("missing_share", "first", descending=[True, False]).head(_MOST_MISSING)
    return [
        row
        | {
            "feature": row["one"] or f"{plural(row['features'], 'feature')}, such as {row['first']}",
            "file": "; ".join(name for name in row["file"] if name),
            "strip": _missing_strip(row["missing_share"]),
        }
        for row in shown.to_dicts()
    ]


def _missing_strip(value: float | None) -> str:
    return share_strip(value, f"{share(value)} missing")


def safety_rows(safety: pl.DataFrame | None) -> list[dict[str, Any]] | None:
    """Count the answers that a clinician must see, by questionnaire; None when nothing was looked at."""
    if safety is None:
        return None
    return safety.group_by("instrument").agg(answers=pl.len()).sort("instrument").to_dicts()
