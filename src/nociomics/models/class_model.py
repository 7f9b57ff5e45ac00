"""Class probabilities under each treatment: penalised logistic models per modality and of all, fused with weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from nociomics.models.candidates import Candidate, candidates_for
from nociomics.models.feature_blocks import Encoded, FeatureBlocks
from nociomics.models.scaling import centre_scale
from nociomics.models.settings import BlockSettings, ResponseSettings
from nociomics.models.value_model import Training, arms_of
from nociomics.tables.study import Target

_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_EVERYTHING = 10**9
_TOGETHER = "(all modalities)"
# log-odds of arms lie about half a unit apart: with a few events in each, their differences are mostly chance
_ARMS_APART = 0.5
# the factor of fused log-odds lies near 1; then it is shrunk by what choosing forms, penalties and shares promised
_FACTOR_SD, _EXACT, _CHOSEN_PER_MODALITY = 0.3, 1e-3, 1.0


class ClassModel:
    """Predict class probabilities under every treatment.

    Per modality: compressed or raw columns and the penalty are chosen by log loss over the inner folds.
    One more model takes the columns of all modalities together; below 100 people it stands alone.
    Their out-of-fold log-odds are then fused with non-negative weights that are drawn towards
    equal ones. A modality that a person lacks adds nothing to that person's log-odds.

    Attributes
    ----------
    arms_ : list of str or None
        Treatments in alphabetical order, or ``[None]``.
    classes_ : list of str
        Class names in alphabetical order.
    weights_ : ndarray of shape (n_refits, n_arms, n_columns, n_classes)
        Log-odds per unit of the standardised column.
    intercepts_ : ndarray of shape (n_arms, n_classes)
        Log-odds at the training mean.
    """

    kind = "class"

    def __init__(
        self, target: Target, blocks: BlockSettings, settings: ResponseSettings, refits: int, seed: int
    ) -> None:
        self.target, self.block_settings, self.settings = target, blocks, settings
        self.refits, self.seed = refits, seed

    def fit(self, training: Training) -> ClassModel:
        """Learn blocks from everybody, and classes from those who have one."""
        labels = training.rows["label"].to_list()
        self.classes_ = sorted({label for label in labels if label is not None})
        self.arms_, arm = arms_of(training.rows, self.target)
        place = {label: index for index, label in enumerate(self.classes_)}
        known = np.array([label is not None for label in labels]) & (arm >= 0)
        classes = np.array([place.get(label, -1) for label in labels])
        fusion = _Fusion(classes[known], arm[known], len(self.arms_), len(self.classes_), training.inner_fold[known])
        chosen = [
            self._choose(fusion, encoder, encoded, modality, known)
            for encoder, encoded, modality in self._forms(training)
        ]
        best = _best_per_modality(chosen)
        self._combine(best, training)
        names = [candidate.name for candidate in self._candidates(len(fusion.classes))]
        members = best if "late_fusion" in names or not best else []
        if "plain_l2" in names and (len(best) > 1 or not members) and best:
            members = [*members, self._everything(fusion, training, known)]
        self.intercepts_, shares = fusion.calibrated([choice["out_of_fold"] for choice in members])
        self._refit(fusion, members, shares, known, training)
        return self

    def _candidates(self, people: int) -> list[Candidate]:
        """Take the table's lines for so many people; when all ask for more, all of them."""
        fitting = candidates_for(self.target.kind, len(self.arms_), self.settings.candidates)
        enough = [one for one in fitting if people >= one.parameters.get("fewest", 0)]
        return enough or fitting

    def _everything(self, fusion: _Fusion, training: Training, known: np.ndarray) -> dict[str, Any]:
        """One penalised model of the chosen columns of all modalities together."""
        columns = self._inputs(self.blocks_.transform(training.features))[known]
        return {"modality": _TOGETHER, **_strength(fusion, columns)}

    def _forms(self, training: Training) -> list[tuple[FeatureBlocks, Encoded, str]]:
        raw = self.block_settings.model_copy(update={"raw_up_to": _EVERYTHING})
        forms: list[tuple[FeatureBlocks, Encoded, str, bool]] = []
        for settings in (self.block_settings, raw):
            encoder = FeatureBlocks(settings)
            encoded = encoder.fit_transform(training.features, training.catalogue)
            for modality in sorted({column.modality for column in encoder.columns_}):
                wide = any(part.loadings is not None for part in encoder.parts_ if part.modality == modality)
                repeats_compressed = settings is raw and any(m == modality and not w for *_, m, w in forms)
                if not repeats_compressed:
                    forms.append((encoder, encoded, modality, wide))
        return [form[:3] for form in forms]

    def _choose(
        self, fusion: _Fusion, encoder: FeatureBlocks, encoded: Encoded, modality: str, known: np.ndarray
    ) -> dict[str, Any]:
        columns = _standardised(_only(encoded, modality))[known]
        return {"modality": modality, "encoder": encoder, **_strength(fusion, columns)}

    def _combine(self, best: list[dict[str, Any]], training: Training) -> None:
        """Make one encoder of the chosen form of each modality."""
        blocks = FeatureBlocks(self.block_settings)
        blocks.parts_ = [p for choice in best for p in choice["encoder"].parts_ if p.modality == choice["modality"]]
        blocks.categories_ = {
            name: entry
            for choice in best
            for name, entry in choice["encoder"].categories_.items()
            if entry[0] == choice["modality"]
        }
        blocks.columns_ = tuple(blocks._columns())
        self.blocks_ = blocks
        values = blocks.transform(training.features).values
        self.centre_, self.scale_ = centre_scale(values)

    def _refit(
        self, fusion: _Fusion, best: list[dict[str, Any]], shares: np.ndarray, known: np.ndarray, training: Training
    ) -> None:
        columns = self._inputs(self.blocks_.transform(training.features))[known]
        modality = np.array([column.modality for column in self.blocks_.columns_])
        self.weights_ = np.zeros((self.refits, len(self.arms_), columns.shape[1], len(self.classes_)))
        drawn = [fusion.drawn(np.random.default_rng([self.seed, refit])) for refit in range(self.refits)]
        for choice, share in zip(best, shares, strict=True):
            if share == 0:
                continue
            inside = np.flatnonzero((modality == choice["modality"]) | (choice["modality"] == _TOGETHER))
            design = fusion.design(columns[:, inside])
            for refit, rows in enumerate(drawn):
                own = fusion.fit_weights(design, rows, (choice["strength"],))
                self.weights_[refit][:, inside, :] += share * own[0]

    def encode(self, features: pl.DataFrame) -> Encoded:
        """Model columns of people."""
        return self.blocks_.transform(features)

    def _inputs(self, encoded: Encoded) -> np.ndarray:
        return np.asarray(np.nan_to_num((encoded.values - self.centre_) / self.scale_))

    def linear_inputs(self, encoded: Encoded) -> np.ndarray:
        """Standardised columns, 0 where not measured: what the log-odds are linear in."""
        return self._inputs(encoded)

    def probabilities(self, encoded: Encoded) -> np.ndarray:
        """Class probabilities of shape (n_people, n_arms, n_classes), from log-odds averaged over refits."""
        return self._probabilities(encoded, self.weights_.mean(axis=0))

    def refit_probabilities(self, encoded: Encoded) -> np.ndarray:
        """Class probabilities per refit: shape (n_refits, n_people, n_arms, n_classes)."""
        return np.asarray([self._probabilities(encoded, weights) for weights in self.weights_])

    def _probabilities(self, encoded: Encoded, weights: np.ndarray) -> np.ndarray:
        logits = np.einsum("nq,aqc->nac", self._inputs(encoded), weights) + self.intercepts_
        return np.asarray(softmax(logits, axis=2))

    def save(self, folder: Path) -> dict[str, Any]:
        """Return everything as plain JSON values; nothing is written into the folder."""
        return {
            "kind": self.kind,
            "target": self.target.model_dump(),
            "arms": self.arms_,
            "classes": self.classes_,
            "refits": self.refits,
            "seed": self.seed,
            "settings": self.settings.model_dump(),
            "blocks": self.blocks_.to_dict(),
            "centre": self.centre_.tolist(),
            "scale": self.scale_.tolist(),
            "weights": self.weights_.tolist(),
            "intercepts": self.intercepts_.tolist(),
        }

    @classmethod
    def load(cls, stored: dict[str, Any], folder: Path) -> ClassModel:
        """Rebuild from what `save` returned."""
        blocks = FeatureBlocks.from_dict(stored["blocks"])
        target, settings = Target(**stored["target"]), ResponseSettings(**stored["settings"])
        model = cls(target, blocks.settings, settings, stored["refits"], stored["seed"])
        model.arms_, model.classes_, model.blocks_ = stored["arms"], stored["classes"], blocks
        model.centre_, model.scale_ = np.asarray(stored["centre"]), np.asarray(stored["scale"])
        shape = (stored["refits"], len(model.arms_), len(blocks.columns_), len(model.classes_))
        model.weights_ = np.asarray(stored["weights"], dtype=float).reshape(shape)
        model.intercepts_ = np.asarray(stored["intercepts"], dtype=float)
        return model


