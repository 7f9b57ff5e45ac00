"""Model columns for linear learners."""

import json

import numpy as np

from nociomics.models.feature_blocks import Encoded, EncodedColumn
from nociomics.models.linear_inputs import LinearInputs

NAN = np.nan
COLUMNS = (
    EncodedColumn("age", "clinical", "age"),
    EncodedColumn("il6", "biomarkers", "IL6"),
    EncodedColumn("crp", "biomarkers", "CRP"),
)


def encoded(rows: list[list[float]]) -> Encoded:
    return Encoded(np.asarray(rows, dtype=float), COLUMNS)


LEARNED = encoded([[30, 1, 5], [40, 2, NAN], [50, 9, 6], [60, NAN, NAN], [70, 3, 8]])


def test_missing_values_take_the_training_median_and_columns_one_scale():
    columns = LinearInputs().fit(LEARNED).transform(LEARNED)
    il6 = np.array([1, 2, 9, 2.5, 3])
    np.testing.assert_allclose(columns[:, 1], (il6 - il6.mean()) / il6.std())
    np.testing.assert_allclose(columns[:, :3].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(columns[:, :3].std(axis=0), 1)


def test_a_block_that_some_lack_is_marked():
    inputs = LinearInputs().fit(LEARNED)
    assert [column.name for column in inputs.columns_] == ["age", "il6", "crp", "biomarkers_missing"]
    assert inputs.transform(LEARNED)[:, 3].tolist() == [0, 0, 0, 1, 0]


def test_a_block_that_nearly_nobody_lacks_is_not_marked():
    rows = [[float(i), float(i % 7), 1.0 + i % 3] for i in range(100)]
    rows[0][1:] = [NAN, NAN]
    assert LinearInputs().fit(encoded(rows)).indicated_ == []
    rows[1][1:] = [NAN, NAN]
    assert LinearInputs().fit(encoded(rows)).indicated_ == ["biomarkers"]


def test_a_new_person_is_scaled_by_what_training_learned():
    inputs = LinearInputs().fit(LEARNED)
    alone = inputs.transform(encoded([[30, 1, 5]]))
    np.testing.assert_allclose(alone[0], inputs.transform(LEARNED)[0], atol=1e-12)


def test_a_column_that_nobody_has_says_nothing():
    inputs = LinearInputs().fit(encoded([[NAN, 1, 2], [NAN, 2, 4], [NAN, 3, 9]]))
    assert inputs.transform(encoded([[55, 1, 2], [NAN, 1, 2]]))[1, 0] == 0


def test_everything_learned_survives_json_exactly():
    inputs = LinearInputs().fit(LEARNED)
    again = LinearInputs.from_dict(json.loads(json.dumps(inputs.to_dict())), COLUMNS)
    assert again.columns_ == inputs.columns_
    np.testing.assert_array_equal(again.transform(LEARNED), inputs.transform(LEARNED))
