"""Calls and advice for a cohort in one step: what the workflow's stage and the command `pgx` both run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from nociomics.errors import NociomicsError, did_you_mean
from nociomics.knowledge.pharmacogene import VariantNameError, find_variant, load_drug_gene_pairs
from nociomics.pharmacogenomics.calling import call_pharmacogenes, called_genes
from nociomics.pharmacogenomics.guideline import drug_genes, known_drugs
from nociomics.pharmacogenomics.phenoconversion import current_medications, with_inhibitors
from nociomics.pharmacogenomics.recommendation import recommend_drugs


class GeneRequestError(NociomicsError):
    """A gene or a variant was asked for that the tables do not know."""


@dataclass(frozen=True)
class Assessment:
    """What was found for a cohort.

    Parameters
    ----------
    calls : DataFrame, one row per (sample, gene)
        As in `tables.PGX_CALLS`.
    recommendations : DataFrame, one row per (sample, drug, population)
        As in `tables.PGX_RECOMMENDATIONS`.
    """

    calls: pl.DataFrame
    recommendations: pl.DataFrame


def call_with_medications(
    genotypes: pl.DataFrame | None,
    diplotypes: pl.DataFrame | None,
    patients: list[str],
    medications: pl.DataFrame | None = None,
    reference: pl.DataFrame | None = None,
    *,
    absent_is_reference: bool = False,
) -> pl.DataFrame:
    """Call every pharmacogene of every person, with what inhibitors do beside each call.

    Parameters
    ----------
    genotypes, diplotypes, patients, absent_is_reference
        As in `calling.call_pharmacogenes`.
    medications, reference : DataFrame, optional
        As in `phenoconversion.current_medications`; without a list nothing is said of inhibitors.

    Returns
    -------
    DataFrame, one row per (sample, gene)
        As in `tables.PGX_CALLS`.
    """
    calls = call_pharmacogenes(genotypes, diplotypes, patients, absent_is_reference=absent_is_reference)
    return with_inhibitors(calls, None if medications is None else current_medications(medications, reference))


def assess(
    calls: pl.DataFrame,
    *,
    indication: str | None = None,
    drugs: list[str] | None = None,
    genes: Sequence[str] | None = None,
) -> Assessment:
    """Look up the advice for calls, and keep the rows that were asked for.

    Parameters
    ----------
    calls : DataFrame, one row per (sample, gene)
        From `call_with_medications`.
    indication, drugs
        As in `recommendation.recommend_drugs`.
    genes : sequence of str, optional
        From `requested_genes`: only their calls are kept, and, unless ``drugs`` names
        them, only drugs paired with one of them. The advice still rests on all genes.
    """
    if genes is None:
        return Assessment(calls, recommend_drugs(calls, indication, drugs))
    wanted = drugs if drugs is not None else drugs_of(genes)
    return Assessment(calls.filter(pl.col("gene").is_in(list(genes))), recommend_drugs(calls, indication, wanted))


def drugs_of(genes: Sequence[str]) -> list[str]:
    """Return the drugs of the tables that are paired with one of some genes.

    Examples
    --------
    >>> drugs_of(["HLA-A"])
    ['carbamazepine', 'oxcarbazepine']
    """
    pairs = load_drug_gene_pairs().filter(pl.col("gene").is_in(list(genes)))
    paired = set(pairs["drug"])
    return [drug for drug in known_drugs() if drug in paired or not set(genes).isdisjoint(drug_genes(drug))]


def requested_genes(names: Sequence[str]) -> tuple[str, ...]:
    """Read the genes that somebody asks for; a variant means its gene.

    Parameters
    ----------
    names : sequence of str
        Genes in any case, HLA alleles (``HLA-B*15:02``), or dbSNP numbers.

    Raises
    ------
    GeneRequestError
        With every name that is unknown, and with what a known misprint stands for.

    Examples
    --------
    >>> requested_genes(["cyp2d6", "rs1799971", "HLA-B*15:02"])
    ('CYP2D6', 'OPRM1', 'HLA-B')
    """
    known = {part: gene for gene in called_genes() for part in (gene, *gene.split("/"))}
    found, problems = [], []
    for name in names:
        word = name.strip()
        gene = word.split("*")[0].upper().replace("HLA_", "HLA-")
        if gene in known:
            found.append(known[gene])
        elif word.lower().startswith("rs") and word[2:].isdigit():
            try:
                found.append(str(find_variant(word.lower())["gene"]))
            except VariantNameError as error:
                problems.append(str(error))
        else:
            problems.append(f'Gene "{word}" is not called here.{did_you_mean(gene, known)}')
    if problems:
        raise GeneRequestError(f"{' '.join(problems)} Genes: {', '.join(dict.fromkeys(known.values()))}.")
    return tuple(dict.fromkeys(found))
