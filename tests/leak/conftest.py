"""Small models are fitted on one thread: several would only wait for each other when test workers share the cores."""

from collections.abc import Iterator

import pytest
import sklearn.linear_model  # noqa: F401  (loads the libraries that are to be limited)
import xgboost  # noqa: F401
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    with threadpool_limits(limits=1):
        yield
