"""The pages in a real browser, where there is one."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests.report import demo

_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic"]
_FLAGS += ["--no-first-run", "--disable-component-update", "--disable-sync", "--hide-scrollbars"]


def screenshot(page: Path, picture: Path, width: int) -> tuple[int, int]:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("there is no chromium on this machine (Debian: apt-get install chromium)")
    profile = picture.parent / f"profile-{width}"
    words = [f"--user-data-dir={profile}", f"--window-size={width},900", f"--screenshot={picture}", page.as_uri()]
    subprocess.run([browser, *_FLAGS, *words], check=True, capture_output=True, timeout=120)
    return struct.unpack(">II", picture.read_bytes()[16:24])


@pytest.mark.parametrize("width", [1200, 500])
def test_the_pages_draw_in_a_browser(tmp_path: Path, width: int) -> None:
    demo.main(tmp_path)
    for name in ("open.html", "person.html", "quality.html"):
        assert screenshot(tmp_path / name, tmp_path / f"{name}-{width}.png", width)[0] == width
        assert (tmp_path / f"{name}-{width}.png").stat().st_size > 20_000, "more than an empty page"
