"""Class probabilities under each treatment: penalised logistic models per modality and of all, and boosted trees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.special import softmax

from nociomics.models.boosted_classes import (
    FIRST_SIZES,
    ClassRows,
    ClassTrees,
    fit_class_trees,
    tried_sizes,
    with_own_trees,
)
from nociomics.models.candidates import Candidate, candidates_for, for_so_many
from nociomics.models.class_fusion import Fusion
from nociomics.models.feature_blocks import Encoded, FeatureBlocks
from nociomics.models.scaling import centre_scale
from nociomics.models.settings import BlockSettings, ResponseSettings
from nociomics.models.value_model import Training, arms_of
from nociomics.tables.study import Target

_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_EVERYTHING = 10**9
_TOGETHER = "(all modalities)"
_TREES = "(boosted trees)"


class ClassModel:
    """Predict class probabilities under every treatment.

    Per modality: compressed or raw columns and the penalty are chosen by log loss over the inner folds.
    One more model takes the columns of all modalities together; below 100 people it stands alone.
    Their out-of-fold log-odds are then fused with non-negative weights that are drawn towards
    equal ones. A modality that a person lacks adds nothing to that person's log-odds. Boosted trees of the chosen
    columns are the challenger: they join, or stand alone, only where the people of the other folds say so by more
    than the odds that the table of candidates holds against them.

    Attributes
    ----------
    arms_ : list of str or None
        Treatments in alphabetical order, or ``[None]``.
    classes_ : list of str
        Class names in alphabetical order.
    weights_ : ndarray of shape (n_refits, n_arms, n_columns, n_classes)
        Log-odds per unit of the standardised column; their mean is the model of everybody, each once.
    intercepts_ : ndarray of shape (n_arms, n_classes)
        Log-odds at the training mean.
    trees_ : list of ClassTrees
        Of everybody, then one per bootstrap refit; empty when the trees do not count.
    tree_share_ : float
        What the log-odds of the trees count.
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
        fusion = Fusion(classes[known], arm[known], len(self.arms_), len(self.classes_), training.inner_fold[known])
        chosen = [
            self._choose(fusion, encoder, encoded, modality, known)
            for encoder, encoded, modality in self._forms(training)
        ]
        best = _best_per_modality(chosen)
        self._combine(best, training)
        candidates = self._candidates(len(fusion.classes))
        learners = [one.learner for one in candidates]
        members = best if "late_fusion" in learners else []
        if "plain_l2" in learners and (len(best) > 1 or not members) and best:
            members = [*members, self._everything(fusion, training, known)]
        encoded = self.blocks_.transform(training.features)
        self.lacking_ = np.isnan(encoded.values).any(axis=0)
        rows = ClassRows(self.tree_inputs(encoded)[known], fusion.classes, fusion.arm, fusion.n_classes, fusion.arms)
        boosted = [one for one in candidates if one.learner == "boosted_classes"]
        members = self._challenged(fusion, rows, members, boosted if best else [])
        self.intercepts_, shares = fusion.calibrated(_logits(members))
        self._refit(fusion, members, shares, known, training)
        self._refit_trees(fusion, rows, members, shares)
        return self

    def _challenged(
        self, fusion: Fusion, rows: ClassRows, members: list[dict[str, Any]], boosted: list[Candidate]
    ) -> list[dict[str, Any]]:
        """Let boosted trees join the linear models, or take their place, where that is worth the odds against them.

        Both are judged by the log-likelihood of people whom neither the models nor their shares have seen.
        """
        found = [trees_out_of_fold(fusion, rows, one, self.seed, at_any_price=not members) for one in boosted]
        sets: list[list[dict[str, Any]]] = [members]
        likelihood = [fusion.log_likelihood(_logits(members)) if members else -np.inf]
        for trees in (one for one in found if one is not None):
            for some in ([*members, trees], [trees]):
                sets.append(some)
                likelihood.append(fusion.log_likelihood(_logits(some)) + float(np.log(trees["candidate"].prior)))
        return sets[int(np.argmax(likelihood))]

    def _candidates(self, people: int) -> list[Candidate]:
        """Take the table's lines for so many people; when all ask for more, all of them."""
        return for_so_many(candidates_for(self.target.kind, len(self.arms_), self.settings.candidates), people)

    def _everything(self, fusion: Fusion, training: Training, known: np.ndarray) -> dict[str, Any]:
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
        self, fusion: Fusion, encoder: FeatureBlocks, encoded: Encoded, modality: str, known: np.ndarray
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
        self, fusion: Fusion, members: list[dict[str, Any]], shares: np.ndarray, known: np.ndarray, training: Training
    ) -> None:
        columns = self._inputs(self.blocks_.transform(training.features))[known]
        modality = np.array([column.modality for column in self.blocks_.columns_])
        everybody = np.arange(len(fusion.classes))
        draws = self._draws(fusion)
        whole = np.zeros((len(self.arms_), columns.shape[1], len(self.classes_)))
        self.weights_ = np.zeros((max(len(draws), 1), *whole.shape))
        for choice, share in zip(members, shares, strict=True):
            if share == 0 or choice["modality"] == _TREES:
                continue
            inside = np.flatnonzero((modality == choice["modality"]) | (choice["modality"] == _TOGETHER))
            design = fusion.design(columns[:, inside])
            for place, rows in enumerate([everybody, *draws]):
                own = share * fusion.fit_weights(design, rows, (choice["strength"],))[0]
                (whole if place == 0 else self.weights_[place - 1])[:, inside, :] += own
        # refits tell how uncertain the model is, they are not another one
        self.weights_ += whole - self.weights_.mean(axis=0)

    def _refit_trees(self, fusion: Fusion, rows: ClassRows, members: list[dict[str, Any]], shares: np.ndarray) -> None:
        self.trees_: list[ClassTrees] = []
        self.tree_share_ = 0.0
        for choice, share in zip(members, shares, strict=True):
            if choice["modality"] != _TREES or share == 0:
                continue
            everybody, parameters = np.arange(len(fusion.classes)), choice["candidate"].parameters
            self.tree_share_ = float(share)
            for place, drawn in enumerate([everybody, *self._draws(fusion)]):
                seed = self.seed if place == 0 else self.seed * 1000 + place
                self.trees_.append(fit_class_trees(rows.taken(drawn), choice["size"], parameters, seed))

    def _draws(self, fusion: Fusion) -> list[np.ndarray]:
        """Bootstrap draws of the refits; none for a single refit, which is the model of everybody."""
        if self.refits == 1:
            return []
        return [fusion.drawn(np.random.default_rng([self.seed, refit])) for refit in range(self.refits)]

    def encode(self, features: pl.DataFrame) -> Encoded:
        """Model columns of people."""
        return self.blocks_.transform(features)

    def _inputs(self, encoded: Encoded) -> np.ndarray:
        return np.asarray(np.nan_to_num((encoded.values - self.centre_) / self.scale_))

    def linear_inputs(self, encoded: Encoded) -> np.ndarray:
        """Standardised columns, 0 where not measured: what the log-odds are linear in."""
        return self._inputs(encoded)

    def tree_inputs(self, encoded: Encoded) -> np.ndarray:
        """Columns as the trees read them: NaN where not measured, but the mean where no training person lacked any.

        Trees learn where to send people who lack a value from such people; without any they would send them anywhere.
        """
        return np.where(np.isnan(encoded.values) & ~self.lacking_, self.centre_, encoded.values)

    def probabilities(self, encoded: Encoded) -> np.ndarray:
        """Class probabilities of shape (n_people, n_arms, n_classes)."""
        trees = self.tree_share_ * self.trees_[0].logits(self.tree_inputs(encoded)) if self.trees_ else 0.0
        return np.asarray(softmax(self._linear(encoded, self.weights_.mean(axis=0)) + trees, axis=2))

    def refit_probabilities(self, encoded: Encoded) -> np.ndarray:
        """Class probabilities per refit: shape (n_refits, n_people, n_arms, n_classes).

        Log-odds are moved so that their mean over refits is the model's.
        """
        linear = np.asarray([self._linear(encoded, weights) for weights in self.weights_])
        if self.trees_:
            whole, *drawn = (self.tree_share_ * one.logits(self.tree_inputs(encoded)) for one in self.trees_)
            linear += whole + (np.asarray(drawn) - np.mean(drawn, axis=0) if drawn else 0.0)
        return np.asarray(softmax(linear, axis=3))

    def _linear(self, encoded: Encoded, weights: np.ndarray) -> np.ndarray:
        return np.asarray(np.einsum("nq,aqc->nac", self._inputs(encoded), weights) + self.intercepts_)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the trees, if they count, into a folder and return everything else as plain JSON values."""
        trees = [one.save(folder, f"class_trees_{place:03d}") for place, one in enumerate(self.trees_)]
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
            "trees": trees,
            "tree_share": self.tree_share_,
            "lacking": self.lacking_.tolist(),
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
        model.trees_ = [
            ClassTrees.load(one, folder, f"class_trees_{place:03d}") for place, one in enumerate(stored["trees"])
        ]
        model.tree_share_ = float(stored["tree_share"])
        model.lacking_ = np.asarray(stored["lacking"], dtype=bool)
        return model


def _strength(fusion: Fusion, columns: np.ndarray) -> dict[str, Any]:
    """Choose the penalty by log loss over the inner folds."""
    tried = fusion.out_of_fold(columns, _STRENGTHS)
    losses = [fusion.log_loss(logits) for logits in tried]
    best = int(np.argmin(losses))
    return {"strength": _STRENGTHS[best], "out_of_fold": tried[best], "loss": losses[best]}


def trees_out_of_fold(
    fusion: Fusion, rows: ClassRows, candidate: Candidate, seed: int, *, at_any_price: bool
) -> dict[str, Any] | None:
    """Choose the number of trees by log loss.

    None when the first of them, alone, are not worth the odds against them: no more are grown then.
    """
    best, least = None, np.inf
    if not at_any_price:
        nothing = fusion.log_loss(np.zeros((len(fusion.classes), fusion.n_classes)))
        least = nothing + float(np.log(candidate.prior)) / len(fusion.classes)
    for tried, (size, logits) in enumerate(tried_sizes(rows, fusion.folds, candidate.parameters, seed), 1):
        loss = fusion.log_loss(logits)
        if loss < least:
            best, least = (size, logits), loss
        if tried == FIRST_SIZES and best is None:
            return None
    if best is None:
        return None
    if rows.arms > 1:
        own = with_own_trees(rows, fusion.folds, best[0], candidate.parameters, seed)
        best = own if fusion.log_loss(own[1]) < least else best
    return {"modality": _TREES, "size": best[0], "out_of_fold": best[1], "candidate": candidate}


@dataclass(frozen=True)
class ClassesAlone:
    """Log-odds of classes by one candidate, without treatments: of weights or of trees, times what they count."""

    intercepts: np.ndarray
    weights: np.ndarray
    trees: ClassTrees | None
    share: float

    def __call__(self, columns: np.ndarray) -> np.ndarray:
        """Return log-odds of shape (n_people, n_classes)."""
        own = self.trees.logits(columns)[:, 0] if self.trees is not None else columns @ self.weights
        return np.asarray(self.intercepts + self.share * own)


def fit_classes_alone(candidate: Candidate, rows: ClassRows, folds: np.ndarray, seed: int) -> ClassesAlone:
    """Fit one candidate without treatments.

    Parameters
    ----------
    rows : ClassRows
        Standardised columns, nothing missing; one arm.
    folds : ndarray of shape (n_people,)
        Inner fold, for the penalty or the number of trees.
    """
    fusion = Fusion(rows.classes, rows.arm, 1, rows.n_classes, folds)
    weights, trees = np.zeros((rows.values.shape[1], rows.n_classes)), None
    if candidate.learner == "boosted_classes":
        chosen = trees_out_of_fold(fusion, rows, candidate, seed, at_any_price=True)
        assert chosen is not None
        trees = fit_class_trees(rows, chosen["size"], candidate.parameters, seed)
    else:
        chosen = _strength(fusion, rows.values)
        everybody = np.arange(len(rows.classes))
        weights = fusion.fit_weights(fusion.design(rows.values), everybody, (chosen["strength"],))[0][0]
    intercepts, shares = fusion.fuse([chosen["out_of_fold"]])
    return ClassesAlone(intercepts[0], weights, trees, float(shares[0]))


def _logits(members: list[dict[str, Any]]) -> list[np.ndarray]:
    return [one["out_of_fold"] for one in members]


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
