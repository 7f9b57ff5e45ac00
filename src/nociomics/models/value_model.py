"""Expected change or value under each treatment: the mean of ridge x arm, lasso x arm and a forest per arm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import xgboost
from scipy.optimize import nnls
from scipy.stats import norm

from nociomics.models.arm_learners import (
    LinearArms,
    Penalty,
    choose_penalty,
    fit_forests,
    fit_linear,
    predict_forest,
)
from nociomics.models.feature_blocks import Encoded, FeatureBlocks
from nociomics.models.linear_inputs import LinearInputs
from nociomics.models.recalibration import fit_recalibration, outcome_step, recalibrate
from nociomics.models.settings import BlockSettings, ResponseSettings
from nociomics.tables.study import Target

LINEAR_KINDS = ("ridge", "lasso")
# as strong as a tenth of the outcome's variation: one learner must be clearly better to outweigh the others
_SHARE_PRIOR = 0.1


@dataclass(frozen=True)
class Training:
    """People to learn from, row by row.

    Attributes
    ----------
    features : DataFrame
        As in `FEATURES`; people without an outcome too, since blocks are learned without it.
    catalogue : DataFrame
        As in `FEATURE_CATALOGUE`.
    rows : DataFrame
        As in `TARGET_ROWS`, same people in the same order as ``features``.
    inner_fold : ndarray of shape (n_people,)
        Fold for tuning.
    """

    features: pl.DataFrame
    catalogue: pl.DataFrame
    rows: pl.DataFrame
    inner_fold: np.ndarray


class ValueModel:
    """Predict a change or a value in outcome points under every treatment.

    For a change, its line on the baseline is fitted first and without penalty, as a trial's analysis would:
    a penalised baseline biases who passes a threshold that moves with it. Three learners then share the
    rest. Each refit draws people with replacement within their arm (a single refit takes everybody once);
    the prediction is the mean over refits and learners, and the spread over refits makes the intervals of
    effects.

    Parameters
    ----------
    target : Target
        What is predicted.
    blocks, settings : BlockSettings, ResponseSettings
        How.
    refits : int
        Bootstrap refits.
    seed : int
        Seeds refits and forests.

    Attributes
    ----------
    arms_ : list of str or None
        Treatments in alphabetical order, or ``[None]``.
    residual_sd_ : float
        Standard deviation of an outcome around its expectation, from errors out of sample.
    """

    kind = "value"

    def __init__(
        self, target: Target, blocks: BlockSettings, settings: ResponseSettings, refits: int, seed: int
    ) -> None:
        self.target, self.block_settings, self.settings = target, blocks, settings
        self.refits, self.seed = refits, seed

    def fit(self, training: Training) -> ValueModel:
        """Learn blocks from everybody, and outcomes from those who have one."""
        kept = (self.target.baseline,) if self.target.baseline else ()
        self.blocks_ = FeatureBlocks(self.block_settings, kept).fit(training.features, training.catalogue)
        encoded = self.blocks_.transform(training.features)
        self.inputs_ = LinearInputs().fit(encoded)
        outcome = training.rows["response_value"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        self.arms_, arm = arms_of(training.rows, self.target)
        known = ~np.isnan(outcome) & (arm >= 0)
        self.line_ = self._baseline_line(encoded.values[known], outcome[known], arm[known])
        rest = outcome - self.baseline_part(encoded.values)
        columns = self.inputs_.transform(encoded)[known]
        self._learn(columns, encoded.values[known], rest[known], arm[known], training.inner_fold[known])
        self._learn_response(
            training.rows.filter(known), self.inner_expected_ + self.baseline_part(encoded.values[known])
        )
        return self

    def _learn_response(self, rows: pl.DataFrame, expected: np.ndarray) -> None:
        """Learn the outcome's smallest step and how to recalibrate the response, from predictions out of fold."""
        baseline = rows["baseline"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        self.baselines_ = np.sort(baseline[~np.isnan(baseline)])
        self.step_ = outcome_step(rows["outcome"].cast(pl.Float64).drop_nulls().to_numpy())
        self.recalibration_ = (0.0, 1.0)
        if self.target.response is not None:
            raw = self._normal_probability(expected[:, None], baseline)[:, 0]
            self.recalibration_ = fit_recalibration(raw, rows["responded"].cast(pl.Float64).to_numpy())

    def _baseline_line(self, values: np.ndarray, outcome: np.ndarray, arm: np.ndarray) -> tuple[float, float]:
        """Slope of the outcome on the baseline within arms, and the mean baseline; zero where there is none."""
        place = self.baseline_column()
        if place is None or self.target.kind != "change":
            return 0.0, 0.0
        baseline = values[:, place]
        known = ~np.isnan(baseline)
        x, y, arms = baseline[known].copy(), outcome[known].astype(float), arm[known]
        for a in np.unique(arms):
            x[arms == a] -= x[arms == a].mean()
            y[arms == a] -= y[arms == a].mean()
        if x @ x < 1e-12:
            return 0.0, 0.0
        return float(x @ y / (x @ x)), float(baseline[known].mean())

    def baseline_column(self) -> int | None:
        """Place of the baseline among the encoded columns, or None when it is not one of them."""
        names = [column.name for column in self.blocks_.columns_]
        return names.index(self.target.baseline) if self.target.baseline in names else None

    def baseline_part(self, values: np.ndarray) -> np.ndarray:
        """Part of each person's expectation that follows from the baseline's line, in points; 0 where unknown."""
        place = self.baseline_column()
        if place is None:
            return np.zeros(len(values))
        slope, mean = self.line_
        return np.asarray(slope * np.nan_to_num(values[:, place] - mean))

    def _learn(
        self, columns: np.ndarray, values: np.ndarray, outcome: np.ndarray, arm: np.ndarray, folds: np.ndarray
    ) -> None:
        arms = len(self.arms_)
        penalties = [choose_penalty(kind, columns, outcome, arm, arms, folds) for kind in LINEAR_KINDS]
        learners = self._out_of_fold(penalties, columns, values, outcome, arm, folds)
        self.shares_ = learner_shares(learners, outcome, arm)
        self.inner_expected_ = self.shares_ @ learners
        self.residual_sd_ = float(np.sqrt(np.mean((outcome - self.inner_expected_) ** 2)))
        self.linear_: dict[str, list[LinearArms]] = {penalty.kind: [] for penalty in penalties}
        self.forests_: list[list[xgboost.Booster]] = []
        for refit in range(self.refits):
            rng = np.random.default_rng([self.seed, refit])
            drawn = _drawn_within(arm, rng) if self.refits > 1 else np.arange(len(arm))
            self._refit(penalties, columns[drawn], values[drawn], outcome[drawn], arm[drawn], refit)

    def _out_of_fold(
        self,
        penalties: list[Penalty],
        columns: np.ndarray,
        values: np.ndarray,
        outcome: np.ndarray,
        arm: np.ndarray,
        folds: np.ndarray,
    ) -> np.ndarray:
        """Predict the outcome per learner and training person under the arm received, from the other inner folds."""
        expected = np.zeros((len(penalties) + 1, len(outcome)))
        arms = len(self.arms_)
        for fold in np.unique(folds):
            train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            parts = (columns[train], outcome[train], arm[train], arms)
            learners = [fit_linear(penalty, *parts).predict(columns[test]) for penalty in penalties]
            trees = max(1, self.settings.trees // 5)
            forests = fit_forests(values[train], outcome[train], arm[train], arms, self.settings, trees, self.seed)
            learners.append(np.column_stack([predict_forest(forest, values[test]) for forest in forests]))
            expected[:, test] = np.asarray(learners)[:, np.arange(len(test)), arm[test]]
        return expected

    def _refit(
        self,
        penalties: list[Penalty],
        columns: np.ndarray,
        values: np.ndarray,
        outcome: np.ndarray,
        arm: np.ndarray,
        refit: int,
    ) -> None:
        arms = len(self.arms_)
        for penalty in penalties:
            self.linear_[penalty.kind].append(fit_linear(penalty, columns, outcome, arm, arms))
        trees = -(-self.settings.trees // self.refits)
        seed = self.seed * 1000 + refit
        self.forests_.append(fit_forests(values, outcome, arm, arms, self.settings, trees, seed))

    def encode(self, features: pl.DataFrame) -> Encoded:
        """Model columns of people."""
        return self.blocks_.transform(features)

    def refit_expected(self, encoded: Encoded) -> np.ndarray:
        """Predict the outcome per refit, person and arm: shape (n_refits, n_people, n_arms), in points."""
        columns = self.inputs_.transform(encoded)
        refits = []
        for place, forests in enumerate(self.forests_):
            learners = [learner[place].predict(columns) for learner in self.linear_.values()]
            learners.append(np.column_stack([predict_forest(forest, encoded.values) for forest in forests]))
            refits.append(np.tensordot(self.shares_, np.asarray(learners), axes=1))
        return np.asarray(np.asarray(refits) + self.baseline_part(encoded.values)[None, :, None])

    def response_probability(self, expected: np.ndarray, baseline: np.ndarray) -> np.ndarray | None:
        """Probability of the study's response under each arm, or None when it names no response rule.

        Parameters
        ----------
        expected : ndarray of shape (n_people, n_arms)
            Expected fall (or value) in points.
        baseline : ndarray of shape (n_people,)
            Baseline in points; NaN where it was not measured. There the probability is the mean over the
            training people's baselines, so nothing is made up about this person's.

        References
        ----------
        Response from the continuous outcome, p = Phi((largest outcome that counts - expected outcome) / residual
        sd), half a step added where outcomes come in steps; then Platt's two-parameter recalibration.
        """
        if self.target.response is None:
            return None
        probability = self._recalibrated(expected, baseline)
        unknown = np.isnan(baseline) & (self.target.kind == "change")
        if unknown.any() and len(self.baselines_):
            sampled = self.baselines_[
                np.linspace(0, len(self.baselines_) - 1, min(50, len(self.baselines_))).astype(int)
            ]
            over = [self._recalibrated(expected[unknown], np.full(unknown.sum(), b)) for b in sampled]
            probability[unknown] = np.mean(over, axis=0)
        return probability

    def _recalibrated(self, expected: np.ndarray, baseline: np.ndarray) -> np.ndarray:
        return recalibrate(self._normal_probability(expected, baseline), self.recalibration_)

    def _normal_probability(self, expected: np.ndarray, baseline: np.ndarray) -> np.ndarray:
        limit = self._largest_response(baseline)
        if self.step_ > 0:
            limit = (np.floor(limit / self.step_ + 1e-9) + 0.5) * self.step_
        outcome = expected if self.target.kind == "continuous" else baseline[:, None] - expected
        return np.asarray(norm.cdf((limit[:, None] - outcome) / self.residual_sd_))

    def _largest_response(self, baseline: np.ndarray) -> np.ndarray:
        """Largest outcome that still counts as a response, in points."""
        rule = self.target.response
        assert rule is not None
        if rule.fall_percent is not None:
            return np.asarray(baseline * (1 - rule.fall_percent / 100))
        if rule.fall_points is not None:
            return np.asarray(baseline - rule.fall_points)
        assert rule.at_most is not None
        return np.full(len(baseline), rule.at_most)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the forests into a folder and return everything else as plain JSON values."""
        for place, forests in enumerate(self.forests_):
            for arm, forest in enumerate(forests):
                forest.save_model(str(folder / f"forest_{place:03d}_{arm}.ubj"))
        return {
            "kind": self.kind,
            "target": self.target.model_dump(),
            "arms": self.arms_,
            "refits": self.refits,
            "seed": self.seed,
            "settings": self.settings.model_dump(),
            "residual_sd": self.residual_sd_,
            "step": self.step_,
            "recalibration": list(self.recalibration_),
            "baseline_line": list(self.line_),
            "learner_shares": self.shares_.tolist(),
            "baselines": self.baselines_.tolist(),
            "blocks": self.blocks_.to_dict(),
            "inputs": self.inputs_.to_dict(),
            "linear": {
                kind: [
                    {"coefficients": one.coefficients.tolist(), "intercepts": one.intercepts.tolist()} for one in refits
                ]
                for kind, refits in self.linear_.items()
            },
        }

    @classmethod
    def load(cls, stored: dict[str, Any], folder: Path) -> ValueModel:
        """Rebuild from what `save` returned and wrote."""
        blocks = FeatureBlocks.from_dict(stored["blocks"])
        target, settings = Target(**stored["target"]), ResponseSettings(**stored["settings"])
        model = cls(target, blocks.settings, settings, stored["refits"], stored["seed"])
        model.arms_ = stored["arms"]
        model.residual_sd_ = stored["residual_sd"]
        model.shares_ = np.asarray(stored["learner_shares"], dtype=float)
        model.step_ = stored["step"]
        model.recalibration_ = (stored["recalibration"][0], stored["recalibration"][1])
        model.line_ = (stored["baseline_line"][0], stored["baseline_line"][1])
        model.baselines_ = np.asarray(stored["baselines"], dtype=float)
        model.blocks_ = blocks
        model.inputs_ = LinearInputs.from_dict(stored["inputs"], blocks.columns_)
        width = len(model.inputs_.columns_)
        model.linear_ = {
            kind: [
                LinearArms(
                    np.asarray(one["coefficients"], dtype=float).reshape(-1, width), np.asarray(one["intercepts"])
                )
                for one in stored["linear"][kind]
            ]
            for kind in LINEAR_KINDS  # not the file's order: shares are in this one
        }
        model.forests_ = [
            [_load_forest(folder / f"forest_{place:03d}_{arm}.ubj") for arm in range(len(model.arms_))]
            for place in range(stored["refits"])
        ]
        return model


def learner_shares(learners: np.ndarray, outcome: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """Share of each learner in the mean: non-negative, adding up to 1, drawn towards equal shares.

    Parameters
    ----------
    learners : ndarray of shape (n_learners, n_people)
        Expected outcomes out of fold.
    outcome, arm : ndarray of shape (n_people,)
        What was observed, and under which arm.

    References
    ----------
    Breiman 1996, Machine Learning 24:49 (stacking with non-negative weights).
    """
    count = len(learners)
    within = outcome.astype(float).copy()
    for a in np.unique(arm):
        within[arm == a] -= within[arm == a].mean()
    size = float(within @ within)
    if size < 1e-12:
        return np.full(count, 1.0 / count)
    pull, sum_up = np.sqrt(_SHARE_PRIOR * size), np.sqrt(1e4 * size)
    design = np.vstack([learners.T, pull * np.eye(count), np.full((1, count), sum_up)])
    shares, _ = nnls(design, np.concatenate([outcome, np.full(count, pull / count), [sum_up]]))
    return np.asarray(shares / shares.sum())


def arms_of(rows: pl.DataFrame, target: Target) -> tuple[list[str | None], np.ndarray]:
    """Arms in alphabetical order and each person's arm index; -1 for a person without one."""
    if target.treatment is None:
        return [None], np.zeros(rows.height, dtype=int)
    received = rows["treatment"].to_list()
    arms: list[str | None] = sorted({arm for arm in received if arm is not None})
    place = {arm: index for index, arm in enumerate(arms)}
    return arms, np.array([place.get(arm, -1) if arm is not None else -1 for arm in received], dtype=int)


def _drawn_within(arm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Positions drawn with replacement, as many from each arm as it has people."""
    places = [np.flatnonzero(arm == a) for a in np.unique(arm)]
    return np.concatenate([rng.choice(inside, size=len(inside), replace=True) for inside in places])


def _load_forest(path: Path) -> xgboost.Booster:
    forest = xgboost.Booster()
    forest.load_model(str(path))
    forest.set_param({"nthread": 1})
    return forest
