"""The fourteen ways in which callers of star alleles go wrong, each as a file that a user may have."""

from __future__ import annotations

import logging
from pathlib import Path

import polars as pl
import pytest
from tests.pharmacogenomics.files import call_file, called, places, reference_person, row
from tests.pharmacogenomics.written_vcf import NO_CALL, Cell, Style, write_vcf

from nociomics.errors import NociomicsError
from nociomics.knowledge.pharmacogene import VariantNameError, find_variant, load_pain_variants, load_variants
from nociomics.pharmacogenomics.features import pharmacogene_features
from nociomics.pharmacogenomics.recommendation import recommend_drugs

BUILDS = ("GRCh38", "GRCh37")
HEAD = "##fileformat=VCFv4.2\n##contig=<ID=chr10,length=133797422>\n"
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tP1\n"


def written(folder: Path, *records: str, head: str = HEAD) -> Path:
    """Write records whose columns are separated by blanks."""
    path = folder / "p.vcf"
    path.write_text(head + COLUMNS + "".join("\t".join(record.split()) + "\n" for record in records))
    return path


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize(
    ("gene", "changes", "pair"),
    [
        ("CYP3A5", {"rs776746": "C/C"}, "*3/*3"),
        ("CYP3A5", {"rs776746": "T/T"}, "*1/*1"),
        ("CYP2C19", {"rs3758581": "G/G"}, "*1/*1"),
        ("CYP2C19", {"rs3758581": "A/A"}, "*38/*38"),
        ("CYP2D6", {"rs16947": "A/A", "rs1135840": "G/G"}, "*2/*2"),
        ("CYP2D6", {"rs16947": "G/G", "rs1135840": "C/C"}, "*1/*1"),
    ],
)
def test_trap_01_ref_differs_between_builds(
    build: str, gene: str, changes: dict[str, str], pair: str, tmp_path: Path
) -> None:
    calls = called(tmp_path, {"P1": reference_person(gene, **changes)}, Style(build=build))
    assert (row(calls, gene)["build"], row(calls, gene)["diplotype_candidates"]) == (build, pair)


@pytest.mark.parametrize(("build", "pair"), [("GRCh37", "*3/*3"), ("GRCh38", "*1/*1")])
def test_trap_01_no_row_at_all_for_a_star_3_person_in_grch37(build: str, pair: str, tmp_path: Path) -> None:
    reference = places()["rs776746"].ref[build]
    person = reference_person("CYP3A5", "CYP2C9", rs776746=f"{reference}/{reference}", rs1057910="A/C")
    style = Style(build=build, variants_only=True)
    assert row(called(tmp_path, {"P1": person}, style), "CYP3A5")["call_state"] == "not_tested"
    filled = row(called(tmp_path, {"P1": person}, style, absent_is_reference=True), "CYP3A5")
    assert (filled["diplotype_candidates"], filled["flags"]) == (pair, "absent_is_reference:5")


@pytest.mark.parametrize("swapped", [False, True])
def test_trap_02_minor_allele_as_ref(swapped: bool, tmp_path: Path) -> None:
    person = reference_person("SCN9A", "UGT2B7", "COMT", rs6746030="A/G", rs7439366="C/C")
    style = Style(swapped=frozenset({"rs6746030", "rs7439366"} if swapped else set()))
    calls = called(tmp_path, {"P1": person}, style)
    assert row(calls, "SCN9A")["genotypes"] == "rs6746030:A/G"
    assert row(calls, "UGT2B7")["genotypes"] == "rs7439366:C/C"
    counted = dict(load_pain_variants().select("rsid", "counted_base").iter_rows())
    assert (counted["rs6746030"], counted["rs7439366"]) == ("A", "T")


def test_trap_03_missing_is_not_reference(tmp_path: Path) -> None:
    person = reference_person("CYP3A5")
    for cells, style in (
        (person, Style(absent=frozenset({"rs776746"}))),
        (person | {"rs776746": NO_CALL}, Style()),
        (person, Style(filtered=frozenset({"rs776746"}))),
    ):
        got = row(called(tmp_path, {"P1": cells}, style), "CYP3A5")
        assert (got["diplotype_candidates"], got["phenotype_certain"]) == ("*1/*1|*1/*3|*3/*3", False)
        assert (got["phenotype"], got["positions_missing"], got["missing_alleles"]) == (None, "rs776746", "*3")


