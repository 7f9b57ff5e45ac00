"""Where each feature of the catalogue came from, and that nothing later than baseline gets in."""

from __future__ import annotations

import polars as pl
import pytest

from nociomics.errors import LeakageError
from nociomics.harmonise.feature import Feature, Part
from nociomics.harmonise.features import build_features
from nociomics.harmonise.instrument_scores import score_responses
from nociomics.harmonise.origins import feature_origins, spans
from nociomics.harmonise.units import convert_biomarkers
from nociomics.knowledge.instrument import load_instruments
from nociomics.tables.harmonised import FEATURE_CATALOGUE
from nociomics.tables.ingested import ORIGINS


def origins(*rows: tuple[str, str, str, str | None]) -> pl.DataFrame:
    schema = {"table": pl.String, "name": pl.String, "file": pl.String, "column": pl.String}
    return ORIGINS.check(pl.DataFrame(rows, schema=schema, orient="row"))


def feature(name: str, modality: str, group: str) -> Feature:
    return Feature(name, modality, group, "u", name)


def told(entry: Feature, *rows: tuple[str, str, str, str | None]) -> tuple[str | None, str | None]:
    return feature_origins([entry], origins(*rows)).row(0)


PCS_ITEMS = [("responses", f"pcs/{item}", "forms.csv", f"pcs_{item}") for item in range(1, 14)]


@pytest.mark.parametrize(
    ("entry", "rows", "expected"),
    [
        (feature("age", "clinical", "age"), [("patients", "age", "p.csv", "Age at visit")], ("p.csv", "Age at visit")),
        (feature("age", "clinical", "age"), [("patients", "*", "p.csv", None)], ("p.csv", "age")),
        (feature("pcs_total", "questionnaires", "pcs"), PCS_ITEMS, ("forms.csv", "pcs_1 to pcs_13")),
        (
            feature("pcs_total", "questionnaires", "pcs"),
            [("responses", f"pcs/{item}", "long.csv", "response") for item in range(1, 14)],
            ("long.csv", "response (pcs_1 to pcs_13)"),
        ),
        (
            feature("pcs_total", "questionnaires", "pcs"),
            [("responses", "*", "long.csv", "response")],
            ("long.csv", "response (pcs_1 to pcs_13)"),
        ),
        (
            feature("pcs_total", "questionnaires", "pcs"),
            [("scores", "pcs/total", "s.csv", "PCS sum"), ("responses", "bdi_ii/1", "f.csv", "bdi_1")],
            ("s.csv", "PCS sum"),
        ),
        (
            feature("il6_pg_per_ml", "biomarkers", "il6"),
            [("biomarkers", "il6", "lab.csv", "value"), ("biomarkers", "crp", "lab.csv", "value")],
            ("lab.csv", "value (il6)"),
        ),
        (
            feature("il6_below_lod", "biomarkers", "il6"),
            [("biomarkers", "il6", "wide.csv", "IL-6 (pg/mL)"), ("biomarkers", "crp", "wide.csv", "CRP")],
            ("wide.csv", "IL-6 (pg/mL)"),
        ),
        (
            feature("il6_pg_per_ml", "biomarkers", "il6"),
            [("biomarkers", "il6", "a.csv", "IL6"), ("biomarkers", "il6", "b.csv", "IL6")],
            ("a.csv; b.csv", "IL6"),
        ),
        (
            feature("expression_TNF", "expression", "TNF"),
            [("expression", "*", "counts.parquet", None), ("expression", "TNF", "counts.parquet", "ENSG00000232810")],
            ("counts.parquet", "ENSG00000232810"),
        ),
        (
            feature("expression_batch", "expression", "batch"),
            [("expression_samples", "batch", "samples.csv", "flowcell"), ("expression", "*", "c.csv", None)],
            ("samples.csv", "flowcell"),
        ),
        (feature("snp_rs1", "genotype", "rs1"), [("dosages", "*", "g.vcf.gz", None)], ("g.vcf.gz", "rs1")),
        (
            feature("cyp2d6_activity_score", "pgx", "CYP2D6"),
            [("pharmacogene_genotypes", "*", "g.vcf.gz", None), ("diplotypes", "CYP2D6", "d.tsv", "cyp2d6")],
            ("d.tsv; g.vcf.gz", "cyp2d6; CYP2D6"),
        ),
        (
            feature("comt_rs4680_a_count", "pgx", "COMT"),
            [("pharmacogene_genotypes", "*", "g.vcf.gz", None)],
            ("g.vcf.gz", "rs4680"),
        ),
        (
            feature("proteins_il_6", "proteins", "IL-6"),
            [("block_proteins", "*", "npx.csv", None), ("block_other", "*", "o.csv", None)],
            ("npx.csv", "IL-6"),
        ),
        (
            feature("history_drugs_helped", "clinical", "treatment history"),
            [("treatment_history", name, "h.csv", name) for name in ("drug", "dose", "started_at", "response")],
            ("h.csv", "drug, started_at, response"),
        ),
        (
            feature("pgs_back_pain", "genotype", "back_pain"),
            [("polygenic_scores", "pgs_back_pain", "w.txt", "effect_weight"), ("dosages", "*", "g.bed", None)],
            ("w.txt; g.bed", "effect_weight"),
        ),
        (feature("age", "clinical", "age"), [("patients", "bmi", "p.csv", None)], (None, None)),
    ],
)
def test_each_kind_of_feature_names_its_file_and_column(entry, rows, expected):
    assert told(entry, *rows) == expected


