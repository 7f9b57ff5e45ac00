"""Chances that a person got each treatment, and that the outcome was observed, given what was known before."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import minimize

from nociomics.models.feature_blocks import FeatureBlocks
from nociomics.models.linear_inputs import LinearInputs
from nociomics.models.logistic_lasso import lasso_path, softmax
from nociomics.models.settings import BlockSettings
from nociomics.models.value_model import Training

OVERLAP = 0.05
FEWEST_LACKING = 10
_FEWEST_PER_LEVEL = 30
# shares of the smallest penalty that leaves no column in, strongest first
_PENALTIES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.13, 0.09, 0.06)
_SLOPES = (0.5, 2.0)
_STEPS, _STEPS_IN_FOLDS = 500, 100
_RISING = 3
_RANDOMISED = "randomised"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Barred:
    """A level of a category at which a treatment was never given, though many people of that level were treated."""

    feature: str
    level: str
    treatment: str


class PropensityModel:
    """Probability of each treatment from what was measured before it, by a multinomial logistic lasso.

    The columns are those of the response models (compressed blocks, medians, marks of missing blocks). The penalty is
    chosen by log loss over the inner folds. (A ridge penalty was tried: on simulated cohorts of 600 its log loss was
    worse, since few traits decide who gets what.) The penalty makes all chances too much alike, and such chances weight
    too little; so the log-odds are stretched by the one factor that the inner folds' held-out people ask for. A
    penalised model never says 0; so a treatment that nobody of a category's level got, among at least 30 treated people
    of it (an arm of one site only), has probability 0 there.

    Parameters
    ----------
    blocks : BlockSettings
        How wide modalities are compressed.

    Attributes
    ----------
    arms_ : list of str
        Treatments in alphabetical order.
    coefficients_ : ndarray of shape (n_arms, n_columns)
        Log-odds per unit of the standardised column.
    intercepts_ : ndarray of shape (n_arms,)
    barred_ : list of Barred
    penalty_ : float
        Chosen, as a share of the smallest penalty that leaves no column in.
    slope_ : float
        Factor by which the penalised log-odds were stretched, 0.5 to 2; ``coefficients_`` hold it already.
    """

    def __init__(self, blocks: BlockSettings | None = None) -> None:
        self.block_settings = blocks or BlockSettings()

    def fit(
        self, features: pl.DataFrame, catalogue: pl.DataFrame, treatment: pl.Series, inner_fold: np.ndarray
    ) -> PropensityModel:
        """Learn from people who got a treatment; the outcome is no part of it.

        Parameters
        ----------
        features, catalogue : DataFrame
            As in `FEATURES` and `FEATURE_CATALOGUE`.
        treatment : Series of str
            Same order; null for a person without a treatment, who only helps to compress blocks.
        inner_fold : ndarray of shape (n_people,)
            Fold for the choice of the penalty.
        """
        self.blocks_ = FeatureBlocks(self.block_settings)
        encoded = self.blocks_.fit_transform(features, catalogue)
        self.inputs_ = LinearInputs().fit(encoded)
        treated = treatment.is_not_null().to_numpy()
        received = treatment.drop_nulls()
        self.arms_ = sorted(received.unique().to_list())
        place = {arm: index for index, arm in enumerate(self.arms_)}
        arm = np.array([place[name] for name in received], dtype=int)
        columns = self.inputs_.transform(encoded)[treated]
        self.penalty_, logits = _chosen_penalty(columns, arm, inner_fold[treated])
        self.slope_ = _stretch(logits, arm, _SLOPES)[0]
        weights, _ = _lasso(columns, arm, len(self.arms_), self.penalty_)
        self.coefficients_ = self.slope_ * weights
        self.intercepts_ = _stretch(columns @ self.coefficients_.T, arm, (1.0, 1.0))[1]
        self.barred_ = self._find_barred(features.filter(pl.Series(treated)), received)
        return self

    def predict(self, features: pl.DataFrame) -> np.ndarray:
        """Probabilities of shape (n_people, n_arms), in the order of ``arms_``; each row adds up to 1."""
        columns = self.inputs_.transform(self.blocks_.transform(features))
        chances = softmax(columns @ self.coefficients_.T + self.intercepts_)
        for bar in self.barred_:
            if bar.feature in features.columns:
                there = (features[bar.feature].cast(pl.String) == bar.level).fill_null(False).to_numpy()
                chances[there, self.arms_.index(bar.treatment)] = 0.0
        total = chances.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(chances, total, out=np.zeros_like(chances), where=total > 0))

    def outside_overlap(self, features: pl.DataFrame, arms: Sequence[str | None]) -> np.ndarray:
        """Say, per person and treatment, whether hardly anyone like them got it (probability below 0.05).

        Parameters
        ----------
        arms : sequence of str
            Order of the answer's columns; a treatment that this model never saw is outside overlap for all.

        Returns
        -------
        ndarray of bool, shape (n_people, len(arms))
        """
        chances = dict(zip(self.arms_, self.predict(features).T, strict=True))
        nobody = np.zeros(features.height)
        return np.column_stack([chances.get(str(arm), nobody) < OVERLAP for arm in arms])

    def covariates(self, features: pl.DataFrame) -> pl.DataFrame:
        """Model columns by name, null where not measured, and marks of missing blocks: what balance is judged on."""
        encoded = self.blocks_.transform(features)
        marks = self.inputs_.transform(encoded)[:, encoded.values.shape[1] :]
        values = np.hstack([encoded.values, marks])
        series = [
            pl.Series(column.name, values[:, place]).fill_nan(None)
            for place, column in enumerate(self.inputs_.columns_)
        ]
        return features.select("patient_id").with_columns(series)

    def to_dict(self) -> dict[str, Any]:
        """Everything learned, as plain JSON values."""
        return {
            "kind": "propensity",
            "arms": self.arms_,
            "overlap": OVERLAP,
            "penalty": self.penalty_,
            "slope": self.slope_,
            "coefficients": self.coefficients_.tolist(),
            "intercepts": self.intercepts_.tolist(),
            "barred": [vars(bar) for bar in self.barred_],
            "blocks": self.blocks_.to_dict(),
            "inputs": self.inputs_.to_dict(),
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> PropensityModel:
        """Rebuild from `to_dict`."""
        blocks = FeatureBlocks.from_dict(stored["blocks"])
        model = cls(blocks.settings)
        model.blocks_, model.inputs_ = blocks, LinearInputs.from_dict(stored["inputs"], blocks.columns_)
        model.arms_, model.penalty_ = list(stored["arms"]), stored["penalty"]
        model.slope_ = stored.get("slope", 1.0)
        shape = (len(model.arms_), len(model.inputs_.columns_))
        model.coefficients_ = np.asarray(stored["coefficients"], dtype=float).reshape(shape)
        model.intercepts_ = np.asarray(stored["intercepts"], dtype=float)
        model.barred_ = [Barred(**bar) for bar in stored["barred"]]
        return model

    def _find_barred(self, features: pl.DataFrame, received: pl.Series) -> list[Barred]:
        found = []
        for name in sorted(self.blocks_.categories_):
            given = pl.DataFrame({"level": features[name].cast(pl.String), "arm": received}).drop_nulls()
            for level, part in sorted(given.group_by("level"), key=lambda group: str(group[0][0])):
                never = sorted(set(self.arms_) - set(part["arm"])) if part.height >= _FEWEST_PER_LEVEL else []
                found += [Barred(name, str(level[0]), arm) for arm in never]
        return found


def load_propensity(stored: dict[str, Any]) -> PropensityModel | None:
    """Rebuild a stored model; None for a study in which everybody was randomised."""
    return PropensityModel.from_dict(stored) if stored["kind"] == "propensity" else None


def is_observational(rows: pl.DataFrame) -> bool:
    """Whether anybody who got one of several treatments is not known to have been randomised."""
    treated = rows.drop_nulls("treatment")
    drawn = (treated["assignment"] == _RANDOMISED).fill_null(False).all()
    return treated["treatment"].n_unique() > 1 and not drawn


def fit_propensity(training: Training, blocks: BlockSettings) -> PropensityModel:
    """Fit the final model on everybody who got a treatment, however it was assigned: who, like whom, got what here."""
    people = training.in_content_order()
    return PropensityModel(blocks).fit(people.features, people.catalogue, people.rows["treatment"], people.inner_fold)


def cross_fitted_propensities(training: Training, splits: pl.DataFrame, blocks: BlockSettings) -> pl.DataFrame:
    """Give everybody the probability of each treatment from people of the other outer folds.

    In a study of both kinds, people who were randomised take the shares of the treatments among the randomised, and
    all others the model of those who were not.

    Parameters
    ----------
    training : Training
        The whole study; its ``inner_fold`` is not used, the splits table is.
    splits : DataFrame
        As in `tables.results.SPLITS`.

    Returns
    -------
    DataFrame, one row per person, repeat and treatment
        As in `tables.results.PROPENSITIES`; no rows when everybody was randomised.
    """
    if not is_observational(training.rows):
        return _no_propensities()
    training = training.in_content_order()
    arms = sorted(training.rows["treatment"].drop_nulls().unique().to_list())
    drawn = (training.rows["assignment"] == _RANDOMISED).fill_null(False).to_numpy()
    frames = []
    for repeat, train, held, inner in _parts(training, splits):
        part = _taken(training, train, inner)
        chances = _observational_chances(part, training.features[held], arms, blocks)
        chances[drawn[held]] = _shares(part.rows, arms)
        frames.append(_long(training.rows["patient_id"][held], repeat, arms, chances))
    _LOG.info("propensities: %d people, %d of them randomised, %d treatments", len(drawn), int(drawn.sum()), len(arms))
    return pl.concat(frames).sort("patient_id", "repeat", "treatment")


def cross_fitted_observation(
    training: Training, splits: pl.DataFrame, blocks: BlockSettings, column: str
) -> pl.DataFrame:
    """Give everybody the probability that the outcome was observed, from people of the other outer folds.

    A logistic model of what was known at baseline and of the treatment, with the penalty chosen by log loss.

    Parameters
    ----------
    column : str
        Column of the target rows that is null where the outcome was not observed.

    Returns
    -------
    DataFrame, one row per person and repeat
        As in `tables.results.OBSERVATION`; no rows when fewer than 10 people lack the outcome, or all do.
    """
    seen = training.rows[column].is_not_null().to_numpy()
    if (~seen).sum() < FEWEST_LACKING or seen.sum() < FEWEST_LACKING:
        return _no_observation()
    training = training.in_content_order()
    arms = sorted(training.rows["treatment"].drop_nulls().unique().to_list())
    frames = []
    for repeat, train, held, inner in _parts(training, splits):
        part = _taken(training, train, inner)
        observed = part.rows[column].is_not_null().to_numpy().astype(int)
        encoder = FeatureBlocks(blocks)
        encoded = encoder.fit_transform(part.features, part.catalogue)
        inputs = LinearInputs().fit(encoded)
        columns = _beside_arm(inputs.transform(encoded), part.rows, arms)
        penalty, _ = _chosen_penalty(columns, observed, part.inner_fold)
        weights, starts = _lasso(columns, observed, 2, penalty)
        new = _beside_arm(inputs.transform(encoder.transform(training.features[held])), training.rows[held], arms)
        chance = softmax(new @ weights.T + starts)[:, 1]
        frames.append(
            pl.DataFrame({"patient_id": training.rows["patient_id"][held], "observed": chance}).with_columns(
                repeat=pl.lit(repeat, pl.Int64)
            )
        )
    _LOG.info("observation: %d of %d people lack the outcome", int((~seen).sum()), seen.size)
    return pl.concat(frames).select("patient_id", "repeat", "observed").sort("patient_id", "repeat")


def _parts(training: Training, splits: pl.DataFrame) -> list[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """Repeat, training people, held-out people and everybody's inner fold, for each outer fold."""
    found = []
    for repeat in sorted(splits["repeat"].unique()):
        folds = training.rows.select("patient_id").join(
            splits.filter(pl.col("repeat") == repeat), on="patient_id", how="left", maintain_order="left"
        )
        outer, inner = folds["outer_fold"].to_numpy(), folds["inner_fold"].to_numpy()
        found += [
            (int(repeat), np.flatnonzero(outer != fold), np.flatnonzero(outer == fold), inner)
            for fold in np.unique(outer)
        ]
    return found


