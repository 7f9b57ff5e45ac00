"""Figures by person: how much was called, how heterozygous it is, and the sex that chromosome X shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from nociomics.knowledge.pseudoautosomal import load_pseudoautosomal_regions
from nociomics.quality.people_of_stores import Members
from nociomics.tables.chromosomes import AUTOSOMES
from nociomics.tables.genotype_store import GenotypeStore
from nociomics.tables.packed_calls import (
    HET,
    MISSING_CALL,
    TWO,
    chosen_samples,
    counts,
    indicator,
    packed_blocks,
    variants_at_a_time,
)
from nociomics.tables.progress import Progress

ONE_X, TWO_X = 0.8, 0.2
"""F on X above the first is one X (M), below the second two (F); between them it cannot be told."""
LEAST_X_VARIANTS = 100
X_FREQUENCY = 0.05
"""X is judged by variants whose rarer allele is at least this frequent."""
_EXPECTED_TWOS = 10.0
_NO_SEX = "not measured: no common variant of chromosome X in the file"
_SCHEMA = {
    "variants": pl.Int64,
    "call_rate": pl.Float64,
    "heterozygosity": pl.Float64,
    "inbreeding_f": pl.Float64,
    "x_variants": pl.Int64,
    "x_heterozygosity": pl.Float64,
    "x_f": pl.Float64,
    "sex_from_x": pl.String,
    "sex_status": pl.String,
}


def sample_quality(group: Members, variants: pl.DataFrame) -> pl.DataFrame:
    """Count calls and heterozygotes person by person, and infer sex from chromosome X.

    F is 1 minus the observed by the expected number of heterozygotes, expected from the frequencies of the
    people of the study in the same store (method of moments). Calls that failed the file's own filter are left
    out but for the call rate.

    Parameters
    ----------
    group : Members
        Whose samples.
    variants : DataFrame, one row per counted allele
        As of `variant_quality.variant_quality` for the same stores, below each other.

    Returns
    -------
    DataFrame, one row per sample
        As in `SAMPLE_QUALITY`.
    """
    size = group.units.height
    everything, autosomes = _Sums.empty(size), _Sums.empty(size)
    on_x = _Sums.empty(size)
    for store, columns, places in zip(group.stores, group.columns, group.places, strict=True):
        own = variants.filter(pl.col("store") == store.folder.name)
        everything.add(places, _all_sums(store, columns, own, autosomes, places))
        on_x.add(places, _x_sums(store, columns, own))
    frame = pl.DataFrame(
        {
            "variants": everything.variants,
            "call_rate": _share(everything.called, everything.variants),
            "heterozygosity": _share(autosomes.het, autosomes.called),
            "inbreeding_f": 1 - _share(autosomes.het, autosomes.expected),
            "x_variants": on_x.called,
            "x_heterozygosity": _share(on_x.het, on_x.called),
            "x_f": 1 - _share(on_x.het, on_x.expected),
        }
    ).fill_nan(None)
    sex, status = _sexes(frame, on_x.haploid)
    frame = frame.with_columns(sex.alias("sex_from_x"), status.alias("sex_status")).cast(_SCHEMA)  # type: ignore[arg-type]
    whole = pl.concat([group.units.select("patient_id", "sample"), frame], how="horizontal")
    return whole.with_columns(group.units["sex_in_file"], group.units["sex_in_study"]).with_columns(
        _agrees().alias("sex_agrees")
    )


@dataclass
class _Sums:
    """Of each sample: variants there are, calls, heterozygotes seen and expected, and whether X is called haploid."""

    variants: np.ndarray
    called: np.ndarray
    het: np.ndarray
    expected: np.ndarray
    haploid: np.ndarray

    @classmethod
    def empty(cls, samples: int) -> _Sums:
        variants, called, het, expected = np.zeros((4, samples))
        return cls(variants, called, het, expected, np.zeros(samples, bool))

    def add(self, places: np.ndarray, other: _Sums) -> None:
        for name in ("variants", "called", "het", "expected"):
            getattr(self, name)[places] += getattr(other, name)
        self.haploid[places] |= other.haploid


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return found


def _all_sums(
    store: GenotypeStore, columns: np.ndarray, own: pl.DataFrame, autosomes: _Sums, places: np.ndarray
) -> _Sums:
    """Go through the store once: calls of all variants, and the autosomes' sums besides."""
    counted = own["chrom"].is_in(AUTOSOMES).fill_null(False) & ~own["filtered"]
    weight = counted.cast(pl.Float32).to_numpy()
    expected = (_expected_het(own["alt_frequency"].to_numpy()) * weight).astype(np.float32)
    missing = np.zeros((3, store.samples.height))
    het = np.zeros(store.samples.height)
    progress = Progress(f"{store.folder.name}: figures by person", "variants", own.height)
    for start, block in packed_blocks(store, height=variants_at_a_time(store.samples.height)):
        span = slice(start, start + len(block))
        absent = indicator(block, MISSING_CALL, store.samples.height)
        weights = np.stack([np.ones(len(block), np.float32), weight[span], expected[span]])
        missing += weights @ absent
        het += weight[span] @ indicator(block, HET, store.samples.height)
        progress.advance(len(block))
    missing, het = missing[:, columns], het[columns]
    size = len(columns)
    total = float(weight.sum(dtype=np.float64))
    called = total - np.rint(missing[1])
    on_autosomes = float(expected.sum(dtype=np.float64)) - missing[2]
    autosomes.add(places, _Sums(np.full(size, total), called, np.rint(het), on_autosomes, np.zeros(size, bool)))
    return _Sums(
        np.full(size, float(own.height)), own.height - np.rint(missing[0]), np.zeros(size), np.zeros(size),
        np.zeros(size, bool),
    )  # fmt: skip


