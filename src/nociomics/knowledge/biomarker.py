"""Analytes as data: names, units and how they convert, plausible and reference ranges, with sources."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from nociomics.knowledge.specimen import UNSTATED, afternoon, fitting_specimens, specimen_of, specimens_in, words_of
from nociomics.knowledge.unit import (
    ACTIVITY,
    MASS,
    MASS_FRACTION,
    MOLAR,
    MOLAR_FRACTION,
    normalise_unit,
    unit_at_end,
    unit_words,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_GREEK = {"α": "alpha", "β": "beta", "γ": "gamma", "κ": "kappa"}
_STANDARD = re.compile(r"\d{2}/\d{3}")


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
        ``blood`` where serum and plasma share a row, ``unstated`` for a row that stands for no known specimen,
        else the specimen it stands for.
    family : str or None
        Id of the row for an unstated specimen, for analytes that differ between specimens.
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
    family: str | None
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
        mass, molar = (MASS, MOLAR) if self.quantity == "concentration" else (MASS_FRACTION, MOLAR_FRACTION)
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
        activity = ACTIVITY.get(normalise_unit(unit))
        iu_per_ug = self._iu_per_ug(standard)
        if activity is None or iu_per_ug is None:
            return None
        # IU/mL over IU/ug is ug/mL.
        return _tidy(activity / iu_per_ug * self.factors["ug/mL"])

    def _iu_per_ug(self, standard: str | None) -> float | None:
        code = _STANDARD.search(standard or "")
        return None if code is None else {name[-6:]: value for name, value in self.standards.items()}.get(code[0])

    @property
    def feature_name(self) -> str:
        """Name of its feature, with the unit in words: ``il6_pg_per_ml``."""
        return f"{self.feature}_{unit_words(self.base_unit)}"


def _tidy(factor: float) -> float:
    """Return a power of ten as one, not as 999.9999999999999; other factors as they are."""
    near = float(f"1e{round(math.log10(factor))}")
    return near if math.isclose(factor, near, rel_tol=1e-12) else factor


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
        **{key: row[key] or None for key in ("gene", "family", "molar_status", "loinc_status")},
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
    """Every folded name, alias and LOINC code of an analyte."""
    found: dict[str, str] = {}
    for marker in load_biomarkers().values():
        for name in (marker.id, *marker.aliases, *(f"loinc{code}" for code in marker.loinc)):
            if found.setdefault(fold_name(name), marker.id) != marker.id:
                raise ValueError(f'two analytes claim the name "{name}"')
    return found


@dataclass(frozen=True)
class Meaning:
    """What a name stands for, with what else the name says.

    Attributes
    ----------
    marker : Biomarker or None
        None when the name, or the specimen for it, is not known: ``problem`` says which.
    unit, standard : str or None
        Unit and WHO standard written into the name: ``IL-6 (pg/mL)``, ``il6_pg_per_ml``, ``IL-6 (WHO 89/548)``.
    specimen_known : bool
        False where serum and plasma (or saliva, hair) differ and the specimen is not stated.
    problem : str or None
        Why there is no marker.
    """

    marker: Biomarker | None
    unit: str | None = None
    standard: str | None = None
    specimen_known: bool = True
    problem: str | None = None


@cache
def meaning_of(text: str, specimen: str | None = None) -> Meaning:
    """Find the analyte that a name means, in the specimen that the name or its own column states.

    BDNF and cortisol are different analytes in different specimens. Where none is stated they are an
    analyte of their own, which is pooled with none of the others; a specimen that contradicts the name,
    or in which the analyte is not known, is a problem.

    Parameters
    ----------
    text : str
        Id, name, name of its feature, or LOINC code; case, hyphens and Greek letters do not matter.
    specimen : str, optional
        Such as ``EDTA plasma``, ``saliva``, ``serum, pm``.

    Examples
    --------
    >>> meaning_of("IL-6 (pg/mL)").unit, meaning_of("bdnf", "hair").problem
    ('pg/mL', 'bdnf is known in plasma, serum, not in hair')
    """
    standard = _STANDARD.search(text)
    plain = re.sub(r"[(\[][^)\]]*\d{2}/\d{3}[^)\]]*[)\]]", " ", text) if standard else text
    whole = _by_name().get(fold_name(plain)) or _by_name().get(f"loinc{fold_name(plain)}")
    name, unit = (whole, None) if whole else _name_and_unit(plain)
    rest = None if name else _without_specimen(plain)
    if rest is not None:
        name, unit, said = rest
        specimen = f"{specimen or ''} {said}"
    if name is None:
        return Meaning(None, problem="unknown analyte")
    found = _in_specimen(load_biomarkers()[name], specimen)
    return replace(found, unit=unit, standard=standard[0] if standard else None)


def find_biomarker(text: str, specimen: str | None = None) -> Biomarker | None:
    """Return the analyte that a name means, None when it is not known; see `meaning_of`.

    Examples
    --------
    >>> find_biomarker("TNF-α").id, find_biomarker("BDNF", "EDTA plasma").id, find_biomarker("cortisol (hair)").id
    ('tnf_alpha', 'bdnf_plasma', 'cortisol_hair')
    """
    return meaning_of(text, specimen).marker


def _tokens(text: str) -> tuple[str, ...]:
    for letter, word in _GREEK.items():
        text = text.replace(letter, word)
    return words_of(text.replace("µ", "u").replace("μ", "u"))


def _name_and_unit(text: str) -> tuple[str | None, str | None]:
    tokens, unit = unit_at_end(_tokens(text))
    return (_by_name().get("".join(tokens)), unit) if unit else (None, None)


def _without_specimen(text: str) -> tuple[str, str | None, str] | None:
    """Read a name that holds its specimen, such as "cortisol (saliva) nmol/L"."""
    tokens, unit = unit_at_end(_tokens(text))
    _, rest = specimens_in(tokens)
    bare = tuple(word for word in rest if word not in {"am", "pm", "morning", "afternoon", "evening"})
    name = _by_name().get("".join(bare))
    return None if name is None or bare == tokens else (name, unit, " ".join(tokens))


def _in_specimen(named: Biomarker, specimen: str | None) -> Meaning:
    stated = specimen_of(specimen)
    if named.specimen == UNSTATED and stated not in {UNSTATED, None}:
        return _of_family(named, str(stated), afternoon(specimen))
    if named.specimen == UNSTATED:
        return Meaning(named, specimen_known=False)
    if stated in {UNSTATED, None} or stated in fitting_specimens(named.specimen):
        return Meaning(named)
    known = ", ".join(sorted(fitting_specimens(named.specimen)))
    return Meaning(None, problem=f"{named.id} is known in {known}, not in {stated}")


def _of_family(named: Biomarker, stated: str, later: bool) -> Meaning:
    """Choose the row of the specimen; of serum cortisol there is one for the morning and one for the afternoon."""
    family = [marker for marker in load_biomarkers().values() if marker.family == named.id and marker is not named]
    fitting = [marker for marker in family if stated in fitting_specimens(marker.specimen)]
    if fitting:
        return Meaning(fitting[-1] if later else fitting[0])
    known = sorted({specimen for marker in family for specimen in fitting_specimens(marker.specimen)})
    if stated == "blood":  # serum or plasma, not said which
        return Meaning(named, specimen_known=False)
    return Meaning(None, problem=f"{named.id} is known in {', '.join(known)}, not in {stated}")
