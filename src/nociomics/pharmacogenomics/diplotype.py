"""Diplotypes as people write them, read into gene copies with function, score and phenotype."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property

import polars as pl

from nociomics.errors import NociomicsError
from nociomics.knowledge.pharmacogene import COPY_NUMBER_GENES, STAR_GENES, load_allele_functions
from nociomics.pharmacogenomics.phenotype import (
    NO_SCORE,
    ActivityScore,
    allele_function,
    allele_score,
    function_phenotype,
    hla_risk_allele,
    score_phenotype,
    scored_genes,
)

# Letters after the number name a suballele (*2A, *4N); x is kept for copies.
_COPY = re.compile(r"\*(\d+)(?:\.\d+|[A-WYZa-wyz]{1,2})?(?:[xX](≥?\d+|[Nn]))?")
_AMBIGUOUS = re.compile(r"[()\[\]{}?,;]|\bor\b|\band\b", re.IGNORECASE)
_HLA_TYPE = re.compile(r"\*?(\d+):(\d+)(?::\d+)*[A-Z]?")
_HLA_WORD = re.compile(r"(?:\*?(?P<allele>\d+:\d+)\s*)?(?P<word>positive|negative)", re.IGNORECASE)


class DiplotypeError(NociomicsError):
    """A diplotype cannot be read with one meaning; ``reason`` is one word for the flags of a call."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class AlleleCopies:
    """One star allele and how often it lies on the haplotype.

    Parameters
    ----------
    allele : str
        Core allele, such as ``*4``.
    copies : int, optional
        None when the number is unknown (``*1xN``).
    at_least : bool
        The number is a lower bound (``*1x≥3``).
    """

    allele: str
    copies: int | None = 1
    at_least: bool = False

    def __str__(self) -> str:
        """Write it as *4, *4x2, *4x≥3 or *4xN."""
        if self.copies is None:
            return f"{self.allele}xN"
        if self.copies == 1 and not self.at_least:
            return self.allele
        return f"{self.allele}x{'≥' if self.at_least else ''}{self.copies}"

    def score(self, gene: str) -> ActivityScore | None:
        """Return the value of all copies together; an unknown number matters only if the allele does anything."""
        one = allele_score(gene, self.allele)
        if one is None or (self.copies is None and one.value > 0):
            return None
        return one.times(self.copies or 1, self.at_least)


Haplotype = tuple[AlleleCopies, ...]


@dataclass(frozen=True)
class Diplotype:
    """Two haplotypes of one gene, each one or more gene copies."""

    gene: str
    haplotypes: tuple[Haplotype, Haplotype]

    def __str__(self) -> str:
        """Write it as ``*36+*10/*41``."""
        return "/".join("+".join(map(str, copies)) for copies in self.haplotypes)

    @cached_property
    def text(self) -> str:
        """`str` of it, made once."""
        return str(self)

    @cached_property
    def functions(self) -> tuple[str, str]:
        """Clinical function of each haplotype; copies that differ are joined with a plus."""
        first, second = (
            "+".join(dict.fromkeys(allele_function(self.gene, c.allele) for c in copies)) for copies in self.haplotypes
        )
        return first, second

    @cached_property
    def activity_score(self) -> ActivityScore | None:
        """Sum of the activity values over all copies; None when the gene has no scores or a copy has no value."""
        scores = [c.score(self.gene) for copies in self.haplotypes for c in copies]
        total = ActivityScore(0.0)
        for score in scores:
            if score is None:
                return None
            total = total + score
        return total

    @cached_property
    def phenotype(self) -> str:
        """Metaboliser word of the guidelines, Indeterminate where the function of a copy is unknown."""
        if self.gene in scored_genes():
            return score_phenotype(self.gene, self.activity_score)
        return function_phenotype(self.gene, *self.functions)

    @cached_property
    def score_text(self) -> str | None:
        """Score as written in the tables: ``1.25``, ``≥3.0``, ``n/a``; None for a gene without scores."""
        if self.gene not in scored_genes():
            return None
        # An open score that decides nothing is no score: the tables list none.
        undecided = self.activity_score is None or (self.activity_score.at_least and self.phenotype == "Indeterminate")
        return NO_SCORE if undecided else str(self.activity_score)


@cache
def allele_pair(gene: str, allele_1: str, allele_2: str) -> Diplotype:
    """Return the diplotype of two single-copy alleles, made once."""
    return Diplotype(gene, ((AlleleCopies(allele_1),), (AlleleCopies(allele_2),)))


def allele_order(name: str) -> tuple[int, ...]:
    """Sort key by the numbers in a name, so that ``*2`` comes before ``*10``.

    Examples
    --------
    >>> sorted(["*10", "*80+*28", "*2"], key=allele_order)
    ['*2', '*10', '*80+*28']
    """
    return tuple(int(number) for number in re.findall(r"\d+", name))


