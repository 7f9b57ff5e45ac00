"""Polygenic scores: weights times copies, summed person by person; nobody's score depends on another's genotypes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from nociomics.harmonise.feature import ID, Feature, Part
from nociomics.harmonise.score_alignment import SCORED, aligned_weights
from nociomics.tables.finding import Finding
from nociomics.tables.genotype_store import GenotypeStore
from nociomics.tables.packed_calls import MISSING_CALL
from nociomics.tables.polygenic import STATES
from nociomics.tables.summed_calls import summed_entries

Severity = Literal["fatal", "warning", "info"]
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
    ids = pl.concat([each.people["patient_id"] for each in genotyped]).unique(maintain_order=True)
    sums = _Sums(len(ids), weights.height)
    aligned = []
    for each in genotyped:
        found = aligned_weights(weights, each.store.variants, each.build)
        aligned.append((each.store.folder.name, found))
        sums.add(each, found, _places(each.people["patient_id"], ids))
    score, coverage = sums.finish(weights)
    enough = coverage >= min_coverage - _TINY
    column = f"pgs_{name}"
    values = pl.Series(column, np.where(enough & np.isfinite(score), score, np.nan)).fill_nan(None)
    frame = pl.DataFrame([ids.alias(ID), values])
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
    return pl.DataFrame({ID: ids, "coverage": coverage, "enough": enough}).select(
        ID,
        pl.lit(name).alias("score"),
        "coverage",
        pl.when("enough").then(pl.lit("ok")).otherwise(pl.lit(why)).alias("status"),
    )


def _places(some: pl.Series, all_of_them: pl.Series) -> np.ndarray:
    """Find each value's row among unique ones."""
    if some.equals(all_of_them):
        return np.arange(len(some))
    there = pl.DataFrame({"value": all_of_them}).with_row_index("row")
    found = pl.DataFrame({"value": some}).join(there, on="value", how="left", maintain_order="left", validate="m:1")
    places: np.ndarray = found["row"].to_numpy().astype(np.int64)
    return places


