"""Where the token comes from, and when it counts."""

import hmac
from datetime import UTC, datetime, timedelta

import pytest

from nociomics.service.app import Settings, make_app
from nociomics.service.champion import Reigning
from nociomics.service.doorkeeper import OPEN_PATHS
from nociomics.service.refusal import Refusal
from nociomics.service.server import ServeError, require_safe
from nociomics.service.tokens import Token, TokenError, find_token
from tests.service.asgi_client import Client

SECRET = "0123456789abcdef"


def written(tmp_path, text, mode=0o600):
    path = tmp_path / "token"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_a_token_from_a_file_or_the_environment(tmp_path):
    assert find_token(written(tmp_path, f"{SECRET}\n"), {}).secret == SECRET.encode()
    assert find_token(None, {"NOCIOMICS_TOKEN": SECRET}).secret == SECRET.encode()
    assert find_token(None, {}) is None


def test_the_file_goes_before_the_environment(tmp_path):
    found = find_token(written(tmp_path, SECRET), {"NOCIOMICS_TOKEN": "x" * 20})
    assert found.secret == SECRET.encode()


def test_a_token_that_expires(tmp_path):
    text = f'{{"token": "{SECRET}", "expires": "2027-01-01T00:00:00+00:00"}}'
    token = find_token(written(tmp_path, text), {})
    end = datetime(2027, 1, 1, tzinfo=UTC)
    token.check(f"Bearer {SECRET}", end - timedelta(seconds=1))
    with pytest.raises(Refusal):
        token.check(f"Bearer {SECRET}", end)


@pytest.mark.parametrize("text", ["short", "{}", "{", '{"token": "0123456789abcdef", "expires": "soon"}',
                                  '{"token": "0123456789abcdef", "expires": "2027-01-01"}'])  # fmt: skip
def test_a_token_that_cannot_be_used_is_refused_without_showing_it(tmp_path, text):
    with pytest.raises(TokenError) as refused:
        find_token(written(tmp_path, text), {})
    assert SECRET not in str(refused.value)


def test_a_file_that_others_may_read_is_refused(tmp_path):
    with pytest.raises(TokenError, match="chmod 600"):
        find_token(written(tmp_path, SECRET, 0o644), {})


def test_a_token_is_never_shown():
    assert SECRET not in repr(Token(SECRET.encode())) and SECRET not in repr(Settings(token=Token(SECRET.encode())))


def test_wrong_missing_and_expired_get_the_same_answer():
    old = Token(SECRET.encode(), datetime(2020, 1, 1, tzinfo=UTC))
    answers = set()
    for token, sent in (
        (Token(SECRET.encode()), None),
        (Token(SECRET.encode()), "Bearer x"),
        (old, f"Bearer {SECRET}"),
    ):
        with pytest.raises(Refusal) as refused:
            token.check(sent)
        answers.add((refused.value.status, refused.value.message))
    assert len(answers) == 1


@pytest.fixture(scope="module")
def ways_in(exported):
    """A service whose token has expired, and every path and method that it has."""
    found = Client(
        make_app(Reigning(exported), Settings(token=Token(SECRET.encode(), datetime(2020, 1, 1, tzinfo=UTC))))
    )
    routes = [
        (method.upper(), path.format(name="model", service="pgx-order-sign"))
        for path, methods in found.get("/openapi.json").json()["paths"].items()
        for method in methods
    ]
    yield found, [one for one in routes if one[1] not in OPEN_PATHS]
    found.close()


def test_every_endpoint_answers_wrong_missing_and_expired_alike(ways_in):
    client, routes = ways_in
    assert ("POST", "/predict") in routes and ("POST", "/admin/reload") in routes and len(routes) > 10
    answers = {
        (answer.status, answer.content, answer.headers["www-authenticate"])
        for method, path in routes
        for sent in (None, "Bearer wrong", f"Bearer {SECRET}")
        for answer in [client.get(path, headers={"authorization": sent}) if method == "GET" else
                       client.post(path, content=b"{", headers={"authorization": sent})]
    }  # fmt: skip
    assert len(answers) == 1 and answers.pop()[0] == 401


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", "Bearer x", f"Bearer {SECRET}", f"Basic {SECRET}", "Bearer \udcff"]
)
@pytest.mark.parametrize("expired", [False, True])
def test_each_token_is_compared_once_and_in_constant_time(monkeypatch, sent, expired):
    """No way past the comparison is shorter than the others: all three kinds of refusal take it."""
    compared, really = [], hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return really(one, other)

    monkeypatch.setattr("nociomics.service.tokens.hmac.compare_digest", compare)
    token = Token(SECRET.encode(), datetime(2020, 1, 1, tzinfo=UTC) if expired else None)
    if sent == f"Bearer {SECRET}" and not expired:
        token.check(sent)
    else:
        with pytest.raises(Refusal):
            token.check(sent)
    assert len(compared) == 1 and compared[0][1] == SECRET.encode()


def test_a_start_without_a_token_has_to_be_asked_for():
    with pytest.raises(ServeError, match="no-token"):
        require_safe("127.0.0.1", Settings(), False)
    with pytest.raises(ServeError, match="this machine alone"):
        require_safe("0.0.0.0", Settings(), True)
    require_safe("127.0.0.1", Settings(), True)
    require_safe("0.0.0.0", Settings(token=Token(SECRET.encode())), False)
