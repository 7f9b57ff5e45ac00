"""Our calls beside a second caller that lists everything, on invented people written and read as files.

The second caller (`brute_force.py`) knows the fact tables that ours were made from, and nothing of the package.
"""

from __future__ import annotations

import random
from collections import Counter
from functools import cached_property
from pathlib import Path

import polars as pl
import pytest
from tests.conftest import shared
from tests.pharmacogenomics.brute_force import NOTHING, Answer, Bases, FactTables, Site, all_pairs
from tests.pharmacogenomics.written_vcf import NO_CALL, Cell, Style, write_vcf

from nociomics.ingest.single_files import read_pharmacogenes
from nociomics.knowledge.pharmacogene import STAR_GENES
from nociomics.pharmacogenomics.calling import call_pharmacogenes
from nociomics.pharmacogenomics.diplotype import parse_diplotype

COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}
PEOPLE = 12

# name: build, chr prefix, contig lines, what is written, phase, sites on the other strand or swapped or split
FILES = {
    "whole, unphased": ("GRCh38", True, True, "whole", "/", False),
    "whole, unphased, GRCh37": ("GRCh37", False, True, "whole", "/", False),
    "whole, phased": ("GRCh38", False, False, "whole", "|", False),
    "whole, phased, GRCh37": ("GRCh37", True, False, "whole", "|", False),
    "whole, phase sets": ("GRCh38", True, True, "whole", "PS", False),
    "whole, phase sets, GRCh37": ("GRCh37", False, False, "whole", "PS", False),
    "whole, partly phased": ("GRCh38", True, False, "whole", "some", False),
    "holes": ("GRCh38", True, True, "holes", "/", False),
    "holes, GRCh37": ("GRCh37", False, False, "holes", "/", False),
    "holes, phase sets": ("GRCh37", True, True, "holes", "PS", False),
    "holes, partly phased, odd rows": ("GRCh38", False, True, "holes", "some", True),
    "variants only, absent is reference": ("GRCh38", True, True, "variants", "/", False),
    "variants only, absent is reference, GRCh37": ("GRCh37", False, False, "variants", "/", False),
    "variants only, absent is reference, phased": ("GRCh37", True, True, "variants", "PS", False),
    "variants only, absent is missing": ("GRCh37", True, True, "variants, missing", "/", False),
    "array of tier 1": ("GRCh38", True, True, "array", "/", False),
    "array of tier 1, odd strands, GRCh37": ("GRCh37", False, True, "array", "/", True),
    "odd rows": ("GRCh38", True, True, "whole", "/", True),
    "odd rows, GRCh37": ("GRCh37", False, False, "whole", "some", True),
}


@pytest.fixture(scope="module")
def facts() -> FactTables:
    return FactTables(shared("knowledge/pgx"))


class Drawn:
    """One invented file: what is in it, and what each person's bases at the called sites are."""

    def __init__(self, facts: FactTables, name: str) -> None:
        self.build, prefix, contigs, self.content, self.phase, odd = FILES[name]
        self.chance = random.Random(name)
        self.facts = facts
        self.sites = [site for gene in STAR_GENES for site in facts.sites[gene]]
        common = self._common_genes()
        self.people = {f"P{i:02}": self._person(common) for i in range(PEOPLE)}
        plain = [s for s in self.sites if not s.ambiguous and not s.indel]
        two = [s for s in plain if len(s.bases) == 2]
        absent = [s for s in self.sites if self._is_absent(s)]
        self.style = Style(
            build=self.build,
            prefix=prefix,
            contigs=contigs,
            variants_only=self.content.startswith("variants"),
            absent=frozenset(s.rsid for s in absent),
            flipped=frozenset(s.rsid for s in self._some(two, odd)),
            swapped=frozenset(s.rsid for s in self._some(two, odd)),
            split=frozenset(s.rsid for s in self._some(self.sites, odd)),
            filtered=frozenset(s.rsid for s in self._some(self.sites, self.content == "holes", 0.01)),
            all_alternatives=self.chance.random() < 0.5,
        )

    def _some(self, sites: list[Site], wanted: bool, share: float = 0.15) -> list[Site]:
        return [s for s in sites if wanted and self.chance.random() < share]

    def _is_absent(self, site: Site) -> bool:
        if self.content == "array":
            return not site.tier1
        return self.content == "holes" and self.chance.random() < 0.02

    def _common_genes(self) -> dict[str, list[str]]:
        """Half of the alleles are drawn from a few, so that one gene's people differ in more than rare alleles."""
        return {gene: self.chance.sample(self.facts.alleles(gene), 3) for gene in STAR_GENES}

    def _person(self, common: dict[str, list[str]]) -> dict[str, Cell]:
        cells = {}
        for gene in STAR_GENES:
            sets = self.chance.sample(["1", "7", "9"], self.chance.randint(1, 3))
            every = self.facts.alleles(gene)
            pair = [self.chance.choice(common[gene] if self.chance.random() < 0.5 else every) for _ in range(2)]
            for site in self.facts.sites[gene]:
                cells[site.rsid] = self._cell(site, pair, sets)
        return cells

    def _cell(self, site: Site, pair: list[str], sets: list[str]) -> Cell:
        one, two = (self.chance.choice(sorted(self.facts.may_have(site.gene, a, site))) for a in pair)
        if self.content == "holes" and self.chance.random() < 0.02:
            return self.chance.choice([NO_CALL, Cell(None, two), Cell(one, None)])
        if self.phase == "/" or (self.phase == "some" and self.chance.random() < 0.5):
            return Cell(*self.chance.sample([one, two], 2))
        return Cell(one, two, phased=True, phase_set=self.chance.choice(sets) if self.phase == "PS" else None)

    def read(self, gene: str, person: str) -> tuple[bool, dict[str, Bases]]:
        """Return whether the file has a row of the gene, and the person's bases at the called sites."""
        rows, bases = 0, {}
        for site in self.facts.sites[gene]:
            cell = self.people[person][site.rsid]
            if not self._has_row(site):
                if self.content == "variants":
                    bases[site.rsid] = Bases(site.ref[self.build], site.ref[self.build])
                continue
            rows += 1
            if self._strand_is_open and site.ambiguous:
                continue
            if site.rsid in self.style.filtered or cell.one is None or cell.two is None:
                continue
            bases[site.rsid] = Bases(cell.one, cell.two, (cell.phase_set or "all") if cell.phased else None)
        return rows > 0 or self.content == "variants", bases

    @cached_property
    def _strand_is_open(self) -> bool:
        """Whether the file has other strands and exchanged bases: then a C/G site that fits may be both at once."""
        kinds = set()
        for site in self.sites:
            if self._has_row(site):
                turned = site.rsid in self.style.swapped and (self.style.all_alternatives or self._varies(site))
                kinds.add((site.rsid in self.style.flipped, turned))
        return (True, True) in kinds or {(True, False), (False, True)} <= kinds

    def _varies(self, site: Site) -> bool:
        reference = {None, site.ref[self.build]}
        return any({p[site.rsid].one, p[site.rsid].two} - reference for p in self.people.values())

    def _has_row(self, site: Site) -> bool:
        if site.rsid in self.style.absent:
            return False
        return not self.style.variants_only or self._varies(site)


