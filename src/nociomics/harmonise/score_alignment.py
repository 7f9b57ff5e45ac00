"""Find the variants of a store that a polygenic score weighs, and which of their alleles is meant."""

from __future__ import annotations

import numpy as np
import polars as pl

from nociomics.tables.chromosomes import chromosome

LEAST_FOR_STRAND = 20
SCORED = ("direct", "swapped", "flipped", "flipped and swapped")
_STATES = (*SCORED, "ambiguous", "several alternatives", "filtered", "other alleles", "absent")
"""From the best to the worst."""
_, _SWAPPED, _, _BOTH, _AMBIGUOUS, _SEVERAL, _FILTERED, _OTHER, _ABSENT = range(len(_STATES))


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
    number, row, found = _pairs(weights, variants, build)
    judged = _judged(weights, variants, number, row)
    ranked = np.lexsort((row, found, judged["state"], number))
    _, first = np.unique(number[ranked], return_index=True)
    best = ranked[first]
    state, rows = np.full(weights.height, _ABSENT, np.int8), np.zeros(weights.height, np.int64)
    state[number[best]], rows[number[best]] = judged["state"][best], row[best]
    palindrome = np.zeros(weights.height, bool)
    palindrome[number[best]] = judged["palindrome"][best]
    _judge_strand(state, palindrome, weights["other_allele"].is_not_null().to_numpy())
    _score_once(state, rows)
    return pl.DataFrame(
        [
            pl.Series("row", rows).set(pl.Series(state >= len(SCORED)), None),
            pl.Series("state", _STATES).gather(state),
            weights["weight"],
            weights["frequency"],
            pl.Series("is_swapped", _is_swapped(state)),
        ]
    )


def _pairs(
    weights: pl.DataFrame, variants: pl.DataFrame, build: str | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the variants that a weight may mean: weight, row of the variant, and 0 by place or 1 by rsID."""
    wanted = weights.select(pl.int_range(pl.len()).alias("number"), chromosome(), "pos", "rsid")
    named = pl.when(pl.col("name").str.contains(r"^rs\d+$")).then("name").otherwise("variant").alias("rsid")
    sites = variants.select(pl.int_range(pl.len()).alias("row"), chromosome(), "pos", named)
    ways = [["rsid"]]
    if build is not None and weights["build"].eq_missing(build).all():
        ways = [["chrom", "pos"], *ways]
    pairs = [
        wanted.select("number", *way).join(sites.select("row", *way), on=way, how="inner").select("number", "row")
        for way in ways
    ]
    found = np.repeat(np.arange(len(pairs)), [part.height for part in pairs])
    whole = pl.concat(pairs)
    return whole["number"].to_numpy(), whole["row"].to_numpy(), found


def _complement(column: str) -> pl.Expr:
    swapped = pl.col(column).str.replace_many(["A", "T", "C", "G"], ["T", "A", "G", "C"])
    return swapped.str.reverse()


def _judged(
    weights: pl.DataFrame, variants: pl.DataFrame, number: np.ndarray, row: np.ndarray
) -> dict[str, np.ndarray]:
    """Judge each pair of a weight and a variant by their alleles alone: state, and whether it is a palindrome."""
    several = variants.select(
        "ref", "alt", "filtered", several=pl.struct("chrom", "pos").is_duplicated() & pl.col("pos").is_not_null()
    )
    pairs = pl.concat(
        [weights.select("effect_allele", "other_allele")[number], several[row]], how="horizontal"
    ).with_columns(pl.col("ref", "alt").str.to_uppercase())
    effect, other = pl.col("effect_allele"), pl.col("other_allele")

    def fits(mine: str, rest: str) -> pl.Expr:
        return ((effect == pl.col(mine)) & (other.is_null() | (other == pl.col(rest)))).fill_null(False)

    told = pairs.with_columns(ref_c=_complement("ref"), alt_c=_complement("alt")).select(
        (pl.col("ref").is_null() | pl.col("alt").is_null()).alias("unknown"),
        "filtered",
        "several",
        fits("alt", "ref").alias("direct"),
        fits("ref", "alt").alias("swapped"),
        fits("alt_c", "ref_c").alias("flipped"),
        fits("ref_c", "alt_c").alias("both"),
        (pl.col("ref") == pl.col("alt_c")).fill_null(False).alias("palindrome"),
    )
    is_ = {name: told[name].to_numpy() for name in told.columns}
    in_doubt = is_["several"] & (is_["swapped"] | is_["both"]) & ~is_["direct"]
    questions = [is_["unknown"], is_["filtered"], in_doubt, *(is_[name] for name in _BY_ALLELES)]
    state = np.select(questions, [_OTHER, _FILTERED, _SEVERAL, *range(len(SCORED))], _OTHER).astype(np.int8)
    return {"state": state, "palindrome": is_["palindrome"]}


_BY_ALLELES = ("direct", "swapped", "flipped", "both")
"""As `SCORED`."""


def _is_swapped(state: np.ndarray) -> np.ndarray:
    found: np.ndarray = (state == _SWAPPED) | (state == _BOTH)
    return found


def _judge_strand(state: np.ndarray, palindrome: np.ndarray, knows_other: np.ndarray) -> None:
    """Call palindromes ambiguous unless the other variants show that file and store have one strand."""
    scored = state < len(SCORED)
    others = state[scored & ~palindrome]
    one_strand = len(others) >= LEAST_FOR_STRAND and bool((others <= _SWAPPED).all())
    state[scored & palindrome & ~(knows_other & one_strand)] = _AMBIGUOUS


def _score_once(state: np.ndarray, rows: np.ndarray) -> None:
    """Two weights may meet in one variant and allele, by place and by rsID; only the first is scored."""
    scored = np.flatnonzero(state < len(SCORED))
    _, first = np.unique(2 * rows[scored] + _is_swapped(state[scored]), return_index=True)
    state[np.delete(scored, first)] = _OTHER
