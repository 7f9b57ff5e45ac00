"""The feature table of a tiny invented cohort, and what its catalogue says."""

from __future__ import annotations

import polars as pl
import pytest

from nociomics.errors import LeakageError, StudyError, TableError
from nociomics.harmonise.features import build_features
from nociomics.harmonise.instrument_scores import score_responses
from nociomics.harmonise.units import convert_biomarkers
from nociomics.knowledge.instrument import load_instruments
from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES

PATIENTS = pl.DataFrame(
    {
        "patient_id": ["c", "a", "b"],
        "age": [40, 50, None],
        "sex": ["F", "M", "F"],
        "smoker": [True, False, None],
        "pain_after": [1, 2, 3],
        "empty": pl.Series([None] * 3, dtype=pl.Float64),
        "constant": [1.5, 1.5, 1.5],
    }
)
COVARIATES = pl.DataFrame(
    {
        "column": ["age", "sex", "smoker", "pain_after", "empty", "constant"],
        "measured_at": ["baseline", "baseline", "baseline", "week12", "baseline", "baseline"],
    }
)


def answers() -> pl.DataFrame:
    rows = []
    for patient, points in (("a", 2.0), ("b", 1.0)):
        for instrument in ("bpi_sf", "pcs", "bdi_ii", "dn4", "eq_5d_5l"):
            for item in load_instruments()[instrument].items:
                rows.append((patient, "baseline", instrument, item, min(points, 1.0 if instrument == "dn4" else 9.0)))
                rows.append((patient, "week12", instrument, item, 1.0))
    names = ["patient_id", "visit", "instrument", "item", "response"]
    return pl.DataFrame(rows, schema=names, orient="row")


def biomarkers(**columns) -> pl.DataFrame:
    rows = pl.DataFrame(
        {
            "patient_id": ["a", "a", "b", "a", "zz"],
            "analyte": ["il6", "il6", "il6", "crp", "crp"],
            "value": [2.0, 8.0, 0.0004, 0.3, 1.0],
            "unit": ["pg/mL", "pg/mL", "ng/mL", "mg/dL", "mg/L"],
            "below_lod": [False, False, True, False, False],
            "lod": [0.4, 0.4, 0.0004, None, None],
        }
    )
    return convert_biomarkers(rows.with_columns(**columns))[0]


def whole_cohort() -> tuple:
    expression = pl.DataFrame({"patient_id": ["a", "b"], "TNF": [1.0, 2.0]}, schema_overrides={"TNF": pl.Float32})
    samples = pl.DataFrame({"patient_id": ["a", "b"], "batch": ["1", "2"]})
    dosages = pl.DataFrame({"patient_id": ["a", "c"], "rs4680": [2, None]}, schema_overrides={"rs4680": pl.Int8})
    variants = pl.DataFrame(
        {
            "variant": ["rs4680"],
            "chrom": ["22"],
            "pos": [19951271],
            "ref": ["G"],
            "alt": ["A"],
            "call_rate": [0.5],
            "alt_frequency": [1.0],
        }
    )
    pgx = pl.DataFrame({"patient_id": ["a"], "cyp2d6_activity_score": [1.25]})
    row = {
        "feature": "cyp2d6_activity_score",
        "modality": "pgx",
        "group": "CYP2D6",
        "unit": "score",
        "description": "activity score",
        "kind": "numeric",
        "low": 0.0,
    }
    block = pl.DataFrame({"patient_id": ["b"], "IL-6 (NPX)": [1.5], "il 6 npx": [2.5]})
    return build_features(
        PATIENTS,
        COVARIATES,
        scores=score_responses(answers(), load_instruments()),
        biomarkers=biomarkers(),
        expression=expression,
        expression_samples=samples,
        dosages=dosages,
        variants=variants,
        pgx=(pgx, [row]),
        blocks={"proteins": (block, "sex")},
    )


@pytest.fixture(scope="module")
def built() -> tuple:
    return whole_cohort()