def test_trap_03_a_tried_position_is_never_filled_and_a_reference_block_counts_as_called(tmp_path: Path) -> None:
    tried = reference_person("CYP3A5") | {"rs776746": NO_CALL}
    got = row(called(tmp_path, {"P1": tried}, absent_is_reference=True), "CYP3A5")
    assert got["diplotype_candidates"] == "*1/*1|*1/*3|*3/*3"
    block = "chr7 99652000 . C <NON_REF> . . END=99677000 GT:DP:MIN_DP 0/0:30:25"
    got = row(
        call_file(written(tmp_path, block, head=HEAD.replace("chr10,length=133797422", "chr7,length=159345973"))),
        "CYP3A5",
    )
    assert (got["diplotype_candidates"], got["positions_called"], got["flags"]) == ("*1/*1", 5, None)


def test_trap_04_the_best_pair_never_decides(tmp_path: Path) -> None:
    got = row(called(tmp_path, {"P1": reference_person("CYP3A5") | {"rs776746": NO_CALL}}), "CYP3A5")
    assert (got["diplotype_top"], got["n_candidates"]) == ("*1/*1", 3)
    phenotypes = {"Normal Metabolizer", "Intermediate Metabolizer", "Poor Metabolizer"}
    assert set(str(got["phenotype_candidates"]).split("|")) == phenotypes


def test_trap_05_wobble_positions(tmp_path: Path) -> None:
    base = {"rs3758581": "G/G"}
    plain = reference_person("CYP2C19", **base, rs28399504="A/G")
    with_17 = reference_person("CYP2C19", **base, rs28399504="A/G", rs12248560="C/T")
    lost = with_17 | {"rs28399504": NO_CALL}
    calls = called(tmp_path, {"P1": plain, "P2": with_17, "P3": lost})
    assert row(calls, "CYP2C19", "P1")["diplotype_candidates"] == "*1/*4"
    assert row(calls, "CYP2C19", "P2")["diplotype_candidates"] == "*1/*4|*4/*17"
    candidates = str(row(calls, "CYP2C19", "P3")["diplotype_candidates"]).split("|")
    assert {"*1/*17", "*1/*4", "*4/*17"} <= set(candidates)


def test_trap_06_phase_only_within_one_phase_set(tmp_path: Path) -> None:
    def person(one: str, two: str) -> dict[str, Cell]:
        return reference_person("UGT1A1", rs887829=one, rs3064744=two)

    people = {
        "unphased": person("C/T", "CAT/CATAT"),
        "together": person("C|T@1", "CAT|CATAT@1"),
        "apart": person("T|C@1", "CAT|CATAT@1"),
        "two sets": person("C|T@1", "CAT|CATAT@2"),
    }
    calls = called(tmp_path, people)
    found = {name: row(calls, "UGT1A1", name)["diplotype_candidates"] for name in people}
    assert found == {
        "unphased": "*1/*80+*28|*28/*80",
        "together": "*1/*80+*28",
        "apart": "*28/*80",
        "two sets": "*1/*80+*28|*28/*80",
    }
    het = reference_person("CYP2C19", rs3758581="G/G", rs4244285="G/A", rs12769205="A/G", rs12248560="C/T")
    assert row(called(tmp_path, {"P1": het}), "CYP2C19")["diplotype_candidates"] == "*2/*17"


def test_trap_07_cyp2d6_from_snps_never_counts_copies(tmp_path: Path) -> None:
    people = {"P1": reference_person("CYP2D6"), "P2": reference_person("CYP2D6", rs16947="A/A", rs1135840="G/G")}
    calls = called(tmp_path, people)
    for sample in people:
        got = row(calls, "CYP2D6", sample)
        assert (got["copy_number_state"], got["flags"]) == ("unknown", "copy_number_unknown")
    few = called(tmp_path, {"P1": {"rs3892097": Cell("C", "C"), "rs4680": Cell("G", "G")}})
    assert "Ultrarapid" not in str(row(few, "CYP2D6")["phenotype_candidates"])
    outside = tmp_path / "cyp2d6.csv"
    outside.write_text("patient_id,gene,diplotype\nP1,CYP2D6,*1x2/*1\n")
    got = row(call_file(tmp_path / "people.vcf", outside), "CYP2D6")
    assert (got["source"], got["phenotype"], got["copy_number_state"]) == ("outside", "Ultrarapid Metabolizer", "known")


