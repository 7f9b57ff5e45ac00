"""Diplotypes as laboratories and callers write them."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import shared

from nociomics.knowledge.pharmacogene import load_allele_functions
from nociomics.pharmacogenomics.diplotype import DiplotypeError, parse_diplotype, parse_hla

# written, gene -> read as, score, phenotype
READABLE = """
*4/*5              | CYP2D6  | *4/*5        | 0.0   | Poor Metabolizer
*1x2/*4            | CYP2D6  | *1x2/*4      | 2.0   | Normal Metabolizer
*36+*10/*41        | CYP2D6  | *36+*10/*41  | 0.5   | Intermediate Metabolizer
*68 + *4 / *5      | CYP2D6  | *68+*4/*5    | 0.0   | Poor Metabolizer
*1xN/*4            | CYP2D6  | *1xN/*4      | n/a   | Indeterminate
*4xN/*1            | CYP2D6  | *4xN/*1      | 1.0   | Intermediate Metabolizer
*1x≥3/*4           | CYP2D6  | *1x≥3/*4     | ≥3.0  | Ultrarapid Metabolizer
*1x>=3/*41         | CYP2D6  | *1x≥3/*41    | ≥3.25 | Ultrarapid Metabolizer
*10x≥3/*1          | CYP2D6  | *10x≥3/*1    | n/a   | Indeterminate
*2A/*41x3          | CYP2D6  | *2/*41x3     | 1.75  | Normal Metabolizer
*4.001/*4N+*4      | CYP2D6  | *4/*4+*4     | 0.0   | Poor Metabolizer
*2×2/*41           | CYP2D6  | *2x2/*41     | 2.25  | Normal Metabolizer
CYP2D6*1|CYP2D6*9  | CYP2D6  | *1/*9        | 1.25  | Normal Metabolizer
*1/*999            | CYP2D6  | *1/*999      | n/a   | Indeterminate
*1/*3              | CYP2C9  | *1/*3        | 1.0   | Intermediate Metabolizer
*2A/*17            | CYP2C19 | *2/*17       |       | Intermediate Metabolizer
*1/*28+*80         | UGT1A1  | *1/*80+*28   |       | Intermediate Metabolizer
*3C/*1             | CYP3A5  | *3/*1        |       | Intermediate Metabolizer
*1/*999            | CYP2C19 | *1/*999      |       | Indeterminate
"""
CASES = [[part.strip() for part in line.split(" | ")] for line in READABLE.strip().splitlines()]


@pytest.mark.parametrize(("text", "gene", "read", "score", "phenotype"), CASES)
def test_reads(text: str, gene: str, read: str, score: str, phenotype: str) -> None:
    diplotype = parse_diplotype(text, gene)
    assert (str(diplotype), diplotype.score_text or "", diplotype.phenotype) == (read, score, phenotype)


@pytest.mark.parametrize(
    ("text", "gene", "reason"),
    [
        ("(*1/*4)x2", "CYP2D6", "ambiguous_notation"),
        ("*1/*4 or *2/*4", "CYP2D6", "ambiguous_notation"),
        ("*1/*4, *2/*4", "CYP2D6", "ambiguous_notation"),
        ("*4/?", "CYP2D6", "ambiguous_notation"),
        ("*4", "CYP2D6", "not_two_haplotypes"),
        ("*1/*2/*4", "CYP2D6", "not_two_haplotypes"),
        ("*1/", "CYP2D6", "not_two_haplotypes"),
        ("0/1", "CYP2D6", "not_a_star_allele"),
        ("*1x0/*4", "CYP2D6", "not_a_star_allele"),
        ("*1/Poor", "CYP2D6", "not_a_star_allele"),
        ("*1x2/*2", "CYP2C19", "copies_not_supported"),
        ("*1+*2/*2", "CYP2C9", "copies_not_supported"),
        ("*1/*1", "TPMT", "gene_not_in_tables"),
    ],
)
def test_refuses_what_has_no_single_meaning(text: str, gene: str, reason: str) -> None:
    with pytest.raises(DiplotypeError) as error:
        parse_diplotype(text, gene)
    assert error.value.reason == reason


@pytest.mark.parametrize("text", ["*137", "(*137)/*1", "*137y2z/*1", "137/137"])
def test_a_message_never_shows_the_diplotype(text: str) -> None:
    with pytest.raises(DiplotypeError) as error:
        parse_diplotype(text, "CYP2D6")
    assert "137" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "gene", "carriage"),
    [
        ("*15:02 positive", "HLA-B", "*15:02 positive"),
        ("Negative", "HLA-B", "*15:02 negative"),
        ("HLA-B*07:02/HLA-B*15:02:01", "HLA-B", "*15:02 positive"),
        ("*31:01/*02:01", "HLA-A", "*31:01 positive"),
        ("*02:01/*24:02", "HLA-A", "*31:01 negative"),
    ],
)
def test_hla_typing(text: str, gene: str, carriage: str) -> None:
    assert parse_hla(text, gene) == carriage


@pytest.mark.parametrize("text", ["*15", "*07:02", "*57:01 positive", "*15/*07"])
def test_coarse_or_foreign_hla_typing_is_refused(text: str) -> None:
    with pytest.raises(DiplotypeError) as error:
        parse_hla(text, "HLA-B")
    assert error.value.reason == "hla_typing_not_usable"


def test_listed_multiples_agree_with_the_sum_over_copies() -> None:
    listed = load_allele_functions().filter(pl.col("allele").str.contains("x"))
    for gene, allele, value in listed.select("gene", "allele", "activity_value").rows():
        assert parse_diplotype(f"{allele}/*5", gene).score_text == value, allele


SINGLE = sorted(a for a in load_allele_functions().filter(pl.col("gene") == "CYP2D6")["allele"] if "x" not in a)


@given(st.sampled_from(SINGLE), st.sampled_from(SINGLE), st.sampled_from(["", " "]))
def test_order_and_blanks_never_matter(one: str, two: str, blank: str) -> None:
    first = parse_diplotype(f"{one}{blank}/{blank}{two}", "CYP2D6")
    second = parse_diplotype(f"{two}/{one}", "CYP2D6")
    assert (first.score_text, first.phenotype) == (second.score_text, second.phenotype)


def test_published_cyp2d6_calls() -> None:
    rows = pl.read_csv(shared("data/pgx") / "cyp2d6_outside_calls.csv", infer_schema=False)
    assert rows.height == 36
    for row in rows.iter_rows(named=True):
        if row["ambiguous_notation"] == "Y":
            with pytest.raises(DiplotypeError):
                parse_diplotype(row["call_as_published"], "CYP2D6")
            continue
        call = parse_diplotype(row["call_as_published"], "CYP2D6")
        expected = (row["normalised"], row["expected_activity_score"], row["expected_phenotype"])
        assert (str(call), call.score_text, call.phenotype) == expected, row["sample"]


def test_sample_of_the_guideline_pairs() -> None:
    rows = pl.read_csv(shared("data/pgx") / "diplotype_phenotype_sample.csv", infer_schema=False)
    assert rows.height == 231
    for gene, text, phenotype, score in rows.rows():
        call = parse_diplotype(text, gene)
        assert (call.phenotype, call.score_text) == (phenotype, score), f"{gene} {text}"
