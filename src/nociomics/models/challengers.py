"""Other ways of grouping the same people, beside the strata: one interface, one resampling, one table."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, Protocol

import numpy as np
import polars as pl
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score

from nociomics.models.average_neighbours import AverageNeighbours
from nociomics.models.consensus import Consensus
from nociomics.models.measured_blocks import MeasuredBlocks, measured_blocks
from nociomics.models.mofa_mixture import MofaMixture
from nociomics.models.network_fusion import FusedNetwork
from nociomics.models.people_order import content_order
from nociomics.models.settings import StrataSettings
from nociomics.models.spectral import nearest_mean_groups
from nociomics.models.stratification import FEWEST_PEOPLE, StratumModel
from nociomics.tables.contract import empty_frame
from nociomics.tables.progress import Progress
from nociomics.tables.results import CHALLENGERS

_LOG = logging.getLogger(__name__)
# Two people's affinity is a number: at 5,000 people one network takes 200 MB, and fusing three takes several of them.
MOST_PEOPLE = 5000
_SHARE = 0.8
_STRATA = "strata"


class Clustering(Protocol):
    """What a challenger gives once it has seen people."""

    def criterion(self, k: int) -> float:
        """Value of the method's own criterion for k groups."""

    def labels(self, k: int) -> np.ndarray:
        """Group of each person when k groups are asked for."""


@dataclass(frozen=True)
class Challenger:
    """A way of grouping people.

    Attributes
    ----------
    name, method : str
        Name in the settings, and what it is in words.
    cluster : callable
        ``(blocks, settings, seed) -> Clustering``; no outcome, no treatment and no strata are seen.
    criterion : str
        How it offers a number of groups.
    best : {"largest", "smallest"}
        Which value of the criterion it takes.
    smallest_k : int
        1 where the criterion can say that there are no groups, else 2.
    places_new_people : bool
        Whether a person who was not there can be placed without fitting anew.
    whole : bool
        Whether every block is needed of a person, or one is enough.
    most_people : int, optional
        More than these are not looked at.
    package : str, optional
        Python package that it needs and this program does not bring.
    """

    name: str
    method: str
    cluster: Callable[[MeasuredBlocks, StrataSettings, int], Clustering]
    criterion: str
    best: Literal["largest", "smallest"] = "largest"
    smallest_k: int = 2
    places_new_people: bool = False
    whole: bool = True
    most_people: int | None = MOST_PEOPLE
    package: str | None = None

    def usable(self, blocks: MeasuredBlocks) -> np.ndarray:
        """Positions of the people of whom enough was measured."""
        measured = blocks.measured
        enough = measured.all(axis=1) & measured.any(axis=1) if self.whole else measured.any(axis=1)
        return np.flatnonzero(enough)

    def obstacle(self, people: int) -> str | None:
        """Why it cannot group so many people, as in `CHALLENGERS`; None when it can."""
        if self.package and find_spec(self.package) is None:
            return "not installed"
        if people < FEWEST_PEOPLE:
            return "too few people"
        return "too many people" if self.most_people is not None and people > self.most_people else None

    def chosen(self, clustering: Clustering, largest_k: int) -> tuple[int, float | None]:
        """Return the number of groups that the criterion offers, the smallest of equals, and its value if finite."""
        values = {k: clustering.criterion(k) for k in range(self.smallest_k, largest_k + 1)}
        k = (max if self.best == "largest" else min)(values, key=values.__getitem__)
        return k, values[k] if np.isfinite(values[k]) else None


class NearestMeans:
    """k-means on all columns side by side, blocks weighing the same.

    References
    ----------
    Number of groups by the mean silhouette: Rousseeuw 1987 (J Comput Appl Math 20:53).
    """

    def __init__(self, blocks: MeasuredBlocks, settings: StrataSettings, seed: int) -> None:
        self._points, self._seed = blocks.side_by_side(), seed

    def criterion(self, k: int) -> float:
        """Mean silhouette; -1 where all people are one point."""
        labels = self.labels(k)
        groups = len(np.unique(labels))
        return float(silhouette_score(self._points, labels)) if 1 < groups < len(labels) else -1.0

    def labels(self, k: int) -> np.ndarray:
        """Group of each person."""
        return nearest_mean_groups(self._points, k, self._seed)


