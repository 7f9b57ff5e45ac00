"""Codes of chronic pain in ICD-11, and what lies below a code."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict

ROOT = "MG30"


class ChronicPainCode(BaseModel):
    """One category of ICD-11 under chronic pain, in our own words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    name: str
    status: Literal["checked", "general", "project_default"]
    source: str
    version: str


@cache
def load_chronic_pain_codes() -> Mapping[str, ChronicPainCode]:
    """Return the categories by their code; the finest of them are not complete."""
    file = resources.files("nociomics.knowledge").joinpath("icd11_chronic_pain.csv")
    with file.open("r", encoding="utf-8") as handle:
        rows = [ChronicPainCode.model_validate(row) for row in csv.DictReader(handle)]
    return MappingProxyType({row.code: row for row in rows})


def is_known_family(code: str) -> bool:
    """Whether a code that begins with MG30 can be: its first digit after the point is one of the families.

    Examples
    --------
    >>> [is_known_family(code) for code in ("MG30", "MG30.0", "MG30.61", "MG30.9", "MG300", "mg30.0")]
    [True, True, True, False, False, False]
    """
    known = load_chronic_pain_codes()
    return code in known or (re.fullmatch(r"MG30\.[0-9A-Z]{2}", code) is not None and code[:6] in known)


def pattern_of_family(code: str) -> str:
    """Return a regular expression that a code and everything below it match, with extensions behind & or /.

    Examples
    --------
    >>> import re
    >>> [word for word in ("MG30", "MG30.01", "MG30.01&XK9K", "MG300", "MG31")
    ...  if re.search(pattern_of_family("MG30"), word)]
    ['MG30', 'MG30.01', 'MG30.01&XK9K']
    >>> [word for word in ("MG30.0", "MG30.01", "MG30.1") if re.search(pattern_of_family("MG30.0"), word)]
    ['MG30.0', 'MG30.01']
    """
    finer = r"[0-9A-Za-z]*" if "." in code else r"(?:\.[0-9A-Za-z]+)?"
    return rf"^{re.escape(code)}{finer}(?:[&/].+)?$"
