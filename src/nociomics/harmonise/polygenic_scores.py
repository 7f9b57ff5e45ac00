"""Polygenic scores: weights times copies, summed person by person; nobody's score depends on another's genotypes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from nociomics.harmonise.feature import ID, Feature, Part
from nociomics.harmonise.score_alignment import RANKED_STATES, SCORED, aligned_weights
from nociomics.tables.finding import Finding
from nociomics.tables.genotype_store import GenotypeStore
from nociomics.tables.packed_calls import MISSING_CALL
from nociomics.tables.polygenic import STATES
from nociomics.tables.summed_calls import in_order, summed_entries

Severity = Literal["fatal", "warning", "info"]
Places = np.ndarray | slice
_COPIES = np.array([2.0, 0.0, 1.0, 0.0])
"""Of the counted allele, by code; the second is a missing call."""
_TINY = 1e-9


@dataclass(frozen=True)
class GenotypedPeople:
    """A store, and whose samples it holds.

    Parameters
    ----------
    store : GenotypeStore
        The calls.
    people : DataFrame, one row per person of the study in it
        ``patient_id``, ``sample``.
    build : str or None
        Of the store's positions.
    """

    store: GenotypeStore
    people: pl.DataFrame
    build: str | None


@dataclass(frozen=True)
class PolygenicScores:
    """The feature ``pgs_<name>`` with findings, and as in their contracts coverage and matches."""

    part: Part
    coverage: pl.DataFrame
    matches: pl.DataFrame


def polygenic_score(
    genotyped: Sequence[GenotypedPeople], weights: pl.DataFrame, name: str, min_coverage: float
) -> PolygenicScores:
    """Score everyone who is genotyped.

    A weight that has no call for a person (missing, or its variant not in the file or not to be aligned) takes
    twice the effect allele's frequency of the weight file when the file gives one. Weights without call and
    frequency are made up for by the others: the sum is divided by the share of the absolute weights that it rests on.
    Where calls cover less than ``min_coverage`` of the absolute weights, there is no score.

    Parameters
    ----------
    genotyped : sequence of GenotypedPeople
        One or several stores; a weight found in two stores of one person is taken from the first.
    weights : DataFrame
        As in `SCORE_WEIGHTS`, of this score.
    name : str
        The feature is ``pgs_<name>``.
    min_coverage : float
        From 0 to 1.

    Returns
    -------
    PolygenicScores
        ``part.frame`` has one row per genotyped person; ``coverage`` as in `SCORE_COVERAGE`, ``matches`` as in
        `SCORE_MATCHES`.
    """
    ids = _everyone([each.people["patient_id"] for each in genotyped])
    sums = _Sums(len(ids), weights)
    aligned = []
    for each in genotyped:
        found = aligned_weights(weights, each.store.variants, each.build)
        aligned.append((each.store.folder.name, found))
        sums.add(each, found, _places(each.people["patient_id"], ids))
    score, coverage = sums.finish()
    enough = coverage >= min_coverage - _TINY
    column = f"pgs_{name}"
    score[~(enough & np.isfinite(score))] = np.nan
    frame = pl.DataFrame([ids.alias(ID), pl.Series(column, score, nan_to_null=True)])
    matches = _matches(aligned, weights, name)
    described = _description(weights, matches)
    findings = _findings(column, matches, weights, coverage, min_coverage, enough)
    return PolygenicScores(
        Part(frame, [Feature(column, "genotype", name, "score", described)], findings),
        _coverage(ids, name, coverage, enough, min_coverage),
        matches,
    )


def _coverage(ids: pl.Series, name: str, coverage: np.ndarray, enough: np.ndarray, minimum: float) -> pl.DataFrame:
    why = f"rejected: calls cover less than {minimum:.0%} of the weights"
    status = pl.lit("ok") if enough.all() else pl.when(pl.Series(enough)).then(pl.lit("ok")).otherwise(pl.lit(why))
    told = pl.DataFrame({"coverage": coverage}).select(pl.lit(name).alias("score"), "coverage", status.alias("status"))
    # a select would copy ids that came from a file in several pieces
    return told.insert_column(0, ids.alias(ID))


def _everyone(ids: Sequence[pl.Series]) -> pl.Series:
    """Give each person once; files by chromosome often hold the same people, and one store holds nobody twice."""
    if all(some.equals(ids[0]) for some in ids[1:]):
        return ids[0]
    return pl.concat(ids).unique(maintain_order=True)


def _places(some: pl.Series, all_of_them: pl.Series) -> Places:
    """Find each value's row among unique ones; a slice, which copies nothing, when they are the same."""
    if some.equals(all_of_them):
        return slice(None)
    there = pl.DataFrame({"value": all_of_them}).with_row_index("row")
    found = pl.DataFrame({"value": some}).join(there, on="value", how="left", maintain_order="left", validate="m:1")
    places: np.ndarray = found["row"].to_numpy().astype(np.int64)
    return places