@dataclass(frozen=True)
class _Design:
    """What a logistic model of some columns is fitted to: people's rows, and the way back to ``width`` columns."""

    rotated: np.ndarray
    unrotated: Callable[[np.ndarray], np.ndarray]
    width: int


class _Fusion:
    """The people with a class, and what is fitted to them."""

    def __init__(self, classes: np.ndarray, arm: np.ndarray, arms: int, n_classes: int, folds: np.ndarray) -> None:
        self.classes, self.arm, self.arms, self.n_classes, self.folds = classes, arm, arms, n_classes, folds

    def out_of_fold(self, columns: np.ndarray, strengths: tuple[float, ...]) -> list[np.ndarray]:
        """Log-odds (n_people, n_classes) of each inner fold from the other folds, without intercepts, per strength."""
        logits = [np.zeros((len(self.classes), self.n_classes)) for _ in strengths]
        design = self.design(columns)
        for fold in np.unique(self.folds):
            train, test = np.flatnonzero(self.folds != fold), np.flatnonzero(self.folds == fold)
            for place, weights in enumerate(self.fit_weights(design, train, strengths)):
                logits[place][test] = np.einsum("nq,nqc->nc", columns[test], weights[self.arm[test]])
        return logits

    def design(self, columns: np.ndarray) -> _Design:
        """Columns, columns per arm and marks of the arms, in as few dimensions as there are people.

        An L2 penalty is the same in the columns' own row space, where a wide matrix becomes narrow; everybody's space
        holds that of any of them, so folds and refits share it.
        """
        parts = [columns]
        if self.arms > 1:
            parts += [columns * (self.arm == a)[:, None] for a in range(self.arms)]
            parts.append(5.0 * (self.arm[:, None] == np.arange(self.arms)))  # barely penalised
        wide = np.hstack(parts)
        if wide.shape[1] <= len(wide):
            return _Design(wide, np.asarray, columns.shape[1])
        # by the products of people: far less work than taking the wide matrix itself apart
        squares, left = np.linalg.eigh(wide @ wide.T)
        kept = squares > 1e-10 * max(float(squares[-1]), 1e-300)
        singular, left = np.sqrt(squares[kept]), left[:, kept]
        return _Design(left * singular, lambda own: np.asarray(((own / singular) @ left.T) @ wide), columns.shape[1])

    def fit_weights(self, design: _Design, rows: np.ndarray, strengths: tuple[float, ...]) -> list[np.ndarray]:
        """Penalised logistic weights of shape (n_arms, n_columns, n_classes) from the given people, per strength."""
        width = design.width
        if width == 0 or len(np.unique(self.classes[rows])) < self.n_classes:
            return [np.zeros((self.arms, width, self.n_classes)) for _ in strengths]
        from sklearn.linear_model import LogisticRegression

        rotated = design.rotated[rows]
        found = []
        # where penalties are only compared, the last digits do not count; one more step of Newton would add many
        tolerance = 1e-3 if len(strengths) > 1 else 1e-4
        model = LogisticRegression(solver="newton-cholesky", warm_start=True, tol=tolerance)
        for strength in strengths:
            own = model.set_params(C=strength).fit(rotated, self.classes[rows]).coef_
            own = design.unrotated(own)
            found.append(self._per_arm(np.vstack([np.zeros_like(own), own]) if self.n_classes == 2 else own, width))
        return found

    def _per_arm(self, coefficients: np.ndarray, width: int) -> np.ndarray:
        weights = np.repeat(coefficients[None, :, :width], self.arms, axis=0)
        if self.arms > 1:
            for a in range(self.arms):
                weights[a] += coefficients[:, (a + 1) * width : (a + 2) * width]
        return np.asarray(weights.transpose(0, 2, 1))

    def log_loss(self, logits: np.ndarray) -> float:
        """Log loss of one modality's log-odds beside class and arm intercepts fitted to them."""
        intercepts, shares = self.fuse([logits])
        return self._loss(intercepts[self.arm] + shares[0] * logits)

    def fuse(self, modalities: list[np.ndarray], centre: float = 1.0, sd: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """Fit intercepts (n_arms, n_classes) and one non-negative weight per modality to out-of-fold log-odds."""
        count = len(modalities)
        free = self.arms * self.n_classes
        stacked = np.asarray(modalities).reshape(count, len(self.classes), self.n_classes)
        prior = np.full(count, centre / max(count, 1))

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            intercepts = parameters[:free].reshape(self.arms, self.n_classes)
            shares = parameters[free:]
            logits = intercepts[self.arm] + np.tensordot(shares, stacked, axes=1)
            error = softmax(logits, axis=1)
            error[np.arange(len(self.classes)), self.classes] -= 1
            slope = np.zeros((self.arms, self.n_classes))
            np.add.at(slope, self.arm, error)
            towards = np.einsum("mnc,nc->m", stacked, error) + (shares - prior) / sd**2
            value = self._loss(logits) * len(self.classes) + 0.5 * np.sum((shares - prior) ** 2) / sd**2
            apart = (intercepts - intercepts.mean(axis=0)) / _ARMS_APART**2
            value += 0.5e-3 * np.sum(intercepts**2) + 0.5 * np.sum(apart * intercepts)
            return value, np.concatenate([(slope + 1e-3 * intercepts + apart).ravel(), towards])

        start = np.concatenate([np.zeros(free), prior])
        bounds = [(None, None)] * free + [(0.0, None)] * count
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
        return found.x[:free].reshape(self.arms, self.n_classes), found.x[free:]

    def calibrated(self, modalities: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Fuse, and bring all shares to one temperature that makes the log-odds as sure as they should be.

        Shares of people who helped to find them promise too much. So each inner fold is fused by the shares of the
        other folds, and one factor is fitted to these log-odds. Forms and penalties were still chosen on everybody:
        the factor is shrunk by chi2 / (chi2 + number of modalities), chi2 being what the log-odds explain.

        References
        ----------
        Van Houwelingen & Le Cessie 1990, Statistics in Medicine 9:1303 (heuristic shrinkage), in a form that stays
        above 0.
        """
        shares = self.fuse(modalities)[1]
        if not len(shares):
            return self.fuse(modalities)
        fused = np.zeros((len(self.classes), self.n_classes))
        for fold in np.unique(self.folds):
            rest, here = np.flatnonzero(self.folds != fold), np.flatnonzero(self.folds == fold)
            own = shares
            if len(np.unique(self.classes[rest])) == self.n_classes:
                part = _Fusion(self.classes[rest], self.arm[rest], self.arms, self.n_classes, self.folds[rest])
                own = part.fuse([one[rest] for one in modalities])[1]
            fused[here] = np.tensordot(own, np.asarray([one[here] for one in modalities]), axes=1)
        factor = float(self.fuse([fused], 1.0, _FACTOR_SD)[1][0])
        intercepts, _ = self.fuse([fused], 0.0, _EXACT)
        with_it, _ = self.fuse([fused], factor, _EXACT)
        explained = self._loss(intercepts[self.arm]) - self._loss(with_it[self.arm] + factor * fused)
        chi2 = max(2 * len(self.classes) * explained, 0.0)
        factor *= chi2 / (chi2 + _CHOSEN_PER_MODALITY * len(shares))
        return self.fuse([fused], factor, _EXACT)[0], factor * shares

    def drawn(self, rng: np.random.Generator) -> np.ndarray:
        """People drawn with replacement within arm and class."""
        cells = self.arm * self.n_classes + self.classes
        places = [np.flatnonzero(cells == cell) for cell in np.unique(cells)]
        return np.concatenate([rng.choice(inside, size=len(inside), replace=True) for inside in places])

    def _loss(self, logits: np.ndarray) -> float:
        return float(-np.mean(log_softmax(logits, axis=1)[np.arange(len(self.classes)), self.classes]))


def _strength(fusion: _Fusion, columns: np.ndarray) -> dict[str, Any]:
    """Choose the penalty by log loss over the inner folds."""
    tried = fusion.out_of_fold(columns, _STRENGTHS)
    losses = [fusion.log_loss(logits) for logits in tried]
    best = int(np.argmin(losses))
    return {"strength": _STRENGTHS[best], "out_of_fold": tried[best], "loss": losses[best]}


def fit_classes_alone(
    columns: np.ndarray, classes: np.ndarray, n_classes: int, folds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit one penalised logistic model without treatments: weights (n_columns, n_classes) and intercepts (n_classes,).

    Parameters
    ----------
    columns : ndarray of shape (n_people, n_columns)
        Standardised, nothing missing.
    classes, folds : ndarray of shape (n_people,)
        Number of each person's class; inner fold for the penalty.
    """
    fusion = _Fusion(classes, np.zeros(len(classes), dtype=int), 1, n_classes, folds)
    chosen = _strength(fusion, columns)
    intercepts, shares = fusion.fuse([chosen["out_of_fold"]])
    weights = fusion.fit_weights(fusion.design(columns), np.arange(len(classes)), (chosen["strength"],))[0][0]
    return shares[0] * weights, intercepts[0]


def _only(encoded: Encoded, modality: str) -> np.ndarray:
    inside = [place for place, column in enumerate(encoded.columns) if column.modality == modality]
    return encoded.values[:, inside]


def _standardised(values: np.ndarray) -> np.ndarray:
    centre, scale = centre_scale(values)
    return np.asarray(np.nan_to_num((values - centre) / scale))


def _best_per_modality(chosen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    best: dict[str, dict[str, Any]] = {}
    for choice in chosen:
        kept = best.get(choice["modality"])
        if kept is None or choice["loss"] < kept["loss"] - 1e-9:
            best[choice["modality"]] = choice
    return [best[name] for name in sorted(best)]
