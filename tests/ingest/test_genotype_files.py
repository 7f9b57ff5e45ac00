"""All practice genotype files, of every kind: each count exactly, or a refusal that names the file and the line."""

from __future__ import annotations

import csv
import json
import signal
import sys
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nociomics.cli import main
from nociomics.ingest.genotype_conversion import convert_genotypes
from nociomics.ingest.minimal_alleles import minimal_alleles
from nociomics.ingest.notes import Notes
from nociomics.tables.genotype_store import GenotypeStore
from tests.conftest import shared

REFUSED = {
    "vcf/hail_malformed.vcf": "(first: line 54) do not have one field for each of the 100 samples",
    "vcf/hail_invalid_base.vcf": "(first: line 54) have a REF that is not made of A, C, G, T, N",
    "vcf/hail_duplicate_ids.vcf": "4 sample names of the header (line 17) repeat another",
}
SITES_ONLY = (
    "vcf/hail_33alleles.vcf",
    "vcf/hail_bad_flag_number.vcf",
    "vcf/hail_sample.gnomad.genomes.r3.0.sites.chr1.vcf.gz",
)
# The list of expected chromosomes was cut after the fourth.
MOST_CHROMS = 4
VCFS = """chr22.vcf.gz chr7-sub.vcf.gz cyvcf2_test-genotypes.vcf cyvcf2_test-hemi.vcf cyvcf2_test.mnp.vcf
cyvcf2_test-multiallelic-homozygous-alt.vcf.gz cyvcf2_test.vcf.gz ex2.vcf gl_chr1.vcf hail_ex.vcf hail_haploid.vcf
hail_missingFormatArray.vcf hail_sample.vcf hail_skip_invalid_loci.vcf hail_split_test.vcf hail_split_test_b.vcf
hail_undeclaredinfo.vcf hail_x-chromosome.vcf hapmap_exome_chr22.vcf.gz structural.vcf""".split()
PLINK = "HM3_thinned_autosomal_overlap chr11 chr12 plink_sim_10s_100v_10pmiss small some_missing".split()
FILES = [*(f"vcf/{name}" for name in VCFS), *(f"plink/{name}.bed" for name in PLINK)]


@cache
def expected() -> dict[str, dict[str, str]]:
    text = (shared("data/genotype-ingest") / "expected_counts.csv").read_text()
    return {row["file"]: row for row in csv.DictReader(text.splitlines())}


def numbers(name: str) -> dict[str, int]:
    """The counts that are expected of a file; an empty cell expects nothing."""
    row = expected()[name]
    return {k: int(float(v)) for k, v in row.items() if v and k not in ("file", "chroms", "reference")}