def test_trap_08_outside_calls_as_laboratories_write_them(tmp_path: Path) -> None:
    written_as = {
        "*4/*5": ("0.0", "Poor Metabolizer"),
        "*1x2/*4": ("2.0", "Normal Metabolizer"),
        "*36+*10/*41": ("0.5", "Intermediate Metabolizer"),
        "*68 + *4 / *5": ("0.0", "Poor Metabolizer"),
        "*1xN/*4": ("n/a", "Indeterminate"),
        "*4xN/*1": ("1.0", "Intermediate Metabolizer"),
        "*1x≥3/*4": ("≥3.0", "Ultrarapid Metabolizer"),
        "*2A/*4.001": ("1.0", "Intermediate Metabolizer"),
        "*1/*999": ("n/a", "Indeterminate"),
    }
    outside = tmp_path / "outside.csv"
    rows = [f"P{i},CYP2D6,{text}" for i, text in enumerate(written_as)]
    outside.write_text("\n".join(["patient_id,gene,diplotype", *rows]) + "\n", encoding="utf-8")
    genotypes = write_vcf(tmp_path / "p.vcf", {"P0": reference_person("CYP3A5")}, list(places().values()), Style())
    calls = call_file(genotypes, outside).filter(pl.col("gene") == "CYP2D6").sort("sample")
    assert calls.select("activity_score_min", "phenotype").rows() == list(written_as.values())


@pytest.mark.parametrize("build", BUILDS)
def test_trap_09_indels(build: str, tmp_path: Path) -> None:
    people = {
        "P1": reference_person("CYP2C9", rs9332131="GA/G"),
        "P2": reference_person("UGT1A1", rs3064744="CATAT/CATATAT"),
        "P3": reference_person("CYP2D6", rs35742686="CT/C"),
    }
    genes = reference_person("CYP2C9", "UGT1A1", "CYP2D6")
    calls = called(tmp_path, {name: genes | person for name, person in people.items()}, Style(build=build))
    found = [row(calls, gene, p)["diplotype_top"] for gene, p in (("CYP2C9", "P1"), ("UGT1A1", "P2"), ("CYP2D6", "P3"))]
    assert found == ["*1/*6", "*28/*37", "*1/*3"]


def test_trap_09_a_longer_way_to_write_an_indel_is_the_same(tmp_path: Path) -> None:
    place = places()["rs9332131"]
    tail = "T"  # one base more on both sides of the same change
    record = f"chr10 {place.pos['GRCh38']} . GA{tail} G{tail} . PASS . GT 0/1"
    got = row(call_file(written(tmp_path, record)), "CYP2C9")
    assert got["positions_called"] == 1
    assert all("*6" in pair.split("/") for pair in str(got["diplotype_candidates"]).split("|"))


def test_trap_09_insertion_and_deletion_as_letters_are_no_bases(tmp_path: Path) -> None:
    place = places()["rs9332131"]
    other = places()["rs1057910"]
    records = [
        f"chr10 {place.pos['GRCh38']} . I D . PASS . GT 0/1",
        f"chr10 {other.pos['GRCh38']} . A C . PASS . GT 0/0",
    ]
    with pytest.raises(NociomicsError, match=r"line 4.* REF"):
        call_file(written(tmp_path, *records))


def test_trap_10_strand_flips(tmp_path: Path) -> None:
    person = reference_person("CYP2C9", rs1057910="A/C")
    got = row(called(tmp_path, {"P1": person}, Style(flipped=frozenset({"rs1057910"}))), "CYP2C9")
    assert (got["diplotype_candidates"], got["flags"]) == ("*1/*3", "strand_flipped:1")
    person = reference_person("COMT", "CYP2D6", rs4818="C/G")
    calls = called(tmp_path, {"P1": person}, Style(flipped=frozenset({"rs4818", "rs1135840"})))
    assert "rs4818" not in str(row(calls, "COMT")["genotypes"])
    assert "strand_ambiguous:1" in str(row(calls, "COMT")["flags"])
    assert "rs1135840" in str(row(calls, "CYP2D6")["positions_missing"])


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("contigs", [True, False])
@pytest.mark.parametrize("prefix", [True, False])
def test_trap_11_build_by_contig_lengths_else_by_reference_bases(
    build: str, contigs: bool, prefix: bool, tmp_path: Path
) -> None:
    style = Style(build=build, contigs=contigs, prefix=prefix)
    person = reference_person("CYP2C9", "CYP3A5", rs776746="T/T")
    assert row(called(tmp_path, {"P1": person}, style), "CYP3A5")["build"] == build


