"""Who exported a bundle: a signature of its manifest, by a shared secret or a key pair."""

from __future__ import annotations

import hmac
import json
import os
from pathlib import Path
from typing import Any

from nociomics.errors import BundleError
from nociomics.tables.files import write_json

SIGNATURE = "signature.json"
KEY_VARIABLE = "NOCIOMICS_BUNDLE_KEY"
_SHORTEST_SECRET = 32
_LARGEST = 1 << 16
_HMAC, _ED25519 = "HMAC-SHA256", "Ed25519"


def key_file(given: Path | None = None) -> Path | None:
    """Return the key file that was given, else the one that the environment names, else None."""
    named = os.environ.get(KEY_VARIABLE)
    return given if given is not None else Path(named) if named else None


def sign_manifest(folder: Path, text: bytes, key: Path) -> None:
    """Sign the text of a manifest, and write ``signature.json`` beside it.

    Parameters
    ----------
    key : Path
        At least 32 bytes of a shared secret (HMAC-SHA256), or an Ed25519 private key in PEM.
    """
    secret = _key(key)
    if _is_pem(secret):
        signature = _private(secret, key).sign(text)
        algorithm = _ED25519
    else:
        signature, algorithm = hmac.digest(secret, text, "sha256"), _HMAC
    write_json({"algorithm": algorithm, "of": "manifest.json", "signature": signature.hex()}, folder / SIGNATURE)


def check_signature(folder: Path, text: bytes, key: Path) -> None:
    """Refuse a manifest that this key did not sign.

    Parameters
    ----------
    key : Path
        The shared secret, or the Ed25519 public (or private) key in PEM.
    """
    secret = _key(key)
    stored = _stored(folder)
    algorithm = _ED25519 if _is_pem(secret) else _HMAC
    if stored is None or stored["algorithm"] != algorithm:
        said = "is not signed" if stored is None else "is signed in another way"
        raise BundleError(
            f"{folder}: the model {said}, and a {algorithm} key is configured ({KEY_VARIABLE} or --key). "
            "Nothing was loaded. Ask for a signed export, or use the key that belongs to it."
        )
    signature = bytes.fromhex(stored["signature"])
    if algorithm == _HMAC:
        right = hmac.compare_digest(hmac.digest(secret, text, "sha256"), signature)
    else:
        right = _verifies(secret, key, signature, text)
    if not right:
        raise BundleError(f"{folder}: the signature is not by the configured key ({key}). Nothing was loaded.")


def _stored(folder: Path) -> dict[str, Any] | None:
    path = folder / SIGNATURE
    if path.is_symlink() or not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            stored = json.loads(file.read(_LARGEST))
        bytes.fromhex(stored["signature"])
        return {"algorithm": str(stored["algorithm"]), "signature": str(stored["signature"])}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(f"{path}: is no signature ({type(error).__name__}). Nothing was loaded.") from error


def _key(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        raise BundleError(f"{path}: the key of models cannot be read ({error.strerror}).") from error
    if len(content) < _SHORTEST_SECRET:
        raise BundleError(
            f"{path}: a secret needs at least {_SHORTEST_SECRET} bytes. Make one: openssl rand -out {path.name} 48"
        )
    return content


def _is_pem(content: bytes) -> bool:
    return content.lstrip().startswith(b"-----BEGIN")


def _private(content: bytes, path: Path) -> Any:
    keys, serialization = _cryptography()
    try:
        loaded = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise BundleError(f"{path}: is no Ed25519 private key in PEM without a password.") from error
    if not isinstance(loaded, keys.Ed25519PrivateKey):
        raise BundleError(f"{path}: is a key of another kind; signing needs Ed25519.")
    return loaded


def _verifies(content: bytes, path: Path, signature: bytes, text: bytes) -> bool:
    keys, serialization = _cryptography()
    from cryptography.exceptions import InvalidSignature

    if b"PRIVATE" in content.split(b"\n", 1)[0]:
        public = _private(content, path).public_key()
    else:
        try:
            public = serialization.load_pem_public_key(content)
        except ValueError as error:
            raise BundleError(f"{path}: is no Ed25519 public key in PEM.") from error
    if not isinstance(public, keys.Ed25519PublicKey):
        raise BundleError(f"{path}: is a key of another kind; signatures are Ed25519.")
    try:
        public.verify(signature, text)
    except InvalidSignature:
        return False
    return True


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise BundleError(
            "Ed25519 keys need the package cryptography (pip install cryptography), which this installation lacks. "
            "A shared secret (a file of at least 32 random bytes) needs nothing further."
        ) from error
    return ed25519, serialization
