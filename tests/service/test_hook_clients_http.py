"""The paths of CDS Hooks open for signed tokens of clients, and for nothing else; and those open nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nociomics.service.app import Settings, make_app
from nociomics.service.champion import Reigning
from nociomics.service.hook_clients import read_clients
from nociomics.service.tokens import Token
from tests.service.asgi_client import Client
from tests.service.conftest import SECRET
from tests.service.hooks import CODEINE, CONSENT, genotype, order, signing
from tests.service.signed_tokens import AUDIENCE, SIGN, clients_file, token


@pytest.fixture(scope="module")
def hospital(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A service that knows one EHR."""
    reigning = Reigning(exported)
    assert reigning.reload(), reigning.refused
    clients = read_clients(clients_file(tmp_path_factory.mktemp("clients")))
    found = Client(make_app(reigning, Settings(token=Token(SECRET.encode()), hook_clients=clients)), SECRET)
    yield found
    found.close()


def _signed(path: str = SIGN, **claims: str) -> dict[str, str]:
    return {
        "authorization": f"Bearer {token(int(time.time()), jti=str(time.time_ns()), aud=AUDIENCE + path, **claims)}"
    }


def test_an_ehr_is_let_in_by_its_own_token(hospital: Client) -> None:
    body = signing(order(CODEINE), prefetch=[genotype("*4/*4"), CONSENT])
    headers = _signed()
    answer = hospital.post(SIGN, body, headers=headers)
    assert answer.status == 200 and len(answer.json()["cards"]) == 1
    assert hospital.post(SIGN, body, headers=headers).status == 401  # the same token again
    assert hospital.get("/cds-services", headers=_signed("/cds-services")).status == 200
    said = {"card": "1", "outcome": "overridden", "outcomeTimestamp": "2026-11-21T10:00:00Z"}
    assert hospital.post(f"{SIGN}/feedback", {"feedback": [said]}, headers=_signed()).json() == {}


def test_the_token_of_everybody_opens_no_hook_and_a_signed_one_nothing_else(hospital: Client) -> None:
    assert hospital.get("/cds-services").status == 401
    assert hospital.get("/cds-services", headers={"authorization": None}).status == 401
    assert hospital.get("/model").status == 200
    for path in ("/model", "/metrics", "/admin/counts", "/cds-servicesx"):
        assert hospital.get(path, headers=_signed(path)).status == 401
