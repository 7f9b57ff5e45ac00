"""Invented people written as VCF, in the many ways in which files come."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LENGTHS = {"GRCh38": ("chr10", 133797422), "GRCh37": ("chr10", 135534747)}
_COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}


class Place(Protocol):
    """A site of either set of tables."""

    @property
    def rsid(self) -> str:
        """Name."""
        ...

    @property
    def chrom(self) -> str:
        """Chromosome with ``chr``."""
        ...

    @property
    def pos(self) -> Mapping[str, int]:
        """Place by build."""
        ...

    @property
    def ref(self) -> Mapping[str, str]:
        """Reference base by build."""
        ...

    @property
    def bases(self) -> tuple[str, ...]:
        """All bases."""
        ...


@dataclass(frozen=True)
class Cell:
    """What stands in one cell: two bases, None for a dot; ``phase_set`` may be named where it is phased."""

    one: str | None
    two: str | None
    phased: bool = False
    phase_set: str | None = None


NO_CALL = Cell(None, None)


@dataclass(frozen=True)
class Style:
    """How a file is written.

    ``absent`` sites have no row, nor has one without any other base than the reference in a ``variants_only`` file;
    ``flipped`` sites are on the other strand, ``swapped`` ones have REF and ALT exchanged, ``split`` ones have a row
    per ALT, ``filtered`` ones failed a filter.
    """

    build: str = "GRCh38"
    prefix: bool = True
    contigs: bool = True
    variants_only: bool = False
    absent: frozenset[str] = frozenset()
    flipped: frozenset[str] = frozenset()
    swapped: frozenset[str] = frozenset()
    split: frozenset[str] = frozenset()
    filtered: frozenset[str] = frozenset()
    all_alternatives: bool = False


def write_vcf(path: Path, people: Mapping[str, Mapping[str, Cell]], sites: Sequence[Place], style: Style) -> Path:
    """Write the file, gzipped when its name ends so."""
    lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines.append('##FORMAT=<ID=PS,Number=1,Type=String,Description="Phase set">')
    name, length = LENGTHS[style.build]
    if style.contigs:
        lines.append(f"##contig=<ID={name if style.prefix else name[3:]},length={length}>")
    lines.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *people]))
    for site in sorted(sites, key=lambda s: (int(s.chrom[3:]), s.pos[style.build])):
        lines += _records(site, people, style)
    text = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def _records(site: Place, people: Mapping[str, Mapping[str, Cell]], style: Style) -> list[str]:
    if site.rsid in style.absent:
        return []
    reference = site.ref[style.build]
    cells = [person.get(site.rsid, Cell(reference, reference)) for person in people.values()]
    seen = {base for cell in cells for base in (cell.one, cell.two)} - {None, reference}
    if style.variants_only and not seen:
        return []
    others = [base for base in site.bases if base != reference and (base in seen or style.all_alternatives)]
    others += sorted(base for base in seen if base is not None and base not in site.bases)
    if site.rsid in style.swapped and others:
        reference, others = others[0], [reference, *others[1:]]
    turned = dict.fromkeys([reference, *others], "")
    for base in turned:
        turned[base] = _COMPLEMENT[base] if site.rsid in style.flipped else base
    rows = [[base] for base in others] if site.rsid in style.split and len(others) > 1 else [others]
    chrom = site.chrom if style.prefix else site.chrom[3:]
    state = "LowQual" if site.rsid in style.filtered else "PASS"
    start = [chrom, str(site.pos[style.build]), site.rsid if site.rsid.startswith("rs") else ".", turned[reference]]
    return [
        "\t".join(
            [
                *start,
                ",".join(turned[base] for base in row) or ".",
                ".",
                state,
                ".",
                "GT:PS",
                *[_cell(cell, row) for cell in cells],
            ]
        )
        for row in rows
    ]


def _cell(cell: Cell, alternatives: Sequence[str]) -> str:
    codes = ["." if b is None else str(alternatives.index(b) + 1 if b in alternatives else 0) for b in _pair(cell)]
    return f"{('|' if cell.phased else '/').join(codes)}:{cell.phase_set or '.'}"


def _pair(cell: Cell) -> tuple[str | None, str | None]:
    return cell.one, cell.two
