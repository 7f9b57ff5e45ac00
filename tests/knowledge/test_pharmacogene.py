"""The pharmacogene tables against values entered a second time by hand, and against each other."""

from __future__ import annotations

import polars as pl
import pytest

from nociomics.knowledge import pharmacogene as facts

TABLES = {
    "variants": (facts.load_variants, 373),
    "allele definitions": (facts.load_allele_definitions, 900),
    "allele functions": (facts.load_allele_functions, 359),
    "phenotype rules": (facts.load_phenotype_rules, 65),
    "pain variants": (facts.load_pain_variants, 19),
    "drug-gene pairs": (facts.load_drug_gene_pairs, 142),
    "drug recommendations": (facts.load_drug_recommendations, 452),
    "advice categories": (facts.load_advice_categories, 28),
    "indication rules": (facts.load_indication_rules, 51),
}

# Entered from the text of the guidelines, not from the tables.
CYP2D6_VALUES = {
    "1.0": "1 2 27 33 34 35 39 45 46 48 53",
    "0.5": "14 17 29 49 50 54 55 59",
    "0.25": "9 10 32 41 52 91 109 119 132",
    "0.0": "3 4 5 6 7 8 11 12 13 15 18 19 20 21 31 36 38 40 42 44 47 51 56 60 62 68 69 92 96 99 100 101 114",
}
PLACES = {
    # rsid: GRCh38, its reference, GRCh37, its reference
    "rs776746": (99672916, "T", 99270539, "C"),
    "rs4244285": (94781859, "G", 96541616, "G"),
    "rs1799971": (154039662, "A", 154360797, "A"),
    "rs4680": (19963748, "G", 19951271, "G"),
}


@pytest.mark.parametrize("name", TABLES)
def test_each_row_has_a_source(name: str) -> None:
    load, rows = TABLES[name]
    table = load()
    assert table.height == rows
    assert table["source"].null_count() == 0


@pytest.mark.parametrize("value", CYP2D6_VALUES)
def test_cyp2d6_values_of_the_current_guideline(value: str) -> None:
    table = facts.load_allele_functions().filter(pl.col("gene") == "CYP2D6")
    known = dict(table.select("allele", "activity_value").iter_rows())
    assert {known[f"*{number}"] for number in CYP2D6_VALUES[value].split()} == {value}


@pytest.mark.parametrize("rsid", PLACES)
def test_places_in_both_builds(rsid: str) -> None:
    row = facts.find_variant(rsid)
    assert (row["pos_grch38"], row["ref_grch38"], row["pos_grch37"], row["ref_grch37"]) == PLACES[rsid]


def test_only_four_positions_have_other_reference_bases_in_grch37() -> None:
    table = facts.load_variants()
    differ = table.filter(pl.col("ref_grch38") != pl.col("ref_grch37"))
    assert sorted(differ["rsid"]) == ["rs1135840", "rs16947", "rs3758581", "rs776746"]
    assert differ.equals(table.filter("ref_flips_between_builds"))


def test_positions_have_one_name_and_one_place() -> None:
    positions = facts.load_positions()
    assert positions["rsid"].n_unique() == positions.height == 392
    for build in ("grch38", "grch37"):
        assert positions.select("chrom", f"pos_{build}").n_unique() == 392
        assert positions[f"ref_{build}"].null_count() == 0


def test_definitions_name_known_positions_and_bases() -> None:
    small = facts.load_allele_definitions().filter(pl.col("kind") == "small_variant")
    joined = small.join(facts.load_variants(), on=["gene", "rsid"])
    assert joined.height == small.height
    known = pl.concat_str("ref_grch38", "alts_grch38", separator=",").str.split(",")
    listed = pl.col("allele_bases").str.split("|")
    assert joined.filter(listed.list.set_difference(known).list.len() > 0).is_empty()


def test_two_alleles_never_share_one_definition() -> None:
    small = facts.load_allele_definitions().filter(pl.col("kind") == "small_variant", pl.col("required") == "required")
    text = pl.concat_str("rsid", "allele_bases", separator=" ").sort().str.join(";")
    whole = small.group_by("gene", "allele").agg(text.alias("text"))
    assert whole.select("gene", "text").n_unique() == whole.height


