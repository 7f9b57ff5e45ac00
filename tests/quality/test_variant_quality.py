"""Figures by variant: counts, frequency, and the exact Hardy-Weinberg test against its definition and plink2."""

from __future__ import annotations

from fractions import Fraction
from math import comb, factorial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nociomics.quality.hardy_weinberg import hardy_weinberg_p
from nociomics.quality.variant_quality import variant_quality
from nociomics.tables.genotype_quality import VARIANT_QUALITY
from nociomics.tables.packed_calls import chosen_samples, counts, packed_blocks
from tests.conftest import shared
from tests.quality.stores import a_store, drawn, plink2, store_of_plink


def by_definition(none: int, one: int, two: int, mid_p: bool) -> float:
    """Add up exact fractions over every possible number of heterozygotes."""
    people, alleles = none + one + two, one + 2 * min(none, two)
    chances = {}
    for het in range(alleles % 2, alleles + 1, 2):
        rare = (alleles - het) // 2
        common = people - het - rare
        ways = factorial(people) // (factorial(rare) * factorial(het) * factorial(common))
        chances[het] = Fraction(ways * 2**het, comb(2 * people, alleles))
    seen = chances[one]
    p = sum(chance for chance in chances.values() if chance <= seen)
    ties = sum(chance for chance in chances.values() if chance == seen)
    return float(p - ties / 2 if mid_p else p)


@given(st.lists(st.tuples(*[st.integers(0, 40)] * 3).filter(any), min_size=1, max_size=20), st.booleans())
def test_the_exact_test_is_its_definition(triples, mid_p):
    found = hardy_weinberg_p(np.array(triples), mid_p=mid_p)
    assert found == pytest.approx([by_definition(*triple, mid_p) for triple in triples], rel=1e-9)


def test_the_exact_test_of_large_counts_and_of_nobody():
    found = hardy_weinberg_p(np.array([[900, 90, 10], [0, 0, 0], [25_000, 50_000, 25_000], [0, 1000, 0]]))
    assert found[0] == pytest.approx(by_definition(900, 90, 10, False), rel=1e-9)
    assert np.isnan(found[1])
    assert found[2] == pytest.approx(1.0, rel=1e-8)
    assert found[3] == pytest.approx(by_definition(0, 1000, 0, False), rel=1e-9)


def test_two_numbers_of_heterozygotes_may_be_equally_probable():
    tied = np.array([[345, 458, 153], [345 - 1, 460, 153 - 1], [474, 400, 83]])
    for mid_p in (False, True):
        wanted = [by_definition(*row, mid_p) for row in tied.tolist()]
        assert hardy_weinberg_p(tied, mid_p=mid_p) == pytest.approx(wanted, rel=1e-9)


@settings(deadline=None)  # files are written
@given(st.integers(1, 70), st.integers(0, 5), st.randoms(use_true_random=False))
def test_bits_are_counted_like_numbers_whatever_the_width(people, variants, random):
    import tempfile

    copies = np.array([[random.choice([-1, 0, 1, 2]) for _ in range(people)] for _ in range(variants)], np.int8)
    copies = copies.reshape(variants, people)
    columns = np.array(sorted(random.sample(range(people), random.randint(0, people))), np.int64)
    with tempfile.TemporaryDirectory() as folder:
        store = a_store(Path(folder) / "store", copies)
        for _, block in packed_blocks(store):
            found = counts(block, chosen_samples(columns, people))
            wanted = [[int((row[columns] == code).sum()) for code in (0, 1, 2, -1)] for row in copies]
            assert found.tolist() == wanted


def test_only_people_of_the_study_are_counted(tmp_path):
    store = a_store(tmp_path / "store", np.array([[0, 1, 2, -1, 1], [0, 0, 0, 2, 2]]))
    found = variant_quality(store, np.array([0, 1, 3]))
    columns = ["copies_0", "copies_1", "copies_2", "missing", "call_rate", "alt_frequency"]
    assert found.select(columns).rows() == [
        (1, 1, 0, 1, pytest.approx(2 / 3), pytest.approx(0.25)),
        (2, 0, 1, 0, 1.0, pytest.approx(1 / 3)),
    ]
    assert VARIANT_QUALITY.problems(found) == []


def test_equilibrium_is_tested_on_autosomes_alone(tmp_path):
    chrom = ["chr1", "22", "X", "23", "Y", "MT", "XY", "GL000220", None]
    found = variant_quality(a_store(tmp_path / "store", drawn(1, 9, 30), chrom))
    assert found["chrom"].to_list() == ["1", "22", "X", "X", "Y", "MT", "XY", "GL000220", None]
    assert found["hwe_p"].is_not_null().to_list() == [True, True, *[False] * 7]
    assert found["alt_frequency"].is_not_null().to_list() == [True, True, False, False, False, False, True, True, True]


def test_a_variant_that_nobody_has_called_has_no_figures(tmp_path):
    found = variant_quality(a_store(tmp_path / "store", np.full((1, 4), -1)))
    assert found.select("call_rate", "alt_frequency", "hwe_p").row(0) == (0.0, None, None)


@pytest.mark.parametrize("name", ["HM3_thinned_autosomal_overlap", "some_missing", "chr12"])
@pytest.mark.parametrize("mid_p", [False, True])
def test_the_figures_are_those_of_plink2(name, mid_p, tmp_path):
    prefix = shared("data/genotype-ingest/plink") / name
    # plink2 takes A1 of a .bim as ALT, which is the counted allele here
    words = ["--bfile", prefix, "--hardy", *(["midp"] if mid_p else []), "--freq", "counts", "--nonfounders"]
    plink2(*words, "--missing", "variant-only", out=tmp_path / "p")
    found = variant_quality(store_of_plink(prefix, tmp_path / "store"), mid_p=mid_p)
    hardy = pl.read_csv(tmp_path / "p.hardy", separator="\t")
    called = found["call_rate"] > 0  # where nobody is called, plink2 writes 1 and we nothing
    assert called.sum() > 0.99 * len(called)
    theirs = hardy.filter(called)[hardy.columns[-1]]
    assert found.filter(called)["hwe_p"].to_list() == pytest.approx(theirs.to_list(), rel=2e-5)
    assert found["copies_1"].to_list() == hardy["HET_A1_CT"].to_list()
    alleles = pl.read_csv(tmp_path / "p.acount", separator="\t")
    ours = found["copies_1"] + 2 * found["copies_2"]
    assert ours.to_list() == alleles["ALT_CTS"].to_list()
    missing = pl.read_csv(tmp_path / "p.vmiss", separator="\t")
    assert found["missing"].to_list() == missing["MISSING_CT"].to_list()


# plink2 v2.00a3.5 (9 Aug 2022); README.md here has the commands
FROZEN = {
    "rs4970383": (419, 434, 104, 0.612572),
    "rs3748592": (807, 147, 3, 0.26652),
    "rs9442373": (295, 453, 209, 0.170948),
    "rs1263572": (304, 406, 246, 5.33372e-06),
}


def test_the_test_of_four_hapmap_variants():
    rows = np.array([row[:3] for row in FROZEN.values()])
    assert hardy_weinberg_p(rows) == pytest.approx([row[3] for row in FROZEN.values()], rel=1e-5)
