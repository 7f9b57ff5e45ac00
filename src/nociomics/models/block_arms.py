"""Block ridge x arm: modalities, deviations of the arms and factors, each with a penalty of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from nociomics.models.arm_learners import ArmData, LinearArms, arm_means
from nociomics.models.block_ridge import Widths, fit_block_ridge, solve_block_ridge
from nociomics.models.factors import fit_factors

_VALUES_OF_A_NUMBER = 5


def factor_weights(standard: np.ndarray, width: int, count: int) -> np.ndarray:
    """Learn weights (width, n_factors) that turn linear inputs into factor scores of spread 1.

    The factors are learned of what was measured; columns of few different values take no part. Scores are
    linear in the inputs, whatever was missing, so that a prediction can be told column by column.

    Parameters
    ----------
    standard : ndarray of shape (n_people, n_encoded)
        Standardised encoded columns; NaN where not measured.
    width : int
        Number of linear inputs; the encoded columns come first.
    count : int
        At most this many factors.
    """
    many = np.array([len(np.unique(one[~np.isnan(one)])) > _VALUES_OF_A_NUMBER for one in standard.T], dtype=bool)
    inside = np.flatnonzero(many)
    found = fit_factors(standard[:, inside], count)
    weights = np.zeros((width, found.loadings.shape[1]))
    if weights.shape[1]:
        scaled = found.loadings / found.noise[:, None]
        weights[inside] = scaled @ np.linalg.inv(np.eye(weights.shape[1]) + found.loadings.T @ scaled)
        spread = (np.nan_to_num(standard) @ weights[: standard.shape[1]]).std(axis=0)
        weights /= np.where(spread > 1e-9, spread, 1.0)
    return weights


@dataclass(frozen=True)
class _Part:
    """Columns of the design that share a penalty: of one arm, or (None) of all."""

    kind: str
    design: np.ndarray
    arm: int | None
    block: int
    places: np.ndarray


def learn_widths(data: ArmData, parameters: Mapping[str, float]) -> Widths:
    """Learn how wide each block of `fit_block_arms` is, from everybody at once."""
    if data.columns.shape[1] == 0:
        return Widths(np.zeros(0), 1.0)
    _, design, block = _design(data, parameters)
    return fit_block_ridge(*_without_arm_means(design, data), block, len(np.unique(data.arm))).widths


def fit_block_arms(data: ArmData, parameters: Mapping[str, float], widths: Widths | None = None) -> LinearArms:
    """Fit main effects per modality, deviations of the arms, and the same of factor scores and their products.

    Parameters
    ----------
    data : ArmData
        People with an outcome.
    parameters : mapping
        ``factors`` 1: factor scores too; ``products`` 1: also products of two scores.
    widths : Widths, optional
        From `learn_widths`; learned of these people when left out.
    """
    if data.columns.shape[1] == 0:
        return LinearArms(np.zeros((data.arms, 0)), arm_means(data.outcome, data.arm, data.arms))
    parts, design, block = _design(data, parameters)
    centred = _without_arm_means(design, data)
    weights = solve_block_ridge(*centred, block, widths or learn_widths(data, parameters))
    return _gathered(data, parts, np.split(weights, np.cumsum([p.design.shape[1] for p in parts])[:-1]))


def _design(data: ArmData, parameters: Mapping[str, float]) -> tuple[list[_Part], np.ndarray, np.ndarray]:
    count = data.factors.shape[1] if parameters.get("factors") else 0
    parts = _parts(data, count, products=bool(parameters.get("products")))
    design = np.hstack([p.design if p.arm is None else p.design * (data.arm == p.arm)[:, None] for p in parts])
    block = np.repeat([p.block for p in parts], [p.design.shape[1] for p in parts]).astype(int)
    return parts, design, block


def _parts(data: ArmData, count: int, *, products: bool) -> list[_Part]:
    """List main effects per modality, then main effects of scores and products, then every deviation."""
    whole = [("columns", data.columns)]
    if count:
        scores = data.columns @ data.factors
        whole.append(("scores", scores))
        if products:
            first, second = np.triu_indices(count)
            whole.append(("products", scores[:, first] * scores[:, second]))
    parts = []
    for number, inside in enumerate(data.block == one for one in np.unique(data.block)):
        parts.append(_Part("columns", data.columns[:, inside], None, number, np.flatnonzero(inside)))
    blocks = len(parts)
    for kind, design in whole:
        everything = np.arange(design.shape[1])
        if kind != "columns":
            parts.append(_Part(kind, design, None, blocks, everything))
            blocks += 1
        if data.arms > 1:
            parts += [_Part(kind, design, a, blocks, everything) for a in range(data.arms)]
            blocks += 1
    return parts


def _without_arm_means(design: np.ndarray, data: ArmData) -> tuple[np.ndarray, np.ndarray]:
    centred, outcome = design.copy(), data.outcome.astype(float).copy()
    for a in np.unique(data.arm):
        rows = data.arm == a
        centred[rows] -= centred[rows].mean(axis=0)
        outcome[rows] -= outcome[rows].mean()
    return centred, outcome


def _gathered(data: ArmData, parts: list[_Part], weights: list[np.ndarray]) -> LinearArms:
    """Add the weights of all parts up to one linear function, and its products, per arm."""
    count = data.factors.shape[1]
    coefficients = np.zeros((data.arms, data.columns.shape[1]))
    products = np.zeros((data.arms, count, count))
    for part, own in zip(parts, weights, strict=True):
        arms = np.arange(data.arms) if part.arm is None else np.array([part.arm])
        if part.kind == "products":
            square = np.zeros((count, count))
            square[np.triu_indices(count)] = own
            products[arms] += (square + square.T) / 2
        else:
            main = own if part.kind == "columns" else data.factors @ own
            coefficients[np.ix_(arms, part.places if part.kind == "columns" else np.arange(len(main)))] += main
    used = data.factors if any(part.kind == "products" for part in parts) else np.zeros((0, 0))
    function = LinearArms(coefficients, np.zeros(data.arms), used, products)
    rest = data.outcome - data.received(function.predict(data.columns))
    return replace(function, intercepts=arm_means(rest, data.arm, data.arms))
