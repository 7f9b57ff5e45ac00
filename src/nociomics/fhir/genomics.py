"""Genotype and metaboliser Observations of the Genomics Reporting guide to calls; nothing is inferred."""

from __future__ import annotations

import re
from typing import Any

from nociomics.fhir.elements import codings, codings_or_none, display, mapping, meanings, objects, taken_at, text
from nociomics.fhir.identities import Resource
from nociomics.fhir.listing import Listing
from nociomics.knowledge.fhir_code import HGNC, LOINC, load_fhir_codes
from nociomics.knowledge.pharmacogene import HLA_GENES, STAR_GENES

HGNC_SYSTEMS = (HGNC, "http://www.genenames.org")
"""Release 3.0.0 of the guide writes the second, as R4's own examples do; earlier releases write the first."""


def genes() -> tuple[str, ...]:
    """Return the genes whose calls are read."""
    return (*STAR_GENES, *HLA_GENES)


_GENE = "|".join(re.escape(gene) for gene in genes())
_PAIR = re.compile(
    rf"(?P<first>{_GENE})?(?P<one>\*[^/|]+)/(?P<second>{_GENE})?(?P<two>\*[^/|]+)",
    re.IGNORECASE,
)
# Genotype List String: "+" stands between the two chromosomes; its other signs (/ | ~ ^) leave alleles open
_GENOTYPE_LIST = re.compile(
    rf"hla#[0-9.]+#(?P<first>{_GENE})(?P<one>\*[0-9:]+[A-Z]?)\+(?P<second>{_GENE})(?P<two>\*[0-9:]+[A-Z]?)"
)


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
    # a value that names its own gene is of that gene, also where the report studied further ones
    wanted = named if len(named) == 1 and named <= studied else studied | named
    if len(wanted) != 1 or len(alleles) != 1:
        problem = "gene is absent, unknown or not one" if len(wanted) != 1 else "alleles are not two star alleles"
        _list_genotype(measured, f"genotype: {problem}", listing)
        return None
    return {"gene": wanted.pop(), "diplotype": alleles.pop(), "taken_at": taken_at(measured)}


def _call(word: str) -> tuple[str | None, str] | None:
    """Split a written genotype into its gene, where it names one, and its alleles; None for other words.

    Examples
    --------
    >>> _call("CYP2D6 *1/*4"), _call("CYP2D6*7.001 / CYP2D6*1.001"), _call("*1/*4")
    (('CYP2D6', '*1/*4'), ('CYP2D6', '*7.001/*1.001'), (None, '*1/*4'))
    >>> _call("hla#3.23.0#HLA-B*15:02:01+HLA-B*57:01:01"), _call("CYP2D6*1/CYP2C19*2")
    (('HLA-B', '*15:02:01/*57:01:01'), None)
    """
    bare = re.sub(r"\s", "", word)
    found = [_GENOTYPE_LIST.fullmatch(bare) or _PAIR.fullmatch(part) for part in bare.split("|")]
    pairs = [one for one in found if one is not None]
    named = {gene.upper() for one in pairs for gene in one.group("first", "second") if gene}
    if len(pairs) < len(found) or len(named) > 1:
        return None
    # several possible pairs stand with a bar between them, as in our own tables
    return (named.pop() if named else None), "|".join("/".join(one.group("one", "two")) for one in pairs)


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
    numbers = [f"HGNC:{code.removeprefix('HGNC:')}" for system, code in codings(concept) if system in HGNC_SYSTEMS]
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
