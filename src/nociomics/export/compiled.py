"""A loaded bundle made ready for single people: the same arithmetic, without a table of a thousand columns.

What models learned is asked through their own functions; only the way from admitted values to them is shorter, and the
trees of all refits are walked at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from nociomics.export.gate import Admitted, Gate
from nociomics.export.packed_trees import FEW_PEOPLE, PackedTrees
from nociomics.models.arm_learners import LinearArms, TreeArms
from nociomics.models.feature_blocks import Encoded, FeatureBlocks, encode_numbers
from nociomics.models.reliance import Reliance
from nociomics.models.response import Predicted, predict_encoded
from nociomics.models.shares import combined
from nociomics.models.value_model import ValueModel


class Blocks:
    """Feature blocks that read admitted values by place."""

    def __init__(self, blocks: FeatureBlocks, gate: Gate) -> None:
        self.blocks = blocks
        place = {entry["feature"]: number for number, entry in enumerate(gate.numbers)}
        # the place after the last is a column of nothing
        self.places = [
            np.array([place.get(name, len(gate.numbers)) for name in part.features], dtype=int)
            for part in blocks.parts_
        ]
        self.learned = [_in_arrays(part) for part in blocks.parts_]
        self.logged = [np.asarray(part.logged, dtype=bool) for part in blocks.parts_]

    def encode(self, people: Admitted) -> Encoded:
        """Encode people as `FeatureBlocks.transform` does."""
        pieces = []
        for part, places, logged in zip(self.learned, self.places, self.logged, strict=True):
            values, level_of = _taken(people, places, logged), _levels(people, part.within)
            if part.combat is not None:
                values = part.combat.transform(values, level_of)
            pieces.append(encode_numbers(part, values, level_of))
        pieces += [_category(people, name, entry[2]) for name, entry in self.blocks.categories_.items()]
        values = np.hstack(pieces) if pieces else np.empty((len(people.status), 0))
        return Encoded(values, self.blocks.columns_)

    def unseen_batches(self, people: Admitted) -> np.ndarray:
        """Say for each person whether something was measured in an unknown batch, as `FeatureBlocks` does."""
        unseen = np.zeros(len(people.status), dtype=bool)
        for part, places in zip(self.blocks.parts_, self.places, strict=True):
            if part.within is None:
                continue
            level_of = _levels(people, part.within)
            known = (
                part.combat.known(level_of)
                if part.combat is not None
                else np.isin(level_of.astype(str), list(set(part.centre) - {""}))
            )
            unseen |= ~np.isnan(people.padded[:, places]).all(axis=1) & ~known
        return unseen


def _in_arrays(part: Any) -> Any:
    """Return what a block learned with arrays in the place of lists, which would be laid out anew for every person."""
    asked: dict[str, Any] = {name: getattr(part, name) for name in ("loadings", "component_scale")}
    arrays: dict[str, Any] = {name: None if values is None else np.asarray(values) for name, values in asked.items()}
    for name in ("centre", "scale"):
        arrays[name] = {level: np.asarray(values) for level, values in getattr(part, name).items()}
    return dataclasses.replace(part, **arrays)


def _taken(people: Admitted, places: np.ndarray, logged: np.ndarray) -> np.ndarray:
    values = people.padded[:, places]
    if logged.any():
        part = values[:, logged]
        values[:, logged] = np.log2(part, where=part > 0, out=np.full_like(part, np.nan))
    return values


def _levels(people: Admitted, within: str | None) -> np.ndarray:
    texts = people.labels.get(within) if within is not None else None
    if texts is None:
        return np.full(len(people.status), "", dtype=object)
    return np.array([text or "" for text in texts], dtype=object)


def _category(people: Admitted, name: str, levels: Sequence[str]) -> np.ndarray:
    texts = people.labels.get(name)
    if texts is None:
        return np.full((len(people.status), len(levels)), np.nan)
    rows = [[np.nan if text is None else float(text == level) for level in levels] for text in texts]
    return np.array(rows, dtype=float).reshape(len(texts), len(levels))


class Compiled:
    """The parts of a bundle that answer people.

    Parameters
    ----------
    bundle : Bundle
        As loaded.
    """

    def __init__(self, bundle: Any) -> None:
        self.bundle, gate = bundle, bundle.input_gate
        self.response = Blocks(bundle.model.blocks_, gate)
        self.strata = Blocks(bundle.strata.blocks_, gate)
        self.adverse = None if bundle.adverse is None else Blocks(bundle.adverse.blocks_, gate)
        self._reliance = None if bundle.reliance is None else _Leaning(bundle.reliance, gate)

    @cached_property
    def _packed(self) -> PackedTrees | None:
        model = self.bundle.model
        if not isinstance(model, ValueModel):
            return None
        fits = [model.whole_, *model.functions_]
        return PackedTrees(
            [booster for fit in fits for one in fit if isinstance(one, TreeArms) for booster in one.grown]
        )

    def predict(self, people: Admitted, baseline: np.ndarray) -> Predicted:
        """Predict the response under every treatment, as `predict_response` does."""
        model, encoded = self.bundle.model, self.response.encode(people)
        if self._packed is None or len(people.status) > FEW_PEOPLE:
            return predict_encoded(model, encoded, baseline)
        refits = self._of_fits(model, encoded) + model.baseline_part(encoded.values)[None, :, None]
        expected = refits[0]
        spread = refits[1:] - refits[1:].mean(axis=0) + expected if len(refits) > 1 else expected[None]
        return Predicted(model.arms_, expected, spread, model.response_probability(expected, baseline), [], None)

    def _of_fits(self, model: ValueModel, encoded: Encoded) -> np.ndarray:
        """Predict by the model and each refit, before the baseline's line: (1 + n_refits, n_people, n_arms)."""
        columns, arms = model.inputs_.transform(encoded), len(model.arms_)
        assert self._packed is not None
        sums, used, found = self._packed.predict(encoded.values), 0, []
        for fit in [model.whole_, *model.functions_]:
            learners = []
            for one in fit:
                if isinstance(one, LinearArms):
                    learners.append(one.predict(columns))
                else:
                    learners.append(sums[:, used : used + arms])
                    used += arms
            found.append(combined(np.asarray(learners), model.level_shares_, model.effect_shares_))
        return np.asarray(found)

    def harm(self, people: Admitted) -> Predicted | None:
        """Predict the chance of the adverse event; None where it was not modelled."""
        if self.adverse is None:
            return None
        unknown = np.full(len(people.status), np.nan)
        return predict_encoded(self.bundle.adverse, self.adverse.encode(people), unknown)

    def atypical(self, people: Admitted) -> np.ndarray:
        """Say for each person whether they lie far from everyone, as `StratumModel.assign` does."""
        found: np.ndarray = self.assign(people)["atypical"].fill_null(False).to_numpy()
        return found

    def assign(self, people: Admitted) -> pl.DataFrame:
        """Place people in the strata, as `StratumModel.assign` does; null for who is not answered."""
        if id(self) not in people.placed:
            encoded = self.strata.encode(people)
            people.placed[id(self)] = self.bundle.strata.assign_encoded(people.patients, encoded)
        return people.placed[id(self)]

    def lacking(self, people: Admitted) -> list[list[str]]:
        """Say for each person what of weight was not measured, as `Reliance.lacking` does."""
        return [[] for _ in people.status] if self._reliance is None else self._reliance.lacking(people)