def answer(call: dict[str, object]) -> Answer:
    def pairs(text: object) -> frozenset[frozenset[str]]:
        return frozenset(frozenset(pair.split("/")) for pair in str(text).split("|"))

    if call["call_state"] != "called":
        return NOTHING
    scores = str(call["activity_score_candidates"]).split("|") if call["activity_score_candidates"] else []
    phenotypes = frozenset(str(call["phenotype_candidates"]).split("|"))
    assert call["phenotype_certain"] is (len(phenotypes) == 1)
    assert call["phenotype"] == (next(iter(phenotypes)) if len(phenotypes) == 1 else None)
    assert call["n_candidates"] == len(pairs(call["diplotype_candidates"]))
    return Answer(pairs(call["diplotype_candidates"]), pairs(call["diplotype_top"]), phenotypes, frozenset(scores))


@pytest.mark.parametrize("name", FILES)
def test_every_call_is_that_of_the_second_caller(name: str, facts: FactTables, tmp_path: Path) -> None:
    file = Drawn(facts, name)
    path = write_vcf(tmp_path / "people.vcf", file.people, file.sites, file.style)
    genotypes, _, people, findings = read_pharmacogenes(path, None)
    assert [f.message for f in findings if f.severity == "fatal"] == []
    assert people == sorted(file.people)
    calls = call_pharmacogenes(genotypes, None, people, absent_is_reference=file.content == "variants")
    compared: Counter[bool] = Counter()
    for call in calls.filter(pl.col("gene").is_in(STAR_GENES)).iter_rows(named=True):
        here, read = file.read(call["gene"], call["sample"])
        expected = facts.call(call["gene"], read)
        assert answer(call) == expected, f"{call['sample']} {call['gene']}"
        assert (call["call_state"] == "not_tested") is not here
        compared[expected == NOTHING] += 1
    assert compared.total() == PEOPLE * len(STAR_GENES)
    assert compared[True] < compared.total() / 3, "most calls must have an answer to be worth comparing"


def test_at_least_1500_calls_are_compared() -> None:
    assert len(FILES) * PEOPLE * len(STAR_GENES) >= 1500


PAIRS = {"CYP2D6": 15051, "CYP2C9": 2850, "CYP2B6": 1176, "CYP2C19": 666, "CYP3A4": 78, "UGT1A1": 45, "CYP3A5": 21}


@pytest.mark.parametrize("gene", PAIRS)
def test_every_listed_pair_means_what_the_rules_say(gene: str, facts: FactTables) -> None:
    wrong = []
    pairs = list(all_pairs(facts.listed(gene)))
    assert len(pairs) == PAIRS[gene]
    for one, two in pairs:
        call, turned = parse_diplotype(f"{one}/{two}", gene), parse_diplotype(f"{two}/{one}", gene)
        expected = facts.meaning(gene, one, two)
        if not (call.phenotype, call.score_text) == (turned.phenotype, turned.score_text) == expected:
            wrong.append((one, two, call.phenotype, call.score_text, expected))
    assert wrong == []


def test_all_pairs_of_the_guidelines_are_compared() -> None:
    assert sum(PAIRS.values()) == 19_887


@pytest.mark.parametrize("gene", STAR_GENES)
def test_alleles_that_only_one_table_has(gene: str, facts: FactTables) -> None:
    """Defined but without function: open. With function but without definition: only an outside call can name it."""
    defined, listed = set(facts.alleles(gene)), set(facts.listed(gene))
    for allele in defined - listed:
        call = parse_diplotype(f"*1/{allele}", gene)
        open_word = ("Indeterminate", "n/a") if gene in ("CYP2D6", "CYP2C9") else ("no CPIC assignment", None)
        assert (call.phenotype, call.score_text) == open_word == facts.meaning(gene, "*1", allele), allele
        assert "No function assigned" in call.functions, allele
    for allele in listed - defined:
        call = parse_diplotype(f"*1/{allele}", gene)
        assert (call.phenotype, call.score_text) == facts.meaning(gene, "*1", allele), allele
        assert "Unlisted allele" not in call.functions, allele
