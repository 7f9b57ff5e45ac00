"""One browser for this folder (its loop must not outlive it), and every page open in it once for all files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.browser.cases import CASES, html
from tests.browser.opening import Opened, chromium, opened

_ROOT = Path(__file__).resolve().parents[2]
ShowHtml = Callable[..., AbstractContextManager[Opened]]


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Chromium, or a skipped test that says why."""
    with chromium() as one:
        yield one


@pytest.fixture(scope="package", params=list(CASES))
def shown(request: pytest.FixtureRequest, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Every case, opened once for all tests; a test says itself how it wants the window."""
    file = tmp_path_factory.mktemp("page") / f"{request.param}.html"
    file.write_text(html(request.param), encoding="utf-8")
    with opened(browser, file) as one:
        yield one


@pytest.fixture(scope="session")
def folder() -> Path:
    """Where pictures and prints are kept to be looked at: $CI_ARTIFACTS, or results/screenshots; git ignores both."""
    kept = _ROOT / (os.environ.get("CI_ARTIFACTS") or "results/screenshots")
    kept.mkdir(parents=True, exist_ok=True)
    return kept


@pytest.fixture
def show_html(browser: Any, tmp_path: Path) -> ShowHtml:
    """Open a page that the test wrote itself."""

    def made(text: str, **options: Any) -> AbstractContextManager[Opened]:
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        return opened(browser, tmp_path / "page.html", **options)

    return made
