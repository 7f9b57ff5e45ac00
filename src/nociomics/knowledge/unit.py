"""Units of amounts: how much each one is, and the many ways in which laboratories spell it."""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib import resources

# How much one unit is, in g/L, mol/L, g/g, mol/g or IU/mL.
MASS = {
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
MOLAR = {
    "mmol/L": 1e-3,
    "umol/L": 1e-6,
    "nmol/mL": 1e-6,
    "nmol/L": 1e-9,
    "pmol/mL": 1e-9,
    "pmol/L": 1e-12,
    "fmol/mL": 1e-12,
    "fmol/L": 1e-15,
}
MASS_FRACTION = {"ng/mg": 1e-6, "ng/g": 1e-9, "pg/mg": 1e-9, "pg/g": 1e-12}
MOLAR_FRACTION = {"nmol/g": 1e-9, "pmol/mg": 1e-9, "pmol/g": 1e-12, "fmol/mg": 1e-12}
ACTIVITY = {"IU/mL": 1.0, "IU/L": 1e-3, "mIU/mL": 1e-3, "kIU/L": 1.0, "kIU/mL": 1e3}
_KNOWN = (*MASS, *MOLAR, *MASS_FRACTION, *MOLAR_FRACTION, *ACTIVITY, "mm/h")
_MICRO = str.maketrans({"µ": "u", "μ": "u", "[": None, "]": None, "⁻": "-", "¹": "1", "·": ".", "−": "-"})
_PER_VOLUME = re.compile(r"[.*]?(ml|dl|l|mg|g|h)\^?\(?-1\)?$")


def unit_words(unit: str) -> str:
    """Write a unit so that it fits into a column name.

    Examples
    --------
    >>> unit_words("pg/mL"), unit_words("nmol/L")
    ('pg_per_ml', 'nmol_per_l')
    """
    return unit.lower().replace("/", "_per_").replace(" ", "_")


@cache
def _spellings() -> dict[str, str]:
    with resources.files("nociomics.knowledge").joinpath("unit_spellings.csv").open("r", encoding="utf-8") as handle:
        odd = {row["spelling"]: row["unit"] for row in csv.DictReader(handle)}
    return {**{unit.lower(): unit for unit in _KNOWN}, **odd}


@cache
def normalise_unit(text: str) -> str:
    """Return a unit as we write it: case, blanks, micro signs, brackets, exponents and "mcg" do not matter.

    An unknown unit comes back with its blanks removed and is refused by `Biomarker.factor`.

    Examples
    --------
    >>> normalise_unit("µg / dL"), normalise_unit("mcg/dl"), normalise_unit("[iU]/mL"), normalise_unit("per cent")
    ('ug/dL', 'ug/dL', 'IU/mL', 'percent')
    >>> normalise_unit("pg mL-1"), normalise_unit("ng·mL⁻¹"), normalise_unit("pg per mL")
    ('pg/mL', 'ng/mL', 'pg/mL')
    """
    plain = re.sub(r"\s+", "", re.sub(r"\s+per\s+", "/", text).translate(_MICRO))
    folded = _PER_VOLUME.sub(r"/\1", plain.lower())
    folded = re.sub(r"^(mcg|microg|mikrog)/", "ug/", folded)
    folded = re.sub(r"^(mcmol|micromol)/", "umol/", folded)
    folded = re.sub(r"/(litre|liter)$", "/l", folded)
    return _spellings().get(folded, plain)


@cache
def _by_tokens() -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    for unit in _KNOWN:
        above, below = unit.lower().split("/")
        for numerator in {above, above.replace("ug", "mcg"), above.replace("umol", "mcmol")}:
            found[(numerator, below)] = unit
            found[(numerator, "per", below)] = unit
            found[(numerator + below,)] = unit
    return found


def unit_at_end(tokens: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """Split a column name's words into the name and the unit that it ends in, if any.

    Examples
    --------
    >>> unit_at_end(("il6", "pg", "per", "ml")), unit_at_end(("il", "6"))
    ((('il6',), 'pg/mL'), (('il', '6'), None))
    """
    for width in (3, 2, 1):
        unit = _by_tokens().get(tokens[-width:]) if len(tokens) > width else None
        if unit is not None:
            return tokens[:-width], unit
    return tokens, None
