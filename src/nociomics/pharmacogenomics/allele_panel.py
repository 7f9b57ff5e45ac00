"""Which pairs of star alleles fit the bases that were read: every pair, not the best one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import polars as pl

from nociomics.knowledge.pharmacogene import load_allele_definitions, load_variants
from nociomics.pharmacogenomics.diplotype import allele_order


@dataclass(frozen=True)
class Genotype:
    """The two bases at one position.

    Parameters
    ----------
    base_1, base_2 : str
        Base or sequence on the plus strand, as in the tables of GRCh38.
    block : str, optional
        Phase block: within one block, all ``base_1`` lie on one chromosome.
        None when the two bases may lie either way round.
    """

    base_1: str
    base_2: str
    block: str | None = None

    @property
    def is_heterozygous(self) -> bool:
        """Whether the two bases differ."""
        return self.base_1 != self.base_2


class UnknownBaseError(ValueError):
    """A base is none of those that the tables know at its position."""

    def __init__(self, rsid: str) -> None:
        super().__init__(rsid)
        self.rsid = rsid


@dataclass(frozen=True)
class AllelePanel:
    """Star alleles of one gene as sets of bases, ready for matching.

    A set of alleles is a whole number: bit ``i`` stands for ``alleles[i]``.

    Parameters
    ----------
    gene : str
        Gene.
    alleles : tuple of str
        Star alleles by number.
    rsids : tuple of str
        Defining positions by place.
    carriers : mapping of str to mapping of str to int
        rsID, then base, to the alleles that may have this base there.
    listed : mapping of str to int
        rsID to the alleles whose rank counts this position.
    defined_by : mapping of str to int
        rsID to the alleles that list this position in their definition.
    """

    gene: str
    alleles: tuple[str, ...]
    rsids: tuple[str, ...]
    carriers: Mapping[str, Mapping[str, int]]
    listed: Mapping[str, int]
    defined_by: Mapping[str, int]

    def names(self, alleles: int) -> list[str]:
        """Return the names in a set of alleles."""
        return [self.alleles[i] for i in _bits(alleles)]

    def pairs(self, genotypes: Mapping[str, Genotype]) -> list[tuple[int, int]]:
        """Find every pair of alleles that fits the bases.

        Positions that are not in ``genotypes`` are unknown and exclude nothing.
        Each phase block (an unphased heterozygous position is a block of its
        own) may lie either way round, independently of the others, so the pairs
        are those of all haplotype pairs without listing these.

        Parameters
        ----------
        genotypes : mapping of str to Genotype
            By rsID; positions of other genes must not be in it.

        Returns
        -------
        list of (int, int)
            Indices into ``alleles``, first not larger than second.

        Raises
        ------
        UnknownBaseError
            When a base is not known at its position.
        """
        both = (1 << len(self.alleles)) - 1
        blocks: dict[str, tuple[int, int]] = {}
        for rsid, genotype in genotypes.items():
            first, second = self._carriers(rsid, genotype.base_1), self._carriers(rsid, genotype.base_2)
            if not genotype.is_heterozygous:
                both &= first
                continue
            name = rsid if genotype.block is None else f"phase {genotype.block}"
            one, two = blocks.get(name, (-1, -1))
            blocks[name] = one & first, two & second
        for one, two in blocks.values():
            both &= one | two
        return [(i, j) for i in _bits(both) for j in _bits(self._partners(i, both, blocks)) if i <= j]

    def _carriers(self, rsid: str, base: str) -> int:
        try:
            return self.carriers[rsid][base]
        except KeyError as error:
            raise UnknownBaseError(rsid) from error

    def _partners(self, allele: int, both: int, blocks: Mapping[str, tuple[int, int]]) -> int:
        """Return the alleles that complete the pair: in each block one orientation must fit both."""
        for one, two in blocks.values():
            both &= (two if one >> allele & 1 else 0) | (one if two >> allele & 1 else 0)
        return both

    def best(self, pairs: list[tuple[int, int]], called: Mapping[str, Genotype]) -> list[tuple[int, int]]:
        """Return the pairs that most called positions speak for, by the rule that PharmCAT ranks with.

        The rule prefers the reference allele when positions are missing, so it
        orders the pairs for display and never decides between them.
        """
        points = [0] * len(self.alleles)
        for rsid in called:
            for i in _bits(self.listed[rsid]):
                points[i] += 1
        top = max((points[i] + points[j] for i, j in pairs), default=0)
        return [(i, j) for i, j in pairs if points[i] + points[j] == top]

    def resting_on(self, rsids: list[str]) -> int:
        """Return the alleles whose definition names one of these positions."""
        found = 0
        for rsid in rsids:
            found |= self.defined_by[rsid]
        return found


def _bits(number: int) -> Iterator[int]:
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


@cache
def allele_panel(gene: str) -> AllelePanel:
    """Build the panel of one star-allele gene from the shipped definitions.

    Parameters
    ----------
    gene : str
        One of `knowledge.pharmacogene.STAR_GENES`.
    """
    rows = load_allele_definitions().filter(pl.col("gene") == gene)
    alleles = sorted(set(rows["allele"]), key=allele_order)
    reference = set(rows.filter(pl.col("kind") == "reference_row")["allele"])
    small = rows.filter(pl.col("kind") == "small_variant")
    bases = {(allele, rsid): text for allele, rsid, text in small.select("allele", "rsid", "allele_bases").rows()}
    places = load_variants().filter(pl.col("gene") == gene).sort("pos_grch38", "rsid")
    carriers, listed, defined = {}, {}, {}
    for rsid, ref, alts in places.select("rsid", "ref_grch38", "alts_grch38").rows():
        has = {i: bases.get((allele, rsid), ref).split("|") for i, allele in enumerate(alleles)}
        known = {ref, *alts.split(","), *(base for some in has.values() for base in some)}
        carriers[rsid] = {base: sum(1 << i for i, some in has.items() if base in some) for base in known}
        defined[rsid] = sum(1 << i for i, allele in enumerate(alleles) if (allele, rsid) in bases)
        # PharmCAT counts every position for the reference row, and for *1 of CYP2C19 whose reference row is *38.
        whole = reference | {"*1"}
        listed[rsid] = defined[rsid] | sum(1 << i for i, allele in enumerate(alleles) if allele in whole)
    return AllelePanel(gene, tuple(alleles), tuple(places["rsid"]), carriers, listed, defined)