def _taken(training: Training, places: np.ndarray, inner: np.ndarray) -> Training:
    return Training(training.features[places], training.catalogue, training.rows[places], inner[places])


def _observational_chances(part: Training, held: pl.DataFrame, arms: list[str], blocks: BlockSettings) -> np.ndarray:
    """Probabilities (n_held, n_arms) by the people who were not randomised; 0 for an arm that none of them got."""
    chosen = (part.rows["assignment"] != _RANDOMISED).fill_null(True) & part.rows["treatment"].is_not_null()
    chances = np.zeros((held.height, len(arms)))
    if not chosen.any():
        return chances
    places = np.flatnonzero(chosen.to_numpy())
    model = PropensityModel(blocks).fit(
        part.features[places], part.catalogue, part.rows["treatment"][places], part.inner_fold[places]
    )
    chances[:, [arms.index(arm) for arm in model.arms_]] = model.predict(held)
    return chances


def _shares(rows: pl.DataFrame, arms: list[str]) -> np.ndarray:
    drawn = rows.filter((pl.col("assignment") == _RANDOMISED) & pl.col("treatment").is_not_null())
    counts = np.array([(drawn["treatment"] == arm).sum() for arm in arms], dtype=float)
    return np.asarray(counts / max(counts.sum(), 1.0))


