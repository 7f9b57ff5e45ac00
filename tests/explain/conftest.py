"""One thread for small models, and shap imported once: it calls something that matplotlib means to retire."""

import warnings
from collections.abc import Iterator

import pytest
import sklearn.linear_model  # noqa: F401  (loads the libraries that are to be limited)
from threadpoolctl import threadpool_limits

with warnings.catch_warnings():
    warnings.simplefilter("ignore", PendingDeprecationWarning)
    import shap  # noqa: F401


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    with threadpool_limits(limits=1):
        yield