class _Leaning:
    """A model's reliance asked about one column per unit: whether anything of it was measured."""

    def __init__(self, reliance: Reliance, gate: Gate) -> None:
        self.numbers = {entry["feature"]: place for place, entry in enumerate(gate.numbers)}
        every = {f"unit {name}": names for name, names in reliance.features.items()}
        every |= {f"modality {name}": names for name, names in reliance.modalities.items()}
        self.places = {
            key: np.array([self.numbers[name] for name in names if name in self.numbers], dtype=int)
            for key, names in every.items()
        }
        self.labels = {key: [name for name in names if name not in self.numbers] for key, names in every.items()}
        self.short = dataclasses.replace(
            reliance,
            features={name: [f"unit {name}"] for name in reliance.features},
            modalities={name: [f"modality {name}"] for name in reliance.modalities},
        )

    def lacking(self, people: Admitted) -> list[list[str]]:
        known = ~np.isnan(people.padded)
        columns = {}
        for key, places in self.places.items():
            there = known[:, places].any(axis=1)
            for name in self.labels[key]:
                texts = people.labels.get(name)
                if texts is not None:
                    there = there | np.array([text is not None for text in texts], dtype=bool)
            columns[key] = np.where(there, 1.0, np.nan)
        if not any(np.isnan(column).any() for column in columns.values()):
            return [[] for _ in people.status]
        return self.short.lacking(pl.DataFrame(columns, nan_to_null=True))
