"""Write a variant as short as it can be, so that two ways of writing it can be compared."""

from __future__ import annotations

import re

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
