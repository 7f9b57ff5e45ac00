"""A bundle of a class model that counts boosted trees."""

from pathlib import Path

import numpy as np
import pytest

from nociomics.explain.explanation_tables import base_frame, check_additive, shap_frame
from nociomics.explain.shap_values import explain_people
from nociomics.export.background import background_people
from nociomics.export.bundle import load_bundle, write_bundle
from nociomics.models.response import fit_response
from nociomics.models.stratification import StratumModel
from tests.export.bundles import METRICS, OPEN
from tests.models.small_study import ARMS, BLOCKS, QUICK, STRATA, small_study

SETTINGS = QUICK.model_copy(update={"candidates": ["boosted_classes"]})


@pytest.mark.parametrize("arms", [ARMS, ()], ids=["arms", "no arms"])
@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_it_is_loaded_to_the_same_answers_and_explained_to_them(kind: str, arms: tuple[str, ...], tmp_path: Path):
    study = small_study(kind, people=120, arms=arms, effect=3.0)
    model = fit_response(study.training, study.target, BLOCKS, SETTINGS, 2, seed=1)
    assert model.trees_
    strata = StratumModel(STRATA, BLOCKS, 1).fit(study.features, study.catalogue)
    background = background_people(model, study.features, study.rows, 20, 1)
    interval = {"level": 0.9, "half_width": None}
    write_bundle(
        tmp_path / "model",
        "small",
        model,
        strata,
        study.catalogue,
        study.features,
        OPEN,
        interval,
        METRICS,
        background,
    )
    assert not [path for path in (tmp_path / "model").rglob("*") if path.suffix in (".pkl", ".joblib")]
    bundle = load_bundle(tmp_path / "model")
    encoded = model.encode(study.features)
    np.testing.assert_allclose(bundle.model.probabilities(encoded), model.probabilities(encoded), rtol=0, atol=1e-6)
    predictions = bundle.predict_frame(study.features)
    found = explain_people(bundle.model, study.features[:8], bundle.background, seed=1)
    shown = shap_frame(found, study.features[:8], bundle.model.arms_)
    assert check_additive(shown, base_frame(found, bundle.model.arms_), predictions) <= 1e-4
