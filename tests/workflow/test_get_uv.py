"""Fetching uv on a bare machine: the right file, checked, whole, or one clear line."""

from __future__ import annotations

import hashlib
import http.server
import importlib.util
import io
import json
import platform
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "workflow" / "scripts" / "get_uv.py"
KIND = "linux-glibc-x86_64"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("get_uv", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wheel_with(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


WHEEL = wheel_with({"uv/__init__.py": b"", "uv-1.data/scripts/uv": b"#!program", "uv-1.data/scripts/uvx": b"other"})


class Index:
    """A package index on this machine: path -> (status, media type, content), and what it was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, str, bytes]] = {}
        self.asked: list[tuple[str, str | None]] = []
        pages, asked = self.pages, self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, self.headers["Authorization"]))
                status, media, content = pages.get(self.path, (404, "text/plain", b"no"))
                self.send_response(status)
                self.send_header("Content-Type", media)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.host}/simple"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    made = Index()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def name(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> str:
    """Pin our own small wheel in place of the real one, and return its name."""
    tag = script.WHEELS[KIND][0]
    monkeypatch.setitem(script.WHEELS, KIND, (tag, hashlib.sha256(WHEEL).hexdigest()))
    return f"uv-{script.VERSION}-py3-none-{tag}.whl"


def html(name: str) -> tuple[int, str, bytes]:
    page = f'<a href="/files/other.whl">other</a> <a href="../../files/{name}#sha256=00" data-x="&gt;=3.8">{name}</a>'
    return 200, "text/html", page.encode()


def test_the_program_is_taken_from_an_index_of_the_older_form(
    script: ModuleType, index: Index, name: str, tmp_path: Path
) -> None:
    index.pages |= {"/simple/uv/": html(name), f"/files/{name}": (200, "application/zip", WHEEL)}
    target = tmp_path / "new" / "bin" / "uv"
    script.fetch(target, index.url, KIND)
    assert target.read_bytes() == b"#!program"
    assert target.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in target.parent.iterdir()] == ["uv"]


def test_the_program_is_taken_from_an_index_that_answers_json(
    script: ModuleType, index: Index, name: str, tmp_path: Path
) -> None:
    page = json.dumps({"files": [{"filename": name, "url": f"http://{index.host}/files/{name}"}]}).encode()
    index.pages |= {
        "/simple/uv/": (200, "application/vnd.pypi.simple.v1+json", page),
        f"/files/{name}": (200, "application/zip", WHEEL),
    }
    script.fetch(tmp_path / "uv", index.url, KIND)
    assert (tmp_path / "uv").read_bytes() == b"#!program"


def test_a_user_and_password_go_to_the_index_and_into_no_message(
    script: ModuleType, index: Index, name: str, tmp_path: Path
) -> None:
    index.pages["/simple/uv/"] = html(name)
    with pytest.raises(script.SetupError) as caught:
        script.fetch(tmp_path / "uv", f"http://ana:secret@{index.host}/simple", KIND)
    assert [owner for _, owner in index.asked] == ["Basic YW5hOnNlY3JldA=="] * 2
    assert "secret" not in str(caught.value)


def test_another_file_under_the_right_name_is_refused(
    script: ModuleType, index: Index, name: str, tmp_path: Path
) -> None:
    index.pages |= {"/simple/uv/": html(name), f"/files/{name}": (200, "application/zip", WHEEL + b"x")}
    with pytest.raises(script.SetupError, match="SHA-256 differs"):
        script.fetch(tmp_path / "uv", index.url, KIND)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        ({}, "answered 404"),
        ({"/simple/uv/": (200, "text/html", b"<a href='/files/uv-0.0.1.tar.gz'>old</a>")}, "has no uv-"),
        ({"/simple/uv/": (200, "application/json", b"<html>")}, "cannot be understood"),
    ],
    ids=["no such page", "version not there", "not an index"],
)
def test_an_index_without_the_file_is_named(
    script: ModuleType, index: Index, tmp_path: Path, pages: dict[str, tuple[int, str, bytes]], message: str
) -> None:
    index.pages |= pages
    with pytest.raises(script.SetupError, match=message) as caught:
        script.fetch(tmp_path / "uv", index.url, KIND)
    assert index.url in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_platform_without_a_pin_is_named_before_anything_is_asked(
    script: ModuleType, index: Index, tmp_path: Path
) -> None:
    with pytest.raises(script.SetupError, match=r"linux-glibc-riscv64"):
        script.fetch(tmp_path / "uv", index.url, "linux-glibc-riscv64")
    assert index.asked == []


def test_a_wheel_without_a_program_leaves_nothing(script: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(script.SetupError, match="holds no program"):
        script.unpack(wheel_with({"uv/__init__.py": b""}), tmp_path / "uv")
    assert list(tmp_path.iterdir()) == []


def test_the_command_ends_with_one_line_and_no_traceback(
    script: ModuleType,
    index: Index,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
    assert script.main(["--into", str(tmp_path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines if not line.startswith("Fetching")] == ["ERROR"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "https://pypi.org/simple"),
        ({"PIP_INDEX_URL": "https://mirror/simple/"}, "https://mirror/simple"),
        ({"PIP_INDEX_URL": "https://b/s", "UV_INDEX_URL": "https://a/s"}, "https://a/s"),
        ({"UV_DEFAULT_INDEX": "inside=https://c/s", "PIP_INDEX_URL": "https://b/s"}, "https://c/s"),
        ({"PIP_CONFIG_FILE": "{here}/pip.conf"}, "https://from.file/simple"),
        ({"PIP_CONFIG": "{here}/pip.conf"}, "https://from.file/simple"),
        ({"XDG_CONFIG_HOME": "{here}/xdg"}, "https://from.home/simple"),
        ({"PIP_CONFIG_FILE": "/dev/null", "XDG_CONFIG_HOME": "{here}/xdg"}, "https://pypi.org/simple"),
    ],
)
def test_the_index_is_the_one_that_uv_or_pip_would_use(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    expected: str,
) -> None:
    monkeypatch.setattr(script, "PIP_OF_ALL", tmp_path / "none")
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://from.file/simple/\n")
    (tmp_path / "xdg" / "pip").mkdir(parents=True)
    (tmp_path / "xdg" / "pip" / "pip.conf").write_text("[global]\nindex-url = https://from.home/simple\n")
    filled = {name: value.format(here=tmp_path) for name, value in environment.items()}
    assert script.index_url({"HOME": str(tmp_path), **filled}) == expected


@pytest.mark.parametrize(
    ("system", "machine", "library", "expected"),
    [
        ("Linux", "x86_64", "glibc", "linux-glibc-x86_64"),
        ("Linux", "aarch64", "glibc", "linux-glibc-aarch64"),
        ("Linux", "AMD64", "", "linux-musl-x86_64"),
        ("Darwin", "arm64", "", "darwin-arm64"),
        ("Darwin", "x86_64", "", "darwin-x86_64"),
    ],
)
def test_each_common_platform_has_its_pin(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, system: str, machine: str, library: str, expected: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: (library, ""))
    assert script.this_platform() == expected
    assert expected in script.WHEELS


def test_only_the_standard_library_is_needed(script: ModuleType) -> None:
    lines = SCRIPT.read_text(encoding="utf-8").splitlines()
    needed = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert needed <= set(sys.stdlib_module_names) | {"__future__"}
