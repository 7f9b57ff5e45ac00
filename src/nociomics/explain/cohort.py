"""Explain a whole cohort by blocks of people: their tables go to whoever writes them, means stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from nociomics.errors import BundleError
from nociomics.explain.dependence import DependenceView
from nociomics.explain.explanation_tables import base_frame, check_additive, shap_frame
from nociomics.explain.global_view import GlobalView
from nociomics.explain.shap_values import Deviations, Explainer
from nociomics.models.response import ResponseModel
from nociomics.tables.part import Part
from nociomics.tables.progress import Progress

# values of one block, all treatments and columns: some 300 bytes each with their row of the table
_VALUES_AT_ONCE = 1_500_000
_PEOPLE_AT_ONCE = 1_000


@dataclass(frozen=True)
class CohortExplanation:
    """What is said of the cohort, and how well it adds up.

    Attributes
    ----------
    bases, importance, stability, dependence : DataFrame
        As in `BASE_VALUES`, `IMPORTANCE`, `EXPLANATION_STABILITY` and `DEPENDENCE`.
    people : int
        Explained, each checked.
    gap : float
        Largest distance between a prediction and what its explanation adds up to.
    """

    bases: pl.DataFrame
    importance: pl.DataFrame
    stability: pl.DataFrame
    dependence: pl.DataFrame
    people: int
    gap: float


def people_to_explain(
    model: ResponseModel, features: pl.DataFrame, predictions: pl.DataFrame, wanted: list[str] | None = None
) -> pl.DataFrame:
    """Take those who have a prediction.

    Parameters
    ----------
    features, predictions : DataFrame
        As in `FEATURES` and `PREDICTIONS`.
    wanted : list of str, optional
        Ids of those who are asked for; everybody when left out.

    Raises
    ------
    BundleError
        When features of predicted people are lacking, the tables share no column with the model, or somebody who is
        asked for has no prediction.
    """
    fine = predictions.filter(pl.col("status") == "ok")["patient_id"].unique()
    absent = len(set(fine) - set(features["patient_id"]))
    if absent:
        raise BundleError(
            f"{absent} people have a prediction but no row of features: the two tables are of different cohorts or "
            "versions. Predict these people again with `nociomics predict`."
        )
    needed = model.blocks_.input_features()
    if needed and not set(needed) & set(features.columns):
        raise BundleError(
            f"None of the {len(needed)} features that the model reads is a column of the features: there is nothing to "
            "explain by. Give the harmonised features of this study (harmonised/features.parquet)."
        )
    if wanted:
        unknown = len(set(wanted) - set(fine))
        if unknown:
            raise BundleError(
                f"{unknown} of the {len(set(wanted))} patients asked for have no prediction. "
                "Check their ids against response/predictions.parquet, as written there."
            )
        fine = fine.filter(fine.is_in(wanted))
    return features.filter(pl.col("patient_id").is_in(fine.to_list()))


def explain_cohort(
    model: ResponseModel,
    features: pl.DataFrame,
    background: np.ndarray,
    seed: int,
    predictions: pl.DataFrame,
    write: Callable[[pl.DataFrame], None],
) -> CohortExplanation:
    """Explain people block by block, and check every block.

    Parameters
    ----------
    features, predictions : DataFrame
        As in `FEATURES` and `PREDICTIONS`.
    background : ndarray of shape (n_background, n_columns)
        Encoded training people.
    write : callable
        Is given the table of each block, as in `SHAP_VALUES`; at least once, if with no rows.

    Raises
    ------
    ArithmeticError
        When an explanation does not add up to its prediction: a fault of the program.
    """
    blocks = _Blocks(model, features, background, seed, predictions)
    for number in range(blocks.count):
        write(blocks.explain(number))
    return blocks.explanation()


def explain_part(
    model: ResponseModel,
    features: pl.DataFrame,
    background: np.ndarray,
    seed: int,
    predictions: pl.DataFrame,
    write: Callable[[pl.DataFrame], None],
    part: Part,
) -> dict[str, np.ndarray]:
    """Explain one part of the people, as `explain_cohort` does everybody; `gather_explanations` puts parts together.

    Blocks are the same whatever the number of parts, and what is gathered of each is kept apart, so that sums are
    taken in one order.

    Parameters
    ----------
    features, predictions : DataFrame
        Of everybody, not of the part: limits of bins and who is drawn depend on all.
    part : Part
        Which.

    Returns
    -------
    dict of str to ndarray
        What was gathered of every block, for `gather_explanations`.
    """
    blocks = _Blocks(model, features, background, seed, predictions)
    found: dict[str, np.ndarray] = {}
    write(blocks.nobody())
    for number in part.places(blocks.count):
        write(blocks.explain(number))
        found |= {f"{number} {name}": array for name, array in blocks.sums().items()}
        blocks.restart()
    return found


def gather_explanations(
    model: ResponseModel,
    features: pl.DataFrame,
    background: np.ndarray,
    seed: int,
    predictions: pl.DataFrame,
    parts: Iterable[Mapping[str, np.ndarray]],
) -> CohortExplanation:
    """Put together what `explain_part` gathered; the same, bit by bit, as `explain_cohort` of everybody gives.

    Raises
    ------
    BundleError
        When the parts are not those of these people: a block is lacking, or there are others.
    """
    blocks = _Blocks(model, features, background, seed, predictions)
    of_block: dict[int, dict[str, np.ndarray]] = {}
    for part in parts:
        for key, array in part.items():
            block, _, name = key.partition(" ")
            of_block.setdefault(int(block), {})[name] = array
    if sorted(of_block) != list(range(blocks.count)):
        raise BundleError(
            f"The parts of the explanations hold {len(of_block)} blocks of people, but this cohort has {blocks.count}: "
            "they were made from other tables. Delete the folder parts of the results and run the same command again."
        )
    for number in range(blocks.count):
        blocks.take(of_block[number])
    return blocks.explanation()


class _Blocks:
    """People cut into blocks that depend on the tables alone, and what is gathered of those who were explained."""

    def __init__(
        self,
        model: ResponseModel,
        features: pl.DataFrame,
        background: np.ndarray,
        seed: int,
        predictions: pl.DataFrame,
    ) -> None:
        self.features, self.predictions, self.arms = features, predictions, model.arms_
        self.explainer = Explainer(model, background, seed)
        columns, refits = self.explainer.columns, self.explainer.refits
        self.bases = base_frame(self.explainer, self.arms)
        self.view = GlobalView(columns, features.height, refits, seed)
        levels = {name: [f"{name}_{level}" for level in entry[2]] for name, entry in model.blocks_.categories_.items()}
        self.bins = DependenceView(columns, levels, features, background, refits)
        per_person = max(1, len(columns) * len(self.arms) * len(self.explainer.outputs))
        self.at_once = max(1, min(_PEOPLE_AT_ONCE, _VALUES_AT_ONCE // per_person))
        self.count = -(-max(features.height, 1) // self.at_once)
        self.progress = Progress("explanations", "people", features.height)
        self.gap = 0.0

    def nobody(self) -> pl.DataFrame:
        """Make the table without rows."""
        people = self.features.clear()
        found = self.explainer.whole(self.explainer.encode(people))
        return shap_frame(found, people, self.arms)

    def explain(self, number: int) -> pl.DataFrame:
        """Explain the people of one block, as in `SHAP_VALUES`, and gather what is said of the cohort."""
        first = number * self.at_once
        people = self.features[first : first + self.at_once]
        encoded = self.explainer.encode(people)
        found = self.explainer.whole(encoded)
        self.view.add(found.values)
        self.bins.add(people, found.shown, found.values)
        spread = Deviations(found.values.shape)
        for refit, values in enumerate(self.explainer.of_refits(encoded)):
            spread.add(values)
            self.view.add_refit(refit, first, values)
            self.bins.add_refit(refit, values)
        frame = shap_frame(replace(found, spread=spread.standard()), people, self.arms)
        self.gap = max(self.gap, check_additive(frame, self.bases, self.predictions))
        self.progress.advance(people.height)
        return frame

    def sums(self) -> dict[str, np.ndarray]:
        """Give what was gathered since the last restart."""
        of_view = {f"view {name}": array for name, array in self.view.sums().items()}
        of_bins = {f"bins {name}": array for name, array in self.bins.sums().items()}
        return {**of_view, **of_bins, "gap": np.array(self.gap)}

    def take(self, sums: Mapping[str, np.ndarray]) -> None:
        """Add what was gathered of the next block."""
        self.view.take({name.removeprefix("view "): sums[name] for name in sums if name.startswith("view ")})
        self.bins.take({name.removeprefix("bins "): sums[name] for name in sums if name.startswith("bins ")})
        self.gap = max(self.gap, float(sums["gap"]))

    def restart(self) -> None:
        """Forget who was explained."""
        self.view.restart()
        self.bins.restart()

    def explanation(self) -> CohortExplanation:
        """Lay out what was gathered."""
        shown = (self.arms, self.explainer.outputs)
        tables = self.view.importance(*shown), self.view.stability(*shown), self.bins.table(*shown)
        return CohortExplanation(self.bases, *tables, self.features.height, self.gap)
