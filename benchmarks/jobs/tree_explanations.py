"""Interventional Shapley values of 20,000 people, 200 trees of depth 6, against 100 others.

XGBoost's own `pred_contribs` answers another question (its "others" are those that the nodes of a tree saw in
training), and the interventional values of shap are those of ours; it takes 100 background rows at most, so all have
100 here. Reading the model and making the tables count. The job tree_explanations_shallow has trees of depth 4.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from benchmarks.jobs import Absent

from nociomics.explain.tree_tables import TreeTables

PEOPLE, COLUMNS, TREES, DEPTH, BACKGROUND, PART = 20_000, 50, 200, 6, 100, 20


def make(folder: Path, depth: int = DEPTH) -> None:
    """Invent people, one in twenty values not measured, and train trees on them."""
    random = np.random.default_rng(1)
    values = random.normal(size=(PEOPLE, COLUMNS)).astype(np.float32)
    outcome = values[:, 0] * values[:, 1] + np.sin(2 * values[:, 2]) + 0.3 * values[:, 3:8].sum(axis=1)
    outcome += 0.5 * random.normal(size=PEOPLE)
    values[random.random(values.shape) < 0.05] = np.nan
    options = {"max_depth": depth, "eta": 0.1, "max_bin": 64, "nthread": 1, "seed": 1, "tree_method": "hist"}
    xgboost.train(options, xgboost.DMatrix(values, outcome, nthread=1), TREES).save_model(folder / "trees.ubj")
    np.save(folder / "values.npy", values)


def _read(folder: Path) -> tuple[xgboost.Booster, np.ndarray]:
    return xgboost.Booster({"nthread": 1}, model_file=folder / "trees.ubj"), np.load(folder / "values.npy")


def ours(folder: Path) -> Any:
    """Explain everybody by tables."""
    trees, values = _read(folder)
    return _check(TreeTables(trees, values[:BACKGROUND]).values(values))


def pred_contribs(folder: Path) -> Any:
    """Explain everybody by XGBoost itself."""
    trees, values = _read(folder)
    return _check(trees.predict(xgboost.DMatrix(values, nthread=1), pred_contribs=True)[:, :-1])


def shap_interventional(folder: Path) -> Any:
    """Explain one in twenty by shap, which goes person by person: everybody would take twenty times as long."""
    try:
        import shap
    except ModuleNotFoundError:
        raise Absent("shap is not installed") from None
    trees, values = _read(folder)
    explainer = shap.TreeExplainer(trees, values[:BACKGROUND], feature_perturbation="interventional")
    return _check(np.asarray(explainer.shap_values(values[: PEOPLE // PART])))


def woodelf(folder: Path) -> Any:
    """Explain everybody by Woodelf, where somebody has installed it."""
    try:
        from woodelf import WoodelfExplainer
    except ModuleNotFoundError:
        raise Absent("woodelf-explainer is not installed") from None
    import pandas as pd

    trees, values = _read(folder)
    table = pd.DataFrame(values)
    return _check(np.asarray(WoodelfExplainer(trees, table[:BACKGROUND]).shap_values(table)))


def _check(found: np.ndarray) -> dict[str, float]:
    """How far apart the sums of people's values lie: as their predictions do, whoever the others are."""
    return {"spread": float(found[: PEOPLE // PART].sum(axis=1, dtype=float).std())}


SHAP = f"shap interventional, one person in {PART}"
MAKE: Callable[[Path], None] = make
CASES = {
    "ours": ours,
    "XGBoost pred_contribs": pred_contribs,
    SHAP: shap_interventional,
    "Woodelf": woodelf,
}
IMPORTS = {SHAP: ("shap",), "Woodelf": ("woodelf", "pandas")}
OURS = "ours"
AIMS = {"XGBoost pred_contribs": ("at_least", 1), SHAP: ("at_least", 5 / PART)}
TOLERANCE = 1e-4
