"""What drives predictions in the whole cohort, with intervals, and whether refits agree on it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from scipy.stats import rankdata

from nociomics.models.feature_blocks import EncodedColumn

# a mean over fewer people would nearly be one person's
FEWEST_PEOPLE = 10
_DRAWS_OF_PEOPLE = 10
_RANKED = 1000
_LEVELS = ("feature", "group", "modality")
_OTHER = "other"
_AGREEMENTS = ("agreement", "agreement_of_halves")


class GlobalView:
    """Gathers Shapley values of people who come in chunks, of the model and of its refits; keeps no person's.

    Parameters
    ----------
    columns : tuple of EncodedColumn
        What each column is.
    people, refits : int
        How many there will be.
    seed : int
        Seeds who is drawn how often, and whose ranks are compared.
    """

    def __init__(self, columns: tuple[EncodedColumn, ...], people: int, refits: int, seed: int) -> None:
        self.columns, self.people, self.refits = columns, people, refits
        rng = np.random.default_rng([seed, 12])
        # drawing with replacement, person by person: how often each stands in each draw
        self.drawn = rng.poisson(1.0, size=(people, _DRAWS_OF_PEOPLE)).astype(np.int8)
        self.ranked = np.zeros(people, dtype=bool)
        self.ranked[rng.permutation(people)[:_RANKED]] = True
        self.levels = {level: _members(columns, level) for level in _LEVELS}
        self.restart()

    def restart(self) -> None:
        """Forget everybody who came."""
        self._sizes: dict[str, np.ndarray] = {}
        self._signed: dict[str, np.ndarray] = {}
        self._of_refits: dict[str, np.ndarray] = {}
        self._agreements: list[tuple[np.ndarray, np.ndarray]] = []
        self._ranks: _Ranks | None = None

    def add(self, values: np.ndarray) -> None:
        """Take in the model's values of some people: shape (n_people, n_arms, n_outputs, n_columns)."""
        for level, (_, members) in self.levels.items():
            sums = values @ members
            self._sizes[level] = self._sizes.get(level, 0) + np.abs(sums).sum(axis=0)
            self._signed[level] = self._signed.get(level, 0) + sums.sum(axis=0)

    def add_refit(self, refit: int, first: int, values: np.ndarray) -> None:
        """Take in one refit's values of the people from position ``first`` on; refits come in turn, chunk by chunk."""
        rows = slice(first, first + len(values))
        for level, (_, members) in self.levels.items():
            sizes = np.tensordot(self.drawn[rows].astype(float), np.abs(values @ members), axes=(0, 0))
            if level not in self._of_refits:
                self._of_refits[level] = np.zeros((self.refits, *sizes.shape))
            self._of_refits[level][refit] += sizes
        if self._ranks is None:
            self._ranks = _Ranks(values[self.ranked[rows]].shape)
        self._ranks.add(values[self.ranked[rows]])
        if refit == self.refits - 1:
            self._agreements.append((self._ranks.agreement(), self._ranks.agreement_of_halves()))
            self._ranks = None

    def sums(self) -> dict[str, np.ndarray]:
        """Give what was gathered as named arrays, for `take`."""
        found = {f"sizes {level}": sums for level, sums in self._sizes.items()}
        found |= {f"signed {level}": sums for level, sums in self._signed.items()}
        found |= {f"refits {level}": sums for level, sums in self._of_refits.items()}
        for kind, name in enumerate(_AGREEMENTS if self._agreements else ()):
            found[name] = np.concatenate([pair[kind] for pair in self._agreements])
        return found

    def take(self, sums: Mapping[str, np.ndarray]) -> None:
        """Add what was gathered of the people who come next; sums of the same people give the same, bit by bit."""
        held = {"sizes": self._sizes, "signed": self._signed, "refits": self._of_refits}
        for name, array in sums.items():
            kind, _, level = name.partition(" ")
            if kind in held:
                held[kind][level] = held[kind].get(level, 0) + array
        if _AGREEMENTS[0] in sums:
            self._agreements.append((sums[_AGREEMENTS[0]], sums[_AGREEMENTS[1]]))

    def importance(self, arms: list[str | None], outputs: tuple[str | None, ...]) -> pl.DataFrame:
        """Mean size of values per feature, group and modality, with intervals, as in `tables.results.IMPORTANCE`.

        Values are summed with their signs within a group or modality before their size is taken. The interval is
        that of refits whose people are drawn anew, brought to the model's own level: single refits are noisier than
        the model, so that their sizes are larger than its own.
        """
        frames = [self._level(level, arms, outputs) for level in _LEVELS] if self.people >= FEWEST_PEOPLE else []
        found = pl.concat(frames) if frames else pl.DataFrame(schema=_IMPORTANCE)
        return found if outputs != (None,) else found.drop("class")

    def _level(self, level: str, arms: list[str | None], outputs: tuple[str | None, ...]) -> pl.DataFrame:
        names, _ = self.levels[level]
        sizes, signed = self._sizes[level] / self.people, self._signed[level] / self.people
        lower, upper = self._interval(level, sizes)
        modality = _modality_of(self.columns, level)
        arm, output, place = (axis.ravel() for axis in np.indices(sizes.shape))
        labels = {
            "level": pl.Series([level] * len(place), dtype=pl.String),
            "name": pl.Series(names, dtype=pl.String).gather(place),
            "modality": pl.Series([modality[name] for name in names], dtype=pl.String).gather(place),
            "treatment": pl.Series(arms, dtype=pl.String).gather(arm),
            "class": pl.Series(outputs, dtype=pl.String).gather(output),
        }
        figures = {"mean_abs_shap": sizes, "lower": lower, "upper": upper, "mean_shap": signed}
        numbers = {name: pl.Series(one.ravel(), dtype=pl.Float64).fill_nan(None) for name, one in figures.items()}
        frame = pl.DataFrame({**labels, **numbers}).with_columns(
            people=pl.lit(self.people, pl.Int64), refits=pl.lit(self.refits, pl.Int64)
        )
        keys = ["treatment", "class", "mean_abs_shap", "name"]
        return frame.sort(keys, descending=[False, False, True, False]).select(*_IMPORTANCE)

    def _interval(self, level: str, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if level not in self._of_refits or self.refits < 2:
            return np.full(sizes.shape, np.nan), np.full(sizes.shape, np.nan)
        drawn = np.maximum(self.drawn.sum(axis=0), 1).reshape(1, -1, 1, 1, 1)
        means = (self._of_refits[level] / drawn).reshape(-1, *sizes.shape)
        centre = means.mean(axis=0)
        ratio = np.divide(sizes, centre, out=np.ones_like(sizes), where=centre > 0)
        lower, upper = np.quantile(means, (0.025, 0.975), axis=0) * ratio
        return lower, upper

    def stability(self, arms: list[str | None], outputs: tuple[str | None, ...]) -> pl.DataFrame:
        """Tell how far refits agree on the order of one person's values: `tables.results.EXPLANATION_STABILITY`."""
        enough = self.people >= FEWEST_PEOPLE and self._agreements
        single, halves = (
            (np.concatenate([pair[kind] for pair in self._agreements]) for kind in (0, 1)) if enough else (None, None)
        )
        rows = []
        for arm, treatment in enumerate(arms):
            for output, name in enumerate(outputs):
                figures = {
                    "rank_correlation": None if single is None else _mean(single[:, arm, output]),
                    "rank_correlation_halves": None if halves is None else _mean(halves[:, arm, output]),
                }
                people = int(self.ranked.sum()) if enough else 0
                rows.append({"treatment": treatment, "class": name, "people": people, "refits": self.refits, **figures})
        found = pl.DataFrame(rows, schema=_STABILITY)
        return found if outputs != (None,) else found.drop("class")


_IMPORTANCE = {
    "level": pl.String, "name": pl.String, "modality": pl.String, "treatment": pl.String, "class": pl.String,
    "mean_abs_shap": pl.Float64, "lower": pl.Float64, "upper": pl.Float64, "mean_shap": pl.Float64,
    "people": pl.Int64, "refits": pl.Int64,
}  # fmt: skip
_STABILITY = {
    "treatment": pl.String, "class": pl.String, "people": pl.Int64, "refits": pl.Int64,
    "rank_correlation": pl.Float64, "rank_correlation_halves": pl.Float64,
}  # fmt: skip


class _Ranks:
    """Orders of each person's values, refit after refit, without keeping the refits."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count, self.total = 0, np.zeros(shape)
        self.halves = [np.zeros(shape), np.zeros(shape)]

    def add(self, values: np.ndarray) -> None:
        self.total += _standard_ranks(values)
        self.halves[self.count % 2] += values
        self.count += 1

    def agreement(self) -> np.ndarray:
        """Mean rank correlation between two refits, per person: the length of a sum of unit vectors tells it."""
        pairs = self.count * (self.count - 1)
        if not pairs:
            return np.full(self.total.shape[:-1], np.nan)
        return np.asarray(((self.total**2).sum(axis=-1) - self.count) / pairs)

    def agreement_of_halves(self) -> np.ndarray:
        """Rank correlation between the means of two halves of the refits, per person."""
        if self.count < 2:
            return np.full(self.total.shape[:-1], np.nan)
        return np.asarray((_standard_ranks(self.halves[0]) * _standard_ranks(self.halves[1])).sum(axis=-1))


def _standard_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks along the last axis, mean 0 and length 1; NaN where all values are the same."""
    if values.size == 0:
        return np.asarray(values, dtype=float)
    ranks = rankdata(values, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    length = np.sqrt((ranks**2).sum(axis=-1, keepdims=True))
    return np.asarray(np.divide(ranks, length, out=np.full_like(ranks, np.nan), where=length > 0))


def _mean(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _members(columns: tuple[EncodedColumn, ...], level: str) -> tuple[list[str], np.ndarray]:
    """Names of a level, and which columns belong to each: shape (n_columns, n_names)."""
    of_column = [_name(column, level) for column in columns]
    names = sorted(set(of_column))
    members = np.zeros((len(columns), len(names)))
    members[np.arange(len(columns)), [names.index(name) for name in of_column]] = 1.0
    return names, members


def _name(column: EncodedColumn, level: str) -> str:
    own = {"feature": column.name, "group": column.group, "modality": column.modality}[level]
    return own or _OTHER


def _modality_of(columns: tuple[EncodedColumn, ...], level: str) -> dict[str, str]:
    return {_name(column, level): column.modality for column in columns}
