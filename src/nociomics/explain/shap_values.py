"""Interventional Shapley values: what moved each person's prediction away from the average person's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import xgboost
from scipy.special import softmax

from nociomics.explain.tree_leaves import LeavesBetween, leaves_of
from nociomics.models.arm_learners import ArmFunction, LinearArms
from nociomics.models.class_model import ClassModel
from nociomics.models.feature_blocks import Encoded, EncodedColumn
from nociomics.models.response import ResponseModel
from nociomics.models.value_model import ValueModel

ADDITIVE_TO = 1e-4
_PERMUTATIONS = 4


@dataclass(frozen=True)
class Explanation:
    """Shapley values of some people, per treatment and output.

    Attributes
    ----------
    values : ndarray of shape (n_people, n_arms, n_outputs, n_columns)
        In outcome points, or probability for classes.
    base : ndarray of shape (n_arms, n_outputs)
        Mean prediction over the background people.
    columns : tuple of EncodedColumn
        What each column is.
    shown : ndarray of shape (n_people, n_columns)
        The model's own value of each column; NaN where not measured.
    outputs : tuple of str or None
        Class names of a multiclass target, else ``(None,)``.
    """

    values: np.ndarray
    base: np.ndarray
    columns: tuple[EncodedColumn, ...]
    shown: np.ndarray
    outputs: tuple[str | None, ...]


def explain_people(model: ResponseModel, features: pl.DataFrame, background: np.ndarray, seed: int) -> Explanation:
    """Explain every person's prediction under every treatment.

    Linear parts and products of scores are exact. Trees go through TreeSHAP with the stored background (at most
    100 people, so that nothing is sampled from it). Class probabilities, of log-odds by lines and trees together, are
    averaged over paired orders of the columns, forwards and backwards; they add up exactly for any number of orders.

    Parameters
    ----------
    model : ValueModel or ClassModel
        The exported model.
    features : DataFrame, one row per person
        As in `FEATURES`.
    background : ndarray of shape (n_background, n_columns)
        Encoded training people; NaN where not measured.
    seed : int
        Seeds the orders for class probabilities.

    References
    ----------
    Lundberg et al. 2020, Nature Machine Intelligence 2:56, doi:10.1038/s42256-019-0138-9 (TreeSHAP);
    Strumbelj & Kononenko 2014, Knowledge and Information Systems 41:647 (orders).
    """
    encoded = model.encode(features)
    against = Encoded(background, encoded.columns)
    if isinstance(model, ValueModel):
        return _explain_values(model, encoded, against)
    return _explain_classes(model, encoded, against, seed)


def _explain_values(model: ValueModel, encoded: Encoded, against: Encoded) -> Explanation:
    columns = model.inputs_.columns_
    people = model.inputs_.transform(encoded)
    others = model.inputs_.transform(against)
    width = encoded.values.shape[1]
    values = np.zeros((len(people), len(model.arms_), 1, len(columns)))
    for place, function in enumerate(model.whole_):
        own = _function_values(function, encoded.values, against.values, people, others)
        level = own.mean(axis=1, keepdims=True)
        values[:, :, 0, :] += model.level_shares_[place] * level + model.effect_shares_[place] * (own - level)
    baseline = model.baseline_column()
    if baseline is not None:
        values[:, :, 0, baseline] += _baseline_values(model, encoded.values, against.values)[:, None]
    base = model.expected(against).mean(axis=0)[:, None]
    shown = np.hstack([encoded.values, people[:, width:]])
    return Explanation(values, base, columns, shown, (None,))


def _baseline_values(model: ValueModel, people: np.ndarray, background: np.ndarray) -> np.ndarray:
    return np.asarray(model.baseline_part(people) - model.baseline_part(background).mean())


def _function_values(
    function: ArmFunction, values: np.ndarray, background: np.ndarray, people: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """Explain one learner under each arm: shape (n_people, n_arms, n_columns).

    Trees read encoded values, of which the first columns are made; linear functions read the linear inputs.
    """
    if isinstance(function, LinearArms):
        return linear_values(function, people, others)
    width = values.shape[1]
    found = np.zeros((len(people), len(function.trees), people.shape[1]))
    for arm, trees in enumerate(function.trees if width else []):
        found[:, arm, :width] = _tree_values(trees, values, background)
    return found


def linear_values(function: LinearArms, people: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Explain lines and products of factor scores exactly: shape (n_people, n_arms, n_columns).

    For a product of two columns, each gets half of what both switched together bring beyond what each brings
    alone: with M the symmetric matrix of products, column i gets the sum over j of M_ij E[(x_i - z_i)(x_j + z_j)], z
    being the background.
    """
    mean = others.mean(axis=0)
    values = (people - mean)[:, None, :] * function.coefficients[None, :, :]
    if not function.factors.size:
        return np.asarray(values)
    for arm, products in enumerate(function.products):
        back = products @ function.factors.T  # scores to columns: M = factors @ back

        def times(columns: np.ndarray, back: np.ndarray = back) -> np.ndarray:
            return np.asarray((columns @ function.factors) @ back)

        at_people, at_mean = times(people), times(mean[None])[0]
        at_others = (others * times(others)).mean(axis=0)
        values[:, arm] += people * (at_people + at_mean) - mean * at_people - at_others
    return np.asarray(values)