def test_each_star_gene_has_one_reference_row() -> None:
    rows = facts.load_allele_definitions().filter(pl.col("kind") == "reference_row")
    reference = dict(rows.select("gene", "allele").iter_rows())
    assert reference == {gene: "*38" if gene == "CYP2C19" else "*1" for gene in facts.STAR_GENES}


def test_advice_uses_known_categories_and_matches_the_pairs() -> None:
    advice = facts.load_drug_recommendations()
    categories = set(facts.load_advice_categories()["category"])
    assert set(advice["category"]) <= categories
    assert set(facts.load_indication_rules()["category"]) <= categories | {"AS_HIGHER_DOSE"}
    pairs = facts.load_drug_gene_pairs()
    assert set(advice["drug"]) == set(pairs.filter(pl.col("outcome") == "advice")["drug"])
    assert set(pairs["outcome"]) == {"advice", "no_action", "not_carried", "no_pair"}


def test_caution_orders_what_matters() -> None:
    caution = dict(facts.load_advice_categories().select("category", "caution").iter_rows())
    order = ["DO_NOT_USE", "AVOID", "ALTERNATIVE", "REDUCE_50", "REDUCE_25", "USE_LABEL_MONITOR", "USE_LABEL"]
    assert [caution[name] for name in order] == sorted((caution[name] for name in order), reverse=True)
    assert len(set(caution.values())) == len(caution)


def test_codeine_rows_entered_twice() -> None:
    rows = facts.load_drug_recommendations().filter(pl.col("drug") == "codeine")
    assert {phenotype: (category, strength) for phenotype, category, strength in _advice(rows)} == {
        "Poor Metabolizer": ("AVOID", "Strong"),
        "Intermediate Metabolizer": ("USE_LABEL_MONITOR", "Moderate"),
        "Normal Metabolizer": ("USE_LABEL", "Strong"),
        "Ultrarapid Metabolizer": ("AVOID", "Strong"),
        "Indeterminate": ("NO_RECOMMENDATION", "none"),
    }


def _advice(rows: pl.DataFrame) -> list[tuple[str, str, str]]:
    return rows.select("phenotype_1", "category", "strength").rows()


def test_the_misprinted_variant_is_explained() -> None:
    with pytest.raises(facts.VariantNameError, match=r"rs1799971 .* is meant"):
        facts.find_variant("rs17999")
    with pytest.raises(facts.VariantNameError, match="in no pharmacogene table"):
        facts.find_variant("rs1")


OURS = ("variants", "allele_definitions", "allele_functions", "phenotype_rules", "pain_variants")


def test_versions_count_every_row_of_every_table() -> None:
    versions = facts.table_versions()
    assert versions.columns == ["table", "rows", "version", "source"]
    counted = dict(versions.group_by("table").agg(pl.col("rows").sum()).iter_rows())
    assert {name: counted[name] for name in OURS} == {
        "variants": 373,
        "allele_definitions": 900,
        "allele_functions": 359,
        "phenotype_rules": 65,
        "pain_variants": 19,
    }
    assert versions["source"].null_count() == 0


@pytest.mark.parametrize("name", OURS)
def test_every_row_has_a_version(name: str) -> None:
    rows = facts.table_versions().filter(table=name)
    assert rows["version"].null_count() == 0
    assert (rows["version"].str.strip_chars() != "").all()


def test_every_single_variant_has_its_evidence() -> None:
    table = facts.load_pain_variants()
    for column in ("evidence", "meaning", "source", "counted_base"):
        assert (table[column].fill_null("").str.len_chars() > 0).all(), column
    assert {"CYP1A2", "UGT2B7", "COMT", "OPRM1", "SCN9A"} <= set(table["gene"])


def test_cyp1a2_1f_has_both_names() -> None:
    row = facts.load_pain_variants().row(by_predicate=pl.col("rsid") == "rs762551", named=True)
    assert row["star_names"] == "*1F|*30"
    assert "*1F" in row["change"]
    assert "*30" in row["change"]


def test_hla_alleles_have_a_rule_with_source() -> None:
    rules = facts.load_phenotype_rules().filter(pl.col("gene").is_in(facts.HLA_GENES))
    assert set(rules["phenotype"]) == {"*15:02 positive", "*15:02 negative", "*31:01 positive", "*31:01 negative"}
    assert rules["source"].str.contains("29392710").all()
