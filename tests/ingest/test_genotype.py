"""From a study's genotype files to its tables: conversion, people, and which variants become features."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nociomics.errors import TableError
from nociomics.ingest import variant_choice
from nociomics.ingest.genotype import read_genotype
from nociomics.ingest.genotype_conversion import convert_genotypes
from nociomics.ingest.notes import Notes
from nociomics.ingest.single_files import convert_file, convert_source
from nociomics.tables.study import TableSource
from tests.ingest.test_vcf import source, vcf

PANEL = (
    "chr22 19963748 rs4680 G A PASS 0/0 0/1 1/1 0/0",
    "chr1 100 rs1 A C PASS 0/1 0/0 0/0 0/0",
    "chr1 200 . A C PASS 0/1 0/1 0/0 0/0",
    "chr1 300 rs3 A C,G PASS 1/2 0/1 0/0 2/2",
    "chr6 154039662 . A G PASS 0/0 0/1 0/0 1/1",
    "chr1 400 rs5 A C q10 0/1 0/1 0/1 0/1",
)


def variants_of(folder: Path, wanted: list[str] | None = None, **described: object) -> tuple[list[str], Notes]:
    """Names of the variants that become features of the panel."""
    notes = Notes("genotype")
    read = vcf(folder, *PANEL, header="##contig=<ID=chr22,length=50818468>")
    asked = read.model_copy(update=described)
    dosages, variants, *_ = read_genotype([asked], folder, None, notes, wanted=wanted)
    names = dosages.columns[1:]
    assert names == variants["variant"].to_list()
    return names, notes


def test_a_small_file_is_taken_whole_but_for_what_its_filter_refused(tmp_path: Path) -> None:
    names, notes = variants_of(tmp_path)
    assert names == ["rs4680", "rs1", "chr1_200_A_C", "rs3_C", "rs3_G", "chr6_154039662_A_G"]
    assert any("1 sites did not pass" in finding.message for finding in notes.findings)


def test_of_a_large_file_the_known_variants_are_taken_by_name_or_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variant_choice, "ALL_OF_A_SMALL_FILE", 3)
    names, notes = variants_of(tmp_path)
    assert names == ["rs4680", "chr6_154039662_A_G"]
    (told,) = [finding for finding in notes.findings if "are left out. Write" in finding.message]
    assert told.count == 4 and told.severity == "info" and "variants: all" in told.message
    assert len(variants_of(tmp_path, variants="all")[0]) == 6
    assert variants_of(tmp_path, variants="none")[0] == []


@pytest.mark.parametrize(
    ("listed", "names", "absent"),
    [
        ("rs1\nrs4680\nrs99\n", ["rs4680", "rs1"], 1),
        ("# chosen\nvariant\n1_200_A_C\nrs3\n", ["chr1_200_A_C", "rs3_C", "rs3_G"], 0),
        ("rsid,weight\nrs3_G,1\n", ["rs3_G"], 0),
        ("chrom\tpos\n1\t300\nchr6\t154039662\n1\t301\n", ["rs3_C", "rs3_G", "chr6_154039662_A_G"], 1),
        ("chrom,pos,ref,alt\nchr1,300,a,g\nchr1,300,A,T\n", ["rs3_G"], 1),
    ],
)
def test_a_list_chooses(tmp_path: Path, listed: str, names: list[str], absent: int) -> None:
    (tmp_path / "list.txt").write_text(listed)
    found, notes = variants_of(tmp_path, variants="list.txt")
    assert found == names
    assert [f.count for f in notes.findings if f.severity == "warning"] == ([absent] if absent else [])


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (None, "does not exist"),
        ("gene,score\nCOMT,1\n", "neither a column variant or rsid"),
        ("chrom,pos\n1,x\n", "1 rows have no chrom"),
    ],
)
def test_a_list_that_cannot_be_used_is_named(tmp_path: Path, listed: str | None, words: str) -> None:
    if listed is not None:
        (tmp_path / "list.txt").write_text(listed)
    notes = variants_of(tmp_path, variants="list.txt")[1]
    assert any(words in finding.message and finding.severity == "fatal" for finding in notes.findings)


def test_a_model_finds_its_variants_whatever_the_new_file_calls_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variant_choice, "ALL_OF_A_SMALL_FILE", 0)
    wanted = ["rs1", "1_200_A_C", "rs3_G", "rs3", "rs77", "chr6_154039662_A_G", "rs5"]
    names, notes = variants_of(tmp_path, wanted=wanted, variants="none")
    assert names == ["rs1", "1_200_A_C", "rs3_G", "chr6_154039662_A_G"]
    assert any("3 of 7 variants that the model uses are not in the file" in f.message for f in notes.findings)


def test_a_converted_file_is_opened_and_tells_its_findings_again(tmp_path: Path) -> None:
    described = vcf(tmp_path, *PANEL, PANEL[0], header="##contig=<ID=chr22,length=50818468>")
    fresh = Notes("genotype")
    first = read_genotype([described], tmp_path, None, fresh, tmp_path / "stores")
    (tmp_path / described.path).unlink()
    again = Notes("genotype")
    second = read_genotype([described], tmp_path, None, again, tmp_path / "stores")
    assert all(one.equals(two) for one, two in zip(first, second, strict=True))
    assert fresh.findings == again.findings and fresh.readings == again.readings
    assert any("1 variants stand more than once" in finding.message for finding in again.findings)


def test_a_refused_file_and_a_table_leave_a_manifest_that_says_so(tmp_path: Path) -> None:
    bad = vcf(tmp_path, "1 x . A C . 0/0 0/0 0/0 0/0")
    (tmp_path / "d.csv").write_text("patient_id,rs1,rs2\nA,0,1\n")
    convert_source("g.vcf", tmp_path, tmp_path / "stores" / "1")
    convert_source("d.csv", tmp_path, tmp_path / "stores" / "2")
    notes = Notes("genotype")
    dosages, *_ = read_genotype([bad, source("d.csv")], tmp_path, None, notes, tmp_path / "stores", wanted=["rs2"])
    assert [f.message for f in notes.findings if f.severity == "fatal"] == [
        "g.vcf: 1 line (first: line 3) have no valid position. Correct the file."
    ]
    assert dosages.columns == ["patient_id", "rs2"]


def test_samples_are_matched_to_people_everywhere(tmp_path: Path) -> None:
    described = vcf(tmp_path, *PANEL, header="##contig=<ID=chr22,length=50818468>")
    (tmp_path / "samples.csv").write_text("sample_id,patient_id\nD,P1\nB,P2\nA,P9\n")
    described = TableSource.model_validate({**described.model_dump(), "samples": {"path": "samples.csv"}})
    people = pl.Series(["P1", "P2", "P3"])
    dosages, variants, calls, _ = read_genotype([described], tmp_path, people, Notes("genotype"))
    assert dosages.select("patient_id", "rs3_G").rows() == [("P2", 0), ("P1", 2)]
    assert variants.filter(variant="rs3_G")["alt_frequency"].to_list() == [0.5]
    bases = calls.filter(rsid="rs4680").select("patient_id", "base_1", "base_2").rows()
    assert sorted(bases) == [("P1", "G", "G"), ("P2", "G", "A")]


def test_one_file_is_converted_or_refused_whole(tmp_path: Path) -> None:
    vcf(tmp_path, *PANEL)
    keep = tmp_path / "store" / "mine.txt"
    keep.parent.mkdir()
    keep.write_text("mine")
    convert_file(tmp_path / "g.vcf", keep.parent)
    made = {path.name for path in keep.parent.iterdir()}
    assert made == {
        "mine.txt",
        "samples.parquet",
        "variants.parquet",
        "calls.bed",
        "pharmacogene_genotypes.parquet",
        "manifest.json",
    }
    (tmp_path / "h.vcf").write_text("no genotypes")
    with pytest.raises(TableError, match="is no genotype file that is known by its content"):
        convert_file(tmp_path / "h.vcf", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    described = vcf(tmp_path, *PANEL)
    (tmp_path / "file").write_text("")
    with pytest.raises(TableError, match="cannot be written"):
        convert_genotypes(tmp_path / described.path, described.path, tmp_path / "file" / "store", Notes("genotype"))
