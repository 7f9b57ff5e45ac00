"""Several measurements of one analyte in one person: replicates first, then times; always the median."""

from __future__ import annotations

import polars as pl

from nociomics.knowledge.specimen import specimen_of
from nociomics.tables.finding import Finding

_CELL = ["patient_id", "analyte"]
_SAME_SAMPLE = ["specimen", "collected_at", "minutes_since_waking", "plate"]
_TOO_MUCH = 0.25  # coefficient of variation of replicates (general: 20 to 25 % is the usual gate)


def settled_repeats(rows: pl.DataFrame) -> pl.DataFrame:
    """Take the median of the replicates of a sample, then of a person's samples.

    Replicates share person, analyte, specimen, time and plate. The median is taken on the scale of the unit,
    not of its logarithm; it counts as a non-detect where most of its values are limits.

    Parameters
    ----------
    rows : DataFrame, one row per measurement
        As of `units.convert_biomarkers`, in base units, with a value.

    Returns
    -------
    DataFrame, one row per person and analyte
        ``patient_id, analyte, value, below_lod`` and ``samples``: how many different samples it is of.
    """
    of_sample = _replicates(rows)
    return of_sample.group_by(_CELL, maintain_order=True).agg(
        pl.col("value").median(), below_lod=pl.col("below_lod").mean() > 0.5, samples=pl.len()
    )


def _replicates(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per sample: its median, how many replicates, and how far these lie apart."""
    keys = [*_CELL, *(name for name in _SAME_SAMPLE if name in rows.columns)]
    return rows.group_by(keys, maintain_order=True).agg(
        pl.col("value").median(),
        below_lod=pl.col("below_lod").mean() > 0.5,
        replicates=pl.len(),
        variation=pl.when(~pl.col("below_lod").any()).then(pl.col("value").std() / pl.col("value").mean()),
    )


def repeat_findings(rows: pl.DataFrame) -> list[Finding]:
    """Say what was combined, and how well replicates agree.

    Parameters
    ----------
    rows : DataFrame
        The rows of the people and analytes that were measured more than once.
    """
    if rows.is_empty():
        return []
    samples = _replicates(rows)
    twice = samples.filter(pl.col("replicates") > 1)
    several = samples.group_by(_CELL).len().filter(pl.col("len") > 1).height
    cells = rows.select(_CELL).n_unique()
    text = (
        f"{cells} people and analytes were measured more than once: the median of the replicates of a sample is used "
        f"({twice.height} samples), then the median of a person's samples ({several} people and analytes have several)"
    )
    found = [Finding("biomarkers", "value", "info", cells, text)]
    apart = twice.filter(pl.col("variation") > _TOO_MUCH).height
    if apart:
        share = f"{apart} of {twice.height} samples have replicates that vary by more than {_TOO_MUCH:.0%}"
        found.append(
            Finding("biomarkers", "value", "warning", apart, f"{share} of their mean (SD / mean): measure them again")
        )
    return found


def mixed_specimens(rows: pl.DataFrame) -> list[Finding]:
    """Warn of analytes whose feature holds serum and plasma values together."""
    if "specimen" not in rows.columns:
        return []
    pairs = rows.group_by("analyte", "specimen", maintain_order=True).len()
    words = [specimen_of(text) for text in pairs["specimen"].to_list()]
    kinds = pairs.with_columns(pl.Series("kind", words, dtype=pl.String)).filter(
        pl.col("kind").is_in(["serum", "plasma"])
    )
    both = kinds.group_by("analyte", maintain_order=True).agg(
        pl.col("kind").n_unique(), pl.col("len").filter(pl.col("kind") == "plasma").sum()
    )
    return [
        Finding(
            "biomarkers",
            "specimen",
            "warning",
            count,
            f"{analyte}: {count} values in plasma stand beside values in serum in one feature; the two can differ. "
            "Keep one of them with where:",
        )
        for analyte, _, count in both.filter(pl.col("kind") > 1).iter_rows()
    ]
