"""I2: what a person is predicted does not depend on who is predicted beside them."""

import numpy as np
import polars as pl
import pytest

from nociomics.export.prediction import predict_people
from tests.export.bundles import small_bundle
from tests.leak.out_of_fold_runs import gap, honest
from tests.models.small_study import SmallStudy, small_study


def with_noise_for_neighbours(study: SmallStudy, person: str) -> SmallStudy:
    """Replace every feature of everybody else in the person's fold by noise, or by another person's category."""
    rng = np.random.default_rng(9)
    fold = study.splits.filter(pl.col("patient_id") == person)["outer_fold"][0]
    beside = study.splits.filter((pl.col("outer_fold") == fold) & (pl.col("patient_id") != person))["patient_id"]
    changed = pl.col("patient_id").is_in(beside.to_list())
    columns = []
    for name in study.features.columns[1:]:
        values = study.features[name]
        if values.dtype == pl.String:
            noise = values.gather(rng.permutation(len(values)))
        else:
            noise = pl.Series(np.abs(rng.normal(scale=50, size=len(values))))
        columns.append(pl.when(changed).then(noise).otherwise(values).alias(name))
    return study.changed(features=study.features.with_columns(columns))


@pytest.mark.parametrize("kind", ["change", "binary"])
def test_noise_in_all_neighbours_of_a_fold_leaves_a_person_as_predicted(kind):
    study = small_study(kind, people=72, outer_folds=2)
    first = honest(study)
    for person in ("P003", "P040"):
        again = honest(with_noise_for_neighbours(study, person))
        own = [frame.filter(pl.col("patient_id") == person) for frame in (first, again)]
        assert own[0].height == len(set(study.rows["treatment"]))
        assert gap(*own) <= 1e-9


def numbers(frame: pl.DataFrame) -> np.ndarray:
    return frame.select(pl.selectors.numeric()).cast(pl.Float64).fill_null(np.nan).to_numpy()


def words(frame: pl.DataFrame) -> list[tuple]:
    return frame.select(pl.selectors.string() | pl.selectors.boolean()).rows()


@pytest.mark.parametrize("kind", ["change", "binary", "multiclass"])
def test_a_bundle_predicts_a_person_alone_as_among_others(kind, tmp_path):
    study = small_study(kind)
    bundle = small_bundle(study, tmp_path)
    people, baseline = study.features, bundle.baseline(study.features)
    batch = [*predict_people(bundle, people, baseline), bundle.strata.assign(people)]
    for row in (0, 7, 31, 88):
        person, alone = people["patient_id"][row], people[row : row + 1]
        one_by_one = [*predict_people(bundle, alone, baseline[row : row + 1]), bundle.strata.assign(alone)]
        for together, apart in zip(batch, one_by_one, strict=True):
            among = together.filter(pl.col("patient_id") == person)
            assert words(apart) == words(among)
            np.testing.assert_allclose(numbers(apart), numbers(among), rtol=0, atol=1e-9)


def test_the_order_of_a_batch_does_not_matter(tmp_path):
    study = small_study("change")
    bundle = small_bundle(study, tmp_path)
    people, turned = study.features, study.features.reverse()
    for one, other in zip(
        predict_people(bundle, people, bundle.baseline(people)),
        predict_people(bundle, turned, bundle.baseline(turned)),
        strict=True,
    ):
        assert words(one) == words(other)
        np.testing.assert_allclose(numbers(other), numbers(one), rtol=0, atol=1e-9)
