"""Signed tokens of EHRs: one client, one endpoint, five minutes, once; every other token gets the same answer."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nociomics.service import hook_clients
from nociomics.service.hook_clients import HookClients, read_clients
from nociomics.service.hook_jwt import JwtError, read_key, split_token
from nociomics.service.refusal import Refusal
from nociomics.service.tokens import TokenError
from tests.conftest import examples
from tests.service.signed_tokens import (
    AUDIENCE,
    ISSUER,
    JKU,
    SIGN,
    clients_file,
    plain,
    public_jwk,
    symmetric,
    token,
)

NOW = 1_800_000_000.0


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def clients(tmp_path: Path, clock: Clock) -> HookClients:
    found = read_clients(clients_file(tmp_path))
    return HookClients(found.audience, found.clients, clock)


def _refused(clients: HookClients, given: str | None, path: str = SIGN) -> Refusal:
    with pytest.raises(Refusal) as refused:
        clients.check(given, path)
    return refused.value


@pytest.mark.parametrize("kid", ["ec-1", "rsa-1"])
def test_a_token_of_a_client_is_good_once(clients: HookClients, kid: str) -> None:
    given = f"Bearer {token(NOW, kid)}"
    clients.check(given, SIGN)
    assert _refused(clients, given).status == 401
    clients.check(f"Bearer {token(NOW, kid, jti='another')}", SIGN)


@pytest.mark.parametrize(
    ("audience", "path"),
    [
        (AUDIENCE + SIGN, SIGN),
        ([AUDIENCE + SIGN], SIGN),
        (["https://elsewhere.example", AUDIENCE + SIGN], SIGN),
        (AUDIENCE + "/cds-services", "/cds-services"),
        (AUDIENCE + SIGN, f"{SIGN}/feedback"),
        (f"{AUDIENCE}{SIGN}/feedback", f"{SIGN}/feedback"),
    ],
)
def test_a_token_is_for_the_endpoint_that_is_called(clients: HookClients, audience: Any, path: str) -> None:
    clients.check(f"Bearer {token(NOW, aud=audience)}", path)


_WRONG: dict[str, dict[str, Any]] = {
    # claims
    "expired": {"iat": NOW - 200, "exp": NOW - 1},
    "expires now": {"iat": NOW - 200, "exp": NOW},
    "from the future": {"iat": NOW + 60, "exp": NOW + 120},
    "not yet": {"nbf": NOW + 60},
    "good for a day": {"exp": NOW + 86_400},
    "ends before it begins": {"iat": NOW + 20, "exp": NOW + 10},
    "from before the start": {"iat": NOW - 100, "exp": NOW + 100},
    "no exp": {"exp": None},
    "no iat": {"iat": None},
    "exp in words": {"exp": str(NOW + 300)},
    "exp is true": {"exp": True},
    "exp without end": {"exp": 10**400},
    "no jti": {"jti": None},
    "empty jti": {"jti": ""},
    "jti is a number": {"jti": 7},
    "long jti": {"jti": "x" * 257},
    "no aud": {"aud": None},
    "another endpoint": {"aud": AUDIENCE + "/cds-services/pain-patient-view"},
    "another service": {"aud": "https://elsewhere.example" + SIGN},
    "the base alone": {"aud": AUDIENCE},
    "a longer endpoint": {"aud": AUDIENCE + SIGN + "/feedback"},
    "aud is an object": {"aud": {"x": 1}},
    "another issuer": {"iss": "https://ehr.example"},
    "no issuer": {"iss": None},
    "issuer is a list": {"iss": [ISSUER]},
    # header
    "no kid": {"header": {"kid": None}},
    "kid of nobody": {"header": {"kid": "ec-9"}},
    "kid is an object": {"header": {"kid": {}}},
    "no alg": {"header": {"alg": None}},
    "alg none": {"header": {"alg": "none"}},
    "alg of another kind": {"header": {"alg": "RS384"}},
    "weaker alg": {"header": {"alg": "ES256"}},
    "no typ": {"header": {"typ": None}},
    "crit": {"header": {"crit": ["b64"], "b64": False}},
    "jku of somebody": {"header": {"jku": "https://elsewhere.example/keys"}},
    "jku is an object": {"header": {"jku": {}}},
    # signature
    "signed by another key": {"signer": "ec-2"},
    "signed by a key of another kind": {"signer": "rsa-1"},
    "kid of the other key": {"kid": "rsa-1", "signer": "ec-1"},
    "brings its own key": {"header": {"kid": "ec-2", "jwk": public_jwk("ec-2")}, "signer": "ec-2"},
}


@pytest.mark.parametrize("wrong", _WRONG.values(), ids=_WRONG)
def test_every_other_token_gets_the_same_answer(clients: HookClients, wrong: dict[str, Any]) -> None:
    refused = _refused(clients, f"Bearer {token(NOW, **wrong)}")
    assert (refused.status, refused.code, refused.headers) == (401, "not_allowed", {"WWW-Authenticate": "Bearer"})
    assert refused.message == _refused(clients, None).message
    clients.check(f"Bearer {token(NOW)}", SIGN)  # and it took nobody else's place


_LEAF = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
_ANY = st.recursive(
    _LEAF, lambda part: st.lists(part, max_size=2) | st.dictionaries(st.text(max_size=3), part, max_size=2)
)
_CLAIMS = st.dictionaries(st.sampled_from(["iss", "aud", "exp", "iat", "jti", "nbf"]), _ANY, max_size=2)
_HEADERS = st.dictionaries(st.sampled_from(["alg", "typ", "kid", "jku", "crit"]), _ANY, max_size=2)


@given(_CLAIMS, _HEADERS)
@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_client_signs_is_answered_or_refused(
    clients: HookClients, claims: dict[str, Any], header: dict[str, Any]
) -> None:
    with contextlib.suppress(Refusal):
        clients.check(f"Bearer {token(NOW, header=header, **claims)}", SIGN)


def test_a_jku_that_is_allowed_is_compared_and_not_fetched(clients: HookClients) -> None:
    clients.check(f"Bearer {token(NOW, header={'jku': JKU})}", SIGN)


def _parts(**changes: str) -> str:
    head, claims, signed = token(NOW).split(".")
    return ".".join({"head": head, "claims": claims, "signed": signed, **changes}.values())


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer a-token-for-tests-only",
        "Bearer ..",
        "Bearer a.b.c.d",
        f"Bearer {_parts(signed='')}",
        f"Bearer {_parts(signed='AAAA')}",
        f"Bearer {_parts(signed=plain(bytes(96)))}",  # the signature of zeros that some took for any key's
        f"Bearer {_parts(claims=plain(b'[]'))}",
        f"Bearer {_parts(claims=plain(b'{' + b'[' * 5000))}",
        f"Bearer {_parts(head=plain(b'{{}}'))}",
        f"Bearer {_parts(head=plain(bytes([0xFF])))}",
        f"Bearer {_parts()}=",
        f"Bearer {_parts()}.{'x' * 10_000}",
        "Bearer " + "x" * 100_000,
        "Bearer é.é.é",
        f"Basic {_parts()}",
        f"Bearer {symmetric(NOW, 'ec-1')}",
        f"Bearer {symmetric(NOW, 'rsa-1')}",
    ],
    ids=range(21),
)
def test_what_is_no_token_is_refused(clients: HookClients, given: str | None) -> None:
    assert _refused(clients, given).status == 401


def test_one_changed_letter_breaks_every_part(clients: HookClients) -> None:
    whole = token(NOW)
    for place in range(0, len(whole), 7):
        if whole[place] != ".":
            changed = whole[:place] + ("A" if whole[place] != "A" else "B") + whole[place + 1 :]
            assert _refused(clients, f"Bearer {changed}").status == 401
    clients.check(f"Bearer {whole}", SIGN)


def test_used_tokens_are_forgotten_when_they_have_expired_and_not_before(clients: HookClients, clock: Clock) -> None:
    for number in range(50):
        clients.check(f"Bearer {token(clock.now, jti=f'{number}', exp=clock.now + 60)}", SIGN)
        clock.now += 1
    assert len(clients._used) == 50
    clock.now += 45
    clients.check(f"Bearer {token(clock.now, jti='last')}", SIGN)
    assert 0 < len(clients._used) < 30
    again = f"Bearer {token(clock.now - 46, jti='49', exp=clock.now + 14)}"
    assert _refused(clients, again).status == 401


def test_more_tokens_than_can_be_remembered_are_put_off(
    clients: HookClients, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook_clients, "MOST_REMEMBERED", 3)
    for number in range(3):
        clients.check(f"Bearer {token(NOW, jti=f'{number}')}", SIGN)
    assert _refused(clients, f"Bearer {token(NOW, jti='3')}").status == 503
    clock.now += 400
    clients.check(f"Bearer {token(clock.now, jti='3')}", SIGN)


def test_the_log_names_the_rule_and_nothing_of_the_token(
    clients: HookClients, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given = token(NOW, jti="secret-jti", tenant="secret-tenant", exp=NOW - 1, iat=NOW - 20)
    _refused(clients, f"Bearer {given}")
    _refused(clients, f"Bearer {token(NOW, iss='https://secret.example')}")
    assert "it has expired" in caplog.text and "its issuer is no client of ours" in caplog.text
    assert "secret" not in caplog.text and given not in caplog.text
    assert "secret" not in repr(split_token(given)) and plain(b"secret") not in repr(clients)


def test_tokens_of_another_maker_are_read() -> None:
    """Keys and tokens by the crypto module of Node 20 (``sign`` with sha384; ieee-p1363 for the elliptic curve)."""
    stored = json.loads((Path(__file__).parent / "hook_tokens.json").read_text(encoding="utf-8"))
    for algorithm, made in stored.items():
        key, found = read_key(made["jwk"]), split_token(made["token"])
        assert key.algorithm == algorithm and key.signed(found)
        assert found.claims["iss"] == ISSUER and found.header["alg"] == algorithm
        other = read_key(public_jwk("ec-2" if algorithm == "ES384" else "rsa-2"))
        assert not other.signed(found)


_PRIVATE = {**public_jwk("ec-1"), "d": "AAAA"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"audience": None}, "audience must be the address"),
        ({"audience": "http://cds.example.org"}, "https"),
        ({"clients": []}, "one or more"),
        ({"clients": [1]}, "client 1 has no issuer"),
        ({"more": 1}, "more is not known"),
        ({"client": {"issuer": ""}}, "client 1 has no issuer"),
        ({"client": {"key": 1}}, "a name that is not known"),
        ({"client": {"jwks": None}}, "has no jwks"),
        ({"client": {"jwks": {"keys": []}}}, "has no jwks"),
        ({"client": {"jku": "https://ehr.example/keys"}}, "no list of addresses"),
        ({"client": {"jwks": {"keys": [_PRIVATE]}}}, "private or a shared key"),
        ({"client": {"jwks": {"keys": [{"kty": "oct", "kid": "1", "k": "AAAA"}]}}}, "private or a shared key"),
        ({"client": {"jwks": {"keys": [{**public_jwk("ec-1"), "kid": None}]}}}, "without kid"),
        ({"client": {"jwks": {"keys": [{**public_jwk("ec-1"), "crv": "P-256"}]}}}, "for another use"),
        ({"client": {"jwks": {"keys": [{**public_jwk("ec-1"), "use": "enc"}]}}}, "for another use"),
        ({"client": {"jwks": {"keys": [{**public_jwk("ec-1"), "alg": "ES256"}]}}}, "for another use"),
        ({"client": {"jwks": {"keys": [{**public_jwk("ec-1"), "x": plain(bytes(48))}]}}}, "no public key"),
        ({"client": {"jwks": {"keys": [{**public_jwk("rsa-1"), "n": plain(bytes([0xC1]) * 128)}]}}}, "2048 bits"),
        ({"client": {"jwks": {"keys": [public_jwk("ec-1"), public_jwk("ec-1")]}}}, "two keys of one kid"),
    ],
)
def test_a_file_of_clients_says_what_is_wrong(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = clients_file(tmp_path, **changes)
    with pytest.raises(TokenError, match=words) as caught:
        read_clients(path)
    assert str(path) in str(caught.value) and ISSUER not in str(caught.value)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = clients_file(tmp_path, audience="x", clients=[{}, {"issuer": "a"}])
    with pytest.raises(TokenError, match=r"audience.*client 1.*client 2"):
        read_clients(path)


def test_a_file_that_others_may_change_is_refused(tmp_path: Path) -> None:
    path = clients_file(tmp_path)
    path.chmod(0o664)
    with pytest.raises(TokenError, match="chmod go-w"):
        read_clients(path)
    with pytest.raises(TokenError, match="cannot be read"):
        read_clients(tmp_path / "none.json")
    path.chmod(0o600)
    path.write_text("[", encoding="utf-8")
    with pytest.raises(TokenError, match="no JSON"):
        read_clients(path)


def test_without_cryptography_the_error_names_what_is_lacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = clients_file(tmp_path)
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(JwtError, match="pip install cryptography"):
        read_clients(path)
