"""Calls of people whose bases are known, half known or not known."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import examples, shared
from tests.pharmacogenomics.people import diplotype_rows, only, person
from tests.pharmacogenomics.small_vcf import read_small_vcf

from nociomics.knowledge.pharmacogene import load_positions
from nociomics.pharmacogenomics.calling import CALL_SCHEMA, call_pharmacogenes, called_genes


def call(gene: str, genotypes: pl.DataFrame, **options: bool) -> dict[str, object]:
    rows = call_pharmacogenes(genotypes, None, ["P1"], **options)
    return rows.filter(pl.col("gene") == gene).row(0, named=True)


# case | gene | changes from the reference | all pairs | best | phenotypes
SPEC = """
CYP2C19 reference is *38              | CYP2C19 | -                                            | *38/*38                      | *38/*38        | Normal Metabolizer
CYP2C19 *1 is the other base          | CYP2C19 | rs3758581 G/G                                | *1/*1                        | *1/*1          | Normal Metabolizer
*2 with *17 on the other chromosome   | CYP2C19 | rs3758581 G/G, rs4244285 G/A, rs12769205 A/G, rs12248560 C/T | *2/*17       | *2/*17         | Intermediate Metabolizer
*4 with or without the *17 base       | CYP2C19 | rs3758581 G/G, rs28399504 A/G, rs12248560 C/T | *1/*4;*4/*17                | *1/*4          | Intermediate Metabolizer
*3/*3 by base at a build flip         | CYP3A5  | rs776746 C/C                                 | *3/*3                        | *3/*3          | Poor Metabolizer
CYP2B6 *6 has a twin                  | CYP2B6  | rs3745274 G/T, rs2279343 A/G                 | *1/*6;*4/*9                  | *1/*6          | Intermediate Metabolizer
UGT1A1 phase decides                  | UGT1A1  | rs887829 C/T, rs3064744 CAT/CATAT            | *1/*80+*28;*28/*80           | *1/*80+*28     | Indeterminate;Intermediate Metabolizer
UGT1A1 phase known, together          | UGT1A1  | rs887829 C|T, rs3064744 CAT|CATAT            | *1/*80+*28                   | *1/*80+*28     | Intermediate Metabolizer
UGT1A1 phase known, apart             | UGT1A1  | rs887829 C|T, rs3064744 CATAT|CAT            | *28/*80                      | *28/*80        | Indeterminate
UGT1A1 three lengths at one site      | UGT1A1  | rs3064744 CATAT/CATATAT                      | *28/*37                      | *28/*37        | Poor Metabolizer
CYP2C9 deletion                       | CYP2C9  | rs9332131 GA/G                               | *1/*6                        | *1/*6          | Intermediate Metabolizer
CYP2D6 *41 counts a quarter           | CYP2D6  | rs16947 G/A, rs1135840 C/G, rs28371725 C/T, rs1058164 C/G | *1/*41;*2/*119               | *1/*41         | Normal Metabolizer
"""  # noqa: E501
ROWS = [[part.strip() for part in line.split(" | ")] for line in SPEC.strip().splitlines()]


@pytest.mark.parametrize(("case", "gene", "changes", "pairs", "best", "phenotypes"), ROWS)
def test_spec(case: str, gene: str, changes: str, pairs: str, best: str, phenotypes: str) -> None:
    changed = {} if changes == "-" else dict(change.split() for change in changes.split(", "))
    got = call(gene, person([gene], changed))
    words = phenotypes.split(";")
    assert got["diplotype_candidates"] == pairs.replace(";", "|")
    assert got["diplotype_top"] == best
    assert got["phenotype_candidates"] == "|".join(words)
    assert got["phenotype"] == (words[0] if len(words) == 1 else None)
    assert got["phenotype_certain"] is (len(words) == 1)


def test_every_person_has_a_row_for_every_gene_and_untested_is_null() -> None:
    calls = call_pharmacogenes(person(["CYP3A5"]), None, ["P1", "P2"])
    assert calls.columns == list(CALL_SCHEMA)
    assert calls.select("sample", "gene").rows() == [(p, gene) for p in ("P1", "P2") for gene in called_genes()]
    untested = calls.filter(pl.col("sample") == "P2")
    assert set(untested["call_state"]) == {"not_tested"}
    rest = untested.drop("sample", "gene", "call_state", "table_version")
    assert rest.null_count().row(0) == (len(called_genes()),) * rest.width


def test_missing_position_is_not_reference() -> None:
    for genotypes in (
        person(["CYP3A5"], without=["rs776746"]),
        person(["CYP3A5"], states={"rs776746": "no_call"}),
        person(["CYP3A5"], states={"rs776746": "filtered"}),
        person(["CYP3A5"], states={"rs776746": "strand_ambiguous"}),
    ):
        got = call("CYP3A5", genotypes)
        assert got["diplotype_candidates"] == "*1/*1|*1/*3|*3/*3"
        assert got["diplotype_top"] == "*1/*1"
        assert (got["phenotype"], got["phenotype_certain"]) == (None, False)
        assert (got["positions_missing"], got["missing_alleles"]) == ("rs776746", "*3")
        assert (got["positions_defining"], got["positions_called"]) == (5, 4)


def test_half_call_is_evidence_but_not_a_pair() -> None:
    genotypes = person(["CYP2C19"], {"rs3758581": "G/G"}, states={"rs4244285": "half_call"})
    seen = pl.when(pl.col("rsid") == "rs4244285").then(pl.lit("A"))
    got = call("CYP2C19", genotypes.with_columns(base_1=seen.otherwise("base_1")))
    assert got["phenotype_certain"] is True, "rs12769205 already excludes *2"
    assert (got["partial_evidence"], got["flags"]) == ("rs4244285:A", "half_call:1")


def test_unknown_base_stops_the_gene_with_a_reason() -> None:
    got = call("CYP2C9", person(["CYP2C9"], {"rs1057910": "A/T"}))
    assert (got["call_state"], got["diplotype_candidates"], got["phenotype"]) == ("no_call", None, None)
    assert got["flags"] == "unknown_base:rs1057910"
    told = call("CYP2C9", person(["CYP2C9"], states={"rs1057910": "unknown_base"}))
    assert (told["call_state"], told["flags"]) == ("no_call", "unknown_base:rs1057910")


def test_bases_that_no_pair_explains_are_no_call() -> None:
    got = call("CYP3A5", person(["CYP3A5"], {"rs776746": "C/C", "rs10264272": "T/T"}))
    assert (got["call_state"], got["n_candidates"], got["flags"]) == ("no_call", 0, "no_allele_fits")


def test_haploid_and_flipped_calls_are_flagged() -> None:
    rows = person(["CYP3A5"], states={"rs776746": "strand_flipped"}, changes={"rs776746": "C/T"})
    got = call("CYP3A5", rows)
    assert (got["diplotype_candidates"], got["flags"]) == ("*1/*3", "strand_flipped:1")
    haploid = rows.with_columns(base_2=pl.when(pl.col("rsid") != "rs776746").then("base_2"))
    got = call("CYP3A5", haploid)
    assert (got["phenotype_certain"], got["flags"]) == (False, "haploid:1")


def test_everything_failed_is_no_call_not_untested() -> None:
    genotypes = only(person(["CYP3A5"], states={"rs776746": "no_call"}), ["rs776746"])
    got = call("CYP3A5", genotypes)
    assert (got["call_state"], got["positions_called"], got["phenotype_certain"]) == ("no_call", 0, None)


@pytest.mark.parametrize(
    ("sets", "pairs"),
    [({"rs887829": "1", "rs3064744": "1"}, 1), ({"rs887829": "1", "rs3064744": "2"}, 2), ({}, 1)],
)
def test_phase_holds_within_one_set_only(sets: dict[str, str], pairs: int) -> None:
    changes = {"rs887829": "C|T", "rs3064744": "CAT|CATAT"}
    got = call("UGT1A1", person(["UGT1A1"], changes, phase_sets=sets))
    assert (got["n_candidates"], got["phased"]) == (pairs, pairs == 1)


def test_cyp2d6_from_positions_never_knows_its_copies() -> None:
    got = call("CYP2D6", person(["CYP2D6"]))
    assert (got["diplotype_candidates"], got["activity_score_max"]) == ("*1/*1", "2.0")
    assert (got["copy_number_state"], got["flags"]) == ("unknown", "copy_number_unknown")
    nothing = call("CYP2D6", only(person(["CYP2D6"]), ["rs1065852"]))
    assert "Ultrarapid" not in str(nothing["phenotype_candidates"])
    assert nothing["activity_score_min"] == nothing["activity_score_max"] == "n/a"
    assert str(nothing["activity_score_candidates"]).endswith("2.0|n/a")


def test_outside_call_replaces_the_call_from_positions() -> None:
    genotypes = person(["CYP2D6"])
    calls = call_pharmacogenes(genotypes, diplotype_rows(CYP2D6="*1x≥3/*4"), ["P1"])
    got = calls.filter(pl.col("gene") == "CYP2D6").row(0, named=True)
    assert (got["source"], got["diplotype_top"], got["activity_score_min"]) == ("outside", "*1x≥3/*4", "≥3.0")
    assert (got["copy_number_state"], got["phenotype"]) == ("known", "Ultrarapid Metabolizer")
    assert got["flags"] == "copy_count_open"


@pytest.mark.parametrize("text", [None, "no result", " "])
def test_outside_without_result_leaves_the_call_from_positions(text: str | None) -> None:
    calls = call_pharmacogenes(person(["CYP2D6"]), diplotype_rows(CYP2D6=text), ["P1"])
    assert calls.filter(pl.col("gene") == "CYP2D6")["source"].to_list() == ["vcf"]


def test_unreadable_outside_call_is_refused_and_nothing_takes_its_place() -> None:
    calls = call_pharmacogenes(person(["CYP2D6"]), diplotype_rows(CYP2D6="*1/*4 or *2/*4", TPMT="*1/*1"), ["P1"])
    found = calls.filter(pl.col("call_state") == "refused").select("gene", "phenotype", "flags").rows()
    assert found == [("CYP2D6", None, "ambiguous_notation"), ("TPMT", None, "gene_not_in_tables")]


def test_a_set_of_outside_calls_keeps_all() -> None:
    calls = call_pharmacogenes(None, diplotype_rows(CYP2D6="*1/*4|*4/*10"), ["P1"])
    got = calls.filter(pl.col("gene") == "CYP2D6").row(0, named=True)
    assert (got["n_candidates"], got["activity_score_min"], got["activity_score_max"]) == (2, "0.25", "1.0")
    assert (got["phenotype"], got["function_1"]) == ("Intermediate Metabolizer", None)


def test_hla_comes_from_outside() -> None:
    calls = call_pharmacogenes(None, diplotype_rows(HLA_B="*15:02 positive"), ["P1"])
    got = calls.filter(pl.col("gene") == "HLA-B").row(0, named=True)
    assert (got["diplotype_top"], got["phenotype"], got["source"]) == ("*15:02 positive",) * 2 + ("outside",)


def test_single_variants_are_reported_by_base() -> None:
    got = call("COMT", only(person(["COMT"], {"rs4680": "G/A"}), ["rs4680", "rs4633"]))
    assert (got["call_state"], got["genotypes"]) == ("called", "rs4633:C/C|rs4680:A/G")
    assert (got["diplotype_top"], got["phenotype"], got["positions_defining"]) == (None, None, 4)
    odd = call("SCN9A", person(["SCN9A"], {"rs6746030": "C/C"}))
    assert (odd["call_state"], odd["flags"]) == ("no_call", "unknown_base:rs6746030")


@pytest.mark.parametrize(("build", "pair"), [("GRCh37", "*3/*3"), ("GRCh38", "*1/*1")])
def test_absent_rows_become_the_reference_of_their_build_only_when_asked(build: str, pair: str) -> None:
    file = only(person(["CYP3A5"], build=build), ["rs10264272"])
    assert call("CYP3A5", file)["phenotype_certain"] is False
    got = call("CYP3A5", file, absent_is_reference=True)
    assert got["diplotype_candidates"] == pair
    assert (got["flags"], got["positions_called"]) == ("absent_is_reference:4", 1)
    failed = person(["CYP3A5"], states={"rs776746": "no_call"}, build=build)
    assert call("CYP3A5", failed, absent_is_reference=True)["phenotype_certain"] is False
    scn9a = call_pharmacogenes(file, None, ["P1"], absent_is_reference=True).filter(pl.col("gene") == "SCN9A")
    assert scn9a["call_state"].to_list() == ["not_tested"], "its reference base is not confirmed"


def _write_vcf(path: Path, genotypes: pl.DataFrame, swapped: set[str]) -> Path:
    """Write one person's unphased genotypes with REF and ALT exchanged at some positions."""
    lines = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tP1"]
    places = load_positions().select("rsid", "chrom", "pos_grch38", "ref_grch38", "alts_grch38")
    for row in genotypes.join(places, on="rsid").iter_rows(named=True):
        bases = [row["ref_grch38"], *row["alts_grch38"].split(",")]
        if row["rsid"] in swapped:
            bases = [bases[1], bases[0], *bases[2:]]
        code = f"{bases.index(row['base_1'])}/{bases.index(row['base_2'])}"
        site = [row["chrom"], str(row["pos_grch38"]), row["rsid"], bases[0], ",".join(bases[1:])]
        lines.append("\t".join([*site, ".", "PASS", ".", "GT", code]))
    path.write_text("\n".join(lines) + "\n")
    return path


GENE_CHANGES = {"rs3758581": "A/G", "rs4244285": "G/A", "rs12769205": "A/G"}


@settings(max_examples=examples(8), deadline=None)
@given(st.sets(st.sampled_from(person(["CYP2C19"])["rsid"].to_list()), max_size=12))
def test_coding_of_reference_and_alternative_never_changes_a_call(
    tmp_path_factory: pytest.TempPathFactory, swapped: set[str]
) -> None:
    truth = person(["CYP2C19"], GENE_CHANGES)
    read = read_small_vcf(_write_vcf(tmp_path_factory.mktemp("vcf") / "p.vcf", truth, swapped))
    assert call_pharmacogenes(read, None, ["P1"]).equals(call_pharmacogenes(truth, None, ["P1"]))


@settings(max_examples=examples(8), deadline=None)
@given(st.integers(0, 1_000_000), st.booleans())
def test_row_order_and_order_of_bases_never_change_a_call(seed: int, turned: bool) -> None:
    people = [
        person(["CYP2C19", "UGT1A1"], GENE_CHANGES),
        person(["CYP2C19"], {"rs3758581": "G/G"}, patient="P2", states={"rs28399504": "no_call"}),
    ]
    rows = pl.concat(people)
    mixed = rows.sample(fraction=1.0, shuffle=True, seed=seed)
    if turned:
        mixed = mixed.with_columns(base_1="base_2", base_2="base_1")
    assert call_pharmacogenes(mixed, None, ["P1", "P2"]).equals(call_pharmacogenes(rows, None, ["P1", "P2"]))


def _unordered(text: str | None) -> set[frozenset[str]]:
    return {frozenset(pair.split("/")) for pair in text.split("|")} if text else set()


PRACTICE = {
    "array_like_tier1_only_grch38.vcf": 7,
    "cyp2d6_snp_only_unphased_grch38.vcf": 21,
    "full_phased_grch38.vcf": 20,
    "full_unphased_grch37_nochr.vcf": 20,
    "full_unphased_grch38.vcf": 60,
    "getrm_cyp2c9_cyp2c19_unphased_grch38.vcf": 53,
    "one_missing_unphased_grch38.vcf": 20,
    "variant_only_grch37_noheader.vcf": 20,
}


@pytest.mark.parametrize("vcf", PRACTICE)
def test_practice_calls(vcf: str) -> None:
    folder = shared("data/pgx")
    expected = pl.read_csv(folder / "expected_calls.csv", infer_schema=False).filter(pl.col("vcf") == vcf)
    assert expected.height == PRACTICE[vcf]
    filled = set(expected["policy"]) == {"absent_is_grch37_reference"}
    genotypes = read_small_vcf(folder / "vcf" / vcf)
    patients = sorted(set(genotypes["patient_id"]))
    calls = call_pharmacogenes(genotypes, None, patients, absent_is_reference=filled)
    for row in expected.join(calls, on=["sample", "gene"], how="left").iter_rows(named=True):
        where = f"{row['sample']} {row['gene']}"
        assert _unordered(row["diplotype_candidates"]) == _unordered(row["all"]), where
        assert _unordered(row["diplotype_top"]) == _unordered(row["top"]), where
        assert set(row["phenotype_candidates"].split("|")) == set(row["phenotypes_all"].split("|")), where
        assert row["phenotype_certain_right"] is (row["phenotype_certain"] == "Y"), where
        assert ("copy_number_unknown" in (row["flags"] or "")) is (row["gene"] == "CYP2D6"), where


def test_every_row_of_the_practice_truth_is_compared_and_one_pair_of_several_would_not_do() -> None:
    expected = pl.read_csv(shared("data/pgx") / "expected_calls.csv", infer_schema=False)
    assert (expected.height, set(expected["vcf"])) == (sum(PRACTICE.values()), set(PRACTICE))
    several = expected.filter(pl.col("all").str.contains("|", literal=True))
    assert several.height == 29
    assert all(_unordered(row["all"]) > _unordered(row["all"].split("|")[0]) for row in several.iter_rows(named=True))
