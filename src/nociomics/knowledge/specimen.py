"""What a laboratory means by a specimen: serum, plasma, saliva, hair and others, in several languages."""

from __future__ import annotations

import csv
import re
import unicodedata
from functools import cache
from importlib import resources

UNSTATED = "unstated"
_BLOOD = frozenset({"serum", "plasma", "blood"})
# What the word in column "specimen" of biomarkers.csv stands for.
_FITTING = {
    "blood": _BLOOD,
    "serum": frozenset({"serum"}),
    "plasma": frozenset({"plasma"}),
    "serum am": _BLOOD,
    "serum pm": _BLOOD,
    "saliva": frozenset({"saliva"}),
    "hair": frozenset({"hair"}),
    "derived": frozenset({"saliva"}),
    UNSTATED: frozenset(),
}


def words_of(text: str) -> tuple[str, ...]:
    """Split a text into lower-case words without accents.

    Examples
    --------
    >>> words_of("Sérum, PM"), words_of("EDTA-plasma")
    (('serum', 'pm'), ('edta', 'plasma'))
    """
    plain = unicodedata.normalize("NFKD", text.casefold())
    return tuple(re.findall(r"[a-z0-9]+", "".join(sign for sign in plain if not unicodedata.combining(sign))))


@cache
def load_specimens() -> dict[tuple[str, ...], str]:
    """Return the words for every specimen; the mapping is shared: do not change it."""
    with resources.files("nociomics.knowledge").joinpath("specimens.csv").open("r", encoding="utf-8") as handle:
        return {words_of(row["word"]): row["specimen"] for row in csv.DictReader(handle)}


def specimens_in(tokens: tuple[str, ...]) -> tuple[set[str], tuple[str, ...]]:
    """Find the specimens that some words name, and return the other words.

    Examples
    --------
    >>> specimens_in(("cortisol", "oral", "fluid"))
    ({'saliva'}, ('cortisol',))
    """
    known, found, rest, place = load_specimens(), set(), [], 0
    while place < len(tokens):
        width = next((width for width in (3, 2, 1) if tokens[place : place + width] in known), 0)
        if width:
            found.add(known[tokens[place : place + width]])
        else:
            rest.append(tokens[place])
        place += max(width, 1)
    return found, tuple(rest)


@cache
def specimen_of(text: str | None) -> str | None:
    """Return what a specimen column says: one of our words, ``unstated`` when empty, None when not understood.

    Serum and plasma named together, or blood with an anticoagulant, say no more than blood.

    Examples
    --------
    >>> specimen_of("EDTA plasma"), specimen_of("Sérum"), specimen_of("whole blood, EDTA"), specimen_of("tube 7")
    ('plasma', 'serum', 'blood', None)
    """
    tokens = words_of(text or "")
    found, _ = specimens_in(tokens)
    if not tokens:
        return UNSTATED
    if len(found) > 1:
        return "blood" if found <= _BLOOD else None
    return next(iter(found), None)


def fitting_specimens(kind: str) -> frozenset[str]:
    """Return the specimens that a row of biomarkers.csv takes.

    Examples
    --------
    >>> sorted(fitting_specimens("blood")), sorted(fitting_specimens("hair"))
    (['blood', 'plasma', 'serum'], ['hair'])
    """
    return _FITTING[kind]


def afternoon(text: str | None) -> bool:
    """Whether a text says afternoon or evening."""
    return bool({"pm", "afternoon", "evening"} & set(words_of(text or "")))
