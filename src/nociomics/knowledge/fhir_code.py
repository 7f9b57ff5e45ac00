"""Codes of other people's systems and what they mean here, for messages between hospitals."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
HGNC = "http://www.genenames.org/geneId"

Role = Literal[
    "score",
    "questionnaire",
    "metaboliser_phenotype",
    "genotype",
    "component",
    "phenotype",
    "no_table",
    "clock_analyte",
    "gene",
    "drug",
]


class FhirCode(BaseModel):
    """One code.

    Attributes
    ----------
    role : str
        What it codes. ``no_table``: understood, but none of our tables takes it; ``meaning`` says why.
    system, code : str
        As they stand in a Coding.
    meaning : str
        Our word: ``phq_9/total`` for a score, a gene, a drug, a phenotype.
    status, source : str
        How sure the row is, and where it is from; what is from memory says so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Role
    system: str
    code: str
    meaning: str
    status: Literal["checked", "general", "project_default"]
    source: str
    version: int


@cache
def load_fhir_codes() -> Mapping[tuple[str, str, str], FhirCode]:
    """Return the codes of `knowledge/fhir_codes.csv` by role, system and code.

    Examples
    --------
    >>> load_fhir_codes()["score", LOINC, "44261-6"].meaning
    'phq_9/total'
    """
    file = resources.files("nociomics.knowledge").joinpath("fhir_codes.csv")
    with file.open("r", encoding="utf-8") as handle:
        rows = [FhirCode.model_validate(row) for row in csv.DictReader(handle)]
    found: dict[tuple[str, str, str], FhirCode] = {(row.role, row.system, row.code): row for row in rows}
    if len(found) < len(rows):
        raise ValueError("fhir_codes.csv: a code stands twice in one role")
    return MappingProxyType(found)


@cache
def code_for(role: Role, meaning: str, system: str = LOINC) -> str | None:
    """Return the first code of a meaning, None where there is none.

    Examples
    --------
    >>> code_for("metaboliser_phenotype", "CYP2D6"), code_for("metaboliser_phenotype", "CYP2B6")
    ('79715-9', None)
    """
    rows = load_fhir_codes().values()
    return next((row.code for row in rows if (row.role, row.system, row.meaning) == (role, system, meaning)), None)
