"""Patient strata: factor scores over compressed blocks, then a mixture that may find one stratum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import adjusted_rand_score

from nociomics.models.factor_mixture import Mixture
from nociomics.models.factors import Factors, Information, choose_factors, component_factors, fit_factors
from nociomics.models.feature_blocks import Encoded, FeatureBlocks
from nociomics.models.latent_classes import LatentClasses
from nociomics.models.normal_scores import NormalScores, fit_normal_scores
from nociomics.models.people_order import content_order
from nociomics.models.scaling import centre_scale
from nociomics.models.settings import BlockSettings, StrataSettings
from nociomics.models.strata_number import Found, fit_again, look_for_classes, look_for_mixture
from nociomics.tables.part import WHOLE, Part
from nociomics.tables.progress import Progress

FEWEST_PEOPLE = 50
_STRONG = 10.0
_REFIT_SHARE = 0.632
_ALWAYS_LEFT_OUT = ("clinical", "genotype", "pgx")
_MOST_MISSING = 0.5
_FEWEST_ANSWERS = 3
_FINE, _FEWEST_FINE = 20, 5  # measurements of so many values, so many of them: equal ones are no chance


class StratumModel:
    """Find strata and place new people in them.

    Scale scores, log analytes and components of wide blocks become normal scores (components stay as they are) and are
    reduced to varimax factors. A mixture of normal distributions with one spread is fitted for every k to what was
    measured of each person, its error of measurement included: nothing is imputed. More than one stratum is claimed
    only when the likelihood gains more by it than it would by chance, and more than one continuum of uneven shape
    explains. Where every column is a yes or no, latent classes stand for the mixture and latent traits for the
    continuum.

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
    found_ : Found
        What spoke for and against each k.
    mixture_ : Mixture, LatentClasses or None
        Ordered by falling mean of the first factor (or share of yes), which does not depend on the seed.
    left_out_ : list of dict
        Columns that did not take part, each with its reason.
    stability_ : dict
        Overlap of each stratum with itself in bootstrap refits, and the refits' agreement.
    """

    mixture_: Mixture | LatentClasses | None
    limit_: float | None

    def __init__(self, settings: StrataSettings, blocks: BlockSettings, seed: int) -> None:
        self.settings, self.block_settings, self.seed = settings, blocks, seed

    def fit(self, features: pl.DataFrame, catalogue: pl.DataFrame) -> StratumModel:
        """Learn from everybody; no outcome and no treatment is seen.

        Rows with the same measurements are one person entered twice, and count once.
        """
        self.judge_stability(self.fit_part(features, catalogue, WHOLE))
        return self

    def fit_part(self, features: pl.DataFrame, catalogue: pl.DataFrame, part: Part) -> list[dict[str, Any]]:
        """Learn as `fit` does, and then again from some of the people, this part's share of the times.

        Each refit has random numbers of its own, so that the number of parts changes none.

        Returns
        -------
        list of dict
            One refit each, for `judge_stability`.
        """
        features = features[content_order(features)]
        inputs = catalogue.filter(_is_input(catalogue) & (pl.col("kind") == "numeric") | _is_within(catalogue))
        features = _each_once(features, inputs["feature"].to_list())
        self.blocks_ = FeatureBlocks(self.block_settings)
        encoded = self.blocks_.fit_transform(features, inputs)
        self._learn(encoded)
        self.left_out_ += self._constant(inputs["feature"].to_list())
        standard = self._standard(encoded)
        self._choose(standard)
        self.judge_stability([])
        return self._refits(features, inputs, standard, part)

    def judge_stability(self, refits: Sequence[dict[str, Any]]) -> None:
        """Take the refits of all parts together: means over them, in the order of their numbers."""
        self.stability_: dict[str, Any] = {"jaccard": None, "agreement": None}
        if refits:
            ordered = sorted(refits, key=lambda one: int(one["refit"]))
            overlaps = np.mean([one["overlaps"] for one in ordered], axis=0)
            jaccard = {f"S{place + 1}": float(value) for place, value in enumerate(overlaps)}
            self.stability_ = {"jaccard": jaccard, "agreement": float(np.mean([one["agreement"] for one in ordered]))}

    def _learn(self, encoded: Encoded, factors: int | None = None) -> None:
        """Learn columns and factors, without looking for strata yet; as many factors as told, else as fit."""
        self._keep_columns(encoded)
        values = encoded.values[:, self.kept_]
        self.centre_, self.scale_ = centre_scale(values)
        kept = [encoded.columns[place] for place in self.kept_]
        component = np.array([column.component for column in kept], dtype=bool)
        self.yes_no_ = len(self.kept_) >= _FEWEST_ANSWERS and all(_two_values(column) for column in values.T)
        standard = (values - self.centre_) / self.scale_
        self.scores_ = fit_normal_scores(standard, ~component)
        scored = self.scores_.transform(standard)
        scored = scored[_anything(scored)]
        most = self.settings.factors
        if len(scored) < FEWEST_PEOPLE:
            self.factors_ = fit_factors(scored[:0], 0)
        elif component.all() and len({column.modality for column in kept}) == 1:
            self.factors_ = component_factors(scored, most if factors is None else factors)
        else:
            self.factors_ = choose_factors(scored, most) if factors is None else fit_factors(scored, factors)

    def _keep_columns(self, encoded: Encoded) -> None:
        missing = np.isnan(encoded.values).mean(axis=0) if len(encoded.values) else np.ones(len(encoded.columns))
        self.kept_ = [place for place, share in enumerate(missing) if share <= _MOST_MISSING]
        self.left_out_ = [
            {"column": column.name, "reason": f"measured in {1 - share:.0%} of the people, less than half"}
            for column, share in zip(encoded.columns, missing, strict=True)
            if share > _MOST_MISSING
        ]

    def _constant(self, inputs: list[str]) -> list[dict[str, str]]:
        used = set(self.blocks_.input_features())
        reason = "the same in everybody who has it, or measured in nobody"
        return [{"column": name, "reason": reason} for name in sorted(inputs) if name not in used]

    def _standard(self, encoded: Encoded) -> np.ndarray:
        return self.scores_.transform((encoded.values[:, self.kept_] - self.centre_) / self.scale_)

    def _choose(self, standard: np.ndarray) -> None:
        """Ask how many strata there are, and where they lie."""
        self.found_, self.mixture_, self.limit_ = Found(1, {}, [], None, None), None, None
        if self.factors_.loadings.shape[1] == 0:
            return
        known = self._known(standard[_anything(standard)])
        self.found_, self.mixture_ = _look(known, self.settings, np.random.default_rng([self.seed, 3]))
        self.limit_ = float(np.quantile(_tail(self.mixture_, known), self.settings.atypical_share))

    def _known(self, standard: np.ndarray) -> Information | np.ndarray:
        """Return what was measured, as the mixture takes it."""
        if not self.yes_no_:
            return self.factors_.information(standard)
        # a column of two values has two scores, the larger for yes
        return np.where(np.isnan(standard), np.nan, (standard > 0).astype(float))

    @property
    def k_(self) -> int:
        """Number of strata that are claimed."""
        return self.found_.k

    @property
    def bic_(self) -> dict[int, float]:
        """Bayesian information criterion per k, smaller is better; only differences mean something."""
        return self.found_.bic

    def columns(self, features: pl.DataFrame) -> Encoded:
        """Return the columns that factors are made of, scored and standardised, NaN where not measured."""
        encoded = self.blocks_.transform(features)
        return Encoded(self._standard(encoded), tuple(encoded.columns[place] for place in self.kept_))

    def scores(self, features: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Factor scores (n_people, n_factors) and whether anything of the person was measured."""
        standard = self.columns(features).values
        return self.factors_.scores(standard), _anything(standard)

    def assign(self, features: pl.DataFrame) -> pl.DataFrame:
        """Place people, each on their own, as in `tables.results.ASSIGNMENTS`."""
        return self.assign_encoded(features["patient_id"], self.blocks_.transform(features))

    def atypical(self, encoded: Encoded) -> np.ndarray:
        """Say for each person whether they lie far from everyone; False where nothing was measured, or without strata.

        Parameters
        ----------
        encoded : Encoded
            From ``blocks_``.

        Returns
        -------
        ndarray of bool, shape (n_people,)
        """
        if self.mixture_ is None:
            return np.zeros(len(encoded.values), dtype=bool)
        standard = self._standard(encoded)
        return np.asarray((_tail(self.mixture_, self._known(standard)) < self.limit_) & _anything(standard))

    def assign_encoded(self, patients: pl.Series, encoded: Encoded) -> pl.DataFrame:
        """Place people whose columns are encoded already; see `assign`."""
        names = [f"S{place + 1}" for place in range(self.k_)]
        if self.mixture_ is None:
            unknown = {"stratum": pl.String, "p_S1": pl.Float64, "entropy": pl.Float64, "atypical": pl.Boolean}
            empty = [pl.lit(None, kind).alias(name) for name, kind in {**unknown, "between": pl.Boolean}.items()]
            return pl.DataFrame([patients.alias("patient_id")]).select("patient_id", *empty)
        standard = self._standard(encoded)
        known = self._known(standard)
        membership = _membership(self.mixture_, known)
        entropy = -np.sum(membership * np.log(np.maximum(membership, 1e-300)), axis=1)
        frame = pl.DataFrame(
            {
                "patient_id": patients,
                "stratum": [names[place] for place in membership.argmax(axis=1)],
                **{f"p_{name}": membership[:, place] for place, name in enumerate(names)},
                "entropy": np.maximum(entropy, 0.0),
                "atypical": _tail(self.mixture_, known) < self.limit_,
                "between": membership.max(axis=1) < self.settings.between_below,
            }
        )
        measured = _anything(standard)
        if measured.all():
            return frame
        known_of = pl.Series("measured", measured)
        return frame.select("patient_id", pl.when(known_of).then(pl.exclude("patient_id")))

    def summary(self, features: pl.DataFrame) -> dict[str, Any]:
        """k, the evidence for it and its stability, as plain JSON values."""
        others = [value for k, value in self.bic_.items() if k > 1]
        return {
            "k": self.k_,
            "at_least": self.k_,
            "people": int(_anything(self.columns(features).values).sum()),
            "factors": int(self.factors_.loadings.shape[1]),
            "kind": "latent classes of yes-or-no answers" if self.yes_no_ else "mixture of factor scores",
            "bic": {str(k): value for k, value in self.bic_.items()},
            "bic_gain": self.bic_[1] - min(others) if others else None,
            "test": {
                "steps": self.found_.steps,
                "continuum_gain": self.found_.continuum_gain,
                "smallest": self.settings.smallest,
            },
            "evidence": self._evidence(),
            "stability": self.stability_,
            "sizes": self._sizes(features),
            "left_out": self.left_out_,
        }

    def _evidence(self) -> str:
        others = [value for k, value in self.bic_.items() if k > 1]
        if not others:
            return "not enough people or measurements to look for strata"
        if self.k_ > 1:
            gain = min(self.bic_[1] - min(others), self.found_.margin())
            return "strong: at least this many" if gain > _STRONG else "weak: at least this many"
        reasons = {
            "continuum": "one continuum of uneven shape describes people at least as well as strata do",
            "small": f"every further stratum would hold fewer than {self.settings.smallest} people",
        }
        reason = reasons.get(str(self.found_.reason), "further strata gain no more than chance would")
        return f"none: dimensions, not types ({reason})"

    def _refits(
        self, features: pl.DataFrame, inputs: pl.DataFrame, standard: np.ndarray, part: Part
    ) -> list[dict[str, Any]]:
        """Refit everything on a part of the people, with the same number of factors and strata.

        As many different people as a bootstrap draws, each once: people drawn twice make small groups of their own.
        """
        if self.k_ == 1 or self.mixture_ is None:
            return []
        own = np.where(_anything(standard), _membership(self.mixture_, self._known(standard)).argmax(axis=1), -1)
        numbers, found = part.places(self.settings.bootstraps), []
        progress = Progress("stability of strata", "refits", len(numbers))
        for number in numbers:
            rng = np.random.default_rng([self.seed, 7, number])
            rows = np.sort(rng.permutation(features.height)[: round(_REFIT_SHARE * features.height)])
            again = self.refitted_labels(features, inputs, rows, rng)
            both = (own >= 0) & (again >= 0)
            overlaps = [best_overlap(own[both] == place, again[both]) for place in range(self.k_)]
            agreement = float(adjusted_rand_score(own[both], again[both]))
            found.append({"refit": number, "overlaps": overlaps, "agreement": agreement})
            progress.advance(1)
        return found

    def refitted_labels(
        self, features: pl.DataFrame, inputs: pl.DataFrame, rows: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Learn everything anew from some of the people, at the same k, and number everybody's stratum.

        Parameters
        ----------
        features, inputs : DataFrame
            Everybody, and the catalogue of what strata are made of.
        rows : ndarray of int
            Whom to learn from.
        rng : numpy.random.Generator
            Of the starts.

        Returns
        -------
        ndarray of int, shape (n_people,)
            -1 where nothing was measured.
        """
        again = StratumModel(self.settings, self.block_settings, self.seed)
        again.blocks_ = FeatureBlocks(self.block_settings).fit(features[rows], inputs)
        encoded = again.blocks_.transform(features)
        again._learn(Encoded(encoded.values[rows], encoded.columns), self.factors_.loadings.shape[1])
        again.yes_no_ = self.yes_no_
        standard = again._standard(encoded)
        part = standard[rows]
        if again.factors_.loadings.shape[1] == 0:
            return np.full(len(standard), -1)
        mixture = fit_again(again._known(part[_anything(part)]), self.k_, self.settings.starts, rng)
        return np.where(_anything(standard), _membership(mixture, again._known(standard)).argmax(axis=1), -1)

    def _sizes(self, features: pl.DataFrame) -> dict[str, int]:
        counts = self.assign(features).drop_nulls("stratum")["stratum"].value_counts().sort("stratum")
        return dict(counts.iter_rows())

    def to_dict(self) -> dict[str, Any]:
        """Everything learned, as plain JSON values."""
        return {
            "settings": self.settings.model_dump(),
            "seed": self.seed,
            "blocks": self.blocks_.to_dict(),
            "kept": self.kept_,
            "left_out": self.left_out_,
            "centre": self.centre_.tolist(),
            "scale": self.scale_.tolist(),
            "scores": self.scores_.to_dict(),
            "yes_no": self.yes_no_,
            "factors": self.factors_.to_dict(),
            "mixture": None if self.mixture_ is None else self.mixture_.to_dict(),
            "found": self.found_.to_dict(),
            "stability": self.stability_,
            "limit": self.limit_,
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> StratumModel:
        """Rebuild from `to_dict`."""
        blocks = FeatureBlocks.from_dict(stored["blocks"])
        model = cls(StrataSettings(**stored["settings"]), blocks.settings, stored["seed"])
        model.blocks_, model.kept_, model.left_out_ = blocks, list(stored["kept"]), list(stored["left_out"])
        model.centre_, model.scale_ = np.asarray(stored["centre"]), np.asarray(stored["scale"])
        model.scores_ = NormalScores.from_dict(stored["scores"])
        model.yes_no_, model.limit_ = stored["yes_no"], stored["limit"]
        model.factors_ = Factors.from_dict(stored["factors"])
        model.found_, model.stability_ = Found.from_dict(stored["found"]), stored["stability"]
        kind: type[Mixture | LatentClasses] = LatentClasses if model.yes_no_ else Mixture
        model.mixture_ = None if stored["mixture"] is None else kind.from_dict(stored["mixture"])
        return model


def _look(
    known: Information | np.ndarray, settings: StrataSettings, rng: np.random.Generator
) -> tuple[Found, Mixture | LatentClasses]:
    if isinstance(known, Information):
        return look_for_mixture(known, settings, rng)
    return look_for_classes(known, settings, rng)


def _membership(mixture: Mixture | LatentClasses, known: Information | np.ndarray) -> np.ndarray:
    return mixture.membership(known)  # type: ignore[arg-type]


def _tail(mixture: Mixture | LatentClasses, known: Information | np.ndarray) -> np.ndarray:
    return mixture.tail(known)  # type: ignore[arg-type]


def best_overlap(inside: np.ndarray, labels: np.ndarray) -> float:
    """Largest Jaccard overlap of one stratum with any stratum of another clustering (Hennig 2007)."""
    overlaps = [
        np.sum(inside & (labels == other)) / max(np.sum(inside | (labels == other)), 1) for other in np.unique(labels)
    ]
    return float(max(overlaps, default=0.0))


def _anything(standard: np.ndarray) -> np.ndarray:
    """Whether anything of each person was measured."""
    return np.asarray(~np.isnan(standard).all(axis=1) if standard.shape[1] else np.zeros(len(standard), dtype=bool))


def _each_once(features: pl.DataFrame, inputs: list[str]) -> pl.DataFrame:
    """Leave out rows that repeat another's measurements; answers of few values may agree by chance and say nothing."""
    numbers = [name for name in inputs if name in features.columns and features[name].dtype.is_numeric()]
    fine = [name for name in numbers if features[name].n_unique() > _FINE]
    if len(fine) < _FEWEST_FINE:
        return features
    measured = pl.sum_horizontal(pl.col(fine).is_not_null()) >= _FEWEST_FINE
    return features.filter(~measured | pl.struct(fine).is_first_distinct())


def _two_values(column: np.ndarray) -> bool:
    return len(np.unique(column[~np.isnan(column)])) == 2


def _is_input(catalogue: pl.DataFrame) -> pl.Expr:
    fitting = ~pl.col("modality").is_in(list(_ALWAYS_LEFT_OUT)) & ~_is_clock_time()
    scores = catalogue.filter(pl.col("modality") == "questionnaires")
    totalled = scores.filter(pl.col("feature").str.ends_with("_total"))["group"].unique().to_list()
    is_part = (
        (pl.col("modality") == "questionnaires")
        & pl.col("group").is_in(totalled)
        & ~pl.col("feature").str.ends_with("_total")
    )
    return fitting & ~is_part


def _is_clock_time() -> pl.Expr:
    """When blood was drawn tells the day's plan of a clinic, not a kind of patient."""
    return (pl.col("modality") == "biomarkers") & (pl.col("unit").fill_null("") == "h")


def _is_within(catalogue: pl.DataFrame) -> pl.Expr:
    return pl.col("feature").is_in(catalogue["within"].drop_nulls().unique().to_list())
