"""From a genotype file to bases: every way in which people write the same genotype, and what is no evidence."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nociomics.ingest.genotype import read_genotype
from nociomics.ingest.notes import Notes
from nociomics.knowledge.pharmacogene import load_positions
from nociomics.tables.study import TableSource
from tests.conftest import examples, shared

from .small_vcf import position, read_file, rows_of, told, vcf_text, written

COMT = "chr22 19963748"  # rs4680 G>A
FATAL = "fatal"


def read_rows(folder: Path, *rows: str, build: str | None = "GRCh38", samples: str = "ABCD") -> pl.DataFrame:
    return rows_of(written(folder, vcf_text(rows, build=build, samples=samples)))


def problems(path: Path, build: str = "auto") -> str:
    found, notes = read_file(path, build)
    assert found is None
    return "\n".join(finding.message for finding in notes.findings if finding.severity == FATAL)


# CYP2C9*6 rs9332131: chr10 94949281 GA>G. CYP2D6*9 rs5030656: chr22 42128173 CCTT>C. CYP3A5*7 rs41303343: chr7
# 99652770 T>TA. UGT1A1 rs3064744: chr2 233760233 CAT>C,CATAT,CATATAT, a repeat of AT of 15 bases.
INDELS = {
    "as in the table": ("rs9332131", "chr10 94949281 GA G 0/0 0/1 1/1 ./.", "GA/GA G/GA G/G no_call"),
    "padded right": ("rs9332131", "chr10 94949281 GAT GT 0/0 0/1 1/1 ./.", "GA/GA G/GA G/G no_call"),
    "padded left": ("rs9332131", "chr10 94949279 TCGA TCG 0/0 0/1 1/1 ./.", "GA/GA G/GA G/G no_call"),
    "shifted one right": ("rs9332131", "chr10 94949282 AA A 0/0 0/1 1/1 ./.", "GA/GA G/GA G/G no_call"),
    "shifted three of three": ("rs5030656", "chr22 42128174 CTTC C 0/0 0/1 1/1 ./.", "CCTT/CCTT C/CCTT C/C no_call"),
    "an insertion shifted": ("rs41303343", "chr7 99652771 A AA 0/0 0/1 1/1 ./.", "T/T T/TA TA/TA no_call"),
    "beside another ALT": ("rs9332131", "chr10 94949281 GA G,GAA 0/1 1/2 1/1 0/0", "G/GA unknown_base G/G GA/GA"),
    "the repeat, right end": (
        "rs3064744",
        "chr2 233760245 T TAT 0/0 0/1 1/1 ./.",
        "CAT/CAT CAT/CATAT CATAT/CATAT no_call",
    ),
    "the repeat, padded": (
        "rs3064744",
        "chr2 233760233 CATATATATATATATAA CATATATATATATAA,CATATATATATATATATAA,CATATATATATATATATATAA 0/1 0/2 2/3 1/1",
        "C/CAT CAT/CATAT CATAT/CATATAT C/C",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rsid", "row", "expected"), INDELS.values(), ids=INDELS.keys())
def test_an_indel_written_otherwise(tmp_path: Path, rsid: str, row: str, expected: str) -> None:
    path = written(tmp_path, vcf_text([row]))
    assert told(rows_of(path), rsid) == expected


def test_an_indel_elsewhere_is_not_taken_for_a_known_one(tmp_path: Path) -> None:
    # One base more between it and the known place: whether it is the same is not known.
    rows = read_rows(tmp_path, "chr10 94949284 AA A 0/1 0/1 0/1 0/1", f"{COMT} G A 0/0 0/0 0/0 0/0")
    assert told(rows, "rs9332131") == ""


GVCF = {
    "a block": (f"INFO=END=19963900 FORMAT={'GT'}", "0/0 0/0 ./. 0", "G/G G/G no_call G"),
    "GQ 0": ("INFO=END=19963900 FORMAT=GT:GQ", "0/0:99 0/0:0 0/0:. 0/0:19", "G/G filtered G/G filtered"),
    "DP 0 and MIN_DP 0": (
        "INFO=END=19963900 FORMAT=GT:DP:GQ:MIN_DP",
        "0/0:30:99:25 0/0:0:0:0 0/0:30:60:0 0/0:30:60:9",
        "G/G filtered filtered filtered",
    ),
    "depth of the whole block": ("INFO=END=19963900;MinDP=3", "0/0 0/0 0/0 0/0", "filtered filtered filtered filtered"),
    "a block that says another allele": ("INFO=END=19963900", "0/0 0/1 0/0 0/0", "G/G unknown_base G/G G/G"),
}


@pytest.mark.parametrize(("words", "calls", "expected"), GVCF.values(), ids=GVCF.keys())
def test_a_reference_block_counts_only_where_it_is_sure(tmp_path: Path, words: str, calls: str, expected: str) -> None:
    rows = read_rows(tmp_path, f"chr22 19963700 T <NON_REF> {words} {calls}")
    assert told(rows, "rs4680") == expected


def test_a_deletion_needs_all_its_bases_covered_by_blocks(tmp_path: Path) -> None:
    first, second = "chr10 94949281 G <NON_REF> 0/0 0/0 0/0 0/0", "chr10 94949282 A <NON_REF> 0/0 ./. 0/0 0/0"
    other = f"{COMT} G A 0/0 0/0 0/0 0/0"
    assert told(read_rows(tmp_path, first, second, other), "rs9332131") == "GA/GA no_call GA/GA GA/GA"
    assert told(read_rows(tmp_path, first, other), "rs9332131") == ""


SITES = {
    "low GQ": (["G A FORMAT=GT:GQ 0/0:19 0/1:20 1/1:. ./.:0"], "filtered A/G A/A no_call"),
    "low DP": (["G A FORMAT=GT:DP 0/0:9 0/1:10 0:5 0:4"], "filtered A/G G filtered"),
    "its own filter": (["G A FORMAT=GT:FT 0/0:PASS 0/1:lowGQ 1/1:. ./.:x"], "G/G filtered A/A no_call"),
    "half calls": (["G A 0/. ./1 1/. ./."], "half_call:G half_call:A half_call:A no_call"),
    "an allele that nobody knows": (["G A,T 0/2 2/2 0/1 ./2"], "unknown_base unknown_base A/G unknown_base"),
    "a deleted base": (["G A,* 0/2 1/2 0/1 0/0"], "unknown_base unknown_base A/G G/G"),
    "split, others as REF": (["G A 1/0 0/1 0/0 0/0", "G * 0/1 0/0 0/0 0/0"], "unknown_base A/G G/G G/G"),
    "split with <NON_REF>": (["G A,<NON_REF> 0/1 0/2 1/1 0/0"], "A/G unknown_base A/A G/G"),
    "repeated, agreeing": (["G A 0/0 0/1 1/1 ./.", "G A 0/0 1/0 1/1 0/1"], "G/G A/G A/A A/G"),
    "repeated, contradicting": (["G A 0/0 0/1 1/1 ./.", "G A 0/1 0/1 0/0 ./."], "no_call A/G no_call no_call"),
    "repeated, one filtered": (["G A FILTER=q10 1/1 1/1 1/1 1/1", "G A 0/0 0/1 1/1 ./."], "G/G A/G A/A filtered"),
    "repeated as REF alone": (["G . 0/0 0/0 0/0 0/0", "G A 0/0 0/1 1/1 ./."], "G/G A/G A/A no_call"),
    "padded": (["GTG ATG 0/0 0/1 1/1 ./."], "G/G A/G A/A no_call"),
    "two bases at once": (["GT AC 0/0 0/1 1/1 ./."], "G/G A/G A/A no_call"),
    "beside a deletion": (["GT AT,G 0/1 1/2 2/2 0/0"], "A/G A/G G/G G/G"),
    "REF and ALT exchanged": (["A G 1/1 0/1 0/0 ./."], "G/G A/G A/A no_call"),
    "the other strand": (["C T 0/0 0/1 1/1 ./."], "~G/G ~A/G ~A/A no_call"),
    "REF alone, phased": (["G A 0|0 0|1 1|0 1|1"], "G|G G|A A|G A|A"),
}


@pytest.mark.parametrize(("rows", "expected"), SITES.values(), ids=SITES.keys())
def test_one_site(tmp_path: Path, rows: list[str], expected: str) -> None:
    # a second position holds the file where the first has no row of its own
    path = written(tmp_path, vcf_text([f"{COMT} {row}" for row in rows]))
    assert told(rows_of(path), "rs4680") == expected


def test_a_row_that_begins_before_its_position(tmp_path: Path) -> None:
    rows = read_rows(tmp_path, "chr22 19963746 TAG TAA 0/0 0/1 1/1 ./.")
    assert told(rows, "rs4680") == "G/G A/G A/A no_call"
    study = read_genotype([TableSource(path="g.vcf", variants="none")], tmp_path, None, Notes("genotype")).bases
    assert told(study, "rs4680") == "G/G A/G A/A no_call"


def test_rows_that_do_not_speak_of_the_base_are_no_evidence(tmp_path: Path) -> None:
    other = "chr22 19962429 A G 0/0 0/1 1/1 ./."
    for row in (f"{COMT} GT G 0/0 0/0 0/1 0/0", f"{COMT} G <DEL> 0/0 0/0 0/1 0/0", f"{COMT} G * 0/0 0/0 0/1 0/0"):
        assert told(read_rows(tmp_path, row, other), "rs4680") == ""


# rs762551 (CYP1A2) is not ambiguous; rs4818 (COMT, C>G) is.
def test_an_ambiguous_base_is_refused_where_neither_strand_nor_order_is_sure(tmp_path: Path) -> None:
    ambiguous = "chr22 19963684 C G 0/0 0/1 1/1 ./."
    flipped, exchanged = f"{COMT} C T 0/0 0/0 0/0 0/0", "chr22 19962429 G A 0/0 0/0 0/0 0/0"
    assert told(read_rows(tmp_path, ambiguous, flipped), "rs4818") == "C/C C/G G/G no_call"
    assert told(read_rows(tmp_path, ambiguous, exchanged), "rs4818") == "C/C C/G G/G no_call"
    refused = "strand_ambiguous strand_ambiguous strand_ambiguous no_call"
    assert told(read_rows(tmp_path, ambiguous, flipped, exchanged), "rs4818") == refused
    assert told(read_rows(tmp_path, f"{COMT} T C 0/0 0/0 0/0 0/0", ambiguous), "rs4818") == refused


def test_several_phase_sets_in_one_gene(tmp_path: Path) -> None:
    rows = read_rows(
        tmp_path,
        "chr22 19962429 A G FORMAT=GT:PS 0|1:5 1|0:5 0|1:. 0/1:5",
        f"{COMT} G A FORMAT=GT:PS 1|0:9 0|1:5 0|1:. 0|1:9",
    )
    assert rows.filter(rsid="rs4680")["phase_set"].to_list() == ["9", "5", None, "9"]
    assert rows.filter(rsid="rs6269")["phase_set"].to_list() == ["5", "5", None, None]
    assert told(rows, "rs6269") == "A|G G|A A|G A/G"


OLD, NEW = "22 19951271 G A 0/0 0/1 1/1 ./.", f"{COMT} G A 0/0 0/1 1/1 ./."


@pytest.mark.parametrize(
    ("row", "header", "given", "build"),
    [
        (OLD, None, "auto", "GRCh37"),
        (NEW, None, "auto", "GRCh38"),
        (OLD, "GRCh37", "auto", "GRCh37"),
        ("chr" + OLD, None, "auto", "GRCh37"),
        (NEW.removeprefix("chr"), "GRCh38", "auto", "GRCh38"),
        (OLD, None, "GRCh37", "GRCh37"),
        (f"{COMT} C T 0/0 0/1 1/1 ./.", None, "auto", "GRCh38"),
        (f"{COMT} A G 0/0 0/1 1/1 ./.", None, "auto", "GRCh38"),
    ],
)
def test_the_build_is_said_or_shown(tmp_path: Path, row: str, header: str | None, given: str, build: str) -> None:
    rows = rows_of(written(tmp_path, vcf_text([row], build=header)), given)
    assert rows["build"].unique().to_list() == [build]


REFUSED = {
    "no known position": ([f"{COMT[:-1]}9 G A 0/0 0/0 0/0 0/0"], "GRCh38", "auto", "has none of the 392 known"),
    "no known position, no header": (["chr1 5 G A 0/0 0/0 0/0 0/0"], None, "auto", "has none of the 392 known"),
    "header against bases": ([OLD], "GRCh38", "auto", "header says GRCh38, but the reference bases are .* GRCh37"),
    "user against bases": ([OLD], None, "GRCh38", "you say GRCh38, but the reference bases are those of GRCh37"),
    "neither build": ([f"{COMT} T A 0/0 0/1 1/1 ./."], "GRCh38", "auto", "those of neither GRCh37 nor GRCh38"),
    "neither build, no header": ([f"{COMT} T A 0/0 0/1 1/1 ./."], None, "auto", "the genome build could not be told"),
    "as many for both": ([OLD, NEW], None, "auto", r"as many reference bases \(1\) are those of GRCh37 as of GRCh38"),
    "triploid": ([f"{COMT} G A 0/0 0/0/1 1/1 0/0"], "GRCh38", "auto", r"\(first: line 4\) have a genotype of three"),
    "nothing": ([], "GRCh38", "auto", "has none of the 392 known"),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "header", "given", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_called_is_refused(
    tmp_path: Path, rows: list[str], header: str | None, given: str, words: str
) -> None:
    assert re.search(words, problems(written(tmp_path, vcf_text(rows, build=header)), given))


def test_contigs_of_both_builds_leave_it_to_the_bases(tmp_path: Path) -> None:
    both = "##contig=<ID=1,length=249250621>\n##contig=<ID=2,length=242193529>\n#CHROM"
    text = vcf_text([OLD], build=None).replace("#CHROM", both, 1)
    assert rows_of(written(tmp_path, text))["build"][0] == "GRCh37"
    unknown = vcf_text(["22 19951271 T C,G 0/0 0/0 0/0 0/0"], build=None).replace("#CHROM", both, 1)
    assert "contig lengths of both GRCh37 and GRCh38" in problems(written(tmp_path, unknown))


FILES = ("full_unphased_grch38", "full_phased_grch38", "full_unphased_grch37_nochr", "variant_only_grch37_noheader")


def converted(folder: Path, name: str, *command: str) -> Path:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not on the path")
    path = folder / name
    with path.open("wb") as stream:
        subprocess.run(command, stdout=stream, stderr=subprocess.DEVNULL, check=True)
    return path


def sorted_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in one order; the two bases of an unphased call have none of their own."""
    one, two = pl.col("base_1"), pl.col("base_2")
    turned = ~pl.col("phased") & (one > two)
    return rows.sort("patient_id", "rsid").with_columns(
        base_1=pl.when(turned).then(two).otherwise(one), base_2=pl.when(turned).then(one).otherwise(two)
    )