_HOLES = "A hole in a measured block counts as the column's average."
REGISTRY = {
    challenger.name: challenger
    for challenger in (
        Challenger(
            "kmeans",
            f"k-means on all blocks side by side, each weighing the same. {_HOLES}",
            NearestMeans,
            "silhouette",
            places_new_people=True,
        ),
        Challenger(
            "consensus",
            f"consensus clustering: k-means on 50 draws of 80 % of the people, then average linkage. {_HOLES}",
            Consensus,
            "PAC",
            best="smallest",
        ),
        Challenger(
            "network_fusion",
            "similarity network fusion: one network of people per block, fused, then spectral clustering",
            FusedNetwork,
            "eigengap",
        ),
        Challenger(
            "average_neighbours",
            "neighbours averaged over the blocks that two people share (after NEMO), then spectral clustering",
            AverageNeighbours,
            "eigengap",
            whole=False,
        ),
        Challenger(
            "mofa",
            "factors of MOFA (package mofapy2), then a Gaussian mixture",
            MofaMixture,
            "BIC",
            best="smallest",
            smallest_k=1,
            whole=False,
            most_people=None,
            package="mofapy2",
        ),
    )
}


def compare(
    model: StratumModel, features: pl.DataFrame, catalogue: pl.DataFrame, settings: StrataSettings, seed: int
) -> pl.DataFrame:
    """Group the same people in other ways, and see how stable each is and how far it agrees with the strata.

    A challenger meets the columns that the strata were found in, encoded as the fitted model encodes them. Its number
    of groups is its own choice in one row and the strata's in another. Stability is agreement between the groups of
    everybody and those found anew in 80 % of the people, the same people and as many groups for all. The strata are
    found anew from the measurements on; a challenger meets the columns as everybody gave them.

    Parameters
    ----------
    model : StratumModel
        The strata, fitted to these people.
    features, catalogue : DataFrame
        As in `FEATURES` and `FEATURE_CATALOGUE`.
    settings : StrataSettings
        Which challengers, how many subsamples, how many groups at most.
    seed : int
        Seeds the subsamples and every challenger.

    Returns
    -------
    DataFrame, one row per challenger and choice of k
        As in `CHALLENGERS`; the strata come first. It depends on neither ids nor the order of people.
    """
    features = features[content_order(features)]
    settings = settings.model_copy(update={"largest_k": max(settings.largest_k, model.k_, 2)})
    strata = model.assign(features)["stratum"]
    labels = strata.rank("dense").fill_null(0).to_numpy().astype(int) - 1
    blocks = blocks_of(model, features)
    draws = _subsamples(np.flatnonzero(blocks.measured.any(axis=1)), settings.subsamples, seed)
    rows = [_strata_row(model, features, catalogue, labels, draws)]
    for name in dict.fromkeys(settings.challengers):
        rows += _challenger_rows(REGISTRY[name], blocks, labels, model.k_, settings, draws, seed)
    named = {column.name: empty_frame(CHALLENGERS).schema[column.name] for column in CHALLENGERS.columns}
    return pl.DataFrame(rows, schema=named, orient="row")


def blocks_of(model: StratumModel, features: pl.DataFrame) -> MeasuredBlocks:
    """Return people as the columns that the strata were found in, block by block."""
    encoded = model.columns(features)
    return measured_blocks(encoded.values, [column.modality for column in encoded.columns])


