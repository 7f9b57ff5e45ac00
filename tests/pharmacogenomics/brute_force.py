"""A second caller, written from the fact tables alone: slow, plain, and sharing no line with the package.

It lists every way round of every phase block (2 to the power of blocks less one haplotype pairs), compares both
haplotypes with every star allele at every called position, and collects all pairs that fit.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations_with_replacement, product
from pathlib import Path

NO_FUNCTION_YET = "no CPIC assignment"


@dataclass(frozen=True)
class Site:
    """A defining position: its bases in both builds and which star alleles may carry which base."""

    gene: str
    rsid: str
    chrom: str
    pos: Mapping[str, int]
    ref: Mapping[str, str]
    alts: tuple[str, ...]
    ambiguous: bool
    indel: bool
    tier1: bool

    @property
    def bases(self) -> tuple[str, ...]:
        """Every base that the table knows here."""
        return tuple(dict.fromkeys([self.ref["GRCh38"], *self.alts]))


@dataclass(frozen=True)
class Bases:
    """What one person has at one site; ``block`` None when the two may lie either way round."""

    one: str
    two: str
    block: str | None = None


@dataclass(frozen=True)
class Answer:
    """All pairs, the best by the ranking rule, and what they mean; all empty when nothing can be said."""

    pairs: frozenset[frozenset[str]]
    top: frozenset[frozenset[str]]
    phenotypes: frozenset[str]
    scores: frozenset[str]


NOTHING = Answer(frozenset(), frozenset(), frozenset(), frozenset())


class FactTables:
    """The tables of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _rows(self, name: str) -> list[dict[str, str]]:
        with (self.folder / name).open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))

    @cached_property
    def sites(self) -> dict[str, list[Site]]:
        """Return the sites of each gene."""
        found: dict[str, list[Site]] = {}
        for row in self._rows("variants.csv"):
            site = Site(
                row["gene"],
                row["rsid"] or f"{row['chrom']}:{row['pos_grch38']}",
                row["chrom"],
                {"GRCh37": int(row["pos_grch37"]), "GRCh38": int(row["pos_grch38"])},
                {"GRCh37": row["ref_grch37"], "GRCh38": row["ref_grch38"]},
                tuple(row["alts_grch38"].split(",")),
                row["strand_ambiguous_snp"] == "Y",
                row["indel"] == "Y",
                row["in_amp_tier1_position"] == "Y",
            )
            found.setdefault(site.gene, []).append(site)
        return found

    @cached_property
    def _written(self) -> dict[str, dict[str, dict[str, set[str]]]]:
        """Return gene, allele, rsid: the bases that the definition writes out."""
        found: dict[str, dict[str, dict[str, set[str]]]] = {}
        for row in self._rows("allele_definitions.csv"):
            sites = found.setdefault(row["gene"], {}).setdefault(row["allele"], {})
            if row["kind"] == "small_variant":
                name = row["rsid"] or f"{row['chrom']}:{row['pos_grch38']}"
                sites[name] = set(row["allele_bases"].split("|"))
        return found

    @cached_property
    def _references(self) -> set[tuple[str, str]]:
        rows = self._rows("allele_definitions.csv")
        return {(r["gene"], r["allele"]) for r in rows if r["kind"] == "reference_row"} | {("CYP2C19", "*1")}

    def alleles(self, gene: str) -> list[str]:
        """Return the star alleles that have a definition."""
        return list(self._written[gene])

    def may_have(self, gene: str, allele: str, site: Site) -> set[str]:
        """Return the bases that an allele may have at a site."""
        return self._written[gene][allele].get(site.rsid, {site.ref["GRCh38"]})

    @cached_property
    def _functions(self) -> dict[tuple[str, str], tuple[str, str]]:
        rows = self._rows("allele_function.csv")
        return {(r["gene"], r["allele"]): (r["clinical_function"], r["activity_value"]) for r in rows}

    def listed(self, gene: str) -> list[str]:
        """Return the alleles of the function table, with xN forms."""
        return [allele for g, allele in self._functions if g == gene]

    @cached_property
    def _rules(self) -> list[dict[str, str]]:
        return self._rows("phenotype_rules.csv")

    def meaning(self, gene: str, one: str, two: str) -> tuple[str, str | None]:
        """Return phenotype and score of a pair, from functions or values alone."""
        rules = [rule for rule in self._rules if rule["gene"] == gene]
        if any(rule["method"] == "activity_score_sum" for rule in rules):
            return _by_score(rules, [self._functions.get((gene, a), ("", "n/a"))[1] for a in (one, two)])
        functions = [self._functions.get((gene, a), (None, ""))[0] for a in (one, two)]
        if None in functions:
            return NO_FUNCTION_YET, None
        for rule in rules:
            if sorted([rule["function_1"], rule["function_2"]]) == sorted(map(str, functions)):
                return rule["phenotype"], None
        return "Indeterminate", None

    def call(self, gene: str, read: Mapping[str, Bases]) -> Answer:
        """Call one gene of one person from the bases at the called sites."""
        sites = {site.rsid: site for site in self.sites[gene]}
        if not read or any({b.one, b.two} - set(sites[rsid].bases) for rsid, b in read.items()):
            return NOTHING
        same = {rsid: b.one for rsid, b in read.items() if b.one == b.two}
        left = [a for a in self.alleles(gene) if all(b in self.may_have(gene, a, sites[r]) for r, b in same.items())]
        pairs: set[frozenset[str]] = set()
        fits = cache(lambda haplotype: tuple(a for a in left if self._fits(gene, a, sites, haplotype)))
        for first, second in set(_haplotype_pairs({r: b for r, b in read.items() if b.one != b.two})):
            pairs |= {frozenset(pair) for pair in product(fits(first), fits(second))}
        if not pairs:
            return NOTHING
        points = {a: self._points(gene, a, read) for a in left}
        worth = {pair: sum(points[a] for a in _both(pair)) for pair in pairs}
        meanings = [self.meaning(gene, *_both(pair)) for pair in pairs]
        return Answer(
            frozenset(pairs),
            frozenset(pair for pair in pairs if worth[pair] == max(worth.values())),
            frozenset(phenotype for phenotype, _ in meanings),
            frozenset(score for _, score in meanings if score is not None),
        )

    def _fits(self, gene: str, allele: str, sites: Mapping[str, Site], haplotype: Iterable[tuple[str, str]]) -> bool:
        return all(base in self.may_have(gene, allele, sites[rsid]) for rsid, base in haplotype)

    def _points(self, gene: str, allele: str, read: Mapping[str, Bases]) -> int:
        if (gene, allele) in self._references:
            return len(read)
        return sum(rsid in self._written[gene][allele] for rsid in read)