class _Sums:
    """Sums per person over all stores, and which weights a person's stores have brought so far."""

    def __init__(self, people: int, weights: int) -> None:
        self.score = np.zeros(people)
        self.called = np.zeros(people)
        self.expected_called = np.zeros(people)
        self._brought: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, each: GenotypedPeople, aligned: pl.DataFrame, places: np.ndarray) -> None:
        """Add what one store holds; a weight that earlier stores brought counts for people who are not in these."""
        scored = aligned["row"].is_not_null().to_numpy()
        columns = _places(each.people["sample"], each.store.samples["sample"])
        earlier = np.array([weights for weights, _ in self._brought], bool).reshape(len(self._brought), len(scored))
        patterns, which = np.unique(earlier[:, scored], axis=1, return_inverse=True)
        taken = aligned.filter(pl.Series(scored))
        for number, pattern in enumerate(patterns.T):
            had = [people for (_, people), there in zip(self._brought, pattern, strict=True) if there]
            fresh = ~np.isin(places, np.concatenate([np.zeros(0, np.int64), *had]))
            self._add(each, taken.filter(pl.Series(which.reshape(-1) == number)), columns[fresh], places[fresh])
        self._brought.append((scored, places))

    def _add(self, each: GenotypedPeople, aligned: pl.DataFrame, columns: np.ndarray, places: np.ndarray) -> None:
        if not aligned.height or not len(columns):
            return
        score, missing, expected_missing = _store_sums(each.store, aligned)
        absolute = np.abs(aligned["weight"].to_numpy())
        expected = aligned["frequency"].is_not_null().to_numpy()
        self.score[places] += score[columns]
        self.called[places] += absolute.sum() - missing[columns]
        self.expected_called[places] += absolute[expected].sum() - expected_missing[columns]

    def finish(self, weights: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return score and coverage."""
        absolute = np.abs(weights["weight"].to_numpy())
        frequency = weights["frequency"].cast(pl.Float64).to_numpy()
        expected = ~np.isnan(frequency)
        whole = absolute.sum()
        # each store's sum counts the copies above what the frequency leads to expect; here that comes back
        base = float((2 * frequency[expected] * weights["weight"].to_numpy()[expected]).sum())
        rests_on = self.called - self.expected_called + absolute[expected].sum()
        share = np.divide(rests_on, whole, out=np.zeros_like(rests_on), where=whole > 0)
        score = self.score + base
        made_up = np.divide(score, share, out=np.full_like(score, np.nan), where=share > _TINY)
        coverage = np.divide(self.called, whole, out=np.zeros_like(self.called), where=whole > 0)
        # sums of rounded numbers: full coverage may come out as 1 less or more 1e-16
        return np.where(share < 1 - _TINY, made_up, score), np.minimum(np.maximum(coverage, 0.0), 1.0)


def _store_sums(store: GenotypeStore, aligned: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Go through the weighted variants of a store once.

    Returns
    -------
    three ndarrays of float, shape (samples,)
        Sum of weights times (copies less the expected copies, if known); sums of the absolute weights without a
        call, all and those with a frequency.
    """
    aligned = aligned.sort("row")
    absolute, known = np.abs(aligned["weight"].to_numpy()), aligned["frequency"].is_not_null().to_numpy()
    tables = _tables(aligned)
    tables[:, MISSING_CALL] = 1j * absolute
    rows, samples = aligned["row"].to_numpy(), store.samples.height
    both = summed_entries(store, rows, tables)[:samples]
    if known.all() or not known.any():
        return both.real, both.imag, both.imag * known.all()
    tables = np.zeros((len(rows), 4))
    tables[known, MISSING_CALL] = absolute[known]
    return both.real, both.imag, summed_entries(store, rows, tables)[:samples]


def _tables(aligned: pl.DataFrame) -> np.ndarray:
    """Tell what each code of each variant adds to the score: complex of shape (variants, 4)."""
    swapped = aligned["is_swapped"].to_numpy()[:, None]
    expected = 2.0 * aligned["frequency"].cast(pl.Float64).fill_null(0.0).to_numpy()[:, None]
    copies = np.where(swapped, 2.0 - _COPIES, _COPIES) - expected
    return (aligned["weight"].to_numpy()[:, None] * copies).astype(np.complex128)


def _matches(aligned: Sequence[tuple[str, pl.DataFrame]], weights: pl.DataFrame, name: str) -> pl.DataFrame:
    whole = float(np.abs(weights["weight"].to_numpy()).sum())
    rows = []
    for store, found in aligned:
        counted = {
            state: (number, total)
            for state, number, total in found.group_by("state").agg(pl.len(), pl.col("weight").abs().sum()).iter_rows()
        }
        for state in STATES:
            number, total = counted.get(state, (0, 0.0))
            rows.append((name, store, state, number, min(total / whole, 1.0) if whole else 0.0))
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
    scored = int(matches.filter(pl.col("state").is_in(SCORED))["weights"].sum())
    return (
        f"polygenic score: weights times copies at {scored:,} of {weights.height:,} weighted variants; {_rule(weights)}"
    )


def _findings(
    column: str, matches: pl.DataFrame, weights: pl.DataFrame, coverage: np.ndarray, minimum: float, enough: np.ndarray
) -> list[Finding]:
    """Say how many weights were found, how, and who has no score for want of calls; never who it is."""
    found = []
    for store, rows in matches.group_by("store", maintain_order=True):
        counted = dict(rows.select("state", "weights").iter_rows())
        scored = sum(counted[state] for state in SCORED)
        words = ", ".join(f"{counted[state]:,} {state}" for state in STATES)
        severity: Severity = "info" if scored else "warning"
        text = f"{column}: {scored:,} of {weights.height:,} weights are scored from {store[0]} ({words})."
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
