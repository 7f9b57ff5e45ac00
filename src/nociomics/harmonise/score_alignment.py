"""Find the variants of a store that a polygenic score weighs, and which of their alleles is meant."""

from __future__ import annotations

import polars as pl

from nociomics.tables.chromosomes import chromosome

LEAST_FOR_STRAND = 20
SCORED = ("direct", "swapped", "flipped", "flipped and swapped")
_SWAPPED = ("swapped", "flipped and swapped")
_ORDER = {
    name: place
    for place, name in enumerate((*SCORED, "ambiguous", "several alternatives", "filtered", "other alleles", "absent"))
}


def aligned_weights(weights: pl.DataFrame, variants: pl.DataFrame, build: str | None) -> pl.DataFrame:
    """Match each weight with a variant of the store, by place and alleles.

    A weight is looked for by chromosome and position when its build is the store's, else or without success by
    rsID. Its effect allele is the counted one (``direct``) or the other one (``swapped``: 2 minus the copies), or
    the complement of either (``flipped``), where the other allele, if the file names it, must fit too.

    A/T and C/G variants are their own complement: the alleles do not show the strand. They are taken only when the
    file names both alleles, and all other two-base variants of the same score and store, 20 at least, lie on the
    file's strand; else they are ``ambiguous`` and left out. Frequencies among the study's people are not asked: the
    score of one person would depend on the others.

    Parameters
    ----------
    weights : DataFrame, one row per weighted allele of one score
        As in `SCORE_WEIGHTS`.
    variants : DataFrame, one row per counted allele
        As in `STORE_VARIANTS`.
    build : str or None
        Of the store's positions.

    Returns
    -------
    DataFrame, one row per weight, in their order
        ``row`` (of the store's variants, null unless scored), ``state`` (one of `tables.polygenic.STATES`), ``weight``,
        ``frequency``, ``is_swapped``.
    """
    numbered = weights.with_row_index("number").with_columns(chromosome())
    sites = _sites(variants)
    same_build = build is not None and weights["build"].eq_missing(build).all()
    by_place = ["chrom", "pos"]
    pairs = [
        *([_candidates(numbered, sites, by_place)] if same_build else []),
        _candidates(numbered, sites.drop("chrom", "pos"), ["rsid"]),
    ]
    judged = pl.concat([part.with_columns(_state(), found=pl.lit(place)) for place, part in enumerate(pairs)])
    best = (
        judged.with_columns(rank=pl.col("state").replace_strict(_ORDER, return_dtype=pl.Int8))
        .sort("number", "rank", "found", "row", maintain_order=True)
        .unique("number", keep="first", maintain_order=True)
    )
    whole = numbered.select("number", "weight", "frequency").join(
        best.select("number", "row", "state", "palindrome", "knows_other"),
        on="number", how="left", maintain_order="left",
    )  # fmt: skip
    whole = _strand_judged(whole.with_columns(pl.col("state").fill_null("absent")))
    scored = pl.col("state").is_in(SCORED)
    return _once_each(whole).select(
        pl.when(scored).then(pl.col("row").cast(pl.Int64)).alias("row"),
        "state",
        "weight",
        "frequency",
        pl.col("state").is_in(_SWAPPED).alias("is_swapped"),
    )


def _sites(variants: pl.DataFrame) -> pl.DataFrame:
    return variants.with_row_index("row").select(
        "row",
        chromosome(),
        "pos",
        pl.when(pl.col("name").str.contains(r"^rs\d+$")).then("name").otherwise("variant").alias("rsid"),
        pl.col("ref").str.to_uppercase(),
        pl.col("alt").str.to_uppercase(),
        "filtered",
        (pl.struct("chrom", "pos").is_duplicated() & pl.col("pos").is_not_null()).alias("several"),
    )


def _candidates(weights: pl.DataFrame, sites: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    wanted = weights.select("number", *on, "effect_allele", "other_allele")
    return wanted.join(sites, on=on, how="inner").select(
        "number", "row", "effect_allele", "other_allele", "ref", "alt", "filtered", "several"
    )


def _complement(column: str) -> pl.Expr:
    swapped = pl.col(column).str.replace_many(["A", "T", "C", "G"], ["T", "A", "G", "C"])
    return swapped.str.reverse()


def _state() -> list[pl.Expr]:
    """Judge a weight against one variant by their alleles alone."""
    effect, other = pl.col("effect_allele"), pl.col("other_allele")
    ref, alt = pl.col("ref"), pl.col("alt")

    def fits(mine: pl.Expr, rest: pl.Expr) -> pl.Expr:
        return (effect == mine) & (other.is_null() | (other == rest)).fill_null(False)

    swapped = fits(ref, alt) | fits(_complement("ref"), _complement("alt"))
    state = (
        pl.when(ref.is_null() | alt.is_null())
        .then(pl.lit("other alleles"))
        .when(pl.col("filtered"))
        .then(pl.lit("filtered"))
        .when(pl.col("several") & swapped & ~fits(alt, ref))
        .then(pl.lit("several alternatives"))
        .when(fits(alt, ref))
        .then(pl.lit("direct"))
        .when(fits(ref, alt))
        .then(pl.lit("swapped"))
        .when(fits(_complement("alt"), _complement("ref")))
        .then(pl.lit("flipped"))
        .when(fits(_complement("ref"), _complement("alt")))
        .then(pl.lit("flipped and swapped"))
        .otherwise(pl.lit("other alleles"))
    )
    return [
        state.alias("state"),
        (ref == _complement("alt")).fill_null(False).alias("palindrome"),
        other.is_not_null().alias("knows_other"),
    ]


def _strand_judged(whole: pl.DataFrame) -> pl.DataFrame:
    """Call palindromes ambiguous unless the other variants show that file and store have one strand."""
    scored = pl.col("state").is_in(SCORED)
    others = whole.filter(scored & ~pl.col("palindrome"))
    one_strand = others.height >= LEAST_FOR_STRAND and others["state"].is_in(["direct", "swapped"]).all()
    taken = pl.col("knows_other") & pl.lit(one_strand)
    ambiguous = (scored & pl.col("palindrome") & ~taken).fill_null(False)
    return whole.with_columns(pl.when(ambiguous).then(pl.lit("ambiguous")).otherwise("state").alias("state"))


def _once_each(whole: pl.DataFrame) -> pl.DataFrame:
    """Two weights may meet in one variant and allele, by place and by rsID; only the first is scored."""
    scored = pl.col("state").is_in(SCORED)
    again = (
        scored
        & ~pl.struct("row", pl.col("state").is_in(_SWAPPED).alias("other"), scored.alias("scored")).is_first_distinct()
    )
    return whole.with_columns(pl.when(again).then(pl.lit("other alleles")).otherwise("state").alias("state"))
