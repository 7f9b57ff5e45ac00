"""Codes of drugs in orders, and which results make a drug a contraindication."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

from nociomics.errors import NociomicsError
from nociomics.knowledge.fhir_code import RXNORM, load_fhir_codes

_FOLDER = files("nociomics.knowledge")


class DrugCodeError(NociomicsError):
    """A table of codes that a site gives is wrong."""


def _rows(text: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(text.splitlines())


@cache
def load_drug_codes() -> dict[tuple[str, str], tuple[str, ...]]:
    """Load which drugs a code stands for: ingredients of `fhir_codes.csv`, products of `drug_codes.csv`.

    Returns
    -------
    dict of (system, code) to tuple of str
        Names as in the pharmacogene tables; a product of several drugs has all of them. A code that is not here is
        unknown: none is guessed.

    Examples
    --------
    >>> load_drug_codes()[RXNORM, "2670"]
    ('codeine',)
    """
    codes = [row for row in load_fhir_codes().values() if row.role == "drug"]
    found: dict[tuple[str, str], tuple[str, ...]] = {(row.system, row.code): (row.meaning,) for row in codes}
    for row in _rows((_FOLDER / "drug_codes.csv").read_text(encoding="utf-8")):
        key = (row["system"], row["code"])
        found[key] = (*found.get(key, ()), row["drug"])
    return found


def read_drug_codes(path: Path, known: frozenset[str]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Read a site's own codes, such as those of its formulary's products: ``system, code, drug``.

    Raises
    ------
    DrugCodeError
        When columns lack, or drugs are not in the pharmacogene tables; all are named.
    """
    try:
        rows = list(_rows(path.read_text(encoding="utf-8-sig")))
    except (OSError, UnicodeDecodeError) as error:
        raise DrugCodeError(f"{path}: cannot be read ({type(error).__name__}).") from error
    if not rows or not {"code", "drug"} <= set(rows[0]):
        raise DrugCodeError(f"{path}: needs the columns code and drug, and may have system (RxNorm when left out).")
    strange = sorted({row["drug"] for row in rows} - known)
    if strange:
        raise DrugCodeError(
            f"{path}: {len(strange)} drugs are in no pharmacogene table (first: {strange[0]!r}). "
            f"Known: {', '.join(sorted(known))}."
        )
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for row in rows:
        key = (row.get("system") or RXNORM, row["code"].strip())
        found[key] = (*found.get(key, ()), row["drug"])
    return found


@cache
def load_contraindications() -> frozenset[tuple[str, str, str]]:
    """Load the results that make an order critical: (drug, gene, phenotype).

    Examples
    --------
    >>> ("codeine", "CYP2D6", "Ultrarapid Metabolizer") in load_contraindications()
    True
    """
    rows = _rows((_FOLDER / "contraindications.csv").read_text(encoding="utf-8"))
    return frozenset((row["drug"], row["gene"], row["phenotype"]) for row in rows)
