"""Which EHRs may call the CDS Hooks services: those of a file, by tokens that they sign anew for every request."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from nociomics.service.hook_jwt import JwtError, PublicKey, read_key, require_cryptography, split_token
from nociomics.service.refusal import Refusal
from nociomics.service.tokens import TokenError

HOOKS_PATH = "/cds-services"
LONGEST_SECONDS = 300
"""How long a token may be good for (project_default): it is made for one request."""
SKEW_SECONDS = 30
"""How much the clock of a client may be ahead of ours (project_default)."""
MOST_REMEMBERED = 100_000
_LONGEST_JTI = 256
_LARGEST_FILE = 2**20
_WRITABLE_BY_OTHERS = 0o022
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class HookClient:
    """One client.

    Attributes
    ----------
    keys : mapping of str to PublicKey
        By their kid.
    jku : frozenset of str
        Addresses that its tokens may name as the place of its keys. They are compared and never fetched.
    """

    issuer: str
    keys: Mapping[str, PublicKey]
    jku: frozenset[str] = frozenset()


@dataclass
class HookClients:
    """Clients, and the tokens that they used up.

    Parameters
    ----------
    audience : str
        How clients call this service from outside, such as ``https://cds.example.org``.
    clients : mapping of str to HookClient
        By issuer.
    clock : callable
        Seconds since 1970.
    """

    audience: str
    clients: Mapping[str, HookClient]
    clock: Callable[[], float] = time.time
    _used: dict[tuple[str, str], float] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        # what was used before we started is not remembered, so nothing from then is taken
        self._started = self._sweep_at = self.clock()

    def check(self, authorization: str | None, path: str) -> None:
        """Let a request in whose token is signed by a client, for this path, for now, and for the first time.

        Every refusal gets the same answer; the log says which rule was broken, and nothing of the token.

        Raises
        ------
        Refusal
            401; 503 where more tokens are good at a time than can be remembered.
        """
        scheme, _, given = (authorization or "").partition(" ")
        try:
            if scheme.lower() != "bearer":
                raise JwtError("there is none")
            token = split_token(given.strip())
            client = self._client(token.claims)
            key = _key(token.header, client)
            if not key.signed(token):
                raise JwtError("its signature is not by the key of its kid")
            now = self.clock()
            expires = self._require_times(token.claims, now)
            _require_audience(token.claims.get("aud"), self.audience, path)
            self._use_up(client.issuer, token.claims.get("jti"), expires, now)
        except JwtError as error:
            _LOG.info("the token of a CDS client was refused: %s", error)
            _refuse()

    def _client(self, claims: Mapping[str, Any]) -> HookClient:
        issuer = claims.get("iss")
        client = self.clients.get(issuer) if isinstance(issuer, str) else None
        if client is None:
            raise JwtError("its issuer is no client of ours")
        return client

    def _require_times(self, claims: Mapping[str, Any], now: float) -> float:
        made, expires = _time(claims, "iat"), _time(claims, "exp")
        if now >= expires:
            raise JwtError("it has expired")
        if max(made, _time(claims, "nbf") if "nbf" in claims else made) > now + SKEW_SECONDS:
            raise JwtError("it is from the future")
        if not 0 < expires - made <= LONGEST_SECONDS:
            raise JwtError(f"it is good for more than {LONGEST_SECONDS} seconds")
        if made + SKEW_SECONDS < self._started:
            raise JwtError("it is from before this service started")
        return expires

    def _use_up(self, issuer: str, jti: Any, expires: float, now: float) -> None:
        if not (isinstance(jti, str) and 0 < len(jti) <= _LONGEST_JTI):
            raise JwtError("it has no jti, or one that is too long")
        with self._lock:
            if (issuer, jti) in self._used:
                raise JwtError("it was used before")
            if now >= self._sweep_at:
                self._used = {one: end for one, end in self._used.items() if end > now}
                self._sweep_at = now + SKEW_SECONDS
            if len(self._used) >= MOST_REMEMBERED:
                raise Refusal(503, "busy", "Too many tokens are good at a time. Ask later.", {"Retry-After": "60"})
            self._used[issuer, jti] = expires


def _refuse() -> NoReturn:
    raise Refusal(
        401,
        "not_allowed",
        "Send a valid token as Authorization: Bearer <token>.",
        {"WWW-Authenticate": "Bearer"},
    ) from None


def _key(header: Mapping[str, Any], client: HookClient) -> PublicKey:
    """Return the key that a token names; the algorithm is the key's own, and the header has to agree."""
    kid = header.get("kid")
    key = client.keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise JwtError("its kid is no key of its issuer")
    if header.get("alg") != key.algorithm:
        raise JwtError("its algorithm is not that of the key")
    if str(header.get("typ")).upper() != "JWT" or "crit" in header:
        raise JwtError("its header is not that of a CDS client")
    if "jku" in header and not (isinstance(header["jku"], str) and header["jku"] in client.jku):
        raise JwtError("its jku is not among those of its issuer")
    return key


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise JwtError(f"it has no {name}")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise JwtError(f"it has no {name}")
    return seconds


