"""What drives predictions in the whole cohort."""

import polars as pl

from nociomics.explain.importance import feature_importance, modality_importance

# patient, treatment, feature, modality, value: two items of one questionnaire that cancel each other out
ROWS = [
    ("P1", "cbt", "pcs_1", "questionnaires", 0.8),
    ("P1", "cbt", "pcs_2", "questionnaires", -0.6),
    ("P1", "cbt", "il6", "biomarkers", 0.5),
    ("P2", "cbt", "pcs_1", "questionnaires", -1.0),
    ("P2", "cbt", "pcs_2", "questionnaires", 1.0),
    ("P2", "cbt", "il6", "biomarkers", -0.1),
]
VALUES = pl.DataFrame(
    ROWS, schema=["patient_id", "treatment", "feature", "modality", "shap_value"], orient="row"
).with_columns(group=pl.col("feature").str.split("_").list.first())


def test_signed_values_are_summed_before_their_size_is_taken():
    found = {row["modality"]: row["mean_abs_shap"] for row in modality_importance(VALUES).iter_rows(named=True)}
    assert found["biomarkers"] == 0.3  # (.5 + .1) / 2
    assert abs(found["questionnaires"] - 0.1) < 1e-12  # (|.8 - .6| + |-1 + 1|) / 2, not (1.4 + 2) / 2


def test_the_largest_comes_first():
    assert modality_importance(VALUES)["modality"].to_list() == ["biomarkers", "questionnaires"]
    assert feature_importance(VALUES)["feature"].to_list() == ["pcs_1", "pcs_2", "il6"]
    assert feature_importance(VALUES)["mean_abs_shap"].to_list() == [0.9, 0.8, 0.3]


def test_classes_are_summed_each_on_its_own():
    both = pl.concat(
        [
            VALUES.with_columns(pl.lit("a").alias("class")),
            VALUES.with_columns(pl.lit("b").alias("class"), -pl.col("shap_value")),
        ]
    )
    assert modality_importance(both)["mean_abs_shap"].round(12).to_list() == [0.3, 0.1]


def test_each_treatment_has_its_own_importance():
    other = VALUES.with_columns(treatment=pl.lit("snri"), shap_value=2 * pl.col("shap_value"))
    found = modality_importance(pl.concat([VALUES, other]))
    assert found.filter(pl.col("modality") == "biomarkers")["mean_abs_shap"].to_list() == [0.6, 0.3]
