"""Fetch the one pinned uv into .uv/bin, on a machine that has Python 3.11 and a package index but no pip.

Only the standard library is used. The wheel's SHA-256 stands below, so neither the index nor the network is trusted.
Honoured: UV_DEFAULT_INDEX, UV_INDEX_URL, PIP_INDEX_URL, pip's configuration file (PIP_CONFIG_FILE or PIP_CONFIG, then
pip's usual places), SSL_CERT_FILE, SSL_CERT_DIR, http_proxy, https_proxy and no_proxy.

    python3.11 workflow/scripts/get_uv.py            fetches uv and prints the path of the program
    python3.11 workflow/scripts/get_uv.py --index    prints the address of the package index
"""

from __future__ import annotations

import argparse
import base64
import configparser
import hashlib
import html.parser
import io
import json
import os
import platform
import re
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

VERSION = "0.13.8"
# Taken from the index on 2026-11-21. A new version needs new sums: those of its files on the index.
WHEELS = {
    "linux-glibc-x86_64": (
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "e18a57b8b352eb7c8feb317b9f6f533c8f0ad9673fd6cf34bbe3cf1a9f6a8984",
    ),
    "linux-glibc-aarch64": (
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "0b3e8b1a4f5e405e31e2ff33de8af4744831e9f7338539671efbd8c3c94e791d",
    ),
    "linux-musl-x86_64": (
        "musllinux_1_1_x86_64",
        "29451c60f5e8b07403e0a175d5229efc36b0289b34143ff4aaa499a5dd52553a",
    ),
    "linux-musl-aarch64": (
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "0b3e8b1a4f5e405e31e2ff33de8af4744831e9f7338539671efbd8c3c94e791d",
    ),
    "darwin-arm64": (
        "macosx_11_0_arm64",
        "62b6943c7fd64fac6854f780bea6e0359e5a5bc3241f83ee357bb38276afac49",
    ),
    "darwin-x86_64": (
        "macosx_10_12_x86_64",
        "b7124ca1956ec2e476a1003ea5715a15f0266afaec37f4dc9c6972ba8183e6d1",
    ),
}
PYPI = "https://pypi.org/simple"
PIP_OF_ALL = Path("/etc/pip.conf")
TIMEOUT_SECONDS = 60
BY_HAND = "Or install uv by hand (https://docs.astral.sh/uv) and run the same command again."


class SetupError(Exception):
    """Something the user can mend; told in one line."""


def this_platform() -> str:
    """Name the platform as the keys of `WHEELS` do, such as ``linux-glibc-x86_64``."""
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    system = platform.system().lower()
    if system != "linux":
        return f"{system}-{machine}"
    machine = {"arm64": "aarch64"}.get(machine, machine)
    # Where the C library does not say that it is glibc, the musl build is the one that runs.
    return f"linux-{'glibc' if platform.libc_ver()[0] == 'glibc' else 'musl'}-{machine}"


def index_url(environment: dict[str, str]) -> str:
    """Return the package index that uv's or pip's settings name, else PyPI."""
    for variable in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if environment.get(variable):
            # uv allows "name=https://..." here.
            return re.sub(r"^[\w.-]+=(?=https?://)", "", environment[variable]).rstrip("/")
    for file in _pip_files(environment):
        settings = configparser.RawConfigParser()
        try:
            settings.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise SetupError(
                f"{file}: pip's settings cannot be read ({type(error).__name__}). Mend or unset it."
            ) from error
        for section in ("install", "global"):
            if settings.has_option(section, "index-url"):
                return settings.get(section, "index-url").strip().rstrip("/")
    return PYPI


def _pip_files(environment: dict[str, str]) -> list[Path]:
    """List pip's configuration files, the one that counts most first; a variable replaces them all, as in pip."""
    named = environment.get("PIP_CONFIG_FILE") or environment.get("PIP_CONFIG")
    if named:
        return [] if named == os.devnull else [Path(named)]
    home = Path(environment.get("HOME", "~")).expanduser()
    settings = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    mac = home / "Library" / "Application Support" / "pip" / "pip.conf"
    return [settings / "pip" / "pip.conf", mac, home / ".pip" / "pip.conf", PIP_OF_ALL]


