"""What must never change a call, and what may only make it less certain: whole files, read and called."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import examples
from tests.pharmacogenomics.files import call_file, places
from tests.pharmacogenomics.written_vcf import NO_CALL, Cell, Style, write_vcf

from nociomics.ingest.single_files import read_pharmacogenes
from nociomics.knowledge.pharmacogene import STAR_GENES
from nociomics.pharmacogenomics.allele_panel import allele_panel
from nociomics.pharmacogenomics.calling import call_pharmacogenes

# CYP2D6 has the most alleles, CYP2C19 the wobbles and a flip, UGT1A1 the indel with three lengths, CYP3A5 a flip.
GENES = ("CYP2D6", "CYP2C19", "UGT1A1", "CYP3A5")
SITES = [place for place in places().values() if place.gene in GENES]
People = dict[str, dict[str, Cell]]
quick = settings(max_examples=examples(4), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def drawn_people(seed: int, number: int = 4, phase: str = "/", missing: float = 0.02) -> People:
    """Draw people from pairs of star alleles, with wobbles either way and some positions not called."""
    chance = random.Random(seed)
    people: People = {}
    for i in range(number):
        cells = {}
        for gene in GENES:
            panel = allele_panel(gene)
            pair = [chance.randrange(len(panel.alleles)) for _ in range(2)]
            for rsid in panel.rsids:
                one, two = (
                    chance.choice(sorted(b for b, has in panel.carriers[rsid].items() if has >> a & 1)) for a in pair
                )
                block = chance.choice("12") if phase == "|" else None
                cells[rsid] = NO_CALL if chance.random() < missing else Cell(one, two, phase == "|", block)
        people[f"P{i}"] = cells
    return people


def called(folder: Path, people: Mapping[str, Mapping[str, Cell]], style: Style | None = None) -> pl.DataFrame:
    calls = call_file(write_vcf(folder / "people.vcf", people, SITES, style or Style()))
    return calls.filter(pl.col("gene").is_in(GENES)).sort("sample", "gene")


def turned(cell: Cell) -> Cell:
    return Cell(cell.two, cell.one, cell.phased, cell.phase_set)


def no_less_open(one: Mapping[str, object], other: Mapping[str, object]) -> None:
    """Assert that ``other``, of which less is known, allows whatever ``one`` allows."""
    if one["call_state"] != "called":
        return
    if other["call_state"] == "called":
        assert other["n_candidates"] >= one["n_candidates"]  # type: ignore[operator]
        for column in ("diplotype_candidates", "phenotype_candidates"):
            assert set(str(one[column]).split("|")) <= set(str(other[column]).split("|"))
    assert not (one["phenotype_certain"] is False and other["phenotype_certain"] is True)


@quick
@given(st.integers(0, 10**6), st.sampled_from("/|"), st.integers(0, 10**6).map(random.Random))
def test_order_of_samples_never_changes_a_call(tmp_path: Path, seed: int, phase: str, chance: random.Random) -> None:
    people = drawn_people(seed, phase=phase)
    names = chance.sample(sorted(people), len(people))
    assert called(tmp_path, {name: people[name] for name in names}).equals(called(tmp_path, people))


@quick
@given(st.integers(0, 10**6), st.sampled_from("/|"), st.integers(0, 10**6))
def test_order_of_sites_never_changes_a_call(tmp_path: Path, seed: int, phase: str, shuffle: int) -> None:
    people = drawn_people(seed, phase=phase)
    expected = called(tmp_path, people)
    genotypes, _, names, _ = read_pharmacogenes(tmp_path / "people.vcf", None)
    assert genotypes is not None
    mixed = genotypes.sample(fraction=1.0, shuffle=True, seed=shuffle)
    got = call_pharmacogenes(mixed, None, names).filter(pl.col("gene").is_in(GENES)).sort("sample", "gene")
    assert got.equals(expected)


@quick
@given(st.integers(0, 10**6))
def test_sides_of_a_phase_set_never_change_a_call(tmp_path: Path, seed: int) -> None:
    people = drawn_people(seed, phase="|")
    other = {
        name: {rsid: turned(cell) if cell.phase_set == "1" else cell for rsid, cell in person.items()}
        for name, person in people.items()
    }
    assert called(tmp_path, other).equals(called(tmp_path, people))


@quick
@given(st.integers(0, 10**6), st.integers(0, 10**6).map(random.Random))
def test_order_of_bases_without_phase_never_changes_a_call(tmp_path: Path, seed: int, chance: random.Random) -> None:
    people = drawn_people(seed)
    other = {
        name: {rsid: turned(cell) if chance.random() < 0.5 else cell for rsid, cell in person.items()}
        for name, person in people.items()
    }
    assert called(tmp_path, other).equals(called(tmp_path, people))


@quick
@given(st.integers(0, 10**6), st.integers(0, 10**6).map(random.Random))
def test_order_of_alternatives_and_split_rows_never_change_a_call(
    tmp_path: Path, seed: int, chance: random.Random
) -> None:
    people = drawn_people(seed)
    split = frozenset(place.rsid for place in SITES if chance.random() < 0.5)
    style = Style(split=split, all_alternatives=True)
    assert called(tmp_path, people, style).equals(called(tmp_path, people))


@quick
@given(st.integers(0, 10**6), st.sampled_from("/|"), st.booleans(), st.booleans())
def test_both_builds_give_the_same_call(tmp_path: Path, seed: int, phase: str, prefix: bool, contigs: bool) -> None:
    people = drawn_people(seed, phase=phase)
    old = called(tmp_path, people, Style(build="GRCh37", prefix=prefix, contigs=contigs))
    new = called(tmp_path, people)
    assert set(old["build"]) | set(new["build"]) == {"GRCh37", "GRCh38"}
    assert old.drop("build").equals(new.drop("build"))


@quick
@given(st.integers(0, 10**6), st.sampled_from("/|"), st.integers(0, 10**6).map(random.Random))
def test_a_further_missing_position_never_makes_a_call_more_certain(
    tmp_path: Path, seed: int, phase: str, chance: random.Random
) -> None:
    people = drawn_people(seed, number=1, phase=phase)
    rsids = sorted(people["P0"])
    before = called(tmp_path, people)
    for lost in (chance.sample(rsids, 1), chance.sample(rsids, 10), chance.sample(rsids, 60)):
        people = {"P0": people["P0"] | dict.fromkeys(lost, NO_CALL)}
        after = called(tmp_path, people)
        for one, other in zip(before.iter_rows(named=True), after.iter_rows(named=True), strict=True):
            no_less_open(one, other)
        before = after


@quick
@given(st.integers(0, 10**6), st.sampled_from(["absent", "half", "filtered"]), st.integers(0, 10**6))
def test_a_half_filtered_or_absent_position_says_no_more_than_a_missing_one(
    tmp_path: Path, seed: int, kind: str, pick: int
) -> None:
    person = drawn_people(seed, number=1, missing=0)["P0"]
    place = SITES[pick % len(SITES)]
    missing = called(tmp_path, {"P0": person | {place.rsid: NO_CALL}})
    cell, style = person[place.rsid], Style()
    if kind == "half":
        cell = Cell(None, cell.two)
    if kind in ("absent", "filtered"):
        style = Style(**{kind: frozenset({place.rsid})})
    odd = called(tmp_path, {"P0": person | {place.rsid: cell}}, style)
    told = ("diplotype_candidates", "diplotype_top", "phenotype_candidates", "phenotype_certain", "positions_missing")
    assert odd.select(told).equals(missing.select(told))


@quick
@given(st.integers(0, 10**6))
def test_dropping_phase_never_makes_a_call_more_certain(tmp_path: Path, seed: int) -> None:
    people = drawn_people(seed, phase="|")
    plain = {name: {rsid: Cell(cell.one, cell.two) for rsid, cell in person.items()} for name, person in people.items()}
    for one, other in zip(
        called(tmp_path, people).iter_rows(named=True), called(tmp_path, plain).iter_rows(named=True), strict=True
    ):
        no_less_open(one, other)


@pytest.mark.parametrize("gene", STAR_GENES)
def test_with_nothing_known_every_pair_is_possible(gene: str) -> None:
    panel = allele_panel(gene)
    assert len(panel.pairs({})) == len(panel.alleles) * (len(panel.alleles) + 1) // 2
