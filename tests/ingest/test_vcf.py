"""The VCF reader against counts made by a plain text reader, and its own edge cases."""

from __future__ import annotations

import csv
import gzip
import re
from pathlib import Path

import pytest

from nociomics.ingest.content import UnreadableTable
from nociomics.ingest.genotype import read_genotype
from nociomics.ingest.notes import Notes
from nociomics.ingest.vcf import VcfReading, read_records
from nociomics.tables.study import TableSource
from tests.conftest import shared

REFUSED = ("hail_malformed", "hail_invalid_base", "hail_duplicate_ids")
_KEYS = ("records", "multiallelic", "with_indel", "gt_calls", "missing_gt")


def counted(path: Path) -> VcfReading:
    reading = VcfReading(path.name)
    for _ in read_records(path, reading):
        pass
    return reading


def test_real_files_have_the_counts_of_a_plain_reader() -> None:
    folder = shared("data/genotype-ingest")
    rows = list(csv.DictReader((folder / "expected_counts.csv").read_text().splitlines()))
    rows = [row for row in rows if row["file"].startswith("vcf") and not any(name in row["file"] for name in REFUSED)]
    assert len(rows) == 23
    for row in rows:
        reading = counted(folder / row["file"])
        found = {key: reading.counts[key] for key in _KEYS} | {"samples": len(reading.samples)}
        assert found == {key: int(float(row[key])) for key in found}, row["file"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hail_malformed.vcf", r"1 line \(first: line 54\) do not have one field for each of the 100 samples"),
        ("hail_invalid_base.vcf", r"1 line \(first: line 54\) have a REF that is not made of A, C, G, T, N"),
        ("hail_duplicate_ids.vcf", r"4 sample names of the header \(line 17\) repeat another"),
        ("hail_33alleles.vcf", "a VCF without samples"),
    ],
)
def test_broken_real_files_are_refused_with_their_line(name: str, words: str) -> None:
    folder = shared("data/genotype-ingest/vcf")
    notes = Notes("genotype")
    read_genotype([source(name)], folder, None, notes)
    (finding,) = [finding for finding in notes.findings if finding.severity == "fatal"]
    assert re.search(words, finding.message)


def test_a_decomposed_file_gives_the_same_dosages() -> None:
    folder = shared("data/genotype-ingest/vcf")
    tables = []
    for name in ("hail_split_test.vcf", "hail_split_test_b.vcf"):
        dosages, variants, *_ = read_genotype([source(name)], folder, None, Notes("genotype"))
        assert variants.height == 7
        tables.append(dosages)
    together, apart = tables
    assert together["patient_id"].to_list() == apart["patient_id"].to_list()
    # The split file writes the other ALT of a site as REF, so carriers of it keep the same counts.
    assert sorted(together[:, 1:].sum().row(0)) == sorted(apart[:, 1:].sum().row(0))


def source(path: str, **described: object) -> TableSource:
    return TableSource.model_validate({"path": path, **described})


def vcf(folder: Path, *lines: str, samples: str = "A B C D", header: str = "", name: str = "g.vcf") -> TableSource:
    """Write a VCF of lines "CHROM POS ID REF ALT FILTER GT..."."""
    fixed = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
    rows = ["##fileformat=VCFv4.2", *header.splitlines(), "\t".join([*fixed, *samples.split()])]
    for line in lines:
        chrom, pos, ident, ref, alt, passed, *calls = line.split()
        info = "END=19963900" if alt == "<NON_REF>" else "."
        rows.append("\t".join([chrom, pos, ident, ref, alt, ".", passed, info, "GT:PS", *calls]))
    (folder / name).write_text("\n".join(rows) + "\n")
    return source(name)


