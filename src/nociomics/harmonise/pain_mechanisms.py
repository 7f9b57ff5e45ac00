"""Evidence for kinds of pain by published rules, person by person: beside the strata, and independent of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import polars as pl

from nociomics.knowledge.biomarker import load_biomarkers
from nociomics.knowledge.pain_mechanism import EvidenceBand, load_evidence_bands
from nociomics.tables.results import PAIN_MECHANISMS

TOGETHER = "together"
MIXED = "mixed"
_NOT_MEASURED = "not measured"
_COLUMNS = [column.name for column in PAIN_MECHANISMS.columns]
_SCHEMA = {name: pl.Float64 if name == "value" else pl.String for name in _COLUMNS}
_MIXED_SOURCE = "two mechanisms or more in one person: Freynhagen 2019, Curr Med Res Opin 35:1011 (general)"
_SPEAKS = ("likely", "possible")


def pain_mechanisms(features: pl.DataFrame, bands: Sequence[EvidenceBand] | None = None) -> pl.DataFrame:
    """Judge every person by every rule of which the study has the measurement, and sum up per mechanism.

    Rules are applied as published, to one person's own values; a missing score is ``not measured`` and never
    "unlikely". No cytokine is judged by a limit of its own: limits do not carry over from one assay to another.

    ``together`` sums up the rules of a mechanism: likely when one says so and none says unlikely, possible when
    rules disagree or one says possible, unlikely when that is all that was said. ``mixed`` needs two mechanisms:
    likely when two are likely, possible when two are at least possible, unlikely when two or more were judged and at
    most one speaks, not measured when fewer than two were measured.

    Parameters
    ----------
    features : DataFrame, one row per person
        As in `tables.harmonised.FEATURES`.
    bands : sequence of EvidenceBand, optional
        The shipped rules when left out.

    Returns
    -------
    DataFrame, one row per person and rule, and one per person and mechanism
        As in `PAIN_MECHANISMS`. Rules whose measurement the study lacks have no rows of their own.

    Examples
    --------
    >>> scored = pl.DataFrame({"patient_id": ["a", "b"], "dn4_total": [4.0, None]})
    >>> found = pain_mechanisms(scored).filter(mechanism="neuropathic", rule="together")
    >>> found["evidence"].to_list()
    ['likely', 'not measured']
    """
    known = load_evidence_bands() if bands is None else bands
    judged = {rule: _judged(features, own) for rule, own in _by_rule(known).items() if own[0].feature in features}
    spoken = _without_stand_ins(judged, known)
    mechanisms = list(dict.fromkeys(band.mechanism for band in known))
    empty = pl.DataFrame(schema=_SCHEMA)
    single = pl.concat([empty, *spoken.values()])
    summed = [_together(features, single, mechanism) for mechanism in mechanisms]
    rows = pl.concat([single, *summed, _mixed(pl.concat([empty, *summed]))])
    return rows.sort("patient_id", "mechanism", "rule")


def _by_rule(bands: Sequence[EvidenceBand]) -> dict[str, list[EvidenceBand]]:
    ordered = sorted(bands, key=lambda band: band.rule)
    return {rule: list(own) for rule, own in groupby(ordered, key=lambda band: band.rule)}


def _inside(band: EvidenceBand) -> pl.Expr:
    value = pl.col("value")
    limits = (
        (band.at_least, value.ge),
        (band.above, value.gt),
        (band.below, value.lt),
        (band.at_most, value.le),
    )
    return pl.all_horizontal(pl.lit(True), *(compare(limit) for limit, compare in limits if limit is not None))


def _judged(features: pl.DataFrame, bands: Sequence[EvidenceBand]) -> pl.DataFrame:
    """One row per person for one rule; a value that no band holds says nothing."""
    first = bands[0]
    said = pl.lit("not shown")
    for band in reversed(bands):
        said = pl.when(_inside(band)).then(pl.lit(band.evidence)).otherwise(said)
    value = pl.col(first.feature).cast(pl.Float64).fill_nan(None).alias("value")
    rows = features.select("patient_id", value, _is_non_detect(features, first.feature).alias("non_detect"))
    # a non-detect holds its limit of detection: it lies anywhere below, so that no upper band is reached for certain
    unsure = pl.col("non_detect") & said.is_in(_SPEAKS)
    return rows.select(
        "patient_id",
        pl.lit(first.mechanism).alias("mechanism"),
        pl.when(pl.col("value").is_null())
        .then(pl.lit(_NOT_MEASURED))
        .when(unsure)
        .then(pl.lit("not shown"))
        .otherwise(said)
        .alias("evidence"),
        pl.lit(first.rule).alias("rule"),
        "value",
        pl.lit(f"{first.source} ({first.status})").alias("source"),
    )


def _is_non_detect(features: pl.DataFrame, feature: str) -> pl.Expr:
    flags = {marker.feature_name: f"{marker.feature}_below_lod" for marker in load_biomarkers().values()}
    flag = flags.get(feature)
    return pl.col(flag).cast(pl.Float64).eq(1).fill_null(False) if flag in features.columns else pl.lit(False)


def _without_stand_ins(judged: dict[str, pl.DataFrame], bands: Sequence[EvidenceBand]) -> dict[str, pl.DataFrame]:
    """Silence a rule that only stands in for another where that other was measured."""
    stands_for = {band.rule: band.stands_in_for for band in bands}
    kept = {}
    for rule, rows in judged.items():
        first = judged.get(stands_for[rule] or "")
        if first is not None:
            answered = first.filter(pl.col("value").is_not_null())
            rows = rows.join(answered.select("patient_id"), on="patient_id", how="anti", maintain_order="left")
        kept[rule] = rows
    return kept


def _together(features: pl.DataFrame, single: pl.DataFrame, mechanism: str) -> pl.DataFrame:
    said = single.filter(pl.col("mechanism") == mechanism).group_by("patient_id").agg(pl.col("evidence").unique())
    rows = features.select("patient_id").join(said, on="patient_id", how="left", maintain_order="left")

    def says(word: str) -> pl.Expr:
        return pl.col("evidence").list.contains(word).fill_null(False)

    evidence = (
        pl.when(says("likely") & ~says("unlikely"))
        .then(pl.lit("likely"))
        .when(says("likely") | says("possible"))
        .then(pl.lit("possible"))
        .when(says("unlikely"))
        .then(pl.lit("unlikely"))
        .when(says("not shown"))
        .then(pl.lit("not shown"))
        .otherwise(pl.lit(_NOT_MEASURED))
    )
    return _summed(rows, mechanism, evidence, "its rules, taken together")


def _mixed(summed: pl.DataFrame) -> pl.DataFrame:
    counts = summed.group_by("patient_id", maintain_order=True).agg(
        likely=(pl.col("evidence") == "likely").sum(),
        speaks=pl.col("evidence").is_in(_SPEAKS).sum(),
        silent=(pl.col("evidence") == "not shown").sum(),
        measured=(pl.col("evidence") != _NOT_MEASURED).sum(),
    )
    evidence = (
        pl.when(pl.col("measured") < 2)
        .then(pl.lit(_NOT_MEASURED))
        .when(pl.col("likely") >= 2)
        .then(pl.lit("likely"))
        .when(pl.col("speaks") >= 2)
        .then(pl.lit("possible"))
        # a second mechanism that could not be excluded may still be there
        .when((pl.col("speaks") + pl.col("silent")) >= 2)
        .then(pl.lit("not shown"))
        .otherwise(pl.lit("unlikely"))
    )
    return _summed(counts, MIXED, evidence, _MIXED_SOURCE)


def _summed(rows: pl.DataFrame, mechanism: str, evidence: pl.Expr, source: str) -> pl.DataFrame:
    return rows.select(
        "patient_id",
        pl.lit(mechanism).alias("mechanism"),
        evidence.alias("evidence"),
        pl.lit(TOGETHER).alias("rule"),
        pl.lit(None, dtype=pl.Float64).alias("value"),
        pl.lit(source).alias("source"),
    )