@pytest.mark.parametrize("name", FILES)
def test_every_container_gives_the_same(tmp_path: Path, name: str) -> None:
    text = shared(f"data/pgx/vcf/{name}.vcf")
    expected = sorted_rows(rows_of(text))
    (tmp_path / "plain.vcf.gz").write_bytes(gzip.compress(text.read_bytes()))
    paths = [tmp_path / "plain.vcf.gz", converted(tmp_path, "b.vcf.gz", "bgzip", "-c", str(text))]
    if "noheader" not in name:
        paths.append(converted(tmp_path, "c.bcf", "bcftools", "view", "-Ob", str(text)))
        paths.append(converted(tmp_path, "s.vcf", "bcftools", "norm", "-m-any", str(text)))
        indexed = converted(tmp_path, "i.vcf.gz", "bcftools", "sort", "-Oz", str(text))
        subprocess.run(["bcftools", "index", "-t", indexed], check=True)
        paths.append(indexed)
    for path in paths:
        assert sorted_rows(rows_of(path)).equals(expected), path.name
    source = TableSource(path=text.name, variants="none")
    assert sorted_rows(read_genotype([source], text.parent, None, Notes("genotype")).bases).equals(expected)


def test_plink_gives_the_same_bases_unphased(tmp_path: Path) -> None:
    text = shared("data/pgx/vcf/full_unphased_grch38.vcf")
    if shutil.which("plink2") is None:
        pytest.skip("plink2 is not on the path")
    expected = rows_of(text)
    single = [line for line in text.read_text().splitlines() if line[0] != "#" and "," not in line.split("\t", 5)[4]]
    for flag, name in (("--make-bed", "p.bed"), ("--make-pgen", "p.pgen")):
        made = ["plink2", "--vcf", text, "--double-id", "--max-alleles", "2", flag, "--out", tmp_path / "p"]
        subprocess.run(made, check=True, capture_output=True)
        rows = rows_of(tmp_path / name)
        both = rows.join(expected, on=["patient_id", "rsid"], suffix="_expected")
        assert both.height == rows.height == 60 * len(single)
        pairs = [pl.concat_list(f"base_1{end}", f"base_2{end}").list.sort() for end in ("", "_expected")]
        assert both.select((pairs[0] == pairs[1]).all()).item() and not rows["phased"].any()


