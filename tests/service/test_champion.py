"""Another model takes the place of the one that answers: verified first, and nobody notices."""

import json
import os
import shutil

import pytest

from nociomics.errors import BundleError
from nociomics.service.app import Settings, make_app
from nociomics.service.champion import Reigning, bundle_folder
from nociomics.service.input_counts import read_counts
from tests.export.bundles import CLOSED, reseal, write_small_bundle
from tests.service.asgi_client import Client


@pytest.fixture(scope="module")
def another(study, tmp_path_factory):
    """A second model of the same study, whose gate is closed."""
    return write_small_bundle(study, tmp_path_factory.mktemp("another"), CLOSED)


def replaced(folder, by):
    shutil.rmtree(folder)
    shutil.copytree(by, folder)


def test_a_verified_model_takes_the_place(copied, another):
    reigning = Reigning(copied)
    assert reigning.reload()
    before = reigning.current
    replaced(copied, another)
    assert reigning.reload() and reigning.current.digest != before.digest
    assert (
        before.bundle.gate["individual_recommendations"]
        and not reigning.current.bundle.gate["individual_recommendations"]
    )


_SAID = {
    "one byte": "1 files are changed (first: strata.json)",
    "newer": "by a newer nociomics (bundle format 4; this version reads 3)",
    "older": 'schema.json lacks "shares" in ',
}


@pytest.mark.parametrize(
    "what", ["one byte", "no manifest", "half a file", "nothing", "manifest of a list", "newer", "older"]
)
def test_a_bad_model_leaves_the_old_one_and_says_so(copied, what):
    reigning = Reigning(copied)
    assert reigning.reload()
    client = Client(make_app(reigning, Settings()))
    before = client.post("/predict", {"rows": [{"age": 50.0}]}).content
    path = copied / "strata.json"
    if what == "one byte":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif what == "half a file":
        path.write_bytes(path.read_bytes()[:100])
    elif what == "no manifest":
        (copied / "manifest.json").unlink()
    elif what == "newer":
        reseal(copied, format="nociomics-bundle/4")
    elif what == "older":
        schema = json.loads((copied / "schema.json").read_text(encoding="utf-8"))
        (copied / "schema.json").write_text(json.dumps([{**one, "shares": 0} for one in schema]).replace("shares", "x"))
        reseal(copied)
    elif what == "manifest of a list":
        (copied / "manifest.json").write_text("[]", encoding="utf-8")
    else:
        shutil.rmtree(copied)
    answer = client.post("/admin/reload", {})
    assert (answer.status, answer.json()["error"]["code"]) == (409, "model_refused")
    ready = client.get("/ready")
    assert ready.status == 200 and str(copied) not in ready.json()["reload_refused"]
    assert _SAID.get(what, "the model's folder: ") in ready.json()["reload_refused"]
    assert client.post("/predict", {"rows": [{"age": 50.0}]}).content == before
    assert "nociomics_models_refused 1.0" in client.get("/metrics").content.decode()
    client.close()


def test_a_pointer_names_the_champion(tmp_path, exported, another):
    for name, source in (("one", exported), ("two", another)):
        shutil.copytree(source, tmp_path / name)
    pointer = tmp_path / "champion.json"
    pointer.write_text('{"champion": "one"}', encoding="utf-8")
    reigning = Reigning(tmp_path)
    assert reigning.reload() and reigning.current.name == "one"
    mark = reigning.mark()
    (tmp_path / "next").write_text('{"champion": "two"}', encoding="utf-8")
    os.replace(tmp_path / "next", pointer)
    assert reigning.mark() != mark
    assert reigning.reload() and reigning.current.name == "two"


@pytest.mark.parametrize("name", ["../other", "/etc", "", "a/b", "..", 5, None, "linked"])
def test_a_pointer_cannot_leave_its_folder(tmp_path, exported, name):
    models = tmp_path / "models"
    models.mkdir()
    (models / "linked").symlink_to(exported)
    (models / "champion.json").write_text(json.dumps({"champion": name}), encoding="utf-8")
    with pytest.raises(BundleError):
        bundle_folder(models)


def test_reloading_the_same_model_keeps_its_counts_and_another_starts_anew(copied, another, tmp_path):
    reigning = Reigning(copied)
    assert reigning.reload()
    counts = tmp_path / "counts.json"
    client = Client(make_app(reigning, Settings(counts=counts)))
    client.post("/predict", {"rows": [{"age": 50.0 + number} for number in range(12)]})
    digest = reigning.current.digest
    client.post("/admin/reload", {})
    assert reigning.current.counts.people == 12
    replaced(copied, another)
    client.post("/admin/reload", {})
    assert reigning.current.counts.people == 0
    client.close()
    assert read_counts(tmp_path / f"counts-{digest[:12]}.json")["people"] == 12 and not counts.exists()