def _beside_arm(columns: np.ndarray, rows: pl.DataFrame, arms: list[str]) -> np.ndarray:
    marks = [(rows["treatment"] == arm).fill_null(False).to_numpy().astype(float)[:, None] for arm in arms]
    return np.hstack([columns, *marks])


def _chosen_penalty(columns: np.ndarray, classes: np.ndarray, folds: np.ndarray) -> tuple[float, np.ndarray]:
    """Choose the penalty with the smallest log loss over the inner folds; the strongest when none can tell.

    With the log-odds, at that penalty, of every person by the other folds; 0 where there is no other fold.
    """
    count = int(classes.max()) + 1 if classes.size else 0
    logits = np.zeros((len(_PENALTIES), len(classes), count))
    parts = [(folds != fold, folds == fold) for fold in np.unique(folds)]
    paths = [
        (test, lasso_path(columns[train], classes[train], count, _PENALTIES, _STEPS_IN_FOLDS))
        for train, test in parts
        if train.any()
    ]
    losses: list[float] = []
    for place in range(len(_PENALTIES)):
        for test, path in paths:
            weights, starts = next(path)
            logits[place, test] = columns[test] @ weights.T + starts
        losses.append(_log_loss(logits[place], classes))
        # weak penalties are the slowest, and behind losses that rise none was ever chosen
        if place >= _RISING and losses[-1] > max(losses[-1 - _RISING : -1]):
            break
    best = int(np.argmin(losses))
    return _PENALTIES[best], logits[best]