class _Sums:
    """Sums per person over all stores, and which weights a person's stores have brought so far."""

    def __init__(self, people: int, weights: pl.DataFrame) -> None:
        self._absolute = np.abs(weights["weight"].to_numpy())
        self._frequency = weights["frequency"].cast(pl.Float64).to_numpy()
        self._weight = weights["weight"].to_numpy()
        self._score = np.zeros(people)
        self._called = np.zeros(people)
        known = ~np.isnan(self._frequency)
        self._all_known = bool(known.all())
        # with all or without any frequencies, what the calls cover tells this too
        self._expected_called = np.zeros(people) if known.any() and not self._all_known else None
        self._brought: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, each: GenotypedPeople, aligned: pl.DataFrame, places: Places) -> None:
        """Add what one store holds; a weight that earlier stores brought counts for people who are not in these."""
        scored = aligned["row"].is_not_null().to_numpy()
        columns = _places(each.people["sample"], each.store.samples["sample"])
        taken = aligned.filter(pl.Series(scored))
        if self._brought:
            self._add_new(each, taken, scored, _counted(columns, each.people.height), self._rows(places))
        else:
            self._add(each, taken, columns, places)
        self._brought.append((scored, self._rows(places)))

    def _rows(self, places: Places) -> np.ndarray:
        return _counted(places, len(self._score))

    def _add_new(
        self, each: GenotypedPeople, taken: pl.DataFrame, scored: np.ndarray, columns: np.ndarray, places: np.ndarray
    ) -> None:
        earlier = np.array([weights for weights, _ in self._brought], bool)
        patterns, which = np.unique(earlier[:, scored], axis=1, return_inverse=True)
        for number, pattern in enumerate(patterns.T):
            had = [people for (_, people), there in zip(self._brought, pattern, strict=True) if there]
            fresh = ~np.isin(places, np.concatenate([np.zeros(0, np.int64), *had]))
            self._add(each, taken.filter(pl.Series(which.reshape(-1) == number)), columns[fresh], places[fresh])

    def _add(self, each: GenotypedPeople, aligned: pl.DataFrame, columns: Places, places: Places) -> None:
        if not aligned.height or (isinstance(columns, np.ndarray) and not len(columns)):
            return
        absolute = np.abs(aligned["weight"].to_numpy())
        both, samples = _store_sums(each.store, aligned), each.store.samples.height
        if isinstance(places, slice) and isinstance(columns, slice):
            in_order(both.real, samples, out=self._score)
        else:
            self._score[places] += in_order(both.real, samples)[columns]
        missing = in_order(both.imag, samples)
        del both  # of a large cohort, not to be held beside what follows
        if self._expected_called is not None:
            known = aligned["frequency"].is_not_null().to_numpy()
            lost = missing if known.all() else _missing_sums(each.store, aligned.filter(pl.Series(known)))
            self._expected_called[places] += absolute[known].sum() - lost[columns]
        np.subtract(absolute.sum(), missing, out=missing)
        self._called[places] += missing[columns]

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Return score and coverage; the sums are used up."""
        whole, expected = self._absolute.sum(), ~np.isnan(self._frequency)
        if not whole > 0:
            return np.full_like(self._score, np.nan), np.zeros_like(self._called)
        # each store's sum counts the copies above what the frequency leads to expect; here that comes back
        self._score += float((2 * self._frequency[expected] * self._weight[expected]).sum())
        if not self._all_known:
            self._prorate(whole, self._absolute[expected].sum())
        self._called /= whole
        # sums of rounded numbers: full coverage may come out as 1 less or more 1e-16
        return self._score, np.clip(self._called, 0.0, 1.0, out=self._called)

    def _prorate(self, whole: float, expected: float) -> None:
        """Divide by the share of the absolute weights that a score rests on."""
        rests_on = self._called if self._expected_called is None else self._called - self._expected_called + expected
        share = rests_on / whole
        partly, nothing = share < 1 - _TINY, share <= _TINY
        np.divide(self._score, share, out=self._score, where=partly & ~nothing)
        self._score[nothing] = np.nan


def _counted(places: Places, number: int) -> np.ndarray:
    return np.arange(number) if isinstance(places, slice) else places


def _store_sums(store: GenotypeStore, aligned: pl.DataFrame) -> np.ndarray:
    """Go through the weighted variants of a store once.

    Returns
    -------
    ndarray of complex, as of `summed_entries`
        Sum of weights times (copies less the expected copies, if known), and as imaginary part the sum of the absolute
        weights without a call.
    """
    aligned = aligned.sort("row")
    tables = _tables(aligned)
    tables[:, MISSING_CALL] = 1j * np.abs(aligned["weight"].to_numpy())
    return summed_entries(store, aligned["row"].to_numpy(), tables)


def _missing_sums(store: GenotypeStore, aligned: pl.DataFrame) -> np.ndarray:
    """Sum each sample's absolute weights without a call."""
    aligned = aligned.sort("row")
    tables = np.zeros((aligned.height, 4))
    tables[:, MISSING_CALL] = np.abs(aligned["weight"].to_numpy())
    return in_order(summed_entries(store, aligned["row"].to_numpy(), tables), store.samples.height)


