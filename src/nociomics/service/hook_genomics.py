"""Read pharmacogene results from FHIR Observations of the genomics guide: genotypes, and metaboliser phenotypes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl

from nociomics.fhir.elements import meanings
from nociomics.fhir.genomics import diplotype_row, phenotype_row
from nociomics.fhir.listing import Listing
from nociomics.knowledge.pharmacogene import (
    COPY_NUMBER_GENES,
    HLA_GENES,
    STAR_GENES,
    load_drug_recommendations,
)
from nociomics.pharmacogenomics.gene_call import GeneCall, call_outside_result
from nociomics.pharmacogenomics.phenotype import scored_genes
from nociomics.service.hook_requests import Resource, codings, is_about

_FINAL = ("final", "amended", "corrected")
_GENES = (*STAR_GENES, *HLA_GENES)
_GENE = re.compile(rf"(?<![A-Za-z0-9])({'|'.join(re.escape(gene) for gene in _GENES)})(?![A-Za-z0-9])", re.IGNORECASE)
_METABOLISER = re.compile(r"(poor|intermediate|normal|extensive|rapid|ultra-?\s?rapid)\s+metaboli[sz]er", re.IGNORECASE)


@dataclass(frozen=True)
class GeneResults:
    """What the observations of one patient say.

    Attributes
    ----------
    calls : DataFrame, one row per gene
        The columns of `calling.CALL_SCHEMA` that advice rests on.
    dates : dict of gene to str
        Day of the newest result, where known.
    left_out : dict of reason to int
        Observations that say nothing here, counted.
    """

    calls: pl.DataFrame
    dates: dict[str, str]
    left_out: dict[str, int]


def read_results(resources: Iterable[Resource], patient: str) -> GeneResults:
    """Read every genotype and metaboliser phenotype of a patient.

    Only final, amended or corrected observations about this patient count. Several different genotypes of one gene
    are all kept as possible: the most cautious advice leads. A genotype goes before a phenotype that somebody read
    off it.
    """
    texts: dict[str, dict[str, None]] = {}
    words: dict[str, dict[str, None]] = {}
    dates: dict[str, str] = {}
    left_out: dict[str, int] = {}
    for one in resources:
        if one.get("resourceType") != "Observation":
            continue
        reason, gene, diplotype, phenotype = _read(one, patient)
        if gene is None or reason is not None:
            left_out[reason or "no pharmacogene"] = left_out.get(reason or "no pharmacogene", 0) + 1
            continue
        if diplotype is not None:
            texts.setdefault(gene, {})[diplotype] = None
        if phenotype is not None:
            words.setdefault(gene, {})[phenotype] = None
        day = str(one.get("effectiveDateTime") or one.get("issued") or "")[:10]
        if re.fullmatch(r"\d{4}(-\d{2}){0,2}", day):
            dates[gene] = max(day, dates.get(gene, ""))
    calls = [call for gene in dict.fromkeys([*texts, *words]) if (call := _call(gene, texts, words)) is not None]
    return GeneResults(_frame(calls), dates, left_out)


def _read(one: Resource, patient: str) -> tuple[str | None, str | None, str | None, str | None]:
    """Read one observation: why it is left out (or None), gene, diplotype, phenotype."""
    if not is_about(one, patient):
        return "of another patient", None, None, None
    if one.get("status") not in _FINAL:
        return "not final", None, None, None
    code = one.get("code")
    if meanings(code, "metaboliser_phenotype"):
        return _read_phenotype(one)
    if meanings(code, "genotype"):
        return _read_genotype(one)
    return "no pharmacogene", None, None, None


def _read_phenotype(one: Resource) -> tuple[str | None, str | None, str | None, str | None]:
    """Read a metaboliser phenotype: the answer's code, or else an answer that is the phenotype's words and no more."""
    gene = next(iter(meanings(one.get("code"), "metaboliser_phenotype")))
    row = phenotype_row(one, Listing())
    found = row["phenotype"] if row else next((w for text in _spoken(one) if (w := _phenotype(text))), None)
    return (None if found else "phenotype without an answer that is known"), gene, None, found


def _read_genotype(one: Resource) -> tuple[str | None, str | None, str | None, str | None]:
    """Read a genotype as the FHIR room does; else forms that it leaves: HLA typing, and the gene before each allele."""
    row = diplotype_row(one, Listing())
    if row is not None:
        return None, row["gene"], row["diplotype"], None
    spoken = _spoken(one)
    gene = _gene_studied(one) or next((found for text in spoken if (found := _gene(text))), None)
    if gene is None:
        return "gene not known here", None, None, None
    pairs = {text for word in spoken if (text := _diplotype(word, gene)) is not None}
    return (None if len(pairs) == 1 else "genotype that cannot be read"), gene, pairs.pop() if pairs else None, None


def _spoken(one: Resource) -> list[str]:
    """Give the texts of an observation's value."""
    concept = one.get("valueCodeableConcept")
    texts = [concept.get("text")] if isinstance(concept, dict) else []
    texts += [display for _, _, display in codings(concept)]
    texts += [code for _, code, _ in codings(concept)]
    texts.append(one.get("valueString"))
    return [text for text in texts if isinstance(text, str) and text.strip()]