def parse_diplotype(text: str, gene: str) -> Diplotype:
    """Read a star-allele diplotype that was called elsewhere.

    Takes ``*4/*5``, ``*1x2/*4``, ``*36+*10/*41``, ``*1xN/*4``, ``*1x≥3/*2``,
    blanks, a gene name in front, and suballeles (``*2A``, ``*4.001``), which
    become their core allele. What can be meant in two ways is refused.

    Parameters
    ----------
    text : str
        As written by the laboratory or the caller.
    gene : str
        One of `STAR_GENES`.

    Returns
    -------
    Diplotype
        In the order as written.

    Raises
    ------
    DiplotypeError
        With ``reason`` ``ambiguous_notation``, ``not_two_haplotypes``,
        ``not_a_star_allele``, ``copies_not_supported`` or ``gene_not_in_tables``.

    Examples
    --------
    >>> call = parse_diplotype("*36 + *10/*2A", "CYP2D6")
    >>> str(call), call.score_text, call.phenotype
    ('*36+*10/*2', '1.25', 'Normal Metabolizer')
    """
    if gene not in STAR_GENES:
        raise DiplotypeError(
            "gene_not_in_tables", f"Diplotypes of this gene cannot be read. Known: {', '.join(STAR_GENES)}."
        )
    if _AMBIGUOUS.search(text):
        raise DiplotypeError(
            "ambiguous_notation",
            f"A {gene} diplotype uses brackets, a question mark or a list, so it has more than one meaning. "
            "Write the two haplotypes that were called, such as *36+*10/*41.",
        )
    plain = re.sub(rf"\s|{gene}", "", text, flags=re.IGNORECASE).replace("×", "x").replace(">=", "≥")
    parts = plain.split("/") if "/" in plain else plain.split("|")
    if len(parts) != 2 or not all(parts):
        raise DiplotypeError(
            "not_two_haplotypes", f"A {gene} diplotype must be two haplotypes with one slash between, such as *1/*4."
        )
    return Diplotype(gene, (_parse_haplotype(parts[0], gene), _parse_haplotype(parts[1], gene)))


def _parse_haplotype(text: str, gene: str) -> Haplotype:
    copies = tuple(_parse_copies(part, gene) for part in text.split("+"))
    if gene in COPY_NUMBER_GENES:
        return copies
    if len(copies) > 1 and all(c == AlleleCopies(c.allele) for c in copies):
        joined = _joined_alleles(gene).get(frozenset(c.allele for c in copies))
        if joined is not None:
            return (AlleleCopies(joined),)
    if len(copies) > 1 or copies[0] != AlleleCopies(copies[0].allele):
        raise DiplotypeError(
            "copies_not_supported",
            f"A {gene} diplotype counts copies; activity by copies is known only for {', '.join(COPY_NUMBER_GENES)}.",
        )
    return copies


def _parse_copies(text: str, gene: str) -> AlleleCopies:
    found = _COPY.fullmatch(text)
    count = found.group(2) if found else None
    if found is None or (count is not None and count.lstrip("≥") == "0"):
        raise DiplotypeError(
            "not_a_star_allele",
            f"A {gene} diplotype has a part that is no star allele. Allowed: *4, *4.001, *2A, *1x2, *1xN, *1x≥3, "
            "joined by + on one haplotype.",
        )
    allele = f"*{int(found.group(1))}"
    if count is None:
        return AlleleCopies(allele)
    if count in "Nn":
        return AlleleCopies(allele, None)
    return AlleleCopies(allele, int(count.lstrip("≥")), count.startswith("≥"))


@cache
def _joined_alleles(gene: str) -> dict[frozenset[str], str]:
    """Return alleles whose name holds a plus (UGT1A1*80+*28), by their parts."""
    names = load_allele_functions().filter(pl.col("gene") == gene, pl.col("allele").str.contains("+", literal=True))
    return {frozenset(name.split("+")): name for name in names["allele"]}


def parse_hla(text: str, gene: str) -> str:
    """Read outside HLA typing into carriage of the allele that the guidelines ask for.

    Parameters
    ----------
    text : str
        ``*15:02 positive``, ``negative``, or both alleles such as ``*07:02/*15:02:01``.
    gene : str
        ``HLA-A`` or ``HLA-B``.

    Returns
    -------
    str
        ``*15:02 positive`` or ``*15:02 negative`` (HLA-A: ``*31:01``).

    Raises
    ------
    DiplotypeError
        When the typing is too coarse, about another allele, or lacks an allele.

    Examples
    --------
    >>> parse_hla("HLA-B*07:02/HLA-B*15:02:01", "HLA-B")
    '*15:02 positive'
    """
    risk = hla_risk_allele(gene)
    if risk is None:
        raise DiplotypeError("gene_not_in_tables", "Typing of this gene has no use here. Known: HLA-A, HLA-B.")
    plain = re.sub(rf"{gene}\s*", "", text, flags=re.IGNORECASE).strip()
    word = _HLA_WORD.fullmatch(plain)
    if word and word["allele"] in (None, risk.lstrip("*")):
        return f"{risk} {word['word'].lower()}"
    alleles = [_HLA_TYPE.fullmatch(part.strip()) for part in plain.split("/")]
    typed = {f"*{found[1]}:{found[2]}" for found in alleles if found}
    if risk in typed:
        return f"{risk} positive"
    if len(alleles) == 2 and all(alleles):
        return f"{risk} negative"
    raise DiplotypeError(
        "hla_typing_not_usable",
        f'{gene} typing must be "{risk} positive", "{risk} negative", or both alleles with two fields (*07:02/*35:01).',
    )
