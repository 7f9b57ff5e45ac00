"""One small model, and a service that answers with it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nociomics.service.app import Settings, make_app
from nociomics.service.champion import Reigning
from nociomics.service.limits import Limits
from nociomics.service.tokens import Token
from tests.export.bundles import write_small_bundle
from tests.models.small_study import SmallStudy, small_study
from tests.service.asgi_client import Client

SECRET = "a-token-for-tests-only"


@pytest.fixture(scope="session")
def study() -> SmallStudy:
    """The study that the model was trained on."""
    return small_study(people=72)


@pytest.fixture(scope="session")
def exported(study: SmallStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported model; nobody may change it."""
    return write_small_bundle(study, tmp_path_factory.mktemp("served"))


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(exported, tmp_path / "model"))


@pytest.fixture(scope="module")
def client(exported: Path) -> Iterator[Client]:
    """A service with a token and small limits."""
    reigning = Reigning(exported)
    assert reigning.reload(), reigning.refused
    limits = Limits(body_bytes=200_000, rows=50, depth=40)
    found = Client(make_app(reigning, Settings(token=Token(SECRET.encode()), limits=limits)), SECRET)
    yield found
    found.close()
