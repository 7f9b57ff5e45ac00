"""Explanations by models that did not train on the person, made while each fold's model is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from nociomics.explain.explanation_tables import ADDITIVE_TO
from nociomics.explain.global_view import GlobalView
from nociomics.explain.shap_values import Deviations, Explainer
from nociomics.models.feature_blocks import EncodedColumn
from nociomics.models.response import HeldOut, ResponseModel
from nociomics.models.value_model import Training

_Key = tuple[str, str, str]
_OF_FOLD = ("people", "keys", "base", "values")
_SCHEMA = {
    "patient_id": pl.String, "treatment": pl.String, "class": pl.String, "feature": pl.String, "modality": pl.String,
    "group": pl.String, "shap_value": pl.Float64, "shap_sd": pl.Float64, "base_value": pl.Float64, "repeats": pl.Int64,
}  # fmt: skip


@dataclass
class _Repeat:
    """Values of one repeat, fold by fold: people, features of the fold, base and values."""

    folds: list[tuple[list[str], list[_Key], np.ndarray, np.ndarray]] = field(default_factory=list)


class OutOfFoldExplanations:
    """Explains whoever a fold held out, against some of the fold's own training people; give it to `out_of_fold`.

    Components of a compressed modality are others in every fold, so they are summed into one feature,
    ``<modality>_components``. A column that a fold lacks (a rare category) counts 0 there.

    Parameters
    ----------
    background_people : int
        How many training people of a fold its held-out people are compared with.
    seed : int
        Seeds who they are, and the orders for class probabilities.

    Attributes
    ----------
    gap : float
        Largest distance between a prediction out of fold and what its explanation adds up to.
    """

    def __init__(self, background_people: int, seed: int) -> None:
        self.background_people, self.seed = background_people, seed
        self.gap = 0.0
        self.arms: list[str | None] = []
        self.outputs: tuple[str | None, ...] = (None,)
        self._repeats: dict[int, _Repeat] = {}

    def __call__(self, held: HeldOut) -> None:
        """Explain the people of one fold.

        Raises
        ------
        ArithmeticError
            When an explanation does not add up to its prediction out of fold: a fault of the program.
        """
        background = _drawn(held.model, held.part, self.background_people, self.seed)
        explainer = Explainer(held.model, background, self.seed, quick=True)
        found = explainer.whole(held.encoded)
        self.arms, self.outputs = held.model.arms_, explainer.outputs
        shown = held.predicted.p_class if self.outputs != (None,) else held.predicted.expected[:, :, None]
        assert shown is not None
        gap = float(np.max(np.abs(found.base + found.values.sum(axis=3) - shown), initial=0.0))
        if not gap <= ADDITIVE_TO:
            raise ArithmeticError(f"Shapley values miss the predictions out of fold by up to {gap:.2e}.")
        self.gap = max(self.gap, gap)
        keys, values = _summed(found.columns, found.values)
        self._repeats.setdefault(held.repeat, _Repeat()).folds.append((held.people, keys, found.base, values))

    def arrays(self) -> dict[str, np.ndarray]:
        """Give the folds that were explained as named arrays, for `take`."""
        found: dict[str, np.ndarray] = {"gap": np.array(self.gap)}
        named = [[name is not None, name or ""] for name in (*self.arms, *self.outputs)]
        found["names"], found["treatments"] = np.array(named, dtype=str).reshape(-1, 2), np.array(len(self.arms))
        for repeat, held in self._repeats.items():
            for number, (people, keys, base, values) in enumerate(held.folds):
                of_fold = (np.array(people, dtype=str), np.array(keys, dtype=str).reshape(-1, 3), base, values)
                found |= {f"{repeat} {number} {name}": one for name, one in zip(_OF_FOLD, of_fold, strict=True)}
        return found

    def take(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Add the folds that another part of the cross-validation explained; parts come in the order of the repeats."""
        folds = list(dict.fromkeys(name.rsplit(" ", 1)[0] for name in arrays if " " in name))
        self.gap = max(self.gap, float(arrays["gap"]))
        if folds:
            names = [str(name) if known == "True" else None for known, name in arrays["names"]]
            count = int(arrays["treatments"])
            self.arms, self.outputs = names[:count], tuple(names[count:])
        for fold in folds:
            people, keys, base, values = (arrays[f"{fold} {name}"] for name in _OF_FOLD)
            of_fold = ([str(one) for one in people], [tuple(str(word) for word in key) for key in keys], base, values)
            self._repeats.setdefault(int(fold.split()[0]), _Repeat()).folds.append(of_fold)  # type: ignore[arg-type]

    def frame(self) -> pl.DataFrame:
        """Lay out means and spreads over repeats, as in `tables.results.OUT_OF_FOLD_VALUES`.

        Whoever was held out in no fold (left out as unlearnable) has no row.
        """
        folds = [fold for repeat in self._repeats.values() for fold in repeat.folds]
        if not folds:
            return self._without_class(pl.DataFrame(schema=_SCHEMA))
        people = sorted({person for fold in folds for person in fold[0]})
        keys = sorted({key for fold in folds for key in fold[1]})
        shape = (len(people), len(self.arms), len(self.outputs), len(keys))
        place, column = ({one: at for at, one in enumerate(names)} for names in (people, keys))
        counts, base = np.zeros(len(people), dtype=int), np.zeros(shape[:3])
        spread = Deviations(shape) if len(self._repeats) > 1 else None
        total = np.zeros(shape)
        for repeat in self._repeats.values():
            own = np.full(shape, np.nan)
            for ids, names, fold_base, values in repeat.folds:
                rows = [place[person] for person in ids]
                own[rows] = 0.0
                own[np.ix_(rows, range(shape[1]), range(shape[2]), [column[name] for name in names])] = values
                counts[rows] += 1
                base[rows] += fold_base
            total += np.nan_to_num(own)
            if spread is not None:
                spread.add(own)
        divided = np.maximum(counts, 1)[:, None, None]
        deviations = spread.standard() if spread is not None else np.full(shape, np.nan)
        return self._laid_out(people, keys, total / divided[..., None], deviations, base / divided, counts)

    def _laid_out(
        self,
        people: list[str],
        keys: list[_Key],
        values: np.ndarray,
        deviations: np.ndarray,
        base: np.ndarray,
        counts: np.ndarray,
    ) -> pl.DataFrame:
        person, arm, output, feature = np.indices(values.shape).reshape(4, -1)
        text = {
            "patient_id": pl.Series(people, dtype=pl.String).gather(person),
            "treatment": pl.Series(self.arms, dtype=pl.String).gather(arm),
            "class": pl.Series(self.outputs, dtype=pl.String).gather(output),
        }
        for level, name in enumerate(("feature", "modality", "group")):
            text[name] = pl.Series([key[level] for key in keys], dtype=pl.String).gather(feature)
        numbers = {
            "shap_value": values.reshape(-1),
            "shap_sd": pl.Series(deviations.reshape(-1), dtype=pl.Float64).fill_nan(None),
            "base_value": base[person, arm, output],
            "repeats": counts[person],
        }
        return self._without_class(pl.DataFrame({**text, **numbers}, schema=_SCHEMA))

    def _without_class(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.drop("class") if self.outputs == (None,) else frame


def _drawn(model: ResponseModel, part: Training, count: int, seed: int) -> np.ndarray:
    """Draw encoded training people with an outcome; their order, by content, makes them the same whatever their ids."""
    known = part.rows["response_value" if model.kind == "value" else "label"].is_not_null().to_numpy()
    drawn = np.random.default_rng([seed, 11]).permutation(np.flatnonzero(known))[:count]
    return model.encode(part.features[np.sort(drawn)]).values


def _summed(columns: tuple[EncodedColumn, ...], values: np.ndarray) -> tuple[list[_Key], np.ndarray]:
    """Sum a modality's components; other columns stay."""
    of_column = [
        (f"{column.modality}_components", column.modality, column.group)
        if column.component
        else (column.name, column.modality, column.group)
        for column in columns
    ]
    keys = list(dict.fromkeys(of_column))
    members = np.zeros((len(columns), len(keys)))
    members[np.arange(len(columns)), [keys.index(key) for key in of_column]] = 1.0
    return keys, values @ members


def importance_out_of_fold(values: pl.DataFrame) -> pl.DataFrame:
    """Mean size of values out of fold per feature, group and modality, as in `tables.results.IMPORTANCE`.

    Parameters
    ----------
    values : DataFrame
        As in `OUT_OF_FOLD_VALUES`; every person has the same features.

    Returns
    -------
    DataFrame
        Without intervals: models of folds are not refitted. No rows of fewer than 10 people.
    """
    classes = "class" in values.columns
    outputs = tuple(values["class"].unique(maintain_order=True)) if classes and values.height else (None,)
    arms = values["treatment"].unique(maintain_order=True).to_list()
    people = values["patient_id"].n_unique()
    features = values.select("feature", "modality", "group").unique(maintain_order=True)
    columns = tuple(EncodedColumn(*row) for row in features.iter_rows())
    view = GlobalView(columns, people, 0, seed=0)
    if people:
        view.add(values["shap_value"].to_numpy().reshape(people, len(arms), len(outputs), len(columns)))
    found = view.importance(arms, outputs)
    return found.with_columns(pl.lit(None, pl.String).alias("class")) if classes and outputs == (None,) else found
