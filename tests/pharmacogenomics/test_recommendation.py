"""Advice for results that are sure, open or missing."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from itertools import product

import polars as pl
import pytest
from tests.conftest import shared
from tests.pharmacogenomics.people import diplotype_rows, only, person

from nociomics.knowledge.pharmacogene import (
    load_advice_categories,
    load_drug_gene_pairs,
    load_drug_recommendations,
)
from nociomics.pharmacogenomics.calling import call_pharmacogenes
from nociomics.pharmacogenomics.recommendation import (
    RECOMMENDATION_SCHEMA,
    DrugRequestError,
    known_drugs,
    recommend_drugs,
)

Row = dict[str, object]


def advice(drug: str, indication: str | None = None, **diplotypes: str) -> Row:
    calls = call_pharmacogenes(None, diplotype_rows(**diplotypes), ["P1"])
    return recommend_drugs(calls, indication, [drug]).row(0, named=True)


# drug | CYP2D6 | CYP2C9 | CYP2C19 | CYP2B6 | indication | category | strength
SPEC = """
codeine       | *4/*4    | -     | -      | -     | -                | AVOID                    | Strong
codeine       | *1x2/*2  | -     | -      | -     | -                | AVOID                    | Strong
codeine       | *1/*41   | -     | -      | -     | -                | USE_LABEL                | Strong
tramadol      | *1/*4    | -     | -      | -     | -                | USE_LABEL_MONITOR        | Optional
codeine       | *1/*999  | -     | -      | -     | -                | NO_RECOMMENDATION        | none
celecoxib     | -        | *1/*2 | -      | -     | -                | USE_LABEL                | Moderate
celecoxib     | -        | *1/*3 | -      | -     | -                | START_LOWEST             | Moderate
celecoxib     | -        | *3/*3 | -      | -     | -                | START_25_50PCT           | Moderate
venlafaxine   | *4/*4    | -     | -      | -     | -                | ALTERNATIVE              | Optional
venlafaxine   | *1x2/*1  | -     | -      | -     | -                | NO_ACTION                | none
sertraline    | -        | -     | *2/*2  | *6/*6 | -                | ALTERNATIVE              | Optional
amitriptyline | *4/*4    | -     | *1/*1  | -     | -                | AVOID_OR_REDUCE_50       | Strong
amitriptyline | *4/*4    | -     | *1/*1  | -     | depression       | AVOID_OR_REDUCE_50       | Strong
amitriptyline | *4/*4    | -     | *1/*1  | -     | neuropathic pain | USE_LABEL_MONITOR        | none
amitriptyline | *1/*1    | -     | *1/*2  | -     | neuropathic_pain | USE_LABEL_MONITOR        | none
amitriptyline | *1x2/*1  | -     | *1/*2  | -     | Neuropathic-Pain | ALTERNATIVE              | none
amitriptyline | *1/*1    | -     | *1/*1  | -     | neuropathic_pain | USE_LABEL                | Strong
codeine       | *4/*4    | -     | -      | -     | neuropathic_pain | AVOID                    | Strong
morphine      | -        | -     | -      | -     | -                | NO_ACTION                | none
methadone     | -        | -     | -      | *6/*6 | -                | NO_ACTION                | none
gabapentin    | *4/*4    | -     | -      | -     | -                | NO_ACTIONABLE_PGX        | none
pregabalin    | -        | -     | -      | -     | -                | NO_ACTIONABLE_PGX        | none
phenytoin     | -        | *3/*3 | -      | -     | -                | NOT_COVERED              | none
codeine       | -        | -     | -      | -     | -                | NO_RESULT                | none
"""
ROWS = [[part.strip() for part in line.split(" | ")] for line in SPEC.strip().splitlines()]


@pytest.mark.parametrize(("drug", "d6", "c9", "c19", "b6", "indication", "category", "strength"), ROWS)
def test_spec(drug: str, d6: str, c9: str, c19: str, b6: str, indication: str, category: str, strength: str) -> None:
    calls = dict(zip(("CYP2D6", "CYP2C9", "CYP2C19", "CYP2B6"), (d6, c9, c19, b6), strict=True))
    known = {gene: text for gene, text in calls.items() if text != "-"}
    got = advice(drug, None if indication == "-" else indication, **known)
    assert (got["category"], got["strength"]) == (category, strength)


def test_no_result_differs_from_no_actionable_pair() -> None:
    untested = advice("codeine")
    assert (untested["population"], untested["certain"], untested["genes_used"]) == ("any", False, None)
    without = advice("ketamine")
    assert (without["category"], without["certain"]) == ("NO_ACTIONABLE_PGX", True)


def test_open_phenotype_gives_the_most_cautious_and_all() -> None:
    got = advice("codeine", CYP2D6="*1/*1|*4/*4|*1/*4")
    assert (got["category"], got["certain"]) == ("AVOID", False)
    assert got["category_candidates"] == "AVOID|USE_LABEL_MONITOR|USE_LABEL"


def test_open_diplotype_with_one_answer_is_certain() -> None:
    got = advice("codeine", CYP2D6="*1/*4|*4/*10")
    assert (got["category"], got["certain"]) == ("USE_LABEL_MONITOR", True)


def test_nsaid_advice_asks_for_the_score_within_one_phenotype() -> None:
    calls = call_pharmacogenes(None, diplotype_rows(CYP2C9="*1/*2|*1/*3"), ["P1"])
    assert calls.filter(pl.col("gene") == "CYP2C9")["phenotype_certain"].to_list() == [True]
    got = recommend_drugs(calls, drugs=["celecoxib"]).row(0, named=True)
    assert (got["category_candidates"], got["certain"]) == ("START_LOWEST|USE_LABEL", False)


def test_two_gene_advice_crosses_the_open_sets() -> None:
    got = advice("amitriptyline", CYP2D6="*1/*1|*4/*4", CYP2C19="*1/*1|*2/*2")
    assert got["category"] == "AVOID_OR_TDM", "poor in both genes leads"
    assert set(str(got["category_candidates"]).split("|")) == {
        row["category"]
        for d6 in ("*1/*1", "*4/*4")
        for c19 in ("*1/*1", "*2/*2")
        for row in [advice("amitriptyline", CYP2D6=d6, CYP2C19=c19)]
    }
    assert got["genes_used"] == "CYP2C19|CYP2D6"


def test_tricyclic_advice_says_what_doses_it_is_for() -> None:
    assert "doses of depression" in str(advice("amitriptyline", CYP2D6="*4/*4", CYP2C19="*1/*1")["text"])
    told = advice("amitriptyline", "depression", CYP2D6="*4/*4", CYP2C19="*1/*1")
    assert "name the indication" not in str(told["text"])
    kept = advice("amitriptyline", "neuropathic_pain", CYP2D6="*4/*4", CYP2C19="*17/*17")
    assert (kept["category"], "No low-dose advice" in str(kept["text"])) == ("AVOID_OR_TDM", True)


def test_uncounted_cyp2d6_copies_make_advice_uncertain_unless_poor() -> None:
    normal = recommend_drugs(call_pharmacogenes(person(["CYP2D6"]), None, ["P1"]), drugs=["codeine"])
    assert normal.select("category", "certain").row(0) == ("USE_LABEL", False)
    assert "copies were not counted" in normal["text"][0]
    poor = person(["CYP2D6"], {"rs3892097": "T/T", "rs1065852": "A/A"})
    calls = call_pharmacogenes(poor, None, ["P1"])
    assert calls.filter(pl.col("gene") == "CYP2D6")["phenotype"].to_list() == ["Poor Metabolizer"]
    assert recommend_drugs(calls, drugs=["codeine"]).select("category", "certain").row(0) == ("AVOID", True)


def test_one_position_of_cyp2d6_is_not_taken_for_normal() -> None:
    calls = call_pharmacogenes(only(person(["CYP2D6"]), ["rs1065852"]), None, ["P1"])
    got = recommend_drugs(calls, drugs=["codeine"]).row(0, named=True)
    assert (got["category"], got["certain"]) == ("AVOID", False)


def test_no_assigned_function_gets_no_recommendation() -> None:
    assert advice("citalopram", CYP2C19="*1/*40")["category"] == "NO_RECOMMENDATION"


def test_carbamazepine_has_one_row_per_population() -> None:
    calls = call_pharmacogenes(None, diplotype_rows(HLA_B="*15:02 positive", HLA_A="negative"), ["P1"])
    rows = recommend_drugs(calls, drugs=["carbamazepine"])
    naive = rows.filter(pl.col("population") == "CBZ naive")
    assert rows.height == rows["population"].n_unique() == 3
    assert naive.select("category", "strength", "certain").row(0) == ("DO_NOT_USE", "Strong", True)


def test_every_drug_of_the_tables_for_every_person() -> None:
    calls = call_pharmacogenes(None, diplotype_rows(CYP2D6="*4/*4"), ["P1", "P2"])
    rows = recommend_drugs(calls)
    assert rows.columns == list(RECOMMENDATION_SCHEMA)
    assert set(rows.filter(pl.col("sample") == "P2")["drug"]) == set(known_drugs())
    assert set(rows["category"]) <= set(load_advice_categories()["category"])
    assert rows["sample"].to_list() == sorted(rows["sample"])


def test_unknown_drugs_and_indication_are_named_together() -> None:
    calls = call_pharmacogenes(None, None, ["P1"])
    with pytest.raises(DrugRequestError) as error:
        recommend_drugs(calls, "nerve pain", ["codein", "Tramadol", "aspirine"])
    for part in ('"codein"', 'Did you mean "codeine"', '"aspirine"', '"nerve pain"', "neuropathic_pain"):
        assert part in str(error.value)
    assert "Tramadol" not in str(error.value)


def test_every_guideline_row_is_reachable_and_alone() -> None:
    """No two rows of one drug and population answer the same result."""
    rows = load_drug_recommendations()
    key = ["drug", "population", "phenotype_1", "score_1", "phenotype_2", "score_2"]
    assert rows.select(key).n_unique() == rows.height


def test_three_answers_are_kept_apart() -> None:
    people = {"untested": None, "unreadable": "(*1/*4)", "open": "*1/*1|*4/*4", "called": "*1/*1"}
    rows = pl.DataFrame({"patient_id": list(people), "gene": "CYP2D6", "diplotype": list(people.values())})
    told = recommend_drugs(call_pharmacogenes(None, rows, list(people)), drugs=["codeine", "gabapentin"])
    codeine = {row["sample"]: row for row in told.filter(drug="codeine").iter_rows(named=True)}
    assert {name: row["answer"] for name, row in codeine.items()} == {
        "untested": "not_tested",
        "unreadable": "cannot_call",
        "open": "open",
        "called": "decided",
    }
    assert {row["category"] for name, row in codeine.items() if name in ("untested", "unreadable")} == {"NO_RESULT"}
    assert codeine["untested"]["text"] != codeine["unreadable"]["text"]
    assert codeine["untested"]["text"].startswith("Not tested:")
    assert codeine["unreadable"]["text"].startswith("Cannot call:")
    assert [codeine[name]["certain"] for name in people] == [False, False, False, True]
    assert told.filter(drug="gabapentin")["answer"].unique().to_list() == ["no_actionable_pgx"]


@pytest.mark.parametrize(
    ("c19", "told"),
    [(None, "CYP2C19 was not tested"), ("*2 or *3", "CYP2C19 was tested but has no single meaning"), ("*1/*1", None)],
)
def test_two_gene_advice_says_what_it_rests_on(c19: str | None, told: str | None) -> None:
    calls = call_pharmacogenes(None, diplotype_rows(CYP2D6="*4/*4", CYP2C19=c19), ["P1"])
    got = recommend_drugs(calls, drugs=["amitriptyline"]).row(0, named=True)
    assert (got["category"], got["answer"]) == ("AVOID_OR_REDUCE_50", "decided")
    assert (told or "rests on") in got["text"] if told else "rests on" not in got["text"]
    assert got["genes_used"] == ("CYP2C19|CYP2D6" if told is None else "CYP2D6")


def test_a_failed_test_is_said_before_one_that_was_never_done() -> None:
    calls = call_pharmacogenes(None, diplotype_rows(CYP2D6="[*1]/*4"), ["P1"])
    got = recommend_drugs(calls, drugs=["amitriptyline"]).row(0, named=True)
    assert (got["category"], got["answer"]) == ("NO_RESULT", "cannot_call")
    assert "CYP2C19 was not tested" in got["text"]


def guideline_rows() -> list[dict[str, str]]:
    """The rows of the first copy of the tables, read by other means."""
    with (shared("knowledge/pgx") / "drug_recommendations.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def brute_force(drug: str, results: tuple[tuple[str, str, str], ...]) -> list[tuple[str, str, str]]:
    """Look through every row for those that fit: population, category and strength."""
    found = []
    for row in guideline_rows_once():
        if row["drug"] != drug:
            continue
        sides = [
            (row[f"gene_{end}"], row[f"phenotype_{end}"], row[f"score_{end}"]) for end in "12" if row[f"gene_{end}"]
        ]
        fits = len(sides) == len(results) and all(
            gene == own_gene and phenotype == own_phenotype and (not score or not scores or score in scores.split(";"))
            for gene, phenotype, scores in sides
            for own_gene, own_phenotype, score in results
            if gene == own_gene
        )
        if fits:
            found.append((row["population"], row["category"], row["strength"]))
    return found or [("any", "NO_RESULT", "none")]


@cache
def guideline_rows_once() -> list[dict[str, str]]:
    return guideline_rows()


def combinations(drug: str) -> Iterator[tuple[tuple[str, str, str], ...]]:
    """Every result of each gene that any table names, crossed: phenotype with each of its scores."""
    rows = guideline_rows_once()
    own = next(row for row in rows if row["drug"] == drug)
    sides = []
    for gene in (own["gene_1"], own["gene_2"]):
        if gene:
            known = {
                (gene, row[f"phenotype_{end}"], score)
                for row in rows
                for end in "12"
                if row[f"gene_{end}"] == gene
                for score in (row[f"score_{end}"] or "").split(";")
            }
            sides.append(sorted(known | {(gene, "No Result", "")}))
    return product(*sides)


def call_rows(sample: str, results: tuple[tuple[str, str, str], ...]) -> list[dict[str, str | None]]:
    return [
        {
            "sample": sample,
            "gene": gene,
            "call_state": "not_tested" if phenotype == "No Result" else "called",
            "phenotype_candidates": None if phenotype == "No Result" else phenotype,
            "activity_score_candidates": score or None,
            "copy_number_state": "known",
        }
        for gene, phenotype, score in results
    ]


@pytest.mark.parametrize("drug", sorted(load_drug_recommendations()["drug"].unique()))
def test_every_result_of_every_drug_by_brute_force(drug: str) -> None:
    asked = {f"S{number}": results for number, results in enumerate(combinations(drug))}
    calls = pl.DataFrame([row for sample, results in asked.items() for row in call_rows(sample, results)])
    advised = recommend_drugs(calls, drugs=[drug])
    got: dict[str, set[tuple[str, str, str]]] = {}
    for sample, *answer in advised.select("sample", "population", "category", "strength").iter_rows():
        got.setdefault(sample, set()).add(tuple(answer))
    wrong = [results for sample, results in asked.items() if got[sample] != set(brute_force(drug, results))]
    assert wrong == []
    assert advised.height == sum(len(brute_force(drug, results)) for results in asked.values())
    own = load_drug_recommendations().filter(drug=drug)
    reached = {(row["population"], row["category"], row["strength"]) for row in advised.iter_rows(named=True)}
    assert set(own.select("population", "category", "strength").iter_rows()) <= reached


def test_the_shipped_advice_is_the_one_that_was_checked() -> None:
    """All 452 rows of advice and 142 pairs, but for our own wording."""
    columns = ["drug", "gene_1", "phenotype_1", "score_1", "gene_2", "phenotype_2", "score_2", "population"]
    columns += ["category", "strength", "guideline", "year", "pmid", "cpic_level"]
    first = sorted(tuple(row[name] for name in columns) for row in guideline_rows())
    shipped = load_drug_recommendations().select(pl.col(columns).cast(pl.String).fill_null(""))
    assert len(first) == 452
    assert first == sorted(shipped.rows())
    with (shared("knowledge/pgx") / "drug_gene_pairs.csv").open(encoding="utf-8", newline="") as file:
        pairs = [{name: "" if text == "none" else text for name, text in row.items()} for row in csv.DictReader(file)]
    words = {"advice": "yes", "no_action": "no", "not_carried": "no", "no_pair": "no"}
    ours = load_drug_gene_pairs().with_columns(pl.all().cast(pl.String).fill_null(""))
    assert len(pairs) == 142
    assert sorted((row["drug"], row["gene"], row["cpic_level"], row["actionable"], row["pmid"]) for row in pairs) == (
        sorted(
            (row["drug"], row["gene"], row["cpic_level"], words[row["outcome"]], row["pmid"])
            for row in ours.iter_rows(named=True)
        )
    )


def test_drugs_without_a_table_get_the_answer_of_their_pairs() -> None:
    told = recommend_drugs(call_pharmacogenes(None, None, ["P1"]))
    without = set(known_drugs()) - set(load_drug_recommendations()["drug"])
    answers = dict(told.filter(pl.col("drug").is_in(without)).select("drug", "answer").iter_rows())
    outcomes = load_drug_gene_pairs().group_by("drug").agg("outcome")
    for drug, found in outcomes.filter(pl.col("drug").is_in(without)).iter_rows():
        expected = {"no_pair": "no_actionable_pgx"}.get(
            found[0], "no_action" if "no_action" in found else "not_covered"
        )
        assert answers[drug] == expected, drug
    assert {answers[drug] for drug in ("acetaminophen", "gabapentin", "pregabalin", "ketamine", "lidocaine")} == {
        "no_actionable_pgx"
    }
    assert {answers[drug] for drug in ("morphine", "fentanyl", "oxycodone", "methadone", "naproxen", "duloxetine")} == {
        "no_action"
    }


def test_practice_patients() -> None:
    folder = shared("data/pgx")
    people = pl.read_csv(folder / "end_to_end_patients.csv", infer_schema=False)
    expected = pl.read_csv(folder / "end_to_end_expected.csv", infer_schema=False)
    genes = ["CYP2D6", "CYP2C9", "CYP2C19", "CYP2B6", "HLA-B", "HLA-A"]
    outside = people.select(pl.col("patient").alias("patient_id"), *genes).unpivot(
        index="patient_id", variable_name="gene", value_name="diplotype"
    )
    calls = call_pharmacogenes(None, outside, people["patient"].to_list())
    for gene in genes[:4]:
        got = dict(calls.filter(pl.col("gene") == gene).select("sample", "phenotype").iter_rows())
        assert {p: got[p] or "No Result" for p in got} == dict(
            people.select("patient", f"{gene}_phenotype").iter_rows()
        )
    advice_rows = recommend_drugs(calls, drugs=expected["drug"].unique().to_list())
    columns = ["drug", "population", "category", "strength"]
    assert expected.height == 457
    assert set(advice_rows.select("sample", *columns).iter_rows()) == set(
        expected.select("patient", *columns).iter_rows()
    )