def test_tables_keep_their_contracts_and_the_order_of_people(built):
    features, catalogue, _ = built
    FEATURES.check(features)
    FEATURE_CATALOGUE.check(catalogue)
    assert features["patient_id"].to_list() == ["c", "a", "b"]
    assert catalogue["feature"].to_list() == features.columns[1:]


@pytest.mark.parametrize(
    ("feature", "modality", "group", "unit", "kind", "value_of_a"),
    [
        ("age", "clinical", "age", "years", "numeric", 50.0),
        ("sex", "clinical", "sex", "category", "category", "M"),
        ("smoker", "clinical", "smoker", "0/1", "binary", 0.0),
        ("bpi_severity", "questionnaires", "bpi_sf", "score", "numeric", 2.0),
        ("bpi_interference", "questionnaires", "bpi_sf", "score", "numeric", 2.0),
        ("pcs_total", "questionnaires", "pcs", "score", "numeric", 26.0),
        ("pcs_rumination", "questionnaires", "pcs", "score", "numeric", 8.0),
        ("bdi_total", "questionnaires", "bdi_ii", "score", "numeric", 42.0),
        ("dn4_total", "questionnaires", "dn4", "score", "numeric", 10.0),
        ("eq_5d_5l_lss", "questionnaires", "eq_5d_5l", "score", "numeric", 10.0),
        ("il6_pg_per_ml", "biomarkers", "il6", "pg/mL", "numeric", 5.0),
        ("il6_below_lod", "biomarkers", "il6", "0/1", "binary", 0.0),
        ("crp_mg_per_l", "biomarkers", "crp", "mg/L", "numeric", 3.0),
        ("expression_TNF", "expression", "TNF", "log2", "numeric", 1.0),
        ("expression_batch", "expression", "batch", "category", "category", "1"),
        ("snp_rs4680", "genotype", "rs4680", "count", "numeric", 2.0),
        ("cyp2d6_activity_score", "pgx", "CYP2D6", "score", "numeric", 1.25),
        ("proteins_il_6_npx", "proteins", "IL-6 (NPX)", "as given", "numeric", None),
        ("proteins_il_6_npx_2", "proteins", "il 6 npx", "as given", "numeric", None),
    ],
)
def test_each_source_has_its_names_units_and_values(built, feature, modality, group, unit, kind, value_of_a):
    features, catalogue, _ = built
    row = catalogue.row(by_predicate=pl.col("feature") == feature, named=True)
    assert (row["modality"], row["group"], row["unit"], row["kind"]) == (modality, group, unit, kind)
    assert features.filter(pl.col("patient_id") == "a")[feature].item() == (
        pytest.approx(value_of_a) if isinstance(value_of_a, float) else value_of_a
    )


def test_a_non_detect_holds_its_limit_in_the_base_unit(built):
    b = built[0].row(by_predicate=pl.col("patient_id") == "b", named=True)
    assert (b["il6_pg_per_ml"], b["il6_below_lod"]) == (pytest.approx(0.4), 1.0)
    assert "crp_below_lod" not in built[0].columns


def test_what_is_not_measured_stays_empty_and_is_counted(built):
    features, catalogue, _ = built
    c = features.row(by_predicate=pl.col("patient_id") == "c", named=True)
    assert c["pcs_total"] is None
    assert c["il6_pg_per_ml"] is None
    share = dict(catalogue.select("feature", "missing_share").iter_rows())
    assert share["pcs_total"] == pytest.approx(1 / 3)
    assert share["cyp2d6_activity_score"] == pytest.approx(2 / 3)


def test_ranges_and_within_come_along(built):
    rows = {row["feature"]: row for row in built[1].iter_rows(named=True)}
    assert (rows["pcs_total"]["low"], rows["pcs_total"]["high"]) == (0, 52)
    assert (rows["snp_rs4680"]["low"], rows["snp_rs4680"]["high"]) == (0, 2)
    assert rows["proteins_il_6_npx"]["within"] == "sex"
    assert rows["age"]["within"] is None


