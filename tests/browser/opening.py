"""Start the machine's Chromium and open a page in it: offline, with everything it asks for and says written down."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

_HERE = re.compile(r"(file|data|blob|about):")


@dataclass
class Opened:
    """A page in the browser, what it asked for beyond itself, and what it said in the console.

    Parameters
    ----------
    page : playwright Page
    asked : list of str
        Addresses that are no file and no data; each was refused.
    said : list of str
        Errors and warnings of the console, and errors of the page's own scripts.
    """

    page: Any
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the file, which is that of the case."""
        return Path(unquote(urlparse(self.page.url).path)).stem

    def window(self, width: int = 1200, **media: str) -> Any:
        """Give the page a window and a medium; what is not named is as at first: light, screen, no forced colours."""
        at_first = {
            "media": "screen",
            "color_scheme": "light",
            "forced_colors": "none",
            "reduced_motion": "no-preference",
        }
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(**{**at_first, **media})
        return self.page


@contextmanager
def chromium() -> Iterator[Any]:
    """Start one browser; skip where the machine has none."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (group dev)")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on this machine (Debian: apt-get install chromium)")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Any, file: Path, width: int = 1200, **options: Any) -> Iterator[Opened]:
    """Open a file without network.

    Parameters
    ----------
    browser : playwright Browser
    file : Path
    width : int
        Of the window, in pixels; it is 900 high.
    **options
        Of the context, such as ``color_scheme="dark"``.
    """
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    context.set_offline(True)
    seen = Opened(context.new_page())

    def refuse(route: Any) -> None:
        seen.asked.append(route.request.url)
        route.abort()

    context.route(lambda url: not _HERE.match(url), refuse)
    seen.page.on("console", lambda said: seen.said.append(said.text) if said.type in ("error", "warning") else None)
    seen.page.on("pageerror", lambda error: seen.said.append(str(error)))
    try:
        seen.page.goto(file.as_uri())
        yield seen
    finally:
        context.close()