def test_a_table_of_dosages_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = written(tmp_path, "patient_id,rs4680\nA,1\n", "d.csv")
    assert "A table of dosages counts an allele without saying" in problems(path)
    assert "describes the calls of a PLINK file" in problems(written(tmp_path, "22 rs1 0 5 A G\n", "p.bim"))


def plink1(folder: Path, *sites: str) -> Path:
    """Write PLINK 1 files of four people, with no, one and two copies of A1, and no call; sites "CHROM POS A1 A2"."""
    fields = [(number, *site.split()) for number, site in enumerate(sites)]
    rows = [f"{chrom}\tv{number}\t0\t{pos}\t{a1}\t{a2}" for number, chrom, pos, a1, a2 in fields]
    (folder / "p.bim").write_text("\n".join(rows) + "\n")
    (folder / "p.fam").write_text("".join(f"{name} {name} 0 0 0 -9\n" for name in "ABCD"))
    (folder / "p.bed").write_bytes(b"\x6c\x1b\x01" + bytes([0b01_00_10_11]) * len(sites))
    return folder / "p.bed"


def test_plink_alleles_in_any_order_and_letters_of_arrays(tmp_path: Path) -> None:
    path = plink1(tmp_path, "22 19963748 A G", "22 19962429 A G", "10 94949281 D I")
    found, notes = read_file(path)
    assert found is not None
    assert told(found.rows, "rs4680") == "G/G A/G A/A no_call"
    assert told(found.rows, "rs6269") == "G/G A/G A/A no_call"
    assert told(found.rows, "rs9332131") == "" and found.rows["build"][0] == "GRCh38"
    assert any("1 known insertions or deletions are written as I and D" in f.message for f in notes.findings)
    assert "neither build fits" in problems(plink1(tmp_path, "22 5 A G"))


