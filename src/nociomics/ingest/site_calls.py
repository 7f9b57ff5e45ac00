"""Put together what the records at one position say of every person: split rows, repeated rows, reference blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import polars as pl

from nociomics.ingest.position_alleles import NO_CALL, NO_COPY, UNKNOWN, Reading, is_reference_only, read_alleles
from nociomics.ingest.sample_calls import SampleCalls
from nociomics.ingest.table_positions import Position

STATES = ("called", "no_call", "half_call", "filtered", "strand_flipped", "unknown_base", "strand_ambiguous")
"""Call states of `PHARMACOGENE_GENOTYPES`, by number."""
CALLED, MISSING, HALF, FILTERED, FLIPPED, STRANGE, AMBIGUOUS = range(len(STATES))
_TWO = 2


@dataclass
class SiteCalls:
    """Every person's alleles at one position.

    Attributes
    ----------
    first, second : ndarray of int8, shape (people,)
        Numbers of the position's alleles, or `NO_CALL`, `NO_COPY`, `UNKNOWN`.
    unsure, phased, contradictory : ndarray of bool, shape (people,)
        Called but refused; phased; told in two ways by rows that repeat each other.
    phase_sets : Series of Categorical, optional
        Phase sets.
    kind : str
        As of `position_alleles.Reading`.
    """

    first: np.ndarray
    second: np.ndarray
    unsure: np.ndarray
    phased: np.ndarray
    contradictory: np.ndarray
    phase_sets: pl.Series | None
    kind: str

    def only(self, columns: np.ndarray) -> SiteCalls:
        """Take some people."""
        sets = None if self.phase_sets is None else self.phase_sets.gather(columns)
        return SiteCalls(
            self.first[columns],
            self.second[columns],
            self.unsure[columns],
            self.phased[columns],
            self.contradictory[columns],
            sets,
            self.kind,
        )

    def states(self) -> np.ndarray:
        """Return the state of every person as a number of `STATES`."""
        missing = (self.first == NO_CALL).astype(np.int8) + (self.second == NO_CALL)
        state = np.full(len(self.first), FLIPPED if self.kind.startswith("flipped") else CALLED, np.uint8)
        state[missing == 1] = HALF
        state[(self.first == UNKNOWN) | (self.second == UNKNOWN)] = AMBIGUOUS if self.kind == "ambiguous" else STRANGE
        state[(missing == _TWO) | ((missing == 1) & (self.second == NO_COPY)) | self.contradictory] = MISSING
        state[self.unsure] = FILTERED
        return state


def site_calls(records: Sequence[SampleCalls], position: Position) -> SiteCalls | None:
    """Read one position from the records near it; None when none of them says anything about it.

    Rows with an ALT of their own go before rows without, and these before reference blocks. Rows that show different
    ALTs are parts of one split site; rows that show the same ones repeat each other and must agree.
    """
    read = [(record, reading) for record in records if (reading := read_alleles(record, position)) is not None]
    own = [pair for pair in read if not is_reference_only(pair[0])]
    if own:
        gone = [r for r in records if r.pos == position.pos and r.alts and all(a in ("*", "<*:DEL>") for a in r.alts)]
        spanning = [(record, Reading((0, *(UNKNOWN for _ in record.alts)), "fits")) for record in gone]
        return _joined([_single(*pair) for pair in own + spanning], [pair[1].tells for pair in own + spanning])
    plain = [pair for pair in read if pair[0].end == pair[0].pos]
    if plain:
        nothing = frozenset[int]()
        return reduce(lambda one, other: _repeated(one, other, nothing, nothing), [_single(*pair) for pair in plain])
    return _of_blocks(records, position)


def _single(record: SampleCalls, reading: Reading) -> SiteCalls:
    # NO_CALL (-1), NO_COPY (-2) and what lies before them read the last places of the list.
    number = np.array([*reading.codes, UNKNOWN, NO_COPY, NO_CALL], dtype=np.int8)
    nobody = np.zeros(len(record.first), bool)
    return SiteCalls(
        number[record.first],
        number[record.second],
        record.unsure,
        record.phased,
        nobody,
        record.phase_sets,
        reading.kind,
    )


def _joined(rows: list[SiteCalls], tells: list[frozenset[int]]) -> SiteCalls:
    parts: list[tuple[frozenset[int], SiteCalls]] = []
    for row, told in sorted(zip(rows, tells, strict=True), key=lambda pair: -len(pair[1])):
        place = next((place for place, (other, _) in enumerate(parts) if told & other), None)
        if place is None:
            parts.append((told, row))
        else:
            parts[place] = (parts[place][0], _repeated(parts[place][1], row, parts[place][0], told))
    return parts[0][1] if len(parts) == 1 else _of_parts([part for _, part in parts])


def _repeated(one: SiteCalls, other: SiteCalls, tells: frozenset[int], told: frozenset[int]) -> SiteCalls:
    """Merge two rows that show the same alleles: a missing or refused one gives way, two that differ are refused."""
    first, second = (np.sort(_limited(row, tells & told), axis=0) for row in (one, other))
    empty_one, empty_other = _is_empty(one), _is_empty(other)
    differ = (first != second).any(axis=0) & ~empty_one & ~empty_other
    differ |= np.isin(other.first, list(told - tells)) | np.isin(other.second, list(told - tells))
    if told < tells:  # the wider row has said it all
        other, empty_other = one, empty_one
    # the phased one of two equal ones tells more
    take = (empty_one & ~empty_other) | (~differ & ~empty_other & other.phased & ~one.phased)
    sets = one.phase_sets
    if other.phase_sets is not None:
        before = pl.repeat(None, len(take), dtype=pl.Categorical, eager=True) if sets is None else sets
        sets = other.phase_sets.zip_with(pl.Series(take), before)
    return SiteCalls(
        np.where(take, other.first, one.first),
        np.where(take, other.second, one.second),
        np.where(take, other.unsure, one.unsure),
        np.where(take, other.phased, one.phased),
        one.contradictory | other.contradictory | differ,
        sets,
        one.kind if one.kind == other.kind else "fits",
    )


def _limited(row: SiteCalls, told: frozenset[int]) -> np.ndarray:
    """Both alleles, of the alternatives only those that are compared."""
    both = np.stack([row.first, row.second])
    both[(both > 0) & ~np.isin(both, list(told))] = 0
    return both


def _is_empty(row: SiteCalls) -> np.ndarray:
    empty: np.ndarray = row.unsure | (row.first == NO_CALL) | (row.second == NO_CALL)
    return empty


def _of_parts(parts: list[SiteCalls]) -> SiteCalls:
    """Join the rows of a split site: REF wherever no row has another allele."""
    one = np.stack([part.first for part in parts])
    two = np.stack([part.second for part in parts])
    phased = np.all([part.phased for part in parts], axis=0)
    haploid = (two == NO_COPY).all(axis=0)
    mixed = (two == NO_COPY).any(axis=0) & ~haploid
    first, clash_1 = _slot(one)
    second, clash_2 = _slot(two)
    pooled = _pooled(one, two)
    take_slots = phased | haploid
    contradictory = mixed | np.where(take_slots, clash_1 | clash_2, pooled[2])
    second = np.where(haploid, NO_COPY, np.where(take_slots, second, pooled[1])).astype(np.int8)
    first = np.where(take_slots, first, pooled[0]).astype(np.int8)
    unknown = (one == UNKNOWN).any(axis=0) | (two == UNKNOWN).any(axis=0)
    first[unknown] = UNKNOWN
    return SiteCalls(
        first,
        second,
        np.any([part.unsure for part in parts], axis=0),
        phased,
        contradictory | np.any([part.contradictory for part in parts], axis=0),
        next((part.phase_sets for part in parts if part.phase_sets is not None), None),
        parts[0].kind,
    )


def _slot(alleles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read one chromosome from all rows, shape (rows, people); and whether two rows claim it."""
    count = (alleles > 0).sum(axis=0)
    value = np.where(count > 0, alleles.max(axis=0), np.where((alleles == NO_CALL).any(axis=0), NO_CALL, 0))
    return value, count > 1


