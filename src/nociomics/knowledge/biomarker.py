"""Analytes as data: names, units and how they convert, plausible and reference ranges, with sources."""

from __future__ import annotations

import csv
import math
import re
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterator

# How much one unit is, in g/L, mol/L, g/g, mol/g or mm/h.
_MASS = {
    "g/L": 1.0,
    "mg/mL": 1.0,
    "mg/dL": 1e-2,
    "mg/L": 1e-3,
    "ug/mL": 1e-3,
    "ug/dL": 1e-5,
    "ug/L": 1e-6,
    "ng/mL": 1e-6,
    "ng/dL": 1e-8,
    "ng/L": 1e-9,
    "pg/mL": 1e-9,
    "fg/mL": 1e-12,
}
_MOLAR = {
    "mmol/L": 1e-3,
    "umol/L": 1e-6,
    "nmol/mL": 1e-6,
    "nmol/L": 1e-9,
    "pmol/mL": 1e-9,
    "pmol/L": 1e-12,
    "fmol/mL": 1e-12,
    "fmol/L": 1e-15,
}
_MASS_FRACTION = {"ng/mg": 1e-6, "ng/g": 1e-9, "pg/mg": 1e-9, "pg/g": 1e-12}
_MOLAR_FRACTION = {"nmol/g": 1e-9, "pmol/mg": 1e-9, "pmol/g": 1e-12, "fmol/mg": 1e-12}
_ACTIVITY = {"IU/mL": 1.0, "IU/L": 1e-3, "mIU/mL": 1e-3, "kIU/L": 1.0, "kIU/mL": 1e3}
_GREEK = {"α": "alpha", "β": "beta", "γ": "gamma", "κ": "kappa"}
_SPECIMENS = (
    ("hair", ("hair",)),
    ("saliva", ("saliva", "salivary", "oral fluid")),
    ("plasma", ("plasma", "edta", "heparin", "citrate")),
    ("serum", ("serum",)),
)


class Reference(BaseModel):
    """A laboratory's reference range: a help for reading, never a rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: float | None
    high: float | None
    unit: str
    context: str
    status: Literal["checked", "general", "project_default"]


class Biomarker(BaseModel):
    """One analyte in one matrix.

    Attributes
    ----------
    aliases : tuple of str
        Other names, in lower case.
    specimen : str
        ``blood`` where serum and plasma share a row, else the specimen it stands for.
    feature : str
        Begins the name of its feature.
    base_unit : str
        Unit in which values are compared and stored.
    quantity : {"concentration", "mass_fraction", "rate"}
        Which units there are.
    molar_mass : float or None
        g/mol.
    molar_allowed : bool
        Whether a molar value may be converted (never for CRP: its mass is disputed).
    plausible_low, plausible_high : float
        In the base unit; outside, a value is doubted and never changed.
    typical_lod : float or None
        Usual limit of detection, in the base unit.
    standards : dict of str to float
        WHO standard and its IU per ug.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: str
    aliases: tuple[str, ...]
    gene: str | None
    specimen: str
    matrix: str
    feature: str
    base_unit: str
    quantity: Literal["concentration", "mass_fraction", "rate"]
    molar_mass: float | None
    molar_allowed: bool
    molar_status: str | None
    reference: Reference
    plausible_low: float
    plausible_high: float
    plausible_status: str
    typical_lod: float | None
    log_transform: bool
    loinc: tuple[str, ...]
    loinc_status: str | None
    source: str
    version: int
    standards: dict[str, float] = {}

    @cached_property
    def factors(self) -> dict[str, float]:
        """Known unit to the number of base units in it, from mass and molar mass."""
        amounts = dict(self._amounts())
        return {unit: _tidy(amount / amounts[self.base_unit]) for unit, amount in amounts.items()}

    def _amounts(self) -> Iterator[tuple[str, float]]:
        if self.quantity == "rate":
            yield self.base_unit, 1.0
            return
        mass, molar = (_MASS, _MOLAR) if self.quantity == "concentration" else (_MASS_FRACTION, _MOLAR_FRACTION)
        yield from mass.items()
        if self.molar_allowed and self.molar_mass is not None:
            yield from ((unit, amount * self.molar_mass) for unit, amount in molar.items())

    def factor(self, unit: str, standard: str | None = None) -> float | None:
        """Return how many base units one unit is, None when it cannot be known.

        International units need the WHO standard by which they were counted.

        Examples
        --------
        >>> il6 = load_biomarkers()["il6"]
        >>> il6.factor("ng/mL"), il6.factor("IU/mL"), il6.factor("IU/mL", "WHO 89/548")
        (1000.0, None, 10.0)
        """
        known = self.factors.get(normalise_unit(unit))
        if known is not None:
            return known
        activity = _ACTIVITY.get(normalise_unit(unit))
        iu_per_ug = self._iu_per_ug(standard)
        if activity is None or iu_per_ug is None:
            return None
        # IU/mL over IU/ug is ug/mL.
        return _tidy(activity / iu_per_ug * self.factors["ug/mL"])

    def _iu_per_ug(self, standard: str | None) -> float | None:
        code = re.search(r"\d{2}/\d{3}", standard or "")
        return None if code is None else {name[-6:]: value for name, value in self.standards.items()}.get(code[0])

    @property
    def feature_name(self) -> str:
        """Name of its feature, with the unit in words: ``il6_pg_per_ml``."""
        return f"{self.feature}_{unit_words(self.base_unit)}"


def _tidy(factor: float) -> float:
    """Return a power of ten as one, not as 999.9999999999999; other factors as they are."""
    near = float(f"1e{round(math.log10(factor))}")
    return near if math.isclose(factor, near, rel_tol=1e-12) else factor


