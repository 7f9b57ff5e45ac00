"""PLINK 1 files: calls byte for byte, every count, and each problem of the three files by name and line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nociomics.ingest.notes import Notes
from nociomics.ingest.plink1 import convert_plink1, count_codes
from nociomics.tables.files import read_table
from nociomics.tables.genotype_store import GenotypeStore, packed
from nociomics.tables.ingested import PHARMACOGENE_GENOTYPES
from tests.conftest import examples

BIM = ("1 rs1 0 100 G A", "2 rs2 0.5 200 T C", "23 . 0 300 A ATT", "0 rs4 0 0 0 C")
FAM = ("f1 A 0 0 1 -9", "f1 B 0 0 2 1", "f2 C 0 0 0 NA", "f2 D 0 0 male 0", "f3 E 0 0 2 -9")
COPIES = np.array([[0, 1, 2, -1, 0], [2, 2, -1, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, -1]], dtype=np.int8)


def write(
    folder: Path,
    copies: np.ndarray = COPIES,
    bim: tuple[str, ...] = BIM,
    fam: tuple[str, ...] = FAM,
    *,
    end: str = "\n",
    by_sample: bool = False,
) -> Path:
    """Write a set g.bed, g.bim, g.fam; lines as they are."""
    calls = packed(np.ascontiguousarray(copies.T) if by_sample else copies)
    (folder / "g.bed").write_bytes(b"\x6c\x1b" + (b"\x00" if by_sample else b"\x01") + calls.tobytes())
    (folder / "g.bim").write_bytes("".join(line + end for line in bim).encode("latin-1"))
    (folder / "g.fam").write_bytes("".join(line + end for line in fam).encode("latin-1"))
    return folder / "g.bed"


def convert(path: Path, build: str = "auto") -> tuple[GenotypeStore, Notes]:
    notes = Notes("genotype")
    store = convert_plink1(path, path.name, path.parent / "store", notes, build)  # type: ignore[arg-type]
    assert store is not None, notes.findings
    return store, notes


def problems(path: Path) -> list[str]:
    notes = Notes("genotype")
    assert convert_plink1(path, path.name, path.parent / "store", notes) is None
    assert not (path.parent / "store").exists(), "nothing may be left of a refused file"
    return [finding.message for finding in notes.findings if finding.severity == "fatal"]


def test_a_set_becomes_a_store(tmp_path: Path) -> None:
    store, _ = convert(write(tmp_path))
    assert store.copies(slice(None)).tolist() == COPIES.tolist()
    assert store.samples.rows() == [("A", "M"), ("B", "F"), ("C", None), ("D", "M"), ("E", "F")]
    assert store.variants.rows() == [
        ("rs1", "rs1", "1", 100, "A", "G", False),
        ("rs2", "rs2", "2", 200, "C", "T", False),
        ("X_300_ATT_A", None, "X", 300, "ATT", "A", False),
        ("rs4", "rs4", None, None, "C", None, False),
    ]
    counted = {"records": 4, "samples": 5, "gt_calls": 20, "missing_gt": 3, "hom_a1": 3, "het": 3, "hom_a2": 11}
    counted |= {"multiallelic": 0, "with_indel": 1, "chroms": ["0", "1", "2", "23"]}
    assert {name: store.manifest[name] for name in counted} == counted


def test_a1_is_counted_and_never_turned_round(tmp_path: Path) -> None:
    store, notes = convert(write(tmp_path, COPIES[:1], ("1 rs1 0 100 G A",)))
    turned, _ = convert(write(tmp_path, COPIES[:1], ("1 rs1 0 100 A G",)))
    assert store.variants.select("ref", "alt").row(0) == ("A", "G")
    assert turned.variants.select("ref", "alt").row(0) == ("G", "A")
    assert store.copies(slice(None)).tolist() == turned.copies(slice(None)).tolist()
    assert any("A2" in finding.message and "need not be" in finding.message for finding in notes.findings)


WAYS = {
    "tabs": dict(bim=tuple(line.replace(" ", "\t") for line in BIM)),
    "spaces at both ends and in rows": dict(fam=tuple(f"  {line.replace(' ', '   ')} " for line in FAM)),
    "CRLF": dict(end="\r\n"),
    "old Macintosh": dict(end="\r"),
    "blank lines": dict(bim=("", *BIM, ""), fam=(*FAM, "")),
    "by sample": dict(by_sample=True),
    "no centimorgans": dict(bim=tuple(" ".join(np.delete(line.split(), 2)) for line in BIM)),
    "no phenotype": dict(fam=tuple(line.rsplit(" ", 1)[0] for line in FAM)),
    "lower case": dict(bim=tuple(line.lower() for line in BIM)),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_other_ways_of_writing_give_the_same(tmp_path: Path, way: dict[str, object]) -> None:
    usual, _ = convert(write(tmp_path))
    expected = (usual.variants, usual.samples, usual.copies(slice(None)).tolist())
    other, _ = convert(write(tmp_path, **way))  # type: ignore[arg-type]
    assert other.variants.equals(expected[0]) and other.samples["sample"].equals(expected[1]["sample"])
    assert other.copies(slice(None)).tolist() == expected[2]


def test_the_bytes_of_the_calls_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path)
    store, _ = convert(path)
    assert (store.folder / "calls.bed").read_bytes() == path.read_bytes()


def test_latin_1_names_stay_unlike(tmp_path: Path) -> None:
    fam = ("f Jos\xe9 0 0 1 -9", "f Jos\xe8 0 0 1 -9", *FAM[2:])
    assert convert(write(tmp_path, fam=fam))[0].samples["sample"].to_list()[:2] == ["José", "Josè"]


def test_samples_that_share_an_id_are_named_by_family_too(tmp_path: Path) -> None:
    store, notes = convert(write(tmp_path, fam=tuple(f"f{n} 1 0 0 1 -9" for n in range(5))))
    assert store.samples["sample"].to_list() == [f"f{n}_1" for n in range(5)]
    assert any("FID_IID" in finding.message for finding in notes.findings)


REFUSED = {
    "no .bim and no .fam": ("unlink", ["g.bim is missing", "g.fam is missing"]),
    "other first bytes": ("magic", ["6c 1b"]),
    "the name of PLINK 2": ("mode", ["third byte is neither 1"]),
    "cut": ("cut", ["has 10 bytes, but 4 variants (.bim) of 5 samples (.fam) take 11"]),
    "too long": ("long", ["has 12 bytes"]),
    "empty .fam": ({"fam": ()}, ["g.fam: holds no samples"]),
    "empty .bim": ({"bim": ()}, ["g.bim: holds no variants"]),
    "short lines": (
        {"bim": (BIM[0], "2 rs2 0 200", *BIM[2:]), "fam": (*FAM[:4], "f3 E 0 0")},
        ["g.bim: 1 line (first: line 2) do not have the 6 fields", "g.fam: 1 line (first: line 5) do not have the 6"],
    ),
    "a repeated sample": ({"fam": (*FAM[:4], FAM[0])}, ["g.fam: 1 line (first: line 5) repeat the FID and IID"]),
    "names that meet once joined": (
        {"fam": ("a b_c 0 0 1 0", "a_b c 0 0 1 0", "x c 0 0 1 0", "y b_c 0 0 1 0", FAM[0])},
        ["g.fam: 1 line (first: line 2) have a name that stands above"],
    ),
    "no position": ({"bim": ("1 rs1 0 x G A", *BIM[1:])}, ["line 1) have no whole number as position"]),
    "no alleles": (
        {"bim": ("1 rs1 0 1 G M", "1 rs2 0 1 R A", *BIM[2:])},
        ["line 2) have an allele A1 that is neither", "line 1) have an allele A2 that is neither"],
    ),
}


@pytest.mark.parametrize(("broken", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_problems_are_named_all_at_once(tmp_path: Path, broken: object, words: list[str]) -> None:
    path = write(tmp_path, **broken) if isinstance(broken, dict) else write(tmp_path)
    data = path.read_bytes()
    if broken == "unlink":
        (tmp_path / "g.bim").unlink()
        (tmp_path / "g.fam").unlink()
    changed = {
        "magic": b"abc" + data[3:],
        "mode": data[:2] + b"\x10" + data[3:],
        "cut": data[:-1],
        "long": data + b"\0",
    }
    if isinstance(broken, str) and broken in changed:
        path.write_bytes(changed[broken])
    found = problems(path)
    assert len(found) == len(words) and all(word in line for word, line in zip(words, found, strict=True)), found
    assert not any("f1 A" in line for line in found)


def test_codes_in_place_of_bases_are_taken_with_a_warning(tmp_path: Path) -> None:
    store, notes = convert(write(tmp_path, bim=("1 i1 0 5 I D", "1 i2 0 6 1 2", "1 i3 0 7 - A", "1 i4 0 8 <DEL> A")))
    assert store.variants["alt"].to_list() == ["I", "1", "-", "<DEL>"] and store.manifest["with_indel"] == 2
    warned = [finding.message for finding in notes.findings if finding.severity == "warning"]
    assert len(warned) == 1 and "4 lines (first: line 1) have alleles that are codes" in warned[0]


def test_what_nothing_names_is_left_out_and_counted(tmp_path: Path) -> None:
    store, notes = convert(write(tmp_path, bim=(*BIM[:2], "0 exm1 0 0 A G", "0 exm2 0 0 A G")))
    assert store.variants.height == 2 and store.manifest["records"] == 4
    assert store.copies(slice(None)).tolist() == COPIES[:2].tolist()
    assert any("2 lines (first: line 3) have no place and no rsID" in finding.message for finding in notes.findings)


# COMT rs4680: chr22, 19951271 G>A in GRCh37; rs4818, 19951207 C>G, is ambiguous between strands.
COMT = COPIES[:1]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("22 rs4680 0 19951271 A G", ["G/G", "G/A", "A/A", "no_call", "G/G"]),
        ("22 rs4680 0 19951271 G A", ["A/A", "A/G", "G/G", "no_call", "A/A"]),
        ("chr22 rs4680 0 19951271 T C", ["~G/G", "~G/A", "~A/A", "no_call", "~G/G"]),
        ("22 rs4818 0 19951207 G C", ["strand_ambiguous"] * 3 + ["no_call", "strand_ambiguous"]),
    ],
)
def test_bases_at_pharmacogene_positions(tmp_path: Path, line: str, expected: list[str]) -> None:
    store, _ = convert(write(tmp_path, COMT, (line,)), build="GRCh37")
    calls = read_table(store.folder / "pharmacogene_genotypes.parquet", PHARMACOGENE_GENOTYPES)
    words = []
    for state, one, two in calls.select("call_state", "base_1", "base_2").iter_rows():
        words.append({"called": f"{one}/{two}", "strand_flipped": f"~{one}/{two}"}.get(state, state))
    assert words == expected and calls["patient_id"].to_list() == list("ABCDE")


def test_an_ambiguous_position_is_called_where_others_show_the_strand(tmp_path: Path) -> None:
    from nociomics.knowledge.pharmacogene import load_positions

    sure = (
        load_positions().filter(~pl.col("strand_ambiguous_snp") & pl.col("ref_confirmed")).unique("rsid").sort("rsid")
    )
    single = sure.filter((pl.col("ref_grch37").str.len_chars() == 1) & (pl.col("alts_grch37").str.len_chars() == 1))
    columns = ["chrom", "rsid", "pos_grch37", "alts_grch37", "ref_grch37"]
    rows = [f"{c} {name} 0 {pos} {alt} {ref}" for c, name, pos, alt, ref in single.select(columns).head(3).iter_rows()]
    store, _ = convert(write(tmp_path, COPIES, (*rows, "22 rs4818 0 19951207 G C")))
    calls = read_table(store.folder / "pharmacogene_genotypes.parquet", PHARMACOGENE_GENOTYPES)
    assert store.manifest["reference"] == "GRCh37"
    assert calls.filter(pl.col("rsid") == "rs4818")["call_state"].to_list() == ["called"] * 4 + ["no_call"]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
@settings(max_examples=examples(20), deadline=None)
def test_counting_bytes_is_counting_calls(variants: int, samples: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    copies = random.integers(-1, 3, (variants, samples)).astype(np.int8)
    rows = packed(copies)
    # the bits that pad the last byte may be anything
    rows[:, -1] |= (0xFF << 2 * (samples - 4 * (rows.shape[1] - 1))) & 0xFF
    found = count_codes(rows, samples)
    expected = {"hom_a1": 2, "missing_gt": -1, "het": 1, "hom_a2": 0}
    assert found == {name: int((copies == value).sum()) for name, value in expected.items()}


@given(st.integers(1, 11), st.integers(1, 11), st.integers(0, 2**32 - 1))
@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_orders_of_calls_give_the_same(tmp_path: Path, variants: int, samples: int, seed: int) -> None:
    copies = np.random.default_rng(seed).integers(-1, 3, (variants, samples)).astype(np.int8)
    bim = tuple(f"1 rs{n} 0 {n + 1} A G" for n in range(variants))
    fam = tuple(f"f S{n} 0 0 0 -9" for n in range(samples))
    for by_sample in (False, True):
        store, _ = convert(write(tmp_path, copies, bim, fam, by_sample=by_sample))
        assert store.copies(slice(None)).tolist() == copies.tolist()
