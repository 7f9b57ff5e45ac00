"""Pairs of people who are nearer to each other than strangers: kinship and agreement of genotypes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from nociomics.quality.people_of_stores import Members
from nociomics.tables.chromosomes import AUTOSOMES, chromosome
from nociomics.tables.progress import Progress

MOST_VARIANTS = 10_000
MOST_PEOPLE = 10_000
LEAST_FOR_KINSHIP = 1_000
LEAST_FOR_CONCORDANCE = 100
COMMON, CALLED = 0.05, 0.95
SAME_PERSON = 0.95
DUPLICATE, FIRST, SECOND = 2**-1.5, 2**-2.5, 2**-3.5
"""Limits of kinship between the classes; Manichaikul et al., Bioinformatics 2010, 26:2867-2873."""
RULE = (
    f"variants of autosomes with one ALT, called in at least {CALLED:.0%} of all people, rarer allele at least "
    f"{COMMON:.0%} frequent, every n-th in the order of the file up to {MOST_VARIANTS:,}; not thinned by linkage"
)
_PEOPLE_PER_BLOCK = 1_000
_VARIANTS_PER_BLOCK = 2_048
_PLACE = ("chrom", "pos", "ref", "alt")
_PAIRS = {
    "first": pl.Int64,
    "second": pl.Int64,
    "variants": pl.Int64,
    "kinship": pl.Float64,
    "opposite_share": pl.Float64,
    "concordance": pl.Float64,
}


@dataclass(frozen=True)
class ComparedPeople:
    """Which pairs are alike, and by how many variants all pairs were compared.

    Parameters
    ----------
    pairs : DataFrame, one row per pair that is related or alike
        ``first``, ``second`` (rows of the members' units), ``variants`` called in both, ``kinship``,
        ``opposite_share``, ``concordance``.
    variants : int
        Variants chosen, of ``eligible``.
    not_measured : str or None
        Why kinship is not measured.
    """

    pairs: pl.DataFrame
    variants: int
    eligible: int
    not_measured: str | None


def compare_people(group: Members, variants: pl.DataFrame) -> ComparedPeople:
    """Compare all pairs of people at common variants.

    Parameters
    ----------
    group : Members
        The people.
    variants : DataFrame
        As of `variant_quality.variant_quality` for their stores.

    Returns
    -------
    ComparedPeople
        Pairs whose kinship is at least that of second degree (over at least 1,000 variants called in both), or
        whose genotypes agree at more than 0.95 of at least 100 variants called in both.

    Notes
    -----
    Kinship is KING's robust estimator between families: 1/2 minus the sum of squared differences of copies by four
    times the smaller number of heterozygotes, over calls made in both. It does not need the
    population's frequencies. Variants are chosen as `RULE` says, by counts of all people, never by a pair.
    """
    size = group.units.height
    chosen, eligible, known = _chosen(variants, size)
    reason = _why_not(size, chosen.height, known)
    if size < 2 or size > MOST_PEOPLE or chosen.height < LEAST_FOR_CONCORDANCE:
        return ComparedPeople(pl.DataFrame(schema=_PAIRS), chosen.height, eligible, reason)
    calls = _calls(group, chosen)
    progress = Progress("relatedness", "pairs", size * (size - 1) // 2)
    found = [pl.DataFrame(schema=_PAIRS)]
    for first, second in _block_pairs(size):
        found.append(_alike(calls, first, second, reason is None))
        progress.advance(len(first) * len(second) // (2 if first == second else 1))
    return ComparedPeople(pl.concat(found), chosen.height, eligible, reason)


def related_pairs(group: Members, compared: ComparedPeople) -> pl.DataFrame:
    """Name the degree of each related pair of different people: as in `RELATED_PAIRS`."""
    pairs = with_patients(compared.pairs.filter(pl.col("kinship") >= SECOND), group)
    kinship = pl.col("kinship")
    relation = (
        pl.when(kinship > DUPLICATE)
        .then(pl.lit("duplicate"))
        .when(kinship > FIRST)
        .then(pl.lit("first degree"))
        .otherwise(pl.lit("second degree"))
    )
    nearest = pairs.sort("kinship", descending=True).unique(["patient_a", "patient_b"], keep="first")
    return nearest.sort("kinship", "patient_a", "patient_b", descending=[True, False, False]).select(
        "patient_a",
        "patient_b",
        relation.alias("relation"),
        "kinship",
        "opposite_share",
        "concordance",
        "variants",
    )


def with_patients(pairs: pl.DataFrame, group: Members) -> pl.DataFrame:
    """Put ids to pairs, the smaller one first; two samples of one person are no pair."""
    ids = group.units["patient_id"]
    named = pairs.with_columns(ids.gather(pairs["first"]).alias("a"), ids.gather(pairs["second"]).alias("b"))
    return named.filter(pl.col("a") != pl.col("b")).with_columns(
        pl.min_horizontal("a", "b").alias("patient_a"), pl.max_horizontal("a", "b").alias("patient_b")
    )


def _why_not(people: int, variants: int, known: bool) -> str | None:
    if people < 2:
        return "fewer than two people are genotyped"
    if people > MOST_PEOPLE:
        return (
            f"{people:,} people are more than the {MOST_PEOPLE:,} whose pairs are all compared here; "
            "use plink2 --make-king-table"
        )
    if not known:
        return "the file does not say on which chromosomes its variants lie"
    if variants < LEAST_FOR_KINSHIP:
        return f"{variants:,} variants are suitable, at least {LEAST_FOR_KINSHIP:,} are needed ({RULE})"
    return None


def _chosen(variants: pl.DataFrame, people: int) -> tuple[pl.DataFrame, int, bool]:
    """Choose variants by `RULE`; without chromosomes any variant serves, but for concordance only."""
    called = pl.sum_horizontal("copies_0", "copies_1", "copies_2").sum()
    copies = (pl.col("copies_1") + 2 * pl.col("copies_2")).sum()
    sites = (
        variants.filter(~pl.col("filtered"))
        .with_columns(pl.when(pl.col("pos").is_null()).then("variant").alias("name"))
        .group_by(*_PLACE, "name", maintain_order=True)
        .agg(called.alias("called"), (copies / (2 * called)).alias("frequency"))
    )
    one_alt = pl.col("pos").is_null() | ~pl.struct("chrom", "pos").is_duplicated()
    suitable = sites.filter(
        one_alt
        & (pl.col("called") >= CALLED * people)
        & pl.col("frequency").is_between(COMMON, 1 - COMMON)
        & (pl.col("chrom").is_in(AUTOSOMES) | pl.col("chrom").is_null())
    )
    on_autosomes = suitable.filter(pl.col("chrom").is_not_null())
    known = on_autosomes.height >= LEAST_FOR_CONCORDANCE or on_autosomes.height == suitable.height
    eligible = on_autosomes if known else suitable
    if eligible.height <= MOST_VARIANTS:
        return eligible, eligible.height, known
    rows = np.linspace(0, eligible.height - 1, MOST_VARIANTS).astype(np.int64)
    return eligible[rows], eligible.height, known


def _calls(group: Members, chosen: pl.DataFrame) -> np.ndarray:
    """Gather the chosen variants of all stores: int8 of shape (variants, people), negative where not called."""
    found = np.full((chosen.height, group.units.height), -1, np.int8)
    wanted = chosen.select(*_PLACE, "name").with_row_index("row")
    for store, columns, places in zip(group.stores, group.columns, group.places, strict=True):
        own = _named(store.variants)
        both = wanted.join(own, on=[*_PLACE, "name"], how="inner", nulls_equal=True)
        rows, at = both["row"].to_numpy().astype(np.int64), both["at"].to_numpy().astype(np.int64)
        for start in range(0, len(rows), _VARIANTS_PER_BLOCK):
            span = slice(start, start + _VARIANTS_PER_BLOCK)
            found[np.ix_(rows[span], places)] = store.copies(at[span], columns)
    return found


def _named(variants: pl.DataFrame) -> pl.DataFrame:
    named = variants.with_row_index("at").filter(~pl.col("filtered"))
    named = named.with_columns(chromosome(), pl.when(pl.col("pos").is_null()).then("variant").alias("name"))
    return named.unique([*_PLACE, "name"], keep="first", maintain_order=True).select(*_PLACE, "name", "at")


def _block_pairs(people: int) -> Iterator[tuple[range, range]]:
    blocks = [range(start, min(start + _PEOPLE_PER_BLOCK, people)) for start in range(0, people, _PEOPLE_PER_BLOCK)]
    for place, first in enumerate(blocks):
        for second in blocks[place:]:
            yield first, second


@dataclass(frozen=True)
class _Agreement:
    """Of every pair of two blocks of people, float32 of shape (first, second): counts over calls made in both."""

    shared: np.ndarray
    het_first: np.ndarray
    het_second: np.ndarray
    het_both: np.ndarray
    signs: np.ndarray
    """Equal homozygotes less opposite ones."""

    @property
    def homozygous(self) -> np.ndarray:
        found: np.ndarray = self.shared - self.het_first - self.het_second + self.het_both
        return found

    def kinship(self) -> np.ndarray:
        squares = 2 * self.shared - self.het_first - self.het_second - 2 * self.signs
        fewer = np.minimum(self.het_first, self.het_second)
        found: np.ndarray = 0.5 - np.divide(squares, 4 * fewer, out=np.full_like(fewer, np.nan), where=fewer > 0)
        return found


def _agreement(calls: np.ndarray, first: range, second: range) -> _Agreement:
    """Multiply indicators of calls, block of variants by block of variants; whole numbers, so exact in float32."""
    sums = [np.zeros((len(first), len(second)), np.float32) for _ in range(5)]
    for start in range(0, len(calls), _VARIANTS_PER_BLOCK):
        some = calls[start : start + _VARIANTS_PER_BLOCK]
        called, het, sign = _indicators(some[:, first.start : first.stop])
        others = (called, het, sign) if first == second else _indicators(some[:, second.start : second.stop])
        sums[0] += called.T @ others[0]
        sums[1] += het.T @ others[0]
        if first != second:
            sums[2] += called.T @ others[1]
        sums[3] += het.T @ others[1]
        sums[4] += sign.T @ others[2]
    if first == second:
        sums[2] = sums[1].T
    return _Agreement(*sums)


def _indicators(calls: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    called = (calls >= 0).astype(np.float32)
    return called, (calls == 1).astype(np.float32), (calls - np.int8(1)).astype(np.float32) * called


def _alike(calls: np.ndarray, first: range, second: range, with_kinship: bool) -> pl.DataFrame:
    """List the pairs of two blocks that are related or agree."""
    found = _agreement(calls, first, second)
    homozygous = found.homozygous
    agree = found.het_both + (homozygous + found.signs) / 2
    kinship = found.kinship() if with_kinship else np.full_like(agree, np.nan)
    kinship[found.shared < LEAST_FOR_KINSHIP] = np.nan
    alike = (found.shared >= LEAST_FOR_CONCORDANCE) & (agree > SAME_PERSON * found.shared)
    alike |= kinship >= SECOND
    if first == second:
        alike = np.triu(alike, k=1)
    a, b = np.nonzero(alike)
    shared = found.shared[a, b].astype(float)
    columns = {
        "first": a + first.start,
        "second": b + second.start,
        "variants": shared,
        "kinship": kinship[a, b].astype(float),
        "opposite_share": (homozygous - found.signs)[a, b] / 2 / shared,
        "concordance": agree[a, b] / shared,
    }
    return pl.DataFrame(columns).fill_nan(None).cast(_PAIRS)  # type: ignore[arg-type]
