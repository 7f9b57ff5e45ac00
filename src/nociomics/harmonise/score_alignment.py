"""Find the variants of a store that a polygenic score weighs, and which of their alleles is meant."""

from __future__ import annotations

import numpy as np
import polars as pl

from nociomics.tables.chromosomes import AUTOSOMES, chromosome

LEAST_FOR_STRAND = 20
_USUAL = frozenset({*AUTOSOMES, "X", "Y", "XY", "MT", None})
SCORED = ("direct", "swapped", "flipped", "flipped and swapped")
RANKED_STATES = (*SCORED, "ambiguous", "several alternatives", "filtered", "other alleles", "absent")
"""From the best to the worst."""
_NO_ALLELE = -1
_, _SWAPPED, _, _BOTH, _AMBIGUOUS, _SEVERAL, _FILTERED, _OTHER, _ABSENT = range(len(RANKED_STATES))


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
            pl.Series("state", state.astype(np.uint8)).cat.to(pl.Enum(RANKED_STATES)),
            weights["weight"],
            weights["frequency"],
            pl.Series("is_swapped", _is_swapped(state)),
        ]
    )


def _pairs(
    weights: pl.DataFrame, variants: pl.DataFrame, build: str | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the variants that a weight may mean: weight, row of the variant, and 0 by place or 1 by rsID."""
    wanted = weights.select(pl.int_range(pl.len()).alias("number"), _named(weights["chrom"]), "pos", "rsid")
    rsid = pl.when(pl.col("name").str.contains(r"^rs\d+$")).then("name").otherwise("variant").alias("rsid")
    sites = variants.select(pl.int_range(pl.len()).alias("row"), _named(variants["chrom"]), "pos", rsid)
    ways = [["rsid"]]
    if build is not None and {build}.issuperset(weights["build"].unique()):
        ways = [["chrom", "pos"], *ways]
    pairs = [wanted.join(sites, on=way, how="inner") for way in ways]
    number, row = (np.concatenate([part[name].to_numpy() for part in pairs]) for name in ("number", "row"))
    return number, row, np.repeat(np.arange(len(pairs)), [part.height for part in pairs])


def _named(chrom: pl.Series) -> pl.Series | pl.Expr:
    """Chromosomes by their usual names: what has them already, as a store mostly has, is taken as it is."""
    return chrom if _USUAL.issuperset(chrom.unique()) else chromosome()


def _complement(alleles: pl.Series) -> pl.Series:
    return alleles.str.replace_many(["A", "T", "C", "G"], ["T", "A", "G", "C"]).str.reverse()


def _judged(
    weights: pl.DataFrame, variants: pl.DataFrame, number: np.ndarray, row: np.ndarray
) -> dict[str, np.ndarray]:
    """Judge each pair of a weight and a variant by their alleles alone: state, and whether it is a palindrome."""
    several = (variants.select("chrom", "pos").is_duplicated() & variants["pos"].is_not_null()).to_numpy()
    file = [weights[name].gather(number) for name in ("effect_allele", "other_allele")]
    kept = [variants[name].gather(row).str.to_uppercase() for name in ("ref", "alt")]
    effect, other, ref, alt, ref_c, alt_c = _numbered([*file, *kept, *(_complement(one) for one in kept)])

    def fits(mine: np.ndarray, rest: np.ndarray) -> np.ndarray:
        found: np.ndarray = (effect == mine) & ((other == _NO_ALLELE) | (other == rest))
        return found

    unknown = (ref == _NO_ALLELE) | (alt == _NO_ALLELE)
    ways = [fits(alt, ref), fits(ref, alt), fits(alt_c, ref_c), fits(ref_c, alt_c)]
    in_doubt = several[row] & (ways[_SWAPPED] | ways[_BOTH]) & ~ways[0]
    questions = [unknown, variants["filtered"].to_numpy()[row], in_doubt, *ways]
    state = np.select(questions, [_OTHER, _FILTERED, _SEVERAL, *range(len(SCORED))], _OTHER).astype(np.int8)
    return {"state": state, "palindrome": (ref == alt_c) & ~unknown}


def _numbered(alleles: list[pl.Series]) -> list[np.ndarray]:
    """Give equal alleles equal numbers, of which `_NO_ALLELE` is none: numbers are compared faster than texts."""
    codes = pl.concat(alleles).cast(pl.Categorical).to_physical().cast(pl.Int64).fill_null(_NO_ALLELE).to_numpy()
    return np.split(codes, len(alleles))


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
