"""Ridge logistic regression, beside scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from nociomics.models.logistic import logistic_path, ridge_logistic_path

STRENGTHS = (1e-3, 1e-1, 1.0)


def people(shape, seed=0):
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=shape)
    return columns, rng.random(shape[0]) < 1 / (1 + np.exp(1 - 2 * columns[:, 0]))


@pytest.mark.parametrize("shape", [(200, 6), (200, 150), (60, 300)], ids=["narrow", "square", "wide"])
def test_coefficients_are_scikit_learns(shape):
    columns, happened = people(shape)
    for strength, found in zip(STRENGTHS, ridge_logistic_path(columns, happened, STRENGTHS, 1e-3), strict=True):
        known = LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-10).fit(columns, happened).coef_[0]
        np.testing.assert_allclose(found, known, atol=1e-6)


def test_classes_that_one_column_parts_have_finite_coefficients():
    columns = np.r_[-np.ones(20), np.ones(20)][:, None] * 50
    found = ridge_logistic_path(columns, columns[:, 0] > 0, (1.0, 100.0), 1e-3)
    known = LogisticRegression(C=100.0, tol=1e-10, max_iter=10_000).fit(columns, columns[:, 0] > 0).coef_[0]
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[1], known, rtol=1e-2)


def test_two_classes_are_told_by_the_second_one_and_three_by_all():
    columns, happened = people((120, 4))
    classes = happened.astype(int)
    first, second = logistic_path(columns, classes, 2, (0.1,))[0]
    assert not first.any()
    np.testing.assert_allclose(second, ridge_logistic_path(columns, happened, (0.1,), 1e-2)[0])
    classes = classes + (columns[:, 1] > 1)
    assert logistic_path(columns, classes, 3, STRENGTHS)[2].shape == (3, 4)
