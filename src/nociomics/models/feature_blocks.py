"""Features to model columns: everything that is learned from other people before the outcome is seen."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from scipy.linalg import eigh

from nociomics.errors import LeakageError, StudyError
from nociomics.models.combat import FrozenComBat, fit_combat
from nociomics.models.scaling import centre_scale
from nociomics.models.settings import BlockSettings

LOG_MODALITY = "biomarkers"
# Draws a batch's shift of one column towards that of the others: one column alone has no others. On simulated columns
# with batches of 10, 20 and 60 people it came nearer to the values without batches than standardising within the
# batch did, with 2 columns (error 0.30, 0.22, 0.13 against 0.33, 0.24, 0.13) as with 200 (0.24, 0.20, 0.12 against
# 0.34, 0.25, 0.14).
COMBAT_COLUMNS = 2


@dataclass(frozen=True)
class EncodedColumn:
    """One model column, what it is shown with, and whether it is a component of a compressed modality."""

    name: str
    modality: str
    group: str
    component: bool = False


@dataclass(frozen=True)
class Encoded:
    """Model columns of some people.

    Attributes
    ----------
    values : ndarray of shape (n_people, n_columns)
        Float64; NaN where not measured.
    columns : tuple of EncodedColumn
        In the order of the columns.
    """

    values: np.ndarray
    columns: tuple[EncodedColumn, ...]


@dataclass
class _Part:
    """One modality's numeric features and what was learned of them."""

    modality: str
    features: list[str]
    groups: list[str]
    logged: list[bool]
    within: str | None
    centre: dict[str, list[float]]
    scale: dict[str, list[float]]
    standardised: bool
    loadings: list[list[float]] | None = None
    component_scale: list[float] = field(default_factory=list)
    combat: FrozenComBat | None = None


