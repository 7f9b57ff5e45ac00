"""The command `pgx`: what it takes, what it refuses, and that the workflow's stage gives the same tables."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nociomics.ingest.study_tables import read_study, write_ingested
from nociomics.tables.results import PGX_CALLS, PGX_RECOMMENDATIONS
from nociomics.tables.study import Study, Tables
from tests.cli.conftest import Command

PEOPLE = ("SECRET-1", "SECRET-2", "SECRET-3")
DIPLOTYPES = """patient_id,gene,diplotype
SECRET-1,CYP2D6,*1/*1
SECRET-1,CYP2C19,*1/*2
SECRET-2,CYP2D6,*4/*4
SECRET-2,CYP2C9,*1/*2 or *3
SECRET-3,CYP2D6,*1x2/*41
"""
MEDICATIONS = """patient_id,drug,started_at,stopped_at
SECRET-1,Paroxetine 20 mg,2025-06-01,
SECRET-1,lisinopril,2020-01-01,
SECRET-2,duloxetine,,
SECRET-3,fluoxetine,2024-01-01,2025-12-31
"""
TREATMENTS = """patient_id,arm,assignment,started_at
SECRET-1,codeine,observed,2026-01-01
SECRET-2,codeine,observed,2026-01-01
SECRET-3,tramadol,observed,2026-01-01
"""
PATIENTS = "patient_id,age,sex\n" + "".join(f"{one},50,F\n" for one in PEOPLE)
VCF = "\n".join(
    [
        "##fileformat=VCFv4.2",
        "##contig=<ID=chr22,length=50818468>",
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *PEOPLE]),
        "\t".join(["chr22", "19963748", "rs4680", "G", "A", ".", "PASS", ".", "GT", "0/1", "1/1", "0/0"]),
        "\t".join(["chr22", "42126611", "rs1135840", "C", "G", ".", "PASS", ".", "GT", "0/1", "1/1", "0/0"]),
    ]
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    texts = {"calls": DIPLOTYPES, "medications": MEDICATIONS, "treatments": TREATMENTS, "patients": PATIENTS}
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    (tmp_path / "cohort.vcf").write_text(VCF + "\n", encoding="utf-8")
    return tmp_path


def tables(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The calls and recommendations of a folder, their contracts checked."""
    calls = PGX_CALLS.check(pl.read_parquet(folder / "calls.parquet"))
    return calls, PGX_RECOMMENDATIONS.check(pl.read_parquet(folder / "recommendations.parquet"))


def test_four_files_and_a_summary(nociomics: Command, folder: Path) -> None:
    told = nociomics("pgx", folder / "cohort.vcf", "--diplotypes", folder / "calls.csv", "-o", folder / "out")
    assert told.exit == 0, told.err
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "calls.csv",
        "calls.parquet",
        "recommendations.csv",
        "recommendations.parquet",
    ]
    calls, advice = tables(folder / "out")
    for name, frame in (("calls", calls), ("recommendations", advice)):
        text = pl.read_csv(folder / "out" / f"{name}.csv", infer_schema=False)
        assert_frame_equal(text, frame.with_columns(pl.all().cast(pl.String)))
    states = dict(calls["call_state"].value_counts().iter_rows())
    assert "people: 3;" in told.out
    assert f"called: {states['called']}, tested and cannot be called: {states['refused']}," in told.out
    assert f"not tested: {states['not_tested']}." in told.out
    assert not any(one in told.out + told.err for one in PEOPLE)
    assert calls["medication_state"].drop_nulls().unique().to_list() == ["not_given"]


def test_medications_change_what_stands_beside(nociomics: Command, folder: Path) -> None:
    given = ["pgx", "--diplotypes", folder / "calls.csv", "--drugs", "codeine"]
    assert nociomics(*given, "-o", folder / "without").exit == 0
    told = nociomics(
        *given, "--medications", folder / "medications.csv", "--as-of", "2026-01-01", "-o", folder / "with"
    )
    assert told.exit == 0, told.err
    assert "medication rows: 4; of an inhibitor that is taken: 1, of one whose dates" in told.out
    assert (
        "leave it open: 1; of drugs that no pharmacogene table has, which change nothing: 1 (1 different)" in told.out
    )
    (calls, advice), (plain_calls, plain_advice) = tables(folder / "with"), tables(folder / "without")
    added = ["medication_state", "inhibitors", "activity_score_with_inhibitors", "phenotype_with_inhibitors"]
    added += ["inhibitor_source", "category_with_inhibitors", "text_with_inhibitors"]
    assert_frame_equal(calls.drop(added, strict=False), plain_calls.drop(added, strict=False))
    assert_frame_equal(advice.drop(added, strict=False), plain_advice.drop(added, strict=False))
    cyp2d6 = calls.filter(gene="CYP2D6")
    assert dict(cyp2d6.select("sample", "inhibitors").iter_rows()) == dict.fromkeys(PEOPLE) | {PEOPLE[0]: "paroxetine"}
    assert cyp2d6["medication_state"].to_list() == ["read", "unclear", "read"]
    assert advice["category_with_inhibitors"].to_list() == ["AVOID", None, None]
    assert not any(one in told.out + told.err for one in (*PEOPLE, "lisinopril", "aroxetine", "*1/*1"))


def test_the_stage_and_the_command_give_the_same_tables(nociomics: Command, folder: Path) -> None:
    study = Study(
        study="same",
        tables=Tables.model_validate(
            {
                "patients": "patients.csv",
                "genotype": "cohort.vcf",
                "diplotypes": "calls.csv",
                "treatments": "treatments.csv",
                "treatment_history": "medications.csv",
            }
        ),
    )
    write_ingested(read_study(study, folder, stores=folder / "stores"), folder / "ingested")
    ingested = folder / "ingested"
    stage = nociomics(
        *("pharmacogenes", "call", "--patients", ingested / "patients.parquet"),
        *("--genotypes", ingested / "pharmacogene_genotypes.parquet"),
        *("--diplotypes", ingested / "diplotypes.parquet"),
        *("--treatment-history", ingested / "treatment_history.parquet"),
        *("--treatments", ingested / "treatments.parquet"),
        *("--calls", folder / "stage" / "calls.parquet"),
        *("--recommendations", folder / "stage" / "recommendations.parquet"),
    )
    assert stage.exit == 0, stage.err
    alone = nociomics(
        *("pgx", folder / "cohort.vcf", "--diplotypes", folder / "calls.csv", "-o", folder / "alone"),
        *("--medications", folder / "medications.csv", "--as-of", "2026-01-01"),
    )
    assert alone.exit == 0, alone.err
    for by_stage, by_command in zip(tables(folder / "stage"), tables(folder / "alone"), strict=True):
        assert_frame_equal(by_stage, by_command)
    assert tables(folder / "stage")[0]["inhibitors"].drop_nulls().to_list() == ["paroxetine"]


def test_genes_and_variants_choose_rows(nociomics: Command, folder: Path) -> None:
    every = ["pgx", "--diplotypes", folder / "calls.csv"]
    assert nociomics(*every, "-o", folder / "all").exit == 0
    told = nociomics(*every, "--genes", "cyp2c19,rs1799971", "-o", folder / "some")
    assert told.exit == 0, told.err
    (calls, advice), (all_calls, all_advice) = tables(folder / "some"), tables(folder / "all")
    assert calls["gene"].unique().sort().to_list() == ["CYP2C19", "OPRM1"]
    assert_frame_equal(calls, all_calls.filter(pl.col("gene").is_in(["CYP2C19", "OPRM1"])))
    assert {"amitriptyline", "sertraline", "codeine"} <= set(advice["drug"])
    assert "celecoxib" not in set(advice["drug"])
    same = all_advice.filter(pl.col("drug").is_in(advice["drug"].unique().to_list()))
    assert_frame_equal(advice, same)
    both = nociomics(*every, "--genes", "CYP2C19", "--drugs", "celecoxib", "-o", folder / "both")
    assert both.exit == 0, both.err
    assert tables(folder / "both")[1]["drug"].unique().to_list() == ["celecoxib"]


def test_a_stated_build_is_used(nociomics: Command, folder: Path) -> None:
    told = nociomics("pgx", folder / "cohort.vcf", "--build", "GRCh38", "--genes", "COMT", "-o", folder / "right")
    assert told.exit == 0, told.err
    assert tables(folder / "right")[0]["build"].unique().to_list() == ["GRCh38"]
    wrong = nociomics("pgx", folder / "cohort.vcf", "--build", "GRCh37", "-o", folder / "wrong")
    assert wrong.exit == 1
    assert "GRCh38" in wrong.err
    assert not (folder / "wrong").exists()


def test_everything_wrong_is_told_at_once(nociomics: Command, folder: Path) -> None:
    told = nociomics(
        *("pgx", "--drugs", "codein,gabapentine", "--genes", "CYP2D7,rs17999,rs5", "--build", "hg18"),
        *("--indication", "nerves"),
    )
    assert told.exit == 1
    for part in (
        "Give a genotype file, --diplotypes, or both",
        "Give --output",
        '"codein" is in no table. Did you mean "codeine"?',
        '"gabapentine" is in no table. Did you mean "gabapentin"?',
        'Indication "nerves" is unknown',
        'Gene "CYP2D7" is not called here. Did you mean "CYP2D6"?',
        "rs1799971",
        "A118G",
        'Variant "rs5" is in no pharmacogene table',
        "GRCh38",
    ):
        assert part in told.err
    assert "Traceback" not in told.err


def test_empty_lists_are_refused(nociomics: Command, folder: Path) -> None:
    told = nociomics("pgx", "--diplotypes", folder / "calls.csv", "--drugs", " ,", "--genes", "", "-o", folder / "out")
    assert told.exit == 1
    assert "--drugs names nothing." in told.err
    assert "--genes names nothing." in told.err
    assert not (folder / "out").exists()


def test_every_problem_of_all_files_is_told_at_once(nociomics: Command, folder: Path) -> None:
    (folder / "calls.csv").write_text("patient_id,CYP2D6\nSECRET-1,*1/*1\n", encoding="utf-8")
    (folder / "medications.csv").write_text("patient_id,drog\nSECRET-1,paroxetine\n", encoding="utf-8")
    told = nociomics(
        *("pgx", "--diplotypes", folder / "calls.csv", "--medications", folder / "medications.csv"),
        *("-o", folder / "out"),
    )
    assert told.exit == 1
    assert "calls.csv" in told.err
    assert 'has no column "drug". Did you mean "drog"?' in told.err
    assert "SECRET" not in told.err
    assert not (folder / "out").exists()


def test_tables_prints_versions_and_asks_for_nothing_else(nociomics: Command) -> None:
    told = nociomics("pgx", "--tables")
    assert told.exit == 0
    for name in ("drug_recommendations\t452 rows\t2023-08", "allele_functions\t173 rows\t2024-08", "inhibitors\t"):
        assert name in told.out


def test_nothing_is_left_when_one_of_four_files_cannot_be_written(nociomics: Command, folder: Path) -> None:
    (folder / "out" / "recommendations.csv").mkdir(parents=True)
    (folder / "out" / "recommendations.csv" / "here").touch()
    told = nociomics("pgx", "--diplotypes", folder / "calls.csv", "-o", folder / "out")
    assert told.exit == 1
    assert "cannot be written" in told.err
    assert [path.name for path in (folder / "out").iterdir()] == ["recommendations.csv"]
