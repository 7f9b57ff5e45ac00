"""Polygenic scores: alignment case by case, sums by hand and by plink2, and nobody's score depends on others."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from shutil import which

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.errors import TableError
from nociomics.harmonise.polygenic_scores import GenotypedPeople, PolygenicScores, polygenic_score
from nociomics.harmonise.score_alignment import aligned_weights
from nociomics.tables import summed_calls
from nociomics.tables.files import write_json, write_table
from nociomics.tables.genotype_store import FORMAT, STORE_SAMPLES, STORE_VARIANTS, CallsFile, GenotypeStore, packed
from nociomics.tables.polygenic import SCORE_COVERAGE, SCORE_MATCHES, SCORE_WEIGHTS

Site = tuple[str, str | None, int | None, str | None, str | None]
_COLUMNS = ["score", "build", "rsid", "chrom", "pos", "effect_allele", "other_allele", "weight", "frequency"]


def sites_of(*sites: Site, filtered: Sequence[int] = ()) -> pl.DataFrame:
    rows = [
        (name, name, chrom, pos, ref, alt, number in filtered)
        for number, (name, chrom, pos, ref, alt) in enumerate(sites)
    ]
    kinds = {"pos": pl.Int64, "filtered": pl.Boolean}
    schema = {column.name: kinds.get(column.name, pl.String) for column in STORE_VARIANTS.columns}
    return pl.DataFrame(rows, schema=schema, orient="row")


def weights_of(*rows: tuple, build: str | None = "GRCh38") -> pl.DataFrame:
    """Lay out (rsid, chrom, pos, effect, other, weight, frequency)."""
    schema = dict.fromkeys(_COLUMNS, pl.String) | {"pos": pl.Int64, "weight": pl.Float64, "frequency": pl.Float64}
    return SCORE_WEIGHTS.check(pl.DataFrame([("pain", build, *row) for row in rows], schema=schema, orient="row"))


def store_of(folder: Path, copies: np.ndarray, variants: pl.DataFrame, samples: Sequence[str]) -> GenotypeStore:
    folder.mkdir(parents=True)
    people = pl.DataFrame({"sample": samples, "sex": [None] * len(samples)}, schema_overrides={"sex": pl.String})
    write_table(people, STORE_SAMPLES, folder / "samples.parquet")
    write_table(variants, STORE_VARIANTS, folder / "variants.parquet")
    with CallsFile(folder / "calls.bed") as calls:
        calls.add(np.asarray(copies, np.int8))
    write_json({"format": FORMAT, "reference": "GRCh38"}, folder / "manifest.json")
    return GenotypeStore(folder)


def everyone(store: GenotypeStore) -> GenotypedPeople:
    return GenotypedPeople(store, store.samples.select("sample", patient_id="sample"), "GRCh38")


def cohort(
    seed: int, variants: int, people: int, missing: float = 0.1
) -> tuple[np.ndarray, pl.DataFrame, pl.DataFrame]:
    """Draw copies, the sites, and a weight for each without frequency."""
    random = np.random.default_rng(seed)
    copies = random.binomial(2, random.uniform(0.1, 0.9, (variants, 1)), (variants, people)).astype(np.int8)
    copies[random.random(copies.shape) < missing] = -1
    sites = sites_of(*[(f"rs{number}", "1", 100 + number, "A", "G") for number in range(variants)])
    weights = weights_of(
        *[(f"rs{number}", "1", 100 + number, "G", "A", random.normal(), None) for number in range(variants)]
    )
    return copies, sites, weights


def check(found: PolygenicScores) -> PolygenicScores:
    assert SCORE_COVERAGE.problems(found.coverage) == [] and SCORE_MATCHES.problems(found.matches) == []
    return found


ONE_STRAND = [(f"rs9{n}", "2", 1000 + n, "A", "G") for n in range(20)]
ONE_STRAND_WEIGHTS = [(f"rs9{n}", "2", 1000 + n, "G", "A", 1.0, None) for n in range(20)]


@pytest.mark.parametrize(
    ("case", "effect", "other", "ref", "alt", "state", "swapped"),
    [
        ("counted allele", "G", "A", "A", "G", "direct", False),
        ("other allele", "A", "G", "A", "G", "swapped", True),
        ("counted allele, other strand", "C", "T", "A", "G", "flipped", False),
        ("other allele, other strand", "T", "C", "A", "G", "flipped and swapped", True),
        ("other allele not named", "G", None, "A", "G", "direct", False),
        ("not named, other strand", "C", None, "A", "G", "flipped", False),
        ("other allele does not fit", "G", "C", "A", "G", "other alleles", False),
        ("insertion", "AT", "A", "A", "AT", "direct", False),
        ("deletion, other strand", "A", "AT", "TA", "T", "other alleles", False),
        ("longer alleles, other strand", "AT", "T", "A", "AT", "flipped", False),
        ("ambiguous without evidence", "T", "A", "A", "T", "ambiguous", False),
        ("no bases", "P", "N", "A", "G", "other alleles", False),
    ],
)
def test_alleles_decide(case, effect, other, ref, alt, state, swapped):
    found = aligned_weights(
        weights_of(("rs1", "1", 100, effect, other, 1.0, None)), sites_of(("rs1", "1", 100, ref, alt)), "GRCh38"
    )
    assert (found["state"][0], found["is_swapped"][0]) == (state, swapped), case


@pytest.mark.parametrize(
    ("others", "named", "state"),
    [
        (ONE_STRAND_WEIGHTS, "A", "direct"),
        (ONE_STRAND_WEIGHTS, None, "ambiguous"),
        (ONE_STRAND_WEIGHTS[1:], "A", "ambiguous"),
        ([*ONE_STRAND_WEIGHTS[1:], ("rs90", "2", 1000, "C", "T", 1.0, None)], "A", "ambiguous"),
    ],
    ids=["one strand", "other allele not named", "too few others", "one is flipped"],
)
def test_an_ambiguous_variant_needs_twenty_others_on_one_strand(others, named, state):
    weights = weights_of(("rs1", "1", 100, "T", named, 1.0, None), *others)
    found = aligned_weights(weights, sites_of(("rs1", "1", 100, "A", "T"), *ONE_STRAND), "GRCh38")
    assert found["state"][0] == state


def test_variants_are_found_by_place_in_one_build_and_else_by_rsid():
    sites = sites_of(("rs1", "chr1", 100, "A", "G"), ("rs2", "1", 200, "A", "G"))
    moved = ("rs2", "1", 100, "G", "A", 1.0, None)
    assert aligned_weights(weights_of(moved), sites, "GRCh38")["row"].to_list() == [0]  # place goes before name
    assert aligned_weights(weights_of(moved, build="GRCh37"), sites, "GRCh38")["row"].to_list() == [1]
    assert aligned_weights(weights_of(moved), sites, None)["row"].to_list() == [1]
    nameless = weights_of((None, "1", 100, "G", "A", 1.0, None), build=None)
    assert aligned_weights(nameless, sites, "GRCh38")["state"].to_list() == ["absent"]


def test_a_wrong_place_with_other_alleles_falls_back_to_the_rsid():
    sites = sites_of(("rs1", "1", 100, "A", "C"), ("rs2", "1", 200, "A", "G"))
    found = aligned_weights(weights_of(("rs2", "1", 100, "G", "A", 1.0, None)), sites, "GRCh38")
    assert found.select("row", "state").row(0) == (1, "direct")


def test_the_reference_of_several_alternatives_is_left_out():
    sites = sites_of(("rs1_G", "1", 100, "A", "G"), ("rs1_T", "1", 100, "A", "T"))
    weights = weights_of(("rs1", "1", 100, "A", "G", 1.0, None), ("rs1", "1", 100, "G", "A", 1.0, None))
    assert aligned_weights(weights, sites, "GRCh38")["state"].to_list() == ["several alternatives", "direct"]


def test_filtered_variants_and_tables_without_alleles_are_not_scored():
    weights = weights_of(("rs1", "1", 100, "G", "A", 1.0, None))
    assert aligned_weights(weights, sites_of(("rs1", "1", 100, "A", "G"), filtered=[0]), "GRCh38")["state"][0] == (
        "filtered"
    )
    assert aligned_weights(weights, sites_of(("rs1", None, None, None, None)), None)["state"][0] == "other alleles"


def test_a_score_by_hand(tmp_path):
    sites = sites_of(("rs1", "1", 1, "A", "G"), ("rs2", "1", 2, "A", "G"), ("rs3", "1", 3, "A", "G"))
    weights = weights_of(
        ("rs1", "1", 1, "G", "A", 1.0, 0.25), ("rs2", "1", 2, "A", "G", 10.0, 0.5), ("rs3", "1", 3, "C", "T", -4.0, 0.1)
    )
    copies = np.array([[0, 1, 2, -1], [0, 1, 2, 1], [1, 1, 1, 2]])
    store = store_of(tmp_path / "store", copies, sites, list("ABCD"))
    found = check(polygenic_score([everyone(store)], weights, "pain", 0.9))
    assert found.part.frame["pgs_pain"].to_list() == pytest.approx([16.0, 7.0, -2.0, 0.5 + 10 - 8])
    assert found.coverage["coverage"].to_list() == pytest.approx([1, 1, 1, 14 / 15])
    assert found.coverage["status"].to_list() == ["ok"] * 4
    [feature] = found.part.features
    assert (feature.feature, feature.modality, feature.group, feature.unit) == ("pgs_pain", "genotype", "pain", "score")
    counted = dict(found.matches.filter(pl.col("weights") > 0).select("state", "weights").iter_rows())
    assert counted == {"direct": 1, "swapped": 1, "flipped": 1}


def test_without_frequencies_a_score_is_prorated_and_with_some_both(tmp_path):
    sites = sites_of(("rs1", "1", 1, "A", "G"), ("rs2", "1", 2, "A", "G"), ("rs3", "1", 3, "A", "G"))
    rows = [("rs1", "1", 1, "G", "A", 1.0), ("rs2", "1", 2, "G", "A", 2.0), ("rs3", "1", 3, "G", "A", 1.0)]
    copies = np.array([[2, 2, -1, -1], [1, -1, 1, 1], [0, 0, 0, -1]])
    store = everyone(store_of(tmp_path / "store", copies, sites, list("ABCD")))
    none = check(polygenic_score([store], weights_of(*[(*row, None) for row in rows]), "pain", 0.5))
    assert none.part.frame["pgs_pain"].to_list() == pytest.approx([4, 2 / (2 / 4), 2 / (3 / 4), 2 / (2 / 4)])
    some = check(
        polygenic_score(
            [store], weights_of(*[(*row, f) for row, f in zip(rows, (0.5, None, 0.5), strict=True)]), "pain", 0.5
        )
    )
    assert some.part.frame["pgs_pain"].to_list() == pytest.approx([4, 2 / (2 / 4), 3, 4])
    assert some.coverage["coverage"].to_list() == pytest.approx([1, 0.5, 0.75, 0.5])
    assert "pro-rated" in none.part.features[0].description and "frequency" in some.part.features[0].description


def test_too_little_coverage_gives_no_score_and_says_how_often(tmp_path):
    sites = sites_of(("rs1", "1", 1, "A", "G"), ("rs2", "1", 2, "A", "G"))
    weights = weights_of(("rs1", "1", 1, "G", "A", 9.0, 0.5), ("rs2", "1", 2, "G", "A", 1.0, 0.5))
    store = store_of(tmp_path / "store", np.array([[1, -1, 1], [1, 1, -1]]), sites, ["A", "B", "C"])
    found = check(polygenic_score([everyone(store)], weights, "pain", 0.9))
    assert found.part.frame["pgs_pain"].to_list() == [10.0, None, 10.0]
    assert found.coverage["status"].to_list() == [
        "ok", "rejected: calls cover less than 90% of the weights", "ok",
    ]  # fmt: skip
    [low] = [finding for finding in found.part.findings if finding.severity == "warning"]
    assert low.count == 1 and "1 of 3 genotyped people" in low.message


def test_absent_variants_count_against_coverage(tmp_path):
    sites = sites_of(("rs1", "1", 1, "A", "G"))
    weights = weights_of(("rs1", "1", 1, "G", "A", 1.0, 0.5), ("rs2", "1", 2, "G", "A", 1.0, 0.25))
    store = everyone(store_of(tmp_path / "store", np.array([[2, 0]]), sites, ["A", "B"]))
    found = polygenic_score([store], weights, "pain", 0.5)
    assert found.coverage["coverage"].to_list() == [0.5, 0.5]
    assert found.part.frame["pgs_pain"].to_list() == [2.5, 0.5]
    nothing = check(polygenic_score([store], weights_of(("rs7", "1", 7, "G", "A", 1.0, None)), "pain", 0.5))
    assert nothing.part.frame["pgs_pain"].to_list() == [None, None]
    assert nothing.part.findings[0].severity == "warning"


@pytest.mark.parametrize(
    ("many", "at_once", "positions"),
    [(4_096, 2**20, 16_384), (0, 2**20, 16_384), (0, 1, 2)],
    ids=["two small tables", "one large table", "group by group, some positions at a time"],
)
def test_a_person_alone_has_the_same_score_to_the_last_bit(many, at_once, positions, tmp_path, monkeypatch):
    copies, sites, weights = cohort(1, 300, 41)
    monkeypatch.setattr(summed_calls, "_MANY_BYTES", many)
    monkeypatch.setattr(summed_calls, "_MOST_BYTES_AT_ONCE", at_once)
    monkeypatch.setattr(summed_calls, "_POSITIONS_AT_A_TIME", positions)
    names = [f"P{number}" for number in range(41)]
    whole = polygenic_score([everyone(store_of(tmp_path / "all", copies, sites, names))], weights, "pain", 0.1)
    monkeypatch.undo()
    for number in (0, 7, 40):
        store = store_of(tmp_path / f"p{number}", copies[:, [number]], sites, [names[number]])
        alone = polygenic_score([everyone(store)], weights, "pain", 0.1)
        assert alone.part.frame["pgs_pain"][0] == whole.part.frame["pgs_pain"][number]
        assert alone.coverage["coverage"][0] == whole.coverage["coverage"][number]


def test_files_by_chromosome_and_by_batch_add_up(tmp_path):
    copies, sites, weights = cohort(2, 120, 30)
    names = [f"P{number}" for number in range(30)]
    whole = check(polygenic_score([everyone(store_of(tmp_path / "all", copies, sites, names))], weights, "pain", 0.1))
    parts = [
        everyone(store_of(tmp_path / f"{a}_{b}", copies[a : a + 60, b : b + 15], sites[a : a + 60], names[b : b + 15]))
        for a in (0, 60)
        for b in (0, 15)
    ]
    again = everyone(store_of(tmp_path / "again", copies[:, :20], sites, names[:20]))  # adds nothing for these people
    split = check(polygenic_score([*parts, again], weights, "pain", 0.1))
    both = whole.part.frame.join(split.part.frame, on="patient_id", validate="1:1")
    assert both.height == 30
    assert both["pgs_pain"].to_list() == pytest.approx(both["pgs_pain_right"].to_list(), rel=1e-12)


def test_only_the_studys_people_are_scored_under_their_own_ids(tmp_path):
    copies, sites, weights = cohort(3, 50, 5)
    store = store_of(tmp_path / "store", copies, sites, list("ABCDE"))
    people = pl.DataFrame({"patient_id": ["two", "one"], "sample": ["D", "B"]})
    found = polygenic_score([GenotypedPeople(store, people, "GRCh38")], weights, "pain", 0.1).part.frame
    whole = polygenic_score([everyone(store)], weights, "pain", 0.1).part.frame["pgs_pain"]
    assert found.rows() == [("two", whole[3]), ("one", whole[1])]


@given(st.integers(1, 70), st.integers(1, 40), st.integers(0, 10_000))
def test_sums_are_those_of_unpacked_calls_and_both_ways_are_equal_bit_by_bit(people, variants, seed):
    random = np.random.default_rng(seed)
    groups = -(-variants // 7)
    codes = random.integers(0, 4, (variants, people))
    narrow = packed(np.array([2, -1, 1, 0], np.int8)[codes])
    block = np.zeros((groups, 8, -(-people // 32) * 8), np.uint8)
    for number, row in enumerate(narrow):
        block[number // 7, number % 7, : len(row)] = row
    tables = random.normal(size=(variants, 4)) + 1j * random.normal(size=(variants, 4))
    turned = summed_calls.by_sample(block)
    for sample in range(people):
        for variant in range(variants):
            number = int(turned[variant // 7, sample % 8, sample // 8])
            assert number >> 2 * (variant % 7) & 3 == codes[variant, sample]
    both = []
    for add in (summed_calls._add_few, summed_calls._add_many):
        total = np.zeros(turned.shape[1:], complex)
        add(total, turned, *summed_calls._small_tables(tables))
        both.append(summed_calls.in_order(total, people))
    assert both[0].tobytes() == both[1].tobytes()
    wanted = tables[np.arange(variants)[:, None], codes].sum(axis=0)
    assert np.allclose(both[0], wanted, rtol=1e-12, atol=1e-12)


def test_calls_cut_after_the_store_was_opened_are_refused(tmp_path):
    copies, sites, weights = cohort(5, 20, 9)
    store = store_of(tmp_path / "store", copies, sites, list("ABCDEFGHI"))
    assert store.rows.shape == (20, 3)
    calls = store.folder / "calls.bed"
    calls.write_bytes(calls.read_bytes()[:-30])
    with pytest.raises(TableError, match=r"ends too early\. Convert the file again"):
        polygenic_score([everyone(store)], weights, "pain", 0.1)


def test_the_scores_are_those_of_plink2(tmp_path):
    if which("plink2") is None:
        pytest.skip("plink2 is not on the path")
    copies, sites, weights = cohort(4, 200, 60)
    called = np.where(copies >= 0, copies, 0).sum(axis=1) / (2 * (copies >= 0).sum(axis=1))
    # every third weight counts the other allele
    other = np.arange(200) % 3 == 0
    effect = np.where(other, "A", "G")
    weights = weights.with_columns(
        effect_allele=pl.Series(effect), other_allele=pl.Series(np.where(other, "G", "A")),
        frequency=pl.Series(np.where(other, 1 - called, called)),
    )  # fmt: skip
    store = store_of(tmp_path / "store", copies, sites, [f"P{number}" for number in range(60)])
    (tmp_path / "c.bed").write_bytes((store.folder / "calls.bed").read_bytes())
    (tmp_path / "c.bim").write_text("".join(f"1\t{s[1]}\t0\t{s[3]}\tG\tA\n" for s in sites.iter_rows()))
    (tmp_path / "c.fam").write_text("".join(f"0 P{number} 0 0 0 -9\n" for number in range(60)))
    weights.select("rsid", "effect_allele", "weight").write_csv(tmp_path / "w.txt", separator="\t")
    command = ["plink2", "--bfile", str(tmp_path / "c"), "--score", str(tmp_path / "w.txt"), "1", "2", "3", "header"]
    command += ["cols=+scoresums", "--threads", "1", "--out", str(tmp_path / "p")]
    subprocess.run(command, check=True, capture_output=True)
    theirs = pl.read_csv(tmp_path / "p.sscore", separator="\t")["SCORE1_SUM"]
    found = polygenic_score([everyone(store)], weights, "pain", 0.5).part.frame["pgs_pain"]
    assert found.to_list() == pytest.approx(theirs.to_list(), rel=1e-4, abs=1e-5)