class FeatureBlocks:
    """Compress each wide modality to components and encode categories; narrow modalities stay as they are.

    Nothing is imputed here: a value that was not measured stays NaN, and so does every component of a
    modality of which nothing was measured. Analytes are taken as log2. Values that are only comparable
    within a batch or cohort (catalogue column ``within``) have it taken out by a frozen ComBat; a single column,
    which cannot tell how a batch shifts columns in general, is standardised within it instead. A batch that
    training did not know passes through and is told by `unseen_batches`.

    Parameters
    ----------
    settings : BlockSettings
        Widths and counts.
    kept : tuple of str
        Features that stay columns of their own, however wide their modality is.

    Attributes
    ----------
    parts_ : list
        Learned centres, scales and loadings, one per modality (and ``within`` category).
    categories_ : dict
        Category feature -> its levels with enough people.
    """

    def __init__(self, settings: BlockSettings | None = None, kept: tuple[str, ...] = ()) -> None:
        self.settings = settings or BlockSettings()
        self.kept = kept

    def fit(self, features: pl.DataFrame, catalogue: pl.DataFrame) -> FeatureBlocks:
        """Learn from people, without any outcome.

        Parameters
        ----------
        features : DataFrame, one row per person
            As in `tables.harmonised.FEATURES`.
        catalogue : DataFrame, one row per feature
            As in `tables.harmonised.FEATURE_CATALOGUE`.

        Raises
        ------
        LeakageError
            When a feature was not measured at baseline.
        """
        self.fit_transform(features, catalogue)
        return self

    def fit_transform(self, features: pl.DataFrame, catalogue: pl.DataFrame) -> Encoded:
        """Learn from people as `fit` does, and return them encoded as `transform` would."""
        refuse_late_features(catalogue)
        known = catalogue.filter(pl.col("feature").is_in(features.columns)).sort("modality", "feature")
        within_columns = set(known["within"].drop_nulls().to_list())
        numeric = known.filter(pl.col("kind") != "category")
        self.parts_, pieces = [], []
        apart = pl.col("feature").is_in(list(self.kept))
        for rows in (numeric.filter(apart), numeric.filter(~apart)):
            for (modality, within), part_rows in rows.group_by("modality", "within", maintain_order=True):
                part, piece = self._learn_part(
                    features, part_rows, str(modality), within if within is None else str(within)
                )
                if part.features:
                    self.parts_.append(part)
                    pieces.append(piece)
        categories = known.filter((pl.col("kind") == "category") & ~pl.col("feature").is_in(list(within_columns)))
        self.categories_ = {
            row["feature"]: (row["modality"], row["group"], self._levels(features[row["feature"]]))
            for row in categories.iter_rows(named=True)
        }
        self.columns_ = tuple(self._columns())
        pieces += [self._encode_category(name, features) for name in self.categories_]
        return Encoded(np.hstack(pieces) if pieces else np.empty((features.height, 0)), self.columns_)

    def transform(self, features: pl.DataFrame) -> Encoded:
        """Encode people with what was learned; each person's row depends on that person alone."""
        pieces = [self._encode_part(part, features) for part in self.parts_]
        pieces += [self._encode_category(name, features) for name in self.categories_]
        values = np.hstack(pieces) if pieces else np.empty((features.height, 0))
        return Encoded(values, self.columns_)

    def input_features(self) -> list[str]:
        """Names of the features that a prediction reads."""
        numeric = [name for part in self.parts_ for name in part.features]
        within = [part.within for part in self.parts_ if part.within]
        return sorted({*numeric, *within, *self.categories_})

    def unseen_batches(self, features: pl.DataFrame) -> np.ndarray:
        """Say for each person whether something was measured in a batch that training did not know.

        Returns
        -------
        ndarray of bool, shape (n_people,)
            False for a person of whom nothing of these modalities was measured.
        """
        unseen = np.zeros(features.height, dtype=bool)
        for part in self.parts_:
            if part.within is None:
                continue
            held = [name for name in part.features if name in features.columns]
            measured = features.select(pl.any_horizontal(pl.col(held).is_not_null())) if held else None
            if measured is not None:
                unseen |= measured.to_series().to_numpy() & ~self._known_batch(part, features)
        return unseen

    def with_batches_of(self, features: pl.DataFrame) -> FeatureBlocks:
        """Return a copy that also knows every new batch of at least 10 of these people, learned without any outcome.

        These people are then encoded with each other's help: right for a whole new site or cohort, never for one
        person. What was learned of the batches of training stays as it is.
        """
        further = copy.copy(self)
        further.parts_ = [self._with_batches(part, features) for part in self.parts_]
        return further

    def to_dict(self) -> dict[str, Any]:
        """Everything learned, as plain JSON values."""
        return {
            "settings": self.settings.model_dump(),
            "parts": [
                {**vars(part), "combat": None if part.combat is None else part.combat.to_dict()} for part in self.parts_
            ],
            "categories": {name: list(entry) for name, entry in self.categories_.items()},
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> FeatureBlocks:
        """Rebuild from `to_dict`."""
        blocks = cls(BlockSettings(**stored["settings"]))
        blocks.parts_ = [_stored_part(part) for part in stored["parts"]]
        # a file's own order of keys says nothing: categories come by modality and name, as `fit` has them
        categories = sorted(stored["categories"].items(), key=lambda entry: (entry[1][0], entry[0]))
        blocks.categories_ = {name: (entry[0], entry[1], list(entry[2])) for name, entry in categories}
        blocks.columns_ = tuple(blocks._columns())
        return blocks

    def _learn_part(
        self, features: pl.DataFrame, rows: pl.DataFrame, modality: str, within: str | None
    ) -> tuple[_Part, np.ndarray]:
        """Learn one modality, and encode the people it was learned from."""
        names = rows["feature"].to_list()
        # what may be negative (a rise, a slope) or is no amount (an hour) has no low limit of 0: it stays as it is
        amounts = [
            kind == "numeric" and low is not None and low >= 0 for kind, low in rows.select("kind", "low").rows()
        ]
        logged = [modality == LOG_MODALITY and amount for amount in amounts]
        values = _numbers(features, names, logged)
        batch_of = level_of = _levels_of(features, within)
        useful = _varies(values)
        names, groups = _where(names, useful), _where(rows["group"].to_list(), useful)
        logged, values = _where(logged, useful), values[:, useful]
        wide = len(names) > self.settings.raw_up_to
        combat = None
        if within is not None and len(names) >= COMBAT_COLUMNS:
            measured = ~np.isnan(values).all(axis=1)
            combat = fit_combat(values[measured], level_of[measured])
            values, level_of = combat.transform(values, level_of), np.full(len(level_of), "", dtype=object)
        centre, scale = _location_scale(values, level_of)
        part = _Part(modality, names, groups, logged, within, centre, scale, wide or within is not None, combat=combat)
        if wide:
            _learn_components(part, _standardise(values, level_of, part), self.settings.components)
        return part, encode_numbers(part, values, batch_of)

    def _encode_part(self, part: _Part, features: pl.DataFrame) -> np.ndarray:
        values = _numbers(features, part.features, part.logged)
        if part.combat is not None:
            values = part.combat.transform(values, _levels_of(features, part.within))
        return encode_numbers(part, values, _levels_of(features, part.within))

    def _known_batch(self, part: _Part, features: pl.DataFrame) -> np.ndarray:
        level_of = _levels_of(features, part.within)
        return part.combat.known(level_of) if part.combat is not None else _is_any(level_of, set(part.centre) - {""})

    def _with_batches(self, part: _Part, features: pl.DataFrame) -> _Part:
        if part.within is None:
            return part
        values, level_of = _numbers(features, part.features, part.logged), _levels_of(features, part.within)
        measured = ~np.isnan(values).all(axis=1)
        values, level_of = values[measured], level_of[measured]
        if part.combat is not None:
            return replace(part, combat=part.combat.with_batches_of(values, level_of))
        centre, scale = _location_scale(values, level_of)
        return replace(part, centre=centre | part.centre, scale=scale | part.scale)

    def _encode_category(self, name: str, features: pl.DataFrame) -> np.ndarray:
        levels = self.categories_[name][2]
        if name not in features.columns:
            return np.full((features.height, len(levels)), np.nan)
        values = features[name].cast(pl.String).to_numpy()
        known = np.array([value is not None for value in values])
        columns = [np.where(known, values == level, np.nan).astype(float) for level in levels]
        return np.column_stack(columns) if columns else np.empty((features.height, 0))

    def _levels(self, values: pl.Series) -> list[str]:
        counts = (
            values.cast(pl.String).drop_nulls().value_counts().filter(pl.col("count") >= self.settings.category_people)
        )
        levels = sorted(counts[values.name].to_list())
        # two levels need one column: the second is the first's mirror image
        return levels[1:] if len(levels) == 2 else levels if len(levels) > 2 else []

    def _columns(self) -> list[EncodedColumn]:
        columns: list[EncodedColumn] = []
        for part in self.parts_:
            if part.loadings is None:
                columns += [
                    EncodedColumn(name, part.modality, group)
                    for name, group in zip(part.features, part.groups, strict=True)
                ]
            else:
                columns += [
                    EncodedColumn(
                        f"{part.modality}_component_{i + 1:02d}", part.modality, f"{part.modality} components", True
                    )
                    for i in range(len(part.component_scale))
                ]
        for name, (modality, group, levels) in self.categories_.items():
            columns += [EncodedColumn(f"{name}_{level}", modality, group) for level in levels]
        return columns


def refuse_late_features(catalogue: pl.DataFrame) -> None:
    """Raise `LeakageError` naming every feature that was measured after the start of treatment."""
    late = catalogue.filter(pl.col("measured_at") != "baseline")
    if late.height:
        named = ", ".join(
            f'"{name}" ({when})' for name, when in late.select("feature", "measured_at").head(5).iter_rows()
        )
        raise LeakageError(
            f"{late.height} features were measured after the start of treatment and may not predict its outcome: "
            f"{named}. Leave them out of the features."
        )


def _numbers(features: pl.DataFrame, names: list[str], logged: list[bool]) -> np.ndarray:
    """Feature values as (n_people, n_features) float64; NaN for null, absent columns and logs of nothing."""
    values = np.full((features.height, len(names)), np.nan)
    held = set(features.columns)
    places = [place for place, name in enumerate(names) if name in held]
    known = features.select(names[place] for place in places)
    text = [name for name, dtype in known.schema.items() if dtype == pl.String]
    if text:
        raise StudyError(f'Feature "{text[0]}" holds text here, but the model was trained with numbers.')
    if places:
        # all columns at once: one by one, reading 1000 genes takes longer than fitting the model
        values[:, places] = known.cast(pl.Float64).to_numpy()
    positive = np.asarray(logged, dtype=bool)
    if positive.any():
        part = values[:, positive]
        values[:, positive] = np.log2(part, where=part > 0, out=np.full_like(part, np.nan))
    return values


def _varies(values: np.ndarray) -> np.ndarray:
    """Whether a feature takes at least two values."""
    known = ~np.isnan(values)
    low = np.where(known, values, np.inf).min(axis=0, initial=np.inf)
    high = np.where(known, values, -np.inf).max(axis=0, initial=-np.inf)
    return np.asarray(high - low > 1e-12)


def _where(items: list, keep: np.ndarray) -> list:
    return [item for item, kept in zip(items, keep, strict=True) if kept]


def _stored_part(stored: dict[str, Any]) -> _Part:
    combat = stored.get("combat")
    return _Part(**{**stored, "combat": None if combat is None else FrozenComBat.from_dict(combat)})


def _is_any(values: np.ndarray, levels: set[str]) -> np.ndarray:
    return np.array([value in levels for value in values], dtype=bool)


def _levels_of(features: pl.DataFrame, within: str | None) -> np.ndarray:
    if within is None or within not in features.columns:
        return np.full(features.height, "", dtype=object)
    return features[within].cast(pl.String).fill_null("").to_numpy().astype(object)


def _location_scale(values: np.ndarray, level_of: np.ndarray) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Mean and standard deviation per feature, over everybody ("") and per level with at least 10 people."""
    centre, scale = {}, {}
    for level in ["", *sorted(set(level_of) - {""})]:
        rows = values if level == "" else values[level_of == level]
        if level and len(rows) < 10:
            continue
        mean, deviation = centre_scale(rows)
        centre[level], scale[level] = mean.tolist(), deviation.tolist()
    return centre, scale


def _standardise(values: np.ndarray, level_of: np.ndarray, part: _Part) -> np.ndarray:
    """Standardise within the person's level; a level that training did not know takes the pooled values."""
    levels = set(level_of)
    if len(levels) == 1:
        known = next(iter(levels)) if levels <= part.centre.keys() else ""
        return np.asarray((values - part.centre[known]) / part.scale[known])
    standard = np.empty_like(values)
    for level in levels:
        known, rows = level if level in part.centre else "", level_of == level
        standard[rows] = (values[rows] - part.centre[known]) / part.scale[known]
    return standard


def encode_numbers(part: _Part, values: np.ndarray, level_of: np.ndarray) -> np.ndarray:
    """Standardise and compress one modality's numbers (n_people, n_features), whose batches were corrected."""
    if part.standardised:
        values = _standardise(values, level_of, part)
    if part.loadings is None:
        return values
    empty = np.isnan(values).all(axis=1)
    scores = np.nan_to_num(values) @ np.asarray(part.loadings) / np.asarray(part.component_scale)
    scores[empty] = np.nan
    return np.asarray(scores)


def _strongest(filled: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest singular values and their right vectors (n_columns, n_kept), by the smaller square."""
    wide = filled.shape[1] > len(filled)
    square = filled @ filled.T if wide else filled.T @ filled
    size = len(square)
    squares, vectors = eigh(square, subset_by_index=(max(size - most, 0), size - 1))
    squares, vectors = squares[::-1], vectors[:, ::-1]
    real = squares > 1e-12 * max(float(squares[0]), 1e-300)
    singular, vectors = np.sqrt(squares[real]), vectors[:, real]
    return singular, filled.T @ vectors / singular if wide else vectors


def _learn_components(part: _Part, standardised: np.ndarray, components: int) -> None:
    measured = standardised[~np.isnan(standardised).all(axis=1)]
    filled = np.nan_to_num(measured)
    singular, right = _strongest(filled, int(min(components, max(1, len(filled) // 10))))
    kept, loadings = len(singular), right
    # the sign of a component is arbitrary: fix it, so that the same people give the same columns
    loadings = loadings * np.sign(loadings[np.abs(loadings).argmax(axis=0), np.arange(kept)])
    part.loadings = loadings.tolist()
    part.component_scale = (singular[:kept] / np.sqrt(max(len(filled), 1))).tolist()
