"""From allele functions and activity values to a phenotype, by the shipped rules alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import polars as pl

from nociomics.knowledge.pharmacogene import (
    INDETERMINATE,
    NO_ASSIGNMENT,
    load_allele_definitions,
    load_allele_functions,
    load_phenotype_rules,
)

NO_SCORE = "n/a"
"""How a score that cannot be given is written; null means that the gene has no scores."""

UNASSIGNED = "No function assigned"
"""Function of an allele that is defined but that the function table does not list yet."""

UNLISTED = "Unlisted allele"
"""Function of an allele that no table knows."""


@dataclass(frozen=True)
class ActivityScore:
    """Sum of activity values over all gene copies; ``at_least`` when the number of copies is open upwards."""

    value: float
    at_least: bool = False

    def __add__(self, other: ActivityScore) -> ActivityScore:
        """Add two haplotypes: one open end leaves the sum open."""
        return ActivityScore(self.value + other.value, self.at_least or other.at_least)

    def times(self, copies: int, at_least: bool = False) -> ActivityScore:
        """Return the score of several copies; copies of nothing are nothing, however many."""
        return ActivityScore(self.value * copies, (self.at_least or at_least) and self.value > 0)

    def __str__(self) -> str:
        """Write it as the guideline tables do: 1.25, ≥3.0."""
        return f"{'≥' if self.at_least else ''}{self.value}"


def read_score(text: str | None) -> ActivityScore | None:
    """Read a score as written in the tables; None for ``n/a`` and null.

    Examples
    --------
    >>> read_score("≥3.0")
    ActivityScore(value=3.0, at_least=True)
    """
    if text is None or text == NO_SCORE:
        return None
    return ActivityScore(float(text.removeprefix("≥")), text.startswith("≥"))


@cache
def scored_genes() -> frozenset[str]:
    """Return the genes whose phenotype goes by activity score."""
    rules = load_phenotype_rules().filter(pl.col("method") == "activity_score_sum")
    return frozenset(rules["gene"])


@cache
def _functions() -> dict[tuple[str, str], tuple[str, str | None]]:
    rows = load_allele_functions().select("gene", "allele", "clinical_function", "activity_value").rows()
    return {(gene, allele): (word, value) for gene, allele, word, value in rows}


@cache
def _defined() -> frozenset[tuple[str, str]]:
    return frozenset((gene, allele) for gene, allele in load_allele_definitions().select("gene", "allele").iter_rows())


def allele_function(gene: str, allele: str) -> str:
    """Return the clinical function of a core allele; one without is `UNASSIGNED` or `UNLISTED`, never normal."""
    without = UNASSIGNED if (gene, allele) in _defined() else UNLISTED
    return _functions().get((gene, allele), (without, None))[0]


def allele_score(gene: str, allele: str) -> ActivityScore | None:
    """Return the activity value of one copy of a core allele, None where it has none."""
    return read_score(_functions().get((gene, allele), (UNLISTED, None))[1])


@cache
def _score_rules(gene: str) -> tuple[tuple[float, bool, float, bool, str], ...]:
    rules = load_phenotype_rules().filter(pl.col("gene") == gene, pl.col("method") == "activity_score_sum")
    rows = rules.select("low", "low_open", "high", "high_open", "phenotype").rows()
    return tuple((low, low_open == "Y", high, high_open == "Y", word) for low, low_open, high, high_open, word in rows)


def score_phenotype(gene: str, score: ActivityScore | None) -> str:
    """Return the phenotype of an activity score.

    A score that is open upwards counts only when every value it may have
    gives the same phenotype; else, and without a score, it is Indeterminate.

    Examples
    --------
    >>> score_phenotype("CYP2D6", ActivityScore(1.25))
    'Normal Metabolizer'
    >>> score_phenotype("CYP2D6", ActivityScore(0.75, at_least=True))
    'Indeterminate'
    """
    if score is None:
        return INDETERMINATE
    for low, low_open, high, high_open, word in _score_rules(gene):
        above = score.value > low if low_open else score.value >= low
        below = score.value < high if high_open else score.value <= high
        if above and below:
            return INDETERMINATE if score.at_least and high != float("inf") else word
    return INDETERMINATE


@cache
def _function_rules() -> dict[tuple[str, frozenset[str]], str]:
    rules = load_phenotype_rules().filter(pl.col("method") == "function_pair")
    rows = rules.select("gene", "function_1", "function_2", "phenotype").rows()
    return {(gene, frozenset((one, two))): word for gene, one, two, word in rows}


def function_phenotype(gene: str, function_1: str, function_2: str) -> str:
    """Return the phenotype of two functions in either order; a pair without a rule is Indeterminate.

    With an allele that has no function yet the answer is `NO_ASSIGNMENT`: that
    is known to be open, not to be uncertain.

    Examples
    --------
    >>> function_phenotype("CYP2C19", "No function", "Decreased function")
    'Likely Poor Metabolizer'
    """
    if UNASSIGNED in (function_1, function_2):
        return NO_ASSIGNMENT
    return _function_rules().get((gene, frozenset((function_1, function_2))), INDETERMINATE)


@cache
def hla_risk_allele(gene: str) -> str | None:
    """Return the HLA allele that the guidelines ask for, such as ``*15:02``; None for other genes."""
    rules = load_phenotype_rules().filter(
        pl.col("gene") == gene, pl.col("method") == "allele_presence", pl.col("function_1") != "other"
    )
    return None if rules.is_empty() else str(rules["function_1"][0])
