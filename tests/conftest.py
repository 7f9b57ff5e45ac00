"""What every test may use: the shared data sets, when they are there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# one thread each: two test workers on two cores would otherwise fight, and sums could depend on the machine
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")

_ROOT = Path(__file__).resolve().parents[1]


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
