"""Rows of the distributions section: each measured thing as reported and as harmonised."""

from __future__ import annotations

from typing import Any

import polars as pl

from nociomics.report.formats import count, share
from nociomics.report.quality_plots import histogram, short
from nociomics.report.wording import small_count

_GENOTYPES = "genotype quality"
_MOST_ROWS = 60
_MOST_LEVELS = 6
_KEY = ["modality", "name", "stage", "unit"]
_STAGES = ("reported", "harmonised")


def distribution_groups(
    distributions: pl.DataFrame | None, histograms: pl.DataFrame | None, catalogue: pl.DataFrame
) -> list[dict[str, Any]]:
    """List modalities with their measured things, each with its pictures before and after harmonising.

    Of a modality with more than 60 things those are shown that have most values outside their plausible
    range, then those with most missing.
    """
    if distributions is None or histograms is None:
        return []
    wanted = distributions.filter(pl.col("modality") != _GENOTYPES)
    groups = []
    for (modality,), rows in wanted.group_by("modality", maintain_order=True):
        names = _most_doubtful(rows)
        kept = rows.filter(pl.col("name").is_in(names))
        bins = _bins(histograms.filter((pl.col("modality") == modality) & pl.col("name").is_in(names)))
        things = [_thing(entries, bins) for _, entries in kept.group_by("name", maintain_order=True)]
        groups.append({"modality": modality, "things": things, "of": rows["name"].n_unique()})
    return groups


def _most_doubtful(rows: pl.DataFrame) -> list[str]:
    doubt = pl.col("below").fill_null(0) + pl.col("above").fill_null(0)
    ordered = rows.group_by("name", maintain_order=True).agg(doubt=doubt.sum(), missing=pl.col("missing").sum())
    if ordered.height > _MOST_ROWS:
        ordered = ordered.sort("doubt", "missing", descending=True, maintain_order=True).head(_MOST_ROWS)
    return ordered["name"].to_list()


def _bins(histograms: pl.DataFrame) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    parts = histograms.sort("bin", maintain_order=True).partition_by(_KEY, as_dict=True)
    return {key: part.to_dicts() for key, part in parts.items()}


def _thing(entries: pl.DataFrame, bins: dict[tuple[Any, ...], list[dict[str, Any]]]) -> dict[str, Any]:
    rows = entries.to_dicts()
    stages = {
        stage: [_picture(row, bins.get(tuple(row[name] for name in _KEY), [])) for row in rows if row["stage"] == stage]
        for stage in _STAGES
    }
    return {"name": rows[0]["name"], "label": rows[0]["label"], **stages}


def _picture(row: dict[str, Any], bins: list[dict[str, Any]]) -> dict[str, Any]:
    if row["scale"] == "category":
        return {"unit": "", "drawing": "", "levels": _levels(bins), "facts": _facts(row)}
    if row["unit"] == "0/1":
        return {"unit": "", "drawing": "", "levels": [_answer(entry) for entry in bins], "facts": _facts(row)}
    words = f"{row['name']}, {row['unit']}: histogram of {row['values']} values"
    drawing = histogram(bins, log=row["scale"] == "log10", low=row["low"], high=row["high"], label=words)
    axis = ", log axis" if row["scale"] == "log10" else ""
    return {"unit": row["unit"] + axis, "drawing": drawing, "levels": [], "facts": _facts(row)}


def _answer(entry: dict[str, Any]) -> str:
    """Write the bin of a 0 or 1, whose edges lie half beside it."""
    return f"{short((entry['low'] + entry['high']) / 2)}: {small_count(entry['count'])}"


def _levels(bins: list[dict[str, Any]]) -> list[str]:
    shown = [f"{entry['level']}: {small_count(entry['count'])}" for entry in bins[:_MOST_LEVELS]]
    rest = sum(entry["count"] for entry in bins[_MOST_LEVELS:])
    return [*shown, f"others: {small_count(rest)}"] if rest else shown


def _facts(row: dict[str, Any]) -> str:
    """Say in few words what the picture cannot: how many, how many not, how many outside."""
    total = row["values"] + row["missing"]
    facts = [f"{count(row['values'])} values"]
    if row["missing"]:
        facts.append(f"{share(row['missing'] / total)} missing")
    if row["non_detects"]:
        facts.append(f"{share(row['non_detects'] / max(row['values'], 1))} not detected")
    outside = [(row["below"] or 0, "below"), (row["above"] or 0, "above")]
    facts += [f"{share(n / row['values'])} {side} the plausible range" for n, side in outside if n and row["values"]]
    if row["not_positive"]:
        facts.append(f"{share(row['not_positive'] / max(row['values'], 1))} at or under 0, not drawn")
    if row["low"] is not None or row["high"] is not None:
        facts.append(f"plausible: {_range(row['low'], row['high'])}")
    return "; ".join(facts)


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{short(low)} to {short(high)}"
    return f"from {short(low)}" if low is not None else f"up to {short(high or 0.0)}"


def genotype_pictures(distributions: pl.DataFrame | None, histograms: pl.DataFrame | None) -> list[dict[str, Any]]:
    """Draw call rates, frequencies, heterozygosity and F on X."""
    if distributions is None or histograms is None:
        return []
    rows = distributions.filter(pl.col("modality") == _GENOTYPES)
    bins = _bins(histograms.filter(pl.col("modality") == _GENOTYPES))
    return [
        {"name": row["name"], **_picture(row, bins.get(tuple(row[name] for name in _KEY), []))}
        for row in rows.to_dicts()
    ]
