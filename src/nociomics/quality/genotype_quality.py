"""All figures on genotypes for the quality report, and what they mean in words."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from nociomics.quality.people_of_stores import Members, members
from nociomics.quality.relatedness import RULE, SECOND, ComparedPeople, compare_people, related_pairs
from nociomics.quality.same_people import same_people
from nociomics.quality.sample_quality import LEAST_X_VARIANTS, ONE_X, TWO_X, sample_quality
from nociomics.quality.variant_quality import variant_quality
from nociomics.tables.chromosomes import AUTOSOMES
from nociomics.tables.contract import Contract
from nociomics.tables.finding import Finding
from nociomics.tables.genotype_quality import RELATED_PAIRS, SAMPLE_QUALITY, VARIANT_QUALITY
from nociomics.tables.genotype_store import GenotypeStore

LOW_CALL_RATE = 0.95
IMPROBABLE = 1e-6
STANDARD_DEVIATIONS = 3.0
_LEAST_PEOPLE = 20
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class GenotypeQuality:
    """The tables of `genotype_quality` in `tables.genotype_quality`, and findings without ids."""

    variants: pl.DataFrame
    samples: pl.DataFrame
    related: pl.DataFrame
    same: pl.DataFrame
    findings: list[Finding]


def genotype_quality(
    stores: GenotypeStore | Sequence[GenotypeStore],
    people: pl.DataFrame | None = None,
    responses: pl.DataFrame | None = None,
    *,
    mid_p: bool = False,
) -> GenotypeQuality:
    """Measure genotypes by variant, by person and by pair of people; no value is changed.

    Parameters
    ----------
    stores : GenotypeStore or sequence of them
        One file each: of the same people (one per chromosome), or of different people.
    people : DataFrame, optional
        As `people_of_stores.members` takes it; without it every sample is a person.
    responses : DataFrame, optional
        Answers, to look for people enrolled twice by them too.
    mid_p : bool
        For the Hardy-Weinberg test.

    Returns
    -------
    GenotypeQuality
        ``variants``, ``samples``, ``related`` and ``same`` as in `VARIANT_QUALITY`, `SAMPLE_QUALITY`,
        `RELATED_PAIRS` and `SAME_PEOPLE`; what could not be measured is a finding that begins so.
    """
    if not isinstance(stores, GenotypeStore) and not stores:
        return _without_stores(responses)
    group = members([stores] if isinstance(stores, GenotypeStore) else list(stores), people)
    variants = pl.concat(
        [
            variant_quality(store, columns, mid_p=mid_p)
            for store, columns in zip(group.stores, group.columns, strict=True)
        ]
    )
    samples = sample_quality(group, variants)
    compared = compare_people(group, variants)
    related = related_pairs(group, compared)
    same, found = same_people(group, compared, responses)
    _LOG.info(
        "genotypes: %d variants of %d samples; %d related pairs by %d variants",
        variants.height, samples.height, related.height, compared.variants,
    )  # fmt: skip
    findings = [
        *_on_people(group, people),
        *_on_calls(variants, samples),
        _on_equilibrium(variants),
        *_on_heterozygosity(samples),
        *_on_sex(samples),
        _on_relatives(related, compared),
        *found,
    ]
    return GenotypeQuality(variants, samples, related, same, findings)


def _without_stores(responses: pl.DataFrame | None) -> GenotypeQuality:
    same, found = same_people(None, None, responses)
    text = "Genotypes: not measured, no file holds calls with alleles."
    empty = (_empty(VARIANT_QUALITY), _empty(SAMPLE_QUALITY), _empty(RELATED_PAIRS))
    return GenotypeQuality(*empty, same, [_finding(0, text), *found])


def _empty(contract: Contract) -> pl.DataFrame:
    kinds = {"integer": pl.Int64, "number": pl.Float64, "boolean": pl.Boolean}
    return pl.DataFrame(schema={column.name: kinds.get(column.kind, pl.String) for column in contract.columns})


def _finding(count: int, text: str, *, wrong: bool = False, column: str | None = None) -> Finding:
    return Finding("genotype", column, "warning" if wrong and count else "info", count, text)


def _on_people(group: Members, people: pl.DataFrame | None) -> list[Finding]:
    genotyped = group.units["patient_id"].n_unique()
    found = [_finding(genotyped, f"{genotyped:,} people are genotyped, in {len(group.stores)} files.")]
    if people is not None:
        without = people["patient_id"].n_unique() - genotyped
        found.append(_finding(without, f"{without:,} people of the study have no genotypes.", wrong=True))
    samples = {(store.folder.name, name) for store in group.stores for name in store.samples["sample"]}
    left = len(samples) - sum(len(columns) for columns in group.columns)
    return [*found, _finding(left, f"{left:,} samples are no people of the study and were not counted.")]


def _on_calls(variants: pl.DataFrame, samples: pl.DataFrame) -> list[Finding]:
    rare = variants.filter(pl.col("call_rate") < LOW_CALL_RATE).height
    never = variants.filter(pl.col("call_rate") == 0).height
    same = variants.filter((pl.col("alt_frequency") == 0) | (pl.col("alt_frequency") == 1)).height
    few = samples.filter(pl.col("call_rate") < LOW_CALL_RATE).height
    return [
        _finding(
            rare,
            f"{rare:,} of {variants.height:,} variants are called in fewer than {LOW_CALL_RATE:.0%} of the people, "
            f"{never:,} of them in nobody.",
            wrong=True,
            column="call_rate",
        ),
        _finding(same, f"{same:,} variants are the same in everybody.", column="alt_frequency"),
        _finding(
            few,
            f"{few:,} of {samples.height:,} samples are called at fewer than {LOW_CALL_RATE:.0%} of the variants.",
            wrong=True,
            column="call_rate",
        ),
    ]


def _on_equilibrium(variants: pl.DataFrame) -> Finding:
    tested = variants.drop_nulls("hwe_p")
    if not tested.height:
        known = variants["chrom"].is_in(AUTOSOMES).fill_null(False).any()
        why = "nobody is called on autosomes" if known else "no variant is known to lie on an autosome"
        return _finding(0, f"Hardy-Weinberg equilibrium: not measured, {why}.", column="hwe_p")
    off = tested.filter(pl.col("hwe_p") < IMPROBABLE).height
    text = (
        f"{off:,} of {tested.height:,} autosomal variants depart from Hardy-Weinberg equilibrium (exact p below "
        f"{IMPROBABLE:g}): wrong calls, or people of several ancestries. Everybody counts as a founder."
    )
    return _finding(off, text, wrong=True, column="hwe_p")


def _on_heterozygosity(samples: pl.DataFrame) -> list[Finding]:
    f = samples["inbreeding_f"].drop_nulls()
    if len(f) < _LEAST_PEOPLE or not (f.std() or 0) > 0:  # type: ignore[operator]
        text = f"Heterozygosity: not judged, it needs {_LEAST_PEOPLE} people with calls on autosomes that differ."
        return [_finding(0, text, column="inbreeding_f")]
    z = (f - f.mean()) / f.std()
    few, many = int((z > STANDARD_DEVIATIONS).sum()), int((z < -STANDARD_DEVIATIONS).sum())
    where = f"F more than {STANDARD_DEVIATIONS:g} standard deviations from the mean of all"
    return [
        _finding(
            many,
            f"{many:,} samples have too many heterozygotes ({where}): mixed with another's, perhaps.",
            wrong=True,
            column="inbreeding_f",
        ),
        _finding(
            few,
            f"{few:,} samples have too few heterozygotes ({where}): poor calls, another ancestry, or related parents.",
            wrong=True,
            column="inbreeding_f",
        ),
    ]


def _on_sex(samples: pl.DataFrame) -> list[Finding]:
    if not samples["x_variants"].sum():
        return [_finding(0, "Sex: not measured, the files have no common variant of X.", column="sex_from_x")]
    told = samples["sex_from_x"].count()
    open_ = samples.height - told
    against = int((~samples["sex_agrees"]).sum() or 0)
    compared = samples["sex_agrees"].count()
    return [
        _finding(
            open_,
            f"Sex was inferred from X for {told:,} samples; for {open_:,} it cannot be told (F between {TWO_X} and "
            f"{ONE_X}, or fewer than {LEAST_X_VARIANTS} common variants of X called).",
            column="sex_from_x",
        ),
        _finding(
            against,
            f"{against:,} of {compared:,} samples contradict the sex that the file or the study states: samples "
            "exchanged, a wrong entry, or sex chromosomes that are neither XX nor XY. The table of samples has them.",
            wrong=True,
            column="sex_agrees",
        ),
    ]


def _on_relatives(related: pl.DataFrame, compared: ComparedPeople) -> Finding:
    if compared.not_measured is not None:
        return _finding(0, f"Relatedness: not measured, {compared.not_measured}.", column="kinship")
    counted = dict(related.group_by("relation").len().iter_rows())
    classes = ", ".join(f"{counted.get(name, 0):,} {name}" for name in ("duplicate", "first degree", "second degree"))
    text = (
        f"{related.height:,} pairs of people are related (KING-robust kinship of at least {SECOND:.4f}): {classes}; by "
        f"{compared.variants:,} of {compared.eligible:,} suitable variants ({RULE})."
    )
    return _finding(related.height, text, wrong=True, column="kinship")
