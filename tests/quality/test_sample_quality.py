"""Figures by person: call rate, heterozygosity against plink2, and the sex that X shows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nociomics.quality.people_of_stores import members
from nociomics.quality.sample_quality import sample_quality
from nociomics.quality.variant_quality import variant_quality
from nociomics.tables.genotype_quality import SAMPLE_QUALITY
from nociomics.tables.genotype_store import GenotypeStore
from tests.conftest import shared
from tests.quality.stores import a_store, drawn, plink2, store_of_plink


def figures(*stores: GenotypeStore, people: pl.DataFrame | None = None) -> pl.DataFrame:
    group = members(stores, people)
    pairs = zip(group.stores, group.columns, strict=True)
    found = sample_quality(group, pl.concat([variant_quality(store, columns) for store, columns in pairs]))
    assert SAMPLE_QUALITY.problems(found) == []
    return found


def x_calls(seed: int, women: int, men: int, variants: int = 300, *, haploid: bool = False) -> np.ndarray:
    """Draw X of women, then of men; a man's single copy is written as two, or as one when called haploid."""
    both = drawn(seed, variants, women + men)
    both[:, women:] = np.where(both[:, women:] > 0, 1, 0) if haploid else np.where(both[:, women:] > 0, 2, 0)
    return both


@pytest.mark.parametrize("name", ["HM3_thinned_autosomal_overlap", "some_missing"])
def test_heterozygosity_and_call_rate_are_those_of_plink2(name, tmp_path):
    prefix = shared("data/genotype-ingest/plink") / name
    plink2("--bfile", prefix, "--het", "--missing", "sample-only", "--nonfounders", out=tmp_path / "p")
    found = figures(store_of_plink(prefix, tmp_path / "store"))
    het = pl.read_csv(tmp_path / "p.het", separator="\t", infer_schema_length=None)
    assert found["inbreeding_f"].to_list() == pytest.approx(het["F"].to_list(), rel=1e-4, abs=1e-5)
    share = 1 - het["O(HOM)"] / het["OBS_CT"]
    assert found["heterozygosity"].to_list() == pytest.approx(share.to_list())
    missing = pl.read_csv(tmp_path / "p.smiss", separator="\t", infer_schema_length=None)
    assert found["call_rate"].to_list() == pytest.approx((1 - missing["MISSING_CT"] / missing["OBS_CT"]).to_list())


def test_f_of_x_is_that_of_plink2_on_an_autosome(tmp_path):
    """The same moments: X is renamed to chromosome 1 for plink2."""
    store = a_store(tmp_path / "store", x_calls(3, 40, 30, 500), "X")
    rows = store.variants.iter_rows(named=True)
    bim = "".join(f"1\t{row['variant']}\t0\t{row['pos']}\t{row['alt']}\t{row['ref']}\n" for row in rows)
    (tmp_path / "x.bim").write_text(bim)
    (tmp_path / "x.fam").write_text("".join(f"0 {name} 0 0 0 -9\n" for name in store.samples["sample"]))
    (tmp_path / "x.bed").write_bytes((store.folder / "calls.bed").read_bytes())
    plink2("--bfile", tmp_path / "x", "--het", "--maf", "0.05", out=tmp_path / "p")
    theirs = pl.read_csv(tmp_path / "p.het", separator="\t", infer_schema_length=None)
    found = figures(store)
    assert found["x_f"].to_list() == pytest.approx(theirs["F"].to_list(), rel=1e-4, abs=1e-5)
    assert found["x_variants"].to_list() == theirs["OBS_CT"].to_list()


@pytest.mark.parametrize("haploid", [False, True])
def test_sex_is_read_from_x_however_a_single_x_is_written(haploid, tmp_path):
    found = figures(a_store(tmp_path / "store", x_calls(4, 20, 15, haploid=haploid), "chrX"))
    assert found["sex_from_x"].to_list() == ["F"] * 20 + ["M"] * 15
    men = found["sex_status"][20:].unique().to_list()
    assert men == (["haploid calls: the file itself takes X as single"] if haploid else ["measured"])
    assert found["x_heterozygosity"][20:].to_list() == [0.0] * 15


