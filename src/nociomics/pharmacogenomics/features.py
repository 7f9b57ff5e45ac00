"""Numbers for models from gene calls and single variants: what is not known stays null."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

import polars as pl

from nociomics.knowledge.pharmacogene import (
    COPY_NUMBER_GENES,
    INDETERMINATE,
    NO_ASSIGNMENT,
    STAR_GENES,
    load_pain_variants,
    load_phenotype_rules,
)
from nociomics.pharmacogenomics.gene_call import USABLE_STATES
from nociomics.pharmacogenomics.phenotype import scored_genes

_log = logging.getLogger(__name__)

_UNUSABLE = (INDETERMINATE, NO_ASSIGNMENT)
_FILLED = "absent_is_reference:"
"""Flag of a call that rests on positions which nobody read."""
CALL_COLUMNS = (
    "sample",
    "gene",
    "call_state",
    "positions_defining",
    "positions_called",
    "copy_number_state",
    "activity_score_min",
    "activity_score_max",
    "phenotype",
    "flags",
)
"""Columns of the calls that features are made of."""
_CATALOGUE = ("feature", "modality", "group", "unit", "measured_at", "description", "kind")


@dataclass(frozen=True)
class PharmacogeneFeature:
    """One feature: what it is called and means, and how it follows from the calls of its gene.

    Parameters
    ----------
    name : str
        Column of the wide table.
    gene : str
        Gene, the group it is shown with.
    unit : str
        ``score``, ``count``, ``share`` or ``0/1``.
    description : str
        For the catalogue.
    value : Expr
        Float64 over the rows of `calling.call_pharmacogenes` of this gene, or over
        the genotype rows of one variant.
    rsid : str, optional
        The variant, for a count of bases.
    """

    name: str
    gene: str
    unit: str
    description: str
    value: pl.Expr
    rsid: str | None = None


def pharmacogene_features(
    calls: pl.DataFrame, genotypes: pl.DataFrame | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make the pharmacogene features of a cohort.

    Nothing is filled in: a score needs all candidate pairs to agree on one exact
    number, a phenotype column needs one usable phenotype, a count needs both
    bases. A call that rests on positions taken as reference gives neither score
    nor phenotype. What inhibitors do is no feature: a medication list may tell of
    the time after treatment began. Features that nobody has are left out.

    Parameters
    ----------
    calls : DataFrame, one row per (sample, gene)
        From `calling.call_pharmacogenes`, at least the columns of `CALL_COLUMNS`; every sample gets a row.
    genotypes : DataFrame, one row per (patient_id, rsid), optional
        As in `tables.PHARMACOGENE_GENOTYPES`. Counted as they were read, so a
        reference assumed for absent positions never enters a count.

    Returns
    -------
    features : DataFrame, one row per sample
        ``patient_id`` and Float64 columns: ``<gene>_activity_score``,
        ``<gene>_<phenotype>`` 0/1 ("Likely" and "Possible" with the phenotype
        they name), ``<gene>_phenotype_certain`` 0/1 (1: one usable phenotype; null:
        not tested), ``<gene>_positions_missing``, the share of the gene's defining
        positions that was not read (null: not tested, or called elsewhere),
        ``cyp2d6_copy_number_known`` 0/1 and base counts such as
        ``comt_rs4680_a_count``.
    catalogue : DataFrame, one row per feature
        ``feature, modality, group, unit, measured_at, description, kind``.
    """
    wide = calls.select(patient_id=pl.col("sample")).unique(maintain_order=True)
    planned = _call_features() + (_count_features() if genotypes is not None else [])
    rows = []
    for feature in planned:
        values = _values(feature, calls, genotypes)
        if values["value"].null_count() == values.height:
            continue
        wide = wide.join(values.rename({"value": feature.name}), on="patient_id", how="left", maintain_order="left")
        kind = "binary" if feature.unit == "0/1" else "numeric"
        rows.append((feature.name, "pgx", feature.gene, feature.unit, "baseline", feature.description, kind))
    catalogue = pl.DataFrame(rows, schema=dict.fromkeys(_CATALOGUE, pl.String), orient="row")
    _log.info(
        "pharmacogene features: %d people, %d features out, %d left out because nobody has them",
        wide.height,
        len(rows),
        len(planned) - len(rows),
    )
    return wide, catalogue


