"""Features hold what is known and null for the rest."""

from __future__ import annotations

import polars as pl
import pytest
from tests.pharmacogenomics.people import diplotype_rows, only, person

from nociomics.knowledge.pharmacogene import load_variants
from nociomics.pharmacogenomics.calling import call_pharmacogenes
from nociomics.pharmacogenomics.features import pharmacogene_features
from nociomics.pharmacogenomics.phenoconversion import current_medications, with_inhibitors

PAIN = ["COMT", "OPRM1", "SCN9A", "UGT2B7"]


def made(genotypes: pl.DataFrame | None, diplotypes: pl.DataFrame | None = None) -> dict[str, object]:
    calls = call_pharmacogenes(genotypes, diplotypes, ["P1"])
    return pharmacogene_features(calls, genotypes)[0].row(0, named=True)


def test_bases_are_counted_whatever_the_reference() -> None:
    changes = {"rs4680": "G/A", "rs1799971": "G/G", "rs6746030": "A/A"}
    got = made(person(PAIN, changes))
    assert (got["comt_rs4680_a_count"], got["oprm1_rs1799971_g_count"]) == (1.0, 2.0)
    assert (got["scn9a_rs6746030_a_count"], got["ugt2b7_rs7439366_t_count"]) == (2.0, 2.0)


def test_unread_positions_stay_null_also_under_absent_is_reference() -> None:
    rows = pl.concat(
        [
            only(person(PAIN, states={"rs4680": "no_call"}), ["rs4680", "rs1799971"]),
            only(person(PAIN, {"rs4680": "A/A"}, patient="P2"), ["rs4680"]),
        ]
    )
    calls = call_pharmacogenes(rows, None, ["P1", "P2"], absent_is_reference=True)
    features = pharmacogene_features(calls, rows)[0]
    assert features["comt_rs4680_a_count"].to_list() == [None, 2.0]
    assert features["oprm1_rs1799971_g_count"].to_list() == [0.0, None]
    assert "comt_rs4633_t_count" not in features.columns


def test_scores_and_phenotypes_never_rest_on_reference_that_nobody_read() -> None:
    rows = only(person(["CYP2C9", "CYP2C19"]), ["rs1057910"])
    filled = call_pharmacogenes(rows, None, ["P1"], absent_is_reference=True)
    assert filled.filter(gene="CYP2C9")["phenotype"].to_list() == ["Normal Metabolizer"]
    got = pharmacogene_features(filled, rows)[0].row(0, named=True)
    assert "cyp2c9_activity_score" not in got, "nobody has one"
    assert "cyp2c19_normal_metabolizer" not in got
    assert got["cyp2c9_phenotype_certain"] == 0.0
    assert got["cyp2c9_positions_missing"] == pytest.approx(1 - 1 / load_variants().filter(gene="CYP2C9").height)
    assert got["cyp2c19_positions_missing"] == 1.0
    read = pharmacogene_features(call_pharmacogenes(person(["CYP2C9"]), None, ["P1"]))[0].row(0, named=True)
    assert (read["cyp2c9_activity_score"], read["cyp2c9_positions_missing"]) == (2.0, 0.0)


def test_nothing_is_missing_of_a_gene_that_was_called_elsewhere_or_not_at_all() -> None:
    calls = call_pharmacogenes(person(["CYP3A5"], without=["rs776746"]), diplotype_rows(CYP2D6="*1/*4"), ["P1", "P2"])
    features = pharmacogene_features(calls)[0]
    assert "cyp2d6_positions_missing" not in features.columns
    assert features["cyp3a5_positions_missing"][1] is None
    assert features["cyp3a5_positions_missing"][0] > 0


def test_inhibitors_change_no_feature() -> None:
    calls = call_pharmacogenes(None, diplotype_rows(CYP2D6="*1/*1"), ["P1"])
    taken = current_medications(pl.DataFrame({"patient_id": ["P1"], "drug": ["paroxetine"]}))
    beside = with_inhibitors(calls, taken)
    assert beside["inhibitors"].drop_nulls().to_list() == ["paroxetine"]
    for plain, shown in zip(pharmacogene_features(calls), pharmacogene_features(beside), strict=True):
        assert plain.equals(shown)


def test_a_base_that_no_table_knows_is_not_counted() -> None:
    rows = pl.concat([person(["COMT"], {"rs4680": "G/T"}), person(["COMT"], patient="P2")])
    features = pharmacogene_features(call_pharmacogenes(rows, None, ["P1", "P2"]), rows)[0]
    assert features["comt_rs4680_a_count"].to_list() == [None, 0.0]


def test_score_needs_one_exact_number() -> None:
    text = {"P1": "*1/*41", "P2": "*1/*4|*1/*10", "P3": "*1x≥3/*4", "P4": "*1/*999", "P5": None}
    rows = pl.DataFrame({"patient_id": list(text), "gene": "CYP2D6", "diplotype": list(text.values())})
    features = pharmacogene_features(call_pharmacogenes(None, rows, list(text)))[0]
    assert features["cyp2d6_activity_score"].to_list() == [1.25, None, None, None, None]
    assert features["cyp2d6_phenotype_certain"].to_list() == [1.0, 0.0, 1.0, 0.0, None]
    assert features["cyp2d6_ultrarapid_metabolizer"].to_list() == [0.0, None, 1.0, None, None]
    assert features["cyp2d6_copy_number_known"].to_list() == [1.0, 1.0, 1.0, 1.0, None]


def test_likely_counts_with_its_phenotype_and_no_assignment_with_none() -> None:
    rows = pl.DataFrame({"patient_id": ["P1", "P2"], "gene": "CYP2C19", "diplotype": ["*2/*9", "*1/*40"]})
    features = pharmacogene_features(call_pharmacogenes(None, rows, ["P1", "P2"]))[0]
    assert features["cyp2c19_poor_metabolizer"].to_list() == [1.0, None]
    assert features["cyp2c19_phenotype_certain"].to_list() == [1.0, 0.0]


def test_positions_alone_mark_the_copies_as_unknown() -> None:
    got = made(person(["CYP2D6"]))
    assert (got["cyp2d6_activity_score"], got["cyp2d6_copy_number_known"]) == (2.0, 0.0)


def test_catalogue_describes_each_feature() -> None:
    genotypes = person([*PAIN, "CYP2C9"])
    calls = call_pharmacogenes(genotypes, diplotype_rows(CYP2D6="*1/*4"), ["P1"])
    features, catalogue = pharmacogene_features(calls, genotypes)
    assert features.columns == ["patient_id", *catalogue["feature"]]
    assert set(features.dtypes[1:]) == {pl.Float64()}
    assert catalogue.columns == ["feature", "modality", "group", "unit", "measured_at", "description", "kind"]
    assert catalogue.null_count().row(0) == (0,) * 7
    assert set(catalogue["modality"]) == {"pgx"}
    assert set(catalogue.select("unit", "kind").iter_rows()) == {
        ("score", "numeric"),
        ("0/1", "binary"),
        ("count", "numeric"),
        ("share", "numeric"),
    }


def test_nobody_tested_gives_people_without_features() -> None:
    features, catalogue = pharmacogene_features(call_pharmacogenes(None, None, ["P1", "P2"]))
    assert features.to_dict(as_series=False) == {"patient_id": ["P1", "P2"]}
    assert catalogue.height == 0