def _subsamples(people: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng([seed, 11])
    return [np.sort(rng.choice(people, int(_SHARE * len(people)), replace=False)) for _ in range(count)]


def _strata_row(
    model: StratumModel, features: pl.DataFrame, catalogue: pl.DataFrame, labels: np.ndarray, draws: list[np.ndarray]
) -> dict[str, Any]:
    placed = int((labels >= 0).sum())
    found: dict[str, Any] = {"status": "too few people"}
    if placed:
        agreements = list(_strata_agreements(model, features, catalogue, labels, draws))
        found = {"status": "ok" if model.k_ > 1 else "one group", "k": model.k_} | _sizes(labels)
        found |= {"stability": _mean(agreements), "subsamples": len(agreements)}
    return _row(
        found,
        len(labels),
        challenger=_STRATA,
        method="the strata of this study: a mixture in factor scores, or latent classes of yes-or-no answers",
        places_new_people=True,
        k_from="own",
        criterion="likelihood ratio",
        can_say_one=True,
    )


def _strata_agreements(
    model: StratumModel, features: pl.DataFrame, catalogue: pl.DataFrame, labels: np.ndarray, draws: list[np.ndarray]
) -> Iterator[float]:
    """Find as many strata anew in each subsample, from its own columns and factors on; one stratum needs no finding."""
    inputs = catalogue.filter(pl.col("feature").is_in(model.blocks_.input_features()))
    rng = np.random.default_rng([model.seed, 13])
    progress = Progress(_STRATA, "subsamples", len(draws))
    for draw in draws if model.k_ > 1 else []:
        again = model.refitted_labels(features, inputs, draw, rng)[draw]
        both = (again >= 0) & (labels[draw] >= 0)
        if both.sum() >= FEWEST_PEOPLE * _SHARE:
            yield float(adjusted_rand_score(labels[draw][both], again[both]))
        progress.advance(1)


def _challenger_rows(
    challenger: Challenger,
    blocks: MeasuredBlocks,
    strata: np.ndarray,
    strata_k: int,
    settings: StrataSettings,
    draws: list[np.ndarray],
    seed: int,
) -> list[dict[str, Any]]:
    """One row at its own number of groups and one at the strata's."""
    people = challenger.usable(blocks)
    obstacle = challenger.obstacle(len(people))
    own: dict[str, Any] = {"k_from": "own"}
    alike: dict[str, Any] = {"k_from": _STRATA, "k": strata_k, "status": obstacle or "ok"}
    if obstacle is None:
        clustering = challenger.cluster(blocks.take(people), settings, seed)
        own["k"], own["criterion_value"] = challenger.chosen(clustering, settings.largest_k)
        groups = {k: clustering.labels(k) for k in sorted({own["k"], strata_k})}
        stability = _stability(challenger, blocks, people, groups, settings, draws, seed)
        for found in (own, alike):
            found |= _described(groups[found["k"]], people, strata) | stability[found["k"]]
            found["status"] = "ok" if found["k"] > 1 else "one group"
    else:
        own["status"] = obstacle
    _LOG.info("%s: %d of %d people, %s.", challenger.name, len(people), blocks.people, own["status"])
    fixed = {
        "challenger": challenger.name,
        "method": challenger.method,
        "places_new_people": challenger.places_new_people,
        "criterion": challenger.criterion,
        "can_say_one": challenger.smallest_k == 1,
    }
    return [_row(found, blocks.people, **fixed) for found in (own, alike)]


def _stability(
    challenger: Challenger,
    blocks: MeasuredBlocks,
    people: np.ndarray,
    groups: dict[int, np.ndarray],
    settings: StrataSettings,
    draws: list[np.ndarray],
    seed: int,
) -> dict[int, dict[str, Any]]:
    """For each number of groups, the mean agreement of everybody's groups with those of the subsamples."""
    agreements: dict[int, list[float]] = {k: [] for k in groups}
    progress = Progress(challenger.name, "subsamples", len(draws))
    for draw in draws:
        rows = np.flatnonzero(np.isin(people, draw))
        if len(rows) >= FEWEST_PEOPLE * _SHARE:
            again = challenger.cluster(blocks.take(people[rows]), settings, seed)
            for k, labels in groups.items():
                if k > 1:
                    agreements[k].append(float(adjusted_rand_score(labels[rows], again.labels(k))))
        progress.advance(1)
    return {k: {"stability": _mean(found), "subsamples": len(found)} for k, found in agreements.items()}


def _described(labels: np.ndarray, people: np.ndarray, strata: np.ndarray) -> dict[str, Any]:
    """Sizes of groups, and agreement with the strata over the people whom both placed."""
    everybody = np.full(len(strata), -1)
    everybody[people] = labels
    return _sizes(everybody) | _agreement(everybody, strata)


def _sizes(labels: np.ndarray) -> dict[str, Any]:
    counts = np.unique(labels[labels >= 0], return_counts=True)[1]
    return {"people": int(counts.sum()), "smallest": int(counts.min())}


def _agreement(labels: np.ndarray, strata: np.ndarray) -> dict[str, Any]:
    """Nothing where one of the two has a single group: there is nothing to agree on."""
    both = (labels >= 0) & (strata >= 0)
    if min(len(np.unique(labels[both])), len(np.unique(strata[both]))) < 2:
        return {}
    found = (adjusted_rand_score, normalized_mutual_info_score)
    # whole agreement comes out a last digit above 1
    ari, nmi = (round(float(score(strata[both], labels[both])), 12) for score in found)
    return {"ari": ari, "nmi": nmi}


def _row(found: dict[str, Any], everybody: int, **fixed: Any) -> dict[str, Any]:
    people = found.get("people")
    share = None if people is None else people / everybody
    row = dict.fromkeys(column.name for column in CHALLENGERS.columns)
    return {**row, **fixed, **found, "placed_share": share}


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
