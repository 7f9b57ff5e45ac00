"""Say which bases each person has at the positions of the pharmacogene tables: bases are compared, never 0 and 1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from nociomics.ingest.genome_build import BUILDS, Build, plain_chrom
from nociomics.ingest.people import ID
from nociomics.ingest.vcf import NO_CALL, NO_COPY, Record

_COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}
_OPEN = ("<NON_REF>", "<*>")
_GOOD = ("called", "strand_flipped")
_CALL = ("call_state", "base_1", "base_2", "phased", "phase_set")
SCHEMA = {
    ID: pl.String,
    "gene": pl.String,
    "rsid": pl.String,
    "build": pl.String,
    "call_state": pl.String,
    "base_1": pl.String,
    "base_2": pl.String,
    "phased": pl.Boolean,
    "phase_set": pl.String,
}


@dataclass(frozen=True)
class Position:
    """One row of the pharmacogene tables in one build."""

    gene: str
    rsid: str
    chrom: str
    pos: int
    ref: str
    alts: tuple[str, ...]
    ambiguous: bool

    @property
    def is_single_base(self) -> bool:
        """Whether all its alleles are single bases."""
        return all(len(allele) == 1 for allele in (self.ref, *self.alts))


@dataclass(frozen=True)
class Reading:
    """How the alleles of a record read in the table's terms; None for one that the table does not know."""

    bases: tuple[str | None, ...]
    state: str


def positions_in(table: pl.DataFrame, build: Build) -> list[Position]:
    """Take the positions of one build from `knowledge.pharmacogene.load_positions`."""
    name = build.lower()
    columns = ["gene", "rsid", "chrom", f"pos_{name}", f"ref_{name}", f"alts_{name}", "strand_ambiguous_snp"]
    once = table.unique("rsid", keep="first", maintain_order=True).select(columns)
    return [
        Position(gene, rsid, plain_chrom(chrom), pos, ref, tuple(alts.split(",")), bool(ambiguous))
        for gene, rsid, chrom, pos, ref, alts, ambiguous in once.iter_rows()
    ]


def places(table: pl.DataFrame) -> dict[str, np.ndarray]:
    """All positions of both builds per chromosome, sorted: what to look for while a file is read."""
    found: dict[str, set[int]] = {}
    for build in BUILDS:
        for chrom, pos in table.select("chrom", f"pos_{build.lower()}").drop_nulls().iter_rows():
            found.setdefault(plain_chrom(chrom), set()).add(pos)
    return {chrom: np.array(sorted(numbers)) for chrom, numbers in found.items()}


def touches(record: Record, looked_for: dict[str, np.ndarray]) -> bool:
    """Whether a record (or reference block) lies on a place that is looked for."""
    numbers = looked_for.get(plain_chrom(record.chrom))
    if numbers is None:
        return False
    end = record.end if _is_reference_block(record) else record.pos
    return bool(np.searchsorted(numbers, record.pos, "left") < np.searchsorted(numbers, end, "right"))


def _is_reference_block(record: Record) -> bool:
    return all(alt in _OPEN for alt in record.alts)


def pharmacogene_rows(
    records: Sequence[Record], positions: Iterable[Position], build: Build, people: Sequence[str], columns: np.ndarray
) -> pl.DataFrame:
    """Read every person's bases at every position that the file has.

    Parameters
    ----------
    records : sequence of Record
        Those that lie on a position.
    people : sequence of str
        Ids, in the order of ``columns``.
    columns : array of int, shape (people,)
        The sample column of each person.

    Returns
    -------
    DataFrame, one row per person and position
        As in the contract ``PHARMACOGENE_GENOTYPES``.
    """
    by_chrom: dict[str, list[Record]] = {}
    for record in records:
        by_chrom.setdefault(plain_chrom(record.chrom), []).append(record)
    parts = [pl.DataFrame(schema=SCHEMA)]
    for position in positions:
        here = [
            (record, reading)
            for record in by_chrom.get(position.chrom, ())
            if (reading := read_alleles(record, position)) is not None
        ]
        if here:
            calls = _calls(_best(here), columns)
            fixed = {"gene": position.gene, "rsid": position.rsid, "build": build}
            parts.append(
                pl.DataFrame({ID: list(people), **calls}, schema_overrides=SCHEMA)
                .with_columns(pl.lit(value).alias(name) for name, value in fixed.items())
                .select(list(SCHEMA))
            )
    return pl.concat(parts)