def _pooled(one: np.ndarray, two: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read both chromosomes in no order: the alternatives of all rows, then what is missing, then REF.

    A row may write the alternatives of the others as REF or as missing, so only missing alleles beyond these count.
    """
    own = (one > 0).astype(np.int8) + (two > 0)
    total = own.sum(axis=0)
    missing = (one == NO_CALL).astype(np.int8) + (two == NO_CALL)
    lacking = np.clip((missing - (total - own)).max(axis=0), 0, np.clip(_TWO - total, 0, None))
    ordered = -np.sort(-np.concatenate([one, two]), axis=0)
    # the lower number first, as a file writes an unphased call; of a half call the known allele
    rest = np.where(lacking > 0, NO_CALL, 0)
    first = np.where(total == 0, np.where(lacking == _TWO, NO_CALL, 0), np.where(total == 1, rest, ordered[1]))
    second = np.where(total > 0, ordered[0], rest)
    return first, second, total > _TWO


def _of_blocks(records: Sequence[SampleCalls], position: Position) -> SiteCalls | None:
    """Read reference blocks: every base of the position's reference allele must lie in one that is sure."""
    blocks = [r for r in records if is_reference_only(r) and r.pos <= position.last and _last(r) >= position.pos]
    covered = [
        [block for block in blocks if block.pos <= place <= _last(block)]
        for place in range(position.pos, position.last + 1)
    ]
    if not all(covered):
        return None
    if any(b.pos <= position.pos < b.pos + len(b.ref) and not _agrees(b, position) for b in blocks):
        return None
    return _of_covering(blocks, covered)


def _last(record: SampleCalls) -> int:
    return max(record.end, record.pos + len(record.ref) - 1)


def _agrees(block: SampleCalls, position: Position) -> bool:
    """Whether the base that a block states is the table's."""
    return block.ref[position.pos - block.pos] in (position.ref[0], "N")


def _of_covering(blocks: list[SampleCalls], covered: list[list[SampleCalls]]) -> SiteCalls:
    count = len(blocks[0].first)
    sure, strange, unsure, half, one_copy = (np.zeros(count, bool) for _ in range(5))
    sure[:] = True
    for block in blocks:
        strange |= (block.first > 0) | (block.second > 0)
        unsure |= block.unsure
        half |= (block.first == NO_CALL) ^ (block.second == NO_CALL)
        one_copy |= (block.first == 0) & (block.second == NO_COPY)
    for here in covered:
        sure &= np.any([(b.first == 0) & np.isin(b.second, [0, NO_COPY]) & ~b.unsure for b in here], axis=0)
    first = np.where(sure | (unsure & ~strange), 0, NO_CALL).astype(np.int8)
    first[strange] = UNKNOWN
    second = np.where(one_copy, NO_COPY, first).astype(np.int8)
    second[half & ~sure & ~strange] = NO_CALL
    first[half & ~sure & ~strange] = 0
    lead = blocks[0]
    nobody = np.zeros(count, bool)
    return SiteCalls(first, second, unsure & ~sure, lead.phased, nobody, lead.phase_sets, "fits")
