"""What every test may use, the order in which two workers take the tests, and how many examples are tried."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# one thread each: two test workers on two cores would otherwise fight, and sums could depend on the machine
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")

_ROOT = Path(__file__).resolve().parents[1]

# NOCIOMICS_NIGHTLY=1 tries twenty times as many examples of every property.
_TIMES = 20 if os.environ.get("NOCIOMICS_NIGHTLY") else 1
settings.register_profile("nociomics", max_examples=30 * _TIMES, deadline=None)
settings.load_profile("nociomics")

# Files that take longest come first, so that two workers end at about the same time.
_LONGEST = (
    "tests/workflow/test_end_to_end.py",
    "tests/workflow/test_real_studies.py",
    "tests/workflow/test_slurm.py",
    "tests/docs/test_notebooks.py",
    "tests/service/test_team_server.py",
    "tests/leak/test_null_cohorts.py",
    "tests/docs/test_readme_runs.py",
    "tests/workflow/test_entry_points.py",
    "tests/leak/test_label_invariance.py",
    "tests/models/",
    "tests/leak/",
    "tests/evaluate/",
    "tests/explain/",
    "tests/export/",
    "tests/simulate/",
    "tests/report/",
)


def examples(few: int) -> int:
    """Number of examples of a property for which so few are enough on every change, and more at night.

    Parameters
    ----------
    few : int
        Examples on every change.
    """
    return few * _TIMES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first."""

    def place(item: pytest.Item) -> int:
        return next((rank for rank, start in enumerate(_LONGEST) if item.nodeid.startswith(start)), len(_LONGEST))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file together, for their fixtures, and the files in the order above."""
    if config.getoption("dist") not in ("load", "loadscope"):
        return None
    from xdist.scheduler import LoadScopeScheduling

    config.option.loadscopereorder = False
    return LoadScopeScheduling(config, log)


def shared(part: str) -> Path:
    """Return a folder or file of the shared data, or skip the test with the reason.

    Parameters
    ----------
    part : str
        Relative to the shared folder, such as ``data/pgx``.
    """
    folder = Path(os.environ.get("NOCIOMICS_SHARED", _ROOT.parent / "shared")) / part
    if not folder.exists():
        pytest.skip(f"{part} is not here: it lies in the developers' shared folder (set NOCIOMICS_SHARED)")
    return folder


@pytest.fixture(autouse=True)
def _no_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may let MLflow read a pickle."""
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")


@pytest.fixture(scope="session")
def fresh_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished MLflow store; a test that writes takes a copy."""
    from nociomics.tracking.store import initialise_store

    database = tmp_path_factory.mktemp("store") / "mlflow.db"
    initialise_store(f"sqlite:///{database}")
    return database


@pytest.fixture
def uri(fresh_store: Path, tmp_path: Path) -> str:
    """A store of the test's own."""
    database = tmp_path / "results" / "mlflow.db"
    database.parent.mkdir()
    database.write_bytes(fresh_store.read_bytes())
    return f"sqlite:///{database}"