def _tables(aligned: pl.DataFrame) -> np.ndarray:
    """Tell what each code of each variant adds to the score: complex of shape (variants, 4)."""
    swapped = aligned["is_swapped"].to_numpy()[:, None]
    expected = 2.0 * aligned["frequency"].cast(pl.Float64).fill_null(0.0).to_numpy()[:, None]
    copies = np.where(swapped, 2.0 - _COPIES, _COPIES) - expected
    return (aligned["weight"].to_numpy()[:, None] * copies).astype(np.complex128)


def _matches(aligned: Sequence[tuple[str, pl.DataFrame]], weights: pl.DataFrame, name: str) -> pl.DataFrame:
    absolute = np.abs(weights["weight"].to_numpy())
    whole = float(absolute.sum())
    rows = []
    for store, found in aligned:
        codes = found["state"].to_physical().to_numpy()
        numbers, totals = (np.bincount(codes, each, len(RANKED_STATES)) for each in (None, absolute))
        for state in STATES:
            place = RANKED_STATES.index(state)
            share = min(float(totals[place]) / whole, 1.0) if whole else 0.0
            rows.append((name, store, state, int(numbers[place]), share))
    schema = {
        "score": pl.String,
        "store": pl.String,
        "state": pl.String,
        "weights": pl.Int64,
        "weight_share": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _rule(weights: pl.DataFrame) -> str:
    known = weights["frequency"].count()
    if known == weights.height:
        return "a missing call counts as twice the file's frequency of the effect allele"
    if known:
        return (
            "a missing call counts as twice the file's frequency of the effect allele, and where the file has none "
            "the score is pro-rated over the other weights"
        )
    return "the score is pro-rated over the weights with a call"


def _description(weights: pl.DataFrame, matches: pl.DataFrame) -> str:
    scored = sum(number for state, number in zip(matches["state"], matches["weights"], strict=True) if state in SCORED)
    return (
        f"polygenic score: weights times copies at {scored:,} of {weights.height:,} weighted variants; {_rule(weights)}"
    )


def _findings(
    column: str, matches: pl.DataFrame, weights: pl.DataFrame, coverage: np.ndarray, minimum: float, enough: np.ndarray
) -> list[Finding]:
    """Say how many weights were found, how, and who has no score for want of calls; never who it is."""
    found = []
    by_store: dict[str, dict[str, int]] = {}
    for _, store, state, number, _ in matches.iter_rows():
        by_store.setdefault(store, {})[state] = number
    for store, counted in by_store.items():
        scored = sum(counted[state] for state in SCORED)
        words = ", ".join(f"{counted[state]:,} {state}" for state in STATES)
        severity: Severity = "info" if scored else "warning"
        text = f"{column}: {scored:,} of {weights.height:,} weights are scored from {store} ({words})."
        found.append(Finding("polygenic_scores", column, severity, scored, text))
    low = int((~enough).sum())
    if low:
        text = (
            f"{column}: {low:,} of {len(enough):,} genotyped people have no score: their calls cover less than "
            f"{minimum:.0%} of the absolute weights (median coverage {np.median(coverage):.0%}). Impute the genotypes "
            "before, or lower min_coverage of this score, knowing what it then rests on."
        )
        found.append(Finding("polygenic_scores", column, "warning", low, text))
    text = f"{column}: {_rule(weights)}."
    return [*found, Finding("polygenic_scores", column, "info", weights["frequency"].null_count(), text)]
