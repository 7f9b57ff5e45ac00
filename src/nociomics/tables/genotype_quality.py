"""Figures on genotypes for the quality report: by variant, by person, by pair of people."""

from __future__ import annotations

from nociomics.tables.contract import Column, Contract

VARIANT_QUALITY = Contract(
    "variant_quality",
    (
        Column("store", meaning="folder of the store"),
        Column("variant", meaning="as in the store"),
        Column(
            "chrom", null=True, meaning="1 to 22, X, Y, XY, MT, or another contig; null where the file does not say"
        ),
        Column("pos", "integer", null=True),
        Column("ref", null=True),
        Column("alt", null=True, meaning="the counted allele"),
        Column("filtered", "boolean"),
        Column("copies_0", "integer", low=0, meaning="people without the counted allele"),
        Column("copies_1", "integer", low=0),
        Column("copies_2", "integer", low=0),
        Column("missing", "integer", low=0, meaning="people without a call"),
        Column("call_rate", "number", null=True, low=0, high=1, meaning="null when the store has nobody"),
        Column(
            "alt_frequency",
            "number",
            null=True,
            low=0,
            high=1,
            meaning="of the counted allele; null without calls, and on X outside XY, Y and MT, where ploidy differs",
        ),
        Column("hwe_p", "number", null=True, low=0, high=1, meaning="exact Hardy-Weinberg test; null but on autosomes"),
    ),
    key=("store", "variant"),
    row="one counted allele of one store, among the study's people",
)

SAMPLE_QUALITY = Contract(
    "sample_quality",
    (
        Column("patient_id"),
        Column("sample", meaning="as in the file"),
        Column("variants", "integer", low=0, meaning="variants of all stores that hold the sample"),
        Column("call_rate", "number", null=True, low=0, high=1),
        Column("heterozygosity", "number", null=True, low=0, high=1, meaning="share of autosomal calls; null for none"),
        Column(
            "inbreeding_f", "number", null=True, meaning="method of moments, from autosomes; below 0: too many hets"
        ),
        Column("x_variants", "integer", low=0, meaning="called common variants of X outside XY"),
        Column("x_heterozygosity", "number", null=True, low=0, high=1),
        Column("x_f", "number", null=True, meaning="F on X outside XY: about 1 for one X, about 0 for two"),
        Column("sex_from_x", null=True, allowed=("F", "M"), meaning="null: not measured or cannot tell"),
        Column("sex_status", meaning="measured, haploid calls, cannot tell: why, or not measured: why"),
        Column("sex_in_file", null=True),
        Column("sex_in_study", null=True),
        Column("sex_agrees", "boolean", null=True, meaning="with what file and study say; null: cannot be compared"),
    ),
    key=("patient_id", "sample"),
    row="one genotyped sample of a person of the study",
)

RELATED_PAIRS = Contract(
    "related_pairs",
    (
        Column("patient_a"),
        Column("patient_b"),
        Column("relation", allowed=("duplicate", "first degree", "second degree")),
        Column("kinship", "number", meaning="KING-robust"),
        Column("opposite_share", "number", low=0, high=1, meaning="of shared calls: homozygous for different alleles"),
        Column("concordance", "number", low=0, high=1, meaning="of shared calls: equal"),
        Column("variants", "integer", low=0, meaning="called in both"),
    ),
    key=("patient_a", "patient_b"),
    row="two people of second degree or closer; duplicate: the same person twice, or twins of one egg",
)

SAME_PEOPLE = Contract(
    "same_people",
    (
        Column("patient_a"),
        Column("patient_b"),
        Column("evidence", allowed=("genotype", "questionnaires")),
        Column("visit", null=True, meaning="whose answers are the same; null for genotype"),
        Column("compared", "integer", low=0, meaning="variants or answers"),
        Column("share", "number", low=0, high=1, meaning="of them, equal"),
    ),
    key=("patient_a", "patient_b", "evidence", "visit"),
    row="one reason to think that two ids are one person",
)
