"""ComBat that is frozen: equal to sva's, and the same for one person as for many."""

import json

import numpy as np
import pytest
from scipy.stats import norm

from nociomics.models.combat import FrozenComBat, fit_combat


def fixture() -> tuple[np.ndarray, np.ndarray]:
    """40 genes x 30 samples of three batches by formula; the same in R (sva 3.46.0), transposed to people in rows."""

    def fraction(x: np.ndarray) -> np.ndarray:
        return x - np.floor(x)

    gene, sample = np.meshgrid(np.arange(1, 41), np.arange(1, 31), indexing="ij")
    batch = (np.arange(30) // 10).astype(int)
    noise = norm.ppf(fraction(np.sin(12.9898 * (31 * gene + sample)) * 43758.5453))
    shift = np.array([0, 0.8, -0.5])[batch] + np.sin(3 * gene) * np.array([0, 1, -1])[batch]
    return (5 + np.sin(gene) + noise + shift).T, batch.astype(str)


def test_it_gives_the_values_of_sva():
    values, batch = fixture()
    corrected = fit_combat(values, batch).transform(values, batch).T
    np.testing.assert_allclose(corrected[0, :3], [5.299653226, 5.614687044, 5.059703909], atol=1e-6)
    np.testing.assert_allclose(corrected[39, 27:], [6.57309885, 5.212656884, 6.024493945], atol=1e-6)
    assert corrected.sum() == pytest.approx(6216.593919, abs=1e-5)
    assert (corrected**2).sum() == pytest.approx(33745.33341, abs=1e-4)


def test_one_person_is_corrected_as_in_company():
    values, batch = fixture()
    combat = fit_combat(values, batch)
    alone = np.vstack([combat.transform(values[i : i + 1], batch[i : i + 1]) for i in range(30)])
    np.testing.assert_array_equal(alone, combat.transform(values, batch))


@pytest.mark.parametrize("name", ["another", ""])
def test_a_batch_that_was_never_seen_passes_through_and_can_be_told(name):
    values, batch = fixture()
    combat = fit_combat(values, batch)
    unseen = np.array([name] * 30)
    np.testing.assert_array_equal(combat.transform(values, unseen), values)
    assert not combat.known(unseen).any()
    assert combat.known(batch).all()


def test_a_new_batch_of_ten_people_is_learned_without_moving_the_others():
    values, batch = fixture()
    combat = fit_combat(values[:20], batch[:20])
    further = combat.with_batches_of(values[20:], batch[20:])
    assert further.batches == ["0", "1", "2"]
    np.testing.assert_array_equal(further.transform(values[:20], batch[:20]), combat.transform(values[:20], batch[:20]))
    brought = further.transform(values[20:], batch[20:])
    before = np.abs(values[20:].mean(axis=0) - combat.mean).mean()
    assert np.abs(brought.mean(axis=0) - combat.mean).mean() < 0.3 * before
    too_few = combat.with_batches_of(values[20:29], batch[20:29])
    assert too_few.batches == ["0", "1"]


def test_what_was_not_measured_stays_so_and_moves_little():
    values, batch = fixture()
    whole = fit_combat(values, batch).transform(values, batch)
    gaps = values.copy()
    gaps[3] = np.nan  # a whole block
    gaps[7, 5] = np.nan
    corrected = fit_combat(gaps, batch).transform(gaps, batch)
    np.testing.assert_array_equal(np.isnan(corrected), np.isnan(gaps))
    rest = ~np.isnan(gaps)
    assert np.abs(corrected - whole)[rest].max() < 0.6
    assert np.abs(corrected - whole)[rest].mean() < 0.05


def test_missing_rows_equal_absent_rows():
    values, batch = fixture()
    gaps = np.vstack([values, np.full((2, 40), np.nan)])
    with_gaps = fit_combat(gaps, np.append(batch, ["0", "2"]))
    np.testing.assert_allclose(
        with_gaps.transform(values, batch), fit_combat(values, batch).transform(values, batch), atol=1e-12
    )


def test_a_column_that_does_not_vary_within_a_batch_is_left_as_it_is():
    values, batch = fixture()
    values[:10, 4] = 1.0
    corrected = fit_combat(values, batch).transform(values, batch)
    np.testing.assert_allclose(corrected[:, 4], values[:, 4], atol=1e-12)


def test_without_a_batch_of_ten_nothing_is_changed():
    values, batch = fixture()
    combat = fit_combat(values[::4], batch[::4])
    assert combat.batches == []
    np.testing.assert_array_equal(combat.transform(values, batch), values)


def test_everything_learned_survives_json_exactly():
    values, batch = fixture()
    combat = fit_combat(values, batch)
    again = FrozenComBat.from_dict(json.loads(json.dumps(combat.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(again.transform(values, batch), combat.transform(values, batch))
