"""The bundle: what is in it, that nothing in it can run, and that nobody changed it."""

import hashlib
import json
import pickle
import re
import shutil

import numpy as np
import polars as pl
import pytest

from nociomics.errors import BundleError
from nociomics.export.bundle import golden_rows, load_bundle
from nociomics.export.manifest import manifest_text, sealed
from nociomics.export.prediction import predict_people
from nociomics.models.response import fit_response, predict_response
from tests.export.bundles import CLOSED, write_small_bundle
from tests.models.small_study import ARMS, BLOCKS, QUICK, SmallStudy, small_study

KINDS = ("change", "continuous", "binary", "multiclass")
_PROTOCOL = re.compile(rb"\x80[\x02-\x05]")


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[SmallStudy, object]:
    study = small_study()
    return study, write_small_bundle(study, tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def copy(written, tmp_path):
    """A bundle that a test may spoil."""
    return shutil.copytree(written[1], tmp_path / "model")


@pytest.mark.parametrize("arms", [ARMS, ()], ids=["arms", "no arms"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_bundle_predicts_what_the_fitted_model_does(kind, arms, tmp_path):
    study = small_study(kind, people=72, arms=arms)
    bundle = load_bundle(write_small_bundle(study, tmp_path))
    model = fit_response(study.training, study.target, BLOCKS, QUICK, QUICK.refits, seed=1)
    one, other = (predict_response(m, study.features, study.baseline) for m in (model, bundle.model))
    for name in ("expected", "refit_expected", "p_response", "p_class"):
        left, right = getattr(one, name), getattr(other, name)
        assert (left is None) == (right is None)
        if left is not None:
            np.testing.assert_allclose(right, left, rtol=0, atol=1e-12)
    assert np.isfinite(bundle.background).any() and len(bundle.background) == QUICK.background_people


@pytest.mark.parametrize("kind", ["change", "multiclass"])
def test_there_is_no_pickle_in_a_bundle(kind, tmp_path):
    folder = write_small_bundle(small_study(kind, people=72), tmp_path)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".ubj", ".md"}
    for path in files:
        content = path.read_bytes()
        if path.suffix != ".ubj":
            content.decode("utf-8")
            assert not _PROTOCOL.match(content)
        with pytest.raises(Exception):  # noqa: B017 (whatever pickle makes of it, it is not an object)
            pickle.loads(content)
        assert b"cnumpy\n" not in content and b"__reduce__" not in content and b"sklearn." not in content


def test_a_pickle_would_be_seen():
    """The test above can fail."""
    assert _PROTOCOL.match(pickle.dumps(np.zeros(3)))


def test_the_manifest_lists_every_other_file_with_its_sha_256(written):
    folder = written[1]
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    del there["manifest.json"]
    assert manifest["files"] == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()}
    said = {"format", "study", "nociomics", "knowledge", "python", "libraries", "schema", "intended_use", "licence"}
    assert said <= set(manifest)
    assert manifest["schema"] in there


def names_in(folder) -> list[str]:
    there = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in there if name != "manifest.json")


