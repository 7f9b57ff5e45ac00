"""Model columns made ready for linear learners: medians, indicators of missing blocks, one scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from nociomics.models.feature_blocks import Encoded, EncodedColumn

_LEAST_SHARE = 0.02


class LinearInputs:
    """Fill missing values with the training median, mark missing blocks, standardise.

    A column ``<modality>_missing`` is added for every modality of which at least 2 % of the training
    people lack everything: a linear model can then tell "average" from "not measured".

    Attributes
    ----------
    median_, centre_, scale_ : ndarray of shape (n_columns,)
        Learned of the encoded columns.
    indicated_ : list of str
        Modalities with an indicator.
    columns_ : tuple of EncodedColumn
        Encoded columns, then indicators.
    """

    def fit(self, encoded: Encoded) -> LinearInputs:
        """Learn medians, scales and which blocks are missing often enough to be marked."""
        values = encoded.values
        self.median_ = _column_medians(values)
        filled = np.where(np.isnan(values), self.median_, values)
        self.centre_ = filled.mean(axis=0) if len(filled) else np.zeros(values.shape[1])
        deviation = filled.std(axis=0) if len(filled) else np.ones(values.shape[1])
        self.scale_ = np.where(deviation > 1e-12, deviation, 1.0)
        self.encoded_columns_ = encoded.columns
        self.indicated_ = [name for name in _modalities(encoded.columns) if self._often_missing(encoded, name)]
        self._name_columns()
        return self

    def transform(self, encoded: Encoded) -> np.ndarray:
        """Return an (n_people, n_columns + n_indicators) matrix without NaN."""
        filled = np.where(np.isnan(encoded.values), self.median_, encoded.values)
        standardised = (filled - self.centre_) / self.scale_
        marks = [_block_missing(encoded, name).astype(float)[:, None] for name in self.indicated_]
        return np.hstack([standardised, *marks])

    def to_dict(self) -> dict[str, Any]:
        """Everything learned, as plain JSON values."""
        return {
            "median": self.median_.tolist(),
            "centre": self.centre_.tolist(),
            "scale": self.scale_.tolist(),
            "indicated": list(self.indicated_),
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any], columns: tuple[EncodedColumn, ...]) -> LinearInputs:
        """Rebuild from `to_dict` and the encoded columns."""
        inputs = cls()
        inputs.median_ = np.asarray(stored["median"], dtype=float)
        inputs.centre_ = np.asarray(stored["centre"], dtype=float)
        inputs.scale_ = np.asarray(stored["scale"], dtype=float)
        inputs.indicated_ = list(stored["indicated"])
        inputs.encoded_columns_ = columns
        inputs._name_columns()
        return inputs

    def _often_missing(self, encoded: Encoded, modality: str) -> bool:
        share = float(_block_missing(encoded, modality).mean()) if len(encoded.values) else 0.0
        return _LEAST_SHARE <= share <= 1 - _LEAST_SHARE

    def _name_columns(self) -> None:
        marks = tuple(EncodedColumn(f"{name}_missing", name, f"{name} missing") for name in self.indicated_)
        self.columns_ = (*self.encoded_columns_, *marks)


def _modalities(columns: tuple[EncodedColumn, ...]) -> list[str]:
    return sorted({column.modality for column in columns})


def _block_missing(encoded: Encoded, modality: str) -> np.ndarray:
    inside = [place for place, column in enumerate(encoded.columns) if column.modality == modality]
    return np.asarray(np.isnan(encoded.values[:, inside]).all(axis=1))


def _column_medians(values: np.ndarray) -> np.ndarray:
    medians = np.zeros(values.shape[1])
    for place in range(values.shape[1]):
        known = values[~np.isnan(values[:, place]), place]
        medians[place] = np.median(known) if known.size else 0.0
    return medians
