"""Weight files in the PGS Catalog's layout: what is taken, what is refused, all at once."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from nociomics.ingest.notes import Notes
from nociomics.ingest.score_weights import read_score_weights
from nociomics.tables.study import PolygenicScoreSource

HEADER = "###PGS CATALOG SCORING FILE\n#format_version=2.0\n##ABOUT\n#pgs_id=PGS999999\n#genome_build=hg19\n"
PLAIN = ["rsID", "chr_name", "chr_position", "effect_allele", "other_allele", "effect_weight"]


def file_of(folder: Path, columns: list[str], *rows: list[str], header: str = HEADER, name: str = "weights.txt") -> str:
    text = header + "\n".join("\t".join(row) for row in (columns, *rows)) + "\n"
    data = text.encode()
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return name


def read(folder: Path, name: str, build: str = "auto") -> tuple[pl.DataFrame | None, Notes]:
    notes = Notes("polygenic_scores")
    source = PolygenicScoreSource(path=name, name="pain", build=build)
    return read_score_weights(source, folder, notes), notes


def messages(notes: Notes, severity: str) -> list[str]:
    return [finding.message for finding in notes.findings if finding.severity == severity]


@pytest.mark.parametrize("name", ["weights.txt", "weights.txt.gz"])
def test_a_catalogue_file_is_read_plain_or_gzipped(name, tmp_path):
    rows = ["rs1", "1", "100", "A", "G", "0.5"], ["", "chrX", "200", "ct", "C", "-1e-3"]
    weights, notes = read(tmp_path, file_of(tmp_path, PLAIN, *rows, name=name))
    assert weights.rows() == [
        ("pain", "GRCh37", "rs1", "1", 100, "A", "G", 0.5, None),
        ("pain", "GRCh37", None, "X", 200, "CT", "C", -0.001, None),
    ]
    assert notes.origins == [{"table": "polygenic_scores", "name": "pgs_pain", "file": name, "column": "effect_weight"}]
    assert (notes.readings[0]["rows_in"], notes.readings[0]["rows_out"]) == (2, 2)
    assert messages(notes, "info") == [f"{name}: 2 weights of PGS999999, positions of GRCh37."]


def test_harmonised_columns_and_their_build_are_preferred(tmp_path):
    columns = ["rsID", "chr_name", "chr_position", "effect_allele", "effect_weight", "allelefrequency_effect"]
    columns += ["hm_source", "hm_rsID", "hm_chr", "hm_pos", "hm_inferOtherAllele"]
    rows = (
        ["rs1", "1", "100", "A", "0.5", "0.2", "ENSEMBL", "rs11", "1", "150", "G"],
        ["rs2", "1", "200", "A", "0.5", "NR", "Unknown", "", "", "", "C/T"],
    )
    header = HEADER + "#HmPOS_build=GRCh38\n"
    weights, _ = read(tmp_path, file_of(tmp_path, columns, *rows, header=header))
    assert weights.rows() == [
        ("pain", "GRCh38", "rs11", "1", 150, "A", "G", 0.5, 0.2),
        ("pain", "GRCh38", "rs2", None, None, "A", None, 0.5, None),
    ]


def test_the_build_is_the_studys_word_unless_the_file_contradicts(tmp_path):
    row = ["rs1", "1", "100", "A", "G", "0.5"]
    unknown = file_of(tmp_path, PLAIN, row, header="#genome_build=NR\n")
    weights, notes = read(tmp_path, unknown)
    assert weights["build"].to_list() == [None] and "matched by rsID alone" in messages(notes, "warning")[0]
    assert read(tmp_path, unknown, "GRCh38")[0]["build"].to_list() == ["GRCh38"]
    weights, notes = read(tmp_path, file_of(tmp_path, PLAIN, row), "GRCh38")
    assert weights is None and "the file says GRCh37" in messages(notes, "fatal")[0]


@pytest.mark.parametrize(
    "flag", ["is_interaction", "is_dominant", "is_recessive", "is_haplotype", "is_diplotype", "dosage_1_weight"]
)
def test_what_is_no_weight_of_one_allele_is_refused_by_name(flag, tmp_path):
    word = "0.3" if flag.startswith("dosage") else "True"
    rows = ["rs1", "1", "100", "A", "G", "0.5", ""], ["rs2", "1", "200", "A", "G", "0.5", word]
    weights, notes = read(tmp_path, file_of(tmp_path, [*PLAIN, flag], *rows))
    assert weights is None
    [message] = messages(notes, "fatal")
    assert f'column "{flag}": 1 row (first: line 8)' in message


def test_a_flag_that_is_never_set_is_fine(tmp_path):
    weights, _ = read(tmp_path, file_of(tmp_path, [*PLAIN, "is_dominant"], ["rs1", "1", "1", "A", "G", "0.5", "False"]))
    assert weights.height == 1


def test_every_problem_is_told_at_once_and_no_value_is_shown(tmp_path):
    rows = (
        ["rs1", "1", "100", "A", "G", "heavy", "0.5"],
        ["rs2", "1", "first", "A", "G", "0.5", "1.7"],
        ["rs3", "1", "300", "", "G", "", "0.5"],
        ["rs4", "1", "10.5", "A", "G", "0.1", "0.5"],
    )
    weights, notes = read(tmp_path, file_of(tmp_path, [*PLAIN, "allelefrequency_effect"], *rows))
    assert weights is None
    said = "\n".join(messages(notes, "fatal"))
    for words in (
        'column "effect_weight": 1 row (first: line 7) hold no number',
        'column "effect_weight": 1 row (first: line 9) have no weight',
        'column "chr_position": 1 row (first: line 8) hold no number',
        'column "chr_position": 1 row (first: line 10) are no whole position',
        'column "effect_allele": 1 row (first: line 9) name no effect allele',
        'column "allelefrequency_effect": 1 row (first: line 8) are no share',
    ):
        assert words in said
    assert "heavy" not in said


def test_missing_columns_are_named(tmp_path):
    _, notes = read(tmp_path, file_of(tmp_path, ["snp", "effect_alele", "beta"], ["rs1", "A", "0.1"]))
    said = "\n".join(messages(notes, "fatal"))
    assert 'no column "effect_allele". Did you mean "effect_alele"?' in said
    assert 'no column "effect_weight"' in said and "neither rsID nor chr_name" in said


@pytest.mark.parametrize("rows", [[], [["rs1", "1"]]], ids=["no rows", "a short row"])
def test_a_broken_file_is_refused(rows, tmp_path):
    weights, notes = read(tmp_path, file_of(tmp_path, PLAIN, *rows))
    assert weights is None and len(messages(notes, "fatal")) == 1
    assert read(tmp_path, "absent.txt")[0] is None


def test_an_allele_that_is_weighed_twice_and_alleles_that_are_no_bases_are_counted(tmp_path):
    rows = (
        ["rs1", "1", "100", "A", "G", "0.5"],
        ["rs1", "1", "100", "A", "G", "0.7"],
        ["HLA-B*57:01", "6", "300", "P", "N", "0.1"],
        ["name", "", "", "A", "G", "0.1"],
    )
    weights, notes = read(tmp_path, file_of(tmp_path, PLAIN, *rows))
    assert weights["weight"].to_list() == [0.5, 0.1, 0.1]
    said = "\n".join(messages(notes, "warning"))
    for words in ("weigh an allele that stands above", "are no bases", "name no variant"):
        assert words in said


@pytest.mark.parametrize("blank", ["", " ", "\u00a0", "\x0b"])
@pytest.mark.parametrize("word", ["", "NA", "nA", "NaN", "Nr", ".", "nOnE"])
def test_a_word_for_nothing_is_nothing_however_it_is_written(word, blank, tmp_path):
    rows = ["rs1", f"{word}{blank}", f"{blank}{word}", "A", word, "0.5"], [f"{blank}rs2", "1", "200", "a", "G", "1"]
    weights, notes = read(tmp_path, file_of(tmp_path, PLAIN, *rows))
    assert weights.rows() == [
        ("pain", "GRCh37", "rs1", None, None, "A", None, 0.5, None),
        ("pain", "GRCh37", "rs2", "1", 200, "A", "G", 1.0, None),
    ]
    assert not messages(notes, "warning")