def test_a_sex_that_file_or_study_contradict_is_marked(tmp_path):
    sex = ["F", "M", None, "F", "M", None]
    store = a_store(tmp_path / "store", x_calls(5, 3, 3), "X", sex=sex)
    people = pl.DataFrame({"patient_id": [f"S{n}" for n in range(6)], "sex": ["F", "F", "other", "F", "M", "F"]})
    found = figures(store, people=people)
    assert found["sex_from_x"].to_list() == ["F"] * 3 + ["M"] * 3
    assert found["sex_agrees"].to_list() == [True, False, None, False, True, False]


def test_what_cannot_be_told_is_not_guessed(tmp_path):
    few = figures(a_store(tmp_path / "few", x_calls(6, 10, 10, 60), "X"))
    assert few["sex_from_x"].null_count() == 20
    assert set(few["sex_status"]) == {"cannot tell: fewer than 100 common variants of X were called"}
    none = figures(a_store(tmp_path / "none", drawn(7, 200, 10)))
    assert set(none["sex_status"]) == {"not measured: no common variant of chromosome X in the file"}
    mixed = x_calls(8, 30, 2)
    mixed[:150, 31] = drawn(9, 150, 1)[:, 0]
    between = figures(a_store(tmp_path / "between", mixed, "X"))
    assert between.row(31, named=True)["sex_status"] == "cannot tell: F on X is between 0.2 and 0.8"
    assert between.row(31, named=True)["sex_from_x"] is None


def test_what_x_shares_with_y_tells_nothing(tmp_path):
    first = [100_000 + 1_000 * number for number in range(300)]  # PAR1 in both builds
    for build in ("GRCh37", "GRCh38", None):
        store = a_store(tmp_path / f"{build}", drawn(10, 300, 10), "X", pos=first, reference=build)
        assert figures(store)["x_variants"].to_list() == [0] * 10


def test_files_by_chromosome_add_up_to_one_figure(tmp_path):
    copies = drawn(11, 600, 30, missing=0.05)
    whole = figures(a_store(tmp_path / "whole", copies, ["1"] * 400 + ["X"] * 200))
    one = a_store(tmp_path / "one", copies[:400], "1")
    two = a_store(tmp_path / "two", copies[400:][:, ::-1], "X", samples=[f"S{n}" for n in reversed(range(30))])
    split = figures(one, two)
    numbers = [name for name, kind in whole.schema.items() if kind.is_numeric()]
    for name in numbers:
        assert split[name].to_list() == pytest.approx(whole[name].to_list(), rel=1e-5), name


def test_a_filtered_variant_counts_for_the_call_rate_alone(tmp_path):
    copies = np.array([[1, 1, 0, 2], [1, 1, 1, -1]])
    found = figures(a_store(tmp_path / "store", copies, filtered=[False, True]))
    assert found["call_rate"].to_list() == [1.0, 1.0, 1.0, 0.5]
    assert found["heterozygosity"].to_list() == [1.0, 1.0, 0.0, 0.0]


# plink2 v2.00a3.5 (9 Aug 2022); README.md here has the commands
FROZEN_F = {"NA19916": 0.0261223, "NA12342": 0.0701979, "NA19099": 0.0286931}


def test_f_of_three_hapmap_people(tmp_path):
    prefix = shared("data/genotype-ingest/plink") / "HM3_thinned_autosomal_overlap"
    found = dict(figures(store_of_plink(prefix, tmp_path / "store")).select("sample", "inbreeding_f").iter_rows())
    assert {name: found[name] for name in FROZEN_F} == pytest.approx(FROZEN_F, rel=1e-5)
