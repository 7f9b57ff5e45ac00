"""Signed bundles: only the right key opens them."""

import json
import shutil

import pytest

from nociomics.errors import BundleError
from nociomics.export.bundle import load_bundle
from nociomics.export.manifest import manifest_text, sealed
from tests.export.bundles import write_small_bundle
from tests.models.small_study import small_study


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A shared secret, and a key pair by the library that MLflow brings."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    folder = tmp_path_factory.mktemp("keys")
    (folder / "secret").write_bytes(bytes(range(48)))
    (folder / "other").write_bytes(bytes(range(1, 49)))
    for name in ("pair", "stranger"):
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.pub").write_bytes(public)
        (folder / name).write_bytes(
            private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
        )
    return folder


@pytest.fixture(scope="module", params=["secret", "pair"])
def signed(request, keys, tmp_path_factory):
    folder = tmp_path_factory.mktemp("signed")
    return request.param, write_small_bundle(small_study(people=72), folder, key=keys / request.param)


def test_the_right_key_opens_it_and_no_key_is_needed(signed, keys):
    which, folder = signed
    load_bundle(folder)
    load_bundle(folder, keys / which)
    if which == "pair":
        load_bundle(folder, keys / "pair.pub")


def test_another_key_does_not(signed, keys):
    which, folder = signed
    with pytest.raises(BundleError, match="signature is not by the configured key"):
        load_bundle(folder, keys / {"secret": "other", "pair": "stranger.pub"}[which])
    with pytest.raises(BundleError, match="is signed in another way"):
        load_bundle(folder, keys / {"secret": "pair.pub", "pair": "secret"}[which])


def test_a_manifest_that_was_rewritten_with_its_hashes_is_refused(signed, keys, tmp_path):
    which, folder = signed
    copy = shutil.copytree(folder, tmp_path / "model")
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8")) | {"study": "another"}
    (copy / "manifest.json").write_text(manifest_text(sealed(manifest)), encoding="utf-8")
    load_bundle(copy)
    with pytest.raises(BundleError, match="signature is not by the configured key"):
        load_bundle(copy, keys / which)


def test_where_a_key_is_configured_an_unsigned_model_is_refused(signed, keys, tmp_path, monkeypatch):
    which, folder = signed
    copy = shutil.copytree(folder, tmp_path / "model")
    (copy / "signature.json").unlink()
    monkeypatch.setenv("NOCIOMICS_BUNDLE_KEY", str(keys / which))
    with pytest.raises(BundleError, match="is not signed"):
        load_bundle(copy)
    load_bundle(folder)


@pytest.mark.parametrize("text", ["{}", "[1]", '{"algorithm": "HMAC-SHA256", "signature": "xyz"}', "["])
def test_a_broken_signature_is_refused(signed, keys, tmp_path, text):
    which, folder = signed
    copy = shutil.copytree(folder, tmp_path / "model")
    (copy / "signature.json").write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match="is no signature"):
        load_bundle(copy, keys / which)


def test_a_short_secret_and_an_absent_one_are_refused(signed, tmp_path):
    (tmp_path / "short").write_bytes(b"secret")
    with pytest.raises(BundleError, match="at least 32 bytes"):
        load_bundle(signed[1], tmp_path / "short")
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(signed[1], tmp_path / "nowhere")
