"""Genotype and metaboliser Observations of the Genomics Reporting guide to calls; nothing is inferred."""

from __future__ import annotations

import re
from typing import Any

from nociomics.fhir.content import Resource
from nociomics.fhir.elements import codings, codings_or_none, display, mapping, meanings, objects, taken_at, text
from nociomics.fhir.listing import Listing
from nociomics.knowledge.fhir_code import HGNC, LOINC, load_fhir_codes
from nociomics.knowledge.pharmacogene import HLA_GENES, STAR_GENES

_STARS = re.compile(r"\*\S+/\*\S+")


def genes() -> tuple[str, ...]:
    """Return the genes whose calls are read."""
    return (*STAR_GENES, *HLA_GENES)


def diplotype_row(measured: Resource, listing: Listing) -> dict[str, Any] | None:
    """Read a Genotype: the gene of its component gene-studied, and both alleles as written.

    Returns
    -------
    dict or None
        ``gene, diplotype, taken_at``; None where gene or alleles are not given, differ or are several: these are
        listed, and no call is put together from parts.
    """
    value = measured.get("valueCodeableConcept")
    written = [display(value), *(code for _, code in codings(value)), text(measured.get("valueString"))]
    calls = [_call(word) for word in written if word]
    found = {call for call in calls if call is not None}
    studied = _genes_studied(measured)
    named = {gene for gene, _ in found if gene is not None}
    alleles = {pair for _, pair in found}
    wanted = studied | named
    if len(wanted) != 1 or len(alleles) != 1:
        problem = "gene is absent, unknown or not one" if len(wanted) != 1 else "alleles are not two star alleles"
        _list_genotype(measured, f"genotype: {problem}", listing)
        return None
    return {"gene": wanted.pop(), "diplotype": alleles.pop(), "taken_at": taken_at(measured)}


def _call(word: str) -> tuple[str | None, str] | None:
    """Split "CYP2D6 *1/*4" into its gene and its alleles; None for other words."""
    gene, _, rest = word.partition(" ") if word.upper().startswith(genes()) else ("", "", word)
    own = gene.upper() if gene.upper() in genes() else None
    alleles = (rest if own else word).replace(" ", "")
    return (own, alleles) if _STARS.fullmatch(alleles) else None


def _genes_studied(measured: Resource) -> set[str]:
    """Return our genes of the components gene-studied; a gene that is not ours counts as one more."""
    found = set()
    for component in objects(measured.get("component")):
        if not meanings(component.get("code"), "component"):
            continue
        concept = component.get("valueCodeableConcept")
        known = _gene(concept)
        found |= known or {"another gene"}
    return found if found <= set(genes()) else {"", *found}


def _gene(concept: Any) -> set[str]:
    """Return the genes that a concept names: by HGNC number, with or without its prefix, or by its exact symbol."""
    codes = load_fhir_codes()
    numbers = [f"HGNC:{code.removeprefix('HGNC:')}" for system, code in codings(concept) if system == HGNC]
    by_number = {row.meaning for number in numbers if (row := codes.get(("gene", HGNC, number))) is not None}
    words = [text(one.get("display")) for one in objects(mapping(concept).get("coding"))]
    by_symbol = {word.upper() for word in [*words, display(concept)] if word and word.upper() in genes()}
    return by_number | by_symbol


def _list_genotype(measured: Resource, problem: str, listing: Listing) -> None:
    studied = [
        pair
        for component in objects(measured.get("component"))
        if meanings(component.get("code"), "component")
        for pair in codings_or_none(component.get("valueCodeableConcept"))
    ]
    for system, code in studied or codings_or_none(None):
        listing.add("Observation", problem, element="valueCodeableConcept", system=system, code=code)


def phenotype_row(measured: Resource, listing: Listing) -> dict[str, Any] | None:
    """Read a metaboliser phenotype that a laboratory reported, by its LOINC answer alone.

    Returns
    -------
    dict or None
        ``gene, phenotype, taken_at``; the phenotype in the words of our tables. Free text is not read.
    """
    gene = meanings(measured.get("code"), "metaboliser_phenotype")
    found = meanings(measured.get("valueCodeableConcept"), "phenotype")
    if len(found) != 1 or len(gene) != 1:
        code = next((code for system, code in codings(measured.get("code")) if system == LOINC), None)
        problem = "phenotype is no answer that is known, or several"
        listing.add("Observation", problem, element="valueCodeableConcept", system=LOINC, code=code)
        return None
    return {"gene": gene.pop(), "phenotype": found.pop(), "taken_at": taken_at(measured)}