def test_later_measurements_empty_columns_and_labels_are_no_features(built):
    features, _, findings = built
    assert not {"pain_after", "empty", "eq_5d_5l_profile", "eq_5d_5l_index"} & set(features.columns)
    assert "constant" in features.columns
    text = " ".join(finding.message for finding in findings)
    assert "1 columns were not measured at baseline" in text
    assert "1 features of clinical are empty for everyone" in text
    assert "1 features of questionnaires are empty for everyone" in text
    assert "1 people and analytes were measured more than once" in text


def test_scores_that_came_scored_are_treated_alike():
    scores = pl.DataFrame(
        {
            "patient_id": ["a", "b", "a"],
            "visit": ["baseline", "baseline", "baseline"],
            "instrument": ["pcs", "pcs", "resilience_scale"],
            "scale": ["total", "total", "sum"],
            "score": [30.0, 99.0, 5.0],
        }
    )
    features, catalogue, findings = build_features(PATIENTS, COVARIATES, scores=scores)
    assert features["pcs_total"].to_list() == [None, 30.0, 99.0]
    assert features["resilience_scale_sum"].to_list() == [None, 5.0, None]
    assert catalogue.row(by_predicate=pl.col("feature") == "resilience_scale_sum", named=True)["high"] is None
    assert any("1 values of pcs_total lie outside 0 to 52" in finding.message for finding in findings)


def test_refused_measurements_add_nothing():
    converted = biomarkers(unit=pl.lit("IU/mL"))
    assert build_features(PATIENTS, COVARIATES, biomarkers=converted)[0].columns == [
        "patient_id",
        "age",
        "sex",
        "smoker",
        "constant",
    ]


def test_other_units_than_the_base_unit_are_refused():
    with pytest.raises(TableError, match="5 rows are not in their base unit"):
        build_features(PATIENTS, COVARIATES, biomarkers=biomarkers().with_columns(unit=pl.lit("g/L")))


def test_samples_taken_after_treatment_began_are_refused():
    treatments = pl.DataFrame({"patient_id": ["a", "b"], "arm": "x", "started_at": ["2024-03-01", "2024-03-01"]})
    dates = pl.Series(["2024-02-28", "2024-03-01", "2024-03-02", None, "2024-09-01"])
    with pytest.raises(LeakageError, match="1 samples were taken after the start of treatment"):
        build_features(PATIENTS, COVARIATES, treatments, biomarkers=biomarkers(collected_at=dates))


def test_two_tables_must_not_claim_one_name():
    patients = PATIENTS.with_columns(snp_rs1=pl.lit(1.0))
    with pytest.raises(TableError, match="1 feature names come from two tables \\(first: snp_rs1\\)"):
        build_features(patients, dosages=pl.DataFrame({"patient_id": ["a"], "rs1": [1]}))


def test_a_numbered_site_is_a_label_when_values_are_compared_within_it():
    block = pl.DataFrame({"patient_id": ["a"], "x": [1.0]})
    patients = PATIENTS.select("patient_id", site=pl.Series([1, 2, 2]))
    features, catalogue, _ = build_features(patients, blocks={"proteins": (block, "site")})
    assert features["site"].to_list() == ["1", "2", "2"]
    assert catalogue["kind"].to_list() == ["category", "numeric"]


def test_within_must_name_a_category():
    block = pl.DataFrame({"patient_id": ["a"], "x": [1.0]})
    with pytest.raises(StudyError, match='Did you mean "sex"'):
        build_features(PATIENTS, COVARIATES, blocks={"proteins": (block, "sexx")})


def test_no_person_changes_the_features_of_another(built):
    others = PATIENTS.filter(pl.col("patient_id") != "b")
    alone, _, _ = build_features(others, COVARIATES, biomarkers=biomarkers())
    everyone, _, _ = build_features(PATIENTS, COVARIATES, biomarkers=biomarkers())
    columns = ["patient_id", "age", "il6_pg_per_ml", "crp_mg_per_l"]
    assert everyone.filter(pl.col("patient_id") != "b").select(columns).equals(alone.select(columns))