def gvcf_rows(number: int) -> list[str]:
    """Blocks that begin before the known positions, and rows between."""
    rows = [f"chr22 {pos} T <NON_REF> INFO=END={pos + 99} 0/0 ./. 0/0 0/0" for pos in range(19950001, 19975001, 100)]
    return rows[:number]


def test_by_its_index_a_file_gives_what_it_gives_whole(tmp_path: Path) -> None:
    for tool in ("bcftools", "bgzip"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not on the path")
    text = vcf_text(gvcf_rows(250)).replace("#CHROM", "##contig=<ID=chr22,length=50818468>\n#CHROM", 1)
    plain = written(tmp_path, text)
    indexed = converted(tmp_path, "g.vcf.gz", "bgzip", "-c", str(plain))
    subprocess.run(["bcftools", "index", "-c", indexed], check=True)
    (found, notes), expected = read_file(indexed), rows_of(plain)
    assert found is not None and rows_of(indexed).equals(expected)
    assert told(expected, "rs4680") == "G/G no_call G/G G/G"
    assert not any("whole file is read" in finding.message for finding in notes.findings)


SNPS = [
    row
    for row in load_positions().filter("ref_confirmed").iter_rows(named=True)
    if len(row["ref_grch38"]) == 1 == len(row["alts_grch38"]) and not row["strand_ambiguous_snp"]
]
_GENOTYPES = st.lists(
    st.tuples(st.sampled_from(SNPS), st.lists(st.sampled_from("00 01 10 11 .. 1.".split()), min_size=3, max_size=3)),
    min_size=3, max_size=12, unique_by=lambda pair: pair[0]["rsid"],
)  # fmt: skip


def site(row: dict[str, object], codes: list[str], mark: str, build: str = "GRCh38", exchange: bool = False) -> str:
    """Write one site in a build; codes are of the GRCh38 alleles, whatever the build calls reference."""
    end = build.lower()
    table = [str(row["ref_grch38"]), str(row["alts_grch38"])]
    here = [str(row[f"ref_{end}"]), str(row[f"alts_{end}"])]
    here = here[::-1] if exchange else here
    calls = [mark.join("." if code == "." else str(here.index(table[int(code)])) for code in pair) for pair in codes]
    chrom = str(row["chrom"]) if build == "GRCh38" else str(row["chrom"]).removeprefix("chr")
    return " ".join([chrom, str(row[f"pos_{end}"]), *here, *calls])


def read_text(text: str) -> pl.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        return rows_of(written(Path(folder), text))


def unordered(rows: pl.DataFrame) -> list[tuple[object, ...]]:
    """Rows as sets of bases, in one order, without build and phase."""
    return sorted(
        (person, rsid, state, tuple(sorted([one or "", two or ""])))
        for person, rsid, state, one, two in rows.select(
            "patient_id", "rsid", "call_state", "base_1", "base_2"
        ).iter_rows()
    )


@given(_GENOTYPES, st.randoms(use_true_random=False))
@settings(max_examples=examples(20), deadline=None)
def test_no_way_of_writing_changes_the_bases(
    genotypes: list[tuple[dict[str, object], list[str]]], random: object
) -> None:
    rows = [site(row, codes, "/") for row, codes in genotypes]
    expected = unordered(read_text(vcf_text(rows, samples="ABC")))
    shuffled = sorted(rows, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert unordered(read_text(vcf_text(shuffled, samples="ABC"))) == expected
    turned = [site(row, [code[::-1] for code in codes], "/") for row, codes in genotypes]
    assert unordered(read_text(vcf_text(turned, samples="ABC"))) == expected
    phased = [site(row, codes, "|") for row, codes in genotypes]
    assert unordered(read_text(vcf_text(phased, samples="ABC"))) == expected
    backwards = [" ".join([*row.split()[:4], *row.split()[:3:-1]]) for row in rows]
    assert unordered(read_text(vcf_text(backwards, samples="CBA"))) == expected
    exchanged = [site(row, codes, "/", exchange=True) for row, codes in genotypes]
    assert unordered(read_text(vcf_text(exchanged, samples="ABC"))) == expected
    old = [site(row, codes, "/", build="GRCh37") for row, codes in genotypes]
    assert unordered(read_text(vcf_text(old, samples="ABC", build=None))) == expected


TRIPLE = [
    row
    for row in load_positions().iter_rows(named=True)
    if len(row["ref_grch38"]) == 1 and re.fullmatch("[ACGT],[ACGT]", row["alts_grch38"])
]


@given(
    st.sampled_from(TRIPLE),
    st.lists(st.tuples(st.sampled_from("012."), st.sampled_from("012."), st.booleans()), min_size=4, max_size=4),
    st.sampled_from(["0", "."]),
    st.booleans(),
)
@settings(max_examples=examples(50), deadline=None)
def test_splitting_a_site_never_changes_the_bases(
    row: dict[str, str], calls: list[tuple[str, str, bool]], others: str, backwards: bool
) -> None:
    """As ``bcftools norm -m-any`` splits it, with other ALTs as REF or (``--multi-overlaps .``) as missing."""
    chrom, pos, ref, alts = position(row["rsid"])
    whole = " ".join([chrom, str(pos), ref, ",".join(alts), *("|/"[not p].join([a, b]) for a, b, p in calls)])
    split = []
    for number, alt in enumerate(alts, start=1):
        told_here = {"0": "0", ".": ".", str(number): "1"}
        cells = ["|/"[not p].join(told_here.get(code, others) for code in (a, b)) for a, b, p in calls]
        split.append(" ".join([chrom, str(pos), ref, alt, *cells]))
    hold = f"{COMT} G A 0/0 0/0 0/0 0/0"
    one = read_text(vcf_text([whole, hold]))
    parts = read_text(vcf_text([*(split[::-1] if backwards else split), hold]))
    assert told(parts, row["rsid"]) == told(one, row["rsid"])


def test_a_list_that_asks_for_the_misprinted_opioid_variant_is_refused_by_name(tmp_path: Path) -> None:
    written(tmp_path, vcf_text([NEW]))
    written(tmp_path, "rs4680\nrs17999\n", "wanted.txt")
    notes = Notes("genotype")
    read_genotype([TableSource(path="g.vcf", variants="wanted.txt")], tmp_path, None, notes)
    (finding,) = [finding for finding in notes.findings if finding.severity == FATAL]
    assert "wanted.txt: asks for rs17999, which is a misprint" in finding.message
    assert "OPRM1 A118G is rs1799971" in finding.message
