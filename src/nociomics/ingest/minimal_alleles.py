"""Write a variant as short as it can be, so that two ways of writing it can be compared."""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files

_BASES = re.compile(r"^[ACGTN]+$", re.IGNORECASE)


def minimal_alleles(pos: int, ref: str, alt: str) -> tuple[int, str, str]:
    """Cut the bases that REF and ALT share: first at their ends, then at their beginnings, leaving one base each.

    A site with several ALTs is written with a REF as long as its longest needs, so one of its ALTs can look unlike
    the same variant written alone. After this, both are written the same. It needs no reference sequence and moves
    nothing along a repeat: two insertions into different places of a repeat stay unlike, though they make the same
    sequence.

    Parameters
    ----------
    pos : int
        Position of the first base of ``ref``.
    ref, alt : str
        Bases; an ALT that is no bases (``<DEL>``, ``*``, a breakend) is left as it is.

    Returns
    -------
    int, str, str
        Position, REF and ALT.

    References
    ----------
    Tan, Abecasis, Kang, Bioinformatics 2015, 31:2202-2204 (trimming; without its left alignment).

    Examples
    --------
    >>> minimal_alleles(1783, "TA", "TAA")
    (1783, 'T', 'TA')
    >>> minimal_alleles(2167, "AAAAC", "ACAAC")
    (2168, 'A', 'C')
    >>> minimal_alleles(7, "G", "<DEL>")
    (7, 'G', '<DEL>')
    """
    if not (_BASES.match(ref) and _BASES.match(alt)):
        return pos, ref, alt
    one, other = ref.upper(), alt.upper()
    end = 0
    while end < min(len(one), len(other)) - 1 and one[-1 - end] == other[-1 - end]:
        end += 1
    start = 0
    while start < min(len(one), len(other)) - end - 1 and one[start] == other[start]:
        start += 1
    return pos + start, ref[start : len(ref) - end], alt[start : len(alt) - end]


Variant = tuple[int, str, str]
"""Position of the first base of REF, REF, ALT."""


def same_variant(one: Variant, other: Variant, context: str = "") -> bool:
    """Tell whether two ways of writing surely make the same sequence, without a reference genome.

    What is known of the reference are the REF bases of both and, where given, those of a context. When these join
    without a gap, both changes are made to them and compared; over a gap nothing is sure, and the answer is no.

    Parameters
    ----------
    one, other : tuple of int, str, str
        Position, REF and ALT; bases only.
    context : str
        Reference bases from the position of ``other`` on, as far as they are known.

    Examples
    --------
    A deletion in a run of one base, written at its left and one base further right:

    >>> same_variant((101, "AA", "A"), (100, "GA", "G"))
    True
    >>> same_variant((103, "AA", "A"), (100, "GA", "G")), same_variant((103, "AA", "A"), (100, "GA", "G"), "GAAAAC")
    (False, True)
    """
    first, second = minimal_alleles(*one), minimal_alleles(*other)
    if first == second:
        return True
    if len(first[1]) - len(first[2]) != len(second[1]) - len(second[2]):
        return False
    known: dict[int, str] = {}
    for start, bases in ((one[0], one[1]), (other[0], other[1]), (other[0], context)):
        for place, base in enumerate(bases.upper(), start=start):
            if known.setdefault(place, base) != base:
                return False
    begin, end = min(first[0], second[0]), max(variant[0] + len(variant[1]) for variant in (first, second))
    if any(place not in known for place in range(begin, end)):
        return False
    reference = "".join(known[place] for place in range(begin, end))
    return _changed(reference, begin, first) == _changed(reference, begin, second)


def _changed(reference: str, begin: int, variant: Variant) -> str:
    pos, ref, alt = variant
    return reference[: pos - begin] + alt.upper() + reference[pos - begin + len(ref) :]


def known_context(rsid: str) -> str:
    """Return the reference bases from a repeat's position on; the empty string where none are recorded."""
    return _contexts().get(rsid, "")


@cache
def _contexts() -> dict[str, str]:
    text = (files("nociomics.knowledge") / "pgx" / "repeat_contexts.csv").read_text(encoding="utf-8")
    return {row["rsid"]: row["bases"] for row in csv.DictReader(text.splitlines())}