def _tree_values(trees: xgboost.Booster, people: np.ndarray, background: np.ndarray) -> np.ndarray:
    import shap

    explainer = shap.TreeExplainer(trees, background.astype(np.float32), feature_perturbation="interventional")
    return np.asarray(explainer.shap_values(people.astype(np.float32)), dtype=float)


def _explain_classes(model: ClassModel, encoded: Encoded, against: Encoded, seed: int) -> Explanation:
    people, others = model.linear_inputs(encoded), model.linear_inputs(against)
    weights = model.weights_.mean(axis=0)
    multiclass = model.target.kind == "multiclass"
    outputs: tuple[str | None, ...] = tuple(model.classes_) if multiclass else (None,)
    kept = slice(None) if multiclass else slice(1, 2)
    values = np.zeros((len(people), len(model.arms_), len(outputs), people.shape[1]))
    for arm in range(len(model.arms_)):
        trees = _leaves_between(model, arm, encoded, against) if model.trees_ else None
        moved = _ordered_differences(people, others, weights[arm], model.intercepts_[arm], seed, trees)
        values[:, arm] = moved[:, kept]
    base = model.probabilities(against).mean(axis=0)[:, kept]
    return Explanation(values, base, encoded.columns, encoded.values, outputs)


def _leaves_between(model: ClassModel, arm: int, encoded: Encoded, against: Encoded) -> LeavesBetween:
    leaves = leaves_of(model.trees_[0].of_arm(arm), len(model.classes_))
    return LeavesBetween(leaves, model.tree_inputs(encoded), model.tree_inputs(against), model.tree_share_)


def _ordered_differences(
    people: np.ndarray,
    others: np.ndarray,
    weights: np.ndarray,
    intercepts: np.ndarray,
    seed: int,
    trees: LeavesBetween | None = None,
) -> np.ndarray:
    """Mean change of each class's probability when a column switches from a background person's to the person's.

    Returns
    -------
    ndarray of shape (n_people, n_classes, n_columns)
    """
    rng = np.random.default_rng(seed)
    total = np.zeros((len(people), weights.shape[1], people.shape[1]))
    start = others @ weights + intercepts + (trees.of_others() if trees is not None else 0.0)
    for _ in range(_PERMUTATIONS):
        order = rng.permutation(people.shape[1])
        for way in (order, order[::-1]):
            logits = np.repeat(start[None], len(people), axis=0)
            before = softmax(logits, axis=2).mean(axis=1)
            place = np.argsort(way)
            for column in way:
                difference = people[:, column, None] - others[None, :, column]
                logits += difference[:, :, None] * weights[column]
                if trees is not None:
                    logits += trees.switched(column, place)
                after = softmax(logits, axis=2).mean(axis=1)
                total[:, :, column] += after - before
                before = after
    return total / (2 * _PERMUTATIONS)


