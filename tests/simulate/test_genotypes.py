from __future__ import annotations

import csv
from itertools import product

import numpy as np
import polars as pl
import pytest
from tests.conftest import shared

from nociomics.simulate.cohort import Cohort
from nociomics.simulate.genotypes import NO_CALL, Genotypes, draw_genotypes, read_facts, variant_table
from nociomics.simulate.mechanisms import Settings
from nociomics.simulate.nature import draw_world
from nociomics.simulate.people import People, draw_people

_TAGS = ["rs3892097", "rs1065852", "rs5030655", "rs28371725"]
# Star allele -> what a chip reads at the four tags; a deletion leaves nothing to read, a second copy shows nothing.
_SHOWN = {
    "*1": (0, 0, 0, 0),
    "*1x2": (0, 0, 0, 0),
    "*4": (1, 1, 0, 0),
    "*6": (0, 0, 1, 0),
    "*10": (0, 1, 0, 0),
    "*41": (0, 0, 0, 1),
}
_ACTIVITY = {"*1": 1, "*4": 0, "*5": 0, "*6": 0, "*10": 0.25, "*41": 0.5, "*1x2": 2}


def _expected_tags(first: str, second: str) -> tuple[int | None, ...]:
    readable = [_SHOWN[star] for star in (first, second) if star != "*5"]
    if not readable:
        return (None,) * 4
    return tuple(a + b for a, b in zip(readable[0], readable[-1], strict=True))


@pytest.fixture(scope="module")
def many() -> tuple[People, Genotypes]:
    settings = Settings(40_000, seed=6)
    people = draw_people(settings)
    return people, draw_genotypes(settings, draw_world(0), people)


def test_named_variants_lie_where_the_reference_tables_say() -> None:
    known = {}
    for name in ("variants.csv", "pain_variants.csv"):
        with shared("knowledge/pgx").joinpath(name).open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                alts = row.get("alts_grch38") or row.get("alt_grch38")
                known[row["rsid"]] = (row["gene"], row["chrom"], int(row["pos_grch38"]), row["ref_grch38"], alts)
    for row in read_facts("named_variants").iter_rows(named=True):
        assert known[row["rsid"]] == (row["gene"], row["chrom"], row["pos"], row["ref"], row["alt"])


def test_calls_of_cyp2d6_agree_with_the_star_alleles(large_cohorts: list[Cohort]) -> None:
    seen = set()
    for cohort in large_cohorts:
        calls = cohort.genotypes.select("patient_id", *_TAGS).join(cohort.diplotypes, on="patient_id")
        for *tags, diplotype in calls.drop("patient_id").iter_rows():
            first, second = diplotype.split("/")
            seen.add(diplotype)
            expected = _expected_tags(first, second)
            assert all(call is None or call == wanted for call, wanted in zip(tags, expected, strict=True)), diplotype
    assert {"*4/*5", "*1/*1x2", "*1x2/*4", "*5/*5", "*4/*10"} <= seen
    assert seen <= {f"{a}/{b}" for a, b in product(_ACTIVITY, repeat=2)}


def test_activity_scores_are_the_sum_of_both_alleles(cohort: Cohort) -> None:
    rows = cohort.diplotypes.join(cohort.truth["people"], on="patient_id")
    for diplotype, score in rows.select("cyp2d6_diplotype", "cyp2d6_activity_score").iter_rows():
        assert score == sum(_ACTIVITY[star] for star in diplotype.split("/"))


def test_scn9a_is_counted_by_base_not_by_alternative(large_cohorts: list[Cohort]) -> None:
    """The tables carry the rare A as reference: most people then have two copies of ALT."""
    row = variant_table(0).filter(pl.col("variant") == "rs6746030").row(0, named=True)
    assert (row["ref"], row["alt"]) == ("A", "G")
    share_of_a = 1 - large_cohorts[0].genotypes["rs6746030"].mean() / 2
    assert share_of_a == pytest.approx(0.8 * 0.12 + 0.2 * 0.03, abs=0.02)


@pytest.mark.parametrize(
    ("rsid", "first", "second"),
    [
        ("rs4680", 0.50, 0.29),
        ("rs1799971", 0.13, 0.38),
        ("rs6746030", 0.12, 0.03),
        ("rs1799853", 0.125, 0.001),
        ("rs1057910", 0.07, 0.035),
    ],
)
def test_frequencies_and_hardy_weinberg(many: tuple[People, Genotypes], rsid: str, first: float, second: float) -> None:
    people, genotypes = many
    copies = genotypes.copies(rsid)
    for group, frequency in enumerate((first, second)):
        here = copies[people.group == group]
        assert here.mean() / 2 == pytest.approx(frequency, abs=0.01)
        assert (here == 1).mean() == pytest.approx(2 * frequency * (1 - frequency), abs=0.02)


def test_cyp2c9_never_carries_more_than_two_reduced_alleles(many: tuple[People, Genotypes]) -> None:
    _, genotypes = many
    assert (genotypes.copies("rs1799853") + genotypes.copies("rs1057910")).max() == 2


def test_invented_variants_come_in_linked_blocks() -> None:
    settings = Settings(10_000, seed=7)
    people = draw_people(settings)
    snps = draw_genotypes(settings, draw_world(3), people).snps[people.group == 0].astype(float)
    within, between = [], []
    for start in range(0, 300, 5):
        correlations = np.corrcoef(snps[:, start : start + 10].T)
        within.append(correlations[0, 1])
        between += [correlations[0, 5]] if len(correlations) == 10 else []
    assert np.mean(within) > 0.3
    assert np.abs(between).max() < 0.06
    np.testing.assert_allclose(snps.mean(axis=0) / 2, draw_world(3).frequencies[0], rtol=0, atol=0.03)


def test_invented_variants_stay_away_from_named_genes_and_from_each_other() -> None:
    for world in range(5):
        variants = variant_table(world)
        assert variants.height == 309
        assert variants.select("chrom", "pos").n_unique() == 309
        named, invented = variants[:9], variants[9:]
        assert not set(named["chrom"]) & set(invented["chrom"])
        assert invented["chrom"].n_unique() == 10
        complementary = {("A", "T"), ("T", "A"), ("C", "G"), ("G", "C")}
        assert not complementary & set(invented.select("ref", "alt").iter_rows())


def test_thirty_variants_carry_weights(cohort: Cohort) -> None:
    weights = cohort.truth["variants"]["weight"]
    assert (weights != 0).sum() == 30
    assert weights.null_count() == 9


def test_about_one_percent_of_calls_fail(large_cohorts: list[Cohort]) -> None:
    calls = large_cohorts[0].genotypes.drop("patient_id")
    assert np.mean([column.null_count() / len(column) for column in calls]) == pytest.approx(0.01, abs=0.001)
    assert NO_CALL not in set(calls.unpivot()["value"])
