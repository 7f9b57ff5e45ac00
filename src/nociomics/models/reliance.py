"""What a model leans on: how far its answers move when a feature, or a whole modality, is taken away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from nociomics.models.people_order import content_order
from nociomics.models.response import Predicted, ResponseModel, predict_response

MOST_PEOPLE = 100
MISSING_WEIGHT = 0.30
DECISIVE = 0.20


@dataclass(frozen=True)
class Reliance:
    """Weights of a model's inputs.

    Attributes
    ----------
    weights : dict of str to float
        Share of each unit (adding up to 1): a feature of a narrow modality, or a whole wide one as
        ``<modality>``, whose features a model sees only together.
    features : dict of str to list of str
        Features of each unit.
    modalities : dict of str to list of str
        Features of each modality that the model reads.
    decisive : dict of str to float
        Modality -> share of people whose best treatment (or likelier class) changes without it.
    """

    weights: dict[str, float]
    features: dict[str, list[str]]
    modalities: dict[str, list[str]]
    decisive: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dict(vars(self))

    def lacking(self, features: pl.DataFrame) -> list[list[str]]:
        """Say for each person what of weight was not measured, in words; an empty list when enough was.

        Parameters
        ----------
        features : DataFrame, one row per person
            As in `FEATURES`; a column that is absent counts as not measured.
        """
        missing = np.zeros(features.height)
        for unit, weight in self.weights.items():
            missing += weight * _nothing_of(features, self.features[unit])
        reasons: list[list[str]] = [[] for _ in range(features.height)]
        for modality, share in self.decisive.items():
            if share <= DECISIVE:
                continue
            for row in np.flatnonzero(_nothing_of(features, self.modalities[modality])):
                reasons[row].append(f"nothing of {modality} was measured, on which the model's answer leans")
        for row in np.flatnonzero(missing > MISSING_WEIGHT):
            reasons[row].append(f"{100 * missing[row]:.0f} % of what weighs in the model was not measured")
        return reasons


def measure_reliance(model: ResponseModel, features: pl.DataFrame, catalogue: pl.DataFrame) -> Reliance:
    """Take each input away from some people and see how far the model's answers move.

    What counts with several treatments is the difference between them; with one, or none, the expectation (or the
    class probabilities) itself.

    Parameters
    ----------
    model : ValueModel or ClassModel
        Fitted.
    features : DataFrame, one row per person
        Training people, of whom at most 100 are asked, the same ones whatever their ids and order.
    catalogue : DataFrame
        As in `FEATURE_CATALOGUE`.
    """
    read = set(model.blocks_.input_features())
    known = catalogue.filter(pl.col("feature").is_in(list(read)))
    modalities = {name: _names(part) for (name,), part in known.group_by("modality", maintain_order=True)}
    columns = {column.name for column in model.blocks_.columns_}
    units = dict(_units(known, modalities, columns))
    people = features[content_order(features)][:MOST_PEOPLE]
    asked = {f"unit {name}": taken for name, taken in units.items()}
    asked |= {f"modality {name}": taken for name, taken in modalities.items()}
    moved, changed = _effects_of(model, people, asked)
    total = sum(moved[f"unit {name}"] for name in units)
    weights = {name: moved[f"unit {name}"] / total for name in units} if total > 0 else {}
    return Reliance(weights, units, modalities, {name: changed[f"modality {name}"] for name in modalities})


def load_reliance(stored: dict[str, Any]) -> Reliance:
    """Rebuild from `Reliance.to_dict`."""
    return Reliance(stored["weights"], stored["features"], stored["modalities"], stored["decisive"])


def _names(part: pl.DataFrame) -> list[str]:
    return sorted(part["feature"].to_list())


def _units(known: pl.DataFrame, modalities: dict[str, list[str]], columns: set[str]) -> Iterator[tuple[str, list[str]]]:
    """Features that the model sees by name (or by level) stand alone; the others of a modality stand together."""
    kinds = dict(known.select("feature", "kind").iter_rows())
    for modality, names in modalities.items():
        alone = [name for name in names if name in columns or kinds[name] == "category"]
        together = [name for name in names if name not in alone]
        yield from ((name, [name]) for name in alone)
        if together:
            yield modality, together


def _effects_of(
    model: ResponseModel, people: pl.DataFrame, asked: dict[str, list[str]]
) -> tuple[dict[str, float], dict[str, float]]:
    """Mean movement of the answer, and share of people whose answer changes, for each set of features taken away."""
    frames = [people, *(_without(people, taken) for taken in asked.values())]
    everyone = pl.concat(frames)
    name = model.target.baseline
    # the person's own baseline is kept: it belongs to the question, not to what is known of the person
    own = people[name].cast(pl.Float64).fill_null(np.nan).to_numpy() if name in people.columns else None
    baseline = np.full(people.height, np.nan) if own is None else own
    predicted = predict_response(model, everyone, np.tile(baseline, len(frames)))
    answers = _answers(predicted).reshape(len(frames), people.height, -1)
    best = answers.argmax(axis=2)
    moved = np.abs(answers[1:] - answers[0]).mean(axis=(1, 2))
    changed = (best[1:] != best[0]).mean(axis=1)
    return (
        {name: float(size) for name, size in zip(asked, moved, strict=True)},
        {name: float(share) for name, share in zip(asked, changed, strict=True)},
    )


def _answers(predicted: Predicted) -> np.ndarray:
    """Differences between treatments from their mean, else the probability of each class, else the expectation."""
    if predicted.p_class is not None:
        return predicted.p_class.reshape(len(predicted.p_class), -1)
    if len(predicted.arms) > 1:
        return np.asarray(predicted.expected - predicted.expected.mean(axis=1, keepdims=True))
    return predicted.expected


def _without(people: pl.DataFrame, taken: list[str]) -> pl.DataFrame:
    present = [name for name in taken if name in people.columns]
    return people.with_columns(pl.lit(None, dtype=people.schema[name]).alias(name) for name in present)


def _nothing_of(features: pl.DataFrame, names: list[str]) -> np.ndarray:
    """Whether none of these features was measured, person by person."""
    present = [name for name in names if name in features.columns]
    if not present:
        return np.ones(features.height, dtype=bool)
    return features.select(pl.all_horizontal(pl.col(present).is_null())).to_series().to_numpy()