def _expected_het(frequency: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.nan_to_num(2 * frequency * (1 - frequency))  # nobody called: nobody expected
    return found


def _x_sums(store: GenotypeStore, columns: np.ndarray, own: pl.DataFrame) -> _Sums:
    """Sum over common variants of X outside the part that Y shares.

    A caller that knows a man writes his single X as haploid, which a store holds as one copy, like a
    heterozygote. It shows: of many expected homozygotes for the counted allele there is not one.
    """
    which = np.flatnonzero(_on_x(own, store.manifest.get("reference")).to_numpy())
    frequency = _frequency(store, which, columns, np.zeros(len(columns), bool))
    seen = _summed(store, which, np.nan_to_num(frequency) ** 2, columns)
    haploid = (seen.weighted >= _EXPECTED_TWOS) & (seen.twos == 0)
    if haploid.any():
        frequency = _frequency(store, which, columns, haploid)
    common = np.nan_to_num(np.minimum(frequency, 1 - frequency)) >= X_FREQUENCY
    seen = _summed(store, which[common], _expected_het(frequency[common]), columns)
    total = np.full(len(columns), float(common.sum()))
    return _Sums(total, seen.called, np.where(haploid, 0.0, seen.hets), seen.weighted, haploid)


@dataclass(frozen=True)
class _Seen:
    """Of each sample: calls, heterozygotes, homozygotes for the counted allele, weights of its calls."""

    called: np.ndarray
    hets: np.ndarray
    twos: np.ndarray
    weighted: np.ndarray


def _summed(store: GenotypeStore, which: np.ndarray, weights: np.ndarray, columns: np.ndarray) -> _Seen:
    samples = store.samples.height
    missing, hets, twos = np.zeros((2, samples)), np.zeros(samples), np.zeros(samples)
    for start, block in packed_blocks(store, which, variants_at_a_time(samples)):
        own = weights[start : start + len(block)]
        both = np.stack([np.ones(len(block)), own]).astype(np.float32)
        missing += both @ indicator(block, MISSING_CALL, samples)
        hets += both[0] @ indicator(block, HET, samples)
        twos += both[0] @ indicator(block, TWO, samples)
    called = len(which) - np.rint(missing[0, columns])
    return _Seen(called, np.rint(hets[columns]), np.rint(twos[columns]), weights.sum() - missing[1, columns])


def _on_x(own: pl.DataFrame, build: str | None) -> pl.Series:
    """Which variants lie on X outside the part that Y shares; of an unknown build, outside that of either."""
    regions = [region for region in load_pseudoautosomal_regions() if build in (None, region.build)]
    shared = pl.any_horizontal(pl.col("pos").is_between(region.start, region.end) for region in regions)
    return own.select(((pl.col("chrom") == "X") & ~pl.col("filtered") & ~shared).fill_null(False)).to_series()


def _frequency(store: GenotypeStore, which: np.ndarray, columns: np.ndarray, haploid: np.ndarray) -> np.ndarray:
    """Of the counted allele; a haploid call of it counts like two copies of two."""
    diploid, single = (chosen_samples(part, store.samples.height) for part in (columns[~haploid], columns[haploid]))
    found = np.zeros((len(which), 4))
    for start, block in packed_blocks(store, which):
        ones = counts(block, single)
        ones[:, 2] += ones[:, 1]
        ones[:, 1] = 0
        found[start : start + len(block)] = counts(block, diploid) + ones
    return _share(found[:, 1] + 2 * found[:, 2], 2 * found[:, :3].sum(axis=1))


def _sexes(frame: pl.DataFrame, haploid: np.ndarray) -> tuple[pl.Series, pl.Series]:
    few = pl.col("x_variants") < LEAST_X_VARIANTS
    measured = frame.select(
        pl.when(few | pl.col("x_f").is_null())
        .then(None)
        .when(pl.col("x_f") > ONE_X)
        .then(pl.lit("M"))
        .when(pl.col("x_f") < TWO_X)
        .then(pl.lit("F"))
        .alias("sex"),
        pl.when(pl.col("x_variants") == 0)
        .then(pl.lit(_NO_SEX))
        .when(few)
        .then(pl.lit(f"cannot tell: fewer than {LEAST_X_VARIANTS} common variants of X were called"))
        .when(pl.lit(pl.Series(haploid)))
        .then(pl.lit("haploid calls: the file itself takes X as single"))
        .when(pl.col("x_f").is_between(TWO_X, ONE_X))
        .then(pl.lit(f"cannot tell: F on X is between {TWO_X} and {ONE_X}"))
        .otherwise(pl.lit("measured"))
        .alias("status"),
    )
    return measured["sex"], measured["status"]


def _agrees() -> pl.Expr:
    """Whether X agrees with every sex that is stated; null without either side."""
    stated = [pl.col(name) for name in ("sex_in_file", "sex_in_study")]
    same = [(name == pl.col("sex_from_x")).fill_null(True) for name in stated]
    comparable = pl.col("sex_from_x").is_not_null() & pl.any_horizontal(name.is_not_null() for name in stated)
    return pl.when(comparable).then(pl.all_horizontal(same))
