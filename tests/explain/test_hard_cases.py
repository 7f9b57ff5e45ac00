"""Explanations of studies that lack things: the right answer, or one clear error."""

import numpy as np
import polars as pl
import pytest

from nociomics.errors import BundleError
from nociomics.explain.cohort import explain_cohort, people_to_explain
from nociomics.export.background import background_people
from nociomics.models.response import fit_response, predict_response, predicted_frame
from nociomics.tables.results import DEPENDENCE, IMPORTANCE, SHAP_VALUES
from tests.models.small_study import BLOCKS, QUICK, SmallStudy, catalogue_of, small_study


def explained(study: SmallStudy, people: pl.DataFrame):
    """Fit to everybody, explain some; the check that it adds up is inside."""
    model = fit_response(study.training, study.target, BLOCKS, QUICK, 2, seed=1)
    background = background_people(model, study.features, study.rows, 20, 1)
    baseline = np.full(people.height, np.nan)
    shown = predicted_frame(people["patient_id"], predict_response(model, people, baseline))
    frames: list[pl.DataFrame] = []
    found = explain_cohort(model, people, background, 1, shown.with_columns(status=pl.lit("ok")), frames.append)
    return model, found, SHAP_VALUES.check(pl.concat(frames))


def with_genes(study: SmallStudy, count: int) -> SmallStudy:
    """The study's clinical features and as many invented genes."""
    drawn = np.random.default_rng(3).normal(size=(study.features.height, count))
    genes = pl.DataFrame({f"wide_{number}": drawn[:, number] for number in range(count)})
    entries = [(name, "expression", name, "log2", "numeric", None, None, None) for name in genes.columns]
    own = study.catalogue.filter(pl.col("modality").is_in(["clinical", "questionnaires"]))
    features = study.features.select("patient_id", *own["feature"]).hstack(genes)
    return study.changed(features=features, catalogue=pl.concat([own, catalogue_of(entries)]))


def test_features_that_the_cohort_lacks_count_as_not_measured():
    study = small_study(people=80, effect=3.0)
    lacking = study.features.drop("il6_pg_per_ml", "sex", "age")
    _, found, table = explained(study, lacking)
    assert found.gap <= 1e-4
    own = table.filter(pl.col("feature") == "il6_pg_per_ml")
    assert own["feature_value"].null_count() == own.height == 160
    lost = DEPENDENCE.check(found.dependence).filter(pl.col("feature").is_in(["il6_pg_per_ml", "sex", "age"]))
    assert lost["kind"].unique().to_list() == ["not_measured"]  # nothing else is known of them


def test_a_cohort_of_other_columns_or_other_people_is_refused_without_an_id():
    study = small_study(people=80)
    model = fit_response(study.training, study.target, BLOCKS, QUICK, 2, seed=1)
    predictions = study.rows.select("patient_id", status=pl.lit("ok"))
    assert people_to_explain(model, study.features, predictions).height == 80
    assert people_to_explain(model, study.features, predictions, ["P003"])["patient_id"].to_list() == ["P003"]
    with pytest.raises(BundleError, match=r"None of the \d+ features") as error:
        people_to_explain(model, study.features.select("patient_id", other=pl.lit(1.0)), predictions)
    assert "P0" not in str(error.value)
    with pytest.raises(BundleError, match="3 people have a prediction but no row"):
        people_to_explain(model, study.features[3:], predictions)
    with pytest.raises(BundleError, match="1 of the 2 patients asked for have no prediction") as error:
        people_to_explain(model, study.features, predictions, ["P003", "nobody"])
    assert "nobody" not in str(error.value)


def test_one_patient_is_explained_and_nothing_is_said_of_the_cohort():
    study = small_study(people=80, effect=3.0)
    _, found, table = explained(study, study.features[4:5])
    assert table["patient_id"].unique().to_list() == ["P004"] and found.gap <= 1e-4
    assert IMPORTANCE.check(found.importance).height == 0 == DEPENDENCE.check(found.dependence).height


def test_a_study_without_treatments_and_without_omics_is_explained():
    study = small_study(people=80, arms=())
    bedside = study.changed(
        catalogue=study.catalogue.filter(pl.col("modality").is_in(["clinical", "questionnaires"]))
    )  # fmt: skip
    _, found, table = explained(bedside, bedside.features)
    assert found.gap <= 1e-4 and table["treatment"].null_count() == table.height > 0
    assert set(table["modality"]) == {"clinical", "questionnaires"}
    assert found.dependence["treatment"].null_count() == found.dependence.height > 0


def test_five_thousand_features_are_explained_by_components():
    study = with_genes(small_study(people=80, effect=3.0), 5000)
    _, found, table = explained(study, study.features)
    assert found.gap <= 1e-4 and table["feature"].n_unique() < 30
    assert "expression" in set(found.importance.filter(pl.col("level") == "modality")["name"])
