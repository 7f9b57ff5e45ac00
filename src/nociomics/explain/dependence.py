"""How the leading features act over their range: means over bins of at least 10 people, never one person's value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from nociomics.explain.global_view import FEWEST_PEOPLE
from nociomics.models.feature_blocks import EncodedColumn

_LEADING = 12
_BINS = 10
_DIGITS = 3  # of a limit between bins: rounded, it is nobody's own value
_SCHEMA = {
    "treatment": pl.String, "class": pl.String, "feature": pl.String, "modality": pl.String, "group": pl.String,
    "rank": pl.Int64, "kind": pl.String, "bin": pl.Int64, "level": pl.String, "from_value": pl.Float64,
    "to_value": pl.Float64, "mean_value": pl.Float64, "people": pl.Int64, "mean_shap": pl.Float64,
    "lower": pl.Float64, "upper": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class _Trait:
    """A feature as people know it: its model columns, and the first bins of its values or levels."""

    name: str
    modality: str
    group: str
    columns: list[int]
    limits: np.ndarray
    levels: list[str] | None


@dataclass(frozen=True)
class _Bin:
    """Some first bins taken together."""

    members: list[int]
    kind: str
    level: str | None = None
    start: float | None = None
    end: float | None = None


class DependenceView:
    """Gathers Shapley values by bins of each feature, of people who come in chunks; keeps no person's.

    Parameters
    ----------
    columns : tuple of EncodedColumn
        What each model column is.
    categories : dict
        Category feature -> its columns' names; they are taken together again.
    features : DataFrame
        Everybody to come, as in `FEATURES`; its values set the bins.
    background : ndarray of shape (n_background, n_columns)
        Sets the bins of columns that are no features (components, marks of missing blocks).
    refits : int
        How many the model has.
    """

    def __init__(
        self,
        columns: tuple[EncodedColumn, ...],
        categories: dict[str, list[str]],
        features: pl.DataFrame,
        background: np.ndarray,
        refits: int,
    ) -> None:
        self.refits = refits
        self.traits = _traits(columns, categories, features, background)
        self.members = np.zeros((len(columns), len(self.traits)))
        for place, trait in enumerate(self.traits):
            self.members[trait.columns, place] = 1.0
        self.width = 1 + max((_count(trait) for trait in self.traits), default=0)  # the last one: not measured
        self.restart()

    def restart(self) -> None:
        """Forget everybody who came."""
        self.people = np.zeros((len(self.traits), self.width))
        self.total_value = np.zeros((len(self.traits), self.width))
        self._sums: np.ndarray | None = None
        self._squares: np.ndarray | None = None
        self._of_refits: np.ndarray | None = None
        self._sizes: np.ndarray | None = None
        self._bins = np.zeros((0, len(self.traits)), dtype=int)

    def add(self, people: pl.DataFrame, shown: np.ndarray, values: np.ndarray) -> None:
        """Take in the model's values of some people: shape (n_people, n_arms, n_outputs, n_columns)."""
        own = [_read(trait, people, shown) for trait in self.traits]
        self._bins = np.stack([bins for bins, _ in own], axis=1) if own else np.zeros((people.height, 0), dtype=int)
        for place, (bins, numbers) in enumerate(own):
            self.people[place] += np.bincount(bins, minlength=self.width)
            self.total_value[place] += np.bincount(bins, weights=np.nan_to_num(numbers), minlength=self.width)
        sums = values @ self.members
        found = (self._summed(sums), self._summed(sums**2), np.abs(sums).sum(axis=0))
        had = (self._sums, self._squares, self._sizes)
        self._sums, self._squares, self._sizes = (
            new if old is None else old + new for old, new in zip(had, found, strict=True)
        )

    def add_refit(self, refit: int, values: np.ndarray) -> None:
        """Take in one refit's values of the people who came last."""
        sums = self._summed(values @ self.members)
        if self._of_refits is None:
            self._of_refits = np.zeros((self.refits, *sums.shape))
        self._of_refits[refit] += sums

    def sums(self) -> dict[str, np.ndarray]:
        """Give what was gathered as named arrays, for `take`."""
        found = {"people": self.people, "total_value": self.total_value}
        held = {"sums": self._sums, "squares": self._squares, "sizes": self._sizes, "of_refits": self._of_refits}
        return found | {name: array for name, array in held.items() if array is not None}

    def take(self, sums: Mapping[str, np.ndarray]) -> None:
        """Add what was gathered of the people who come next."""
        self.people = self.people + sums["people"]
        self.total_value = self.total_value + sums["total_value"]
        self._sums, self._squares = _added(self._sums, sums.get("sums")), _added(self._squares, sums.get("squares"))
        self._sizes = _added(self._sizes, sums.get("sizes"))
        self._of_refits = _added(self._of_refits, sums.get("of_refits"))

    def _summed(self, values: np.ndarray) -> np.ndarray:
        """Sum values (n_people, n_arms, n_outputs, n_traits) by bin: (n_traits, n_bins, n_arms, n_outputs)."""
        found = np.zeros((len(self.traits), self.width, *values.shape[1:3]))
        for trait, arm, output in np.ndindex(len(self.traits), *values.shape[1:3]):
            weights = np.ascontiguousarray(values[:, arm, output, trait])
            found[trait, :, arm, output] = np.bincount(self._bins[:, trait], weights=weights, minlength=self.width)
        return found

    def table(self, arms: list[str | None], outputs: tuple[str | None, ...]) -> pl.DataFrame:
        """Lay out the leading features of every treatment and class, as in `tables.results.DEPENDENCE`.

        The interval is that of the mean: people of a bin differ, and so do refits.
        """
        rows = []
        merged = [_merged(trait, self.people[place]) for place, trait in enumerate(self.traits)]
        for arm, output in np.ndindex(len(arms), len(outputs)):
            if self._sizes is None or not self.traits:
                break
            leading = [at for at in np.argsort(-self._sizes[arm, output], kind="stable") if merged[at]][:_LEADING]
            for rank, place in enumerate(leading, start=1):
                trait = self.traits[place]
                named = {"feature": trait.name, "modality": trait.modality, "group": trait.group, "rank": rank}
                for number, one in enumerate(merged[place], start=1):
                    figures = self._figures(int(place), one, arm, output)
                    limits = {"level": one.level, "from_value": one.start, "to_value": one.end}
                    key = {"treatment": arms[arm], "class": outputs[output]}
                    rows.append({**key, **named, "kind": one.kind, "bin": number, **limits, **figures})
        found = pl.DataFrame(rows, schema=_SCHEMA)
        return found if outputs != (None,) else found.drop("class")

    def _figures(self, place: int, one: _Bin, arm: int, output: int) -> dict[str, float | int | None]:
        assert self._sums is not None
        assert self._squares is not None
        people = self.people[place, one.members].sum()
        mean = self._sums[place, one.members, arm, output].sum() / people
        variance = max(self._squares[place, one.members, arm, output].sum() / people - mean**2, 0.0) / (people - 1)
        lower = upper = None
        if self._of_refits is not None and self.refits > 1:
            means = self._of_refits[:, place, one.members, arm, output].sum(axis=1) / people
            half = 1.96 * float(np.sqrt(variance + means.var(ddof=1)))
            lower, upper = float(mean) - half, float(mean) + half
        value = self.total_value[place, one.members].sum() / people if one.kind == "values" else None
        return {"mean_value": value, "people": int(people), "mean_shap": float(mean), "lower": lower, "upper": upper}