def test_copies_of_each_alt_are_counted(tmp_path: Path) -> None:
    described = vcf(
        tmp_path,
        "1 100 rs1 A C PASS 0/0 0|1 1/1 ./.",
        "1 200 rs2 A C,G . 1/2 2/2 ./1 0/0",
        "X 300 . G T PASS 0 1 . 1",
        "1 400 rs4 A C LowQual 0/0 0/1 0/1 0/1",
        "1 500 rs5 A <NON_REF>,* PASS 0/0 0/1 0/2 0/0",
    )
    notes = Notes("genotype")
    dosages, variants, *_ = read_genotype([described], tmp_path, None, notes)
    assert dosages.to_dict(as_series=False) == {
        "patient_id": ["A", "B", "C", "D"],
        "rs1": [0, 1, 2, None],
        "rs2_C": [1, 0, None, 0],
        "rs2_G": [1, 2, None, 0],
        "X_300_G_T": [0, 1, None, 1],
    }
    assert variants["call_rate"].to_list() == [0.75] * 4
    assert variants["alt_frequency"].to_list() == pytest.approx([3 / 6, 1 / 6, 3 / 6, 2 / 6])
    assert any("1 sites did not pass" in finding.message for finding in notes.findings)


def test_two_digit_alleles_are_read(tmp_path: Path) -> None:
    alts = ",".join("C" * length for length in range(1, 13))
    reading = counted(tmp_path / vcf(tmp_path, f"1 100 . A {alts} . 0/12 11|10 ./. 1/1").path)
    assert reading.malformed == {} and reading.counts["missing_gt"] == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1 x . A C . 0/0 0/0 0/0 0/0", "have no valid position"),
        ("1 5 . M C . 0/0 0/0 0/0 0/0", "REF that is not made of"),
        ("1 5 . A 7 . 0/0 0/0 0/0 0/0", "ALT that is no allele"),
        ("1 5 . A C . 0/0 0/0 0/0 0/2", "allele that ALT does not list"),
        ("1 5 . A C . 0/0 0/0 0/0 x", "genotype that is none"),
        ("1 5 . A C . 0/0 0/0 0/0", "one field for each of the 4 samples"),
    ],
)
def test_malformed_lines_are_fatal_and_named(tmp_path: Path, line: str, words: str) -> None:
    notes = Notes("genotype")
    read_genotype([vcf(tmp_path, "1 1 . A C . 0/0 0/0 0/0 0/0", line)], tmp_path, None, notes)
    (finding,) = notes.findings
    assert finding.severity == "fatal" and words in finding.message and "(first: line 4)" in finding.message


def test_a_bgzf_file_without_its_end_is_refused(tmp_path: Path) -> None:
    whole = shared("data/genotype-ingest/vcf/chr22.vcf.gz").read_bytes()
    (tmp_path / "cut.vcf.gz").write_bytes(whole[:-28])
    with pytest.raises(UnreadableTable, match="end marker is missing"):
        counted(tmp_path / "cut.vcf.gz")
    plain = gzip.compress(gzip.decompress(whole))
    (tmp_path / "plain.vcf.gz").write_bytes(plain)
    assert counted(tmp_path / "plain.vcf.gz").counts["records"] == 10376


def test_files_per_chromosome_and_files_per_batch_are_put_together(tmp_path: Path) -> None:
    first = vcf(tmp_path, "1 100 rs1 A C . 0/0 0/1 1/1 0/0", name="chr1.vcf")
    second = vcf(tmp_path, "2 100 rs2 A C . 0/1 0/1 0/0 0/0", name="chr2.vcf")
    dosages, variants, *_ = read_genotype([first, second], tmp_path, None, Notes("genotype"))
    assert dosages["rs2"].to_list() == [1, 1, 0, 0] and variants.height == 2
    other = vcf(tmp_path, "1 100 rs1 A C . 1/1 0/0", name="batch2.vcf", samples="E F")
    dosages, variants, *_ = read_genotype([first, other], tmp_path, None, Notes("genotype"))
    assert dosages["rs1"].to_list() == [0, 1, 2, 0, 2, 0] and variants.height == 1


def test_a_dosage_table_works_and_impossible_dosages_are_refused(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("patient_id,rs1,rs2\nA,0,1.0\nB,2,NA\n")
    notes = Notes("genotype")
    dosages, variants, calls, _ = read_genotype([source("d.csv")], tmp_path, None, notes)
    assert dosages.rows() == [("A", 0, 1), ("B", 2, None)] and calls.height == 0
    assert variants["alt_frequency"].to_list() == [0.5, 0.5]
    (tmp_path / "d.csv").write_text("patient_id,rs1\nA,2.7\n")
    notes = Notes("genotype")
    read_genotype([source("d.csv")], tmp_path, None, notes)
    assert [f.severity for f in notes.findings] == ["fatal", "info"]