def _both(pair: frozenset[str]) -> tuple[str, str]:
    one, *rest = pair
    return one, (rest or [one])[0]


def _haplotype_pairs(
    read: Mapping[str, Bases],
) -> Iterable[tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]]:
    blocks = list(dict.fromkeys((b.block, None) if b.block else (None, rsid) for rsid, b in read.items()))
    for ways in product([False, True], repeat=max(len(blocks) - 1, 0)):
        turned = dict(zip(blocks, [False, *ways], strict=False))
        one, two = [], []
        for rsid, b in read.items():
            turn = turned[(b.block, None) if b.block else (None, rsid)]
            one.append((rsid, b.two if turn else b.one))
            two.append((rsid, b.one if turn else b.two))
        yield tuple(one), tuple(two)


def _by_score(rules: list[dict[str, str]], values: list[str]) -> tuple[str, str | None]:
    if "n/a" in values:
        return "Indeterminate", "n/a"
    total = sum(float(value.lstrip("≥")) for value in values)
    is_open = any(value.startswith("≥") and float(value[1:]) > 0 for value in values)
    for rule in rules:
        if rule["method"] != "activity_score_sum":
            continue
        low, high = rule["score_from"], rule["score_to"]
        above = total > float(low[1:]) if low.startswith(">") else total >= float(low)
        below = total < float(high[1:]) if high.startswith("<") else total <= float(high)
        if above and below:
            if is_open and high != "inf":
                return "Indeterminate", "n/a"
            return rule["phenotype"], f"{'≥' if is_open else ''}{total}"
    raise AssertionError(f"no rule for a score of {total}")


def all_pairs(alleles: list[str]) -> Iterable[tuple[str, str]]:
    """Return every pair of a list, an allele with itself too."""
    return combinations_with_replacement(alleles, 2)
