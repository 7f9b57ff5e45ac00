"""Signed web tokens (RFC 7515, 7518, 7519) by public keys that a site was given: ES384 and RS384, nothing else."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nociomics.errors import NociomicsError

LONGEST = 8192
_BASE64 = re.compile(r"[A-Za-z0-9_-]+")
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_P384_BYTES = 48
_LEAST_RSA_BITS = 2048


class JwtError(NociomicsError):
    """A token that is none, or a key that cannot be used; the text holds nothing of it."""


@dataclass(frozen=True)
class PublicKey:
    """One public key of a client.

    Attributes
    ----------
    kid : str
        Its name in the header of a token.
    algorithm : str
        The one algorithm that it is for; what a token says of itself decides nothing.
    """

    kid: str
    algorithm: str
    key: Any = field(repr=False)

    def signed(self, token: SignedToken) -> bool:
        """Whether the signature of a token is by this key."""
        _, ec, padding, utils, hashes, invalid = _cryptography()
        try:
            if self.algorithm == "RS384":
                self.key.verify(token.signature, token.text, padding.PKCS1v15(), hashes.SHA384())
                return True
            if len(token.signature) != 2 * _P384_BYTES:
                return False
            halves = token.signature[:_P384_BYTES], token.signature[_P384_BYTES:]
            pair = utils.encode_dss_signature(*(int.from_bytes(half, "big") for half in halves))
            self.key.verify(pair, token.text, ec.ECDSA(hashes.SHA384()))
        except invalid:
            return False
        return True


@dataclass(frozen=True)
class SignedToken:
    """The parts of a token; none of them is to be believed before its signature was looked at."""

    header: Mapping[str, Any] = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)
    text: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def split_token(token: str) -> SignedToken:
    """Take a compact token apart.

    Raises
    ------
    JwtError
        When it is too long, has not three parts, or its parts are no base64url of JSON objects.
    """
    parts = token.split(".")
    if len(token) > LONGEST or len(parts) != 3:
        raise JwtError("is no signed token of three parts")
    header, claims, signature = (_bytes(part) for part in parts)
    text = token.rpartition(".")[0].encode("ascii")
    return SignedToken(_object(header), _object(claims), text, signature)


def read_key(jwk: Any) -> PublicKey:
    """Read a public key from a JSON Web Key (RFC 7517): elliptic curve P-384, or RSA of 2048 bits or more.

    Raises
    ------
    JwtError
        For another kind, a key that is not public, or one without a name.
    """
    if not isinstance(jwk, dict) or not (isinstance(jwk.get("kid"), str) and jwk["kid"]):
        raise JwtError("has a key without kid.")
    if any(name in jwk for name in _PRIVATE):
        raise JwtError("has a private or a shared key. Only the public part of a client's key belongs here.")
    algorithm = {("EC", "P-384"): "ES384", ("RSA", None): "RS384"}.get((str(jwk.get("kty")), jwk.get("crv")))
    if algorithm is None or jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
        raise JwtError("has a key for another use; known are EC P-384 (ES384) and RSA (RS384), for signatures.")
    return PublicKey(jwk["kid"], algorithm, _public(jwk, algorithm))


def _public(jwk: Mapping[str, Any], algorithm: str) -> Any:
    rsa, ec, *_ = _cryptography()
    names = ("n", "e") if algorithm == "RS384" else ("x", "y")
    try:
        first, second = (int.from_bytes(_bytes(str(jwk.get(name))), "big") for name in names)
        if algorithm == "ES384":
            return ec.EllipticCurvePublicNumbers(first, second, ec.SECP384R1()).public_key()
        key = rsa.RSAPublicNumbers(second, first).public_key()
    except (ValueError, JwtError) as error:
        raise JwtError("has a key whose numbers are no public key.") from error
    if key.key_size < _LEAST_RSA_BITS:
        raise JwtError(f"has an RSA key of less than {_LEAST_RSA_BITS} bits.")
    return key


def _bytes(part: str) -> bytes:
    """Decode base64url without padding, in the one way in which it may be written."""
    if _BASE64.fullmatch(part) is None or len(part) % 4 == 1:
        raise JwtError("is no base64url")
    found = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(found).rstrip(b"=").decode() != part:
        raise JwtError("is no base64url")
    return found


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise JwtError("is no JSON") from error
    if not isinstance(found, dict):
        raise JwtError("is no JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


def _no_number(word: str) -> Any:
    raise ValueError(word)


def require_cryptography() -> None:
    """Refuse to go on without the package that looks at signatures."""
    _cryptography()


def _cryptography() -> tuple[Any, Any, Any, Any, Any, Any]:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
    except ImportError as error:
        raise JwtError(
            "Signed tokens of CDS clients need the package cryptography (pip install cryptography), which this "
            "installation lacks."
        ) from error
    return rsa, ec, padding, utils, hashes, InvalidSignature