def read_alleles(record: Record, position: Position) -> Reading | None:
    """Read a record's alleles in the table's terms, None when the record says nothing about the position.

    A reference base that differs from the table's is first taken as exchanged REF and ALT, then as the other
    strand; where both are possible (A/T, C/G) it is refused.
    """
    if _is_reference_block(record) and record.end > record.pos:
        covers = record.pos <= position.pos and record.end >= position.pos + len(position.ref) - 1
        return Reading((position.ref, *[None] * len(record.alts)), "called") if covers else None
    if record.pos != position.pos:
        return None
    alleles = (record.ref, *record.alts)
    if record.ref == position.ref:
        return Reading(_known(alleles, position), "called")
    if position.is_single_base and len(record.ref) == 1:
        return _other_reference(alleles, position)
    if record.ref.startswith(position.ref):
        rest = record.ref[len(position.ref) :]
        cut = tuple(a[: -len(rest)] if a.endswith(rest) and len(a) > len(rest) else None for a in alleles)
        return Reading(_known(cut, position), "called") if any(a in position.alts for a in cut[1:]) else None
    return None


def _known(alleles: Sequence[str | None], position: Position) -> tuple[str | None, ...]:
    table = (position.ref, *position.alts)
    return tuple(allele if allele in table else None for allele in alleles)


def _other_reference(alleles: tuple[str, ...], position: Position) -> Reading:
    table = {position.ref, *position.alts}
    bases = {allele for allele in alleles if allele in _COMPLEMENT}
    if position.ambiguous:
        return Reading((None,) * len(alleles), "strand_ambiguous")
    if bases <= table:
        return Reading(_known(alleles, position), "called")
    turned = tuple(_COMPLEMENT.get(allele) for allele in alleles)
    if {_COMPLEMENT[base] for base in bases} <= table:
        return Reading(_known(turned, position), "strand_flipped")
    return Reading(_known(alleles, position), "called")


def _best(here: list[tuple[Record, Reading]]) -> list[tuple[Record, Reading]]:
    """Leave reference blocks out where a record of its own stands at the position; drop exact copies."""
    own = [pair for pair in here if not _is_reference_block(pair[0])] or here[:1]
    seen: dict[tuple[str, tuple[str, ...]], tuple[Record, Reading]] = {}
    for record, reading in own:
        seen.setdefault((record.ref, record.alts), (record, reading))
    return list(seen.values())


def _calls(here: list[tuple[Record, Reading]], columns: np.ndarray) -> dict[str, list]:
    """States and bases of every person; rows of a split multi-allelic site are put together again."""
    singles = [_single(record, reading, columns) for record, reading in here]
    if len(singles) > 1:
        rows = [_joined([{key: single[key][i] for key in single} for single in singles]) for i in range(len(columns))]
        return {key: [row[key] for row in rows] for key in _CALL}
    return {key: singles[0][key] for key in _CALL}


def _is_none(bases: np.ndarray) -> np.ndarray:
    return np.array([base is None for base in bases], dtype=bool)


def _single(record: Record, reading: Reading, columns: np.ndarray) -> dict[str, list]:
    first, second = record.first[columns], record.second[columns]
    bases = np.array([*reading.bases, None, None], dtype=object)
    # NO_COPY (-2) and NO_CALL (-1) read the two empty places at the end.
    one, two = bases[first], bases[second]
    missing = (first == NO_CALL).astype(int) + (second == NO_CALL)
    unknown = _is_none(one) | (_is_none(two) & (second != NO_COPY))
    state = np.where(unknown, "unknown_base", reading.state).astype(object)
    if reading.state == "strand_ambiguous":
        state[:] = "strand_ambiguous"
    state[missing == 1] = "half_call"
    state[missing == 2] = "no_call"
    if record.filtered:
        state[:] = "filtered"
    good = np.isin(state.astype(str), _GOOD)
    phased = record.phased[columns]
    sets = record.phase_sets() if phased.any() else []
    return {
        "call_state": state.tolist(),
        "base_1": [base if ok else None for base, ok in zip(one, good, strict=True)],
        "base_2": [base if ok else None for base, ok in zip(two, good, strict=True)],
        "phased": phased.tolist(),
        "phase_set": [
            sets[column] if sets and is_phased else None for column, is_phased in zip(columns, phased, strict=True)
        ],
        "_ref": [reading.bases[0]] * len(columns),
    }


def _joined(rows: list[dict]) -> dict:
    """Put one person's rows of a split site together: REF wherever no row has another allele."""
    open_state = next((row["call_state"] for row in rows if row["call_state"] not in _GOOD), None)
    empty = {"base_1": None, "base_2": None, "phased": False, "phase_set": None}
    if open_state is not None:
        return {"call_state": open_state, **empty}
    ref = rows[0]["_ref"]
    slots = [[row[name] for row in rows if row[name] not in (ref, None)] for name in ("base_1", "base_2")]
    phased = all(row["phased"] for row in rows)
    if not phased:
        others = slots[0] + slots[1]
        slots = [others[:-1], others[-1:]]
    if any(len(slot) > 1 for slot in slots):
        return {"call_state": "no_call", **empty}
    haploid = all(row["base_2"] is None for row in rows)
    bases = [slot[0] if slot else ref for slot in slots]
    return {
        "call_state": rows[0]["call_state"],
        "base_1": bases[0],
        "base_2": None if haploid else bases[1],
        "phased": phased,
        "phase_set": rows[0]["phase_set"],
    }