def test_trap_11_no_evidence_of_a_build_stops(tmp_path: Path) -> None:
    path = written(tmp_path, "chr1 12345 . A C . PASS . GT 0/1", head="##fileformat=VCFv4.2\n")
    with pytest.raises(NociomicsError):
        call_file(path)


def test_trap_12_split_rows_half_calls_and_one_chromosome(tmp_path: Path) -> None:
    both = reference_person("UGT1A1", rs3064744="CATAT/CATATAT")
    half = reference_person("UGT1A1", rs4148323="./A")
    calls = called(tmp_path, {"P1": both, "P2": half}, Style(split=frozenset({"rs3064744"}), prefix=False))
    assert row(calls, "UGT1A1")["diplotype_candidates"] == "*28/*37"
    got = row(calls, "UGT1A1", "P2")
    assert "rs4148323" in str(got["positions_missing"])
    assert "half_call:1" in str(got["flags"])
    assert got["phenotype_certain"] is False
    one = f"chr10 {places()['rs1057910'].pos['GRCh38']} . A C . PASS . GT 1"
    other = f"chr10 {places()['rs1799853'].pos['GRCh38']} . C T . PASS . GT 0/0"
    haploid = row(call_file(written(tmp_path, other, one)), "CYP2C9")
    assert ("haploid:1" in str(haploid["flags"]), haploid["positions_called"]) == (True, 1)


def test_trap_13_unknown_base_is_no_call_with_the_reason(tmp_path: Path) -> None:
    got = row(called(tmp_path, {"P1": reference_person("CYP2C9", rs1057910="A/T")}), "CYP2C9")
    assert (got["call_state"], got["diplotype_candidates"], got["phenotype"]) == ("no_call", None, None)
    assert "unknown_base:rs1057910" in str(got["flags"])


def test_trap_14_the_misprinted_oprm1_variant(tmp_path: Path) -> None:
    with pytest.raises(VariantNameError, match="rs1799971"):
        find_variant("rs17999")
    calls = called(tmp_path, {"P1": reference_person("OPRM1", "COMT", rs1799971="A/G")})
    assert row(calls, "OPRM1")["genotypes"] == "rs1799971:A/G"


def test_cyp1a2_is_printed_with_both_names(tmp_path: Path) -> None:
    people = {"P1": reference_person("CYP1A2", rs762551="C/A"), "P2": reference_person("CYP1A2")}
    calls = called(tmp_path, people)
    assert row(calls, "CYP1A2")["genotypes"] == "rs2069514:G/G|rs762551:A/C"
    assert row(calls, "CYP1A2")["genotype_names"] == "rs762551:A=*1F,*30"
    assert row(calls, "CYP1A2", "P2")["genotype_names"] is None


@pytest.mark.parametrize("reference", ["A", "G"])
def test_scn9a_takes_either_reference(reference: str, tmp_path: Path) -> None:
    place, other = places()["rs6746030"], "G" if reference == "A" else "A"
    comt = f"chr22 {places()['rs4680'].pos['GRCh38']} . G A . PASS . GT 0/0"
    record = f"chr2 {place.pos['GRCh38']} . {reference} {other} . PASS . GT 0/0"
    got = row(call_file(written(tmp_path, record, comt)), "SCN9A")
    assert got["genotypes"] == f"rs6746030:{reference}/{reference}"


def test_nothing_of_a_person_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        calls = called(tmp_path, {"Zaphod": reference_person("CYP2D6", rs3892097="C/T")})
        recommend_drugs(calls)
        pharmacogene_features(calls, None)
    assert caplog.records
    assert "Zaphod" not in caplog.text
    assert "*4" not in caplog.text


def test_every_site_of_the_tables_is_read_in_both_builds(tmp_path: Path) -> None:
    genes = sorted(set(load_variants()["gene"]))
    for build in BUILDS:
        calls = called(tmp_path, {"P1": reference_person(*genes)}, Style(build=build, all_alternatives=True))
        found = calls.filter(pl.col("gene").is_in(genes))
        assert found["positions_missing"].null_count() == len(genes)
        assert found["positions_called"].sum() == 373
