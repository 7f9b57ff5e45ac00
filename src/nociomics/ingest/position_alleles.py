"""Read the alleles of one record in the terms of one position of the tables: bases are compared, never 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from nociomics.ingest.minimal_alleles import known_context, minimal_alleles, same_variant
from nociomics.ingest.table_positions import Position

NO_CALL, NO_COPY, UNKNOWN = -1, -2, -3
"""Allele numbers that are none: not called, no second copy, a base that the table does not know."""
OPEN = ("<NON_REF>", "<*>", ".")
"""ALTs of a row that speaks of the reference only."""
Kind = Literal["fits", "exchanged", "flipped", "flipped_exchanged", "ambiguous", "contradicts"]
_COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}
_BASES = frozenset("ACGTN")


class Site(Protocol):
    """What is asked of a record here."""

    @property
    def pos(self) -> int:
        """Position of the first base of REF."""

    @property
    def ref(self) -> str:
        """Reference allele."""

    @property
    def alts(self) -> tuple[str, ...]:
        """Other alleles."""

    @property
    def end(self) -> int:
        """Last position of a reference block; else ``pos``."""


@dataclass(frozen=True)
class Reading:
    """How the alleles of a record read in the table's terms.

    Attributes
    ----------
    codes : tuple of int
        Number of the table's allele for each allele of the record (REF first), or `UNKNOWN`.
    kind : str
        How REF stands to the table's reference base: it ``fits``; REF and ALT are ``exchanged``; it is of the other
        strand (``flipped``), or both; the strand is ``ambiguous``; or the bases ``contradict`` the table.
    """

    codes: tuple[int, ...]
    kind: Kind

    @property
    def tells(self) -> frozenset[int]:
        """The alternatives of the table that a row can show."""
        return frozenset(code for code in self.codes if code > 0)


def is_reference_only(site: Site) -> bool:
    """Whether a record lists no allele of its own: a block or a row of a gVCF, or a site without ALT."""
    return all(alt in OPEN for alt in site.alts)


def read_alleles(site: Site, position: Position) -> Reading | None:
    """Read a record's alleles in the table's terms; None when the record says nothing about the position.

    A reference base that differs from the table's is first taken as exchanged REF and ALT, then as the other strand;
    where both are possible (A/T, C/G) it is refused. A record that is not written as the table writes it is taken
    when one of its ALTs surely makes the same change (`minimal_alleles.same_variant`).
    """
    if site.ref[:1] not in _BASES:
        return None
    if position.is_single_base:
        return _single_base(site, position)
    return _sequence(site, position)


def _single_base(site: Site, position: Position) -> Reading | None:
    offset = position.pos - site.pos
    if not 0 <= offset < len(site.ref):
        return None
    if len(site.ref) == 1:
        if site.alts and not any(alt in _COMPLEMENT or alt in OPEN for alt in site.alts):
            return None
        return _of_bases((site.ref, *site.alts), position)
    changes = [_base_after(site, alt, position.pos) for alt in site.alts]
    if not any(is_change for _, is_change in changes):
        return None
    if site.ref[offset] != position.ref:
        return Reading((UNKNOWN,) * (1 + len(site.alts)), "contradicts")
    return Reading(_numbers((position.ref, *(base for base, _ in changes)), position), "fits")


def _base_after(site: Site, alt: str, pos: int) -> tuple[str | None, bool]:
    """Say which base an ALT leaves at a place, and whether it changes this base for another; None where it is gone."""
    start, ref, changed = minimal_alleles(site.pos, site.ref, alt)
    if not set(alt) <= _BASES:
        return None, False
    if len(ref) == len(changed) and start <= pos < start + len(ref):
        base = changed[pos - start]
        return base, base != ref[pos - start]
    # the first base of an insertion or deletion is only its anchor
    gone = start < pos < start + len(ref) or (pos == start and ref[0] != changed[0])
    return (None if gone else site.ref[pos - site.pos]), False


def _of_bases(alleles: Sequence[str], position: Position) -> Reading:
    if alleles[0] == position.ref:
        return Reading(_numbers(alleles, position), "fits")
    table = set(position.alleles)
    bases = {allele for allele in alleles if allele in _COMPLEMENT}
    nothing = (UNKNOWN,) * len(alleles)
    if len(set(alleles)) < len(alleles) or alleles[0] not in _COMPLEMENT:
        return Reading(nothing, "contradicts")
    if position.ambiguous:
        return Reading(nothing, "ambiguous" if bases <= table else "contradicts")
    if bases <= table:
        return Reading(_numbers(alleles, position), "exchanged")
    turned = tuple(_COMPLEMENT.get(allele) for allele in alleles)
    if {_COMPLEMENT[base] for base in bases} <= table:
        return Reading(_numbers(turned, position), "flipped" if turned[0] == position.ref else "flipped_exchanged")
    return Reading(nothing, "contradicts")


def _numbers(alleles: Sequence[str | None], position: Position) -> tuple[int, ...]:
    table = {allele: number for number, allele in enumerate(position.alleles)}
    return tuple(UNKNOWN if allele is None else table.get(allele, UNKNOWN) for allele in alleles)


def _sequence(site: Site, position: Position) -> Reading | None:
    own = [_number_of(site, alt, position) for alt in site.alts]
    as_written = site.pos == position.pos and site.ref == position.ref
    if not as_written and not any(number > 0 for number in own):
        return None
    return Reading((0, *own), "fits")


def _number_of(site: Site, alt: str, position: Position) -> int:
    if not set(alt) <= _BASES:
        return UNKNOWN
    here, context = (site.pos, site.ref, alt), known_context(position.rsid)
    for number, allele in enumerate(position.alts, start=1):
        if same_variant(here, (position.pos, position.ref, allele), context):
            return number
    return UNKNOWN
