"""Block ridge x arm: modalities, deviations of the arms and factors, each with a penalty of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from nociomics.models.arm_learners import ArmData, LinearArms, arm_means
from nociomics.models.arm_ridge import ArmBlocks, arm_sums, learn_arm_widths, solve_arm_ridge
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
class _Design:
    """Columns, scores of factors and their products, and the blocks of their effects.

    Attributes
    ----------
    columns : ndarray of shape (n_people, n_columns + n_scores + n_products)
    blocks : ArmBlocks
        Common effects have a block per modality, one of scores, one of products; deviations one of each kind.
    scores, products : slice
        Places of both among the columns.
    """

    columns: np.ndarray
    blocks: ArmBlocks
    scores: slice
    products: slice


def learn_widths(data: ArmData, parameters: Mapping[str, float]) -> Widths:
    """Learn how wide each block of `fit_block_arms` is, from everybody at once."""
    if data.columns.shape[1] == 0:
        return Widths(np.zeros(0), 1.0)
    design = _design(data, parameters)
    if data.arms == 1:
        centred = (design.columns - design.columns.mean(axis=0), data.outcome - data.outcome.mean())
        return fit_block_ridge(*centred, design.blocks.common).widths
    return learn_arm_widths(arm_sums(design.columns, data.outcome, data.arm, data.arms), design.blocks)


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
    design, known = _design(data, parameters), widths or learn_widths(data, parameters)
    if data.arms == 1:
        centred = (design.columns - design.columns.mean(axis=0), data.outcome - data.outcome.mean())
        return _gathered(data, design, solve_block_ridge(*centred, design.blocks.common, known)[None])
    sums = arm_sums(design.columns, data.outcome, data.arm, data.arms)
    return _gathered(data, design, solve_arm_ridge(sums, design.blocks, known))


def _design(data: ArmData, parameters: Mapping[str, float]) -> _Design:
    """Lay out columns, scores and products; the blocks of deviations are counted on from those of common effects."""
    modality = np.unique(data.block, return_inverse=True)[1]
    count = data.factors.shape[1] if parameters.get("factors") else 0
    scores = data.columns @ data.factors[:, :count]
    first, second = np.triu_indices(count if parameters.get("products") else 0)
    whole = [data.columns, scores, scores[:, first] * scores[:, second]]
    ends = np.cumsum([one.shape[1] for one in whole])
    kinds = [np.full(one.shape[1], place) for place, one in enumerate(whole)]
    common = np.r_[modality, modality.max(initial=-1) + np.concatenate(kinds[1:])]
    own = common.max(initial=-1) + 1 + np.concatenate(kinds)
    if data.arms == 1:
        own = np.zeros(0, dtype=int)
    blocks = ArmBlocks(common.astype(int), own.astype(int))
    return _Design(np.hstack(whole), blocks, slice(ends[0], ends[1]), slice(ends[1], ends[2]))


def _gathered(data: ArmData, design: _Design, weights: np.ndarray) -> LinearArms:
    """Bring weights of columns, scores and products to one linear function, and its products, per arm."""
    count = design.scores.stop - design.scores.start
    factors = data.factors[:, :count]
    coefficients = weights[:, : design.scores.start] + weights[:, design.scores] @ factors.T
    products = np.zeros((data.arms, count, count))
    multiplied = design.products.stop > design.products.start
    if multiplied:
        first, second = np.triu_indices(count)
        products[:, first, second] = weights[:, design.products]
        products = (products + products.transpose(0, 2, 1)) / 2
    used = factors if multiplied else np.zeros((0, 0))
    function = LinearArms(coefficients, np.zeros(data.arms), used, products)
    rest = data.outcome - data.received(function.predict(data.columns))
    return replace(function, intercepts=arm_means(rest, data.arm, data.arms))
