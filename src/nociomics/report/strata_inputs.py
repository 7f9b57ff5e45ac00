"""What the strata were made of, read from their model: standardised measurements and loadings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from nociomics.models.stratification import StratumModel
from nociomics.report.measurement_names import plain_column

_MOST_NAMED = 4
_LEAST_LOADING = 0.4  # in standard deviations per standard deviation: weaker ones do not name a factor


@dataclass(frozen=True)
class StrataInputs:
    """Measurements behind the strata.

    Attributes
    ----------
    values : DataFrame, one row per person
        ``patient_id`` and one column per measurement, as the factors take it: in standard deviations from the
        cohort's mean (ranks made normal); null where not measured.
    columns : DataFrame, one row per measurement
        ``column, label, modality, explained`` (sum of squared loadings).
    loadings : ndarray of shape (n_columns, n_factors)
    """

    values: pl.DataFrame
    columns: pl.DataFrame
    loadings: np.ndarray

    def loads_on(self, factor: int) -> list[str]:
        """Name the measurements that load on a factor most, the strongest first; a minus marks those that fall."""
        return _strongest(self.columns["label"].to_list(), self.loadings[:, factor])


def _strongest(labels: Sequence[str], loading: np.ndarray) -> list[str]:
    """Measurements that load by 0.4 or more, at most four; the single strongest when none does."""
    order = np.argsort(-np.abs(loading), kind="stable")[:_MOST_NAMED]
    kept = [place for place in order if abs(loading[place]) >= _LEAST_LOADING] or list(order[:1])
    return [labels[place] if loading[place] > 0 else f"\N{MINUS SIGN}{labels[place]}" for place in kept]


def factor_words(model: StratumModel) -> list[list[str]]:
    """Name what loads on each factor of a model, see `StrataInputs.loads_on`."""
    labels = [plain_column(model.blocks_.columns_[place].name) for place in model.kept_]
    return [_strongest(labels, loading) for loading in model.factors_.loadings.T]


def strata_inputs(model: StratumModel, features: pl.DataFrame) -> StrataInputs:
    """Read from a model what it saw of people.

    Parameters
    ----------
    model : StratumModel
        Fitted.
    features : DataFrame, one row per person
        As in `tables.harmonised.FEATURES`.
    """
    encoded = model.columns(features)
    names = [column.name for column in encoded.columns]
    values = pl.DataFrame({name: encoded.values[:, place] for place, name in enumerate(names)}).fill_nan(None)
    columns = pl.DataFrame(
        {
            "column": names,
            "label": [plain_column(name) for name in names],
            "modality": [column.modality for column in encoded.columns],
            "explained": (model.factors_.loadings**2).sum(axis=1),
        },
        schema={"column": pl.String, "label": pl.String, "modality": pl.String, "explained": pl.Float64},
    )
    people = features.select("patient_id")
    return StrataInputs(pl.concat([people, values], how="horizontal"), columns, model.factors_.loadings)
