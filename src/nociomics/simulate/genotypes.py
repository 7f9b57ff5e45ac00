"""Genotypes: nine named variants, CYP2D6 star alleles, and 300 invented variants."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import polars as pl
from scipy.special import ndtri

from nociomics.simulate.mechanisms import Settings
from nociomics.simulate.nature import BLOCK, SNPS, World, invented_variants
from nociomics.simulate.people import People
from nociomics.simulate.randomness import Dosages, Floats, Ints, draw_category, patient_stream

_LINKAGE = 0.8
_NO_CALL_SHARE = 0.01
NO_CALL = -1


@cache
def read_facts(name: str) -> pl.DataFrame:
    """Read one of the small tables of constants that lie beside this file."""
    with files("nociomics.simulate").joinpath(f"{name}.csv").open("rb") as stream:
        return pl.read_csv(stream.read(), comment_prefix="#", infer_schema_length=None)


@dataclass(frozen=True)
class Genotypes:
    """What people carry; one row per row of the patients table.

    ``named`` (rows, 9): copies of the counted base in the order of `named_variants.csv`, `NO_CALL` where no copy of
    the gene is left to read; ``haplotypes`` (rows, 2): CYP2D6 haplotypes by number; ``activity`` their sum;
    ``snps`` (rows, 300): copies of the alternative base.
    """

    named: Dosages
    haplotypes: Ints
    activity: Floats
    snps: Dosages

    def copies(self, rsid: str) -> Floats:
        """Count the counted base of a named variant, per row."""
        return self.named[:, named_order().index(rsid)].astype(np.float64)

    @property
    def cyp2c9_slow(self) -> Floats:
        """1 where half a count per *2 and a whole one per *3 reach one, else 0."""
        return (0.5 * self.copies("rs1799853") + self.copies("rs1057910") >= 1).astype(np.float64)

    @property
    def metaboliser(self) -> Ints:
        """0 poor, 1 intermediate, 2 normal, 3 ultrarapid, by the CPIC limits of the activity score."""
        return np.asarray(np.select([self.activity == 0, self.activity < 1.25, self.activity <= 2.25], [0, 1, 2], 3))

    def of(self, person: Ints) -> Genotypes:
        """Give every row the genotypes of its person."""
        return Genotypes(self.named[person], self.haplotypes[person], self.activity[person], self.snps[person])


@cache
def named_order() -> tuple[str, ...]:
    """RsIDs of the named variants, in the order of their columns."""
    return tuple(read_facts("named_variants")["rsid"])


def draw_genotypes(settings: Settings, world: World, people: People) -> Genotypes:
    """Draw genotypes in Hardy-Weinberg proportions within each ancestry group."""
    single = _single_variants(settings, people.group)
    cyp2c9 = _haplotype_pairs(settings, "CYP2C9", people.group)
    cyp2d6 = _haplotype_pairs(settings, "CYP2D6", people.group)
    activity = _facts_of("CYP2D6")["activity"].to_numpy()[cyp2d6].sum(axis=1)
    named = np.hstack([single, _tag_copies("CYP2C9", cyp2c9), _tag_copies("CYP2D6", cyp2d6)])
    return Genotypes(named, cyp2d6, activity, _linked_variants(settings, world, people.group))


def _facts_of(gene: str) -> pl.DataFrame:
    return read_facts("haplotypes").filter(pl.col("gene") == gene)


def _single_variants(settings: Settings, group: Ints) -> Dosages:
    facts = read_facts("named_variants").drop_nulls("frequency_1")
    frequencies = facts.select("frequency_1", "frequency_2").to_numpy().T[group]
    return patient_stream(settings, "named variants").binomial(2, frequencies).astype(np.int8)


def _haplotype_pairs(settings: Settings, gene: str, group: Ints) -> Ints:
    frequencies = _facts_of(gene).select("frequency_1", "frequency_2").to_numpy().T
    probabilities = (frequencies / frequencies.sum(axis=1, keepdims=True))[group]
    rng = patient_stream(settings, f"haplotypes {gene}")
    return np.column_stack([draw_category(rng, probabilities), draw_category(rng, probabilities)])


def _tag_copies(gene: str, pairs: Ints) -> Dosages:
    """Count the tagging bases as a genotyping run sees them.

    A deleted haplotype leaves nothing to read, so the other one is called twice; with both deleted there is no call.
    A doubled haplotype is called once: the number of copies is invisible.
    """
    facts = _facts_of(gene)
    wanted = [
        rsid for rsid, owner in zip(named_order(), read_facts("named_variants")["gene"], strict=True) if owner == gene
    ]
    carried = [set((tags or "").split("|")) for tags in facts["tags"]]
    shows = np.array([[rsid in tags for rsid in wanted] for tags in carried], dtype=np.int8)
    read = np.minimum(facts["copies"].to_numpy(), 1)[pairs]
    seen = shows[pairs[:, 0]] * read[:, :1] + shows[pairs[:, 1]] * read[:, 1:]
    reads = read.sum(axis=1, keepdims=True)
    return np.where(reads == 0, NO_CALL, np.where(reads == 1, 2 * seen, seen)).astype(np.int8)


def _linked_variants(settings: Settings, world: World, group: Ints) -> Dosages:
    """Draw two haplotypes per person; the five variants of a block share a Gaussian of correlation .8."""
    rng = patient_stream(settings, "linked variants")
    limits = ndtri(world.frequencies)[group]
    copies = np.zeros((len(group), SNPS), dtype=np.int8)
    for start in range(0, SNPS, BLOCK):
        block = slice(start, start + BLOCK)
        for _ in range(2):
            shared = np.sqrt(_LINKAGE) * rng.standard_normal((len(group), 1))
            own = np.sqrt(1 - _LINKAGE) * rng.standard_normal((len(group), BLOCK))
            copies[:, block] += shared + own < limits[:, block]
    return copies


def polygenic_score(world: World, snps: Dosages) -> Floats:
    """Weighted copies in points of outcome, centred at the mean of the whole population."""
    centre = 2 * (0.8 * world.frequencies[0] + 0.2 * world.frequencies[1])
    used = np.flatnonzero(world.weights)
    return np.asarray((snps[:, used] - centre[used]) @ world.weights[used], dtype=np.float64)


def variant_table(world: int) -> pl.DataFrame:
    """Return all 309 variants: ``variant, chrom, pos, ref, alt``, named ones first."""
    named = read_facts("named_variants").select(pl.col("rsid").alias("variant"), "chrom", "pos", "ref", "alt")
    return pl.concat([named, invented_variants(world)])


def genotype_table(settings: Settings, genotypes: Genotypes, ids: pl.Series) -> pl.DataFrame:
    """Return the genotypes as the laboratory calls them.

    Returns
    -------
    DataFrame, one row per person
        ``patient_id`` and an Int8 column per variant: copies of ALT (0, 1, 2), null without a call (about 1 %).
    """
    facts = read_facts("named_variants")
    by_ref = (facts["counted_base"] == facts["ref"]).to_numpy()
    named = np.where(by_ref & (genotypes.named != NO_CALL), 2 - genotypes.named, genotypes.named)
    dosages = np.hstack([named, genotypes.snps]).astype(np.int8)
    failed = patient_stream(settings, "failed calls").random(dosages.shape) < _NO_CALL_SHARE
    dosages[failed] = NO_CALL
    names = [*named_order(), *invented_variants(settings.world)["variant"]]
    table = pl.DataFrame(dosages, schema=names, orient="row")
    called = table.with_columns(pl.all().replace(NO_CALL, None))
    return called.insert_column(0, ids)


def diplotype_table(genotypes: Genotypes, ids: pl.Series) -> pl.DataFrame:
    """Return CYP2D6 as called elsewhere: ``patient_id, cyp2d6_diplotype`` such as ``*1x2/*4``."""
    names = np.array(_facts_of("CYP2D6")["haplotype"].to_list())
    # Stars in ascending order, the doubled *1 right behind *1, as such pairs are written.
    rank = np.array([int(name[1:].split("x")[0]) + 0.5 * ("x" in name) for name in names])
    pairs = np.take_along_axis(genotypes.haplotypes, rank[genotypes.haplotypes].argsort(axis=1, kind="stable"), axis=1)
    text = np.char.add(np.char.add(names[pairs[:, 0]], "/"), names[pairs[:, 1]])
    return pl.DataFrame({"patient_id": ids, "cyp2d6_diplotype": text.tolist()})