def download(url: str, accept: str = "*/*") -> tuple[bytes, str]:
    """Return an address's content and its media type; a user and password in the address are sent as such."""
    parts = urllib.parse.urlsplit(url)
    owner, _, host = parts.netloc.rpartition("@")
    plain = urllib.parse.urlunsplit(parts._replace(netloc=host))
    request = urllib.request.Request(plain, headers={"Accept": accept, "User-Agent": f"nociomics-setup uv/{VERSION}"})
    if owner:
        # Not sent on when the server redirects to another host.
        secret = base64.b64encode(urllib.parse.unquote(owner).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {secret}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return answer.read(), answer.headers.get_content_type()
    except urllib.error.HTTPError as error:
        error.close()
        raise SetupError(
            f"{plain}: the package index answered {error.code}. Set PIP_INDEX_URL to one that works. {BY_HAND}"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        hint = (
            "Set SSL_CERT_FILE to your certificates (Debian: ca-certificates)." if "CERTIFICATE" in str(reason) else ""
        )
        raise SetupError(
            f"{plain}: cannot be reached ({reason}). {hint or 'Set PIP_INDEX_URL or https_proxy.'} {BY_HAND}"
        ) from error


class _Links(html.parser.HTMLParser):
    """Collect the links of a page of the older form of the index (PEP 503)."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the target of every link."""
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def wheel_address(index: str, name: str) -> str:
    """Return the address of one file of uv on the index, from its JSON page (PEP 691) or its HTML page (PEP 503)."""
    page = f"{index}/uv/"
    content, media = download(page, "application/vnd.pypi.simple.v1+json, text/html;q=0.5")
    if media.endswith("json"):
        try:
            links = [entry["url"] for entry in json.loads(content)["files"]]
        except (ValueError, KeyError, TypeError) as error:
            raise SetupError(
                f"{_without_owner(index)}: its page about uv cannot be understood. Set PIP_INDEX_URL to another."
            ) from error
    else:
        parser = _Links()
        parser.feed(content.decode("utf-8", errors="replace"))
        links = parser.found
    for link in links:
        address = urllib.parse.urldefrag(urllib.parse.urljoin(page, link)).url
        if urllib.parse.unquote(urllib.parse.urlsplit(address).path).rsplit("/", 1)[-1] == name:
            return _with_owner_of(index, address)
    raise SetupError(f"{_without_owner(index)}: has no {name}. Set PIP_INDEX_URL to an index that has it. {BY_HAND}")


def _with_owner_of(index: str, address: str) -> str:
    """Give a file on the index's own host the index's user and password."""
    ours, theirs = urllib.parse.urlsplit(index), urllib.parse.urlsplit(address)
    owner, _, host = ours.netloc.rpartition("@")
    return urllib.parse.urlunsplit(theirs._replace(netloc=ours.netloc)) if owner and theirs.netloc == host else address


def _without_owner(address: str) -> str:
    parts = urllib.parse.urlsplit(address)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def unpack(wheel: bytes, target: Path) -> None:
    """Write the program of a wheel to the target, whole or not at all."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        inside = [name for name in archive.namelist() if name.endswith(".data/scripts/uv")]
        if len(inside) != 1:
            raise SetupError(f"the wheel of uv {VERSION} holds no program. {BY_HAND}")
        program = archive.read(inside[0])
    draft = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".uv.", delete=False) as file:
            draft = Path(file.name)
            file.write(program)
        draft.chmod(0o755)
        draft.replace(target)
    except OSError as error:
        raise SetupError(f"{target}: cannot be written: {error.strerror or error}.") from error
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def fetch(target: Path, index: str, kind: str) -> None:
    """Put the pinned uv for one platform at the target, after its sum was checked."""
    if kind not in WHEELS:
        raise SetupError(f"no uv is pinned for this platform ({kind}; there are {', '.join(WHEELS)}). {BY_HAND}")
    tag, expected = WHEELS[kind]
    name = f"uv-{VERSION}-py3-none-{tag}.whl"
    wheel, _ = download(wheel_address(index, name))
    if hashlib.sha256(wheel).hexdigest() != expected:
        raise SetupError(
            f"{name} from {_without_owner(index)} is not the pinned file (its SHA-256 differs). Nothing was kept."
        )
    unpack(wheel, target)


def main(arguments: list[str] | None = None) -> int:
    """Fetch uv and print its path; or print the index."""
    parser = argparse.ArgumentParser(description="Fetch the pinned uv into .uv/bin.")
    parser.add_argument("--index", action="store_true", help="only print the address of the package index")
    parser.add_argument("--into", type=Path, default=Path(__file__).resolve().parents[2] / ".uv" / "bin")
    chosen = parser.parse_args(arguments)
    try:
        index = index_url(dict(os.environ))
        target = chosen.into / "uv"
        if not chosen.index:
            print(f"Fetching uv {VERSION} from {_without_owner(index)}", file=sys.stderr)
            fetch(target, index, this_platform())
    except SetupError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    print(index if chosen.index else target)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