def test_without_origins_nothing_is_made_up():
    assert feature_origins([feature("age", "clinical", "age")], None).rows() == [(None, None)]


def test_ranges_need_three_numbers_in_a_row():
    assert spans(["a_9", "a_10", "a_11", "b_1", "b_2", "a_1"]) == "a_9 to a_11, b_1, b_2, a_1"


PATIENTS = pl.DataFrame({"patient_id": ["a", "b"], "age": [40.0, 50.0], "pain_after": [1.0, 2.0]})
COVARIATES = pl.DataFrame({"column": ["age", "pain_after"], "measured_at": ["baseline", "week12"]})
STARTED = pl.DataFrame({"patient_id": ["a", "b"], "started_at": ["2024-01-10", "2024-01-10"]})


def test_the_catalogue_holds_sources_for_what_has_an_origin():
    rows = [("patients", "age", "p.csv", "Age"), ("patients", "*", "p.csv", None)]
    _, catalogue, _ = build_features(PATIENTS, COVARIATES, origins=origins(*rows))
    FEATURE_CATALOGUE.check(catalogue)
    assert catalogue.select("feature", "source_file", "source_column").rows() == [("age", "p.csv", "Age")]


def test_people_in_another_order_keep_their_values():
    genes = pl.DataFrame({"patient_id": ["z", "b", "a"], "TNF": [9.0, 2.0, 1.0]}, schema_overrides={"TNF": pl.Float32})
    three = pl.concat([PATIENTS, PATIENTS.head(1).with_columns(patient_id=pl.lit("c"))])
    features, catalogue, _ = build_features(three, COVARIATES, expression=genes)
    assert features["expression_TNF"].to_list() == [1.0, 2.0, None]
    row = catalogue.row(by_predicate=pl.col("feature") == "expression_TNF", named=True)
    assert row["missing_share"] == pytest.approx(1 / 3)


def later_answers() -> pl.DataFrame:
    items = load_instruments()["pcs"].items
    rows = [("a", "week12", "pcs", item, 1.0) for item in items]
    names = ["patient_id", "visit", "instrument", "item", "response"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_covariates_and_scores_of_a_later_visit_are_no_features():
    scores = score_responses(later_answers(), load_instruments())
    _, catalogue, findings = build_features(PATIENTS, COVARIATES, scores=scores)
    assert catalogue["feature"].to_list() == ["age"]
    assert any("not measured at baseline" in finding.message for finding in findings)


def late_biomarkers() -> pl.DataFrame:
    rows = {"patient_id": ["a"], "analyte": ["crp"], "value": [1.0], "unit": ["mg/L"], "below_lod": [False]}
    table = pl.DataFrame(rows).with_columns(lod=pl.lit(None, pl.Float64), collected_at=pl.lit("2024-02-01"))
    return convert_biomarkers(table)[0]


def late_part(modality: str) -> Part:
    entry = Feature("x_late", modality, "x", "u", "measured late", measured_at="week12")
    return Part(pl.DataFrame({"patient_id": ["a"], "x_late": [1.0]}), [entry])


@pytest.mark.parametrize(
    "given",
    [
        {"biomarkers": late_biomarkers()},
        {
            "expression": pl.DataFrame({"patient_id": ["a"], "TNF": [1.0]}),
            "expression_samples": pl.DataFrame({"patient_id": ["a"], "batch": ["1"], "collected_at": ["2024-02-01"]}),
        },
        *({"further": [late_part(name)]} for name in ("clinical", "genotype", "pgx", "history", "proteins")),
        {
            "pgx": (
                pl.DataFrame({"patient_id": ["a"], "cyp2d6_x": [1.0]}),
                [{"feature": "cyp2d6_x", "modality": "pgx", "group": "CYP2D6", "unit": "score", "description": "x",
                  "measured_at": "week12"}],
            )
        },
    ],
)  # fmt: skip
def test_what_was_measured_after_the_start_of_treatment_is_refused(given):
    with pytest.raises(LeakageError, match=r"after the start of treatment|not measured at baseline"):
        build_features(PATIENTS, COVARIATES, treatments=STARTED, **given)