def _values(feature: PharmacogeneFeature, calls: pl.DataFrame, genotypes: pl.DataFrame | None) -> pl.DataFrame:
    value = feature.value.cast(pl.Float64).alias("value")
    if feature.rsid is None:
        return calls.filter(pl.col("gene") == feature.gene).select(pl.col("sample").alias("patient_id"), value)
    if genotypes is None:
        raise ValueError("a count needs genotypes")
    people = calls.select(pl.col("sample").alias("patient_id")).unique()
    rows = genotypes.filter(pl.col("rsid") == feature.rsid).join(people, on="patient_id", how="semi")
    return rows.select("patient_id", value)


def _call_features() -> list[PharmacogeneFeature]:
    features = []
    for gene in STAR_GENES:
        if gene in scored_genes():
            features.append(_score_feature(gene))
        features += _phenotype_features(gene)
        features += [_certainty_feature(gene), _missing_feature(gene)]
        if gene in COPY_NUMBER_GENES:
            features.append(_copy_number_feature(gene))
    return features


def _read_alone() -> pl.Expr:
    """Whether a call rests on positions that were read, and on none that was taken as reference."""
    return ~pl.col("flags").fill_null("").str.contains(_FILLED, literal=True)


def _score_feature(gene: str) -> PharmacogeneFeature:
    low, high = pl.col("activity_score_min"), pl.col("activity_score_max")
    exact = (low == high) & low.str.contains(r"^[0-9.]+$")
    return PharmacogeneFeature(
        f"{gene.lower()}_activity_score",
        gene,
        "score",
        f"{gene} activity score (CPIC); null unless every fitting diplotype has the same exact score",
        pl.when(exact & _read_alone()).then(low).cast(pl.Float64, strict=False),
    )


def _phenotype_features(gene: str) -> list[PharmacogeneFeature]:
    words = load_phenotype_rules().filter(pl.col("gene") == gene)["phenotype"].unique().sort()
    kinds = sorted({_plain(word) for word in words if word not in _UNUSABLE})
    phenotype = pl.col("phenotype").str.replace("^(Likely|Possible) ", "")
    usable = phenotype.is_not_null() & ~phenotype.is_in(_UNUSABLE) & _read_alone()
    return [
        PharmacogeneFeature(
            f"{gene.lower()}_{_slug(kind)}",
            gene,
            "0/1",
            f"{gene} phenotype is {kind} (likely or possible included); null unless one phenotype is certain",
            pl.when(usable).then(phenotype == kind),
        )
        for kind in kinds
    ]


def _plain(phenotype: str) -> str:
    return re.sub("^(Likely|Possible) ", "", phenotype)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _certainty_feature(gene: str) -> PharmacogeneFeature:
    usable = pl.col("phenotype").is_not_null() & ~pl.col("phenotype").fill_null("").is_in(_UNUSABLE)
    return PharmacogeneFeature(
        f"{gene.lower()}_phenotype_certain",
        gene,
        "0/1",
        f"1 when {gene} has one usable phenotype, 0 when the test leaves it open, null when not tested",
        pl.when(pl.col("call_state") != "not_tested").then(usable & _read_alone()),
    )


def _missing_feature(gene: str) -> PharmacogeneFeature:
    return PharmacogeneFeature(
        f"{gene.lower()}_positions_missing",
        gene,
        "share",
        f"share of the defining positions of {gene} that were not read; null when not tested or called elsewhere",
        1 - pl.col("positions_called") / pl.col("positions_defining"),
    )


def _copy_number_feature(gene: str) -> PharmacogeneFeature:
    return PharmacogeneFeature(
        f"{gene.lower()}_copy_number_known",
        gene,
        "0/1",
        f"1 when the copies of {gene} were counted, 0 when only positions were read, null when not called",
        pl.when(pl.col("call_state") == "called").then(pl.col("copy_number_state") == "known"),
    )


def _count_features() -> list[PharmacogeneFeature]:
    features = []
    for row in load_pain_variants().iter_rows(named=True):
        known = [row["ref_grch38"], *row["alts_grch38"].split(",")]
        bases = [pl.col("base_1"), pl.col("base_2")]
        readable = pl.col("call_state").is_in(list(USABLE_STATES)) & bases[0].is_in(known) & bases[1].is_in(known)
        count = sum((base == row["counted_base"]).cast(pl.Int8) for base in bases)
        about = f"copies of {row['counted_base']} at {row['rsid']} of {row['gene']} ({row['change']}): {row['meaning']}"
        features.append(
            PharmacogeneFeature(row["feature"], row["gene"], "count", about, pl.when(readable).then(count), row["rsid"])
        )
    return features