def test_any_altered_file_is_refused_by_name(written, tmp_path):
    for name in names_in(written[1]):
        copy = shutil.copytree(written[1], tmp_path / re.sub(r"\W", "_", name))
        content = bytearray((copy / name).read_bytes())
        content[len(content) // 2] ^= 1
        (copy / name).write_bytes(content)
        with pytest.raises(BundleError, match=f"1 files are changed .first: {re.escape(name)}"):
            load_bundle(copy)


def test_any_missing_file_is_refused_by_name(written, tmp_path):
    for name in names_in(written[1]):
        copy = shutil.copytree(written[1], tmp_path / re.sub(r"\W", "_", name))
        (copy / name).unlink()
        with pytest.raises(BundleError, match=f"1 files are missing .first: {re.escape(name)}"):
            load_bundle(copy)


@pytest.mark.parametrize("name", ["model.pkl", "python_env/code.py", "forest_999_0.ubj"])
def test_an_added_file_is_refused_by_name(copy, name):
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_bytes(b"x")
    with pytest.raises(BundleError, match=f"1 files are not in the manifest .first: {re.escape(name)}"):
        load_bundle(copy)


def test_all_that_is_wrong_is_said_at_once(copy):
    (copy / "more.txt").write_text("x", encoding="utf-8")
    (copy / "gate.json").unlink()
    (copy / "strata.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError) as refused:
        load_bundle(copy)
    assert all(name in str(refused.value) for name in ("more.txt", "gate.json", "strata.json", "Nothing was loaded"))


def test_a_folder_without_a_manifest_or_of_another_format_is_refused(copy, tmp_path):
    with pytest.raises(BundleError, match="is not an exported model"):
        load_bundle(tmp_path)
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    (copy / "manifest.json").write_text(json.dumps({**manifest, "format": "other/9"}), encoding="utf-8")
    with pytest.raises(BundleError, match="reads nociomics-bundle/3 only"):
        load_bundle(copy)


def test_a_machine_that_answers_otherwise_is_told_so(copy):
    """Golden rows and hashes both rewritten: only the answers themselves show that something is wrong."""
    golden = json.loads((copy / "golden.json").read_text(encoding="utf-8"))
    golden["predictions"][0]["expected"] += 1e-4
    (copy / "golden.json").write_text(json.dumps(golden), encoding="utf-8")
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["golden.json"] = hashlib.sha256((copy / "golden.json").read_bytes()).hexdigest()
    (copy / "manifest.json").write_text(manifest_text(sealed(manifest)), encoding="utf-8")
    with pytest.raises(BundleError, match=r'golden answers on this machine \(first difference: "expected"\)'):
        load_bundle(copy)


def test_golden_rows_show_no_person(written):
    study, folder = written
    golden, predictions = golden_rows(folder)
    names = [name for name in golden.columns if name != "patient_id"]
    people = set(study.features.select(names).rows())
    assert not people & set(golden.select(names).rows())
    assert not set(study.features["patient_id"]) & set(golden["patient_id"])
    assert golden.height == 6 and len(predictions) == 6 * len(ARMS)
    last = [row for row in predictions if row["patient_id"] == "golden-6"]
    assert all(row["status"].startswith("abstained") and row["expected"] is None for row in last)


def test_no_patient_id_and_no_row_of_features_is_written_down(written):
    study, folder = written
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.json"))
    assert not any(f'"{person}"' in text for person in study.features["patient_id"])


def test_the_schema_says_what_may_come_in(written):
    study, folder = written
    schema = {entry["feature"]: entry for entry in json.loads((folder / "schema.json").read_text(encoding="utf-8"))}
    assert set(schema) == set(study.catalogue["feature"])
    assert (schema["pcs_total"]["low"], schema["pcs_total"]["high"], schema["pcs_total"]["unit"]) == (0, 52, "score")
    assert schema["sex"]["categories"] == ["F", "M"]
    assert schema["il6_pg_per_ml"]["median"] == pytest.approx(study.features["il6_pg_per_ml"].median())
    assert schema["il6_pg_per_ml"]["missing_share"] == pytest.approx(study.features["il6_pg_per_ml"].is_null().mean())


def test_the_model_card_says_what_the_model_is_not_for(written):
    card = (written[1] / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Not for treating a person without a clinician" in card
    assert "| auroc | 0.610 | 0.550 to 0.670 | 90 |" in card
    assert "individual recommendations: yes" in card and "cbt, snri" in card


def test_a_bundle_is_replaced_whole_and_leaves_no_draft(tmp_path):
    study = small_study(people=72)
    folder = write_small_bundle(study, tmp_path)
    (folder / "left_over.txt").write_text("x", encoding="utf-8")
    write_small_bundle(study, tmp_path, CLOSED)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert not load_bundle(folder).gate["individual_recommendations"]


def test_a_bundle_that_cannot_be_written_leaves_the_old_one(written, tmp_path, monkeypatch):
    study = small_study(people=72)
    folder = write_small_bundle(study, tmp_path)
    before = (folder / "manifest.json").read_bytes()

    def refuse(*_: object) -> None:
        raise BundleError("does not answer as it should")

    monkeypatch.setattr("nociomics.export.bundle.load_bundle", refuse)
    with pytest.raises(BundleError):
        write_small_bundle(study, tmp_path)
    assert (folder / "manifest.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_two_exports_of_one_study_are_the_same_byte_for_byte(tmp_path):
    study = small_study(people=72)
    one, other = (write_small_bundle(study, tmp_path / name) for name in ("one", "other"))
    assert (one / "manifest.json").read_bytes() == (other / "manifest.json").read_bytes()


def test_a_table_of_pandas_is_predicted_like_one_of_polars(written):
    study, folder = written
    bundle = load_bundle(folder)
    found = bundle.predict_frame(study.features.to_pandas())
    expected, _ = predict_people(bundle, study.features, bundle.baseline(study.features))
    assert found.select("patient_id", "treatment", "status").equals(
        expected.select("patient_id", "treatment", "status")
    )
    np.testing.assert_allclose(found["expected"].to_numpy(), expected["expected"].to_numpy(), atol=1e-12)


def test_the_baseline_comes_from_the_features(written):
    study, folder = written
    bundle = load_bundle(folder)
    found = bundle.baseline(study.features)
    np.testing.assert_array_equal(found, study.features["bpi_severity"].fill_null(np.nan).to_numpy())
    assert np.isnan(bundle.baseline(study.features.drop("bpi_severity"))).all()
    assert pl.Series(found).is_nan().any()


def sealed_again(folder, **changes) -> None:
    """Rewrite the manifest as an attacker without a key would: with right hashes of its own."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8")) | changes
    (folder / "manifest.json").write_text(manifest_text(sealed(manifest)), encoding="utf-8")


def test_one_byte_of_the_manifest_is_enough_to_be_refused(written, tmp_path):
    text = (written[1] / "manifest.json").read_bytes()
    copy = shutil.copytree(written[1], tmp_path / "model")
    for place in range(0, len(text), 97):
        changed = bytearray(text)
        changed[place] ^= 1
        (copy / "manifest.json").write_bytes(bytes(changed))
        with pytest.raises(BundleError):
            load_bundle(copy)
    (copy / "manifest.json").write_bytes(text + b" ")
    with pytest.raises(BundleError, match=r"manifest\.json is changed"):
        load_bundle(copy)


def test_a_bundle_of_a_newer_nociomics_says_so(copy):
    sealed_again(copy, format="nociomics-bundle/4")
    with pytest.raises(BundleError, match=r"by a newer nociomics .bundle format 4; this version reads 3.* Update"):
        load_bundle(copy)


@pytest.mark.parametrize("name", ["../outside.json", "/etc/passwd", "a/../b.json", "a//b", "", "a\\b", "manifest.json"])
def test_names_that_lead_out_of_the_folder_are_refused(copy, name):
    files = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))["files"]
    sealed_again(copy, files=files | {name: "0" * 64})
    with pytest.raises(BundleError, match="1 entries of the manifest are no file of a bundle"):
        load_bundle(copy)


def test_links_are_refused_even_to_the_same_content(copy, tmp_path):
    shutil.move(copy / "gate.json", tmp_path / "gate.json")
    (copy / "gate.json").symlink_to(tmp_path / "gate.json")
    with pytest.raises(BundleError, match=r"1 files are links or no plain files .first: gate\.json"):
        load_bundle(copy)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"format": NaN}', "", "[]", '{"format": "nociomics-bundle/3"}'])
def test_a_manifest_that_is_none_is_refused(copy, text):
    (copy / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(BundleError):
        load_bundle(copy)


def test_a_file_beyond_the_limit_is_not_read(copy, monkeypatch):
    monkeypatch.setattr("nociomics.export.manifest._LARGEST_JSON", 1000)
    with pytest.raises(BundleError, match="files are too large"):
        load_bundle(copy)


def test_files_that_do_not_fit_together_are_refused(copy):
    (copy / "gate.json").write_text("[]\n", encoding="utf-8")
    (copy / "model.json").write_text('{"kind": "value"}\n', encoding="utf-8")
    files = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))["files"]
    for name in ("gate.json", "model.json"):
        files[name] = hashlib.sha256((copy / name).read_bytes()).hexdigest()
    sealed_again(copy, files=files)
    with pytest.raises(BundleError, match=r"do not fit this version of nociomics: gate\.json is no object"):
        load_bundle(copy)
