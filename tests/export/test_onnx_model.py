"""The second export: the same expectations by another program, or none."""

import json

import numpy as np
import polars as pl
import pytest

from nociomics.export import onnx_model
from nociomics.export.bundle import load_bundle
from tests.export.bundles import write_small_bundle
from tests.models.small_study import ARMS, small_study

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")


@pytest.mark.parametrize("arms", [ARMS, ()], ids=["arms", "no arms"])
@pytest.mark.parametrize("kind", ["change", "continuous", "binary", "multiclass"])
def test_it_gives_the_same_expectations_for_everybody(kind, arms, tmp_path):
    import onnxruntime

    study = small_study(kind, people=72, arms=arms)
    folder = write_small_bundle(study, tmp_path, onnx=True)
    told = json.loads((folder / "onnx.json").read_text(encoding="utf-8"))
    assert told["written"] and told["largest_difference"] <= 1e-5 and told["rows"] == 72
    bundle = load_bundle(folder)
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    new = small_study(kind, people=50, arms=arms, seed=5).features
    new = new.with_columns(pl.when(pl.int_range(pl.len()) % 3 > 0).then("age").alias("age"))
    (found,) = session.run(None, onnx_model.tensors(new, told["inputs"]))
    encoded = bundle.model.encode(new)
    ours = bundle.model.expected(encoded) if bundle.model.kind == "value" else bundle.model.probabilities(encoded)
    np.testing.assert_allclose(found, ours, rtol=0, atol=1e-5)
    assert "model.onnx gives expectations" in (folder / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_one_that_answers_otherwise_is_not_written_and_the_reason_is(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_model, "ONNX_TOLERANCE", -1.0)
    folder = write_small_bundle(small_study(people=72), tmp_path, onnx=True)
    assert not (folder / "model.onnx").exists()
    told = json.loads((folder / "onnx.json").read_text(encoding="utf-8"))
    assert not told["written"] and told["reason"].startswith("its answers differ by up to")
    assert "ONNX: refused, its answers differ" in (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    load_bundle(folder)


def test_without_the_extra_the_bundle_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    folder = write_small_bundle(small_study(people=72), tmp_path, onnx=True)
    told = json.loads((folder / "onnx.json").read_text(encoding="utf-8"))
    assert "nociomics[onnx]" in told["reason"] and not (folder / "model.onnx").exists()