def shap_frame(explanation: Explanation, features: pl.DataFrame, arms: list[str | None]) -> pl.DataFrame:
    """Lay Shapley values out as in `tables.results.SHAP_VALUES`.

    ``feature_value`` is the person's own value in the feature's unit where the column is a feature, and
    the model's column otherwise (a component, a category's 0/1, a missing-block mark).
    """
    people, n_arms, outputs, width = explanation.values.shape
    names = [column.name for column in explanation.columns]
    shown = (
        np.column_stack([_own_value(features, name, explanation.shown[:, place]) for place, name in enumerate(names)])
        if width
        else np.empty((people, 0))
    )
    axes = np.indices((people, n_arms, outputs, width)).reshape(4, -1)
    frame = pl.DataFrame(
        {
            "patient_id": features["patient_id"].gather(axes[0]),
            "treatment": pl.Series(arms, dtype=pl.String).gather(axes[1]),
            "feature": pl.Series(names, dtype=pl.String).gather(axes[3]),
            "modality": pl.Series([c.modality for c in explanation.columns], dtype=pl.String).gather(axes[3]),
            "group": pl.Series([c.group for c in explanation.columns], dtype=pl.String).gather(axes[3]),
            "feature_value": pl.Series(shown[axes[0], axes[3]], dtype=pl.Float64).fill_nan(None),
            "shap_value": explanation.values.reshape(-1),
        }
    )
    if explanation.outputs == (None,):
        return frame
    return frame.with_columns(pl.Series("class", explanation.outputs, dtype=pl.String).gather(axes[2]))


def _own_value(features: pl.DataFrame, name: str, encoded: np.ndarray) -> np.ndarray:
    if name in features.columns and features[name].dtype.is_numeric():
        return features[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return encoded


def base_frame(explanation: Explanation, arms: list[str | None]) -> pl.DataFrame:
    """Lay base values out as in `tables.results.BASE_VALUES`."""
    rows = [
        {"treatment": arm, "base_value": float(explanation.base[a, o]), "class": name}
        for a, arm in enumerate(arms)
        for o, name in enumerate(explanation.outputs)
    ]
    schema = {"treatment": pl.String, "base_value": pl.Float64, "class": pl.String}
    frame = pl.DataFrame(rows, schema=schema)
    return frame.drop("class") if explanation.outputs == (None,) else frame


def check_additive(values: pl.DataFrame, bases: pl.DataFrame, predictions: pl.DataFrame) -> float:
    """Return the largest |base + sum of Shapley values - prediction|, or raise when it is over 1e-4.

    Parameters
    ----------
    values, bases, predictions : DataFrame
        As in `SHAP_VALUES`, `BASE_VALUES` and `PREDICTIONS`; people without a prediction are not looked at.

    Raises
    ------
    ArithmeticError
        A fault of the program, never of the data: nothing may be shown then.
    """
    keys = [name for name in ("treatment", "class") if name in bases.columns]
    sums = values.group_by("patient_id", *keys).agg(pl.col("shap_value").sum())
    sums = sums.join(bases, on=keys, how="left", nulls_equal=True)
    if "class" in keys:
        shown = (
            predictions.filter(pl.col("status") == "ok")
            .unpivot(
                [f"p_{name}" for name in bases["class"].unique()],
                index=["patient_id", "treatment"],
                variable_name="class",
                value_name="shown",
            )
            .with_columns(pl.col("class").str.strip_prefix("p_"))
        )
    else:
        shown = predictions.filter(pl.col("status") == "ok").select("patient_id", "treatment", shown="expected")
    both = sums.join(shown, on=["patient_id", *keys], how="inner", nulls_equal=True)
    gaps = (both["base_value"] + both["shap_value"] - both["shown"]).abs().fill_null(float("nan")).to_numpy()
    largest = float(np.max(gaps, initial=0.0))  # NaN when any of them is
    if not largest <= ADDITIVE_TO:
        raise ArithmeticError(
            f"Shapley values miss the predictions by up to {largest:.2e}, more than {ADDITIVE_TO:.0e}."
        )
    return largest