def _require_audience(given: Any, audience: str, path: str) -> None:
    """Refuse a token for another endpoint; one for a service is good for its feedback too."""
    wanted = {audience + path, audience + path.removesuffix("/feedback")}
    named = given if isinstance(given, list) else [given]
    if not any(isinstance(one, str) and one in wanted for one in named):
        raise JwtError("its audience is not this endpoint")


def read_clients(path: Path) -> HookClients:
    """Read the clients of a file.

    Parameters
    ----------
    path : Path
        JSON: ``{"audience": "https://cds.example.org", "clients": [{"issuer": ..., "jwks": {"keys": [...]}, "jku":
        [...]}]}``. Nobody but its owner may change it.

    Raises
    ------
    TokenError
        With everything that is wrong.
    JwtError
        Without the package cryptography.
    """
    require_cryptography()
    content = _content(path)
    audience, listed = content.get("audience"), content.get("clients")
    problems = [f"{name} is not known" for name in content if name not in ("audience", "clients")]
    if not (isinstance(audience, str) and audience.startswith(("https://", "http://localhost", "http://127.0.0.1"))):
        problems.append("audience must be the address of this service as clients know it, https://...")
    if not isinstance(listed, list) or not listed:
        problems.append("clients must be a list of one or more")
    found: dict[str, HookClient] = {}
    for number, entry in enumerate(listed if isinstance(listed, list) else [], 1):
        try:
            client = _read_client(entry)
        except JwtError as error:
            problems.append(f"client {number} {error}".rstrip("."))
            continue
        if client.issuer in found:
            problems.append(f"client {number} has the issuer of another one")
        found[client.issuer] = client
    if problems:
        raise TokenError(f"{path}: {'; '.join(problems)}.")
    return HookClients(str(audience).rstrip("/"), found)


def _content(path: Path) -> dict[str, Any]:
    try:
        mode, raw = path.stat().st_mode, path.read_bytes()[: _LARGEST_FILE + 1]
    except OSError as error:
        raise TokenError(f"{path}: the clients of CDS Hooks cannot be read ({error.strerror}).") from error
    if mode & _WRITABLE_BY_OTHERS:
        raise TokenError(f"{path}: others may change who is let in. Run: chmod go-w {path}")
    try:
        found = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise TokenError(f'{path}: is no JSON with "audience" and "clients".') from error
    if not isinstance(found, dict):
        raise TokenError(f'{path}: is no JSON with "audience" and "clients".')
    return found


def _read_client(entry: Any) -> HookClient:
    known = ("issuer", "jwks", "jku")
    if not isinstance(entry, dict) or not (isinstance(entry.get("issuer"), str) and entry["issuer"]):
        raise JwtError("has no issuer.")
    if any(name not in known for name in entry):
        raise JwtError(f"has a name that is not known; known are {', '.join(known)}.")
    jwks, jku = entry.get("jwks"), entry.get("jku", [])
    listed = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(listed, list) or not listed:
        raise JwtError('has no jwks: the JSON Web Key Set of the client, {"keys": [...]}.')
    if not isinstance(jku, list) or not all(isinstance(one, str) for one in jku):
        raise JwtError("has a jku that is no list of addresses.")
    keys = [read_key(one) for one in listed]
    by_kid = {key.kid: key for key in keys}
    if len(by_kid) < len(keys):
        raise JwtError("has two keys of one kid.")
    return HookClient(entry["issuer"], by_kid, frozenset(jku))
