"""Every pair that fits, found without listing haplotypes, is the same as by listing them."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import examples

from nociomics.knowledge.pharmacogene import STAR_GENES
from nociomics.pharmacogenomics.allele_panel import AllelePanel, Genotype, UnknownBaseError, allele_panel


def by_listing(panel: AllelePanel, genotypes: dict[str, Genotype]) -> set[tuple[int, int]]:
    """List all ways round of all phase blocks, then all alleles of both haplotypes."""
    blocks = sorted({g.block or rsid for rsid, g in genotypes.items()})
    found = set()
    for ways in product([False, True], repeat=len(blocks)):
        turned = dict(zip(blocks, ways, strict=True))
        ends: list[dict[str, str]] = [{}, {}]
        for rsid, g in genotypes.items():
            one, two = (g.base_2, g.base_1) if turned[g.block or rsid] else (g.base_1, g.base_2)
            ends[0][rsid], ends[1][rsid] = one, two
        fits = [
            [i for i in range(len(panel.alleles)) if all(panel.carriers[r][b] >> i & 1 for r, b in end.items())]
            for end in ends
        ]
        found |= {(min(i, j), max(i, j)) for i in fits[0] for j in fits[1]}
    return found


@st.composite
def made_from_a_pair(draw: st.DrawFn) -> tuple[AllelePanel, tuple[int, int], dict[str, Genotype]]:
    """Draw a gene, two of its alleles and their bases at every position, phase known for some."""
    panel = allele_panel(draw(st.sampled_from(STAR_GENES)))
    pair = sorted(draw(st.tuples(*[st.integers(0, len(panel.alleles) - 1)] * 2)))
    seed = draw(st.randoms(use_true_random=False))
    genotypes = {}
    for rsid in panel.rsids:
        one, two = (
            seed.choice(sorted(b for b, carried in panel.carriers[rsid].items() if carried >> i & 1)) for i in pair
        )
        genotypes[rsid] = Genotype(one, two, seed.choice([None, "1", "2"]))
    return panel, (pair[0], pair[1]), genotypes


@settings(max_examples=examples(30), deadline=None)
@given(made_from_a_pair())
def test_the_true_pair_is_always_kept(drawn: tuple[AllelePanel, tuple[int, int], dict[str, Genotype]]) -> None:
    panel, pair, genotypes = drawn
    assert pair in panel.pairs(genotypes)


@settings(max_examples=examples(20), deadline=None)
@given(made_from_a_pair(), st.randoms(use_true_random=False))
def test_same_pairs_as_by_listing(
    drawn: tuple[AllelePanel, tuple[int, int], dict[str, Genotype]], seed: object
) -> None:
    panel, _, genotypes = drawn
    some = dict(list(genotypes.items())[:: max(1, len(genotypes) // 8)])
    some |= dict([item for item in genotypes.items() if item[1].is_heterozygous][:5])
    assert set(panel.pairs(some)) == by_listing(panel, some)


@settings(max_examples=examples(20), deadline=None)
@given(made_from_a_pair(), st.data())
def test_less_knowledge_never_excludes_more(
    drawn: tuple[AllelePanel, tuple[int, int], dict[str, Genotype]], data: st.DataObject
) -> None:
    panel, _, genotypes = drawn
    lost = data.draw(st.sets(st.sampled_from(panel.rsids)))
    fewer = {rsid: g for rsid, g in genotypes.items() if rsid not in lost}
    unphased = {rsid: Genotype(g.base_1, g.base_2) for rsid, g in genotypes.items()}
    pairs = set(panel.pairs(genotypes))
    assert pairs <= set(panel.pairs(fewer))
    assert pairs <= set(panel.pairs(unphased))


def test_a_base_that_no_table_knows_is_named() -> None:
    with pytest.raises(UnknownBaseError, match="rs776746"):
        allele_panel("CYP3A5").pairs({"rs776746": Genotype("T", "G")})


def test_nothing_known_keeps_every_pair() -> None:
    panel = allele_panel("CYP3A5")
    n = len(panel.alleles)
    assert len(panel.pairs({})) == n * (n + 1) // 2
