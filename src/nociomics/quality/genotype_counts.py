"""Genotype quality in numbers for the page: how many variants and people one should look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from nociomics.quality.distributions import Spread

# Usual limits of quality control (Anderson CA et al. Data quality control in genetic case-control association
# studies. Nat Protoc 2010;5:1564-73). They only sort people and variants for a look: nothing is left out by them.
LOW_CALL_RATE = 0.95
UNLIKELY = 1e-6
FAR = 3.0
_SHARES = (
    ("variants", "call_rate", "call rate of variants"),
    ("variants", "alt_frequency", "frequency of the counted allele"),
    ("samples", "call_rate", "call rate of people"),
    ("samples", "heterozygosity", "heterozygosity of people"),
    ("samples", "x_f", "F on chromosome X"),
)
_SCHEMA = {"of": pl.String, "what": pl.String, "count": pl.Int64, "total": pl.Int64, "doubtful": pl.Boolean}


@dataclass(frozen=True)
class GenotypeQuality:
    """The tables of `tables.genotype_quality`; None for what was not measured."""

    variants: pl.DataFrame | None = None
    samples: pl.DataFrame | None = None
    related: pl.DataFrame | None = None
    same_people: pl.DataFrame | None = None


def genotype_spreads(genotypes: GenotypeQuality, fallback: pl.DataFrame | None) -> Iterator[Spread]:
    """Spread call rates, frequencies, heterozygosity and F on X over all variants or people.

    Parameters
    ----------
    fallback : DataFrame or None
        As in `tables.ingested.VARIANTS`: speaks where the quality of variants was not measured.
    """
    variants = genotypes.variants if genotypes.variants is not None else fallback
    for table, column, name in _SHARES:
        frame = variants if table == "variants" else genotypes.samples
        if frame is not None and frame.height and frame[column].null_count() < frame.height:
            limit = LOW_CALL_RATE if column == "call_rate" else None
            unit = "F" if column == "x_f" else "share"
            yield Spread("genotype quality", name, "reported", unit, name, frame[column], low=limit)


def genotype_counts(genotypes: GenotypeQuality) -> pl.DataFrame:
    """Count variants, people and pairs by what is to be said of them.

    Returns
    -------
    DataFrame, one row per count
        As in `GENOTYPE_COUNTS`; empty when nothing was measured.
    """
    rows: list[tuple[Any, ...]] = []
    if genotypes.variants is not None:
        rows += list(_of_variants(genotypes.variants))
    if genotypes.samples is not None:
        rows += list(_of_people(genotypes.samples))
    if genotypes.related is not None and genotypes.related.height:
        # An empty table may also mean that too few variants were there to tell; the findings say which.
        counts = dict(genotypes.related["relation"].value_counts().iter_rows())
        rows += [
            ("pairs", word, counts.get(name, 0), None, name == "duplicate" and counts.get(name, 0) > 0)
            for name, word in (
                ("duplicate", "duplicate: one person twice, or twins of one egg"),
                ("first degree", "first degree: parent and child, or siblings"),
                ("second degree", "second degree: half-siblings, grandparents, uncles and aunts"),
            )
        ]
    if genotypes.same_people is not None:
        counts = dict(genotypes.same_people["evidence"].value_counts().iter_rows())
        if "questionnaires" in counts:
            rows.append(("pairs", "with the same answers in all questionnaires", counts["questionnaires"], None, True))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _of_variants(variants: pl.DataFrame) -> Iterator[tuple[Any, ...]]:
    total = variants.height
    seen_alleles = (pl.col("copies_1") + pl.col("copies_2") > 0) & (pl.col("copies_0") + pl.col("copies_1") > 0)
    told = variants.select(
        low=(pl.col("call_rate") < LOW_CALL_RATE).sum(),
        same=(~seen_alleles).sum(),
        tested=pl.col("hwe_p").is_not_null().sum(),
        unlikely=(pl.col("hwe_p") < UNLIKELY).sum(),
        filtered=pl.col("filtered").sum(),
    ).row(0, named=True)
    yield "variants", f"call rate below {LOW_CALL_RATE:.0%}", told["low"], total, told["low"] > 0
    yield "variants", "the same for everyone", told["same"], total, False
    yield "variants", "marked by the file's own filters", told["filtered"], total, False
    words = f"far from Hardy-Weinberg proportions (p below {UNLIKELY:g})"
    yield "variants", words, told["unlikely"], told["tested"], told["unlikely"] > 0


def _of_people(samples: pl.DataFrame) -> Iterator[tuple[Any, ...]]:
    total = samples.height
    rate = pl.col("heterozygosity")
    far = ((rate - rate.mean()).abs() > FAR * rate.std()).fill_null(False)
    compared = pl.col("sex_agrees")
    told = samples.select(
        low=(pl.col("call_rate") < LOW_CALL_RATE).sum(),
        far=far.sum(),
        judged=rate.is_not_null().sum(),
        compared=compared.is_not_null().sum(),
        differs=(~compared).sum(),
    ).row(0, named=True)
    yield "people", f"call rate below {LOW_CALL_RATE:.0%}", told["low"], total, told["low"] > 0
    words = f"heterozygosity more than {FAR:g} standard deviations from the mean"
    yield "people", words, told["far"], told["judged"], told["far"] > 0
    yield (
        "people",
        "sex on chromosome X differs from what file or study say",
        told["differs"],
        told["compared"],
        told["differs"] > 0,
    )
    yield "people", "sex could not be compared", total - told["compared"], total, False
