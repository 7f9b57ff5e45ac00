"""Polygenic scores: the weights that a study gives, and how far they could be applied."""

from __future__ import annotations

from nociomics.tables.contract import Column, Contract

SCORE_WEIGHTS = Contract(
    "score_weights",
    (
        Column("score", meaning="name of the score in the study"),
        Column("build", null=True, allowed=("GRCh37", "GRCh38"), meaning="of the positions; null: not known"),
        Column("rsid", null=True),
        Column("chrom", null=True),
        Column("pos", "integer", null=True),
        Column("effect_allele", meaning="whose copies are weighted, in upper case"),
        Column("other_allele", null=True),
        Column("weight", "number", meaning="per copy"),
        Column("frequency", "number", null=True, low=0, high=1, meaning="of the effect allele, as the file gives it"),
    ),
    row="one weighted allele",
)

STATES = (
    "direct",
    "swapped",
    "flipped",
    "flipped and swapped",
    "ambiguous",
    "several alternatives",
    "other alleles",
    "filtered",
    "absent",
)
"""What became of a weight; only the first four are scored from genotypes."""

SCORE_MATCHES = Contract(
    "score_matches",
    (
        Column("score"),
        Column("store", meaning="folder of the store"),
        Column("state", allowed=STATES),
        Column("weights", "integer", low=0),
        Column("weight_share", "number", low=0, high=1, meaning="of the sum of all absolute weights"),
    ),
    key=("score", "store", "state"),
    row="what became of some weights of a score in one store",
)

SCORE_COVERAGE = Contract(
    "score_coverage",
    (
        Column("patient_id"),
        Column("score"),
        Column("coverage", "number", low=0, high=1, meaning="share of the absolute weights at calls that were made"),
        Column("status", meaning="ok, or why there is no score"),
    ),
    key=("patient_id", "score"),
    row="one person and score",
)