def converted(path: Path, folder: Path) -> GenotypeStore:
    notes = Notes("genotype")
    store = convert_genotypes(path, path.name, folder, notes)
    assert store is not None, notes.findings
    return store


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Run one command in this process; its exit status."""
    handlers = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setattr(sys, "argv", ["nociomics", *(str(word) for word in words)])
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        for one, handler in handlers.items():
            signal.signal(one, handler)
    return 0


def test_no_practice_file_is_forgotten() -> None:
    assert {*FILES, *REFUSED, *SITES_ONLY} == expected().keys()


@pytest.mark.parametrize("name", FILES)
def test_every_count_is_exact(tmp_path: Path, name: str) -> None:
    store = converted(shared("data/genotype-ingest") / name, tmp_path / "store")
    counted = numbers(name)
    assert {key: store.manifest[key] for key in counted} == counted
    chroms = [chrom for chrom in expected()[name]["chroms"].split(";") if chrom]
    found = store.manifest["chroms"]
    assert set(chroms) <= set(found) and (len(found) == len(chroms) or len(chroms) in (0, MOST_CHROMS))
    # what is counted of the file is what stands in the store, where nothing of it is left out
    if store.variants.height == store.manifest["records"] and not store.manifest["multiallelic"]:
        calls = store.copies(slice(None))
        assert calls.size == counted["gt_calls"] and int((calls < 0).sum()) == counted["missing_gt"]


@pytest.mark.parametrize("name", ["vcf/hail_sample.vcf", "plink/small.bed", "vcf/hapmap_exome_chr22.vcf.gz"])
def test_the_command_writes_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = shared("data/genotype-ingest") / name
    assert run(monkeypatch, "genotypes", path, "-o", tmp_path / "out") == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert {key: manifest[key] for key in numbers(name)} == numbers(name)


@pytest.mark.parametrize(("name", "words"), REFUSED.items())
def test_broken_files_are_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    path = shared("data/genotype-ingest") / name
    assert run(monkeypatch, "genotypes", path, "-o", tmp_path / "out") == 1
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("ERROR")]
    assert path.name in line and words in line and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", SITES_ONLY)
def test_files_without_samples_are_counted_by_the_command_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    path = shared("data/genotype-ingest") / name
    assert run(monkeypatch, "genotypes", path, "-o", tmp_path / "out") == 0
    said = capfd.readouterr().err
    assert f"warning: {path.name}: holds sites only: no samples" in said and "Traceback" not in said
    store = GenotypeStore(tmp_path / "out")
    assert {key: store.manifest[key] for key in numbers(name)} == numbers(name)
    assert store.samples.height == 0 and store.copies(slice(None)).shape == (store.variants.height, 0)


def test_a_broken_declaration_of_a_flag_is_told_with_its_line(tmp_path: Path) -> None:
    path, notes = shared("data/genotype-ingest/vcf/hail_bad_flag_number.vcf"), Notes("genotype")
    assert convert_genotypes(path, path.name, tmp_path / "store", notes, sites_only=True) is not None
    (told,) = [finding.message for finding in notes.findings if "INFO flag" in finding.message]
    assert "1 line (first: line 3)" in told


@pytest.mark.parametrize("name", SITES_ONLY)
def test_a_study_cannot_use_a_file_without_samples(tmp_path: Path, name: str) -> None:
    path, notes = shared("data/genotype-ingest") / name, Notes("genotype")
    assert convert_genotypes(path, path.name, tmp_path / "store", notes) is None
    (finding,) = [finding for finding in notes.findings if finding.severity == "fatal"]
    assert "without samples" in finding.message and not (tmp_path / "store").exists()


def test_an_impossible_place_is_left_out_and_told_with_its_line(tmp_path: Path) -> None:
    path, notes = shared("data/genotype-ingest/vcf/hail_skip_invalid_loci.vcf"), Notes("genotype")
    assert convert_genotypes(path, path.name, tmp_path / "store", notes) is not None
    (told,) = [finding.message for finding in notes.findings if finding.severity == "warning"]
    assert "2 lines (first: line 89) have chromosome or position 0" in told


def test_a_decomposed_file_has_the_records_of_its_twin(tmp_path: Path) -> None:
    folder = shared("data/genotype-ingest/vcf")
    whole = converted(folder / "hail_split_test.vcf", tmp_path / "whole").variants
    twin = converted(folder / "hail_split_test_b.vcf", tmp_path / "twin").variants
    place = ["chrom", "pos", "ref", "alt"]
    made = sorted((c, *minimal_alleles(pos, ref, alt)) for c, pos, ref, alt in whole.select(place).iter_rows())
    assert made == sorted(twin.select(place).rows()) and len(made) == 7


def test_a_decomposed_file_has_the_calls_of_its_twin(tmp_path: Path) -> None:
    folder = shared("data/genotype-ingest/vcf")
    tables = []
    for name in ("hail_split_test.vcf", "hail_split_test_b.vcf"):
        store = converted(folder / name, tmp_path / name)
        keys = [minimal_alleles(*row) for row in store.variants.select("pos", "ref", "alt").iter_rows()]
        tables.append(dict(zip(keys, store.copies(slice(None)).tolist(), strict=True)))
    assert tables[0] == tables[1]


def test_a1_is_the_allele_that_known_eqtls_say(tmp_path: Path) -> None:
    folder = shared("data/geuvadis-genotype-expression")
    store = converted(folder / "genotypes/Geuvadis.bed", tmp_path / "store")
    pairs = dict(line.split() for line in (folder / "Geuvadis_CEU_gte.txt").read_text().splitlines())
    runs = pl.read_csv(folder / "expression/Geuvadis_CEU_YRI_Expr.txt.gz", separator="\t", infer_schema_length=None)
    eqtls = pl.read_csv(folder / "known_cis_eqtls_CEU_FDR0.05.txt", separator="\t", infer_schema_length=None)
    samples = store.samples["sample"].to_list()
    people = [name for name in pairs if name in samples and pairs[name] in runs.columns]
    columns = np.array([samples.index(name) for name in people])
    row_of = {name: row for row, name in enumerate(store.variants["name"].to_list())}
    levels = {row[0]: row[1:] for row in runs.select(runs.columns[0], *(pairs[name] for name in people)).iter_rows()}
    agree = 0
    for snp, gene, allele, score in eqtls.select("SNPName", "ProbeName", "AlleleAssessed", "OverallZScore").iter_rows():
        copies = store.copies(np.array([row_of[snp]]), columns)[0]
        called = copies >= 0
        correlation = float(np.corrcoef(copies[called], np.array(levels[gene])[called])[0, 1])
        counted = store.variants["alt"][row_of[snp]]
        assert allele in (counted, store.variants["ref"][row_of[snp]])
        agree += np.sign(correlation) == np.sign(score if counted == allele else -score)
    assert len(people) == 90 and eqtls.height == agree == 25