def _added(held: np.ndarray | None, more: np.ndarray | None) -> np.ndarray | None:
    return more if held is None else held if more is None else held + more


def _traits(
    columns: tuple[EncodedColumn, ...], categories: dict[str, list[str]], features: pl.DataFrame, background: np.ndarray
) -> list[_Trait]:
    category_of = {name: feature for feature, names in categories.items() for name in names}
    found: dict[str, _Trait] = {}
    for place, column in enumerate(columns):
        feature = category_of.get(column.name)
        if feature is not None and feature in found:
            found[feature].columns.append(place)
        elif feature is not None:
            levels = _levels(features, feature)
            found[feature] = _Trait(feature, column.modality, column.group, [place], np.zeros(0), levels)
        else:
            own = _own_numbers(features, column.name)
            values = own if own is not None else background[:, place] if place < background.shape[1] else np.arange(2.0)
            found[column.name] = _Trait(column.name, column.modality, column.group, [place], _limits(values), None)
    return list(found.values())


def _levels(features: pl.DataFrame, name: str) -> list[str]:
    if name not in features.columns:
        return []
    return features[name].cast(pl.String).drop_nulls().unique().sort().to_list()


def _own_numbers(features: pl.DataFrame, name: str) -> np.ndarray | None:
    if name in features.columns and (features[name].dtype.is_numeric() or features[name].dtype == pl.Boolean):
        return features[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return None


def _limits(values: np.ndarray) -> np.ndarray:
    """Limits between bins of nearly as many people; between levels where there are few."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.zeros(0)
    levels = np.unique(known)
    if len(levels) <= _BINS:
        return np.asarray((levels[1:] + levels[:-1]) / 2)
    limits = np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])
    return np.unique([float(f"{limit:.{_DIGITS}g}") for limit in limits])


def _count(trait: _Trait) -> int:
    return len(trait.levels) if trait.levels is not None else len(trait.limits) + 1


def _read(trait: _Trait, people: pl.DataFrame, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First bin of each person, and the value where it is a number; the bin behind the last: not measured."""
    if trait.levels is not None:
        place: dict[str | None, int] = {level: at for at, level in enumerate(trait.levels)}
        levels = people[trait.name].cast(pl.String).to_list() if trait.name in people.columns else [None] * len(people)
        return np.array([place.get(level, len(place)) for level in levels], dtype=int), np.full(len(people), np.nan)
    own = _own_numbers(people, trait.name)
    numbers = own if own is not None else shown[:, trait.columns[0]]
    bins = np.searchsorted(trait.limits, numbers, side="right")
    return np.where(np.isnan(numbers), len(trait.limits) + 1, bins), numbers


def _merged(trait: _Trait, people: np.ndarray) -> list[_Bin]:
    """Take first bins together until each holds 10 people; too few not measured are left out."""
    count = _count(trait)
    merged = _of_levels(trait.levels, people) if trait.levels is not None else _of_values(trait.limits, people)
    if people[count] >= FEWEST_PEOPLE:
        merged.append(_Bin([count], "not_measured"))
    return merged


def _of_values(limits: np.ndarray, people: np.ndarray) -> list[_Bin]:
    groups: list[list[int]] = []
    open_group: list[int] = []
    for place in range(len(limits) + 1):
        open_group.append(place)
        if people[open_group].sum() >= FEWEST_PEOPLE:
            groups.append(open_group)
            open_group = []
    if groups:
        groups[-1] += open_group
    return [
        _Bin(
            group,
            "values",
            start=float(limits[group[0] - 1]) if place else None,
            end=float(limits[group[-1]]) if place < len(groups) - 1 else None,
        )
        for place, group in enumerate(groups)
    ]


def _of_levels(levels: list[str], people: np.ndarray) -> list[_Bin]:
    order = sorted(range(len(levels)), key=lambda place: people[place])
    rare: list[int] = []
    while order and (people[order[0]] < FEWEST_PEOPLE or 0 < people[rare].sum() < FEWEST_PEOPLE):
        rare.append(order.pop(0))
    bins = [_Bin([place], "level", levels[place]) for place in sorted(order)]
    if rare and people[rare].sum() >= FEWEST_PEOPLE:
        bins.append(_Bin(sorted(rare), "level", "|".join(levels[place] for place in sorted(rare) if people[place])))
    return bins
