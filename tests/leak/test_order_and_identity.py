"""I3: neither the order of rows and columns nor the names of the patients change a prediction."""

import numpy as np
import polars as pl
import pytest

from nociomics.models.response import fit_response, predict_response
from nociomics.models.stratification import StratumModel
from tests.leak.out_of_fold_runs import gap, honest
from tests.models.small_study import BLOCKS, QUICK, STRATA, SmallStudy, small_study


def other_names(study: SmallStudy) -> dict[str, str]:
    """New ids in an order that has nothing to do with the old one."""
    ids = study.rows["patient_id"].to_list()
    numbers = np.random.default_rng(3).permutation(len(ids))
    return {one: f"X{number:04d}" for one, number in zip(ids, numbers, strict=True)}


def disguised(study: SmallStudy) -> SmallStudy:
    """Rows, columns and catalogue in another order, everybody under another name, on the same folds."""
    rng = np.random.default_rng(4)
    renamed = pl.col("patient_id").replace_strict(other_names(study))
    order = rng.permutation(study.rows.height)
    columns = [study.features.columns[place] for place in rng.permutation(study.features.width)]
    return study.changed(
        features=study.features.with_columns(renamed)[order].select(columns),
        rows=study.rows.with_columns(renamed)[order],
        catalogue=study.catalogue[rng.permutation(study.catalogue.height)],
        splits=study.splits.with_columns(renamed)[rng.permutation(study.splits.height)],
    )


@pytest.mark.parametrize("kind", ["change", "binary", "multiclass"])
def test_a_disguised_study_gets_the_same_predictions_out_of_fold(kind):
    study = small_study(kind, people=72, outer_folds=2)
    renamed = pl.col("patient_id").replace_strict(other_names(study))
    assert gap(honest(study).with_columns(renamed), honest(disguised(study))) <= 1e-9


@pytest.mark.parametrize("kind", ["change", "binary"])
def test_the_final_model_of_a_disguised_study_predicts_the_same(kind):
    study = small_study(kind, people=72)
    models = [fit_response(one.training, one.target, BLOCKS, QUICK, 2, seed=1) for one in (study, disguised(study))]
    predicted = [predict_response(model, study.features, study.baseline).expected for model in models]
    np.testing.assert_allclose(predicted[1], predicted[0], rtol=0, atol=1e-9)


def test_the_strata_of_a_disguised_study_are_the_same():
    study = small_study("change", people=120)
    models = [StratumModel(STRATA, BLOCKS, 1).fit(one.features, one.catalogue) for one in (study, disguised(study))]
    scores = [model.scores(study.features)[0] for model in models]
    np.testing.assert_allclose(scores[1], scores[0], rtol=0, atol=1e-9)
    placed = [model.assign(study.features) for model in models]
    assert placed[0]["stratum"].equals(placed[1]["stratum"])
    np.testing.assert_allclose(placed[1]["entropy"].to_numpy(), placed[0]["entropy"].to_numpy(), rtol=0, atol=1e-9)
