"""Ways to run a small study out of fold, and to measure how far two runs lie apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from nociomics.models.response import out_of_fold
from tests.models.small_study import BLOCKS, QUICK, SmallStudy

OUTCOMES = ("outcome", "label", "response_value", "responded", "adverse_event")
Run = Callable[[SmallStudy], pl.DataFrame]


def honest(study: SmallStudy, variant: str = "full") -> pl.DataFrame:
    """The package's own cross-validation."""
    return out_of_fold(study.training, study.splits, study.target, BLOCKS, QUICK, 1, variant)


def with_genes_chosen_on_everybody(study: SmallStudy) -> pl.DataFrame:
    """A leak on purpose: the five genes that go best with everybody's outcome are kept before the folds are made."""
    genes = study.catalogue.filter((pl.col("modality") == "expression") & (pl.col("kind") == "numeric"))["feature"]
    value = study.rows["outcome"].cast(pl.Float64)
    strength = {gene: abs(_correlation(study.features[gene], value)) for gene in genes}
    weak = sorted(strength, key=strength.__getitem__)[:-5]
    return honest(study.changed(catalogue=study.catalogue.filter(~pl.col("feature").is_in(weak))))


def with_other_outcomes(study: SmallStudy, fold: int, seed: int = 5) -> SmallStudy:
    """Deal the outcomes of one outer fold out anew among its people, so that hardly anyone keeps their own."""
    inside = study.rows["patient_id"].is_in(_people_of(study, fold).to_list()).to_numpy()
    places = np.arange(study.rows.height)
    places[inside] = np.random.default_rng(seed).permutation(places[inside])
    columns = [study.rows[name].gather(places).alias(name) for name in OUTCOMES]
    return study.changed(rows=study.rows.with_columns(columns))


def largest_change_in_own_fold(run: Run, study: SmallStudy) -> float:
    """Largest change of any prediction of a fold when the outcomes of that very fold are replaced."""
    first = run(study)
    changes = []
    for fold in sorted(study.splits["outer_fold"].unique()):
        again = run(with_other_outcomes(study, fold))
        changes.append(gap(*(frame.filter(pl.col("outer_fold") == fold) for frame in (first, again))))
    return max(changes)


def gap(one: pl.DataFrame, other: pl.DataFrame) -> float:
    """Largest difference between two sets of predictions; infinite when they answer different questions."""
    keys = ["patient_id", "repeat", "treatment"]
    one, other = one.sort(keys), other.sort(keys)
    if not one.select(keys).equals(other.select(keys)) or one.columns != other.columns:
        return float("inf")
    left, right = (frame.drop(*keys, "outer_fold").to_numpy() for frame in (one, other))
    if not (np.isnan(left) == np.isnan(right)).all():
        return float("inf")
    return float(np.nanmax(np.abs(left - right), initial=0.0))


def _people_of(study: SmallStudy, fold: int) -> pl.Series:
    return study.splits.filter(pl.col("outer_fold") == fold)["patient_id"]


def _correlation(gene: pl.Series, value: pl.Series) -> float:
    frame = pl.DataFrame({"gene": gene, "value": value}).drop_nulls()
    return float(np.corrcoef(frame["gene"].to_numpy(), frame["value"].to_numpy())[0, 1])
