"""An EHR of a test: its keys, its tokens, and the file that lets it in."""

from __future__ import annotations

import base64
import hmac
import json
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER, AUDIENCE, JKU = "https://ehr.example/", "https://cds.example.org", "https://ehr.example/keys"
SIGN = "/cds-services/pgx-order-sign"


@cache
def private_key(kid: str) -> Any:
    """A key by its name: "ec..." or "rsa..."."""
    if kid.startswith("ec"):
        return ec.generate_private_key(ec.SECP384R1())
    return rsa.generate_private_key(65537, 2048)


def plain(content: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def public_jwk(kid: str) -> dict[str, Any]:
    """The public part of a key, as a JSON Web Key."""
    numbers = private_key(kid).public_key().public_numbers()
    if kid.startswith("ec"):
        return {
            "kty": "EC",
            "crv": "P-384",
            "kid": kid,
            "x": plain(numbers.x.to_bytes(48, "big")),
            "y": plain(numbers.y.to_bytes(48, "big")),
        }
    return {"kty": "RSA", "kid": kid, "n": plain(numbers.n.to_bytes(256, "big")), "e": plain(b"\x01\x00\x01")}


def signature(kid: str, text: bytes) -> bytes:
    """Sign as the kind of the key wants it."""
    key = private_key(kid)
    if kid.startswith("rsa"):
        found: bytes = key.sign(text, padding.PKCS1v15(), hashes.SHA384())
        return found
    first, second = decode_dss_signature(key.sign(text, ec.ECDSA(hashes.SHA384())))
    return first.to_bytes(48, "big") + second.to_bytes(48, "big")


def token(now: float, kid: str = "ec-1", header: Any = None, signer: str | None = None, **claims: Any) -> str:
    """A token for signing orders; a claim or a part of the header that is None is left out."""
    algorithm = "ES384" if kid.startswith("ec") else "RS384"
    head = {"alg": algorithm, "typ": "JWT", "kid": kid, **(header or {})}
    said = {"iss": ISSUER, "aud": AUDIENCE + SIGN, "iat": now, "exp": now + 300, "jti": f"jti-{kid}", **claims}
    parts = ({name: value for name, value in one.items() if value is not None} for one in (head, said))
    text = ".".join(plain(json.dumps(one).encode()) for one in parts)
    return f"{text}.{plain(signature(signer or kid, text.encode()))}"


def symmetric(now: float, kid: str) -> str:
    """A token whose "shared secret" is the public key of the EHR: an old trick against careless readers."""
    head = {"alg": "HS384", "typ": "JWT", "kid": kid}
    said = {"iss": ISSUER, "aud": AUDIENCE + SIGN, "iat": now, "exp": now + 300, "jti": "s"}
    text = ".".join(plain(json.dumps(one).encode()) for one in (head, said))
    return f"{text}.{plain(hmac.digest(json.dumps(public_jwk(kid)).encode(), text.encode(), 'sha384'))}"


def clients_file(folder: Path, **changes: Any) -> Path:
    """A file with one EHR that has a key of each kind."""
    client = {
        "issuer": ISSUER,
        "jwks": {"keys": [public_jwk("ec-1"), public_jwk("rsa-1")]},
        "jku": [JKU],
        **changes.pop("client", {}),
    }
    content = {"audience": AUDIENCE, "clients": [client], **changes}
    path = folder / "clients.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    path.chmod(0o644)
    return path
