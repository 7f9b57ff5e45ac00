"""Patient strata: factor scores over compressed blocks, then a Gaussian mixture that may find one stratum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from nociomics.models.factors import Factors, fit_factors
from nociomics.models.feature_blocks import FeatureBlocks
from nociomics.models.people_order import content_order
from nociomics.models.scaling import centre_scale
from nociomics.models.settings import BlockSettings, StrataSettings

_STRONG = 10.0
_INPUT_MODALITIES = ("questionnaires", "biomarkers", "expression")


@dataclass(frozen=True)
class Mixture:
    """A full-covariance Gaussian mixture on factor scores."""

    shares: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    def log_density(self, scores: np.ndarray) -> np.ndarray:
        """Log of share times density: shape (n_people, k)."""
        columns = []
        for share, mean, covariance in zip(self.shares, self.means, self.covariances, strict=True):
            distance = self._squared_distance(scores, mean, covariance)
            _, log_determinant = np.linalg.slogdet(covariance)
            columns.append(np.log(share) - 0.5 * (distance + log_determinant + scores.shape[1] * np.log(2 * np.pi)))
        return np.column_stack(columns)

    def membership(self, scores: np.ndarray) -> np.ndarray:
        """Posterior probability of each stratum: shape (n_people, k)."""
        log = self.log_density(scores)
        weight = np.exp(log - log.max(axis=1, keepdims=True))
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))

    def nearest_distance(self, scores: np.ndarray) -> np.ndarray:
        """Squared Mahalanobis distance to the nearest component."""
        pairs = zip(self.means, self.covariances, strict=True)
        return np.asarray(
            np.min([self._squared_distance(scores, mean, covariance) for mean, covariance in pairs], axis=0)
        )

    @staticmethod
    def _squared_distance(scores: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        difference = scores - mean
        return np.asarray(np.einsum("ij,ij->i", difference @ np.linalg.inv(covariance), difference))


class StratumModel:
    """Find strata and place new people in them.

    Scale scores, log analytes and components of wide blocks are standardised and reduced to varimax factors,
    and a Gaussian mixture on the factor scores is fitted for every k. A person's scores are the factors'
    expectation given what was measured of that person: nothing is imputed. An instrument's total stands for
    its subscales, which would otherwise make a factor of their own. More than one stratum is claimed only
    when the Bayesian information criterion prefers it to one; the k is then "at least k".

    Parameters
    ----------
    settings, blocks : StrataSettings, BlockSettings
        How.
    seed : int
        Seeds the mixture's starts and the bootstrap.

    Attributes
    ----------
    k_ : int
        Number of strata, 1 when types are not shown to exist.
    bic_ : dict of int to float
        Criterion per k, smaller is better.
    mixture_ : Mixture
        Ordered by falling mean of the first factor, which does not depend on the seed.
    """

    def __init__(self, settings: StrataSettings, blocks: BlockSettings, seed: int) -> None:
        self.settings, self.block_settings, self.seed = settings, blocks, seed

    def fit(self, features: pl.DataFrame, catalogue: pl.DataFrame) -> StratumModel:
        """Learn from everybody; no outcome and no treatment is seen."""
        features = features[content_order(features)]
        inside = catalogue.filter(_is_input(catalogue) & (pl.col("kind") == "numeric") | _is_within(catalogue))
        self.blocks_ = FeatureBlocks(self.block_settings).fit(features, inside)
        values = self.blocks_.transform(features).values
        self.centre_, self.scale_ = centre_scale(values)
        standard = (values - self.centre_) / self.scale_
        measured = ~np.isnan(standard).all(axis=1) if standard.shape[1] else np.zeros(len(standard), dtype=bool)
        self.factors_ = fit_factors(standard[measured], self.settings.factors)
        self._choose(self.factors_.scores(standard[measured]))
        return self

    def _choose(self, scores: np.ndarray) -> None:
        self.bic_: dict[int, float] = {}
        if scores.shape[1] == 0:
            self.k_, self.mixture_, self.limit_ = 1, None, None
            return
        fitted = {}
        for k in range(1, min(self.settings.largest_k, max(1, len(scores) // 30)) + 1):
            fitted[k] = _fit_mixture(scores, k, self.settings.starts, self.seed)
            self.bic_[k] = float(fitted[k].bic(scores))
        others = {k: value for k, value in self.bic_.items() if k > 1}
        best = min(others, key=others.__getitem__) if others else 1
        self.k_ = best if others and self.bic_[1] - others[best] > 0 else 1
        self.mixture_ = _ordered(fitted[self.k_])
        distance = self.mixture_.nearest_distance(scores)
        self.limit_ = float(np.quantile(distance, 1 - self.settings.atypical_share))

    def scores(self, features: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Factor scores (n_people, n_factors) and whether anything of the person was measured."""
        standard = (self.blocks_.transform(features).values - self.centre_) / self.scale_
        return self.factors_.scores(standard), ~np.isnan(standard).all(axis=1)

    def assign(self, features: pl.DataFrame) -> pl.DataFrame:
        """Place people, each on their own, as in `tables.results.ASSIGNMENTS`."""
        scores, measured = self.scores(features)
        names = [f"S{place + 1}" for place in range(self.k_)]
        if self.mixture_ is None:
            unknown = {"stratum": pl.String, "p_S1": pl.Float64, "entropy": pl.Float64, "atypical": pl.Boolean}
            empty = [pl.lit(None, kind).alias(name) for name, kind in {**unknown, "between": pl.Boolean}.items()]
            return features.select("patient_id", *empty)
        membership = self.mixture_.membership(scores)
        entropy = -np.sum(membership * np.log(np.maximum(membership, 1e-300)), axis=1)
        frame = pl.DataFrame(
            {
                "patient_id": features["patient_id"],
                "stratum": [names[place] for place in membership.argmax(axis=1)],
                **{f"p_{name}": membership[:, place] for place, name in enumerate(names)},
                "entropy": np.maximum(entropy, 0.0),
                "atypical": self.mixture_.nearest_distance(scores) > self.limit_,
                "between": membership.max(axis=1) < self.settings.between_below,
            }
        )
        known = pl.Series("known", measured)
        return frame.select("patient_id", pl.when(known).then(pl.exclude("patient_id")))

    def summary(self, features: pl.DataFrame) -> dict[str, Any]:
        """k, the evidence for it and its stability, as plain JSON values."""
        gain = None
        if len(self.bic_) > 1:
            gain = self.bic_[1] - min(value for k, value in self.bic_.items() if k > 1)
        scores, measured = self.scores(features)
        return {
            "k": self.k_,
            "at_least": self.k_,
            "people": int(measured.sum()),
            "factors": int(self.factors_.loadings.shape[1]),
            "bic": {str(k): value for k, value in self.bic_.items()},
            "bic_gain": gain,
            "evidence": self._evidence(gain),
            "stability": self._stability(scores[measured]),
            "sizes": self._sizes(features),
        }

    def _evidence(self, gain: float | None) -> str:
        if gain is None:
            return "not enough people or measurements to look for strata"
        if self.k_ == 1:
            return "none: dimensions, not types (one Gaussian describes the factor scores best)"
        return "strong: at least this many" if gain > _STRONG else "weak: at least this many"

    def _stability(self, scores: np.ndarray) -> dict[str, Any]:
        if self.k_ == 1 or self.mixture_ is None or self.settings.bootstraps == 0:
            return {"jaccard": None, "agreement": None}
        labels = self.mixture_.membership(scores).argmax(axis=1)
        rng = np.random.default_rng([self.seed, 7])
        overlaps, agreements = [], []
        for draw in range(self.settings.bootstraps):
            places = rng.integers(0, len(scores), len(scores))
            again = _fit_mixture(scores[places], self.k_, 2, self.seed + draw + 1).predict(scores)
            overlaps.append([_best_jaccard(labels == stratum, again) for stratum in range(self.k_)])
            agreements.append(adjusted_rand_score(labels, again))
        means = np.mean(overlaps, axis=0)
        jaccard = {f"S{place + 1}": float(value) for place, value in enumerate(means)}
        return {"jaccard": jaccard, "agreement": float(np.mean(agreements))}

    def _sizes(self, features: pl.DataFrame) -> dict[str, int]:
        counts = self.assign(features).drop_nulls("stratum")["stratum"].value_counts().sort("stratum")
        return dict(counts.iter_rows())

    def to_dict(self) -> dict[str, Any]:
        """Everything learned, as plain JSON values."""
        mixture = None
        if self.mixture_ is not None:
            mixture = {name: getattr(self.mixture_, name).tolist() for name in ("shares", "means", "covariances")}
        return {
            "settings": self.settings.model_dump(),
            "seed": self.seed,
            "blocks": self.blocks_.to_dict(),
            "centre": self.centre_.tolist(),
            "scale": self.scale_.tolist(),
            "factors": self.factors_.to_dict(),
            "mixture": mixture,
            "k": self.k_,
            "bic": {str(k): value for k, value in self.bic_.items()},
            "limit": self.limit_,
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> StratumModel:
        """Rebuild from `to_dict`."""
        blocks = FeatureBlocks.from_dict(stored["blocks"])
        model = cls(StrataSettings(**stored["settings"]), blocks.settings, stored["seed"])
        model.blocks_, model.k_, model.limit_ = blocks, stored["k"], stored["limit"]
        model.centre_, model.scale_ = np.asarray(stored["centre"]), np.asarray(stored["scale"])
        model.factors_ = Factors.from_dict(stored["factors"])
        model.bic_ = {int(k): value for k, value in stored["bic"].items()}
        mixture = stored["mixture"]
        model.mixture_ = None if mixture is None else Mixture(**{k: np.asarray(v) for k, v in mixture.items()})
        return model


def _is_input(catalogue: pl.DataFrame) -> pl.Expr:
    standard = {"clinical", "genotype", "pgx", *_INPUT_MODALITIES}
    fitting = pl.col("modality").is_in(_INPUT_MODALITIES) | ~pl.col("modality").is_in(list(standard))
    scores = catalogue.filter(pl.col("modality") == "questionnaires")
    totalled = scores.filter(pl.col("feature").str.ends_with("_total"))["group"].unique().to_list()
    is_part = (
        (pl.col("modality") == "questionnaires")
        & pl.col("group").is_in(totalled)
        & ~pl.col("feature").str.ends_with("_total")
    )
    return fitting & ~is_part


def _is_within(catalogue: pl.DataFrame) -> pl.Expr:
    return pl.col("feature").is_in(catalogue["within"].drop_nulls().unique().to_list())


def _fit_mixture(scores: np.ndarray, k: int, starts: int, seed: int) -> GaussianMixture:
    mixture = GaussianMixture(k, covariance_type="full", n_init=starts, reg_covar=1e-4, max_iter=500, random_state=seed)
    return mixture.fit(scores)


def _ordered(fitted: GaussianMixture) -> Mixture:
    order = np.lexsort(tuple(-fitted.means_.T[::-1]))
    return Mixture(fitted.weights_[order], fitted.means_[order], fitted.covariances_[order])


def _best_jaccard(inside: np.ndarray, labels: np.ndarray) -> float:
    """Largest overlap of one stratum with any stratum of another clustering (Hennig 2007)."""
    overlaps = [
        np.sum(inside & (labels == other)) / max(np.sum(inside | (labels == other)), 1) for other in np.unique(labels)
    ]
    return float(max(overlaps))
