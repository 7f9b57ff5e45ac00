"""Say which bases each person has at the positions of the pharmacogene tables: bases are compared, never 0 and 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from nociomics.ingest.genome_build import Build, plain_chrom
from nociomics.ingest.people import ID
from nociomics.ingest.position_alleles import UNKNOWN, is_reference_only
from nociomics.ingest.sample_calls import SampleCalls, calls_of
from nociomics.ingest.site_calls import CALLED, FLIPPED, HALF, STATES, SiteCalls, site_calls
from nociomics.ingest.table_positions import Position, places, positions_in
from nociomics.ingest.vcf import Record

__all__ = ["SCHEMA", "Position", "Seen", "pharmacogene_rows", "places", "positions_in", "touches"]

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
"""Columns in their order; the texts may be Enum or Categorical instead."""


@dataclass
class Seen:
    """What was met while positions were read: numbers of positions (``flipped``...) and of calls (``low``...)."""

    positions: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)


def touches(record: Record | SampleCalls, looked_for: dict[str, np.ndarray]) -> bool:
    """Whether a record (or reference block) lies on a place that is looked for."""
    numbers = looked_for.get(plain_chrom(record.chrom))
    if numbers is None:
        return False
    end = record.pos + len(record.ref) - 1
    if is_reference_only(record):
        end = max(end, record.end)
    return bool(np.searchsorted(numbers, record.pos, "left") < np.searchsorted(numbers, end, "right"))


def pharmacogene_rows(
    records: Iterable[Record | SampleCalls],
    positions: Iterable[Position],
    build: Build,
    people: Sequence[str],
    columns: np.ndarray,
    seen: Seen | None = None,
) -> pl.DataFrame:
    """Read every person's bases at every position that the file has.

    The work and the memory grow with people times positions; texts are numbers until the end (Enum columns).

    Parameters
    ----------
    records : iterable of Record or SampleCalls
        Those that lie on a position.
    people : sequence of str
        Ids, in the order of ``columns``.
    columns : array of int, shape (people,)
        The sample column of each person.
    seen : Seen, optional
        Takes what was met.

    Returns
    -------
    DataFrame, one row per person and position
        As in the contract ``PHARMACOGENE_GENOTYPES``. A half call keeps its one base, in ``base_1``.
    """
    near = _Near([calls_of(record) if isinstance(record, Record) else record for record in records])
    found = [(p, calls.only(columns)) for p in positions if (calls := site_calls(near.of(p), p)) is not None]
    _refuse_unsure_strands(found)
    if seen is not None:
        _count(found, seen)
    return _table(found, build, people)


class _Near:
    """The records that may speak of a position, by chromosome and place."""

    def __init__(self, records: list[SampleCalls]) -> None:
        self._by_chrom: dict[str, tuple[list[SampleCalls], np.ndarray, np.ndarray]] = {}
        grouped: dict[str, list[SampleCalls]] = {}
        for record in records:
            grouped.setdefault(plain_chrom(record.chrom), []).append(record)
        for chrom, here in grouped.items():
            begin = np.array([record.pos for record in here])
            end = np.array([max(record.end, record.pos + len(record.ref) - 1) for record in here])
            self._by_chrom[chrom] = here, begin, end

    def of(self, position: Position) -> list[SampleCalls]:
        """Return the records that reach the position, or the places where it may be written instead."""
        if position.chrom not in self._by_chrom:
            return []
        here, begin, end = self._by_chrom[position.chrom]
        hit = (begin <= position.reach) & (end >= position.pos)
        return [here[place] for place in np.flatnonzero(hit).tolist()]


def _refuse_unsure_strands(found: list[tuple[Position, SiteCalls]]) -> None:
    """Refuse A/T and C/G positions where the file's REF is neither of one strand nor the genome's reference.

    A file of the other strand alone shows the complement of the reference there, and is refused as it is read. Where
    REF and ALT are exchanged at other positions too, a REF that equals the table's says nothing about the strand.
    """
    kinds = {calls.kind for position, calls in found if position.confirmed}
    if "flipped_exchanged" not in kinds and not {"flipped", "exchanged"} <= kinds:
        return
    for position, calls in found:
        if position.ambiguous:
            calls.kind = "ambiguous"
            calls.first[calls.first >= 0] = UNKNOWN
            calls.second[calls.second >= 0] = UNKNOWN


def _count(found: list[tuple[Position, SiteCalls]], seen: Seen) -> None:
    for _, calls in found:
        seen.positions[calls.kind] += 1
        states = np.bincount(calls.states(), minlength=len(STATES))
        seen.calls.update(dict(zip(STATES, states.tolist(), strict=True)))
        seen.calls["contradictory"] += int(calls.contradictory.sum())


def _table(found: list[tuple[Position, SiteCalls]], build: Build, people: Sequence[str]) -> pl.DataFrame:
    """Lay the calls out as rows; every text column is made of the numbers of its words."""
    count = len(people)
    if not found or not count:
        return pl.DataFrame(schema=SCHEMA)
    words = list(dict.fromkeys(allele for position, _ in found for allele in position.alleles))
    number = {word: place for place, word in enumerate(words)}
    states = [calls.states() for _, calls in found]
    sides = [_bases(position, calls, state, number) for (position, calls), state in zip(found, states, strict=True)]
    whole = np.arange(len(found)).repeat(count)
    return pl.DataFrame(
        {
            ID: _spelt(np.tile(np.arange(count), len(found)), list(people)),
            "gene": _spelt(whole, [position.gene for position, _ in found]),
            "rsid": _spelt(whole, [position.rsid for position, _ in found]),
            "build": _spelt(np.zeros(len(whole), np.uint8), [build]),
            "call_state": _spelt(np.concatenate(states), list(STATES)),
            "base_1": _spelt(np.concatenate([one for one, _ in sides]), words),
            "base_2": _spelt(np.concatenate([two for _, two in sides]), words),
            "phased": np.concatenate([calls.phased for _, calls in found]),
            "phase_set": pl.concat([_phase_sets(calls, count) for _, calls in found]),
        }
    )


def _spelt(numbers: np.ndarray, words: list[str]) -> pl.Series:
    """Turn numbers into their words, a negative one into null."""
    known = list(dict.fromkeys(words))
    places = pl.Series(numbers, dtype=pl.Int32)
    if int(numbers.min()) < 0:
        places = places.set(places < 0, None)
    return pl.Series(words, dtype=pl.Enum(known)).gather(places)


def _bases(
    position: Position, calls: SiteCalls, state: np.ndarray, number: dict[str, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return both bases as numbers of words, negative where the state says that there is none."""
    # NO_CALL, NO_COPY and UNKNOWN (-1 to -3) read the last places of the list.
    word = np.array([*(number[allele] for allele in position.alleles), -1, -1, -1], dtype=np.int16)
    usable = (state == CALLED) | (state == FLIPPED)
    one, two = word[calls.first], word[calls.second]
    known = np.where(one >= 0, one, two)
    first = np.where(usable, one, np.where(state == HALF, known, np.int16(-1)))
    return first, np.where(usable, two, np.int16(-1))


def _phase_sets(calls: SiteCalls, count: int) -> pl.Series:
    if calls.phase_sets is None:
        return pl.repeat(None, count, dtype=pl.Categorical, eager=True)
    return calls.phase_sets.set(~pl.Series(calls.phased), None)
