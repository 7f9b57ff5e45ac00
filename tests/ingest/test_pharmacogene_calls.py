"""Bases are compared, never 0 and 1: the same person reads the same in every way of writing."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nociomics.ingest.genotype import read_genotype
from nociomics.ingest.notes import Notes
from tests.conftest import shared

from .test_vcf import source, vcf

GRCH38 = "##contig=<ID=chr10,length=133797422>"
GRCH37 = "##contig=<ID=10,length=135534747>"


def calls_of(folder: Path, *lines: str, header: str = GRCH38) -> pl.DataFrame:
    described = vcf(folder, *lines, header=header)
    return read_genotype([described], folder, None, Notes("genotype"))[2].sort("patient_id", "rsid")


def states(calls: pl.DataFrame) -> str:
    """One word per person: bases where they are called, else the state; ~ marks the other strand."""
    words = []
    for state, one, two in calls.select("call_state", "base_1", "base_2").iter_rows():
        bases = f"{one}/{two}" if two else one
        words.append({"called": bases, "strand_flipped": f"~{bases}"}.get(state, state))
        assert (state in ("called", "strand_flipped", "half_call")) == (one is not None)
        assert two is None or state in ("called", "strand_flipped")
    return " ".join(words)


# COMT rs4680: chr22, 19963748 G>A (GRCh38); rs4818: 19963684 C>G, which is ambiguous between strands.
CASES = {
    "plus strand": ("chr22 19963748 . G A . 0/0 0/1 1|1 ./.", "G/G G/A A/A no_call"),
    "no prefix": ("22 19963748 . G A . 0/0 0/1 1/1 ./.", "G/G G/A A/A no_call"),
    "REF and ALT exchanged": ("chr22 19963748 . A G . 1/1 0/1 0/0 ./.", "G/G A/G A/A no_call"),
    "other strand": ("chr22 19963748 . C T . 0/0 0/1 1/1 ./.", "~G/G ~G/A ~A/A no_call"),
    "half call": ("chr22 19963748 . G A . 0/. ./1 1/1 1/1", "half_call half_call A/A A/A"),
    "filtered": ("chr22 19963748 . G A q10 0/0 0/1 1/1 ./.", "filtered filtered filtered filtered"),
    "unknown base": ("chr22 19963748 . G C . 0/0 0/1 1/1 0/0", "G/G unknown_base unknown_base G/G"),
    "haploid": ("chr22 19963748 . G A . 0 1 . 0", "G A no_call G"),
    "ambiguous, plus strand": ("chr22 19963684 . C G . 0/0 0/1 1/1 0/0", "C/C C/G G/G C/C"),
    "ambiguous, other REF": (
        "chr22 19963684 . G C . 0/0 0/1 1/1 ./.",
        "strand_ambiguous strand_ambiguous strand_ambiguous no_call",
    ),
    "a reference block": ("chr22 19963700 . T <NON_REF> . 0/0 0/0 ./. 0/0", "G/G G/G no_call G/G"),
}


@pytest.mark.parametrize(("line", "expected"), CASES.values(), ids=CASES.keys())
def test_one_position(tmp_path: Path, line: str, expected: str) -> None:
    assert states(calls_of(tmp_path, line)) == expected


def test_a_split_site_is_put_together_again(tmp_path: Path) -> None:
    # rs2032582 (ABCB1) has two alternatives: chr7 87531302 A>C,T.
    whole = calls_of(tmp_path, "chr7 87531302 . A C,T . 0/1 1/2 2|1 0/0")
    split = calls_of(tmp_path, "chr7 87531302 . A C . 0/1 1/0 0|1 0/0", "chr7 87531302 . A T . 0/0 0/1 1|0 0/0")
    assert states(whole) == states(split)
    assert whole["phased"].to_list() == split["phased"].to_list() == [False, False, True, False]


def test_phase_sets_are_kept(tmp_path: Path) -> None:
    calls = calls_of(tmp_path, "chr22 19963748 . G A . 0|1:77 1|0:. 0/1:5 0|0")
    assert calls["phase_set"].to_list() == ["77", None, None, None]
    assert calls["phased"].to_list() == [True, True, False, True]


def test_the_build_follows_the_contigs_then_the_bases_and_can_be_said(tmp_path: Path) -> None:
    old = "22 19951271 . G A . 0/0 0/1 1/1 ./."
    assert calls_of(tmp_path, old, header=GRCH37)["build"].unique().to_list() == ["GRCh37"]
    assert calls_of(tmp_path, old, header="")["build"].unique().to_list() == ["GRCh37"]
    assert calls_of(tmp_path, "chr22 19963748 . G A . 0/0 0/1 1/1 ./.", header="")["build"][0] == "GRCh38"
    notes = Notes("genotype")
    described = vcf(tmp_path, "22 5 . G A . 0/0 0/1 1/1 ./.")
    assert read_genotype([described], tmp_path, None, notes)[2].height == 0
    assert any("genome build could not be told" in finding.message for finding in notes.findings)
    assert read_genotype([source("g.vcf", build="GRCh37")], tmp_path, None, Notes("genotype"))[2].height == 0


def test_a_header_against_the_bases_is_refused(tmp_path: Path) -> None:
    notes = Notes("genotype")
    described = vcf(tmp_path, "22 19951271 . G A . 0/0 0/1 1/1 ./.", header=GRCH38)
    read_genotype([described], tmp_path, None, notes)
    (finding,) = [finding for finding in notes.findings if finding.severity == "fatal"]
    assert "the header says GRCh38, but the reference bases are those of GRCh37" in finding.message


def test_both_builds_of_the_same_people_give_the_same_bases() -> None:
    folder = shared("data/pgx/vcf")
    new = read_genotype([source("full_unphased_grch38.vcf")], folder, None, Notes("genotype"))[2]
    old = read_genotype([source("full_unphased_grch37_nochr.vcf")], folder, None, Notes("genotype"))[2]
    key = ["patient_id", "rsid"]
    both = old.join(new, on=key, suffix="_new")
    assert both.height == old.height == 3500
    pair, other = pl.concat_list("base_1", "base_2").list.sort(), pl.concat_list("base_1_new", "base_2_new").list.sort()
    assert both.select((pair == other).all()).item()
    only = read_genotype([source("variant_only_grch37_noheader.vcf")], folder, None, Notes("genotype"))[2]
    assert only["build"].unique().to_list() == ["GRCh37"]
    assert only.join(old, on=[*key, "base_1", "base_2"]).height == only.height
