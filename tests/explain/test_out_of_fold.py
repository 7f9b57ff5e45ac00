"""Explanations out of fold: by models that never saw the person, adding up to that person's mean prediction."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nociomics.explain.out_of_fold import OutOfFoldExplanations, importance_out_of_fold
from nociomics.models.response import HeldOut, out_of_fold
from nociomics.models.settings import SplitSettings
from nociomics.models.splits import make_splits
from nociomics.tables.results import IMPORTANCE, OUT_OF_FOLD_VALUES
from tests.models.small_study import ARMS, BLOCKS, QUICK, SmallStudy, small_study


def twice(study: SmallStudy) -> SmallStudy:
    """The same people, divided anew in a second repeat."""
    ids = study.rows["patient_id"].to_list()
    labels = dict(study.rows.select("patient_id", pl.col("label").fill_null("")).iter_rows())
    folds = SplitSettings(outer_folds=3, inner_folds=3, repeats=2)
    return study.changed(splits=make_splits(ids, {one: one for one in ids}, labels, folds, 1))


def explained(study: SmallStudy, count: int = 20, settings=QUICK):
    explanations = OutOfFoldExplanations(count, seed=1)
    seen: list[HeldOut] = []

    def both(held: HeldOut) -> None:
        seen.append(held)
        explanations(held)

    predicted = out_of_fold(study.training, study.splits, study.target, BLOCKS, settings, 1, seen=both)
    return predicted, explanations, OUT_OF_FOLD_VALUES.check(explanations.frame()), seen


@pytest.mark.parametrize("kind", ["change", "binary", "multiclass"])
def test_values_add_up_to_the_mean_prediction_out_of_fold(kind):
    study = twice(small_study(kind, people=80, arms=() if kind == "multiclass" else ARMS, effect=3.0))
    predicted, explanations, table, _ = explained(study)
    assert explanations.gap <= 1e-4
    keys = ["patient_id", "treatment", *(["class"] if kind == "multiclass" else [])]
    sums = table.group_by(keys).agg(pl.col("shap_value").sum(), pl.col("base_value").first(), pl.col("repeats").first())
    if kind == "multiclass":
        shown = predicted.drop("expected").unpivot(
            [name for name in predicted.columns if name.startswith("p_") and name != "p_response"],
            index=["patient_id", "treatment"], variable_name="class", value_name="expected",
        ).with_columns(pl.col("class").str.strip_prefix("p_"))  # fmt: skip
    else:
        shown = predicted
    means = shown.group_by(keys).agg(pl.col("expected").mean())
    both = sums.join(means, on=keys, nulls_equal=True)
    assert both.height == means.height == sums.height > 0
    assert (both["base_value"] + both["shap_value"] - both["expected"]).abs().max() <= 1e-4
    assert table["repeats"].unique().to_list() == [2]
    assert table["shap_value"].abs().max() > 0.05


def test_looking_changes_no_prediction_and_nobody_is_explained_by_a_model_that_saw_them():
    study = small_study(people=80, effect=3.0)
    predicted, _, table, seen = explained(study)
    plain = out_of_fold(study.training, study.splits, study.target, BLOCKS, QUICK, 1)
    assert_frame_equal(predicted, plain)
    for held in seen:
        assert not set(held.people) & set(held.part.rows["patient_id"])
    assert sorted(person for held in seen for person in held.people if held.repeat == 0) == sorted(
        study.rows["patient_id"]
    )
    assert set(table["patient_id"]) == set(study.rows["patient_id"])


def test_another_outcome_of_the_person_changes_nothing_in_that_persons_explanation():
    study = small_study(people=80, effect=3.0)
    one = study.changed(splits=study.splits.filter(pl.col("repeat") == 0))
    first = explained(one)[2]
    row = one.rows["patient_id"] == "P007"
    moved = one.rows.with_columns(pl.when(row).then(pl.col("response_value") + 5).otherwise(pl.col("response_value")))
    second = explained(one.changed(rows=moved.select(one.rows.columns)))[2]
    own = [table.filter(pl.col("patient_id") == "P007").drop("shap_sd") for table in (first, second)]
    assert_frame_equal(*own, abs_tol=1e-9)
    other = [table.filter(pl.col("patient_id") != "P007")["shap_value"].to_numpy() for table in (first, second)]
    assert np.abs(other[0] - other[1]).max() > 1e-3


def test_components_of_other_folds_are_not_mixed_and_the_spread_is_between_repeats():
    study = twice(small_study(people=80, effect=3.0))
    _, _, table, seen = explained(study)
    assert "expression_components" in set(table["feature"])
    assert not [name for name in table["feature"].unique() if "component_" in name]
    assert study.splits["repeat"].n_unique() > 1 and table["shap_sd"].null_count() == 0
    once = explained(study.changed(splits=study.splits.filter(pl.col("repeat") == 0)))[2]
    assert once["shap_sd"].null_count() == once.height > 0
    assert len({held.repeat for held in seen}) == study.splits["repeat"].n_unique()


def test_neither_ids_nor_the_order_of_tables_change_an_explanation():
    study = small_study(people=80, effect=3.0)
    order = np.random.default_rng(2).permutation(80)
    turned = study.changed(features=study.features[order], rows=study.rows[order])
    assert_frame_equal(explained(study)[2], explained(turned)[2], abs_tol=1e-9)


def test_importance_out_of_fold_is_the_mean_size_and_needs_ten_people():
    _, _, table, _ = explained(small_study(people=80, effect=3.0))
    found = IMPORTANCE.check(importance_out_of_fold(table))
    one = table.filter((pl.col("feature") == "pcs_total") & (pl.col("treatment") == "cbt"))["shap_value"]
    told = found.filter(
        (pl.col("name") == "pcs_total") & (pl.col("treatment") == "cbt") & (pl.col("level") == "feature")
    )
    assert told["mean_abs_shap"].item() == pytest.approx(one.abs().mean())
    assert told["lower"].item() is None and found["people"].unique().to_list() == [80]
    few = table.filter(pl.col("patient_id").is_in([f"P{n:03d}" for n in range(9)]))
    assert importance_out_of_fold(few).height == 0
    assert importance_out_of_fold(table.clear()).height == 0


def test_importance_out_of_fold_tells_classes_apart():
    _, _, table, _ = explained(small_study("multiclass", people=80, arms=(), effect=3.0))
    found = IMPORTANCE.check(importance_out_of_fold(table))
    assert set(found["class"]) == set(table["class"])
    own = table.filter((pl.col("feature") == "pcs_total") & (pl.col("class") == "neuropathic"))["shap_value"]
    told = found.filter((pl.col("name") == "pcs_total") & (pl.col("class") == "neuropathic"))
    assert told["mean_abs_shap"][0] == pytest.approx(own.abs().mean())


def test_a_study_without_features_has_no_rows():
    study = small_study(people=80)
    _, explanations, table, _ = explained(study.changed(catalogue=study.catalogue.clear()))
    assert table.height == 0 and explanations.gap <= 1e-4
    assert OUT_OF_FOLD_VALUES.check(OutOfFoldExplanations(10, 1).frame()).height == 0


def test_nothing_but_the_command_that_asks_the_gate_reads_values_of_people_out_of_fold():
    """They are written before the gate is known: no page, MLflow artifact or Snakemake report may take them."""
    root = Path(__file__).resolve().parents[2]
    files = [*(root / "src").rglob("*.py"), *(root / "src").rglob("*.html"), *(root / "workflow").rglob("*.smk")]
    told = {file: file.read_text(encoding="utf-8") for file in [*files, root / "Snakefile"]}
    naming = {file.name for file, text in told.items() if "out_of_fold_values" in text.lower()}
    assert naming == {"results.py", "out_of_fold.py", "response.py", "explain.py", "explain.smk", "response.smk"}
    taking = {file.name for file, text in told.items() if "predict_out_of_fold.output.explanations" in text}
    assert taking == {"explain.smk"}
    rules = told[root / "workflow" / "rules" / "response.smk"]
    assert 'temp(f"{RESULTS}/response/out_of_fold_values.parquet")' in rules
