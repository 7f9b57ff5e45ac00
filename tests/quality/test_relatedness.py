"""Kinship against plink2 and against families that were made, and ids that are one person."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nociomics.quality import relatedness
from nociomics.quality.genotype_quality import genotype_quality
from nociomics.quality.people_of_stores import members
from nociomics.quality.relatedness import compare_people, related_pairs
from nociomics.quality.same_people import duplicates, same_answers, same_people
from nociomics.quality.variant_quality import variant_quality
from nociomics.tables.genotype_quality import RELATED_PAIRS, SAME_PEOPLE, SAMPLE_QUALITY, VARIANT_QUALITY
from tests.conftest import shared
from tests.quality.stores import a_store, child_of, drawn, plink2, store_of_plink


def compared_of(store):
    group = members([store], None)
    return group, compare_people(group, variant_quality(store))


def family(missing: float = 0.0) -> np.ndarray:
    """Make 40 strangers; then two children of the first pair, a grandchild by the third, and the first again."""
    random = np.random.default_rng(5)
    people = drawn(12, 6_000, 40)
    sibs = [child_of(random, people[:, 0], people[:, 1]) for _ in range(2)]
    grandchild = child_of(random, sibs[0], people[:, 2])
    copies = np.column_stack([people, *sibs, grandchild, people[:, 0]])
    copies[random.random(copies.shape) < missing] = -1
    return copies


@pytest.mark.parametrize("missing", [0.0, 0.02])
def test_made_families_are_found_with_their_degrees(missing, tmp_path, monkeypatch):
    monkeypatch.setattr(relatedness, "_PEOPLE_PER_BLOCK", 13)
    group, compared = compared_of(a_store(tmp_path / "store", family(missing)))
    found = related_pairs(group, compared)
    assert RELATED_PAIRS.problems(found) == []
    named = {(a, b): relation for a, b, relation in found.select("patient_a", "patient_b", "relation").iter_rows()}
    first, second = "first degree", "second degree"
    parents = {(parent, child): first for parent in ("S0", "S1", "S43") for child in ("S40", "S41")}
    # S43 is S0 again
    wanted = {("S0", "S43"): "duplicate", ("S40", "S41"): first, ("S40", "S42"): first, ("S2", "S42"): first}
    wanted |= {tuple(sorted(pair)): relation for pair, relation in parents.items()}
    wanted |= {pair: second for pair in (("S0", "S42"), ("S1", "S42"), ("S41", "S42"), ("S42", "S43"))}
    assert named == wanted


def test_kinship_is_that_of_plink2(tmp_path, monkeypatch):
    prefix = shared("data/genotype-ingest/plink") / "HM3_thinned_autosomal_overlap"
    monkeypatch.setattr(relatedness, "_PEOPLE_PER_BLOCK", 300)
    monkeypatch.setattr(relatedness, "MOST_VARIANTS", 6_000)
    store = store_of_plink(prefix, tmp_path / "store")
    chosen, eligible, known = relatedness._chosen(variant_quality(store), 957)
    assert (chosen.height, known) == (6_000, True) and eligible > 6_000
    names = store.variants.join(chosen.select("pos", "ref", "alt"), on=["pos", "ref", "alt"], how="semi")["variant"]
    (tmp_path / "chosen.txt").write_text("\n".join(names))
    plink2("--bfile", prefix, "--extract", tmp_path / "chosen.txt", "--make-king-table",
           "--king-table-filter", str(relatedness.SECOND), out=tmp_path / "p")  # fmt: skip
    theirs = pl.read_csv(tmp_path / "p.kin0", separator="\t", schema_overrides={"IID1": pl.String, "IID2": pl.String})
    group, compared = compared_of(store)
    ours = related_pairs(group, compared)
    keyed = {(min(row["IID1"], row["IID2"]), max(row["IID1"], row["IID2"])): row for row in theirs.to_dicts()}
    assert keyed.keys() == set(ours.select("patient_a", "patient_b").iter_rows()) and len(keyed) > 50
    for row in ours.iter_rows(named=True):
        other = keyed[row["patient_a"], row["patient_b"]]
        assert row["kinship"] == pytest.approx(other["KINSHIP"], abs=2e-6)
        assert row["opposite_share"] == pytest.approx(other["IBS0"], abs=2e-6)
        assert row["variants"] == other["NSNP"]


def test_too_few_variants_or_unknown_chromosomes_are_not_measured(tmp_path):
    _, few = compared_of(a_store(tmp_path / "few", family()[:400]))
    assert few.not_measured is not None and few.not_measured.startswith("399 variants are suitable")
    assert few.pairs["kinship"].null_count() == few.pairs.height == 1  # the same person is alike at 400 too
    _, unknown = compared_of(a_store(tmp_path / "unknown", family(), [None] * 6_000))
    assert unknown.not_measured == "the file does not say on which chromosomes its variants lie"
    assert unknown.pairs.height == 1
    _, rare = compared_of(a_store(tmp_path / "rare", np.eye(60, dtype=np.int8)))
    assert rare.variants == 0 and rare.pairs.is_empty()


def test_people_of_two_files_are_compared_where_the_variants_are_the_same(tmp_path):
    copies = family()
    one = a_store(tmp_path / "one", copies[:, :30])
    two = a_store(tmp_path / "two", copies[::-1, 30:], pos=[3_000_001 + 1_000 * n for n in reversed(range(6_000))],
                  samples=[f"T{n}" for n in range(14)])  # fmt: skip
    found = genotype_quality([one, two])
    assert found.related.filter(pl.col("relation") == "duplicate").select("patient_a", "patient_b").rows() == [
        ("S0", "T13")
    ]
    for table, contract in ((found.variants, VARIANT_QUALITY), (found.samples, SAMPLE_QUALITY)):
        assert contract.problems(table) == []


def answers(sheets: dict[str, list[int | None]], visit: str = "baseline") -> pl.DataFrame:
    rows = [
        (name, visit, "pcs", str(number), answer)
        for name, sheet in sheets.items()
        for number, answer in enumerate(sheet)
    ]
    names = ["patient_id", "visit", "instrument", "item", "response"]
    return pl.DataFrame(rows, schema=names, orient="row", schema_overrides={"response": pl.Float64})


def sheet(seed: int, items: int = 40) -> list[int]:
    return np.random.default_rng(seed).integers(0, 5, items).tolist()


def test_the_same_answers_throughout_make_a_pair():
    sheets = {"A": sheet(1), "B": sheet(2), "C": sheet(1), "D": [*sheet(1)[:-1], 9], "E": [*sheet(1)[:-1], None]}
    found = same_answers(answers(sheets))
    assert SAME_PEOPLE.problems(found) == []
    assert found.rows() == [("A", "C", "questionnaires", "baseline", 40, 1.0)]


@pytest.mark.parametrize(
    "sheets",
    [
        {"A": sheet(1, 29), "B": sheet(1, 29)},
        {"A": [0] * 40, "B": [0] * 40},
        {"A": [3] * 40, "B": [3] * 40},
    ],
    ids=["too few answers", "all zero", "one column ticked"],
)
def test_few_or_monotonous_answers_make_none(sheets):
    assert same_answers(answers(sheets)).is_empty()


def test_visits_are_kept_apart():
    both = pl.concat([answers({"A": sheet(1), "B": sheet(2)}), answers({"B": sheet(1), "A": sheet(2)}, "week12")])
    assert same_answers(both).is_empty()


def test_the_order_of_answers_does_not_matter():
    rows = answers({"A": sheet(1), "B": sheet(1)})
    assert same_answers(rows.sample(fraction=1, shuffle=True, seed=1)).height == 1


def test_more_than_two_ids_hang_together_by_the_first():
    found = same_answers(answers({name: sheet(1) for name in "CABD"}))
    assert found.select("patient_a", "patient_b").rows() == [("A", "B"), ("A", "C"), ("A", "D")]


def test_pairs_by_both_kinds_of_evidence_and_no_id_in_a_finding(tmp_path):
    group, compared = compared_of(a_store(tmp_path / "store", family()))
    found, findings = same_people(group, compared, answers({"S0": sheet(1), "S43": sheet(1), "S7": sheet(2)}))
    assert found.select("patient_a", "patient_b", "evidence").rows() == [
        ("S0", "S43", "genotype"),
        ("S0", "S43", "questionnaires"),
    ]
    assert duplicates(found).rows() == [("S0", "S43", "genotype")]
    assert [(finding.severity, finding.count) for finding in findings] == [("warning", 1), ("warning", 1)]
    assert not any("S0" in finding.message or "S43" in finding.message for finding in findings)


def test_what_is_not_measured_is_said(tmp_path):
    found = genotype_quality(a_store(tmp_path / "store", drawn(1, 50, 5)), None, answers({"A": sheet(1, 5)}))
    said = " ".join(finding.message for finding in found.findings)
    for words in (
        "Sex: not measured",
        "Relatedness: not measured",
        "People enrolled twice: not measured",
        "Identical answers: not measured",
        "Heterozygosity: not judged",
    ):
        assert words in said
    assert all(finding.severity == "info" for finding in found.findings)


# plink2 v2.00a3.5 (9 Aug 2022), by all 14,079 variants; README.md here has the commands
FROZEN_KINSHIP = {
    ("NA20282", "NA20301"): (0.280516, 0.0220777, 13_996),
    ("NA21301", "NA21344"): (0.269662, 0.0232773, 14_048),
    ("NA21435", "NA21647"): (0.0897517, 0.0663537, 14_061),
}


def test_kinship_of_three_hapmap_pairs(tmp_path, monkeypatch):
    prefix = shared("data/genotype-ingest/plink") / "HM3_thinned_autosomal_overlap"
    for name, value in (("MOST_VARIANTS", 20_000), ("COMMON", 0.0), ("CALLED", 0.0)):
        monkeypatch.setattr(relatedness, name, value)
    found = related_pairs(*compared_of(store_of_plink(prefix, tmp_path / "store")))
    assert found.height == 107
    for pair, (kinship, opposite, variants) in FROZEN_KINSHIP.items():
        row = found.filter((pl.col("patient_a") == pair[0]) & (pl.col("patient_b") == pair[1]))
        assert row.select("kinship", "opposite_share").row(0) == pytest.approx((kinship, opposite), abs=2e-6)
        assert row["variants"].to_list() == [variants]
