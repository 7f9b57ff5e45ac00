"""A finished tracking store, made once; a test that writes takes a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from nociomics.tracking.store import initialise_store


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)


@pytest.fixture(scope="session")
def fresh_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("store") / "mlflow.db"
    initialise_store(f"sqlite:///{database}")
    return database


@pytest.fixture
def uri(fresh_store: Path, tmp_path: Path) -> str:
    database = tmp_path / "results" / "mlflow.db"
    database.parent.mkdir()
    database.write_bytes(fresh_store.read_bytes())
    return f"sqlite:///{database}"
