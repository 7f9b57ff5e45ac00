"""Expected change or value under each treatment: the candidates of the table, each with the share that it earned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.special import ndtr

from nociomics.models.arm_learners import ArmData, ArmFunction, expected_of, load_function
from nociomics.models.block_arms import factor_weights
from nociomics.models.candidates import Tuned, candidates_for, fit, for_so_many, tune
from nociomics.models.feature_blocks import Encoded, FeatureBlocks
from nociomics.models.linear_inputs import LinearInputs
from nociomics.models.people_order import content_order
from nociomics.models.recalibration import fit_recalibration, outcome_step, recalibrate
from nociomics.models.settings import BlockSettings, ResponseSettings
from nociomics.models.shares import combined, level_and_effect_shares
from nociomics.models.spread import Spread, fit_spread
from nociomics.tables.study import Target

_FACTORS = 4
# of a model's trees: enough to tell, out of fold, what the forest counts
_TREES_TO_WEIGH = 0.1


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

    def in_content_order(self) -> Training:
        """Put people into the order of their content; any of them taken in that order stand so too."""
        order = content_order(self.features.hstack(self.rows.drop("patient_id")))
        return Training(self.features[order], self.catalogue, self.rows[order], self.inner_fold[order])


class ValueModel:
    """Predict a change or a value in outcome points under every treatment.

    For a change, its line on the baseline is fitted first and without penalty, as a trial's analysis would:
    a penalised baseline biases who passes a threshold that moves with it. The candidates of the table then
    share the rest, level and differences between arms apart, by their errors out of inner fold. Each refit
    draws people with replacement within their arm; the spread over refits makes the intervals of effects. The
    prediction itself comes from everybody, each once.

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
    learners_ : list of str
        Names of the candidates that count.
    level_shares_, effect_shares_ : ndarray of shape (n_learners,)
        What each counts in the mean over arms, and in the differences from it.
    whole_ : list of LinearArms or TreeArms
        Per learner, from everybody once.
    functions_ : list of list of LinearArms or TreeArms
        Per bootstrap refit and learner; empty for a single refit.
    spread_ : Spread
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
        self.blocks_ = FeatureBlocks(self.block_settings, kept)
        encoded = self.blocks_.fit_transform(training.features, training.catalogue)
        self.inputs_ = LinearInputs().fit(encoded)
        outcome = training.rows["response_value"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        self.arms_, arm = arms_of(training.rows, self.target)
        known = ~np.isnan(outcome) & (arm >= 0)
        self.line_ = self._baseline_line(encoded.values[known], outcome[known], arm[known])
        rest = outcome - self.baseline_part(encoded.values)
        self._learn(self._data(training, encoded, rest, arm).taken(np.flatnonzero(known)))
        self._learn_response(
            training.rows.filter(known), self.inner_expected_ + self.baseline_part(encoded.values[known])
        )
        return self

    def _learn_response(self, rows: pl.DataFrame, expected: np.ndarray) -> None:
        """Learn spread, the outcome's smallest step and the response's recalibration, from predictions out of fold."""
        baseline = rows["baseline"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        outcome = rows["response_value"].cast(pl.Float64).to_numpy()
        self.spread_ = fit_spread(outcome - expected, baseline)
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

    def _data(self, training: Training, encoded: Encoded, outcome: np.ndarray, arm: np.ndarray) -> ArmData:
        columns = self.inputs_.transform(encoded)
        modality = np.array([column.modality for column in self.inputs_.columns_])
        block = np.unique(modality, return_inverse=True)[1] if len(modality) else np.zeros(0, dtype=int)
        standard = (encoded.values - self.inputs_.centre_) / self.inputs_.scale_
        factors = factor_weights(standard, columns.shape[1], _FACTORS)
        by_chance = not (training.rows["assignment"] == "observational").any()
        return ArmData(
            columns,
            encoded.values,
            outcome,
            arm,
            training.inner_fold,
            len(self.arms_),
            block,
            factors,
            by_chance,
        )

    def _learn(self, data: ArmData) -> None:
        fitting = candidates_for(self.target.kind, data.arms, self.settings.candidates)
        candidates = for_so_many(fitting, len(data.outcome))
        if data.columns.shape[1] == 0:
            candidates = candidates[:1]  # without columns each of them is the arms' means
        tuned = [tune(one, data) for one in candidates]
        learners = self._out_of_fold(tuned, data)
        level, effect = level_and_effect_shares(
            learners, data.outcome, data.arm, np.array([one.candidate.prior for one in tuned])
        )
        self.inner_expected_ = data.received(combined(learners, level, effect))
        used = np.flatnonzero((level > 0) | (effect > 0))
        kept = [tuned[place] for place in used]
        self.level_shares_, self.effect_shares_ = level[used], effect[used]
        self.learners_ = [one.candidate.name for one in kept]
        everybody = np.arange(len(data.arm))
        # a model of one fold only predicts: a quarter of the trees tell nearly the same
        trees = self.settings.trees if self.refits > 1 else -(-self.settings.trees // 4)
        self.whole_ = self._fitted(kept, data, everybody, trees, self.seed)
        self.functions_ = [self._refitted(kept, data, refit) for refit in range(self.refits if self.refits > 1 else 0)]

    def _out_of_fold(self, tuned: list[Tuned], data: ArmData) -> np.ndarray:
        """Predict (n_learners, n_people, n_arms) from the other inner folds."""
        expected = np.zeros((len(tuned), len(data.outcome), data.arms))
        trees = max(1, round(self.settings.trees * _TREES_TO_WEIGH))
        for fold in np.unique(data.folds):
            train, test = np.flatnonzero(data.folds != fold), np.flatnonzero(data.folds == fold)
            part = data.taken(train)
            for place, one in enumerate(tuned):
                function = fit(one, part, self.settings, trees, self.seed)
                expected[place, test] = expected_of(function, data.columns[test], data.values[test])
        return expected

    def _refitted(self, tuned: list[Tuned], data: ArmData, refit: int) -> list[ArmFunction]:
        drawn = _drawn_within(data.arm, np.random.default_rng([self.seed, refit]))
        return self._fitted(tuned, data, drawn, -(-self.settings.trees // self.refits), self.seed * 1000 + refit)

    def _fitted(self, tuned: list[Tuned], data: ArmData, rows: np.ndarray, trees: int, seed: int) -> list[ArmFunction]:
        part = data.taken(rows)
        return [fit(one, part, self.settings, trees, seed) for one in tuned]

    def encode(self, features: pl.DataFrame) -> Encoded:
        """Model columns of people."""
        return self.blocks_.transform(features)

    def expected(self, encoded: Encoded) -> np.ndarray:
        """Predict the outcome per person and arm, in points: shape (n_people, n_arms)."""
        columns = self.inputs_.transform(encoded)
        return np.asarray(self._combined(self.whole_, columns, encoded) + self.baseline_part(encoded.values)[:, None])

    def refit_expected(self, encoded: Encoded) -> np.ndarray:
        """Predict the outcome per refit, person and arm: shape (n_refits, n_people, n_arms), in points.

        Refits are moved so that their mean is the prediction: they tell how uncertain it is, not another one.
        """
        expected = self.expected(encoded)
        if not self.functions_:
            return expected[None]
        columns = self.inputs_.transform(encoded)
        refits = np.asarray([self._combined(functions, columns, encoded) for functions in self.functions_])
        return np.asarray(refits - refits.mean(axis=0) + expected)

    def _combined(self, functions: list[ArmFunction], columns: np.ndarray, encoded: Encoded) -> np.ndarray:
        learners = np.asarray([expected_of(one, columns, encoded.values) for one in functions])
        return combined(learners, self.level_shares_, self.effect_shares_)

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
        Response from the continuous outcome, p = Phi((largest outcome that counts - expected outcome) / spread at the
        baseline), half a step added where outcomes come in steps; then Platt's two-parameter recalibration.
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
        return np.asarray(ndtr((limit[:, None] - outcome) / self.spread_.at(baseline)[:, None]))

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
        """Write the trees into a folder and return everything else as plain JSON values."""
        fits = {"whole": self.whole_} | {f"{refit:03d}": fitted for refit, fitted in enumerate(self.functions_)}
        functions = {
            which: {name: one.save(folder, f"{name}_{which}") for name, one in zip(self.learners_, fitted, strict=True)}
            for which, fitted in fits.items()
        }
        return {
            "kind": self.kind,
            "target": self.target.model_dump(),
            "arms": self.arms_,
            "refits": self.refits,
            "seed": self.seed,
            "settings": self.settings.model_dump(),
            "spread": self.spread_.to_dict(),
            "step": self.step_,
            "recalibration": list(self.recalibration_),
            "baseline_line": list(self.line_),
            "learners": self.learners_,
            "level_shares": self.level_shares_.tolist(),
            "effect_shares": self.effect_shares_.tolist(),
            "baselines": self.baselines_.tolist(),
            "blocks": self.blocks_.to_dict(),
            "inputs": self.inputs_.to_dict(),
            "functions": functions,
        }

    @classmethod
    def load(cls, stored: dict[str, Any], folder: Path) -> ValueModel:
        """Rebuild from what `save` returned and wrote."""
        blocks = FeatureBlocks.from_dict(stored["blocks"])
        target, settings = Target(**stored["target"]), ResponseSettings(**stored["settings"])
        model = cls(target, blocks.settings, settings, stored["refits"], stored["seed"])
        model.arms_ = stored["arms"]
        model.spread_ = Spread.from_dict(stored["spread"])
        model.learners_ = list(stored["learners"])
        model.level_shares_ = np.asarray(stored["level_shares"], dtype=float)
        model.effect_shares_ = np.asarray(stored["effect_shares"], dtype=float)
        model.step_ = stored["step"]
        model.recalibration_ = (stored["recalibration"][0], stored["recalibration"][1])
        model.line_ = (stored["baseline_line"][0], stored["baseline_line"][1])
        model.baselines_ = np.asarray(stored["baselines"], dtype=float)
        model.blocks_ = blocks
        model.inputs_ = LinearInputs.from_dict(stored["inputs"], blocks.columns_)
        fits = {
            which: [load_function(fitted[name], folder, f"{name}_{which}") for name in model.learners_]
            for which, fitted in sorted(stored["functions"].items())
        }
        model.whole_ = fits.pop("whole")
        model.functions_ = list(fits.values())
        return model


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