def _log_loss(logits: np.ndarray, classes: np.ndarray) -> float:
    return float(-np.log(np.maximum(softmax(logits)[np.arange(len(classes)), classes], 1e-12)).sum())


def _stretch(logits: np.ndarray, classes: np.ndarray, slopes: tuple[float, float]) -> tuple[float, np.ndarray]:
    """Find the slope (within limits) and the intercepts under which stretched log-odds fit best.

    Log-odds that tell nobody from anybody keep the slope 1.
    """
    count = logits.shape[1]
    centred = logits - logits.mean(axis=0)
    if not len(classes) or np.ptp(centred, axis=0).max() < 1e-9:
        slopes = (1.0, 1.0)
    # an absent class keeps a small chance, as in the lasso
    seen = (classes[:, None] == np.arange(count)) + 1e-3
    seen /= seen.sum(axis=1, keepdims=True)

    def loss(place: np.ndarray) -> tuple[float, np.ndarray]:
        moved = place[0] * centred + place[1:]
        moved -= moved.max(axis=1, keepdims=True)
        logged = moved - np.log(np.exp(moved).sum(axis=1, keepdims=True))
        off = np.exp(logged) - seen
        slope = np.r_[(off * centred).sum(), off.sum(axis=0)] / len(classes)
        return float(-(seen * logged).sum() / len(classes)), slope

    start = np.r_[1.0, np.log(seen.mean(axis=0))]
    bounds = [slopes, *[(None, None)] * count]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-9}).x
    return float(found[0]), found[1:] - found[0] * logits.mean(axis=0)


def _lasso(columns: np.ndarray, classes: np.ndarray, count: int, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (count, n_columns) and intercepts (count,) at one penalty, reached along the path from the strongest."""
    stronger = tuple(one for one in _PENALTIES if one > penalty)
    return list(lasso_path(columns, classes, count, (*stronger, penalty), _STEPS))[-1]


def _long(patients: pl.Series, repeat: int, arms: list[str], chances: np.ndarray) -> pl.DataFrame:
    frames = [
        pl.DataFrame({"patient_id": patients, "propensity": chances[:, place]}).with_columns(
            repeat=pl.lit(repeat, pl.Int64), treatment=pl.lit(arm)
        )
        for place, arm in enumerate(arms)
    ]
    return pl.concat(frames).select("patient_id", "repeat", "treatment", "propensity")


def _no_propensities() -> pl.DataFrame:
    text, whole, number = pl.String, pl.Int64, pl.Float64
    return pl.DataFrame(schema={"patient_id": text, "repeat": whole, "treatment": text, "propensity": number})


def _no_observation() -> pl.DataFrame:
    return pl.DataFrame(schema={"patient_id": pl.String, "repeat": pl.Int64, "observed": pl.Float64})