def _gene_studied(one: Resource) -> str | None:
    parts = one.get("component")
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, dict) and meanings(part.get("code"), "component"):
            concept = part.get("valueCodeableConcept")
            texts = [display for _, _, display in codings(concept)]
            texts += [str(concept["text"])] if isinstance(concept, dict) and "text" in concept else []
            found = next((gene for text in texts if (gene := _gene(text)) is not None), None)
            if found is not None:
                return found
    return None


def _gene(text: str) -> str | None:
    found = _GENE.search(text)
    return found.group(1).upper() if found else None


def _diplotype(text: str, gene: str) -> str | None:
    """Take the gene's name away, also before each allele: ``CYP2D6*1/CYP2D6*4`` is ``*1/*4``."""
    bare = re.sub(rf"{re.escape(gene)}\s*", "", text, flags=re.IGNORECASE).strip()
    if gene in HLA_GENES:
        return bare if re.search(r"\*\d|positive|negative", bare, re.IGNORECASE) else None
    return bare if bare.startswith("*") and "/" in bare else None


def _phenotype(text: str) -> str | None:
    found = _METABOLISER.fullmatch(text.strip())
    if found is None:
        return None
    word = re.sub(r"[-\s]", "", found.group(1).lower())
    return f"{'Normal' if word == 'extensive' else word.capitalize()} Metabolizer"


def _call(gene: str, texts: dict[str, dict[str, None]], words: dict[str, dict[str, None]]) -> GeneCall | None:
    if gene in texts:
        return call_outside_result(gene, "|".join(texts[gene]))
    found = list(words[gene])
    scores = [score for word in found for score in _scores_of(gene, word)]
    if gene in scored_genes() and not scores:
        return None
    return GeneCall(
        gene,
        "called",
        source="outside",
        copy_number_state="known" if gene in COPY_NUMBER_GENES else None,
        activity_score_candidates="|".join(dict.fromkeys(scores)) or None,
        phenotype_candidates="|".join(found),
    )


@cache
def _scores_of(gene: str, phenotype: str) -> tuple[str, ...]:
    """Give every activity score that goes with a phenotype: the phenotype alone leaves all of them possible."""
    rows = load_drug_recommendations().filter(
        (pl.col("gene_1") == gene) & (pl.col("phenotype_1") == phenotype) & pl.col("score_1").is_not_null()
    )
    found = {score for text in rows["score_1"] for score in text.split(";")}
    return tuple(sorted(found - {"", "n/a"}))


def _frame(calls: list[GeneCall]) -> pl.DataFrame:
    names = ("gene", "call_state", "phenotype_candidates", "activity_score_candidates", "copy_number_state")
    rows: list[dict[str, Any]] = [
        {"sample": "patient", **{name: getattr(call, name) for name in names}} for call in calls
    ]
    return pl.DataFrame(rows, schema={name: pl.String for name in ("sample", *names)})