def unit_words(unit: str) -> str:
    """Write a unit so that it fits into a column name.

    Examples
    --------
    >>> unit_words("pg/mL"), unit_words("nmol/L")
    ('pg_per_ml', 'nmol_per_l')
    """
    return unit.lower().replace("/", "_per_").replace(" ", "_")


@cache
def _unit_spellings() -> dict[str, str]:
    known = (*_MASS, *_MOLAR, *_MASS_FRACTION, *_MOLAR_FRACTION, *_ACTIVITY, "mm/h")
    return {unit.lower(): unit for unit in known}


@cache
def normalise_unit(text: str) -> str:
    """Return a unit as we write it: case, blanks, micro signs and "mcg" do not matter.

    An unknown unit comes back with its blanks removed and is refused by `Biomarker.factor`.

    Examples
    --------
    >>> normalise_unit("µg / dL"), normalise_unit("mcg/dl"), normalise_unit("[iU]/mL"), normalise_unit("per cent")
    ('ug/dL', 'ug/dL', 'IU/mL', 'percent')
    """
    plain = re.sub(r"\s+", "", text).replace("µ", "u").replace("μ", "u").replace("[", "").replace("]", "")
    folded = plain.lower().replace("mcg/", "ug/").replace("mcmol/", "umol/").replace("mm/hr", "mm/h")
    folded = re.sub(r"litre$|liter$", "l", folded)
    return _unit_spellings().get(folded, plain)


def fold_name(text: str) -> str:
    """Reduce a name to lower-case letters and digits, with Greek letters spelt out.

    Examples
    --------
    >>> fold_name("IL-1β"), fold_name("C-reactive protein")
    ('il1beta', 'creactiveprotein')
    """
    folded = text.casefold()
    for letter, word in _GREEK.items():
        folded = folded.replace(letter, word)
    return re.sub(r"[^a-z0-9]", "", folded)


def _number(text: str) -> float | None:
    return float(text) if text else None


def _biomarker(row: dict[str, str], standards: dict[str, float]) -> Biomarker:
    reference = {
        "low": _number(row["ref_low"]),
        "high": _number(row["ref_high"]),
        **{key: row[f"ref_{key}"] for key in ("unit", "context", "status")},
    }
    plain = ("id", "name", "specimen", "matrix", "feature", "base_unit", "quantity", "plausible_status", "source")
    record: dict[str, Any] = {
        **{key: row[key] for key in plain},
        **{key: row[key] or None for key in ("gene", "molar_status", "loinc_status")},
        **{key: _number(row[key]) for key in ("molar_mass", "plausible_low", "plausible_high", "typical_lod")},
        **{key: tuple(part for part in row[key].split(";") if part) for key in ("aliases", "loinc")},
        "molar_allowed": row["molar_allowed"] == "yes",
        "log_transform": row["log_transform"] == "yes",
        "version": int(row["version"]),
        "reference": reference,
        "standards": standards,
    }
    return Biomarker.model_validate(record)


def _rows(name: str) -> list[dict[str, str]]:
    with resources.files("nociomics.knowledge").joinpath(name).open("r", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@cache
def load_biomarkers() -> dict[str, Biomarker]:
    """Return all analytes by id. The mapping is shared: do not change it."""
    standards: dict[str, dict[str, float]] = {}
    for row in _rows("biomarker_standards.csv"):
        standards.setdefault(row["analyte"], {})[row["standard"]] = float(row["iu_per_ug"])
    return {row["id"]: _biomarker(row, standards.get(row["id"], {})) for row in _rows("biomarkers.csv")}


@cache
def _by_name() -> dict[str, str]:
    found: dict[str, str] = {}
    for marker in load_biomarkers().values():
        for name in (marker.id, *marker.aliases):
            if found.setdefault(fold_name(name), marker.id) != marker.id:
                raise ValueError(f'two analytes claim the name "{name}"')
    return found


def _specimen(text: str | None) -> str | None:
    folded = (text or "").casefold()
    return next((name for name, words in _SPECIMENS if any(word in folded for word in words)), None)


def _afternoon(text: str | None) -> bool:
    return re.search(r"\bpm\b|afternoon|evening", (text or "").casefold()) is not None


@cache
def find_biomarker(text: str, specimen: str | None = None) -> Biomarker | None:
    """Return the analyte that a name means, None when it is not known.

    BDNF and cortisol are different analytes in different specimens: the specimen (its own column,
    or in brackets behind the name) decides; without one, BDNF is serum and cortisol morning serum.

    Parameters
    ----------
    text : str
        Id or name; case, hyphens and Greek letters do not matter.
    specimen : str, optional
        Such as ``EDTA plasma``, ``saliva``, ``serum, pm``.

    Examples
    --------
    >>> find_biomarker("TNF-α").id, find_biomarker("BDNF", "EDTA plasma").id, find_biomarker("cortisol (hair)").id
    ('tnf_alpha', 'bdnf_plasma', 'cortisol_hair')
    """
    name, bracket = re.sub(r"\s*\([^)]*\)\s*$", "", text), re.search(r"\(([^)]*)\)\s*$", text)
    found = _by_name().get(fold_name(text))
    if found is None and bracket is not None:
        found, specimen = _by_name().get(fold_name(name)), f"{specimen or ''} {bracket[1]}"
    if found is None:
        return None
    return load_biomarkers()[_in_specimen(found, specimen)]


def _in_specimen(found: str, specimen: str | None) -> str:
    """Only the names that stand for a default are moved by the specimen."""
    where = _specimen(specimen)
    if found == "bdnf_serum" and where == "plasma":
        return "bdnf_plasma"
    if found == "cortisol_serum_am" and where in {"saliva", "hair"}:
        return f"cortisol_{where}"
    if found == "cortisol_serum_am" and _afternoon(specimen):
        return "cortisol_serum_pm"
    return found
