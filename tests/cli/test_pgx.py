"""`nociomics pgx` on what people hand over: exit 1, one clear message, no traceback, nothing written."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest

from nociomics.ingest.diplotypes import unreadable
from nociomics.pharmacogenomics.gene_call import call_outside_result
from tests.cli.conftest import Command, Told
from tests.ingest.small_vcf import vcf_text

PEOPLE = ("SECRET-1", "SECRET-2", "SECRET-3")
SITE = "chr22 19963748"  # COMT rs4680 G>A
GOOD = f"{SITE} G A 0/0 0/1 1/1"
OLD = "22 19951271 G A 0/0 0/1 1/1"


def text(*rows: str, build: str | None = "GRCh38", samples: tuple[str, ...] = PEOPLE) -> str:
    return vcf_text(rows, build=build, samples=samples)


def refused(told: Told, folder: Path, *words: str) -> None:
    assert told.exit == 1, told
    assert told.err.startswith("ERROR: ") and "Traceback" not in told.err
    assert "SECRET" not in told.err + told.out
    assert [word for word in words if word not in told.err] == [], told.err
    assert not (folder / "pgx").exists()


BAD_VCF = {
    "no known position": (text("chr22 5 G A 0/0 0/0 0/0"), ["g.vcf: has none of the", "known pharmacogene positions"]),
    "neither build fits": (text(f"{SITE} T A 0/0 0/1 1/1", build=None), ["g.vcf: the genome build could not be told"]),
    "REF against both": (text(f"{SITE} T A 0/0 0/1 1/1"), ["at 1 of 1 known positions", "neither GRCh37 nor GRCh38"]),
    "header against bases": (text(OLD), ["the header says GRCh38, but the reference bases are those of GRCh37"]),
    "a triploid call": (text(f"{SITE} G A 0/0 0/0/1 1/1"), ["1 line (first: line 4)", "three or more alleles"]),
    "a name twice": (text(GOOD, samples=("SECRET-1", "SECRET-1", "B")), ["1 sample names of the header (line 3)"]),
    "an empty file": ("", ["g.vcf: the file is empty"]),
    "a header alone": (text(), ["g.vcf: has none of the"]),
    "no samples": (text(f"{SITE} G A", samples=()).replace("\tFORMAT", "").replace("\tGT", ""), ["without samples"]),
    "a wrong base": (text(GOOD.replace(" G ", " X ")), ["1 line (first: line 4)", "REF that is not made of"]),
    "array letters": (text("chr10 94949281 I D 0/0 0/1 1/1"), ["1 line (first: line 4)", "REF that is not made of"]),
    "a dosage table": ("patient_id,rs4680\nSECRET-1,1\n", ["A table of dosages counts an allele without saying"]),
}


@pytest.mark.parametrize("name", BAD_VCF)
def test_a_bad_genotype_file(name: str, tmp_path: Path, nociomics: Command) -> None:
    content, words = BAD_VCF[name]
    (tmp_path / "g.vcf").write_text(content)
    refused(nociomics("pgx", tmp_path / "g.vcf", "-o", tmp_path / "pgx"), tmp_path, *words)


def test_a_file_that_is_cut(tmp_path: Path, nociomics: Command) -> None:
    (tmp_path / "g.vcf.gz").write_bytes(gzip.compress(text(GOOD).encode())[:-9])
    refused(nociomics("pgx", tmp_path / "g.vcf.gz", "-o", tmp_path / "pgx"), tmp_path, "truncated")
    if shutil.which("bgzip") is None:
        pytest.skip("bgzip is not on the path")
    whole = subprocess.run(["bgzip", "-c"], input=text(GOOD).encode(), capture_output=True, check=True).stdout
    (tmp_path / "g.vcf.gz").write_bytes(whole[:-28])
    refused(nociomics("pgx", tmp_path / "g.vcf.gz", "-o", tmp_path / "pgx"), tmp_path, "truncated")


def test_a_file_that_is_not_there(tmp_path: Path, nociomics: Command) -> None:
    refused(nociomics("pgx", tmp_path / "g.vcf", "-o", tmp_path / "pgx"), tmp_path, "g.vcf: does not exist")


def outside(folder: Path, *rows: str) -> Path:
    path = folder / "cyp2d6.csv"
    path.write_text("\n".join(["patient_id,gene,diplotype", *rows, ""]))
    return path


def test_all_outside_calls_that_do_not_parse_are_listed_by_their_lines(tmp_path: Path, nociomics: Command) -> None:
    rows = ["SECRET-1,CYP2D6,*1/*4", "SECRET-2,CYP2D6,SECRET", "SECRET-3,CYP2D6,*41", "SECRET-4,CYP2D6,1/4"]
    table = outside(tmp_path, *rows, "SECRET-5,CYP2C19,not tested", "SECRET-6,HLA-B,SECRET")
    told = nociomics("pgx", "--diplotypes", table, "-o", tmp_path / "pgx")
    refused(told, tmp_path, 'cyp2d6.csv, column "diplotype": 4 calls cannot be read (lines 3, 4, 5, 7)')
    assert "CYP2D6" not in told.err


def test_outside_and_genotype_problems_are_told_together(tmp_path: Path, nociomics: Command) -> None:
    (tmp_path / "g.vcf").write_text("")
    table = outside(tmp_path, "SECRET-1,CYP2D6,SECRET")
    told = nociomics("pgx", tmp_path / "g.vcf", "--diplotypes", table, "-o", tmp_path / "pgx")
    refused(told, tmp_path, "g.vcf: the file is empty", "1 call cannot be read (lines 2)")


def test_what_has_two_meanings_is_refused_in_its_row_with_the_reason(tmp_path: Path, nociomics: Command) -> None:
    rows = ["A,CYP2D6,*1/(*2 or *35)", "B,CYP2D6,*1/*4/*41", "C,DPYD,*1/*2A", "D,CYP2D6,*1/*4"]
    told = nociomics("pgx", "--diplotypes", outside(tmp_path, *rows), "-o", tmp_path / "pgx")
    assert told.exit == 0, told
    calls = pl.read_csv(tmp_path / "pgx" / "calls.csv").filter(source="outside").sort("sample")
    assert calls["call_state"].to_list() == ["refused", "refused", "refused", "called"]
    assert calls["flags"].to_list()[:3] == ["ambiguous_notation", "not_two_haplotypes", "gene_not_in_tables"]


def test_outside_calls_of_others(tmp_path: Path, nociomics: Command) -> None:
    (tmp_path / "g.vcf").write_text(text(GOOD))
    nobody = outside(tmp_path, "secret-1,CYP2D6,*1/*4", "secret-2,CYP2D6,*1/*4")
    told = nociomics("pgx", tmp_path / "g.vcf", "--diplotypes", nobody, "-o", tmp_path / "pgx")
    refused(told, tmp_path, "cyp2d6.csv: none of its 2 people is a sample of g.vcf")
    some = outside(tmp_path, "SECRET-1,CYP2D6,*1/*4", "SECRET-9,CYP2D6,*1/*4")
    told = nociomics("pgx", tmp_path / "g.vcf", "--diplotypes", some, "-o", tmp_path / "pgx")
    assert told.exit == 0 and "1 of its 2 people are no samples of g.vcf" in told.err + told.out
    assert pl.read_csv(tmp_path / "pgx" / "calls.csv")["sample"].n_unique() == 4


def state_of(folder: Path, gene: str, sample: str) -> tuple[str, str]:
    calls = pl.read_csv(folder / "pgx" / "calls.csv")
    return calls.filter(gene=gene, sample=sample).select("call_state", "flags").row(0)


def test_what_leaves_a_call_open_is_no_error_but_a_reason_in_the_row(tmp_path: Path, nociomics: Command) -> None:
    # CYP2C9: an allele that nobody knows, one copy only, and a call below the limits
    rows = [
        "chr10 94942290 C T,G FORMAT=GT:GQ 0/2:99 0:99 0/0:5",
        "chr10 94981296 A C FORMAT=GT:GQ 0/0:99 0/0:99 0/0:99",
    ]
    (tmp_path / "g.vcf").write_text(text(*rows, samples=("A", "B", "C")))
    told = nociomics("pgx", tmp_path / "g.vcf", "-o", tmp_path / "pgx")
    assert told.exit == 0, told
    assert state_of(tmp_path, "CYP2C9", "A") == ("no_call", "unknown_base:rs1799853")
    assert state_of(tmp_path, "CYP2C9", "B") == ("called", "haploid:1")
    assert state_of(tmp_path, "CYP2C9", "C") == ("called", "filtered:1")


TEXTS = [
    *("*1/*4", "*1x2/*4", "*36 + *10/*41", "CYP2D6*1/CYP2D6*4", "*1|*4", "*4.001/*2A", "not tested", ""),
    *("SECRET", "*41", "1/4", "*1/", "/*4", "*1/*4/*41", "*36-*10/*1", "*1/(*2 or *35)", "*1/?", "*1xQ/*2"),
]


@pytest.mark.parametrize("written", TEXTS)
def test_what_is_refused_as_a_file_could_never_be_called(written: str) -> None:
    """Fatal is only what the reader of diplotypes cannot read either, and never for having two meanings."""
    frame = pl.DataFrame({"gene": ["CYP2D6"], "text": [written]})
    is_fatal = frame.select(unreadable(pl.col("gene"), pl.col("text"))).item()
    call = call_outside_result("CYP2D6", written)
    reason = None if call is None or call.call_state == "called" else call.flags
    assert not is_fatal or reason in ("not_two_haplotypes", "not_a_star_allele")
    assert is_fatal == (written in ("SECRET", "*41", "1/4", "*1/", "/*4"))
