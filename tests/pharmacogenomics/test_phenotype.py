"""Scores and functions become the words of the guidelines."""

from __future__ import annotations

import pytest

from nociomics.pharmacogenomics.phenotype import (
    ActivityScore,
    allele_function,
    allele_score,
    function_phenotype,
    hla_risk_allele,
    read_score,
    score_phenotype,
)


@pytest.mark.parametrize(
    ("gene", "score", "phenotype"),
    [
        ("CYP2D6", 0, "Poor Metabolizer"),
        ("CYP2D6", 0.25, "Intermediate Metabolizer"),
        ("CYP2D6", 1.0, "Intermediate Metabolizer"),
        ("CYP2D6", 1.25, "Normal Metabolizer"),
        ("CYP2D6", 2.25, "Normal Metabolizer"),
        ("CYP2D6", 2.5, "Ultrarapid Metabolizer"),
        ("CYP2C9", 0.5, "Poor Metabolizer"),
        ("CYP2C9", 1.0, "Intermediate Metabolizer"),
        ("CYP2C9", 1.5, "Intermediate Metabolizer"),
        ("CYP2C9", 2.0, "Normal Metabolizer"),
    ],
)
def test_score_limits(gene: str, score: float, phenotype: str) -> None:
    assert score_phenotype(gene, ActivityScore(score)) == phenotype


def test_open_score_counts_only_when_every_value_agrees() -> None:
    assert score_phenotype("CYP2D6", ActivityScore(3.0, at_least=True)) == "Ultrarapid Metabolizer"
    assert score_phenotype("CYP2D6", ActivityScore(1.75, at_least=True)) == "Indeterminate"
    assert score_phenotype("CYP2D6", None) == "Indeterminate"


@pytest.mark.parametrize("text", ["0.0", "1.25", "≥3.0"])
def test_score_survives_writing(text: str) -> None:
    assert str(read_score(text)) == text


def test_copies_of_an_inactive_allele_stay_closed_at_zero() -> None:
    assert ActivityScore(0.0).times(3, at_least=True) == ActivityScore(0.0)
    assert ActivityScore(0.25).times(3, at_least=True) == ActivityScore(0.75, at_least=True)


def test_function_pairs_in_both_orders() -> None:
    for one, two in [("No function", "Increased function"), ("Increased function", "No function")]:
        assert function_phenotype("CYP2C19", one, two) == "Intermediate Metabolizer"
    assert function_phenotype("CYP3A5", "Normal function", "Unknown function") == "Possible Intermediate Metabolizer"
    assert function_phenotype("CYP2C19", "Normal function", "a new word") == "Indeterminate"


def test_an_allele_without_function_is_never_normal() -> None:
    assert allele_function("CYP2C19", "*40") == "No function assigned"
    assert allele_function("CYP2C19", "*999") == "Unlisted allele"
    assert allele_score("CYP2D6", "*999") is None
    assert function_phenotype("CYP2C19", "Normal function", "No function assigned") == "no CPIC assignment"


def test_hla_alleles_of_the_guideline() -> None:
    assert (hla_risk_allele("HLA-B"), hla_risk_allele("HLA-A"), hla_risk_allele("CYP2D6")) == ("*15:02", "*31:01", None)
