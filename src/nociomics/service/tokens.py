"""Who may ask: one token, compared in constant time, that may expire."""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from nociomics.errors import NociomicsError
from nociomics.service.refusal import Refusal

VARIABLE, EXPIRY_VARIABLE = "NOCIOMICS_TOKEN", "NOCIOMICS_TOKEN_EXPIRES"
FEWEST_CHARACTERS = 16
_ALL = 0o077


class TokenError(NociomicsError):
    """The service has no token, or none that it can use."""


@dataclass(frozen=True)
class Token:
    """What a client must send as ``Authorization: Bearer ...``.

    Parameters
    ----------
    secret : bytes
        Never shown.
    expires : datetime, optional
        From then on every request is refused.
    """

    secret: bytes = field(repr=False)
    expires: datetime | None = None

    def check(self, authorization: str | None, now: datetime | None = None) -> None:
        """Refuse a missing, wrong or expired token; the comparison takes the same time for every wrong one.

        All three get the same answer: it does not tell which of them it was.
        """
        scheme, _, given = (authorization or "").partition(" ")
        # compared in every case, so that a missing token takes as long as a wrong one
        same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), self.secret)
        expired = self.expires is not None and (now or datetime.now(UTC)) >= self.expires
        if not (same and scheme.lower() == "bearer") or expired:
            raise Refusal(
                401,
                "not_allowed",
                "Send a valid token as Authorization: Bearer <token>.",
                {"WWW-Authenticate": "Bearer"},
            )


def find_token(file: Path | None, environment: Mapping[str, str] | None = None) -> Token | None:
    """Take the token from a file, or else from ``NOCIOMICS_TOKEN``; None where neither is given.

    Parameters
    ----------
    file : Path, optional
        Holds the token alone, or JSON with ``token`` and ``expires`` (ISO 8601 with its zone). Nobody but its owner
        may read it.

    Raises
    ------
    TokenError
        When the token is too short, its file readable by others, or its end no time.
    """
    environment = os.environ if environment is None else environment
    if file is not None:
        return _of_file(file)
    if VARIABLE not in environment:
        return None
    return _token(environment[VARIABLE], environment.get(EXPIRY_VARIABLE), VARIABLE)


def _of_file(file: Path) -> Token:
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TokenError(f"{file}: the token cannot be read ({type(error).__name__}).") from error
    if mode & _ALL:
        raise TokenError(f"{file}: others may read the token. Run: chmod 600 {file}")
    if not text.startswith("{"):
        return _token(text, None, str(file))
    try:
        stored = json.loads(text)
        return _token(str(stored["token"]), stored.get("expires"), str(file))
    except (ValueError, KeyError) as error:
        raise TokenError(f'{file}: holds no JSON with "token" and, if wanted, "expires".') from error


def _token(secret: str, expires: str | None, where: str) -> Token:
    secret = secret.strip()
    if len(secret) < FEWEST_CHARACTERS:
        raise TokenError(
            f"{where}: a token needs at least {FEWEST_CHARACTERS} characters. Make one with: "
            "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    if expires is None:
        return Token(secret.encode())
    try:
        end = datetime.fromisoformat(expires)
    except (TypeError, ValueError):
        end = None
    if end is None or end.tzinfo is None:
        raise TokenError(f"{where}: expires is no time with a zone. Write 2027-01-31T00:00:00+00:00.")
    return Token(secret.encode(), end)
