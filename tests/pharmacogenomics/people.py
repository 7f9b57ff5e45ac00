"""Invented people for the tests: whole genes at the reference, with named changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from tests.pharmacogenomics.small_vcf import SCHEMA

from nociomics.knowledge.pharmacogene import load_positions


def person(
    genes: Sequence[str],
    changes: Mapping[str, str] | None = None,
    *,
    patient: str = "P1",
    states: Mapping[str, str] | None = None,
    without: Sequence[str] = (),
    phase_sets: Mapping[str, str] | None = None,
    build: str = "GRCh38",
) -> pl.DataFrame:
    """Return genotype rows of every position of some genes.

    ``changes`` maps an rsID to bases such as ``G/A`` (``G|A`` is phased), the
    rest is the GRCh38 reference; ``states`` gives positions another call state and
    no bases; ``without`` leaves rows out.
    """
    rows = []
    for gene, rsid, ref in load_positions().select("gene", "rsid", "ref_grch38").rows():
        if gene not in genes or rsid in without:
            continue
        text = (changes or {}).get(rsid, f"{ref}/{ref}")
        state = (states or {}).get(rsid, "called")
        one, two = text.replace("|", "/").split("/") if state in ("called", "strand_flipped") else (None, None)
        rows.append((patient, gene, rsid, build, state, one, two, "|" in text, (phase_sets or {}).get(rsid)))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def only(genotypes: pl.DataFrame, rsids: Sequence[str]) -> pl.DataFrame:
    """Return the rows of these positions alone."""
    return genotypes.filter(pl.col("rsid").is_in(list(rsids)))


def diplotype_rows(**calls: str | None) -> pl.DataFrame:
    """Return outside calls of one person; a gene's dash is written as an underscore."""
    rows = [("P1", gene, text) for gene, text in calls.items()]
    return pl.DataFrame(rows, schema={"patient_id": pl.String, "gene": pl.String, "diplotype": pl.String}, orient="row")
